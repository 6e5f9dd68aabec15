//! Issue 2, point 7: trunk moves to exactly what was verified, or nothing happens.

use std::path::Path;

use git_orch::sys::ancestry;

use crate::env::{ORCH, Remote, TestEnv, TestRepo};
use crate::project::{Project, Task, counting_gate, gate, refused, wait_for};
use crate::run::{Done, together};

fn exists(path: impl AsRef<Path>) -> bool {
    git_orch::sys::fs::exists(path.as_ref())
}

/// A project that shares trunk through `hub`.
fn connected(env: &TestEnv, gate: &str) -> (Project, Remote) {
    let hub = env.remote("hub");
    let repo = env.repo("repo");
    repo.commit("gate", &[("orch.toml", gate), ("src/a", "1\n2\n3\n"), ("src/b", "b\n")]);
    repo.connect(&hub);
    repo.orch(&["init"]).success();
    (Project { repo }, hub)
}

/// Nothing has happened: trunk, its checkout and the task's branch are what they were.
struct Still {
    main: String,
    tip: String,
    worktrees: String,
}

impl Still {
    fn of(project: &Project, task: &Task) -> Self {
        let worktrees = project.repo.git(&["worktree", "list", "--porcelain"]).success().stdout;
        let worktrees =
            worktrees.split("\n\n").filter(|w| !w.contains("/gate-")).collect::<Vec<_>>().join("\n\n");
        Self { main: project.repo.rev("refs/heads/main"), tip: task.repo.rev("HEAD"), worktrees }
    }

    #[track_caller]
    fn holds(&self, project: &Project, task: &Task, status: &str) {
        let now = Self::of(project, task);
        assert_eq!(now.main, self.main, "trunk moved");
        assert_eq!(now.tip, self.tip, "the branch moved");
        assert_eq!(now.worktrees, self.worktrees);
        for repo in [&project.repo, &task.repo] {
            assert!(!repo.has("MERGE_HEAD") && repo.git(&["diff", "--quiet", "HEAD"]).any().status() == 0);
        }
        assert_eq!(project.status(&task.id), status);
    }
}

/// Trunk has the task by exactly one merge commit, which has trunk's earlier tip and the branch as parents.
#[track_caller]
fn landed(repo: &TestRepo, rev: &str, task: &Task) -> String {
    let format = "--format=%H %(trailers:key=Orch-Task,valueonly,separator=%x2C)";
    let log = repo.git(&["log", "--first-parent", format, rev]).success();
    let merges: Vec<&str> = log.stdout.lines().filter(|line| line.ends_with(&task.id)).collect();
    let [merge] = merges[..] else { panic!("task {}: {} merges\n{}", task.id, merges.len(), log.stdout) };
    merge.split(' ').next().expect("an id").to_owned()
}

fn is_clean(repo: &TestRepo) {
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "");
}

#[test]
fn trunk_moves_to_exactly_what_was_verified() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    let tip = task.commits("new", "x\n");
    let other = project.repo.commit("other", &[("src/b", "b2\n")]);
    project.repo.orch(&["doctor", "--fix"]).any();
    let done = project.repo.orch(&["merge", &task.id]).success();
    assert!(done.stderr.contains("PASS"), "{}", done.stderr);
    let merge = landed(&project.repo, "main", &task);
    assert_eq!(project.repo.rev("main"), merge);
    assert_eq!(project.repo.rev("main^1"), other);
    assert_eq!(project.repo.rev("main^2"), tip);
    assert_eq!(project.runs(), 1);
    // The evidence names that commit, its tree and a verdict that is recorded for the tree.
    let tree = project.repo.rev("main^{tree}");
    let file =
        project.repo.git(&["grep", "-l", "-F", &task.id, "refs/orch/state", "--", "tasks/"]).success().line();
    let text = project.repo.git(&["show", &file]).success().stdout;
    assert!(text.contains(&merge) && text.contains(&tree), "{text}");
    assert_eq!(project.status(&task.id), "done");
    let verdict = project.repo.orch(&["ralph", "main", "--json"]).success().json();
    assert_eq!((verdict["recorded"].as_bool(), verdict["tree"].as_str()), (Some(true), Some(tree.as_str())));
    assert!(text.contains(verdict["key"].as_str().expect("a key")), "{text}");
    // The checkout of trunk followed; worktree and branch of the task are gone.
    is_clean(&project.repo);
    assert_eq!(project.repo.read("new"), "x\n");
    assert!(!exists(task.repo.path("")));
    assert_eq!(project.repo.try_rev(&format!("refs/heads/{}", task.branch)), None);
    project.is_sound();
}

