//! Tests that flake, tests in quarantine, and the breaker of a step that can't be judged.

use std::path::Path;

use crate::env::{ORCH, TestEnv};
use crate::project::{Project, refused};
use crate::run::together;

/// What a suite of the tests `a` and `b` prints, of which `failed` (a shell word each) fail.
const SUITE: &str = r#"#!/bin/sh
echo 'running 2 tests'
for test in a b; do
    case " $* " in *" $test "*) echo "test $test ... FAILED" ;; *) echo "test $test ... ok" ;; esac
done
[ $# = 0 ] && { echo; echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out'; exit 0; }
printf '\nfailures:\n\n'
for test in "$@"; do printf -- '---- %s stdout ----\nboom\n\n' $test; done
printf 'failures:\n'
for test in "$@"; do echo "    $test"; done
printf '\ntest result: FAILED. %s passed; %s failed; 0 ignored; 0 measured; 0 filtered out\n' $((2 - $#)) $#
exit 101
"#;

/// A gate of one step `unit` with the suite's report.
fn gate(run: &str, more: &str) -> String {
    format!("[[ralph.step]]\nname = 'unit'\nkind = 'test'\nrun = '''{run}'''\nreport = 'libtest'\n{more}")
}

fn project(env: &TestEnv, run: &str, more: &str) -> Project {
    let repo = env.repo("repo");
    repo.commit("suite", &[("suite.sh", SUITE)]);
    Project::set_up(repo, &gate(run, more))
}

fn quarantine(test: &str, until: &str) -> String {
    format!("[[ralph.quarantine]]\ntest = '{test}'\nowner = 'ann'\nuntil = {until}\nreason = 'see 7k3f'\n")
}

#[test]
fn a_failure_in_quarantine_passes_and_says_so() {
    let env = TestEnv::new();
    let project = project(&env, "sh suite.sh a", &quarantine("a", "2999-12-31"));
    let done = project.repo.orch(&["ralph"]).code(0);
    assert!(done.stdout.contains("quarantined: a (ann, until 2999-12-31)"), "{}", done.stdout);
    let json = project.repo.orch(&["ralph", "--json"]).code(0).json();
    assert_eq!(json["recorded"], true, "{json}");
    assert_eq!(json["steps"][0]["report"]["quarantined"], serde_json::json!(["a"]));
    assert_eq!(json["steps"][0]["report"]["tests_failed"], 1, "what failed is still told");
}

#[test]
fn an_entry_that_no_test_is_called_by_is_warned_of() {
    let env = TestEnv::new();
    let lint = "[[ralph.step]]\nname = 'lint'\nkind = 'lint'\nrun = 'true'\n";
    let of_unit = quarantine("c", "2999-12-31") + "step = 'unit'\n";
    let of_lint = quarantine("e", "2999-12-31") + "step = 'lint'\n";
    let more =
        [lint, &quarantine("a", "2999-12-31"), &of_unit, &quarantine("d", "2999-12-31"), &of_lint].concat();
    let project = project(&env, "sh suite.sh a", &more);
    let warnings = |args: &[&str]| {
        let done = project.repo.cmd(ORCH).args(&["ralph", "--fresh"]).args(args).run().code(0);
        done.stderr.lines().filter(|line| line.contains("warning: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings(&[]),
        [
            "warning: no test of unit is called `c`, which [[ralph.quarantine]] names (ann)",
            "warning: no test is called `d`, which [[ralph.quarantine]] names (ann)",
        ]
    );
    assert_eq!(warnings(&["--step", "lint"]), [""; 0], "no test ran");
}

/// An entry may be of a step that did not run now: which ones those are its own gate says.
#[test]
fn a_branch_s_own_gate_is_asked_about_its_own_quarantine() {
    let env = TestEnv::new();
    let project = project(&env, "sh suite.sh", "");
    let task = project.task(&[]);
    let more = gate("sh suite.sh", "").replace("'unit'", "'more'");
    task.commits("orch.toml", &(gate("sh suite.sh", "") + &more + &quarantine("e", "2999-12-31")));
    project.repo.orch(&["approve", &task.id, "--reason", "agreed"]).success();
    let warnings = |args: &[&str]| {
        let done = task.repo.cmd(ORCH).args(&["ralph", "--fresh"]).args(args).run().code(0);
        done.stderr.lines().filter(|line| line.contains("warning: no test")).count()
    };
    assert_eq!((warnings(&["--step", "unit"]), warnings(&[])), (0, 1));
}

#[test]
fn one_failure_more_is_a_fail() {
    let env = TestEnv::new();
    let project = project(&env, "sh suite.sh a b", &quarantine("a", "2999-12-31"));
    let done = project.repo.orch(&["ralph"]).code(1);
    assert!(!done.stdout.contains("quarantined"), "{}", done.stdout);
}

#[test]
fn a_quarantine_that_is_over_fails_by_a_rule() {
    let env = TestEnv::new();
    let project = project(&env, "sh suite.sh a", &quarantine("a", "2020-01-31"));
    let json = project.repo.orch(&["ralph", "--json"]).code(1).json();
    assert_eq!(json["rule"], "ralph.quarantine_expired");
    assert_eq!(json["fact"], "unit: exit 101; 1 finding; quarantine over: a (ann, until 2020-01-31)");
    let task = project.task(&[]);
    task.commits("src/a", "4\n");
    refused(project.repo.orch(&["merge", &task.id]), 1, "ralph.quarantine_expired");
}

#[test]
fn nobody_quarantines_a_test_on_the_branch_that_breaks_it() {
    let env = TestEnv::new();
    let run = "sh suite.sh $(grep -x a src/b)";
    let project = project(&env, run, "");
    let task = project.task(&[]);
    task.commits("src/b", "a\n");
    task.repo.orch(&["ralph"]).code(1);
    task.commits("orch.toml", &gate(run, &quarantine("a", "2999-12-31")));
    let json = task.repo.orch(&["ralph", "--json"]).code(3).json();
    assert_eq!(json["rule"], "gate.changed");
    refused(project.repo.orch(&["merge", &task.id]), 3, "gate.changed");
    // Approved, trunk's own gate judges as well, which has no such entry.
    project.repo.orch(&["approve", &task.id, "--reason", "agreed"]).success();
    project.repo.orch(&["ralph", &task.id]).code(1);
}

/// Fails with `a` until it was there before.
fn once(marker: &Path) -> String {
    let marker = marker.display();
    format!("if test -e {marker}; then sh suite.sh; else touch {marker}; sh suite.sh a; fi")
}

#[test]
fn a_test_that_passes_when_it_is_tried_again_is_listed() {
    let env = TestEnv::new();
    let marker = env.root().join("marker");
    let project = project(&env, &once(&marker), "retries = 1\n");
    assert_eq!(project.repo.orch(&["ralph", "flakes"]).success().line(), "no test flaked in this clone");
    let done = project.repo.orch(&["ralph"]).code(0);
    assert!(done.stdout.contains("flaky: passed on try 2"), "{}", done.stdout);
    let flakes = || project.repo.orch(&["ralph", "flakes", "--json"]).success().json();
    let flake = flakes()["flakes"][0].clone();
    assert_eq!((&flake["test"], &flake["step"]), (&"a".into(), &"unit".into()));
    assert_eq!((&flake["runs"], &flake["failures"], &flake["flaked"]), (&2.into(), &1.into(), &1.into()));
    // What is looked up says nothing new.
    project.repo.orch(&["ralph"]).code(0);
    assert_eq!(flakes()["flakes"][0], flake);
    let shown = project.repo.orch(&["ralph", "flakes"]).success();
    assert!(
        shown
            .stdout
            .starts_with("TEST  STEP  RUNS  FAILURES  FLAKED  LAST SEEN\na     unit  2     1         1")
    );
}

#[test]
fn another_run_of_the_same_tree_shows_a_flake_and_another_tree_shows_none() {
    let env = TestEnv::new();
    let marker = env.root().join("marker");
    let project = project(&env, &once(&marker), "");
    project.repo.orch(&["ralph"]).code(1);
    project.repo.commit("other", &[("src/b", "c\n")]);
    project.repo.orch(&["ralph"]).code(0);
    let count = || {
        let json = project.repo.orch(&["ralph", "flakes", "--json"]).success().json();
        json["flakes"].as_array().expect("a list").len()
    };
    assert_eq!(count(), 0, "another tree may have mended it");
    project.repo.orch(&["ralph", "HEAD~1", "--fresh"]).code(0);
    assert_eq!(count(), 1);
}

/// A project whose gate is BLOCKED while the file `missing` is there, which is there until the gate has run `tries` times;
/// and an agent that changes something.
fn breaking(env: &TestEnv, wait: &str, tries: u32) -> (Project, String) {
    let root = env.root().display();
    let unit = format!(
        "echo x >> {root}/tries\ntest $(wc -l < {root}/tries) -lt {tries} || rm -f {root}/missing\n\
        test ! -e {root}/missing || exit 127\n"
    );
    let gate = format!(
        "[ralph]\nbreaker_wait = '{wait}'\n[[ralph.step]]\nname = 'unit'\nkind = 'custom'\nrun = 'sh unit.sh'\n"
    );
    env.cmd("touch").args(&["missing"]).run().success();
    let repo = env.repo("repo");
    repo.commit("unit", &[("unit.sh", &unit)]);
    (Project::set_up(repo, &gate), format!("echo agent >> {root}/agents; date +%N > src/a"))
}

fn agents(env: &TestEnv) -> usize {
    env.cmd("sh")
        .args(&["-c", "cat agents 2>/dev/null | wc -l"])
        .run()
        .success()
        .line()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn after_three_in_a_row_a_run_starts_no_agent_until_trunk_can_be_judged_again() {
    let env = TestEnv::new();
    // The third agent's Ralph opens it; the first try on trunk opens it again, the second finds the tool.
    let (project, agent) = breaking(&env, "1s", 5);
    let repo = &project.repo;
    for n in 1..=4 {
        repo.orch(&["add", &format!("task {n}")]).success();
    }
    let done = repo.orch(&["run", "--agent", &agent]).code(3);
    assert!(
        done.stderr.contains("unit was BLOCKED 3 times in a row (a program in `sh unit.sh`: not found (exit 127)): no agent is started until"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("unit is tried on main, without an agent"), "{}", done.stderr);
    assert!(done.stderr.contains("no step is waited for any more: work goes on"), "{}", done.stderr);
    assert_eq!(agents(&env), 4, "three that could not be judged, and one when that was over");
    let listed = repo.orch(&["list", "--all", "--json"]).success().json();
    let done = listed.as_array().expect("a list").iter().filter(|task| task["status"] == "done").count();
    assert_eq!(done, 1, "{listed}");
}

#[test]
fn an_open_breaker_is_shown_and_a_person_closes_it() {
    let env = TestEnv::new();
    let (project, agent) = breaking(&env, "1h", 99);
    let repo = &project.repo;
    for _ in 0..3 {
        assert_eq!(repo.orch(&["status", "--json"]).success().json()["breakers"], serde_json::json!([]));
        repo.orch(&["ralph", "--fresh"]).code(3);
    }
    let breaker = repo.orch(&["status", "--json"]).success().json()["breakers"][0].clone();
    assert_eq!((&breaker["step"], &breaker["state"]), (&"unit".into(), &"open".into()));
    assert_eq!(
        (&breaker["in_a_row"], &breaker["reason"]),
        (&3.into(), &"a program in `sh unit.sh`: not found (exit 127)".into())
    );
    let shown = repo.orch(&["status"]).success();
    assert!(shown.stdout.contains("gate   unit: 3 BLOCKED in a row (a program in `sh unit.sh`: not found (exit 127)); `git orch run` waits until "));
    assert!(shown.stderr.contains("git orch ralph reset"), "{}", shown.stderr);
    // A run waits, and takes nothing while it does.
    let id = repo.orch(&["add", "work"]).success().line();
    let mut running = repo.cmd(ORCH).args(&["run", "--agent", &agent]).spawn();
    running.says("no agent is started until");
    assert_eq!(project.status(&id), "open");
    refused(repo.cmd(ORCH).args(&["ralph", "reset"]).var("ORCH_TASK", &id).run(), 4, "person.only");
    env.cmd("rm").args(&["missing"]).run().success();
    refused(repo.orch(&["ralph", "reset", "other"]), 2, "breaker.closed");
    repo.orch(&["ralph", "reset", "unit"]).success();
    running.wait().success();
    assert_eq!(project.status(&id), "done");
    assert_eq!(agents(&env), 1);
}

#[test]
fn a_run_that_waits_for_a_breaker_ends_when_the_mode_is_changed() {
    let env = TestEnv::new();
    let (project, agent) = breaking(&env, "1h", 99);
    let repo = &project.repo;
    for n in 0..3 {
        repo.commit("other", &[("src/b", &format!("{n}\n"))]);
        repo.orch(&["ralph", "--fresh"]).code(3);
    }
    let id = repo.orch(&["add", "work"]).success().line();
    let mut running = repo.cmd(ORCH).args(&["run", "--agent", &agent]).spawn();
    running.says("no agent is started until");
    repo.orch(&["mode", "paused", "--reason", "lunch"]).success();
    let done = running.wait().any();
    assert!(done.stderr.contains("the mode is PAUSED: no new task is taken"), "{done}");
    assert_eq!((project.status(&id), agents(&env)), ("open".into(), 0));
}

#[test]
fn damaged_breakers_and_flakes_begin_anew() {
    let env = TestEnv::new();
    let (project, _) = breaking(&env, "1h", 99);
    let repo = &project.repo;
    for bytes in ["\\377\\376", "[]", "{"] {
        repo.sh(&format!("for f in breakers flakes; do printf '{bytes}' > .git/orch/$f.json; done"))
            .success();
        let json = repo.orch(&["status", "--json"]).success().json();
        assert_eq!(json["breakers"], serde_json::json!([]), "{json}");
        repo.orch(&["ralph", "flakes"]).success();
    }
    repo.orch(&["ralph", "--fresh"]).code(3);
    assert!(repo.sh("cat .git/orch/breakers.json").success().stdout.contains("unit"));
    // What can't even be read is told, and the rest is shown.
    repo.sh("rm .git/orch/breakers.json && mkdir .git/orch/breakers.json").success();
    let json = repo.orch(&["status", "--json"]).any().json();
    assert!(json["problems"].to_string().contains("breakers.json"), "{json}");
}

#[test]
fn runs_at_the_same_time_are_all_counted() {
    let env = TestEnv::new();
    let (project, _) = breaking(&env, "1h", 99);
    let judge = project.repo.cmd(ORCH).args(&["ralph", "--fresh"]);
    for outcome in together(&[judge.clone(), judge.clone(), judge.clone(), judge]) {
        outcome.code(3);
    }
    let breaker = project.repo.orch(&["status", "--json"]).success().json()["breakers"][0].clone();
    assert_eq!(breaker["in_a_row"], 4, "{breaker}");
}

#[test]
fn the_breaker_of_a_step_that_is_gone_is_gone() {
    let env = TestEnv::new();
    let (project, _) = breaking(&env, "1h", 99);
    let repo = &project.repo;
    for _ in 0..3 {
        repo.orch(&["ralph", "--fresh"]).code(3);
    }
    let open = || repo.orch(&["status", "--json"]).success().json()["breakers"].as_array().map(Vec::len);
    assert_eq!(open(), Some(1));
    let gate = repo.read("orch.toml").replace("'unit'", "'other'");
    let other = repo.commit("another step", &[("orch.toml", &gate)]);
    repo.git(&["update-ref", "--no-deref", "HEAD", &other]).any();
    assert_eq!(open(), Some(0));
    env.cmd("rm").args(&["missing"]).run().success();
    repo.orch(&["ralph"]).success();
    assert_eq!(repo.sh("cat .git/orch/breakers.json").success().line(), "{}");
}
