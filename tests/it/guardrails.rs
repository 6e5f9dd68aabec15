//! Guardrails, on changes of real repositories: what Ralph, pushes and merges stop, and what lifts that.

use git_orch::assets;
use git_orch::domain::oid::Oid;
use git_orch::git::Repo;
use git_orch::policy::guardrail::{Checked, Exceptions, Rules, check};

use crate::env::{ORCH, Remote, TestEnv, TestRepo};
use crate::project::{Project, counting_gate, gate, refused};
use crate::run::{Done, Outcome};

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

const IGNORED: &str = "// @ts-ignore\nz();\n";
const IGNORE: &str = "guardrail.suppression.ts-ignore";
const DROPPED: &str = "DROP TABLE users;\n";
const DROP: &str = "guardrail.sql.drop";
const TESTS: &str = "def test_one():\n    assert one() == 1\n\n\ndef test_two():\n    assert two() == 2\n";
const OLD: &str = "a();\n// @ts-ignore\nb();\n";

/// What nobody may write down, not even here.
fn token() -> String {
    ["gh", "p_", "x7Kq2", "mZ9vT4", "bR8wN1", "cY6dL3", "fH5jP0", "sGaEuQk"].concat()
}

/// A project that shares trunk through `hub`.
fn connected() -> (Project, Remote) {
    let env = TestEnv::new();
    let hub = env.remote("hub");
    let repo = env.repo("repo");
    let gate = counting_gate(&env);
    repo.commit("gate", &[("orch.toml", &gate), ("src/old.ts", OLD), ("tests/test_sums.py", TESTS)]);
    repo.connect(&hub);
    repo.orch(&["init"]).success();
    (Project { repo }, hub)
}

/// A branch with one commit more than trunk.
fn branch(repo: &TestRepo, name: &str, files: &[(&str, &str)]) {
    repo.git(&["switch", "--quiet", "-c", name, "main"]).success();
    repo.commit(name, files);
}

/// Ralph says BLOCKED by this rule, with this in its words.
#[track_caller]
fn blocked(repo: &TestRepo, rev: &str, rule: &str, says: &str) -> Done {
    let done = repo.orch(&["ralph", rev]).code(3);
    assert_eq!(done.stdout.lines().last(), Some("BLOCKED"), "{}", done.stdout);
    for part in [format!("rule {rule}: ").as_str(), says, "why: ", "fix: ", "No step was run"] {
        assert!(done.stdout.contains(part), "{rev}, {part}: {}", done.stdout);
    }
    done
}

#[track_caller]
fn passes(repo: &TestRepo, rev: &str) -> Done {
    let done = repo.orch(&["ralph", rev]).success();
    assert_eq!(done.stdout.lines().last(), Some("PASS"), "{}", done.stdout);
    done
}

fn marks(repo: &TestRepo) -> Vec<String> {
    repo.sh("ls .git/orch/guarded 2> /dev/null || true").success().lines()
}