#[test]
fn without_an_argument_it_is_this_checkouts_task() {
    let project = Project::new();
    let task = project.task(&[]);
    task.commits("src/a", "1\n");
    let done = task.repo.orch(&["merge"]).success();
    landed(&project.repo, "main", &task);
    assert!(done.stderr.contains("worktree was kept") || !exists(task.repo.path("")), "{}", done.stderr);
    refused(project.repo.orch(&["merge"]), 2, "merge.target");
    refused(project.repo.orch(&["merge", "main"]), 2, "merge.target");
    assert_eq!(project.repo.orch(&["merge", "nonsense"]).any().status(), 2);
    // A free branch of a person's, by its name.
    project.repo.git(&["switch", "--quiet", "-c", "free"]).success();
    project.repo.commit("free", &[("free", "x")]);
    project.repo.git(&["switch", "--quiet", "main"]).success();
    project.repo.orch(&["merge", "free"]).success();
    assert_eq!(project.repo.read("free"), "x");
    refused(project.repo.orch(&["merge", "free"]), 2, "merge.nothing");
}

#[test]
fn fail_and_blocked_move_nothing() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    task.commits("bad", "");
    let still = Still::of(&project, &task);
    let done = refused(project.repo.orch(&["merge", &task.id]), 1, "ralph.verdict");
    assert_eq!(done.stderr.matches(" check ").count(), 1, "{}", done.stderr);
    assert!(done.stderr.contains("exit 1"), "{}", done.stderr);
    still.holds(&project, &task, "claimed");
    refused(task.repo.orch(&["merge"]), 1, "ralph.verdict");
    assert_eq!(project.runs(), 1);
    // Fixed, it is merged, and by the same owner.
    task.repo.sh("git rm -q bad && git commit --quiet -m fixed").success();
    task.commits("good", "x");
    project.repo.orch(&["merge", &task.id]).success();

    let env = TestEnv::new();
    let blocked = Project::with(&env, &gate("exit 127"));
    let task = blocked.task(&[]);
    task.commits("src/a", "1\n");
    let still = Still::of(&blocked, &task);
    blocked.repo.orch(&["merge", &task.id]).code(3);
    still.holds(&blocked, &task, "claimed");
    let env = TestEnv::new();
    let none = Project::with(&env, "");
    let task = none.task(&[]);
    task.commits("src/a", "1\n");
    let still = Still::of(&none, &task);
    refused(none.repo.orch(&["merge", &task.id]), 3, "ralph.no_steps");
    still.holds(&none, &task, "claimed");
}

#[test]
fn the_merged_tree_is_judged_not_the_branch() {
    // Each alone is fine; together they are not.
    let env = TestEnv::new();
    let project = Project::with(&env, &gate("! { test -e one && test -e two; }"));
    let (one, two) = (project.task(&["--kind", "feature"]), project.task(&["--kind", "feature"]));
    one.commits("one", "");
    two.commits("two", "");
    for task in [&one, &two] {
        project.repo.orch(&["ralph", &task.id]).success();
    }
    project.repo.orch(&["merge", &one.id]).success();
    let still = Still::of(&project, &two);
    refused(project.repo.orch(&["merge", &two.id]), 1, "ralph.verdict");
    still.holds(&project, &two, "claimed");
}

#[test]
fn a_conflict_names_the_files_and_leaves_everything_as_it_was() {
    let project = Project::new();
    let task = project.task(&[]);
    task.commits("src/a", "task\n2\n3\n");
    let first = project.task(&[]);
    first.commits("src/a", "first\n2\n3\n");
    project.repo.orch(&["merge", &first.id]).success();
    let still = Still::of(&project, &task);
    let runs = project.runs();
    let done = refused(project.repo.orch(&["merge", &task.id]), 1, "merge.conflict");
    assert!(done.stderr.contains("src/a"), "{}", done.stderr);
    still.holds(&project, &task, "claimed");
    assert_eq!(project.runs(), runs);
    let json = project.repo.orch(&["merge", &task.id, "--json"]).code(1).json();
    assert_eq!(
        (json["error"]["code"].as_i64(), json["error"]["rule"].as_str()),
        (Some(1), Some("merge.conflict"))
    );
    // The way out that it names.
    assert_ne!(task.repo.git(&["rebase", "main"]).any().status(), 0);
    let done = refused(task.repo.orch(&["merge"]), 4, "merge.unfinished");
    assert!(done.stderr.contains("next: git rebase --continue ") && !done.stderr.contains("rebase main"));
    task.repo.write("src/a", "both\n2\n3\n");
    task.repo.sh("git add src/a && GIT_EDITOR=true git rebase --continue").success();
    project.repo.orch(&["merge", &task.id]).success();
    assert_eq!(project.repo.read("src/a"), "both\n2\n3\n");
    project.is_sound();
}

