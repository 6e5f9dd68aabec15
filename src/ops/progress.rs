//! What happens while an operation is under way; a surface shows it, records it, or drops it.

use crate::agent::driver;
use crate::agent::wiggum::Decision;
use crate::domain::id::{SessionId, TaskId};
use crate::domain::session::SessionTask;
use crate::domain::task::Task;
use crate::domain::verdict::Word;
use crate::gate;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A run of the loop began.
    RunStarted {
        /// Its session.
        session: SessionId,
        /// How many tasks at once.
        jobs: usize,
        /// How many are ready.
        ready: usize,
    },
    /// A task was taken by the loop.
    TaskStarted {
        /// The task.
        task: Box<Task>,
        /// The driver's name.
        agent: String,
    },
    /// An agent begins to work.
    IterationStarted {
        /// The task.
        task: TaskId,
        /// From 1.
        iteration: u32,
        /// The budget.
        limit: u32,
    },
    /// An agent said or did something.
    Agent {
        /// The task.
        task: TaskId,
        /// What.
        event: driver::Event,
    },
    /// The gate did something; on whose behalf, if it was a task's.
    Gate {
        /// The task.
        task: Option<TaskId>,
        /// What.
        event: gate::Event,
    },
    /// Agent and gate are through with one iteration.
    IterationFinished {
        /// The task.
        task: TaskId,
        /// From 1.
        iteration: u32,
        /// Ralph's word; None if nothing was judged.
        word: Option<Word>,
        /// What comes next.
        decision: Decision,
        /// How long it took, in milliseconds.
        millis: u64,
    },
    /// The loop is through with a task.
    TaskFinished {
        /// What it came to.
        task: SessionTask,
        /// How long it took, in milliseconds.
        millis: u64,
    },
    /// Something else that a person watching would want to know.
    Note {
        /// The task that it is about.
        task: Option<TaskId>,
        /// One line.
        text: String,
    },
    /// The loop was asked to stop: at once, or after the current step.
    Stopping {
        /// At once.
        now: bool,
    },
}

/// Where events go.
pub type Sink<'a> = dyn FnMut(Event) + 'a;
