//! `git orch doctor`: looks at everything that can go wrong in a clone, and repairs what can be repaired
//! without losing anything.
//!
//! Called by the surfaces. Every group of checks stands alone: what one can't read is a problem it names, not a
//! reason to stop. Repairs are only those after which nothing is gone: files of the state are written back from
//! its own history, hooks installed again, the index made anew. What a kill at any instant may leave behind, and
//! the next command carries on from, is a note, no problem.

mod check;
mod configuration;
mod derived;
mod environment;
mod examine;
mod hooks;
mod locks;
mod remotes;
mod state;
mod stock;
mod tasks;
mod trunk;
mod worktrees;

pub use check::{Check, Found, Mend};
pub use examine::{doctor, doctor_with};
