//! What a sync is asked, and what it came to.

use crate::domain::id::TaskId;
use crate::store::Conflict;

/// How far `sync` may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether a remote's state that was deleted or rewound is put back.
    pub restore: bool,
    /// Whether the state of another repository is joined: ours becomes a part of it.
    pub adopt: bool,
}

/// What came from a remote, and what went there.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The remote.
    pub remote: String,
    /// Tasks that are new here or different from before.
    pub received: Vec<TaskId>,
    /// How many changes the remote got.
    pub sent: usize,
    /// Claims of this clone that another clone won.
    pub lost: Vec<Lost>,
    /// Tasks of this clone that another clone wanted to take over; they stay.
    pub kept: Vec<TaskId>,
    /// Tasks of this clone that the remote confirmed to be its own.
    pub confirmed: Vec<TaskId>,
    /// Texts that two clones changed at the same time, with what was not kept.
    pub conflicts: Vec<Conflict>,
    /// Tasks with stamps of a clock that is ahead.
    pub ahead: Vec<TaskId>,
    /// Whether the remote had a state from before a squash, which a clone pushed that did not know of it.
    pub stale: bool,
    /// Whether another clone squashed the history, and this one's goes on from there.
    pub squashed: bool,
    /// What the remote does not take, in its words.
    pub refused: Option<String>,
}

/// A claim of this clone that another clone won.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The task.
    pub id: TaskId,
    /// Who has it, if anybody still does.
    pub holder: Option<String>,
}
