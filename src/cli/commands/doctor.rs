//! `git orch doctor`.

use crate::cli::args::JsonArg;

/// Look for what is wrong, and repair it
///
/// Checks the state, the hooks, the worktrees and what surrounds them; for each problem it says where it is
/// and what to type. Exit 1 if there are problems.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// Repair what can be repaired without losing anything
    #[arg(long)]
    pub fix: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}
