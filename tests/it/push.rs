//! Issue 2, point 6: what pre-push lets through, and what `git orch push` does before it.

use crate::env::{ORCH, Remote, TestEnv, TestRepo};
use crate::project::{Project, counting_gate, gate, hear, names_rule, tell};
use crate::run::Done;

/// A project that is connected to `hub`, where trunk is already.
fn connected(env: &TestEnv, gate: &str) -> (Project, Remote) {
    let hub = env.remote("hub");
    let repo = env.repo("repo");
    repo.commit("gate", &[("orch.toml", gate), ("src/a", "1\n")]);
    repo.connect(&hub);
    repo.orch(&["init"]).success();
    (Project { repo }, hub)
}

fn usual() -> (Project, Remote) {
    let env = TestEnv::new();
    let gate = counting_gate(&env);
    connected(&env, &gate)
}

/// A branch with one commit more than trunk.
fn branch(repo: &TestRepo, name: &str, files: &[(&str, &str)]) {
    repo.git(&["switch", "--quiet", "-c", name, "main"]).success();
    repo.commit(name, files);
}

#[track_caller]
fn refused(repo: &TestRepo, line: &str, rule: &str) -> Done {
    let done = repo.sh(line).any();
    assert_ne!(done.status(), 0, "`{line}` went through");
    assert!(names_rule(&done.stderr, rule), "`{line}` was not refused by {rule}:\n{}", done.stderr);
    done
}

#[test]
fn a_pass_is_pushed_and_a_fail_is_not() {
    let (project, hub) = usual();
    let repo = &project.repo;
    branch(repo, "good", &[("good", "x")]);
    repo.git(&["push", "--quiet", "hub", "good"]).success();
    assert_eq!(project.runs(), 1);
    assert_eq!(hub.repo().rev("good"), repo.rev("good"));
    branch(repo, "wrong", &[("bad", "x")]);
    let done = refused(repo, "git push hub wrong", "push.unverified");
    assert!(done.stderr.contains("check") && done.stderr.contains("exit 1"), "{}", done.stderr);
    assert_eq!(project.runs(), 2);
    // Known by now: refused with its findings, without another run.
    let again = refused(repo, "git push hub wrong", "push.unverified");
    assert!(again.stderr.contains("check") && again.stderr.contains("exit 1"), "{}", again.stderr);
    assert_eq!(project.runs(), 2);
    assert_eq!(hub.repo().try_rev("wrong"), None);
    // The whole push is refused, not half of it.
    branch(repo, "good-too", &[("good-too", "x")]);
    refused(repo, "git push hub good-too wrong", "push.unverified");
    assert_eq!(hub.repo().try_rev("good-too"), None);
}

#[test]
fn a_verified_tree_is_not_run_again() {
    let (project, hub) = usual();
    let repo = &project.repo;
    branch(repo, "good", &[("good", "x")]);
    repo.orch(&["ralph"]).success();
    repo.git(&["push", "--quiet", "hub", "good"]).success();
    // The same tree under another commit, and forced.
    repo.git(&["commit", "--quiet", "--amend", "-m", "again"]).success();
    repo.git(&["push", "--quiet", "--force", "hub", "good"]).success();
    assert_eq!(project.runs(), 1);
    assert_eq!(hub.repo().rev("good"), repo.rev("good"));
}

#[test]
fn over_the_budget_is_refused_and_says_what_to_type() {
    let env = TestEnv::new();
    let slow = format!("[push]\nbudget = \"1s\"\n{}", gate("sleep 3"));
    let (project, hub) = connected(&env, &slow);
    let repo = &project.repo;
    branch(repo, "slow", &[("x", "x")]);
    let done = refused(repo, "git push hub slow", "ralph.budget");
    assert!(done.stderr.contains("git orch push"), "{}", done.stderr);
    assert_eq!(hub.repo().try_rev("slow"), None);
    assert_eq!(
        repo.git(&["ls-tree", "-r", "--name-only", "refs/orch/state", "verdicts/"]).success().stdout,
        ""
    );
    // That does it.
    repo.orch(&["push", "hub", "slow"]).success();
    assert_eq!(hub.repo().rev("slow"), repo.rev("slow"));
}

#[test]
fn what_is_no_branch_passes_at_once() {
    let (project, hub) = usual();
    let repo = &project.repo;
    branch(repo, "wrong", &[("bad", "x")]);
    repo.git(&["tag", "v1"]).success();
    repo.git(&["tag", "-a", "-m", "x", "v2"]).success();
    repo.git(&["push", "--quiet", "hub", "v1", "v2"]).success();
    repo.git(&["push", "--quiet", "hub", "refs/orch/state"]).success();
    repo.git(&["push", "--quiet", "hub", "wrong:refs/notes/x"]).success();
    repo.git(&["push", "--quiet", "hub", "main"]).success();
    repo.git(&["push", "--quiet", "--dry-run", "hub", "main"]).success();
    hub.repo().git(&["branch", "old", "main"]).success();
    repo.git(&["push", "--quiet", "hub", ":old"]).success();
    assert_eq!(hub.repo().try_rev("old"), None);
    assert_eq!(project.runs(), 0);
}

