//! What is to be committed, and what was left out.

use crate::agent::commit_filter::Reason;
use crate::domain::oid::Oid;
use crate::domain::task::Task;
use crate::git::Worktree;
use crate::ops::error::OpError;
use crate::ops::progress::Event;

/// A task's worktree after somebody worked in it.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The task; it has a branch.
    pub task: &'a Task,
    /// Its worktree, as git-orch registered it.
    pub worktree: &'a Worktree,
    /// Where the branch was before.
    pub since: &'a Oid,
}

impl Work<'_> {
    pub(super) fn branch(&self) -> Result<&str, OpError> {
        match &self.task.register.work {
            Some(work) => Ok(&work.branch),
            None => Err(OpError::Bug(format!("task {} is worked on and has no branch", self.task.id))),
        }
    }

    pub(super) fn note(&self, text: String) -> Event {
        Event::Note { task: Some(self.task.id.clone()), text }
    }
}

/// A file that was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its path, relative to the worktree.
    pub path: String,
    /// Why.
    pub reason: Reason,
}
