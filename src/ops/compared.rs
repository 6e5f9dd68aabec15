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
    /// The commit itself.
    pub(crate) commit: Oid,
    /// The policy tip; None: there is none.
    pub(crate) trunk: Option<Oid>,
    /// The merge base, where there is one.
    pub(crate) fork: Option<Oid>,
}

impl Compared {
    /// Of `commit`. Where there is no policy tip there is nothing to compare with, and nothing is a change.
    pub(crate) fn of(cx: &Ctx, trunk: &Trunk, commit: &Oid) -> Result<Self, OpError> {
        let tree = cx.repo.tree_of(commit)?;
        let fork = match trunk.tip() {
            None => Some(commit.clone()),
            Some(tip) => cx.repo.merge_base(tip, commit)?,
        };
        let base = match &fork {
            Some(fork) => Some(cx.repo.tree_of(fork)?),
            None => None,
        };
        Ok(Self { base, tree, commit: commit.clone(), trunk: trunk.tip().cloned(), fork })
    }

    /// Whether the commit is on trunk already, or there is no trunk.
    pub(crate) fn is_on_trunk(&self) -> bool {
        self.fork.as_ref() == Some(&self.commit)
    }

    /// What it is compared with: the empty tree where there is nothing.
    pub(crate) fn before(&self, cx: &Ctx) -> Oid {
        self.base.clone().unwrap_or_else(|| cx.repo.empty_tree())
    }

    /// The files of the gate that it changes.
    pub(crate) fn gate_files(&self, cx: &Ctx) -> Result<Vec<String>, OpError> {
        let changes = cx.repo.tree_changes(self.base.as_ref(), Some(&self.tree))?;
        Ok(changes.into_iter().map(|c| c.path).filter(|path| gate_paths::is_gate(path)).collect())
    }
}
