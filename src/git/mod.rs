//! The repository: where it is, its objects, refs and worktrees, and the `git` program.
//!
//! Used by `store`, the engines and `ops`. Objects and refs go through gix in process; what gix can't do
//! (reftable refs, merges, worktrees, transports) goes through one builder for the `git` program, which
//! scrubs git's own variables and switches hooks and automatic maintenance off. The only writer is
//! `durable`. Deliberately absent: anything that knows tasks, verdicts or the layout of the state.

mod chain;
mod command_line;
mod commit;
mod config;
mod delta;
mod diff;
mod durable;
mod error;
mod exact;
mod fresh;
mod head;
mod join;
mod lines;
mod loose;
mod new_commit;
mod pack;
mod packing;
mod program;
mod read;
mod refs;
mod repo;
mod stock;
mod worktree;
#[cfg(test)]
pub(crate) mod world;

pub use chain::{Chain, Link};
pub use commit::MergeTree;
pub use config::Settings;
pub use diff::{FileChange, FileStatus};
pub use durable::{Batch, Object};
pub use error::GitError;
pub use exact::Shown;
pub use fresh::Pending;
pub use head::Head;
pub use lines::LinesError;
pub use new_commit::NewCommit;
pub use packing::Packing;
pub use program::{LOCAL_VARIABLES, scrubbed};
pub use read::{CommitInfo, Entry, EntryKind, TreeChange};
pub use refs::{Cas, RefChange, is_left_by_us};
pub use repo::Repo;
pub use stock::Stock;
pub use worktree::{BLIND, Dirt, Status, Worktree};
