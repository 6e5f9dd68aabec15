//! The orchestrator's commit of a task worktree: what an agent left becomes one commit on the task's branch.
//!
//! Called by the loop after every run of an agent. May read the worktree, write objects, move the task's branch
//! and replace the worktree's index; never changes a file of the worktree.
//!
//! Invariants: the git directory is the one that git-orch registered, never the one that the worktree's `.git`
//! file names; what is classified is exactly what is committed (blobs of a private index, not files that can
//! change in between); ignored, generated and secret-looking files are never committed, and never deleted; a
//! commit that breaks the contract is not made. Deliberately absent: judging the result (`ralph`), deciding what
//! comes next (`agent::wiggum`).

mod all;
mod own;
mod paths;
mod stage;
mod work;

pub use all::{Committed, commit_all};
pub(crate) use all::{bring_up, left, left_out, message, settle_index, shown};
pub(crate) use own::refuse_tampered;
pub use work::{Skipped, Work};
