//! Setup: what a clean checkout needs before its steps can run.

use std::path::Path;

use crate::config::{Period, Run};
use crate::domain::verdict::{StepResult, Word};
use crate::gate::command::Command;
use crate::gate::context::{RunContext, millis_since};
use crate::gate::definition::Definition;
use crate::gate::log::{LOG_BYTES, Log, no_log};
use crate::gate::outcome::Event;
use crate::sys::clock::Clock;
use crate::sys::sandbox::Network;

/// The name of setup among the results, and of its log.
pub const SETUP: &str = "setup";
/// At most this long for one command, unless the run's limits say otherwise.
const WALL: Period = Period::from_secs(30 * 60);

/// Runs the setup commands up to the first that does not succeed. The result is PASS or BLOCKED: a setup that
/// fails says nothing about the tree, whatever its exit status.
pub(super) fn run(
    checkout: &Path,
    definition: &Definition,
    ctx: &RunContext<'_>,
    on_event: &mut dyn FnMut(Event),
) -> StepResult {
    let start = Clock.monotonic();
    let mut result = StepResult {
        name: SETUP.to_owned(),
        kind: SETUP.to_owned(),
        word: Word::Pass,
        reason: None,
        millis: 0,
        exit: None,
        tail: String::new(),
        report: None,
        key: None,
        cached: None,
    };
    let failed = commands(checkout, definition, ctx, &mut result, on_event);
    if let Err(reason) = failed {
        result.word = Word::Blocked;
        result.reason = Some(reason);
    }
    result.millis = millis_since(start);
    result
}

fn commands(
    checkout: &Path,
    definition: &Definition,
    ctx: &RunContext<'_>,
    result: &mut StepResult,
    on_event: &mut dyn FnMut(Event),
) -> Result<(), String> {
    let mut log =
        Log::create(&ctx.log_dir.join(format!("{SETUP}.log")), LOG_BYTES).map_err(|e| no_log(&e))?;
    let declared = definition.steps.iter().flat_map(|step| &step.env).map(String::as_str);
    let env = ctx.environment(declared, checkout);
    let wall = ctx.limits.wall.map_or(WALL, Period::from_duration);
    for line in &definition.setup {
        log.line(&format!("$ {line}"));
        on_event(Event::SetupStarted { command: line.clone() });
        let start = Clock.monotonic();
        let run = Run::Shell(line.clone());
        let network = Network::On;
        let command = Command { run: &run, network, ctx, checkout, env: &env, kept: None, wall };
        let tried = command.execute(&mut |text| {
            log.line(text);
            on_event(Event::SetupLine { line: text.to_owned() });
        });
        let word = if tried.judgement.word == Word::Pass { Word::Pass } else { Word::Blocked };
        on_event(Event::SetupFinished { command: line.clone(), word, millis: millis_since(start) });
        result.exit = tried.judgement.exit;
        result.tail = tried.tail;
        if word != Word::Pass {
            return Err(format!("`{line}`: {}", tried.judgement.reason.unwrap_or_default()));
        }
        if ctx.stop().is_some() {
            return Err("interrupted".to_owned());
        }
    }
    log.finish().map_err(|e| no_log(&e))
}
