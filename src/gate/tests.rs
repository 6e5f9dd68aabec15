//! Runs with real processes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::parse;
use crate::domain::verdict::{StepResult, Word};
use crate::gate::{Definition, Event, Outcome, RunContext, Stop, run};
use crate::sys::clock::Clock;
use crate::sys::env::Env;
use crate::sys::fs;
use crate::sys::process::Limits;
use crate::sys::signal::Interrupts;

/// A checkout (a plain directory will do) with a place for logs beside it.
struct Lab {
    dir: tempfile::TempDir,
    limits: Limits,
    jobs: usize,
    known: Vec<Option<StepResult>>,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(&dir.path().join("checkout")).unwrap();
        let grace = Duration::from_millis(100);
        let limits = Limits { grace, ..Limits::wall(None, &Interrupts::default()) };
        Self { dir, limits, jobs: 4, known: Vec::new() }
    }

    fn checkout(&self) -> PathBuf {
        self.dir.path().join("checkout")
    }

    fn log(&self, name: &str) -> String {
        fs::read_string(&self.dir.path().join("logs/t").join(name)).unwrap()
    }

    fn run(&self, gate: &str) -> Outcome {
        self.run_with(gate, &|| Ok(()), &mut |_| ())
    }

    fn run_with(
        &self,
        gate: &str,
        verify: &dyn Fn() -> Result<(), String>,
        on_event: &mut dyn FnMut(Event),
    ) -> Outcome {
        let definition = Definition::of(&parse(gate, "orch.toml").unwrap());
        let log_dir = self.dir.path().join("logs/t");
        let env = Env::capture();
        let ctx = RunContext {
            env: &env,
            jobs: self.jobs,
            log_dir: &log_dir,
            limits: &self.limits,
            known: &self.known,
            held: None,
        };
        run(&self.checkout(), &definition, &ctx, verify, on_event)
    }
}

fn gate(steps: &[(&str, &str)]) -> String {
    let step = |(name, rest): &(&str, &str)| format!("[[ralph.step]]\nname = \"{name}\"\n{rest}\n");
    steps.iter().map(step).collect::<Vec<_>>().concat()
}

fn shown(outcome: &Outcome) -> String {
    let mut lines = vec![format!(
        "{} {} {}",
        outcome.word.as_str(),
        outcome.rule.as_deref().unwrap_or("-"),
        outcome.fact.as_deref().unwrap_or("-")
    )];
    for step in &outcome.steps {
        let exit = step.exit.map_or("-".to_owned(), |code| code.to_string());
        let reason = step.reason.as_deref().unwrap_or("-");
        lines.push(format!("{}: {} ({exit}) {reason}", step.name, step.word.as_str()));
    }
    lines.join("\n")
}

