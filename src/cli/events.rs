//! What operations tell while they run, as surfaces show it.

use crate::agent::driver;
use crate::agent::wiggum::Decision;
use crate::gate::Event as Gate;
use crate::ops::progress;
use crate::view::Event;

/// The event that is shown for one of an operation.
pub(crate) fn event(event: progress::Event) -> Event {
    use progress::Event as Op;
    match event {
        Op::RunStarted { session, jobs, ready } => {
            Event::RunStarted { session: session.to_string(), jobs, ready }
        }
        Op::TaskStarted { task, agent } => Event::TaskStarted {
            task: task.id.to_string(),
            title: task.title.value.clone(),
            branch: task.register.work.as_ref().map(|w| w.branch.clone()).unwrap_or_default(),
            agent,
        },
        Op::IterationStarted { task, iteration, limit } => {
            Event::IterationStarted { task: task.to_string(), iteration, limit }
        }
        Op::Agent { task, event } => agent(task.to_string(), event),
        Op::Gate { task, event } => gate(task.map(|id| id.to_string()), event),
        Op::IterationFinished { task, iteration, word, decision, millis } => {
            let (decision, why) = words(decision);
            let (task, decision) = (task.to_string(), decision.to_owned());
            Event::IterationFinished { task, iteration, verdict: word, decision, why, millis }
        }
        Op::TaskFinished { task, millis } => Event::TaskFinished {
            task: task.id.to_string(),
            outcome: task.outcome,
            iterations: task.iterations,
            note: task.note,
            millis,
        },
        Op::Note { task, text } => Event::Note { task: task.map(|id| id.to_string()), text },
        Op::Stopping { now } => Event::Stopping { now },
    }
}

fn agent(task: String, event: driver::Event) -> Event {
    match event {
        driver::Event::Line(line) => Event::StepOutput { task: Some(task), step: "agent".to_owned(), line },
        driver::Event::Note(text) => Event::Note { task: Some(task), text },
        driver::Event::Promise(text) => Event::Note {
            task: Some(task),
            text: format!("the agent promises {text}; recorded, not believed"),
        },
    }
}

fn gate(task: Option<String>, event: Gate) -> Event {
    match event {
        Gate::SetupStarted { command } => Event::StepStarted { task, step: setup(&command) },
        Gate::SetupLine { line } => Event::StepOutput { task, step: "setup".to_owned(), line },
        Gate::SetupFinished { command, word, millis } => Event::StepFinished {
            task,
            step: setup(&command),
            verdict: word,
            reason: None,
            millis,
            cached: false,
        },
        Gate::StepStarted { name, .. } => Event::StepStarted { task, step: name },
        Gate::StepLine { name, line } => Event::StepOutput { task, step: name, line },
        Gate::StepRetried { name, attempt, .. } => {
            Event::Note { task, text: format!("{name} failed; try {attempt}") }
        }
        Gate::Stopping => Event::Stopping { now: false },
        Gate::StepFinished { result } => Event::StepFinished {
            task,
            step: result.name,
            verdict: result.word,
            reason: result.reason,
            millis: result.millis,
            cached: result.cached.is_some(),
        },
    }
}

fn setup(command: &str) -> String {
    format!("setup: {command}")
}

fn words(decision: Decision) -> (&'static str, Option<String>) {
    match decision {
        Decision::Allow => ("ALLOW", None),
        Decision::Retry(_) => ("RETRY", None),
        Decision::Ask(why) => ("ASK", Some(why)),
        Decision::GiveUp(why) => ("GIVE UP", Some(why)),
        Decision::Stop => ("STOP", None),
    }
}
