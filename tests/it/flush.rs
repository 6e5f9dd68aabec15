//! Processes that change the state at once share a flush; whoever of them is killed, or fails, takes nobody along.
//!
//! The test holds `flush.lock` as somebody does who flushes, until all that it started wait for it.

use git_orch::git::Repo;
use git_orch::store::{STATE_REF, Store};
use git_orch::sys::failpoint::Point;
use git_orch::sys::fs::{self, Durability};
use git_orch::sys::lock::FileLock;

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::project::wait_for;
use crate::run::Running;
use crate::store::{add_when, env};

/// How a repository can be made.
const FORMATS: [&[&str]; 3] = [&[], &["--object-format=sha256"], &["--ref-format=reftable"]];

fn set_up() -> TestRepo {
    of_format(FORMATS[0])
}

fn of_format(flags: &[&str]) -> TestRepo {
    let env = TestEnv::new();
    env.git(&[&["init", "--quiet"], flags, &["mine"]].concat()).success();
    let repo = env.at("mine");
    repo.commit("first", &[("README.md", "# test\n")]);
    repo.orch(&["init"]).success();
    repo.orch(&["list"]).success();
    repo
}

fn chain(repo: &TestRepo) -> std::path::PathBuf {
    repo.path(".git/orch/flush.chain")
}

fn flush_lock(repo: &TestRepo) -> FileLock {
    FileLock::try_acquire(&repo.path(".git/orch/flush.lock")).expect("it can be made").expect("nobody has it")
}

/// How many processes' changes wait for a flush.
fn waiting(repo: &TestRepo) -> usize {
    let opened = Repo::discover(&repo.path("."), &env()).expect("opens");
    let tip = Store::new(&opened, Durability::Commit).tip().expect("readable").expect("there is a state");
    opened.chain(&chain(repo), &tip).expect("readable").links.len()
}

/// Starts `git orch add`, which gets as far as to wait for a flush behind `before` others.
fn start(repo: &TestRepo, title: &str, before: usize, kill_at: Option<&str>) -> Running {
    let cmd = repo.cmd(ORCH).args(&["add", title]);
    let cmd = match kill_at {
        Some(point) => cmd.var("ORCH_TEST_KILL_AT", point),
        None => cmd,
    };
    let running = cmd.spawn();
    wait_for("its change waits for a flush", || waiting(repo) > before);
    if kill_at != Some(Point::ChainNoted.name()) {
        is_in_line(repo, &running);
    }
    running
}

/// One whose change waits, that is killed when `meanwhile` is done.
fn killed<T>(repo: &TestRepo, meanwhile: impl FnOnce() -> T) -> T {
    let _lock = flush_lock(repo);
    let mut killed = start(repo, "killed", 0, None);
    let done = meanwhile();
    killed.kill();
    killed.wait().any();
    done
}

/// Waits until it sleeps until it gets the lock: those who do get it in turn.
fn is_in_line(repo: &TestRepo, running: &Running) {
    let threads = format!("cat /proc/{}/task/*/stat", running.pid());
    wait_for("it waits for the lock", || repo.sh(&threads).any().stdout.contains("(lock) S"));
}

/// How many tasks have this title, of which the history has as many beginnings.
#[track_caller]
fn count(repo: &TestRepo, title: &str) -> usize {
    let tasks = repo.orch(&["list", "--all", "--json"]).success().json();
    let ids = tasks.as_array().expect("a list").iter().filter(|task| task["title"] == title);
    ids.count()
}

#[track_caller]
fn is_sound(repo: &TestRepo) {
    repo.git(&["fsck", "--strict", "--full", "--no-dangling"]).success();
    repo.cmd(ORCH).args(&["doctor"]).var("ORCH_TEST_CLOCK", "7200000").run().success();
    let tasks = repo.orch(&["list", "--all", "--json"]).success().json();
    let added = repo.orch(&["log", "--json"]).success().stdout.matches("task.add").count();
    assert_eq!(added, tasks.as_array().expect("a list").len(), "each change is recorded once");
}

fn packs(repo: &TestRepo) -> usize {
    repo.sh("ls .git/objects/pack/*.keep | wc -l").success().line().parse().expect("a number")
}

