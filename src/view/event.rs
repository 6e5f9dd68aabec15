//! What happens while a gate or a run is under way: one JSON object a line with `--json-events`, progress
//! bars or plain lines without.

use serde::Serialize;

use crate::domain::session::Outcome;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Word;
use crate::view::{RunSummary, SCHEMA, VerdictView, words};

/// Something that happened. `task` is set for what a run does on a task's behalf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run began.
    RunStarted {
        /// The session's id.
        session: String,
        /// How many tasks at once.
        jobs: usize,
        /// How many tasks are ready.
        ready: usize,
    },
    /// A task was taken.
    TaskStarted {
        /// Its id.
        task: String,
        /// Its title.
        title: String,
        /// Its branch.
        branch: String,
        /// Who works on it: an agent's name.
        agent: String,
    },
    /// An agent began to work.
    IterationStarted {
        /// The task.
        task: String,
        /// From 1.
        iteration: u32,
        /// The most that the budget allows.
        limit: u32,
    },
    /// An agent and Ralph are through with one iteration.
    IterationFinished {
        /// The task.
        task: String,
        /// From 1.
        iteration: u32,
        /// Ralph's word; null if nothing was judged.
        #[serde(serialize_with = "words::optional_verdict")]
        verdict: Option<Word>,
        /// What comes next: `ALLOW`, `RETRY` or `ASK`.
        decision: String,
        /// Why, in one line.
        why: Option<String>,
        /// How long it took.
        millis: u64,
    },
    /// A task is through.
    TaskFinished {
        /// Its id.
        task: String,
        /// What it came to.
        #[serde(serialize_with = "words::outcome")]
        outcome: Outcome,
        /// How many iterations it took.
        iterations: u32,
        /// Why, when it is neither merged nor in review.
        note: Option<String>,
        /// How long it took.
        millis: u64,
    },
    /// A step began.
    StepStarted {
        /// The task on whose behalf.
        task: Option<String>,
        /// The step's name.
        step: String,
    },
    /// A step wrote a line.
    StepOutput {
        /// The task on whose behalf.
        task: Option<String>,
        /// The step's name.
        step: String,
        /// The line, without its end.
        line: String,
    },
    /// A step ended.
    StepFinished {
        /// The task on whose behalf.
        task: Option<String>,
        /// The step's name.
        step: String,
        /// How.
        #[serde(serialize_with = "words::verdict")]
        verdict: Word,
        /// Why, when it is not PASS.
        reason: Option<String>,
        /// How long it took.
        millis: u64,
        /// Whether it did not run: its result is that of an earlier run, and so is the time.
        cached: bool,
    },
    /// Something else that a person watching would want to know.
    Note {
        /// The task that it is about.
        task: Option<String>,
        /// One line.
        text: String,
    },
    /// Ralph is through: always the last line of `ralph --json-events`.
    Verdict {
        /// What `ralph --json` prints.
        result: Box<VerdictView>,
    },
    /// A run is through: always the last line of `run --json-events`.
    RunFinished {
        /// Which task came to what.
        summary: RunSummary,
    },
    /// A run, of the loop or of the gate, was asked to stop.
    Stopping {
        /// Whether at once, or after the current step.
        now: bool,
    },
}

/// An event as one line of `--json-events`.
#[derive(Clone, Debug, Serialize)]
pub struct EventView<'a> {
    /// The version of this object.
    pub schema: u32,
    /// When, RFC 3339.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub event: &'a Event,
}

impl<'a> EventView<'a> {
    /// `event` at `at`.
    pub fn new(event: &'a Event, at: Timestamp) -> Self {
        Self { schema: SCHEMA, at: at.to_string(), event }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_object() {
        let event = Event::StepFinished {
            task: None,
            step: "test".into(),
            verdict: Word::Fail,
            reason: Some("exit 1".into()),
            millis: 12,
            cached: false,
        };
        let at = Timestamp::from_millis(0);
        insta::assert_snapshot!(serde_json::to_string(&EventView::new(&event, at)).unwrap(), @r#"{"schema":1,"at":"1970-01-01T00:00:00.000Z","event":"step_finished","task":null,"step":"test","verdict":"FAIL","reason":"exit 1","millis":12,"cached":false}"#);
    }
}