#[test]
fn what_is_exempt_or_there_already_passes_at_once_but_never_onto_trunk() {
    let env = TestEnv::new();
    let toml = format!("[push]\nexempt = [\"wip/*\"]\n{}", counting_gate(&env));
    let (project, hub) = connected(&env, &toml);
    let repo = &project.repo;
    branch(repo, "wip/x", &[("bad", "x")]);
    repo.git(&["push", "--quiet", "hub", "wip/x"]).success();
    // What the remote has under one name may have another.
    repo.git(&["push", "--quiet", "hub", "wip/x:copy"]).success();
    assert_eq!(project.runs(), 0);
    // But trunk is only what has a PASS: neither by what is there already, nor by a name that is exempt.
    for line in
        ["git push hub wip/x:main", "git push hub HEAD:refs/heads/main", "git push --force hub hub/copy:main"]
    {
        refused(repo, line, "push.unverified");
    }
    assert_eq!(hub.repo().rev("main"), repo.rev("main"));
    // Nor by what this clone says that the remote has.
    branch(repo, "lie", &[("bad", "y")]);
    repo.git(&["update-ref", "refs/remotes/hub/lie", "lie"]).success();
    refused(repo, "git push hub lie:main", "push.unverified");
    // The trunk that the remote has is not judged again.
    repo.git(&["push", "--quiet", "hub", "main"]).success();
}

#[test]
fn several_branches_are_judged_one_by_one() {
    let (project, hub) = usual();
    let repo = &project.repo;
    for name in ["one", "two", "three"] {
        branch(repo, name, &[(name, "x")]);
    }
    repo.git(&["push", "--quiet", "hub", "one", "two", "three"]).success();
    assert_eq!(project.runs(), 3);
    assert_eq!(hub.repo().rev("three"), repo.rev("three"));
    for name in ["bad-one", "bad-two"] {
        branch(repo, name, &[("bad", name)]);
    }
    let done = refused(repo, "git push hub bad-one bad-two", "push.unverified");
    for name in ["bad-one", "bad-two"] {
        assert!(done.stderr.contains(name), "{}", done.stderr);
    }
    // All branches at once, most of them there already.
    refused(repo, "git push --all hub", "push.unverified");
}

#[test]
fn what_is_pushed_is_judged_not_what_is_checked_out() {
    let (project, hub) = usual();
    let repo = &project.repo;
    branch(repo, "wrong", &[("bad", "x")]);
    branch(repo, "good", &[("good", "x")]);
    refused(repo, "git push hub wrong:renamed", "push.unverified");
    refused(repo, "git push hub \"$(git rev-parse wrong)\":refs/heads/renamed", "push.unverified");
    repo.git(&["switch", "--quiet", "wrong"]).success();
    repo.git(&["push", "--quiet", "hub", "good"]).success();
    assert_eq!(hub.repo().try_rev("renamed"), None);
}

#[test]
fn a_gate_without_steps_warns_and_pushes() {
    let env = TestEnv::new();
    let hub = env.remote("hub");
    let repo = env.repo("repo");
    repo.orch(&["init"]).success();
    repo.git(&["remote", "add", "hub", &hub.url()]).success();
    let done = repo.git(&["push", "hub", "main"]).success();
    assert!(done.stderr.contains("pushed without a verdict"), "{}", done.stderr);
    assert_eq!(hub.repo().rev("main"), repo.rev("main"));
    // The first push of an `orch.toml` that has steps: they are judged once trunk has them.
    branch(&repo, "gate", &[("orch.toml", &gate("true"))]);
    let done = refused(&repo, "git push hub gate", "gate.changed");
    assert!(done.stderr.contains("git orch approve gate"), "{}", done.stderr);
    repo.orch(&["approve", "gate", "--reason", "the first"]).success();
    repo.git(&["push", "--quiet", "hub", "gate"]).success();
}

#[test]
fn a_clone_whose_state_is_gone_pushes_nothing() {
    let (project, hub) = usual();
    let repo = &project.repo;
    branch(repo, "wrong", &[("bad", "x")]);
    let state = repo.rev("refs/orch/state");
    repo.git(&["-c", "core.hooksPath=/dev/null", "update-ref", "-d", "refs/orch/state"]).success();
    let done = refused(repo, "git push hub wrong", "init.missing");
    assert!(done.stderr.contains("git orch init"), "{}", done.stderr);
    refused(repo, "git push hub wrong:main", "init.missing");
    repo.git(&["update-ref", "refs/orch/state", &state]).success();
    refused(repo, "git push hub wrong", "push.unverified");
    assert_eq!(hub.repo().rev("main"), repo.rev("main"));
}