#[test]
fn what_a_change_may_not_bring_in_stops_ralph_pushes_and_merges() {
    let (project, hub) = connected();
    let repo = &project.repo;
    let (secret, huge) = (token(), "x".repeat(1_100_000));
    let (main, trunk) = (repo.rev("main"), hub.repo().rev("main"));
    let keyed = format!("key = \"{secret}\"\n");
    for (name, rule, says, path, text) in [
        ("suppression", IGNORE, "src/new.ts:1", "src/new.ts", IGNORED),
        (
            "skipped",
            "guardrail.tests.js-skipped",
            "a.test.ts:1",
            "a.test.ts",
            "it.skip(\"adds\", () => {});\n",
        ),
        ("deleted", "guardrail.tests.py-deleted", "tests/test_sums.py", "tests/test_sums.py", &TESTS[..40]),
        ("secret", "guardrail.secret.github", "src/k.py:1", "src/k.py", &keyed),
        ("sql", DROP, "db/1.sql:1", "db/1.sql", DROPPED),
        ("conflict", "guardrail.conflict.marker", "x:1", "x", "<<<<<<< a\n1\n=======\n2\n>>>>>>> b\n"),
        ("ci", "guardrail.ci.changed", ".github/workflows/ci.yml", ".github/workflows/ci.yml", "on: push\n"),
        ("binary", "guardrail.file.binary", "tool", "tool", "\u{7f}ELF\0\u{1}"),
        ("huge", "guardrail.file.huge", "data", "data", huge.as_str()),
    ] {
        branch(repo, name, &[(path, text)]);
        let outputs = [
            blocked(repo, name, rule, says),
            repo.orch(&["ralph", name, "--json"]).code(3),
            refused(repo.orch(&["push", "hub", name]), 3, rule),
            repo.git(&["push", "hub", name]).code(1),
            refused(repo.orch(&["merge", name]), 3, rule),
        ];
        let json = outputs[1].json();
        let finding = &json["findings"][0];
        assert_eq!((&json["rule"], &finding["rule"]), (&rule.into(), &rule.into()));
        assert_eq!((&finding["path"], &finding["severity"]), (&path.into(), &"error".into()));
        assert!(json["steps"].as_array().is_some_and(Vec::is_empty), "{json}");
        assert!(json["fact"].as_str().is_some_and(|fact| fact.starts_with(says)), "{json}");
        for text in ["fix", "why", "message", "fingerprint"] {
            assert!(finding[text].as_str().is_some_and(|text| text.len() > 4), "{text}: {finding}");
        }
        for (n, output) in outputs.iter().enumerate() {
            let all = format!("{}{}", output.stdout, output.stderr);
            assert!(all.contains(rule), "{n}: {all}");
            assert!(!all.contains(&secret), "{n}: {all}");
        }
        assert!(outputs[2].stderr.contains("git orch approve"), "{}", outputs[2].stderr);
        assert_eq!(hub.repo().try_rev(name), None);
    }
    assert_eq!((repo.rev("main"), hub.repo().rev("main"), project.runs()), (main, trunk, 0));
    // Neither what lies around nor the state has it; git's objects do.
    repo.orch(&["approve", "secret", "--reason", "made up"]).success();
    let log = repo.sh("git log -p --format=%B refs/orch/state; cat $(find .git/orch ~ -type f)").any();
    assert!(log.stdout.contains("made up") && !log.stdout.contains(&secret));
    assert!(!log.stdout.contains(&secret[4..20]), "not even a part");
}

#[test]
fn what_trunk_has_already_is_no_hit() {
    let (project, _hub) = connected();
    let repo = &project.repo;
    branch(repo, "same", &[("src/old.ts", &format!("{OLD}c();\n"))]);
    passes(repo, "same");
    branch(repo, "moved", &[]);
    repo.sh("mkdir lib && git mv src/old.ts lib/new.ts && git mv tests/test_sums.py tests/test_all.py")
        .success();
    repo.commit("moved", &[]);
    passes(repo, "moved");
    // A second one is.
    branch(repo, "more", &[("src/old.ts", &format!("{OLD}{IGNORED}"))]);
    blocked(repo, "more", IGNORE, "src/old.ts:4");
    // Until the next commit mends it; then it is the tree that counts, not the way to it.
    repo.commit("mended", &[("src/old.ts", &format!("{OLD}z();\n"))]);
    passes(repo, "more");
    repo.orch(&["push", "hub", "more"]).success();
    // On trunk itself nothing is a change.
    repo.git(&["switch", "--quiet", "main"]).success();
    passes(repo, "main");
}

#[test]
fn all_hits_are_shown_and_the_first_is_the_fact() {
    let (project, _hub) = connected();
    let repo = &project.repo;
    branch(repo, "two", &[("a.ts", IGNORED), ("db/1.sql", "SELECT 1;\nDROP TABLE users;\n")]);
    let done = blocked(repo, "two", IGNORE, "and 1 more");
    for part in [
        "x a.ts:1  guardrail.suppression.ts-ignore",
        "x db/1.sql:2  guardrail.sql.drop",
        "`DROP TABLE users;`",
    ] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    let merge = refused(repo.orch(&["merge", "two"]), 3, IGNORE);
    assert!(merge.stderr.contains("db/1.sql:2"), "{}", merge.stderr);
}

