//! The driver `autofix`: an agent that needs no model. It runs the project's own fixers.
//!
//! `look` gathers facts about the worktree, `plan` chooses fixers (pure), `run` runs them one after the
//! other. A fixer that ends with an error, or is not installed, is reported and does not end the run: what
//! it could not fix shows in Ralph's verdict. Deliberately absent: installing anything.

mod look;
mod plan;
mod run;

pub use look::look;
pub use plan::{Facts, Fixer, Root, plan};
pub use run::Autofix;
