//! `git orch show`.

use crate::cli::args::{JsonArg, TaskArg};

/// Show a task in full
#[derive(Clone, Debug, clap::Args)]
pub struct ShowArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}
