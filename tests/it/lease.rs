//! A person's lease: over after a time, unless something happens in the worktree.

use crate::env::{TestEnv, TestRepo};

/// Another session of this clone asks for the task.
pub(crate) fn other_session_starts(repo: &TestRepo, id: &str) -> crate::run::Outcome {
    repo.cmd(crate::env::ORCH).args(&["start", id]).var("ORCH_SESSION", "0ther000").run()
}

/// Gives every record of activity in the task's worktree this time.
pub(crate) fn touch(repo: &TestRepo, id: &str, when: &str) {
    repo.sh(&format!("cd .git/worktrees/{id} && touch -d '{when}' index HEAD logs/HEAD")).success();
}

#[test]
fn activity_in_the_worktree_renews_a_persons_lease() {
    let env = TestEnv::new();
    let repo = env.repo("mine");
    repo.orch(&["init"]).success();
    let id = repo.orch(&["add", "Mine"]).success().line();
    repo.git(&["config", "orch.personLease", "1ms"]).success();
    repo.orch(&["next"]).success();
    touch(&repo, &id, "1 hour");
    let refused = other_session_starts(&repo, &id).code(6);
    assert!(refused.to_string().contains("is held by person:ann@example.com"), "{refused}");
    touch(&repo, &id, "1 hour ago");
    other_session_starts(&repo, &id).success();
    let task = repo.orch(&["show", &id, "--json"]).success().json();
    assert_eq!(task["fence"], 2, "a takeover raises the fence");
    let late = repo.orch(&["release", &id]).code(6);
    assert!(late.to_string().contains("is held by"), "{late}");
}

#[test]
fn what_a_dead_owner_left_is_kept_before_it_is_taken_over() {
    let env = TestEnv::new();
    let repo = env.repo("mine");
    repo.orch(&["init"]).success();
    let id = repo.orch(&["add", "Mine"]).success().line();
    repo.git(&["config", "orch.personLease", "1ms"]).success();
    let path = repo.orch(&["next", "--json"]).success().json()["path"].as_str().expect("a path").to_owned();
    let left = env.at(&path);
    left.write("README.md", "half\n");
    left.write("deep/new", "of it\n");
    left.sh("touch -d '1 hour ago' README.md deep/new").success();
    touch(&repo, &id, "1 hour ago");
    let before = left.read(".git");
    let told = other_session_starts(&repo, &id).success().to_string();
    let kept = format!("refs/orch/backup/wip/{id}");
    assert!(told.contains(&format!("kept under {}", env.redacted(&kept))), "{told}");
    for (file, text) in [("README.md", "half"), ("deep/new", "of it")] {
        assert_eq!(repo.git(&["show", &format!("{kept}:{file}")]).success().line(), text);
        assert_eq!(left.read(file), format!("{text}\n"), "the files stay where they are");
    }
    assert_eq!(left.read(".git"), before);
    // One's own is gone on with, and nothing changes hands.
    let first = repo.rev(&kept);
    other_session_starts(&repo, &id).success();
    assert_eq!(repo.rev(&kept), first);
}
