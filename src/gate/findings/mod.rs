//! Readers of reports: what a step's tool printed, or wrote into a file, as findings.
//!
//! Called by `ops`, with the text in hand: nothing here opens a file or starts a process. The files of the judged tree come
//! through [`Sources`], and only for fingerprints and columns.
//!
//! Invariants: what can't be read, or breaks off, is an error and never an empty report; whatever the text is, nothing
//! panics, and what is kept is bounded. A fingerprint is taken over what was found, never over where: its encoding is
//! frozen, because stored baselines are compared by it. Deliberately absent: which findings count (the caller's
//! policy), which are new (`domain::finding`), running the tools.

mod cargo;
mod cobertura;
mod eslint;
mod fingerprint;
mod format;
mod go;
mod jest;
mod json;
mod junit;
mod lcov;
mod libtest;
mod mypy;
mod pattern;
mod place;
mod problem;
mod pytest;
mod read;
mod report;
mod ruff;
mod sarif;
mod settle;
mod source;
mod tsc;
mod xml;

pub use format::{Format, FormatError};
pub use problem::FINDINGS;
pub use read::read;
pub use report::{Coverage, Report, ReportError, Tests};
pub use source::Sources;

#[cfg(test)]
mod tests;
