//! Guardrails: what a change may not bring in, whoever makes it.
//!
//! Called by the gate with the lines that a change adds and removes (`git::Repo::line_changes`). Pure: rules and changes
//! are values, and the same ones give the same hits in the same order. Invariants: a line that the change does not add
//! gives no hit, and one that it only moves gives none either; a secret is in no message and in no fingerprint.
//! Deliberately absent: what a hit does to a verdict, who may allow what (the caller says how far exceptions reach), and
//! the gate's own files, which `policy::gate_paths` blocks.

mod change;
mod check;
mod conflict;
mod exception;
mod gone;
mod hit;
mod matching;
mod moved;
mod parse;
mod problem;
mod rule;
mod secret;
#[cfg(test)]
mod tests;

pub use change::{Change, Line};
pub use check::{Allowed, Checked, Exceptions, Excuse, check};
pub use problem::RuleProblem;
pub use rule::{Allow, Kind, Rule, Rules};