#[test]
fn an_override_is_a_persons_and_recorded() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    task.commits("bad", "");
    let still = Still::of(&project, &task);
    let main = project.repo.path("").display().to_string();
    let over = format!("{ORCH} -C {main} merge {} --override --reason r", task.id);
    // By the variable, by the directory, by a process above.
    refused(project.repo.cmd("sh").args(&["-c", &over]).var("ORCH_TASK", &task.id).run(), 4, "person.only");
    refused(task.repo.orch(&["merge", "--override", "--reason", "r"]), 4, "person.only");
    refused(task.repo.sh(&format!("(cd {main} && {over}); exit $?")), 4, "person.only");
    refused(
        task.agent_cmd("sh")
            .args(&["-c", &format!("cd {main} && env -i PATH=\"$PATH\" HOME=\"$HOME\" {over}")])
            .run(),
        4,
        "person.only",
    );
    assert_eq!(project.repo.orch(&["merge", &task.id, "--override"]).any().status(), 2, "a reason is needed");
    still.holds(&project, &task, "claimed");
    project.repo.orch(&["merge", &task.id, "--override", "--reason", "the demo is tonight"]).success();
    landed(&project.repo, "main", &task);
    assert_eq!(project.status(&task.id), "done");
    let log = project.repo.git(&["log", "--format=%B", "refs/orch/state"]).success().stdout;
    assert!(log.contains("the demo is tonight") && log.contains("FAIL"), "{log}");
}

#[test]
fn an_agent_of_the_loop_does_not_merge() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    task.commits("good", "x");
    let still = Still::of(&project, &task);
    refused(task.agent(&["merge"]), 4, "merge.agent");
    let main = project.repo.path("").display().to_string();
    let line = format!("cd {main} && env -u ORCH_TASK {ORCH} merge {}", task.id);
    refused(task.agent_cmd("sh").args(&["-c", &line]).run(), 4, "merge.agent");
    still.holds(&project, &task, "claimed");
    // An agent of another repository is none of ours.
    let elsewhere = project.env().repo("elsewhere");
    task.agent_cmd(ORCH).args(&["merge"]).var("ORCH_WORKTREE", elsewhere.path("")).run().success();
}

#[test]
fn a_task_of_somebody_else_is_refused() {
    let project = Project::new();
    let id = project.repo.orch(&["add", "theirs"]).success().line();
    let worker = |args: &[&str]| project.repo.cmd(ORCH).args(args).var("ORCH_SESSION", "01234567").run();
    let shown = worker(&["start", &id, "--json"]).success().json();
    let repo = project.env().at(shown["path"].as_str().expect("it has"));
    let task = Task { id: id.clone(), branch: shown["branch"].as_str().expect("it has").to_owned(), repo };
    task.commits("src/a", "1\n");
    let still = Still::of(&project, &task);
    refused(project.repo.orch(&["merge", &id]), 6, "task.held");
    refused(task.repo.orch(&["merge"]), 6, "task.held");
    still.holds(&project, &task, "claimed");
    worker(&["merge", &id]).success();
}

#[test]
fn a_stale_fence_is_refused() {
    let project = Project::new();
    let task = project.task(&[]);
    task.commits("src/a", "1\n");
    let still = Still::of(&project, &task);
    project.repo.sh(&format!("printf '9\\n' > .git/orch/leases/{}", task.id)).success();
    project.repo.orch(&["merge", &task.id]).code(6);
    still.holds(&project, &task, "claimed");
}

#[test]
fn who_loses_the_task_while_ralph_runs_does_not_land() {
    let env = TestEnv::new();
    let project = Project::with(&env, &waiting_gate(&env));
    let task = project.task(&[]);
    task.commits("src/a", "1\n");
    let still = Still::of(&project, &task);
    let merging = project.repo.cmd(ORCH).args(&["merge", &task.id]).spawn();
    wait_for("the step begins", || exists(env.root().join("began")));
    assert_eq!(project.status(&task.id), "merging");
    // A second merge of the same task takes it over; it is a newer owner.
    let second = project.repo.cmd(ORCH).args(&["merge", &task.id]).spawn();
    wait_for("the second one has a checkout", || exists(env.root().join("repo.orch/gate-1/src/a")));
    project.repo.write("../go", "");
    let outcomes = [merging.wait().any(), second.wait().any()];
    let codes: Vec<i32> = outcomes.iter().map(Done::status).collect();
    assert_eq!(codes, [6, 0], "{}\n{}", outcomes[0].stderr, outcomes[1].stderr);
    landed(&project.repo, "main", &task);
    assert_ne!(project.repo.rev("main"), still.main);
    assert_eq!(project.status(&task.id), "done");
}

