//! `git orch worktree`.

use crate::cli::args::{JsonArg, OptionalTaskArg};

/// The worktrees of tasks
#[derive(Clone, Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  cd \"$(git orch worktree path 7k3f)\"
  git orch worktree prune --dry-run")]
pub struct WorktreeArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: WorktreeAction,
}

/// What to do with worktrees.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum WorktreeAction {
    /// List them, with what is in each that exists nowhere else
    List(WorktreeListArgs),
    /// Print where a task's worktree is
    Path(WorktreePathArgs),
    /// Remove those that are no longer needed
    ///
    /// Only worktrees of finished tasks. One with anything uncommitted, untracked or unpushed is kept, and
    /// you are told why.
    Prune(WorktreePruneArgs),
}

/// How to list.
#[derive(Clone, Debug, clap::Args)]
pub struct WorktreeListArgs {
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

/// Whose path.
#[derive(Clone, Debug, clap::Args)]
pub struct WorktreePathArgs {
    /// Which task.
    #[command(flatten)]
    pub target: OptionalTaskArg,
}

/// How to prune.
#[derive(Clone, Debug, clap::Args)]
pub struct WorktreePruneArgs {
    /// Show what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}
