//! `git orch release`, `block`, `unblock`, `close`, `reopen`: moves of one task.

use crate::cli::args::{OptionalTaskArg, TaskArg};

/// Give a task back to the queue
///
/// Branch, worktree and commits stay: whoever takes the task next goes on with them.
#[derive(Clone, Debug, clap::Args)]
pub struct ReleaseArgs {
    /// Which task.
    #[command(flatten)]
    pub target: OptionalTaskArg,
}

/// Keep a task from being taken
///
/// For what waits for something outside the queue. For another task, use `git orch dep add`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  git orch block 7k3f --reason \"the vendor has to answer first\"")]
pub struct BlockArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
    /// What it waits for
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
}

/// Put a blocked task back into the queue
#[derive(Clone, Debug, clap::Args)]
pub struct UnblockArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
}

/// Give a task up
///
/// For what is not needed or a double. Finished work is not closed by hand: `git orch merge` does it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  git orch close 7k3f --reason \"a double of 9xq2\"")]
pub struct CloseArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
    /// Why
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
}

/// Put a done or closed task back into the queue
#[derive(Clone, Debug, clap::Args)]
pub struct ReopenArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
}
