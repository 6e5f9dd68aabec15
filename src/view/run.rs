//! The end of a run: which task came to what.

use serde::Serialize;

use crate::domain::session::{Outcome, Session, SessionTask};
use crate::view::{SCHEMA, words};

/// One task's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunTask {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it came to.
    #[serde(serialize_with = "words::outcome")]
    pub outcome: Outcome,
    /// How many iterations it took.
    pub iterations: u32,
    /// Why, when it is neither merged nor in review.
    pub note: Option<String>,
}

/// What a session came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// The version of this object.
    pub schema: u32,
    /// The session's id.
    pub session: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339; null if it did not.
    pub ended: Option<String>,
    /// How long it took.
    pub millis: Option<u64>,
    /// The tasks, in the order they ended.
    pub tasks: Vec<RunTask>,
}

impl RunSummary {
    /// The summary of `session`; `title` gives a task's title.
    pub fn new(session: &Session, title: &dyn Fn(&SessionTask) -> String) -> Self {
        let task = |t: &SessionTask| RunTask {
            id: t.id.to_string(),
            title: title(t),
            outcome: t.outcome,
            iterations: t.iterations,
            note: t.note.clone(),
        };
        Self {
            schema: SCHEMA,
            session: session.id.to_string(),
            started: session.started.to_string(),
            ended: session.ended.map(|t| t.to_string()),
            millis: session.ended.map(|end| u64::try_from(end.since(session.started)).unwrap_or(0)),
            tasks: session.tasks.iter().map(task).collect(),
        }
    }

    /// How many tasks came to `outcome`.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.tasks.iter().filter(|t| t.outcome == outcome).count()
    }
}
