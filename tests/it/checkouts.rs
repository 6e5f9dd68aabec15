//! Checkouts of trunk when a merge moves trunk under them: they follow, and lose nothing.

use crate::project::Project;

#[test]
fn checkouts_of_trunk_follow_with_the_changes_that_they_have() {
    let project = Project::new();
    let repo = &project.repo;
    let merged = |options: &[&str], file: &str, text: &str| {
        let task = project.task(options);
        task.commits(file, text);
        repo.orch(&["merge", &task.id]).success().stderr
    };
    let porcelain = || repo.git(&["status", "--porcelain"]).success().stdout;
    // Edited, staged and untracked files that nothing comes in for.
    repo.sh("echo mine >> src/b && git add src/b && echo more >> src/b && echo mine > mine").success();
    let said = merged(&[], "src/a", "1\n");
    assert!(!said.contains("can't follow"), "{said}");
    assert_eq!((repo.read("src/a").as_str(), porcelain().as_str()), ("1\n", "MM src/b\n?? mine\n"));
    assert!(repo.read("src/b").ends_with("mine\nmore\n"));
    // Nor does another branch here matter.
    repo.sh("git reset -q --hard && git switch -q -c elsewhere").success();
    merged(&["--kind", "feature"], "newest", "x\n");
    assert!(!repo.has("newest"));
    repo.git(&["switch", "--quiet", "main"]).success();
    assert!(repo.has("newest"));
}

#[test]
fn a_checkout_with_changes_in_the_way_stays_at_what_they_are_changes_to() {
    let project = Project::new();
    let repo = &project.repo;
    let head = || repo.git(&["rev-parse", "--abbrev-ref", "HEAD"]).success().line();
    for in_the_way in ["echo mine >> src/a", "echo mine >> src/a && git add src/a"] {
        let old = repo.rev("HEAD");
        let task = project.task(&[]);
        task.commits("src/a", &format!("0\n{}", repo.read("src/a")));
        repo.sh(in_the_way).success();
        let mine = repo.read("src/a");
        let done = repo.orch(&["merge", &task.id]).success();
        assert!(done.stderr.contains("its changes to src/a are in the way"), "{}", done.stderr);
        assert!(done.stderr.contains("/repo switch --merge main"), "{}", done.stderr);
        assert_eq!((repo.rev("HEAD"), head().as_str(), repo.read("src/a")), (old, "HEAD", mine.clone()));
        // The command that is proposed keeps both.
        repo.sh("git restore --staged . && git switch -q --merge main").success();
        assert_eq!(repo.read("src/a"), format!("0\n{mine}"));
        repo.git(&["reset", "--quiet", "--hard"]).success();
    }
    // An untracked file in the way is nobody's to overwrite, and a task from here takes back nothing that came in.
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "theirs\n");
    repo.write("new", "mine\n");
    let done = repo.orch(&["merge", &task.id]).success();
    assert!(done.stderr.contains("its untracked file new is in the way"), "{}", done.stderr);
    assert!(done.stderr.contains("(once that file is moved away)"), "{}", done.stderr);
    assert_eq!(repo.read("new"), "mine\n");
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "?? new\n");
    repo.sh("mv new ../other && echo 9 >> src/b").success();
    repo.orch(&["start", "--here", "--kind", "feature"]).success();
    repo.git(&["commit", "--quiet", "-am", "mine"]).success();
    repo.orch(&["merge"]).success();
    assert_eq!(repo.git(&["show", "main:new"]).success().stdout, "theirs\n");
    assert!(repo.git(&["show", "main:src/b"]).success().stdout.ends_with("9\n"));
}

#[test]
fn a_file_that_was_only_touched_is_no_change() {
    let project = Project::new();
    let repo = &project.repo;
    let task = project.task(&[]);
    task.commits("src/a", "1\n");
    repo.sh("touch -d '1 hour ago' src/a src/b").success();
    let done = repo.orch(&["merge", &task.id]).success();
    assert!(!done.stderr.contains("can't follow"), "{}", done.stderr);
    assert_eq!(repo.read("src/a"), "1\n");
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "");
}
