//! Checkouts of trunk when a merge moves trunk under them: they follow, and lose nothing.

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::project::{Project, refused};

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
        assert_eq!((repo.rev("HEAD"), head().as_str(), repo.read("src/a")), (old, "HEAD", mine.clone()));
        // The command that is proposed keeps both.
        let next = done.stderr.lines().find_map(|line| line.strip_prefix("hint: cd ")).expect("a command");
        repo.sh(&format!("cd {}", next.split("   (").next().expect("a comment"))).success();
        assert_eq!(repo.read("src/a"), format!("0\n{mine}"));
        repo.git(&["reset", "--quiet", "--hard"]).success();
    }
    // An untracked file in the way is nobody's to overwrite, and a task from here takes back nothing that came in.
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "theirs\n");
    task.commits("nine", "theirs\n");
    task.commits("none", "theirs\n");
    repo.write("new", "mine\n");
    repo.write("nine", "mine\n");
    let wrong = || repo.orch(&["status", "--json"]).success().json()["problems"].to_string();
    assert!(!wrong().contains("detached"), "{}", wrong());
    let done = repo.orch(&["merge", &task.id]).success();
    assert!(done.stderr.contains("its untracked new, nine are in the way"), "{}", done.stderr);
    assert!(wrong().contains("was detached when main moved"), "{}", wrong());
    // Whoever moved HEAD before wrote a name in another encoding.
    repo.sh("cp .git/logs/HEAD ../log && printf 'x \\351 \\n' | cat - ../log > .git/logs/HEAD").success();
    assert!(wrong().contains("was detached when main moved"), "{}", wrong());
    repo.sh("rm .git/logs/HEAD && mkdir .git/logs/HEAD").success();
    assert!(!wrong().contains("was detached"), "{}", wrong());
    repo.sh("rmdir .git/logs/HEAD && cp ../log .git/logs/HEAD").success();
    let back = done.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).expect("a command");
    let back = back.split("   (").next().expect("a comment");
    assert!(wrong().contains(back), "{} {back}", wrong());
    repo.sh("rm nine").success();
    assert!(done.stderr.contains("(once that is moved away)"), "{}", done.stderr);
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
fn that_not_all_that_is_in_the_way_can_be_named_keeps_no_checkout_on_trunk() {
    let project = Project::new();
    let repo = &project.repo;
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "theirs\n");
    task.commits("nine", "theirs\n");
    repo.write("new", "mine\n");
    repo.write("nine", "mine\n");
    let fails = "case \"$*\" in *ls-files*--others*) exit 1;; esac";
    repo.sh(&format!(
        "mkdir ../shim && printf '#!/bin/sh\\n%s\\nexec %s \"$@\"\\n' '{fails}' \"$(command -v git)\" > ../shim/git && \
         chmod +x ../shim/git"
    ))
    .success();
    let path = format!("{}:{}", repo.path("../shim").display(), repo.env().vars().text("PATH").expect("set"));
    let done = repo.cmd(ORCH).args(&["merge", &task.id]).var("PATH", &path).run().success();
    assert!(done.stderr.contains("its untracked new is in the way"), "{}", done.stderr);
    assert_eq!(repo.git(&["rev-parse", "--abbrev-ref", "HEAD"]).success().line(), "HEAD");
}

/// The marker of a merge that was killed after trunk had moved, and the checkout as it was then.
fn killed_merge(project: &Project, file: &str, text: &str) -> String {
    let repo = &project.repo;
    let old = repo.rev("main");
    let task = project.task(&["--kind", "feature"]);
    task.commits(file, text);
    repo.orch(&["merge", &task.id]).success();
    repo.sh(&format!("git read-tree -m -u HEAD {old} && mkdir -p .git/orch/following")).success();
    repo.write(".git/orch/following/main", &old);
    old
}

