//! `git orch next`.

use crate::cli::args::{JsonArg, PickArgs};

/// Take the next ready task, in a worktree of its own
///
/// Picks the most urgent ready task (P0 first, then the oldest), claims it for you, makes its branch from
/// trunk and a worktree for it, and prints the brief and the command to go there. However many ask at once,
/// each gets another task.
///
/// Nothing ready: exit 5, with what is in the way.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch next                            take it
  git orch next --peek                     only look
  git orch next --team qa --label parser   the next one of these
  cd \"$(git orch next --json | jq -r .path)\"")]
pub struct NextArgs {
    /// Only show which task it would be
    #[arg(long, conflicts_with_all = ["no_worktree", "require_confirmed"])]
    pub peek: bool,
    /// Which tasks.
    #[command(flatten)]
    pub pick: PickArgs,
    /// Claim it, but make no worktree
    #[arg(long)]
    pub no_worktree: bool,
    /// Fail with exit 7 unless the remote confirms the claim
    #[arg(long)]
    pub require_confirmed: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}
