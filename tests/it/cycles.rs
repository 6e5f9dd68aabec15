//! Cycles of dependencies that no command makes: two clones added one edge each, and their states were joined.

use git_orch::domain::id::TaskId;
use git_orch::ops::needs;
use git_orch::sys::fs;

use crate::env::{TestEnv, TestRepo};
use crate::hostile::{plant, task_file};
use crate::queue::{add, add_from, board};
use crate::setup::context;

/// Makes `task` need `needed` in another clone: what it says of `task` is brought here.
fn need_elsewhere(repo: &TestRepo, task: &str, needed: &str) {
    let state = repo.rev("refs/orch/state");
    let here = "core.hooksPath=/dev/null";
    // As if nobody had added any need there.
    repo.git(&["-c", here, "update-ref", "refs/orch/state", "refs/tags/before"]).success();
    repo.orch(&["dep", "add", task, needed]).success();
    let text = repo.git(&["show", &format!("refs/orch/state:{}", task_file(task))]).success().stdout;
    repo.git(&["-c", here, "update-ref", "refs/orch/state", &state]).success();
    plant(repo, "100644", &task_file(task), &text);
}

/// The ids of what `list --ready` shows.
fn ready(repo: &TestRepo) -> Vec<String> {
    let list = repo.orch(&["list", "--ready", "--json"]).success().json();
    list.as_array().expect("an array").iter().map(|t| t["id"].as_str().expect("an id").to_owned()).collect()
}

/// The same without the index.
fn ready_of_git(repo: &TestRepo) -> Vec<String> {
    let lock = repo.path(".git/orch/index.lock");
    fs::remove_file(&lock).expect("it was used");
    fs::create_dir_all(&lock).expect("nobody else makes one");
    let found = ready(repo);
    fs::remove_dir_all(&lock).expect("ours");
    found
}

/// The same as a claim decides it: each task on git alone.
fn ready_to_claim(repo: &TestRepo) -> Vec<String> {
    let cx = context(repo);
    let snapshot = cx.snapshot().expect("a state");
    let tasks = snapshot.tasks().expect("readable").tasks;
    let mut ready: Vec<_> =
        tasks.values().filter(|task| needs::is_ready(&snapshot, task).expect("readable")).collect();
    ready.sort_by(|a, b| a.order().cmp(&b.order()));
    ready.into_iter().map(|task| task.id.to_string()).collect()
}

fn tag(repo: &TestRepo, task: &str, needed: &str) -> String {
    let cx = context(repo);
    let snapshot = cx.snapshot().expect("a state");
    let id = TaskId::parse(task).expect("an id");
    let task = snapshot.task(&id).expect("readable").expect("there");
    task.needs.adds()[&TaskId::parse(needed).expect("an id")].first().expect("a tag").clone()
}

#[test]
fn the_edge_that_closes_a_cycle_is_ignored_and_reported_until_somebody_takes_it_away() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let (one, two) = (add(&repo, &["One"]), add(&repo, &["Two"]));
    let waiting = add(&repo, &["Waiting", "--needs", &two]);
    repo.git(&["tag", "before", "refs/orch/state"]).success();
    repo.orch(&["dep", "add", &one, &two]).success();
    assert_eq!(ready(&repo), [two.as_str()]);
    need_elsewhere(&repo, &two, &one);
    let (first, last) = if tag(&repo, &one, &two) < tag(&repo, &two, &one) { (one, two) } else { (two, one) };
    for ready in [ready(&repo), ready_of_git(&repo), ready_to_claim(&repo)] {
        assert_eq!(ready, [last.as_str()], "the later edge does not count");
    }
    let redact =
        |text: &str| text.replace(&first, "FIRST").replace(&last, "LAST").replace(&waiting, "WAITING");
    let shown = repo.orch(&["show", &first]).success();
    insta::assert_snapshot!(redact(&shown.stderr), @r"
    warning: these need each other in a circle: LAST -> FIRST -> LAST; that LAST needs FIRST is ignored
    hint: `git orch dep rm LAST FIRST` takes it away; one of the other needs would do as well
    ");
    assert_eq!(repo.orch(&["show", &last, "--json"]).success().json()["ready"], true);
    assert_eq!(repo.orch(&["show", &waiting]).success().stderr, "", "it is in no cycle");
    let tree = repo.orch(&["dep", "tree", &last, "--json"]).success();
    let rows = tree.json()["rows"].clone();
    assert_eq!([&rows[1]["ignored"], &rows[2]["ignored"]], [true, false], "{rows}");
    assert!(tree.stderr.contains("in a circle"), "{}", tree.stderr);
    let found = repo.orch(&["doctor"]).code(1);
    assert!(found.stdout.contains(&format!("git orch dep rm {last} {first}")), "{}", found.stdout);
    // Both can be taken, one after the other's need is out of the way.
    repo.orch(&["start", &first, "--no-worktree"]).code(4);
    assert_eq!(repo.orch(&["next", "--peek", "--json"]).success().json()["id"], last.as_str());
    repo.orch(&["start", &last, "--no-worktree"]).success();
    repo.orch(&["dep", "rm", &last, &first]).success();
    assert_eq!(repo.orch(&["show", &first]).success().stderr, "");
    repo.orch(&["doctor"]).success();
}

#[test]
fn all_ways_to_ask_agree_on_what_is_ready() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let ids = add_from(&repo, &"- [ ] A task\n".repeat(8));
    repo.git(&["tag", "before", "refs/orch/state"]).success();
    // Two circles with a task in common, one in a circle of its own, and some that only lead there.
    let edges = [(0, 1), (1, 2), (2, 0), (1, 3), (3, 1), (4, 0), (5, 6), (6, 5), (7, 5)];
    for (task, needed) in edges {
        let before = repo.rev("refs/orch/state");
        repo.orch(&["dep", "add", &ids[task], &ids[needed]]).any();
        if repo.rev("refs/orch/state") != before {
            continue;
        }
        need_elsewhere(&repo, &ids[task], &ids[needed]);
        let (index, git, claim) = (ready(&repo), ready_of_git(&repo), ready_to_claim(&repo));
        assert_eq!(index, git);
        assert_eq!(index, claim);
    }
    assert!(!ready(&repo).is_empty(), "no circle keeps everybody waiting");
}
