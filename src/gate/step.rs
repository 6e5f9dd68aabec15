//! One step from its first try to its result.

use std::path::Path;

use crate::config::{Step, StepKind};
use crate::domain::verdict::{StepResult, Word};
use crate::gate::classify::Judgement;
use crate::gate::command::{Command, Tried};
use crate::gate::context::{RunContext, millis_since};
use crate::gate::count::Counter;
use crate::gate::log::{LOG_BYTES, Log, no_log};
use crate::gate::outcome::{Event, rule};
use crate::sys::clock::Clock;

/// A step's result.
pub(super) struct Finished {
    pub(super) result: StepResult,
    /// The rule that decided it, if one did.
    pub(super) rule: Option<&'static str>,
    /// Whether it was stopped from outside.
    pub(super) stopped: bool,
}

/// The result of a step that did not run.
pub(super) fn not_run(step: &Step, reason: String) -> Finished {
    let tried = Tried { judgement: Judgement::blocked(reason, None), tail: String::new(), stopped: false };
    finished(step, tried, None, 0)
}

fn finished(step: &Step, tried: Tried, rule: Option<&'static str>, millis: u64) -> Finished {
    let result = StepResult {
        name: step.name.clone(),
        kind: step.kind.as_str().to_owned(),
        word: tried.judgement.word,
        reason: tried.judgement.reason,
        millis,
        exit: tried.judgement.exit,
        tail: tried.tail,
    };
    Finished { result, rule, stopped: tried.stopped }
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
    let (mut tried, mut rule) = tries(step, checkout, ctx, &mut |event| {
        match &event {
            Event::StepLine { line, .. } => log.line(line),
            Event::StepRetried { attempt, .. } => log.line(&format!("--- try {attempt} ---")),
            _ => {}
        }
        on_event(event);
    });
    if let Err(error) = log.finish() {
        // What filled the disk may as well have made the step fail, or pass.
        tried.judgement = Judgement::blocked(no_log(&error), tried.judgement.exit);
        rule = Some(rule::LOG);
    }
    finished(step, tried, rule, millis_since(start))
}

fn tries(
    step: &Step,
    checkout: &Path,
    ctx: &RunContext<'_>,
    on_event: &mut dyn FnMut(Event),
) -> (Tried, Option<&'static str>) {
    let env = ctx.environment(step.env.iter().map(String::as_str), checkout);
    let command = Command {
        name: &step.name,
        run: &step.run,
        network: step.network,
        ctx,
        checkout,
        env: &env,
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
        let rule = if is_test { judge_tests(step, &counter, &mut tried.judgement) } else { None };
        if tried.judgement.word != Word::Fail || attempt > step.retries {
            if tried.judgement.word == Word::Pass && attempt > 1 {
                tried.judgement.note(format!("flaky: passed on try {attempt}"));
            }
            return (tried, rule);
        }
        attempt += 1;
        on_event(Event::StepRetried { name: step.name.clone(), attempt });
    }
}

/// What the number of executed tests makes of the judgement. Returns the rule, if one decides.
fn judge_tests(step: &Step, counter: &Counter, judgement: &mut Judgement) -> Option<&'static str> {
    let blocked = match (judgement.word, step.min_tests, counter.executed()) {
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