/// A gate that says when it has begun and then waits for `go` (both in the root).
fn waiting_gate(env: &TestEnv) -> String {
    let root = env.root().display();
    gate(&format!(
        "echo run >> {root}/runs; touch {root}/began; until test -e {root}/go; do sleep 0.02; done; test ! -e bad"
    ))
}

#[test]
fn two_merges_at_once_are_one_after_the_other() {
    let env = TestEnv::new();
    let project = Project::with(&env, &waiting_gate(&env));
    let tasks = [project.task(&["--kind", "feature"]), project.task(&["--kind", "feature"])];
    for (n, task) in tasks.iter().enumerate() {
        task.commits(&format!("new-{n}"), "x\n");
    }
    let merges: Vec<_> =
        tasks.iter().map(|t| project.repo.cmd(ORCH).args(&["merge", &t.id]).spawn()).collect();
    wait_for("both run", || exists(env.root().join("repo.orch/gate-1/src/a")) && project.runs() == 2);
    project.repo.write("../go", "");
    let outcomes: Vec<Done> = merges.into_iter().map(|m| m.wait().success()).collect();
    assert!(
        outcomes.iter().any(|d| d.stderr.contains("moved meanwhile")),
        "{}\n{}",
        outcomes[0].stderr,
        outcomes[1].stderr
    );
    assert_eq!(project.runs(), 3, "the loser is judged again");
    for task in &tasks {
        let merge = landed(&project.repo, "main", task);
        let verdict = project.repo.orch(&["ralph", &merge, "--json"]).success().json();
        assert_eq!(verdict["recorded"], true, "landed without a verdict for its tree");
        assert_eq!(project.status(&task.id), "done");
    }
    is_clean(&project.repo);
    project.is_sound();
}

#[test]
fn many_merges_at_once_lose_none() {
    let project = Project::new();
    let tasks: Vec<Task> = (0..5).map(|_| project.task(&["--kind", "feature"])).collect();
    for (n, task) in tasks.iter().enumerate() {
        task.commits(&format!("new-{n}"), "x\n");
    }
    let merges: Vec<_> = tasks.iter().map(|t| project.repo.cmd(ORCH).args(&["merge", &t.id])).collect();
    for outcome in together(&merges) {
        outcome.success();
    }
    for task in &tasks {
        let merge = landed(&project.repo, "main", task);
        let verdict = project.repo.orch(&["ralph", &merge, "--json"]).success().json();
        assert_eq!(verdict["recorded"], true);
    }
    is_clean(&project.repo);
    project.is_sound();
}

#[test]
fn what_git_has_not_finished_is_finished_first() {
    let project = Project::new();
    let task = project.task(&[]);
    task.commits("src/a", "task\n2\n3\n");
    let first = project.task(&[]);
    first.commits("src/a", "first\n2\n3\n");
    project.repo.orch(&["merge", &first.id]).success();
    for (line, command) in [
        ("git merge main", "merge"),
        ("git cherry-pick main^2", "cherry-pick"),
        ("git rebase main", "rebase"),
    ] {
        assert_ne!(task.repo.sh(line).any().status(), 0, "{line} conflicts");
        let done = refused(project.repo.orch(&["merge", &task.id]), 4, "merge.unfinished");
        for end in ["--continue", "--abort"] {
            assert!(done.stderr.contains(&format!("git {command} {end} ")), "{}", done.stderr);
        }
        assert!(done.stderr.contains("is not finished in "), "{}", done.stderr);
        task.repo.git(&[command, "--abort"]).success();
    }
    refused(project.repo.orch(&["merge", &task.id]), 1, "merge.conflict");
}

