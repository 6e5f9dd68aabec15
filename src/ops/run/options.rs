//! What a run is asked, and what it comes to.

use crate::config::Merging;
use crate::domain::control::Mode;
use crate::domain::session::{Outcome, Session};
use crate::index::Filter;
use crate::ops::error::OpError;

/// What to work on, and how.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many tasks at once; 0 counts as 1.
    pub jobs: usize,
    /// At most this many tasks in all.
    pub max_tasks: Option<usize>,
    /// Whether a worker that finds nothing ready waits for what the others' merges make ready. Without it such a
    /// worker leaves, and the last one works on alone.
    pub until_empty: bool,
    /// A command line that works on every task, whatever `orch.toml` says.
    pub agent: Option<String>,
    /// What happens to a task that passed, whatever `orch.toml` says.
    pub merge: Option<Merging>,
    /// Which tasks.
    pub filter: Filter,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            jobs: 1,
            max_tasks: None,
            until_empty: false,
            agent: None,
            merge: None,
            filter: Filter::default(),
        }
    }
}

/// Why a run ended before it had nothing left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody interrupted it.
    Interrupted,
    /// The mode was changed to this while it ran.
    Mode(Mode),
}

/// What a run came to.
#[derive(Debug)]
pub struct RunReport {
    /// The session with every task that was dealt with.
    pub session: Session,
    /// How many ready tasks were left alone because no agent works on their kind.
    pub without_agent: usize,
    /// Why it ended early, if it did.
    pub stopped: Option<Stopped>,
    /// What went wrong for all tasks alike: the run ended because of it, and the same command goes on.
    pub failure: Option<OpError>,
}

/// What a run came to, in one word; the surface gives each its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every task is merged or in review.
    Done,
    /// At least one task's budget ended without a PASS.
    Failed,
    /// At least one task is blocked or asks for a person, and none failed.
    Blocked,
    /// There was nothing to do.
    Nothing,
    /// It was stopped; the same command goes on.
    Interrupted,
}

impl RunReport {
    /// How many tasks came to `outcome`.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.session.tasks.iter().filter(|task| task.outcome == outcome).count()
    }

    /// What it came to in one word. `failure` outranks it.
    pub fn ended(&self) -> Ended {
        if self.stopped.is_some() || self.count(Outcome::Interrupted) > 0 {
            Ended::Interrupted
        } else if self.count(Outcome::Failed) > 0 {
            Ended::Failed
        } else if self.count(Outcome::Blocked) > 0 {
            Ended::Blocked
        } else if self.session.tasks.is_empty() {
            Ended::Nothing
        } else {
            Ended::Done
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{SessionId, TaskId};
    use crate::domain::session::SessionTask;
    use crate::domain::time::Timestamp;

    #[test]
    fn failed_beats_blocked_and_a_stop_beats_both() {
        use Outcome::{Blocked, Failed, Interrupted, Merged, Review};
        let ended = |outcomes: &[Outcome], stopped| {
            let task =
                |&outcome| SessionTask { id: TaskId::from_bits(1), outcome, iterations: 1, note: None };
            let session = Session {
                id: SessionId::from_bits(1),
                by: "agent:loop".into(),
                started: Timestamp::from_millis(0),
                ended: None,
                tasks: outcomes.iter().map(task).collect(),
            };
            RunReport { session, without_agent: 0, stopped, failure: None }.ended()
        };
        assert_eq!(ended(&[], None), Ended::Nothing);
        assert_eq!(ended(&[Merged, Review], None), Ended::Done);
        assert_eq!(ended(&[Merged, Blocked], None), Ended::Blocked);
        assert_eq!(ended(&[Blocked, Failed, Merged], None), Ended::Failed);
        assert_eq!(ended(&[Failed, Interrupted], None), Ended::Interrupted);
        assert_eq!(ended(&[Merged], Some(Stopped::Interrupted)), Ended::Interrupted);
    }
}
