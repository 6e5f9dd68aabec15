//! The audit through the table of events, which must never say anything else than git does.

use git_orch::domain::id::TaskId;
use git_orch::index::{EventFilter, events_file};
use git_orch::ops::audit::{self, Logged};
use git_orch::sys::fs::{self, Durability};

use crate::env::{TestEnv, TestRepo};
use crate::queue::{add, board};
use crate::setup::context;

fn log(repo: &TestRepo, filter: &EventFilter) -> Vec<Logged> {
    audit::log(&context(repo), 1_000, filter).expect("readable")
}

/// The same from git: the lock of the table can't be taken.
fn log_of_git(repo: &TestRepo, filter: &EventFilter) -> Vec<Logged> {
    let lock = repo.path(".git/orch/events.lock");
    if fs::exists(&lock) {
        fs::remove_file(&lock).expect("nobody has it");
    }
    fs::create_dir_all(&lock).expect("nobody else makes one");
    let found = log(repo, filter);
    fs::remove_dir_all(&lock).expect("ours");
    found
}

fn filters(ids: &[String]) -> Vec<EventFilter> {
    let any = EventFilter::default;
    let task = |id: &String| EventFilter { task: Some(TaskId::parse(id).expect("an id")), ..any() };
    let mut all: Vec<EventFilter> = ids.iter().map(task).collect();
    all.push(EventFilter { action: Some("task".into()), ..any() });
    all.push(EventFilter { action: Some("task.edit".into()), since: Some(0), ..any() });
    all.push(EventFilter { actor: Some("ann@example.com".into()), ..any() });
    all.push(EventFilter { since: Some(i64::MAX), ..any() });
    all
}

#[test]
fn the_table_follows_all_parents_and_a_history_that_was_taken_back() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let ids = [add(&repo, &["One"]), add(&repo, &["Two"])];
    let agree = || {
        for filter in filters(&ids) {
            assert_eq!(log(&repo, &filter), log_of_git(&repo, &filter), "{filter:?}");
        }
    };
    agree();
    assert!(fs::exists(&events_file(&repo.path(".git/orch"))), "it was made");
    let before = repo.rev("refs/orch/state");
    repo.orch(&["edit", &ids[0], "--title", "Here"]).success();
    agree();
    let here = repo.rev("refs/orch/state");
    let set = |oid: &str| {
        repo.git(&["-c", "core.hooksPath=/dev/null", "update-ref", "refs/orch/state", oid]).success()
    };
    set(&before);
    repo.orch(&["edit", &ids[1], "--title", "There"]).success();
    agree();
    // A join of both, as a later commit with two parents.
    let line = format!("git commit-tree -p refs/orch/state -p {here} -m join refs/orch/state^{{tree}}");
    set(&repo.sh(&line).success().line());
    agree();
    let edits = EventFilter { action: Some("task.edit".into()), ..EventFilter::default() };
    assert_eq!(log(&repo, &edits).len(), 2, "each once");
    let shown = repo.orch(&["log", "--action", "task.edit", "--since", "1h", "--json"]).success().json();
    assert_eq!(shown["entries"].as_array().map(Vec::len), Some(2), "{shown}");
    repo.orch(&["log", "--since", "soon"]).code(2);
}

#[test]
fn a_damaged_table_says_nothing_that_is_not_so() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let ids: Vec<String> = (0..12).map(|n| add(&repo, &[&format!("Task {n}")])).collect();
    let filters = filters(&ids[..2]);
    let truths: Vec<Vec<Logged>> = filters.iter().map(|filter| log(&repo, filter)).collect();
    let file = events_file(&repo.path(".git/orch"));
    let sound = fs::read(&file).expect("it was made");
    let state = repo.rev("refs/orch/state");
    let mut dice: usize = 7;
    let mut throw = |sides: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for round in 0..60 {
        let mut bytes = sound.clone();
        for _ in 0..=throw(30) {
            let at = throw(bytes.len());
            bytes[at] ^= u8::try_from(1 + throw(255)).expect("small");
        }
        match round % 6 {
            0 => bytes.truncate(throw(sound.len())),
            1 => bytes = (0..throw(9_000)).map(|_| u8::try_from(throw(256)).expect("small")).collect(),
            _ => {}
        }
        fs::write_atomic(&file, &bytes, 0o600, Durability::None).expect("writable");
        for (filter, truth) in filters.iter().zip(&truths) {
            let found = log(&repo, filter);
            assert!(found.iter().all(|one| truth.contains(one)), "{filter:?}: {found:?}");
        }
    }
    fs::write_atomic(&file, b"no database", 0o600, Durability::None).expect("writable");
    for (filter, truth) in filters.iter().zip(&truths) {
        assert_eq!(&log(&repo, filter), truth, "garbage is thrown away");
    }
    assert_eq!(repo.rev("refs/orch/state"), state, "nothing is written to git");
}

#[test]
fn figures_say_what_was_done() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    add(&repo, &["One"]);
    add(&repo, &["Two", "--kind", "docs"]);
    repo.orch(&["next", "--no-worktree"]).success();
    let json = repo.orch(&["metrics", "--since", "1h", "--json"]).success().json();
    assert_eq!(
        [&json["by_status"]["claimed"], &json["by_kind"]["docs"], &json["ready"]],
        [1, 1, 1],
        "{json}"
    );
    assert_eq!(json["total"], json["actors"]["person:ann@example.com"], "{json}");
    assert_eq!([&json["total"]["claims"], &json["total"]["merges"]], [1, 0], "{json}");
    assert!(json["total"]["lead_p50"].is_null(), "{json}");
    let shown = repo.orch(&["metrics"]).success().stdout;
    for line in ["tasks    1 claimed, 1 open (1 ready)", "kinds    1 bug, 1 docs", "since    the beginning"] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
    assert!(shown.lines().any(|line| line.starts_with("ann@example.com  1 ")), "{shown}");
}