#[test]
fn an_agent_pushes_its_own_branch_and_never_trunk() {
    let (project, hub) = usual();
    let task = project.task(&["--kind", "feature"]);
    task.commits("good", "x");
    project.repo.orch(&["ralph", &task.id]).success();
    let push = |line: &str| task.agent_cmd("sh").args(&["-c", line]).run().any();
    assert_eq!(push("git push --quiet hub HEAD").status(), 0);
    for line in [
        "git push hub HEAD:main",
        "git push hub HEAD:refs/heads/main",
        "env -u ORCH_TASK git push hub HEAD:main",
    ] {
        let done = push(line);
        assert!(names_rule(&done.stderr, "trunk.push"), "{line}: {}", done.stderr);
        assert!(done.stderr.contains("git orch merge"), "{}", done.stderr);
    }
    // Nor one without the variable, from a task's worktree.
    let done = task.repo.git(&["push", "hub", "HEAD:main"]).any();
    assert!(names_rule(&done.stderr, "trunk.push"), "{}", done.stderr);
    assert_eq!(hub.repo().rev("main"), project.repo.rev("main"));
}

#[test]
fn an_override_covers_one_push_of_this_branch() {
    let (project, hub) = usual();
    let repo = &project.repo;
    branch(repo, "wrong", &[("bad", "x")]);
    let over = [ORCH, "override --reason hotfix -- git push --quiet hub wrong"].join(" ");
    repo.sh(&over).success();
    assert_eq!(hub.repo().rev("wrong"), repo.rev("wrong"));
    repo.commit("worse", &[("bad", "y")]);
    refused(repo, "git push hub wrong", "push.unverified");
}

#[test]
fn an_override_covers_no_push_of_another_process() {
    let (project, hub) = usual();
    let repo = &project.repo;
    branch(repo, "wrong", &[("bad", "x")]);
    repo.sh("mkfifo .git/up .git/go").success();
    let words = ["override", "--reason", "r", "--", "git", "commit", "--quiet", "--allow-empty"];
    let editor = "echo up > .git/up; read go < .git/go; echo more >";
    let command = repo.cmd(ORCH).args(&words).var("GIT_EDITOR", editor).spawn();
    hear(&repo.path(".git/up"));
    refused(repo, "git push hub wrong", "push.unverified");
    tell(&repo.path(".git/go"));
    command.wait().success();
    assert_eq!(hub.repo().try_rev("wrong"), None);
}

#[test]
fn an_override_covers_a_push_onto_trunk_from_any_branch() {
    let (project, hub) = usual();
    let repo = &project.repo;
    branch(repo, "wrong", &[("bad", "x")]);
    branch(repo, "elsewhere", &[]);
    for line in ["git push --quiet hub wrong", "git push --quiet hub wrong:main"] {
        refused(repo, line, "push.unverified");
        repo.sh(&format!("{ORCH} override --reason hotfix -- {line}")).success();
    }
    assert_eq!(hub.repo().rev("main"), repo.rev("wrong"));
    let log = repo.orch(&["log", "-n", "1"]).success().stdout;
    assert!(log.contains("ann@example.com  override  refs/heads/main"), "{log}");
}

#[test]
fn an_override_is_not_open_to_a_task_worktree_below_it() {
    let (project, hub) = usual();
    let task = project.task(&["--kind", "feature"]);
    task.commits("bad", "x");
    let dir = task.repo.path("");
    let push = format!("!cd {} && git push --quiet hub {}:main", dir.display(), task.branch);
    let words = ["override", "--reason", "r", "--", "git", "-c", &format!("alias.there={push}"), "there"];
    let done = project.repo.orch(&words).any();
    assert!(names_rule(&done.stderr, "trunk.push"), "{}", done.stderr);
    assert_eq!(hub.repo().rev("main"), project.repo.rev("main"));
}

#[test]
fn git_orch_push_passes_its_arguments_on() {
    let (project, hub) = usual();
    let repo = &project.repo;
    branch(repo, "good", &[("good", "x")]);
    repo.orch(&["push", "--", "--set-upstream", "hub", "good"]).success();
    assert_eq!(repo.git(&["rev-parse", "--abbrev-ref", "@{u}"]).success().line(), "hub/good");
    assert_eq!(project.runs(), 1);
    branch(repo, "wrong", &[("bad", "x")]);
    let done = repo.orch(&["push", "hub", "wrong"]).code(1);
    assert!(names_rule(&done.stderr, "push.unverified"), "{}", done.stderr);
    assert_eq!(hub.repo().try_rev("wrong"), None);
    // Onto trunk, what is there already needs its verdict too.
    refused(repo, &format!("{ORCH} push hub wrong:main"), "push.unverified");
}