#[test]
fn work_that_is_not_committed_is_not_left_behind() {
    let project = Project::new();
    let task = project.task(&[]);
    task.commits("src/a", "1\n");
    for line in ["echo 2 >> src/a", "echo 2 >> src/b && git add src/b", "echo x > untracked"] {
        task.repo.sh(line).success();
        let main = project.repo.rev("main");
        let done = refused(project.repo.orch(&["merge", &task.id]), 4, "merge.dirty");
        assert!(
            done.stderr.contains(&task.repo.path("").display().to_string().trim_end_matches('/').to_owned()),
            "{}",
            done.stderr
        );
        assert_eq!(project.repo.rev("main"), main);
        assert_eq!(project.status(&task.id), "claimed");
        task.repo.sh("git reset -q --hard && git clean -fdq").success();
    }
    // Ignored files are build output.
    project.repo.write(".git/info/exclude", "target\n");
    task.repo.write("target/x", "x");
    project.repo.orch(&["merge", &task.id]).success();
}

#[test]
fn with_a_remote_its_trunk_moves_first() {
    let env = TestEnv::new();
    let (project, hub) = connected(&env, &counting_gate(&env));
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    project.repo.orch(&["merge", &task.id]).success();
    let merge = landed(&project.repo, "main", &task);
    assert_eq!(hub.repo().rev("main"), merge);
    assert_eq!(project.repo.rev("hub/main"), merge);
    is_clean(&project.repo);
    // Others have moved it: built on what they have, without a pull here.
    let other = env.clone_of(&hub, "other");
    let theirs = other.commit("theirs", &[("theirs", "x\n")]);
    other.git(&["push", "--quiet", "hub", "main"]).success();
    let task = project.task(&["--kind", "feature"]);
    task.commits("newer", "x\n");
    project.repo.orch(&["merge", &task.id]).success();
    assert_eq!(hub.repo().rev("main^1"), theirs);
    assert_eq!(project.repo.read("theirs"), "x\n");
    // Only here.
    let task = project.task(&["--kind", "feature"]);
    task.commits("local", "x\n");
    let before = hub.repo().rev("main");
    let done = project.repo.orch(&["merge", "--no-push", &task.id]).success();
    assert!(done.stderr.contains("git orch push hub main"), "{}", done.stderr);
    assert_eq!(hub.repo().rev("main"), before);
    landed(&project.repo, "main", &task);
    project.repo.orch(&["push", "hub", "main"]).success();
    assert_eq!(hub.repo().rev("main"), project.repo.rev("main"));
    project.is_sound();
}

#[test]
fn a_race_with_another_clone_is_built_again() {
    let env = TestEnv::new();
    let (project, hub) = connected(&env, &waiting_gate(&env));
    let other = env.clone_of(&hub, "other");
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    let merging = project.repo.cmd(ORCH).args(&["merge", &task.id]).spawn();
    wait_for("the step begins", || exists(env.root().join("began")));
    let theirs = other.commit("theirs", &[("theirs", "x\n")]);
    other.git(&["push", "--quiet", "hub", "main"]).success();
    project.repo.write("../go", "");
    let done = merging.wait().success();
    assert!(done.stderr.contains("moved meanwhile"), "{}", done.stderr);
    assert_eq!(hub.repo().rev("main^1"), theirs);
    assert_eq!(project.runs(), 2);
    assert_eq!(landed(hub.repo(), "main", &task), hub.repo().rev("main"));
}

/// What the audit says that came to trunk from outside, newest first.
fn external(repo: &TestRepo) -> Vec<(String, String)> {
    let log = repo.orch(&["log", "--json", "-n", "1000"]).success().json();
    let entries = log["entries"].as_array().expect("entries").clone();
    let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().expect("text").to_owned();
    let outside = entries.iter().filter(|entry| entry["action"] == "trunk.external");
    outside.map(|entry| (text(entry, "subject"), text(entry, "cause"))).collect()
}

