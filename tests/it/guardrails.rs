//! The guardrails that are built in, on changes of real repositories.

use git_orch::assets;
use git_orch::domain::oid::Oid;
use git_orch::git::Repo;
use git_orch::policy::guardrail::{Checked, Exceptions, Rules, check};

use crate::env::{TestEnv, TestRepo};

fn rules() -> Rules {
    Rules::parse(&assets::GUARDRAILS, &[]).expect("the embedded rules are valid")
}

fn held_against_them(repo: &TestRepo, base: &str, new: &str) -> Checked {
    let opened = Repo::discover(&repo.path(""), &repo.env().vars()).expect("it is a repository");
    let [base, new] = [base, new].map(|id| Oid::parse(id).expect("git printed it"));
    let changes = opened.line_changes(&base, &new).expect("the change is small");
    check(&rules(), &changes, Exceptions::Comments)
}

fn shown(checked: &Checked) -> Vec<String> {
    let hit = |f: &git_orch::domain::finding::Finding| {
        let line = f.span.map(|span| format!(":{}", span.line)).unwrap_or_default();
        format!("{} {}{line}", f.rule, f.path.as_deref().unwrap_or_default())
    };
    checked.hits.iter().map(hit).collect()
}

#[test]
fn only_what_a_change_adds_is_judged_whatever_its_attributes_say() {
    let env = TestEnv::new();
    let repo = env.repo("r");
    let old = "a();\n// @ts-ignore\nb();\n";
    let base =
        repo.commit("old code", &[("src/old.ts", old), ("src/moves.ts", "// @ts-nocheck\nc();\nd();\n")]);
    repo.git(&["mv", "src/moves.ts", "src/moved.ts"]).success();
    let new = repo.commit(
        "new code",
        &[
            (".gitattributes", "*.ts binary\n"),
            ("src/old.ts", &format!("{old}// @ts-ignore\nz();\n")),
            ("src/moved.ts", "// @ts-nocheck\nc();\nd();\ne(); // eslint-disable-line\n"),
            ("docs/a.md", "Never write `// @ts-ignore`.\n"),
        ],
    );
    let checked = held_against_them(&repo, &base, &new);
    assert_eq!(
        shown(&checked),
        [
            "guardrail.protected.git .gitattributes",
            "guardrail.suppression.eslint-disable src/moved.ts:4",
            "guardrail.suppression.ts-ignore src/old.ts:4",
        ]
    );
    assert!(checked.allowed.is_empty());
    assert_eq!(shown(&held_against_them(&repo, &new, &base)), ["guardrail.protected.git .gitattributes"]);
}