#[test]
fn those_that_wait_are_flushed_together() {
    for flags in FORMATS {
        let repo = of_format(flags);
        let commits = || -> usize {
            repo.git(&["rev-list", "--count", STATE_REF]).success().line().parse().expect("a number")
        };
        let before = (packs(&repo), commits());
        let lock = flush_lock(&repo);
        let titles: Vec<String> = (0..6).map(|n| format!("task {n}")).collect();
        let started: Vec<Running> =
            (0..).zip(&titles).map(|(n, title)| start(&repo, title, n, None)).collect();
        assert_eq!(count(&repo, "task 0"), 0, "what waits is no part of the state yet");
        drop(lock);
        for running in started {
            let id = running.wait().success().line();
            repo.orch(&["show", &id]).success();
        }
        assert_eq!(
            (packs(&repo), commits()),
            (before.0 + 1, before.1 + 6),
            "{flags:?}: one flush, six commits"
        );
        for title in &titles {
            assert_eq!(count(&repo, title), 1);
        }
        repo.orch(&["add", "later"]).success();
        assert!(!fs::exists(&chain(&repo)), "nobody reads it again");
        is_sound(&repo);
    }
}

#[test]
fn what_nobody_waits_for_any_more_never_happens() {
    let repo = set_up();
    killed(&repo, || ());
    assert_eq!(waiting(&repo), 1, "it is left behind");
    repo.orch(&["add", "later"]).success();
    assert_eq!((count(&repo, "killed"), count(&repo, "later")), (0, 1));
    is_sound(&repo);
}

#[test]
fn who_began_with_the_change_of_one_who_was_killed_keeps_both() {
    let repo = set_up();
    let after = killed(&repo, || start(&repo, "after", 1, None));
    after.wait().success();
    assert_eq!((count(&repo, "killed"), count(&repo, "after")), (1, 1));
    is_sound(&repo);
}

#[test]
fn a_refusal_that_came_of_what_waits_stands_only_if_that_is_published() {
    let repo = set_up();
    let id = repo.orch(&["add", "wanted"]).success().line();
    let lock = flush_lock(&repo);
    let mut first = repo.cmd(ORCH).args(&["close", &id, "--reason", "x"]).spawn();
    wait_for("it waits for a flush", || waiting(&repo) == 1);
    let second = repo.cmd(ORCH).args(&["start", &id, "--no-worktree"]).spawn();
    is_in_line(&repo, &second);
    first.kill();
    first.wait().any();
    // Whoever moves the ref besides makes all that waits begin anew; here it is a plain `git`.
    let moved = "git commit-tree -p refs/orch/state -m x refs/orch/state^{tree}";
    let other = repo.sh(moved).success().line();
    repo.git(&["-c", "core.hooksPath=/dev/null", "update-ref", STATE_REF, &other]).success();
    drop(lock);
    second.wait().success();
    let task = repo.orch(&["show", &id, "--json"]).success().json();
    assert_eq!(task["status"], "claimed", "the one that would have closed it did not");
}

#[test]
fn a_flush_that_fails_fails_for_who_made_it() {
    let repo = set_up();
    let lock = flush_lock(&repo);
    let first = start(&repo, "first", 0, None);
    let second = start(&repo, "second", 1, None);
    // A git has the ref, for longer than anybody waits.
    repo.write(".git/refs/orch/state.lock", "");
    drop(lock);
    let (tell, told) = std::sync::mpsc::channel();
    for (name, running) in [("first", first), ("second", second)] {
        let tell = tell.clone();
        std::thread::spawn(move || tell.send((name, running.wait().any().status())));
    }
    let (failed, status) = told.recv().expect("one ends");
    assert_ne!(status, 0, "{failed}: it can't be done");
    repo.sh("rm .git/refs/orch/state.lock").success();
    let (done, status) = told.recv().expect("the other ends");
    assert_eq!(status, 0, "{done}");
    assert_eq!((count(&repo, failed), count(&repo, done)), (0, 1));
    is_sound(&repo);
}