#[test]
fn what_came_to_trunk_from_outside_is_recorded_once_when_it_is_built_on() {
    let env = TestEnv::new();
    let (project, hub) = connected(&env, &counting_gate(&env));
    let repo = &project.repo;
    let bob = env.clone_of(&hub, "bob");
    bob.git(&["config", "user.email", "bob@example.com"]).success();
    let push = |files: &[&str]| {
        bob.git(&["pull", "--quiet", "--rebase"]).success();
        for file in files {
            bob.commit(file, &[(file, "x\n")]);
        }
        bob.git(&["push", "--quiet", "hub", "main"]).success();
        bob.rev("HEAD")
    };
    let merge = |file: &str, landing: &[&str]| {
        let task = project.task(&["--kind", "feature"]);
        task.commits(file, "x\n");
        repo.orch(&[&["merge", &task.id][..], landing].concat()).success();
    };
    // Ours is nobody's news: on the remote, and here.
    merge("one", &[]);
    merge("two", &[]);
    assert_eq!(external(repo), []);
    let at = push(&["three", "four"]);
    merge("five", &[]);
    let first =
        ("refs/remotes/hub/main".to_owned(), format!("2 commits by bob@example.com, up to {}", &at[..12]));
    assert_eq!(external(repo), vec![first.clone()]);
    merge("six", &[]);
    assert_eq!(external(repo), vec![first.clone()]);
    // Also where a pull has brought it here before, and where the merge then fails.
    let at = push(&["bad"]);
    repo.git(&["pull", "--quiet"]).success();
    repo.orch(&["status"]).success();
    let task = project.task(&["--kind", "feature"]);
    task.commits("seven", "x\n");
    repo.orch(&["merge", &task.id]).code(1);
    let second =
        ("refs/remotes/hub/main".to_owned(), format!("1 commit by bob@example.com, up to {}", &at[..12]));
    assert_eq!(external(repo), [second.clone(), first.clone()]);
    repo.orch(&["merge", &task.id]).code(1);
    assert_eq!(external(repo), [second, first], "once");
}

#[test]
fn what_a_person_brought_to_trunk_by_an_override_is_recorded_as_that() {
    let project = Project::new();
    let repo = &project.repo;
    repo.sh(&format!("{ORCH} override --reason r -- git commit --quiet --allow-empty -m x")).success();
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    repo.orch(&["merge", &task.id]).success();
    assert_eq!(external(repo), []);
}

#[test]
fn a_remote_that_says_no_changes_nothing() {
    let env = TestEnv::new();
    let (project, hub) = connected(&env, &counting_gate(&env));
    hub.repo().sh("printf '#!/bin/sh\\necho >&2 protected; exit 1\\n' > hooks/pre-receive && chmod +x hooks/pre-receive").success();
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    let still = Still::of(&project, &task);
    let before = hub.repo().rev("main");
    let done = refused(project.repo.orch(&["merge", &task.id]), 8, "merge.push");
    assert!(done.stderr.contains("protected"), "{}", done.stderr);
    still.holds(&project, &task, "claimed");
    assert_eq!(hub.repo().rev("main"), before);
    assert_eq!(project.repo.rev("hub/main"), before);
    // Gone altogether.
    hub.repo().sh("mv ../hub.git ../away.git").success();
    refused(project.repo.orch(&["merge", &task.id]), 8, "merge.offline");
    still.holds(&project, &task, "claimed");
    project.repo.orch(&["merge", "--no-push", &task.id]).success();
    assert_eq!(project.runs(), 1);
}

#[test]
fn the_contract_is_held_against_what_no_hook_saw() {
    let project = Project::new();
    let task = project.task(&["--kind", "bug"]);
    task.repo.commit("past the hooks", &[("new", "x\n")]);
    let still = Still::of(&project, &task);
    refused(project.repo.orch(&["merge", &task.id]), 4, "contract.new_files");
    still.holds(&project, &task, "claimed");
}

#[test]
fn trunk_that_somebody_moved_past_the_hooks_is_not_built_on() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    // With a gate of its own, which would say PASS to everything.
    let evil = project.repo.commit("evil", &[("orch.toml", &gate("true")), ("bad", "")]);
    let still = Still::of(&project, &task);
    let done = refused(project.repo.orch(&["merge", &task.id]), 4, "trunk.tampered");
    assert!(done.stderr.contains("git orch doctor --fix"), "{}", done.stderr);
    still.holds(&project, &task, "claimed");
    // Accepting it is a person's.
    task.repo.orch(&["doctor", "--fix"]).code(1);
    refused(project.repo.orch(&["merge", &task.id]), 4, "trunk.tampered");
    project.repo.orch(&["doctor", "--fix"]).success();
    project.repo.orch(&["merge", &task.id]).success();
    assert_eq!(project.repo.rev("main^1"), evil);
}

#[test]
fn an_approved_gate_is_merged_and_in_force() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    let own = project.env().root().join("own");
    task.commits("orch.toml", &gate(&format!("echo run >> {}; test ! -e worse", own.display())));
    // Trunk has moved meanwhile: the merge result is another tree than the approved one.
    let other = project.task(&["--kind", "feature"]);
    other.commits("other", "x\n");
    project.repo.orch(&["merge", &other.id]).success();
    let still = Still::of(&project, &task);
    refused(project.repo.orch(&["merge", &task.id]), 3, "gate.changed");
    still.holds(&project, &task, "claimed");
    project.repo.orch(&["approve", &task.id, "--reason", "read it"]).success();
    project.repo.orch(&["merge", &task.id]).success();
    landed(&project.repo, "main", &task);
    let bad = project.task(&["--kind", "feature"]);
    bad.commits("worse", "");
    refused(project.repo.orch(&["merge", &bad.id]), 1, "ralph.verdict");
}

