//! `git orch log`.

use clap_complete::engine::ArgValueCandidates;

use crate::cli::args::JsonArg;
use crate::cli::complete;

/// Show who changed what
///
/// Every change of state, newest first. The same can be read with plain git: `git log refs/orch/state`.
#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// Only changes of this task
    #[arg(value_name = "TASK", add = ArgValueCandidates::new(complete::tasks))]
    pub task: Option<String>,
    /// Stop after N changes
    #[arg(short = 'n', long, value_name = "N", default_value = "50")]
    pub limit: usize,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}
