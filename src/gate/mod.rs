//! Ralph, the gate: what a gate is, how it runs on a checkout, what its verdict is worth.
//!
//! Called by `ops`. Runs processes in the checkout that it is given, writes logs where it is told, and reads
//! (once makes) the verifier's key. Steps run with the rights of the user until the sandbox exists; a verdict
//! says so.
//!
//! Invariants: FAIL means that the tree is at fault; whatever else goes wrong (a missing program, a timeout, a
//! signal, a full disk, a tree that changed meanwhile, no steps) is BLOCKED; an interrupted run gives no
//! verdict. The definition's hash and the verdict's key are frozen: stored verdicts are found by them.
//! Deliberately absent: checkouts and their pool, storing and looking up verdicts, approvals (`ops`);
//! regressions.

mod attest;
pub mod breaker;
mod canon;
mod classify;
mod command;
mod context;
mod count;
mod covers;
mod definition;
pub mod detect;
mod environment;
pub mod findings;
pub mod flakes;
mod inputs;
mod log;
mod mac;
mod outcome;
mod plan;
mod quarantine;
mod reading;
mod regress;
mod run;
mod setup;
mod step;
mod step_key;
mod text;
mod verdict;

pub use attest::{NAMESPACE, envelope, signed_bytes, statement};
pub use context::RunContext;
pub use covers::{Covers, Extent};
pub use definition::{Base, Definition, key};
pub use environment::{PASSED, environment};
pub use inputs::{SetupInputs, TOOLS, decides_setup, may_name_local, names_local, only_installs};
pub use log::LOG_BYTES;
pub use mac::{FILE as KEY_FILE, KeyError, VerifierKey};
pub use outcome::{Event, Outcome, Stop, rule};
pub use plan::{Next, Progress, Stage, next, stages};
pub use quarantine::unmatched;
pub use regress::{Compared, compare};
pub use run::run;
pub use setup::SETUP;
pub use step_key::{builds_on, digest_of, due, step_definition, step_key};
pub use text::TAIL_BYTES;
pub use verdict::{Subject, verdict};

#[cfg(test)]
mod tests;
