//! What a commit changes: its tree against that of its merge base with the policy tip.
//!
//! Called by whatever holds a change, and not a tree, against a rule. Reads only. Invariant: what is on trunk already is
//! no part of any change.

use crate::domain::oid::Oid;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::policy::gate_paths;

/// Two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compared {
    /// The merge base's; None: the commit has nothing in common with trunk.
    pub(crate) base: Option<Oid>,
    /// The commit's.
    pub(crate) tree: Oid,
}

impl Compared {
    /// Of `commit`. Where there is no policy tip there is nothing to compare with, and nothing is a change.
    pub(crate) fn of(cx: &Ctx, trunk: &Trunk, commit: &Oid) -> Result<Self, OpError> {
        let tree = cx.repo.tree_of(commit)?;
        let base = match trunk.tip() {
            None => Some(tree.clone()),
            Some(tip) => match cx.repo.merge_base(tip, commit)? {
                Some(base) => Some(cx.repo.tree_of(&base)?),
                None => None,
            },
        };
        Ok(Self { base, tree })
    }

    /// Whether nothing changes.
    pub(crate) fn is_same(&self) -> bool {
        self.base.as_ref() == Some(&self.tree)
    }

    /// The files of the gate that it changes.
    pub(crate) fn gate_files(&self, cx: &Ctx) -> Result<Vec<String>, OpError> {
        let changes = cx.repo.tree_changes(self.base.as_ref(), Some(&self.tree))?;
        Ok(changes.into_iter().map(|c| c.path).filter(|path| gate_paths::is_gate(path)).collect())
    }
}
