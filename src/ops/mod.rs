//! One user action, one function: each takes the context first, wires the engines together and returns a plain
//! value. Called by every surface and by the hooks.
//!
//! May touch everything below it. Invariants: no task changes hands but by `domain::task`'s rules inside a
//! transaction; trunk moves only in `merge`, under the queue lock, to a verified commit. Deliberately absent:
//! words for the terminal and exit codes.

mod accounted;
pub mod allow;
pub(crate) mod approvals;
pub mod approve;
mod asked;
pub mod attested;
pub mod audit;
pub mod begun;
pub mod cache;
pub mod checkouts;
pub mod commit;
mod compared;
pub mod context;
mod contract;
pub mod demo;
pub mod doctor;
pub mod editor;
pub mod error;
pub mod explain;
pub mod gateless;
mod guarded;
pub mod guardrails;
mod held;
pub mod hooks;
mod idle;
mod judging;
mod landed;
mod lease;
pub mod logs;
pub mod maintain;
mod making;
pub mod merge;
pub mod metrics;
pub mod mode;
pub mod needs;
pub mod observed;
pub mod overrides;
mod past_secrets;
pub mod people;
mod pool;
pub mod progress;
pub mod push;
mod put_back;
pub mod ralph;
pub mod ready;
mod rebranch;
mod regress;
pub mod reject;
mod remote;
mod request;
pub mod reuse;
pub mod revert;
pub mod run;
pub mod said;
mod sandbox;
mod seal;
pub mod seen;
pub mod setup;
mod sign;
pub mod staged;
pub mod status;
pub mod steps;
pub mod sync;
pub mod take;
mod takeover;
pub mod tasks;
mod unfinished;
mod warm;
pub mod worktrees;

pub use context::{Ctx, Trunk};
pub use error::{Because, OpError, Refused};
