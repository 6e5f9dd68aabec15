//! `git orch status`.

use crate::cli::args::JsonArg;

/// Show where the repository stands
///
/// Trunk, the hooks, the queue, what you hold, what is next.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StatusArgs {
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}
