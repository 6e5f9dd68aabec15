//! Making commits and merging trees without touching anyone's checkout.

use crate::domain::oid::Oid;
use crate::git::durable::Batch;
use crate::git::error::GitError;
use crate::git::new_commit::NewCommit;
use crate::git::repo::Repo;
use crate::sys::fs::Durability;

/// What merging two commits gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeTree {
    /// The merged tree.
    Clean(Oid),
    /// The paths at which they conflict.
    Conflict(Vec<String>),
}

impl Repo {
    /// Writes one commit durably; its tree and parents must be there already.
    pub fn write_commit(&self, commit: &NewCommit) -> Result<Oid, GitError> {
        let mut batch = Batch::new(self);
        let oid = batch.commit(commit)?;
        batch.persist(Durability::Commit)?;
        Ok(oid)
    }

    /// Merges `theirs` into `ours` as `git merge` would, in the object database only.
    pub fn merge_tree(&self, ours: &Oid, theirs: &Oid) -> Result<MergeTree, GitError> {
        let output = self
            .git(["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"])
            .args([ours.as_str(), theirs.as_str()])
            .run()?;
        // Exit 1 means conflicts; everything above is an error of git's.
        if output.status.code().is_none_or(|code| code > 1) {
            output.checked()?;
            return Err(GitError::Malformed { path: "git merge-tree".into(), what: "no status".into() });
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut parts = text.split('\0').filter(|part| !part.is_empty());
        let tree = Oid::parse(parts.next().unwrap_or_default())?;
        if output.status.success() {
            Ok(MergeTree::Clean(tree))
        } else {
            Ok(MergeTree::Conflict(parts.map(str::to_owned).collect()))
        }
    }
}
