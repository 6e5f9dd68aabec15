//! One step from its first try to its result.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::{Step, StepKind};
use crate::domain::finding::Tests;
use crate::domain::verdict::{StepResult, Word};
use crate::gate::classify::Judgement;
use crate::gate::command::{Command, Tried};
use crate::gate::context::{RunContext, millis_since};
use crate::gate::count::Counter;
use crate::gate::findings::Report;
use crate::gate::log::{LOG_BYTES, Log, no_log};
use crate::gate::outcome::{Event, rule};
use crate::gate::reading::{self, Reading};
use crate::sys::clock::Clock;
use crate::sys::fs;
use crate::sys::random;

/// A step's result.
pub(super) struct Finished {
    pub(super) result: StepResult,
    /// The rule that decided it, if one did.
    pub(super) rule: Option<&'static str>,
    /// Whether it was stopped from outside.
    pub(super) stopped: bool,
    /// The names of all its tests, where its report has them.
    pub(super) names: Option<BTreeSet<String>>,
}

/// The result of a step that did not run.
pub(super) fn not_run(step: &Step, reason: String) -> Finished {
    let judgement = Judgement::blocked(reason, None);
    let tried = Tried { judgement, tail: String::new(), stopped: false, kept: false };
    finished(step, Ran { tried, rule: None, report: None }, 0)
}

/// What the tries of a step came to.
struct Ran {
    tried: Tried,
    /// The rule that decided, if one did.
    rule: Option<&'static str>,
    report: Option<Report>,
}

fn finished(step: &Step, ran: Ran, millis: u64) -> Finished {
    let Ran { tried, rule, mut report } = ran;
    let names = report.as_mut().and_then(|report| report.names.take());
    let report = report.map(reading::settled);
    let result = StepResult {
        name: step.name.clone(),
        kind: step.kind.as_str().to_owned(),
        word: tried.judgement.word,
        reason: tried.judgement.reason,
        millis,
        exit: tried.judgement.exit,
        tail: tried.tail,
        report,
        key: None,
        cached: None,
    };
    Finished { result, rule, stopped: tried.stopped, names }
}

/// Runs `step` in `checkout`.
pub(super) fn run(
    step: &Step,
    checkout: &Path,
    ctx: &RunContext<'_>,
    on_event: &mut dyn FnMut(Event),
) -> Finished {
    let start = Clock.monotonic();
    let mut log = match Log::create(&ctx.log_dir.join(format!("{}.log", step.name)), LOG_BYTES) {
        Ok(log) => log,
        Err(error) => return Finished { rule: Some(rule::LOG), ..not_run(step, no_log(&error)) },
    };
    let mut ran = tries(step, checkout, ctx, &mut |event| {
        match &event {
            Event::StepLine { line, .. } => log.line(line),
            Event::StepRetried { attempt, .. } => log.line(&format!("--- try {attempt} ---")),
            _ => {}
        }
        on_event(event);
    });
    if let Err(error) = log.finish() {
        // What filled the disk may as well have made the step fail, or pass.
        ran.tried.judgement = Judgement::blocked(no_log(&error), ran.tried.judgement.exit);
        ran.rule = Some(rule::LOG);
    }
    finished(step, ran, millis_since(start))
}

fn tries(step: &Step, checkout: &Path, ctx: &RunContext<'_>, on_event: &mut dyn FnMut(Event)) -> Ran {
    // Another run of the same tree may go on at the same time.
    let printed = ctx.log_dir.join(format!("{}.{:010x}.report", step.name, random::bits40()));
    let reading = match Reading::begin(step, checkout, printed.clone()) {
        Ok(reading) => reading,
        Err(why) => {
            let mut judgement = Judgement::blocked(String::new(), None);
            let rule = Some(reading::unread(&why, &mut judgement));
            let tried = Tried { judgement, tail: String::new(), stopped: false, kept: false };
            return Ran { tried, rule, report: None };
        }
    };
    let env = ctx.environment(step.env.iter().map(String::as_str), checkout);
    let command = Command {
        run: &step.run,
        network: step.network,
        ctx,
        checkout,
        env: &env,
        kept: reading.as_ref().and_then(Reading::printed),
        wall: step.timeout,
    };
    let is_test = step.kind == StepKind::Test;
    let mut attempt = 1;
    loop {
        let mut counter = Counter::default();
        let mut tried = command.execute(&mut |line| {
            if is_test {
                counter.line(line);
            }
            on_event(Event::StepLine { name: step.name.clone(), line: line.to_owned() });
        });
        let (mut rule, report) = read_report(reading.as_ref(), &mut tried);
        if rule.is_none() && is_test {
            let tests = report.as_ref().and_then(|report| report.tests);
            rule = judge_tests(step, &counter, tests, &mut tried.judgement);
        }
        if tried.judgement.word != Word::Fail || attempt > step.retries {
            if tried.judgement.word == Word::Pass && attempt > 1 {
                tried.judgement.note(format!("flaky: passed on try {attempt}"));
            }
            drop(fs::remove_file_if_there(&printed));
            return Ran { tried, rule, report };
        }
        attempt += 1;
        let report = report.map(reading::settled).unwrap_or_default();
        on_event(Event::StepRetried { name: step.name.clone(), attempt, report });
    }
}

/// The report of a try, and what it makes of the judgement; the rule, if one decides. One that was stopped, killed or not
/// started has none.
fn read_report(reading: Option<&Reading<'_>>, tried: &mut Tried) -> (Option<&'static str>, Option<Report>) {
    let Some(reading) = reading.filter(|_| tried.judgement.word != Word::Blocked) else {
        return (None, None);
    };
    match reading.end(tried.kept) {
        Ok(report) => {
            reading::weigh(&report, &mut tried.judgement);
            (None, Some(report))
        }
        Err(why) => (Some(reading::unread(&why, &mut tried.judgement)), None),
    }
}

/// What the number of executed tests makes of the judgement. Returns the rule, if one decides. A report knows it better
/// than lines that look like a summary.
fn judge_tests(
    step: &Step,
    counter: &Counter,
    report: Option<Tests>,
    judgement: &mut Judgement,
) -> Option<&'static str> {
    let executed = report.map_or_else(|| counter.executed(), |tests| Some(tests.ran));
    let blocked = match (judgement.word, step.min_tests, executed) {
        (Word::Fail, _, _) if counter.found_none() => "no test was found".to_owned(),
        (Word::Pass, Some(min), Some(ran)) if ran < min => format!("{ran} tests ran, min_tests = {min}"),
        (Word::Pass, Some(min), None) if min > 0 => {
            format!("no runner said how many tests ran, min_tests = {min}")
        }
        (Word::Pass, None, Some(0)) => {
            judgement.note("warning: no test ran".to_owned());
            return None;
        }
        _ => return None,
    };
    *judgement = Judgement::blocked(blocked, judgement.exit);
    Some(rule::ZERO_TESTS)
}
