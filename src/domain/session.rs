//! A session: one run of the autonomous loop.

use crate::domain::id::{SessionId, TaskId};
use crate::domain::time::Timestamp;

/// How a task ended in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Merged into trunk.
    Merged,
    /// Passed; waits for a person.
    Review,
    /// The budget ended without a PASS.
    Failed,
    /// Could not be judged, or asks for a person.
    Blocked,
    /// The run was interrupted; the next one goes on with it.
    Interrupted,
}

impl Outcome {
    /// All outcomes, in the order of the summary.
    pub const ALL: [Self; 5] = [Self::Merged, Self::Review, Self::Failed, Self::Blocked, Self::Interrupted];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::Review => "review",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Interrupted => "interrupted",
        }
    }

    /// The outcome for a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == word)
    }
}

/// One task's part in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTask {
    /// The task.
    pub id: TaskId,
    /// How it ended.
    pub outcome: Outcome,
    /// How many iterations it took.
    pub iterations: u32,
    /// One line: why, when it is neither merged nor in review.
    pub note: Option<String>,
}

/// A session's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who runs it, as `Actor` prints.
    pub by: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; None while it runs or after it was killed.
    pub ended: Option<Timestamp>,
    /// The tasks it dealt with, in the order they ended.
    pub tasks: Vec<SessionTask>,
}