#[test]
fn an_approval_lifts_what_it_shows_for_exactly_that_tree() {
    let (project, hub) = connected();
    let repo = &project.repo;
    branch(repo, "drops", &[("db/1.sql", DROPPED), ("src/new.ts", IGNORED)]);
    let agent = |args: &[&str]| repo.cmd(ORCH).args(args).var("ORCH_TASK", "7k3fabcd").run();
    refused(agent(&["approve", "drops", "--reason", "x"]), 4, "person.only");
    blocked(repo, "drops", DROP, "db/1.sql:1");
    let shown = repo.orch(&["approve", "drops", "--reason", "agreed"]).success();
    for part in ["db/1.sql:1", "`DROP TABLE users;`", "src/new.ts:1", "why: "] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let record = repo
        .sh("git ls-tree -r --name-only refs/orch/state decisions/ | xargs -I{} git show refs/orch/state:{}");
    let record = record.success().stdout;
    assert!(
        record.contains("rule = \"guardrail\"") && record.contains(DROP) && record.contains(IGNORE),
        "{record}"
    );
    let done = passes(repo, "drops");
    assert!(
        done.stdout.contains("allowed: db/1.sql:1  guardrail.sql.drop: a person approved it"),
        "{}",
        done.stdout
    );
    assert_eq!(repo.orch(&["ralph", "drops", "--json"]).success().json()["allowed"][0]["by"], "person");
    // The next tree is another one, also if it has the same hit, or one less.
    repo.commit("next", &[("src/other", "x\n")]);
    blocked(repo, "drops", DROP, "db/1.sql:1");
    repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]).success();
    repo.git(&["push", "--quiet", "hub", "drops"]).success();
    // A merge result has the approval of what was merged, if nothing else is in it.
    repo.git(&["switch", "--quiet", "main"]).success();
    repo.commit("trunk moves", &[("src/other", "y\n")]);
    repo.git(&["push", "--quiet", "--no-verify", "hub", "main"]).success();
    repo.git(&["switch", "--quiet", "drops"]).success();
    repo.orch(&["merge", "drops"]).success();
    assert_eq!(hub.repo().git(&["show", "main:db/1.sql"]).success().stdout, DROPPED);
    refused(repo.orch(&["approve", "main", "--reason", "x"]), 2, "approve.nothing");
}

#[test]
fn an_approval_that_somebody_wrote_lifts_nothing() {
    let (project, _hub) = connected();
    let repo = &project.repo;
    branch(repo, "drops", &[("db/1.sql", DROPPED)]);
    repo.orch(&["approve", "drops", "--reason", "agreed"]).success();
    repo.commit("and more", &[("src/new.ts", IGNORED)]);
    repo.orch(&["approve", "drops", "--reason", "agreed"]).success();
    passes(repo, "drops");
    let (old, new) = (repo.rev("drops~1^{tree}"), repo.rev("drops^{tree}"));
    let path = |tree: &str| format!("decisions/{}/approve-{tree}.toml", &tree[..2]);
    // The one of the tree before with one rule more, and this one without.
    for (tree, edit) in
        [(&new, format!("s/, \"{IGNORE}\"//")), (&old, format!("s/\"{DROP}\"/\"{DROP}\", \"x\"/"))]
    {
        let line = "export GIT_INDEX_FILE=.git/i; rm -f $GIT_INDEX_FILE; git read-tree refs/orch/state
            git show refs/orch/state:$0 | sed \"$1\" > .git/edited
            git update-index --cacheinfo 100644,$(git hash-object -w .git/edited),$0
            git -c core.hooksPath=/dev/null update-ref refs/orch/state $(git commit-tree $(git write-tree) -p refs/orch/state -m x)";
        repo.cmd("sh").args(&["-ec", line, &path(tree), &edit]).run().success();
    }
    blocked(repo, "drops", DROP, "db/1.sql:1");
    blocked(repo, "drops~1", DROP, "db/1.sql:1");
}

