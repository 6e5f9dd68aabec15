//! Steps that need not run: what a step's result depends on, and the PASSes that earlier runs recorded under that.
//!
//! Called by `judging`, which runs what is left, and by `explain` and `ralph cache`. Reads trees, the state and the
//! machine's directories of programs; writes nothing.
//!
//! A PASS is kept in the state under the key of all that the step depends on. It counts where this machine's key sealed it,
//! it is young enough, it ran in as much of a sandbox as there has to be, and it ran on the very tree that is judged, on that of
//! the branch whose merge it is, or on one that trunk had. The last is against what runs in the same checkout: tests can leave
//! a forged tool behind, by which a step passes that would not have. So nothing counts that ran beside something else than
//! what is judged, or what people let into trunk; least of all an earlier commit of a branch, of which nobody sees anything.
//!
//! Deliberately absent: FAIL and BLOCKED, which are never taken from another run; running and recording (`judging`).

mod files;
mod keys;
mod known;
mod tools;

pub(crate) use files::{Picked, pick};
pub(crate) use keys::{Keyed, setup_reads_all};
pub use known::Objection;
pub(crate) use known::{Reuse, against, against_earlier, is_refuted, reuse};
pub(crate) use tools::of_machine;
