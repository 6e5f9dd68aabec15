//! `git orch maintain`: keeps the state small, without losing anything of it.
//!
//! Called by the surfaces. Four steps, each by itself safe to be killed in: where a person asks for it, the history is
//! let go (first: the next step would make it young again); finished tasks that were left alone for `orch.archiveAfter`
//! go to the archive; records of steps that old go; objects of ours that lie loose are packed. Deliberately absent: doing it
//! unasked. What comes out is the same for whoever types it, but commits are made, and a person wants to know by whom.

mod archive;
mod pass;
mod squash;
mod steps;

pub use pass::{Options, Report, maintain};
