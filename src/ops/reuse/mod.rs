//! Steps that need not run: what a step's result depends on, and the PASSes that earlier runs recorded under that.
//!
//! Called by `judging`, which runs what is left, and by `explain` and `ralph cache`. Reads trees, the state and the
//! machine's directories of programs; writes nothing.
//!
//! A PASS is kept in the state under the key of all that the step depends on. It counts where this machine's key sealed it,
//! it is young enough, it ran in as much of a sandbox as there has to be, and its commit is part of the history that is
//! judged, or it was made for the same task. The last is against what runs in the same checkout: a branch's tests can leave
//! a forged tool behind, by which a step passes that would not have. Whatever a branch forges so holds for that branch, and
//! for others only once people let it into trunk.
//!
//! Deliberately absent: FAIL and BLOCKED, which are never taken from another run; running and recording (`judging`).

mod files;
mod keys;
mod known;
mod tools;

pub(crate) use files::{Picked, pick};
pub(crate) use keys::Keyed;
pub use known::Objection;
pub(crate) use known::{Reuse, is_refuted, reuse};
pub(crate) use tools::of_machine;