#[test]
fn what_was_given_up_does_not_come_back_with_one_who_had_read_it() {
    let repo = set_up();
    let lock = flush_lock(&repo);
    let first = start(&repo, "first", 0, None);
    let second = start(&repo, "second", 1, None);
    let (tell_inside, inside) = std::sync::mpsc::channel();
    let (let_go, go) = std::sync::mpsc::channel();
    let path = repo.path(".");
    let third = std::thread::spawn(move || {
        let opened = Repo::discover(&path, &env()).expect("opens");
        let mut told = Some((tell_inside, go));
        add_when(&Store::new(&opened, Durability::Commit), 3, || {
            if let Some((tell, go)) = told.take() {
                tell.send(()).expect("somebody waits");
                go.recv().expect("somebody says so");
            }
        });
    });
    inside.recv().expect("it has read what waits");
    repo.write(".git/refs/orch/state.lock", "");
    drop(lock);
    // It can't move the ref, and then can't give up what waits without the third, which evaluates.
    let holder = format!("process {}", first.pid());
    let says = || repo.sh("cat .git/orch/flush.lock").any().stdout;
    wait_for("it flushes", || says().trim() == holder);
    is_in_line(&repo, &first);
    let_go.send(()).expect("it listens");
    assert_ne!(first.wait().any().status(), 0, "it can't be done");
    repo.sh("rm .git/refs/orch/state.lock").success();
    second.wait().success();
    third.join().expect("added");
    assert_eq!((count(&repo, "first"), count(&repo, "second")), (0, 1));
    assert_eq!(repo.orch(&["list", "--all"]).success().stdout.matches("task 3").count(), 1);
    is_sound(&repo);
}

#[test]
fn what_is_in_the_files_keeps_nobody_from_a_change() {
    for damage in ["printf '\\377\\376'", "head -c 100000 /dev/urandom", "printf x", "true"] {
        let repo = set_up();
        let lock = flush_lock(&repo);
        let first = start(&repo, "first", 0, None);
        // As a kill, a full disk or a power cut leaves them.
        repo.sh(&format!("{damage} >> .git/orch/flush.chain; {damage} > .git/orch/flush.told")).success();
        let second = start(&repo, "second", 1, None);
        drop(lock);
        first.wait().success();
        second.wait().success();
        assert_eq!((count(&repo, "first"), count(&repo, "second")), (1, 1), "{damage}");
        let lock = flush_lock(&repo);
        let third = start(&repo, "third", 0, None);
        repo.sh(&format!("{damage} > .git/orch/flush.chain")).success();
        drop(lock);
        third.wait().success();
        assert_eq!(count(&repo, "third"), 1, "{damage}");
        is_sound(&repo);
    }
}

#[test]
fn a_history_that_begins_anew_makes_nobody_s_change_twice() {
    let repo = set_up();
    repo.git(&["config", "orch.maxOffline", "0s"]).success();
    let lock = flush_lock(&repo);
    let killed = start(&repo, "killed", 0, Some("ref.moved"));
    let squash = repo.cmd(ORCH).args(&["maintain", "--squash"]).spawn();
    is_in_line(&repo, &squash);
    let after = start(&repo, "after", 1, None);
    drop(lock);
    assert_eq!(killed.wait().any().signal(), Some(9));
    squash.wait().success();
    after.wait().success();
    assert_eq!((count(&repo, "killed"), count(&repo, "after")), (1, 1));
    is_sound(&repo);
}

#[cfg(debug_assertions)]
#[test]
fn a_flush_that_is_killed_takes_nobody_along() {
    let at = |point| Point::ALL.iter().position(|known| *known == point).expect("it is one");
    for point in &Point::ALL[at(Point::ChainNoted)..=at(Point::StoreDone)] {
        is_killed_at(*point, FORMATS[0]);
    }
    for flags in &FORMATS[1..] {
        is_killed_at(Point::StoreMoved, flags);
    }
}

#[cfg(debug_assertions)]
fn is_killed_at(point: Point, flags: &[&str]) {
    let repo = of_format(flags);
    let lock = flush_lock(&repo);
    let killed = start(&repo, "killed", 0, Some(point.name()));
    let after = start(&repo, "after", usize::from(point != Point::ChainNoted), None);
    drop(lock);
    assert_eq!(killed.wait().any().signal(), Some(9), "{point:?}: it flushes");
    after.wait().success();
    assert_eq!(count(&repo, "after"), 1, "{point:?}");
    // The one that is killed at once may be gone before anybody begins with what it did.
    let kept = count(&repo, "killed");
    assert!(kept == 1 || kept == 0 && point == Point::ChainNoted, "{point:?}: {kept}");
    is_sound(&repo);
}
