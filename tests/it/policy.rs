//! The contracts that are built in, as `policies/` has them.

use git_orch::assets;
use git_orch::domain::id::TaskId;
use git_orch::domain::role::Role;
use git_orch::policy::{
    Change, ChangeKind, CommitFacts, Contract, Permission, Place, Rules, TaskFacts, evaluate,
};

fn rules() -> Rules {
    Rules::parse(&assets::TEAM_POLICIES, &assets::ROLE_POLICIES).expect("the embedded contracts are valid")
}

#[test]
fn each_role_has_its_limits() {
    let word = |p| if p == Permission::Allow { "yes" } else { "no" };
    let line = |role: Role, c: &Contract| {
        format!(
            "{}: {} files, {} lines, new {}, delete {}",
            role.as_str(),
            c.max_files,
            c.max_lines,
            word(c.new_files),
            word(c.deletions)
        )
    };
    let rules = rules();
    let table: Vec<String> = Role::ALL.iter().map(|&role| line(role, rules.contract(role))).collect();
    insta::assert_snapshot!(table.join("\n"), @"
    bugfix: 5 files, 100 lines, new no, delete no
    codequality: 20 files, 500 lines, new no, delete no
    testfixer: 5 files, 100 lines, new no, delete no
    featurebuilder: 20 files, 500 lines, new yes, delete yes
    testwriter: 20 files, 500 lines, new yes, delete no
    ");
}

/// The rules that a change of `path` on the role's own branch breaks.
fn broken_by(role: Role, path: &str, kind: ChangeKind) -> Vec<&'static str> {
    let branch = format!("{}7k3fabcd-x", role.team().branch_prefix());
    let id = TaskId::parse("7k3fabcd").expect("valid");
    let task =
        TaskFacts { id, branch: branch.clone(), role, place: Place::Worktree, held: true, other: None };
    let change = Change { path: path.into(), kind, lines_added: 1, lines_deleted: 0, binary: false };
    let facts = CommitFacts {
        trunk: "main".into(),
        trunk_exists: true,
        branch: Some(branch),
        task: Some(task),
        changes: vec![change],
    };
    evaluate(&rules(), &facts).into_iter().map(|v| v.rule).collect()
}

#[test]
fn migrations_and_ci_are_not_qas() {
    use ChangeKind::{Added, Modified};
    for path in
        ["db/migrations/1.sql", "migrations/1.py", ".github/workflows/ci.yml", "a/Jenkinsfile", ".ci/run"]
    {
        assert_eq!(broken_by(Role::Bugfix, path, Modified), ["contract.paths.forbidden"], "{path}");
    }
    assert!(broken_by(Role::Bugfix, "src/migrations.rs", Modified).is_empty());
    assert!(broken_by(Role::Featurebuilder, "db/migrations/1.sql", Added).is_empty());
    assert_eq!(broken_by(Role::Featurebuilder, ".gitlab-ci.yml", Added), ["contract.paths.forbidden"]);
}

#[test]
fn who_adds_and_removes_files() {
    use ChangeKind::{Added, Deleted};
    for (role, added, deleted) in [
        (Role::Bugfix, false, false),
        (Role::Codequality, false, false),
        (Role::Testfixer, false, false),
        (Role::Featurebuilder, true, true),
        (Role::Testwriter, true, false),
    ] {
        assert_eq!(broken_by(role, "src/a", Added).is_empty(), added, "{role:?}");
        assert_eq!(broken_by(role, "src/a", Deleted).is_empty(), deleted, "{role:?}");
    }
}