#[test]
fn an_approved_gate_lifts_no_guardrail_that_came_later_and_a_branch_has_no_say() {
    let (project, _hub) = connected();
    let repo = &project.repo;
    let number = ["ssn: 4", "12-", "55-", "6789\n"].concat();
    let usual = repo.read("orch.toml");
    let own = usual.clone() + "\n[merge]\ndev = \"auto\"\n";
    branch(repo, "gate", &[("orch.toml", &own), ("notes", &number)]);
    refused(repo.orch(&["merge", "gate"]), 3, "gate.changed");
    repo.orch(&["approve", "gate", "--reason", "agreed"]).success();
    passes(repo, "gate");
    repo.git(&["switch", "--quiet", "main"]).success();
    repo.commit("health", &[("orch.toml", &(usual + "\n[policy]\nguardrails = [\"health\"]\n"))]);
    repo.git(&["push", "--quiet", "--no-verify", "hub", "main"]).success();
    let done = blocked(repo, "gate", "guardrail.phi.ssn", "notes:1");
    assert!(!done.stdout.contains(number.trim()), "{}", done.stdout);
    // A branch that takes the profile away is judged by trunk's all the same.
    branch(repo, "without", &[("orch.toml", &gate("true")), ("notes", &number)]);
    let json = repo.orch(&["ralph", "without", "--json"]).code(3).json();
    assert_eq!(json["rule"], "gate.changed");
    let shown = repo.orch(&["approve", "without", "--reason", "agreed"]).success();
    assert!(shown.stdout.contains("guardrail.phi.ssn"), "{}", shown.stdout);
    branch(repo, "unknown", &[("orch.toml", "[policy]\nguardrails = [\"helth\"]\n")]);
    repo.git(&["push", "--quiet", "--no-verify", "--force", "hub", "unknown:main"]).success();
    let done = repo.orch(&["ralph", "HEAD"]).code(8);
    assert!(done.stderr.contains("health"), "{}", done.stderr);
}

#[test]
fn a_person_merges_over_a_hit_and_it_is_recorded() {
    let (project, hub) = connected();
    let repo = &project.repo;
    branch(repo, "drops", &[("db/1.sql", DROPPED)]);
    let merge = ["merge", "drops", "--override", "--reason", "the table is empty"];
    refused(repo.cmd(ORCH).args(&merge).var("ORCH_TASK", "7k3fabcd").run(), 4, "person.only");
    repo.orch(&merge).success();
    assert!(hub.repo().git(&["cat-file", "-e", "main:db/1.sql"]).any().status() == 0);
    let log = repo.orch(&["log"]).success().stdout;
    assert!(log.contains("the table is empty") && log.contains("BLOCKED"), "{log}");
}

#[test]
fn a_comment_with_a_reason_is_shown() {
    let (project, hub) = connected();
    let repo = &project.repo;
    let comment = |reason: &str| format!("// orch-allow: {IGNORE} -- {reason}\n{IGNORED}");
    branch(repo, "short", &[("src/new.ts", &comment("sorry"))]);
    blocked(repo, "short", IGNORE, "gives no reason of ten letters");
    branch(repo, "reason", &[("src/new.ts", &comment("the types lack close"))]);
    let line = format!("allowed: src/new.ts:2  {IGNORE}: \"the types lack close\"");
    for _ in 0..2 {
        let done = passes(repo, "reason");
        assert!(done.stdout.contains(&line), "{}", done.stdout);
    }
    let allowed = &repo.orch(&["ralph", "reason", "--json"]).success().json()["allowed"][0];
    assert_eq!((&allowed["by"], &allowed["reason"]), (&"comment".into(), &"the types lack close".into()));
    assert_eq!(project.runs(), 1);
    // One that only a person may lift.
    let drop = format!("-- orch-allow: {DROP} -- the table is not used any more\n{DROPPED}");
    branch(repo, "drops", &[("db/1.sql", &drop)]);
    blocked(repo, "drops", DROP, "only a person may allow it");
    let merged = repo.orch(&["merge", "reason"]).success();
    assert!(merged.stderr.contains("allowed: src/new.ts:2, "), "{}", merged.stderr);
    assert!(hub.repo().git(&["cat-file", "-e", "main:src/new.ts"]).any().status() == 0);
}

#[test]
fn a_change_that_is_too_large_to_look_at_is_blocked() {
    let (project, _hub) = connected();
    let repo = &project.repo;
    branch(repo, "lines", &[("lines", &"\n".repeat(1_500_000))]);
    blocked(repo, "lines", "guardrail.too_much", "lines: the change has more than 64 MiB of lines");
    repo.orch(&["approve", "lines", "--reason", "generated"]).success();
    passes(repo, "lines");
}

#[test]
fn a_pass_of_the_same_tree_does_not_hide_a_change() {
    let (project, _hub) = connected();
    let repo = &project.repo;
    // The tree was trunk's, and passed.
    repo.commit("with", &[("src/new.ts", IGNORED)]);
    repo.git(&["push", "--quiet", "--no-verify", "hub", "main"]).success();
    passes(repo, "main");
    repo.commit("without", &[("src/new.ts", "z();\n")]);
    repo.git(&["push", "--quiet", "--no-verify", "hub", "main"]).success();
    passes(repo, "main");
    branch(repo, "again", &[("src/new.ts", IGNORED)]);
    assert_eq!(repo.rev("again^{tree}"), repo.rev("main~1^{tree}"));
    blocked(repo, "again", IGNORE, "src/new.ts:1");
    assert_eq!(project.runs(), 2);
}