#[test]
fn what_a_killed_merge_brought_in_is_not_taken_back() {
    let project = Project::new();
    let repo = &project.repo;
    killed_merge(&project, "new", "theirs\n");
    repo.git(&["switch", "--quiet", "-c", "free"]).success();
    repo.sh("echo 9 >> src/b").success();
    refused_commit(repo, "checkout.behind");
    repo.orch(&["doctor", "--fix"]).success();
    assert_eq!((repo.read("new").as_str(), repo.has(".git/orch/following/main")), ("theirs\n", false));
    repo.git(&["commit", "--quiet", "-am", "mine"]).success();
    assert_eq!(repo.git(&["show", "HEAD:new"]).success().stdout, "theirs\n");
    // Below an override, too.
    repo.git(&["switch", "--quiet", "main"]).success();
    killed_merge(&project, "newer", "theirs\n");
    repo.sh("echo 9 >> src/b").success();
    repo.orch(&["override", "--reason", "a hotfix", "--", "git", "commit", "-qam", "mine"]).success();
    assert_eq!(repo.git(&["show", "main:newer"]).success().stdout, "theirs\n");
}

fn refused_commit(repo: &TestRepo, rule: &str) {
    let refused = repo.sh("git commit -qam mine").code(1);
    assert!(refused.stderr.contains(rule), "{}", refused.stderr);
}

#[test]
fn a_checkout_is_detached_only_where_its_changes_are_in_the_way() {
    let project = Project::new();
    let repo = &project.repo;
    let head = || repo.git(&["rev-parse", "--abbrev-ref", "HEAD"]).success().line();
    // Somebody holds its index: it stays on trunk, and is told how to go on.
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "theirs\n");
    repo.write(".git/index.lock", "");
    let done = repo.orch(&["merge", &task.id]).success();
    assert!(done.stderr.contains("index.lock") && done.stderr.contains("doctor --fix"), "{}", done.stderr);
    assert_eq!((head().as_str(), repo.has("new")), ("main", false));
    repo.sh("rm .git/index.lock").success();
    repo.orch(&["doctor", "--fix"]).success();
    assert!(repo.has("new"));
    // It was brought up by hand meanwhile, and has staged changes of its own since.
    killed_merge(&project, "src/a", "1\n2\n3\n4\n");
    repo.sh("git reset -q --hard && echo 5 >> src/a && git add src/a").success();
    repo.orch(&["doctor", "--fix"]).any();
    assert_eq!(head(), "main");
    assert!(repo.read("src/a").ends_with("4\n5\n"));
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

#[test]
fn who_is_left_on_a_merged_branch_is_sent_where_trunk_is() {
    let project = Project::new();
    let repo = &project.repo;
    repo.git(&["worktree", "add", "--quiet", "-b", "plain", "../plain it"]).success();
    let plain = repo.env().at("plain it");
    plain.commit("more", &[("more", "x\n")]);
    let said = plain.orch(&["merge", "plain"]).success().stderr;
    let way = format!("still on plain: `cd {}`", repo.path("").display().to_string().trim_end_matches('/'));
    assert!(said.contains(&way), "{said}");
    repo.git(&["switch", "--quiet", "-c", "elsewhere"]).success();
    plain.commit("again", &[("more", "y\n")]);
    let said = plain.orch(&["merge", "plain"]).success().stderr;
    assert!(said.contains("still on plain: `git switch main`"), "{said}");
}

#[test]
fn an_init_that_cannot_write_a_checkout_says_what_it_committed() {
    let env = TestEnv::new();
    let repo = env.repo("r");
    repo.commit("first", &[("Cargo.toml", "[package]\nname = \"x\"\n"), ("src/lib.rs", "")]);
    // A second checkout of trunk, where something is at the place of the file.
    repo.git(&["worktree", "add", "--quiet", "--force", "../second", "main"]).success();
    let second = env.at("second");
    second.sh("mkdir -p orch.toml/x").success();
    let done = refused(repo.orch(&["init"]), 8, "init.checkout");
    let commit = repo.git(&["log", "-1", "--format=%h", "main"]).success().line();
    assert_eq!(repo.git(&["log", "-1", "--format=%s", "main"]).success().line(), "Add orch.toml");
    assert!(done.stderr.contains(&format!("orch.toml was committed on main as {commit}")), "{}", done.stderr);
    second.sh("rmdir orch.toml/x orch.toml").success();
    repo.orch(&["init"]).success();
    assert_eq!(second.git(&["status", "--porcelain"]).success().stdout, "");
}
