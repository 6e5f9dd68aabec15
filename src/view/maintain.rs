//! What `git orch maintain` did or would do.

use serde::Serialize;

/// All of it. The order of the fields is the order in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MaintainView {
    /// The version of this object.
    pub schema: u32,
    /// Whether nothing was done: the rest is what would be.
    pub dry_run: bool,
    /// Ids of the tasks that went to the archive.
    pub archived: Vec<String>,
    /// How many records of steps were removed.
    pub pruned: usize,
    /// Objects of ours that lay loose and were packed.
    pub packed: usize,
    /// Objects of ours that lie loose and were left so.
    pub loose: usize,
    /// How many commits were let go; null: that was not asked.
    pub let_go: Option<usize>,
    /// The ref that keeps them in this clone for a while; null: none were let go.
    pub backup: Option<String>,
    /// The state's epoch.
    pub epoch: u64,
}
