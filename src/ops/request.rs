//! What Ralph is asked.

use std::time::Instant;

use crate::config::Moment;
use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::role::Team;

/// Whether a recorded verdict is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// A PASS or FAIL that this clone made is.
    Counts,
    /// The steps are run whatever is recorded.
    Ignored,
}

/// What to judge, and for what.
#[derive(Clone, Debug)]
pub struct Request {
    /// The commit.
    pub commit: Oid,
    /// For a merge result: the branch's tip, whose approval counts for the result as well.
    pub branch_tip: Option<Oid>,
    /// For what: steps may apply only then.
    pub moment: Moment,
    /// For whose branch.
    pub team: Option<Team>,
    /// Only these steps, and what they need; empty: all.
    pub steps: Vec<String>,
    /// On which task's behalf.
    pub task: Option<TaskId>,
    /// When the time for running steps is up.
    pub deadline: Option<Instant>,
    /// Whether a recorded verdict is good enough.
    pub recorded: Recorded,
}

impl Request {
    /// Judges `commit` by the steps for `moment`, taking a recorded verdict where there is one.
    pub fn new(commit: Oid, moment: Moment) -> Self {
        Self {
            commit,
            branch_tip: None,
            moment,
            team: None,
            steps: Vec::new(),
            task: None,
            deadline: None,
            recorded: Recorded::Counts,
        }
    }
}
