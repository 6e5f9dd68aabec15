//! The harness itself: what every other test relies on.

use std::path::Path;

use crate::env::{HOOK, ORCH, TestEnv};
use crate::run::together;

#[test]
fn both_binaries_lie_side_by_side() {
    let beside = Path::new(ORCH).with_file_name("git-orch-hook");
    assert_eq!(beside, Path::new(HOOK));
    assert!(Path::new(HOOK).is_file());
}

#[test]
fn nothing_of_the_machine_reaches_a_process() {
    let env = TestEnv::new();
    let shown = env.cmd("env").run().success();
    let names: Vec<&str> = shown.stdout.lines().filter_map(|l| l.split_once('=')).map(|(k, _)| k).collect();
    for ambient in ["CARGO_MANIFEST_DIR", "RUSTUP_HOME", "USER", "GIT_DIR"] {
        assert!(!names.contains(&ambient), "{ambient} leaked");
    }
    assert!(env.home().starts_with(env.root()));
    insta::assert_snapshot!(env.git(&["config", "user.email"]), @r"
    ann@example.com
    [exit: 0]
    ");
}

#[test]
fn an_outcome_shows_both_streams_and_the_end() {
    let env = TestEnv::new();
    let repo = env.repo("r");
    insta::assert_snapshot!(repo.sh("echo out; pwd; echo err >&2; exit 3"), @r"
    out
    $ROOT/r
    ---- stderr
    err
    [exit: 3]
    ");
    insta::assert_snapshot!(repo.sh("kill -9 $$"), @"[signal: 9]");
    assert_eq!(repo.sh("kill -9 $$").any().status(), 137);
    assert_eq!(repo.sh("echo no >&2; exit 2").code(2).stderr, "no\n");
    assert_eq!(repo.sh("printf '{\"a\":[1]}'").success().json()["a"][0], 1);
    assert_eq!(repo.sh("echo a; echo b").success().lines(), ["a", "b"]);
}

#[test]
fn input_variables_and_directory_are_given() {
    let env = TestEnv::new();
    let cmd = env.cmd("sh").args(&["-c", "cat; echo $X"]).var("X", "1").var("X", "2");
    assert_eq!(cmd.stdin("in ").run().success().line(), "in 2");
    let home = env.home();
    assert_eq!(env.cmd("pwd").dir(&home).run().success().line(), home.to_string_lossy());
}

#[test]
fn processes_run_at_the_same_time() {
    let env = TestEnv::new();
    env.cmd("mkfifo").args(&["pipe"]).run().success();
    // Opening a fifo waits for the other end: one after the other they would wait for ever.
    let outcomes =
        together(&[env.cmd("sh").args(&["-c", "echo met > pipe"]), env.cmd("sh").args(&["-c", "cat pipe"])]);
    let shown: Vec<String> = outcomes.into_iter().map(|o| o.success().stdout).collect();
    assert_eq!(shown, ["", "met\n"]);
}

#[test]
fn a_running_process_can_be_killed_and_signalled() {
    let env = TestEnv::new();
    let mut running = env.cmd("sleep").args(&["600"]).spawn();
    running.kill();
    assert_eq!(running.wait().any().status(), 137);
    let running = env.cmd("sleep").args(&["600"]).spawn();
    assert_ne!(running.pid(), 0);
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.wait().any().status(), 143);
}

#[test]
fn clones_meet_at_a_remote() {
    let env = TestEnv::new();
    let (one, origin) = (env.repo("one"), env.remote("origin"));
    one.connect(&origin);
    let two = env.clone_of(&origin, "two");
    assert_eq!(two.rev("HEAD"), one.rev("HEAD"));
    assert_eq!(origin.repo().rev("main"), one.rev("main"));
    let commit = two.commit("more", &[("dir/a.txt", "a\n")]);
    two.git(&["push", "--quiet"]).success();
    assert_eq!(one.try_rev(&commit), None);
    assert_eq!(origin.repo().try_rev("main"), Some(commit.clone()));
    assert!(two.has("dir/a.txt") && two.path("dir").is_dir());
    assert_eq!(two.read("dir/a.txt"), "a\n");
    assert_eq!(two.env().root(), env.root());
    insta::assert_snapshot!(two.git(&["log", "--format=%h %H %s"]), @r"
    OID1 OID1 more
    OID2 OID2 first
    [exit: 0]
    ");
}

#[test]
fn the_corpus_passes_its_own_tests_offline() {
    let env = TestEnv::new();
    let repo = env.corpus("percent-encoding");
    let tested = repo.cmd("cargo").args(&["test", "--quiet", "--locked", "--lib"]).run().success();
    assert!(tested.stdout.contains("18 passed"), "{}", tested.stdout);
    repo.cmd("cargo").args(&["fmt", "--check"]).run().success();
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "");
}

#[test]
fn the_product_starts() {
    let env = TestEnv::new();
    env.learn_id("branches");
    assert_eq!(env.redacted("branches"), "ID1");
    // Whatever it says, it is not a crash, and git finds it as its own subcommand.
    assert!(env.orch(&["--version"]).any().status() < 70);
    assert!(env.repo("r").orch(&["--version"]).any().status() < 70);
    assert!(env.git(&["orch", "--version"]).any().status() < 70);
}
