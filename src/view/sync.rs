//! What a sync came to.

use serde::Serialize;

/// What came from a remote, and what went there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SyncView {
    /// The version of this schema.
    pub schema: u32,
    /// The remote's name.
    pub remote: String,
    /// Ids of tasks that are new here or different from before.
    pub received: Vec<String>,
    /// How many changes the remote got.
    pub sent: usize,
    /// Ids of this clone's tasks whose claims the remote confirmed.
    pub confirmed: Vec<String>,
    /// Ids of this clone's tasks that another clone wanted to take over; they stay.
    pub kept: Vec<String>,
    /// This clone's claims that another clone won.
    pub lost: Vec<LostView>,
    /// Texts that two clones changed at the same time, with what was not kept.
    pub conflicts: Vec<ConflictView>,
    /// Ids of tasks that were changed by a clock which is more than five minutes ahead.
    pub ahead: Vec<String>,
    /// Whether the remote had a state from before a squash; it was joined, and this clone's put back.
    pub stale: bool,
    /// Whether another clone squashed the history, and this one's goes on from there.
    pub squashed: bool,
    /// What the remote does not take, in its words; null if it takes all.
    pub refused: Option<String>,
}

/// A claim that another clone won.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostView {
    /// The task's id.
    pub task: String,
    /// Who holds it; null if nobody does any more.
    pub holder: Option<String>,
}

/// A text that two clones changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConflictView {
    /// The task's id.
    pub task: String,
    /// The field.
    pub field: String,
    /// What was not kept.
    pub lost: String,
    /// Who wrote that.
    pub by: String,
}
