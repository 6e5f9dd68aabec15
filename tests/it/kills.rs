//! Writers of the state that are killed at any moment lose nothing that they said was done, and leave nothing bad.
//!
//! The writers are this very program: the ignored test below, which makes changes until it is killed. How many are
//! killed, `ORCH_TEST_KILLS` says (docs/contributing.md).

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use git_orch::domain::id::TaskId;
use git_orch::git::Repo;
use git_orch::store::Store;
use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};
use git_orch::sys::random;

use crate::store::{Dir, add, create, env, git, open, repo};

/// Where the writer writes; unset, it does nothing.
const DIR: &str = "ORCH_TEST_KILLS_DIR";
/// What the writer says of a change that was acknowledged.
const DONE: &str = "done ";
const WRITERS: usize = 2;

#[test]
#[ignore = "it is started, and killed, by the test below"]
fn writes_until_it_is_killed() {
    let Some(dir) = Env::capture().get(DIR).map(ToOwned::to_owned) else { return };
    let repo = Repo::discover(dir.as_ref(), &env()).expect("opens");
    let store = Store::new(&repo, Durability::Commit);
    loop {
        let n = random::bits40();
        add(&store, n);
        writeln!(std::io::stderr(), "{DONE}{n}").expect("somebody reads");
    }
}

#[expect(clippy::disallowed_methods, reason = "killed is what the harness would wait for")]
fn writer(dir: &Dir) -> Child {
    let program = std::env::current_exe().expect("a program");
    let mut command = Command::new(program);
    command.args([
        "--exact",
        "kills::writes_until_it_is_killed",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env(DIR, &dir.path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("starts")
}

/// Kills it some time after it made a change; the changes that it said were done.
fn killed(mut writer: Child) -> Vec<u64> {
    let mut lines = BufReader::new(writer.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let mut done = Vec::new();
    let number = |line: &str| line.strip_prefix(DONE).and_then(|n| n.parse::<u64>().ok());
    for line in lines.by_ref() {
        done.extend(number(&line));
        if !done.is_empty() {
            break;
        }
    }
    assert!(!done.is_empty(), "it makes changes");
    Clock.wait(Duration::from_micros(random::bits40() % 40_000));
    writer.kill().expect("ours");
    writer.wait().expect("ours");
    done.extend(lines.filter_map(|line| number(&line)));
    done
}

fn assert_there(dir: &Dir, done: &[u64]) {
    let repo = open(dir);
    let snapshot = Store::new(&repo, Durability::Commit).snapshot().expect("readable");
    for n in done {
        assert!(snapshot.task(&TaskId::from_bits(*n)).expect("readable").is_some(), "{n} was acknowledged");
    }
}

#[test]
fn who_is_killed_loses_nothing_and_leaves_nothing() {
    let kills = Env::capture().text("ORCH_TEST_KILLS").map_or(200, |text| text.parse().expect("a number"));
    let dir = repo(&[]);
    create(&open(&dir));
    let mut all = Vec::new();
    for round in 1..=kills.max(WRITERS) / WRITERS {
        let done: Vec<u64> = std::thread::scope(|scope| {
            let begun: Vec<_> = (0..WRITERS).map(|_| scope.spawn(|| killed(writer(&dir)))).collect();
            begun.into_iter().flat_map(|thread| thread.join().expect("killed")).collect()
        });
        assert_there(&dir, &done);
        all.extend(done);
        if round % 50 == 0 {
            git(&dir.path, &["fsck", "--strict", "--full", "--no-dangling"]);
        }
    }
    assert_there(&dir, &all);

    let repo = open(&dir);
    let store = Store::new(&repo, Durability::Commit);
    assert_eq!(store.snapshot().unwrap().damage().unwrap(), Vec::new());
    add(&store, random::bits40());
    repo.pack_down(Durability::Commit).unwrap();
    git(&dir.path, &["fsck", "--strict", "--full", "--no-dangling"]);
    let names: Vec<String> = fs::list(&dir.path.join(".git/objects/pack"))
        .unwrap()
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|name| name.starts_with("pack-")), "{names:?}");
    for stem in names.iter().filter_map(|name| name.strip_suffix(".keep")) {
        let complete = ["pack", "idx"].iter().all(|suffix| names.contains(&format!("{stem}.{suffix}")));
        assert!(complete, "{stem}: {names:?}");
    }
    assert!(names.len() < 12, "{names:?}");
}