/// A `git` before all others on `PATH` that notes when lines are asked for.
fn noting(repo: &TestRepo) -> impl Fn() -> (Outcome, usize) {
    let script = "mkdir ../bin && printf '#!/bin/sh\\ncase \"$*\" in *diff-tree*--raw*) echo x >> %s/asked;; esac\\nexec %s \"$@\"\\n' \
        \"$(pwd)/..\" \"$(command -v git)\" > ../bin/git && chmod +x ../bin/git && printf '%s' \"$PATH\"";
    let path = repo.sh(script).success().stdout;
    let path = format!("{}:{path}", repo.env().root().join("bin").display());
    let repo = repo.clone();
    move || {
        let before = asked(&repo);
        let outcome = repo.cmd(ORCH).args(&["ralph"]).var("PATH", &path).run();
        (outcome, asked(&repo) - before)
    }
}

fn asked(repo: &TestRepo) -> usize {
    repo.sh("cat ../asked 2> /dev/null || true").success().lines().len()
}

#[test]
fn what_was_looked_at_is_not_looked_at_again_unless_the_mark_is_forged() {
    let (project, _hub) = connected();
    let repo = &project.repo;
    branch(repo, "good", &[("src/new.ts", "z();\n")]);
    let ralph = noting(repo);
    let looks = || {
        let (outcome, looks) = ralph();
        outcome.success();
        looks
    };
    assert!(looks() > 0);
    let [mark] = &marks(repo)[..] else { panic!("one mark: {:?}", marks(repo)) };
    assert_eq!(looks(), 0);
    let mark = format!(".git/orch/guarded/{mark}");
    for forged in [String::new(), "0".repeat(64)] {
        repo.write(&mark, &forged);
        assert!(looks() > 0, "a mark that is not sealed counts");
        assert_eq!(looks(), 0);
    }
    // A mark of another change, under this one's name.
    let good = repo.read(&mark);
    repo.commit("more", &[("src/more.ts", "z();\n")]);
    assert!(looks() > 0);
    let other = marks(repo).into_iter().find(|name| !mark.ends_with(name)).expect("two marks");
    repo.write(&format!(".git/orch/guarded/{other}"), &good);
    assert!(looks() > 0);
    repo.commit("hit", &[("src/hit.ts", IGNORED)]);
    let before = marks(repo);
    for _ in 0..2 {
        ralph().0.code(3);
    }
    assert_eq!(marks(repo), before, "what is blocked leaves no mark");
}

#[test]
fn what_an_agent_runs_leaves_no_mark() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    task.commits("new.ts", "z();\n");
    task.agent(&["ralph"]).success();
    assert!(marks(&project.repo).is_empty(), "{:?}", marks(&project.repo));
    project.repo.orch(&["ralph", &task.id]).success();
    assert_eq!(marks(&project.repo).len(), 1);
}

#[test]
fn an_agent_of_the_loop_is_told_and_mends_it() {
    let project = Project::new();
    let repo = &project.repo;
    let id = repo.orch(&["add", "work", "--kind", "feature"]).success().line();
    let script = "if test $ORCH_ITERATION = 1; then printf '// @ts-ignore\\nz();\\n' > new.ts; \
        else grep -q '^### guardrail.suppression.ts-ignore' $ORCH_PROMPT_FILE && \
        grep -q '^new.ts:1: the type checker is silenced' $ORCH_PROMPT_FILE && grep -q '^Instead: ' $ORCH_PROMPT_FILE && \
        ! grep -q 'git orch approve' $ORCH_PROMPT_FILE && echo 'z();' > new.ts; fi";
    let done = repo.orch(&["run", "--merge", "auto", "--agent", script]).success();
    assert_eq!(project.status(&id), "done", "{}{}", done.stdout, done.stderr);
    assert_eq!(repo.git(&["show", "main:new.ts"]).success().stdout, "z();\n");
    assert_eq!(project.runs(), 1, "what was blocked was not run");
}

