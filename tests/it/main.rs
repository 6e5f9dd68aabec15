//! The integration tests: real processes, real git, in directories of their own.
//!
//! One binary, because linking the product once per file would cost minutes. `tidy` fails if a file in this
//! directory is not declared here. How to add a test: docs/contributing.md.

#[cfg(test)]
mod agents;
mod approvals;
#[cfg(test)]
mod attest;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod blocked;
#[cfg(test)]
mod checkouts;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod commit_policy;
#[cfg(test)]
mod cycles;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod env;
#[cfg(test)]
mod events;
#[cfg(test)]
mod flakes;
#[cfg(test)]
mod flush;
#[cfg(test)]
mod format;
#[cfg(test)]
mod guard;
mod guardrails;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod maintain;
#[cfg(test)]
mod merge;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod network;
#[cfg(test)]
mod next;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod points;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod project;
mod projects;
#[cfg(test)]
mod pty;
#[cfg(test)]
mod push;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod ralph;
#[cfg(test)]
mod redact;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reuse;
#[cfg(test)]
mod run;
#[cfg(test)]
mod run_command;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod store;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod sync_chaos;
#[cfg(test)]
mod sync_faults;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tour;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod unjudged;
#[cfg(test)]
mod warm;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod worktrees;