#[test]
fn done_comes_only_from_the_merge_gate() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    // Nothing to merge.
    refused(project.repo.orch(&["merge", &task.id]), 2, "merge.nothing");
    task.commits("new", "x\n");
    // Text, notes, trailers and exit codes of whoever works on it say nothing.
    task.agent(&["edit", &task.id, "--body", "status: done"]).any();
    task.repo.git(&["commit", "--quiet", "--allow-empty", "-m", "Done\n\nOrch-Status: done"]).success();
    assert_eq!(project.status(&task.id), "claimed");
    // Trunk has it, but not by the gate.
    project
        .repo
        .orch(&["override", "--reason", "r", "--", "git", "merge", "--quiet", "--ff-only", &task.branch])
        .success();
    refused(project.repo.orch(&["merge", &task.id]), 4, "merge.external");
    assert_ne!(project.status(&task.id), "done");
    project.repo.orch(&["close", &task.id, "--reason", "by hand"]).success();
    assert_eq!(project.status(&task.id), "closed");
}

#[test]
fn a_done_task_is_reopened_from_fresh_trunk() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    project.repo.orch(&["merge", &task.id]).success();
    assert_ne!(project.repo.orch(&["merge", &task.id]).any().status(), 0);
    assert_ne!(project.repo.orch(&["close", &task.id, "--reason", "x"]).any().status(), 0);
    assert_eq!(project.status(&task.id), "done");
    project.repo.orch(&["reopen", &task.id]).success();
    assert_eq!(project.status(&task.id), "open");
    let again = project.start(&task.id);
    assert_eq!(again.repo.rev("HEAD"), project.repo.rev("main"));
    again.commits("new", "y\n");
    project.repo.orch(&["merge", &task.id]).success();
    assert_eq!(project.repo.read("new"), "y\n");
}

/// Merges again until it is done; then everything is as one merge would have left it.
fn finish(project: &Project, task: &Task) {
    project.repo.orch(&["merge", &task.id]).success();
    assert_eq!(project.status(&task.id), "done");
    let merge = landed(&project.repo, "main", task);
    let verdict = project.repo.orch(&["ralph", &merge, "--json"]).success().json();
    assert_eq!(verdict["recorded"], true, "landed without a verdict");
    is_clean(&project.repo);
}

#[test]
fn a_merge_that_is_killed_is_finished_or_repeated() {
    let project = Project::new();
    for step in 0..14 {
        let task = project.task(&["--kind", "feature"]);
        task.commits(&format!("new-{step}"), "x\n");
        // Verified before, so that the time goes to everything else.
        if step % 2 == 0 {
            project.repo.orch(&["ralph", &task.id]).success();
        }
        let mut merging = project.repo.cmd(ORCH).args(&["merge", &task.id]).spawn();
        git_orch::sys::clock::Clock.wait(std::time::Duration::from_millis(3 + step * 9));
        merging.kill();
        merging.wait().any();
        if project.status(&task.id) == "done" {
            continue;
        }
        finish(&project, &task);
    }
    project.is_sound();
    let doctor = project.repo.orch(&["doctor"]).any();
    assert!(!doctor.stdout.contains("TAMPERED"), "{}", doctor.stdout);
}

#[test]
fn a_merge_that_is_killed_when_trunk_has_moved_is_finished() {
    let env = TestEnv::new();
    let repo = env.repo("repo");
    let root = env.root().display().to_string();
    // A hook of the user's that stops the world right after trunk has moved.
    repo.write(
        ".git/hooks/reference-transaction",
        &format!("#!/bin/sh\ntest \"$1\" = committed || exit 0\ngrep -q refs/heads/main || exit 0\ntest -e {root}/armed || exit 0\ntouch {root}/moved\nuntil test -e {root}/go; do sleep 0.02; done\n"),
    );
    repo.sh("chmod +x .git/hooks/reference-transaction").success();
    let project = Project::set_up(repo, &counting_gate(&env));
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    project.repo.write("../armed", "");
    let mut merging = project.repo.cmd(ORCH).args(&["merge", &task.id]).spawn();
    wait_for("trunk moves", || exists(env.root().join("moved")));
    merging.kill();
    project.repo.write("../go", "");
    merging.wait().any();
    assert_eq!(project.status(&task.id), "merging");
    assert!(!project.repo.has("new"), "the checkout was not yet brought along");
    let runs = project.runs();
    let looked = project.repo.orch(&["doctor"]).any();
    assert!(looked.stdout.contains("before the checkouts of trunk had followed"), "{}", looked.stdout);
    // Else git would take the file that came in for deleted here.
    project.repo.orch(&["start", "--here", "--title", "x", "--kind", "feature"]).success();
    assert_eq!(project.repo.git(&["status", "--porcelain"]).success().stdout, "");
    project.repo.git(&["switch", "--quiet", "main"]).success();
    finish(&project, &task);
    assert_eq!(project.runs(), runs, "it was verified");
    assert!(project.repo.has("new"), "the checkout followed");
    project.is_sound();
}