#[test]
fn a_secret_that_a_later_commit_takes_back_is_in_the_history_and_blocks() {
    let (project, hub) = connected();
    let repo = &project.repo;
    let secret = token();
    branch(repo, "leak", &[("src/k.py", &format!("key = \"{secret}\"\n")), ("src/new.ts", IGNORED)]);
    let leak = repo.rev("leak")[..12].to_owned();
    repo.sh("git rm --quiet src/k.py src/new.ts").success();
    repo.commit("taken back", &[("src/n.py", "n = 1\n")]);
    let rule = "guardrail.secret.github";
    let says = format!("in commit {leak} of the branch");
    let rewrite = format!("git rebase -i {leak}^");
    let outputs = [
        blocked(repo, "leak", rule, &says),
        refused(repo.orch(&["push", "hub", "leak"]), 3, rule),
        repo.git(&["push", "hub", "leak"]).code(1),
        refused(repo.orch(&["merge", "leak"]), 3, rule),
    ];
    for (n, output) in outputs.iter().enumerate() {
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(&rewrite) && all.contains(&says), "{n}: {all}");
        assert!(!all.contains(&secret) && !all.contains(IGNORE), "{n}: {all}");
        assert!(all.contains("git orch approve leak"), "{n}: {all}");
    }
    assert_eq!((hub.repo().try_rev("leak"), project.runs()), (None, 0));
    assert!(marks(repo).is_empty(), "what is blocked leaves no mark");
    // Nor does it pass where nothing is left of it at the end.
    repo.git(&["switch", "--quiet", "-c", "nothing", "leak~1"]).success();
    repo.git(&["revert", "--no-edit", "HEAD"]).success();
    assert_eq!(repo.rev("nothing^{tree}"), repo.rev("main^{tree}"));
    blocked(repo, "nothing", rule, &says);
    // Squashed, the same tree passes.
    repo.git(&["switch", "--quiet", "-c", "squashed", "main"]).success();
    repo.sh("git merge --quiet --squash leak && git commit --quiet -m squashed").success();
    assert_eq!(repo.rev("squashed^{tree}"), repo.rev("leak^{tree}"));
    passes(repo, "squashed");
    repo.orch(&["merge", "squashed"]).success();
    let log = hub.repo().git(&["log", "-p", "main"]).success().stdout;
    assert!(log.contains("n = 1") && !log.contains(&secret));
}

#[test]
fn an_approval_of_a_secret_in_the_history_is_for_that_one_alone() {
    let (project, hub) = connected();
    let repo = &project.repo;
    let (rule, secret) = ("guardrail.secret.github", token());
    let other = secret.replace("x7Kq2", "Zz9Qk");
    let leak = |name: &str, secret: &str| {
        branch(repo, name, &[("src/k.py", &format!("key = \"{secret}\"\n"))]);
        repo.commit("taken back", &[("src/k.py", "key = env()\n")]);
    };
    leak("leak", &secret);
    let done = repo.orch(&["approve", "leak", "--reason", "revoked"]).success();
    assert!(
        done.stdout.contains(rule) && !done.stderr.contains("still blocks"),
        "{}{}",
        done.stdout,
        done.stderr
    );
    let done = passes(repo, "leak");
    assert!(done.stdout.contains("allowed: src/k.py:1"), "{}", done.stdout);
    // The same tree, with another secret on the way.
    leak("other", &other);
    // Not even its fingerprint says which one.
    assert_eq!(repo.rev("other^{tree}"), repo.rev("leak^{tree}"));
    blocked(repo, "other", rule, "in commit ");
    // Trunk moves, and comes into the branch by a merge: what trunk has is not the branch's.
    repo.git(&["switch", "--quiet", "main"]).success();
    repo.commit("trunk's own", &[("src/t.py", &format!("key = \"{other}\"\n"))]);
    repo.git(&["push", "--quiet", "--no-verify", "hub", "main"]).success();
    repo.orch(&["merge", "leak"]).success();
    branch(repo, "clean", &[("src/a.py", "a = 1\n")]);
    repo.git(&["switch", "--quiet", "main"]).success();
    repo.git(&["pull", "--quiet", "--ff-only", "hub", "main"]).any();
    repo.git(&["switch", "--quiet", "clean"]).success();
    repo.git(&["merge", "--quiet", "--no-edit", "main"]).success();
    repo.commit("more", &[("src/b.py", "b = 1\n")]);
    passes(repo, "clean");
    repo.git(&["push", "--quiet", "hub", "clean"]).success();
    assert_eq!(hub.repo().try_rev("clean"), Some(repo.rev("clean")));
}