#[test]
fn each_step_has_its_word_and_fail_beats_blocked() {
    let lab = Lab::new();
    fs::write_new(&lab.checkout().join("plain.txt"), b"x", 0o644).unwrap();
    fs::write_new(&lab.checkout().join("tool"), b"#!/bin/sh\necho from the checkout: $1\n", 0o755).unwrap();
    let outcome = lab.run(&gate(&[
        ("good", "run = 'echo fine'"),
        ("bad", "run = 'echo broken; exit 3'"),
        ("missing", "run = 'no-such-program-at-all x'"),
        ("missing-argv", "run = ['no-such-program-at-all', 'x']"),
        ("not-executable", "run = './plain.txt'"),
        ("own", "run = ['./tool', 'a b']"),
        ("hangs", "run = 'sleep 600'\ntimeout = '150ms'"),
        ("killed", "run = 'kill -9 $$'"),
        ("after-bad", "run = 'true'\nneeds = ['good', 'bad']"),
        ("after-skipped", "run = 'true'\nneeds = ['after-bad']"),
        ("after-good", "run = 'true'\nneeds = ['good']"),
    ]));
    insta::assert_snapshot!(shown(&outcome), @r"
    FAIL - -
    good: PASS (0) -
    bad: FAIL (3) exit 3
    missing: BLOCKED (127) no-such-program-at-all: not found
    missing-argv: BLOCKED (-) no-such-program-at-all: not found
    not-executable: BLOCKED (126) ./plain.txt: not executable
    own: PASS (0) -
    hangs: BLOCKED (-) timed out after 150ms
    killed: BLOCKED (-) killed by SIGKILL (out of memory?)
    after-bad: BLOCKED (-) skipped: needs bad
    after-skipped: BLOCKED (-) skipped: needs after-bad
    after-good: PASS (0) -
    ");
    assert_eq!(outcome.steps[1].tail, "broken");
    assert_eq!(outcome.steps[5].tail, "from the checkout: a b");
    assert_eq!(lab.log("bad.log"), "broken\n");
}

#[test]
fn blocked_without_a_fail_is_blocked() {
    let outcome = Lab::new().run(&gate(&[("a", "run = 'true'"), ("b", "run = 'exit 127'")]));
    assert_eq!((outcome.word, outcome.rule), (Word::Blocked, None));
}

#[test]
fn no_steps_is_blocked_and_runs_nothing() {
    let lab = Lab::new();
    let outcome = lab.run("[ralph]\nsetup = 'touch made'");
    assert_eq!(shown(&outcome), "BLOCKED ralph.no_steps the gate has no step");
    assert!(!fs::exists(&lab.checkout().join("made")));
}

#[test]
fn setup_comes_first_and_its_failure_is_blocked() {
    let lab = Lab::new();
    let steps = gate(&[("a", "run = 'cat made'")]);
    let mut events = Vec::new();
    let good = format!("[ralph]\nsetup = ['echo one; echo x > made', 'echo two']\n{steps}");
    let outcome = lab.run_with(&good, &|| Ok(()), &mut |event| match event {
        Event::SetupFinished { command, word, .. } => events.push(format!("{word:?} {command}")),
        Event::StepFinished { result } => events.push(format!("{:?} {}", result.word, result.name)),
        Event::SetupStarted { command } => events.push(format!("$ {command}")),
        Event::StepStarted { name, number, total } => events.push(format!("> {name} {number}/{total}")),
        Event::SetupLine { line } | Event::StepLine { line, .. } => events.push(line),
        Event::StepRetried { .. } | Event::Stopping => {}
    });
    assert_eq!(outcome.word, Word::Pass);
    insta::assert_snapshot!(events.join("\n"), @r"
    $ echo one; echo x > made
    one
    Pass echo one; echo x > made
    $ echo two
    two
    Pass echo two
    > a 1/1
    x
    Pass a
    ");
    assert_eq!(lab.log("setup.log"), "$ echo one; echo x > made\none\n$ echo two\ntwo\n");

    let bad = format!("[ralph]\nsetup = ['echo offline; exit 1', 'touch later']\n{steps}");
    insta::assert_snapshot!(shown(&lab.run(&bad)), @r"
    BLOCKED ralph.setup `echo offline; exit 1`: exit 1
    setup: BLOCKED (1) `echo offline; exit 1`: exit 1
    ");
    assert!(!fs::exists(&lab.checkout().join("later")));
}

#[test]
fn a_changed_tree_is_blocked_whatever_the_steps_said() {
    let lab = Lab::new();
    let changed = lab.checkout().join("changed");
    let verify = || if fs::exists(&changed) { Err("changed was modified".to_owned()) } else { Ok(()) };
    let steps = gate(&[("a", "run = 'touch changed; exit 1'")]);
    insta::assert_snapshot!(shown(&lab.run_with(&steps, &verify, &mut |_| ())), @r"
    BLOCKED ralph.tree_changed changed was modified
    a: FAIL (1) exit 1
    ");
    let setup = format!("[ralph]\nsetup = 'touch changed'\n{steps}");
    insta::assert_snapshot!(shown(&lab.run_with(&setup, &verify, &mut |_| ())), @r"
    BLOCKED ralph.tree_changed after setup: changed was modified
    setup: PASS (0) -
    ");
}

#[test]
fn steps_of_a_group_run_at_the_same_time() {
    let lab = Lab::new();
    // Each end of a named pipe waits for the other: one after the other would never end.
    let outcome = lab.run(&gate(&[
        ("make", "run = 'mkfifo pipe'"),
        ("write", "run = 'echo through > pipe'\ngroup = 'g'\ntimeout = '20s'"),
        ("read", "run = 'cat pipe'\ngroup = 'g'\ntimeout = '20s'"),
    ]));
    assert_eq!(outcome.word, Word::Pass, "{}", shown(&outcome));
    assert_eq!(outcome.steps[2].tail, "through");
}

#[test]
fn steps_with_the_same_resource_never_meet() {
    let lab = Lab::new();
    let alone = "run = 'mkdir busy && ls / && rmdir busy'\ngroup = 'g'\nresources = 'db'";
    let steps: Vec<(String, &str)> = (0..6).map(|n| (format!("s{n}"), alone)).collect();
    let steps: Vec<(&str, &str)> = steps.iter().map(|(name, rest)| (name.as_str(), *rest)).collect();
    let outcome = lab.run(&gate(&steps));
    assert_eq!(outcome.word, Word::Pass, "{}", shown(&outcome));
}

#[test]
fn a_flaky_test_is_tried_again_and_says_so() {
    let lab = Lab::new();
    let flaky = "run = 'echo try >> tries; test $(wc -l < tries) -ge 3'\nkind = 'test'\nretries =";
    let outcome = lab.run(&gate(&[("t", &format!("{flaky} 1"))]));
    assert_eq!(shown(&outcome), "FAIL - -\nt: FAIL (1) exit 1");
    assert_eq!(lab.log("t.log"), "--- try 2 ---\n");
    fs::remove_file(&lab.checkout().join("tries")).unwrap();
    let outcome = lab.run(&gate(&[("t", &format!("{flaky} 5"))]));
    assert_eq!(shown(&outcome), "PASS - -\nt: PASS (0) flaky: passed on try 3");
}

#[test]
fn a_blocked_test_is_not_tried_again() {
    let lab = Lab::new();
    lab.run(&gate(&[("t", "run = 'echo try; exit 127'\nkind = 'test'\nretries = 3")]));
    assert_eq!(lab.log("t.log"), "try\n");
}

#[test]
fn zero_tests_are_a_warning_or_blocked() {
    let lab = Lab::new();
    let cargo = |n: u32| {
        format!(
            "run = 'echo \"test result: ok. {n} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\"'\nkind = 'test'"
        )
    };
    let one = |rest: String| shown(&lab.run(&gate(&[("t", &rest)])));
    assert_eq!(one(cargo(3)), "PASS - -\nt: PASS (0) -");
    assert_eq!(one(cargo(0)), "PASS - -\nt: PASS (0) warning: no test ran");
    insta::assert_snapshot!(one(cargo(3) + "\nmin_tests = 4"), @r"
    BLOCKED ralph.zero_tests t: 3 tests ran, min_tests = 4
    t: BLOCKED (0) 3 tests ran, min_tests = 4
    ");
    insta::assert_snapshot!(one("run = 'echo all good'\nkind = 'test'\nmin_tests = 1".into()), @r"
    BLOCKED ralph.zero_tests t: no runner said how many tests ran, min_tests = 1
    t: BLOCKED (0) no runner said how many tests ran, min_tests = 1
    ");
    insta::assert_snapshot!(one("run = 'echo no tests ran in 0.01s; exit 5'\nkind = 'test'".into()), @r"
    BLOCKED ralph.zero_tests t: no test was found
    t: BLOCKED (5) no test was found
    ");
    assert_eq!(one("run = 'echo fine'\nkind = 'test'".into()), "PASS - -\nt: PASS (0) -");
}

#[test]
fn the_second_interrupt_stops_at_once_and_nothing_follows() {
    let lab = Lab::new();
    let interrupts = lab.limits.interrupts.clone();
    let steps = gate(&[("a", "run = 'echo up; sleep 600'"), ("b", "run = 'touch later'")]);
    let outcome = lab.run_with(&steps, &|| Err("not asked".into()), &mut |event| {
        if matches!(event, Event::StepLine { .. }) {
            interrupts.raise();
            interrupts.raise();
        }
    });
    assert_eq!(outcome.stop, Some(Stop::Interrupted));
    assert_eq!(
        shown(&outcome),
        "BLOCKED ralph.interrupted the run was interrupted\na: BLOCKED (-) interrupted"
    );
    assert!(!fs::exists(&lab.checkout().join("later")));
}

#[test]
fn the_first_interrupt_lets_the_step_end() {
    let lab = Lab::new();
    let interrupts = lab.limits.interrupts.clone();
    let steps = gate(&[("a", "run = 'echo up'"), ("b", "run = 'touch later'")]);
    let outcome = lab.run_with(&steps, &|| Ok(()), &mut |event| {
        if matches!(event, Event::StepLine { .. }) {
            interrupts.raise();
        }
    });
    assert_eq!(shown(&outcome), "BLOCKED ralph.interrupted the run was interrupted\na: PASS (0) -");
    assert!(!fs::exists(&lab.checkout().join("later")));

    // An interrupt in the last step leaves nothing undone.
    let lab = Lab::new();
    let interrupts = lab.limits.interrupts.clone();
    let outcome = lab.run_with(&gate(&[("a", "run = 'true'")]), &|| Ok(()), &mut |event| {
        if matches!(event, Event::StepFinished { .. }) {
            interrupts.raise();
        }
    });
    assert_eq!((outcome.word, outcome.stop), (Word::Pass, None));
}

#[test]
fn an_interrupt_is_told_once_while_what_runs_is_silent() {
    let waits = "until test -e go; do sleep 0.02; done";
    let step = format!("run = '{waits}'\ntimeout = '30s'");
    for gate in
        [gate(&[("a", &step)]), format!("[ralph]\nsetup = ['{waits}']\n{}", gate(&[("a", "run = 'true'")]))]
    {
        let lab = Lab::new();
        let interrupts = lab.limits.interrupts.clone();
        let mut told = 0;
        lab.run_with(&gate, &|| Ok(()), &mut |event| match event {
            Event::SetupStarted { .. } | Event::StepStarted { .. } => interrupts.raise(),
            Event::Stopping => {
                told += 1;
                fs::write_new(&lab.checkout().join("go"), b"", 0o644).unwrap();
            }
            _ => {}
        });
        assert_eq!(told, 1, "{gate}");
    }
}

#[test]
fn a_deadline_stops_the_run_without_a_verdict() {
    let mut lab = Lab::new();
    lab.limits.deadline = Some(Clock.monotonic() + Duration::from_millis(100));
    let outcome = lab.run(&gate(&[("a", "run = 'sleep 600'"), ("b", "run = 'true'")]));
    assert_eq!(outcome.stop, Some(Stop::Deadline));
    assert_eq!(outcome.rule.as_deref(), Some("ralph.budget"));
}

#[test]
fn logs_that_cannot_be_written_are_blocked() {
    let lab = Lab::new();
    fs::write_new(&lab.dir.path().join("logs"), b"", 0o644).unwrap();
    let outcome = lab.run(&gate(&[("a", "run = 'true'")]));
    assert_eq!((outcome.word, outcome.rule.as_deref()), (Word::Blocked, Some("ralph.log")));
}

#[test]
fn a_step_sees_only_the_listed_environment() {
    let lab = Lab::new();
    let outcome = lab.run(&gate(&[("env", "run = 'env'\nenv = ['CARGO_MANIFEST_DIR']")]));
    let names: Vec<&str> =
        outcome.steps[0].tail.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(names.contains(&"CARGO_MANIFEST_DIR") && names.contains(&"GIT_CEILING_DIRECTORIES"));
    // Cargo sets it for tests; nobody declared it.
    assert!(!names.contains(&"CARGO_PKG_NAME"), "{names:?}");
    assert!(Path::new(&lab.checkout()).is_dir());
}

/// A step whose report is what these lines make of it.
fn reporting(report: &str, run: &str, more: &str) -> String {
    gate(&[("s", &format!("kind = \"test\"\nreport = '{report}'\n{more}\nrun = '''\n{run}\n'''"))])
}

const JUNIT: &str = r#"<testsuites><testsuite name="t" tests="2" failures="1"><testcase name="a" classname="t"/><testcase name="b" classname="t"><failure message="no">x</failure></testcase></testsuite></testsuites>"#;
const GREEN: &str = r#"<testsuites><testsuite name="t" tests="2"><testcase name="a" classname="t"/><testcase name="b" classname="t"/></testsuite></testsuites>"#;

#[test]
fn a_report_is_findings_and_what_is_no_report_is_blocked() {
    let write = |text: &str| format!("cat > r.xml <<'E'\n{text}\nE");
    let rows = [
        ("a green one", "junit:r.xml", write(GREEN), ""),
        ("a failure, and exit 0", "junit:r.xml", write(JUNIT), ""),
        ("a failure", "junit:r.xml", write(JUNIT) + "\nexit 1", ""),
        ("too few tests", "junit:r.xml", write(GREEN), "min_tests = 3"),
        ("none at all", "junit:r.xml", "true".to_owned(), ""),
        ("none at all, and it failed", "junit:r.xml", "exit 1".to_owned(), ""),
        ("one that breaks off", "junit:r.xml", "printf '<testsuites><testsuite>' > r.xml".to_owned(), ""),
        ("one that is something else", "junit:r.xml", "echo hello > r.xml".to_owned(), ""),
        ("one that leads out", "junit:r.xml", "ln -s /etc/passwd r.xml".to_owned(), ""),
        ("a pipe", "junit:r.xml", "mkfifo r.xml".to_owned(), ""),
        ("printed", "ruff", "echo '[]'".to_owned(), ""),
        ("nothing printed", "ruff", "true".to_owned(), ""),
        ("an unknown format", "ruf", "true".to_owned(), ""),
        ("a missing tool", "ruff", "no-such-tool".to_owned(), ""),
        (
            "a long line",
            "ruff",
            "printf '['; head -c 300000 /dev/zero | tr '\\0' ' '; echo ']'".to_owned(),
            "",
        ),
    ];
    let said: Vec<String> = rows
        .iter()
        .map(|(name, report, run, more)| {
            let lab = Lab::new();
            let outcome = lab.run(&reporting(report, run, more));
            let step = &outcome.steps[0];
            let found = step.report.as_ref().map_or("-".to_owned(), |report| report.found.to_string());
            let reason = step.reason.as_deref().unwrap_or("-");
            format!(
                "{name}: {} {found} {} {reason}",
                step.word.as_str(),
                outcome.rule.as_deref().unwrap_or("-")
            )
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    a green one: PASS 0 - -
    a failure, and exit 0: FAIL 1 - exit 0 with 1 finding
    a failure: FAIL 1 - exit 1; 1 finding
    too few tests: BLOCKED 0 ralph.zero_tests 2 tests ran, min_tests = 3
    none at all: BLOCKED - ralph.report report: it wrote no r.xml
    none at all, and it failed: BLOCKED - ralph.report report: it wrote no r.xml
    one that breaks off: BLOCKED - ralph.report report: cannot find the end of the report (format `junit`)
    one that is something else: BLOCKED - ralph.report report: cannot find a report of the format `junit`
    one that leads out: BLOCKED - ralph.report report: r.xml is a link, or behind one
    a pipe: BLOCKED - ralph.report report: r.xml is no file
    printed: PASS 0 - -
    nothing printed: BLOCKED - ralph.report report: cannot find a report of the format `ruff`
    an unknown format: BLOCKED - ralph.report report: cannot read reports of the format `ruf`; known are: cargo, libtest, eslint, tsc, vitest, jest, ruff, mypy, pytest, junit, sarif, lcov, cobertura, go, regex:<pattern>
    a missing tool: BLOCKED - - no-such-tool: not found
    a long line: PASS 0 - -
    ");
}

#[test]
fn a_report_of_another_run_is_none() {
    let lab = Lab::new();
    fs::write_new(&lab.checkout().join("r.xml"), GREEN.as_bytes(), 0o644).unwrap();
    let outcome = lab.run(&reporting("junit:r.xml", "true", ""));
    assert_eq!((outcome.word, outcome.rule.as_deref()), (Word::Blocked, Some("ralph.report")));
    assert!(outcome.steps[0].reason.as_deref().unwrap().contains("was there before"));
    // Written anew with the very same text it is one.
    let outcome = lab.run(&reporting("junit:r.xml", "cp r.xml s.xml && cat s.xml > r.xml", ""));
    assert_eq!(outcome.word, Word::Pass, "{}", shown(&outcome));
}