#[test]
fn a_merge_that_is_killed_after_the_push_is_finished() {
    let env = TestEnv::new();
    let (project, hub) = connected(&env, &counting_gate(&env));
    let root = env.root().display().to_string();
    hub.repo().sh(&format!("printf '#!/bin/sh\\ngrep -q refs/heads/ || exit 0\\ntouch {root}/moved\\nuntil test -e {root}/go; do sleep 0.02; done\\n' > hooks/post-receive && chmod +x hooks/post-receive")).success();
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    let mut merging = project.repo.cmd(ORCH).args(&["merge", &task.id]).spawn();
    wait_for("the remote's trunk moves", || exists(env.root().join("moved")));
    // The push outlives who started it, and would write its tracking ref while the next merge fetches it.
    let push = ancestry::below(i32::try_from(merging.pid()).expect("a process id"));
    merging.kill();
    project.repo.write("../go", "");
    merging.wait().any();
    wait_for("the end of the push", || push.iter().all(|pid| ancestry::command_of(*pid).is_empty()));
    finish(&project, &task);
    assert_eq!(hub.repo().rev("main"), project.repo.rev("main"));
    assert_eq!(landed(hub.repo(), "main", &task), project.repo.rev("main"));
    assert_eq!(project.repo.read("new"), "x\n");
}

#[test]
fn ctrl_c_gives_the_task_back() {
    let env = TestEnv::new();
    let project = Project::with(&env, &waiting_gate(&env));
    let task = project.task(&[]);
    task.commits("src/a", "1\n");
    let still = Still::of(&project, &task);
    let merging = project.repo.cmd(ORCH).args(&["merge", &task.id]).spawn();
    wait_for("the step begins", || exists(env.root().join("began")));
    merging.signal(rustix::process::Signal::INT);
    git_orch::sys::clock::Clock.wait(std::time::Duration::from_millis(100));
    merging.signal(rustix::process::Signal::INT);
    merging.wait().code(130);
    still.holds(&project, &task, "claimed");
    project.repo.write("../go", "");
    project.repo.orch(&["merge", &task.id]).success();
}

#[test]
fn a_failure_that_trunk_has_too_is_said_to_be_trunks() {
    let env = TestEnv::new();
    let project = Project::with(&env, &gate(&format!("test ! -e {}/down", env.root().display())));
    let repo = &project.repo;
    // Some could be the beginning of an id.
    for neither in ["not a branch", "not/there", "master", "n0pe"] {
        let done = refused(repo.orch(&["merge", neither]), 2, "merge.target");
        let said = format!("`{neither}` is no branch, and no task's id");
        assert!(done.stderr.contains(&said) && done.stderr.contains("git branch"), "{}", done.stderr);
    }
    let task = project.task(&[]);
    task.commits("src/a", "4\n");
    repo.sh("touch ../down").success();
    let said = |done: &Done| done.stderr.contains("main fails as well, without this branch: check");
    let done = repo.orch(&["merge", &task.id]).code(1);
    assert!(!said(&done), "nobody knows: {}", done.stderr);
    repo.orch(&["ralph", "main"]).code(1);
    let done = repo.orch(&["merge", &task.id]).code(1);
    assert!(said(&done) && done.stderr.contains("next: git orch ralph main   ("), "{}", done.stderr);
    // Where there is a remote, its trunk is what counts.
    repo.sh("git init -q --bare ../hub && git remote add origin ../hub && git -c core.hooksPath=/dev/null push -q origin main && git fetch -q")
        .success();
    let done = repo.orch(&["merge", &task.id]).code(1);
    let expected = ["origin/main fails as well", "next: git orch ralph origin/main   ("];
    assert!(expected.iter().all(|part| done.stderr.contains(part)), "{}", done.stderr);
}
