//! A gate proposed from what a repository is, for `init` and `ralph steps --detect`.
//!
//! Reads a checkout through `Facts` and runs nothing. A proposal holds only what the repository itself shows
//! that it uses (a script, a configuration, a lock file, a test), each step with the reason; what is missing
//! or unusual becomes a hint for the person who reads it.

mod cargo;
mod facts;
mod go;
mod node;
mod others;
mod project;
mod proposal;
mod propose;
mod python;
mod render;
mod scripts;

pub use facts::{Facts, tools};
pub use proposal::{Proposal, Proposed};
pub use propose::propose;
pub use render::render;

#[cfg(test)]
mod tests;
