//! `git orch start`.

use clap_complete::engine::ArgValueCandidates;

use crate::cli::args::{JsonArg, kind};
use crate::cli::complete;
use crate::domain::task::Kind;

/// Take a certain task, or make one of what you have begun
///
/// With TASK it does what `git orch next` does, for that task. With `--here` it is the way out when you have
/// edits on trunk: a new task and its branch from the current HEAD, in this checkout; index and files stay as
/// they are.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch start 7k3f
  git orch start --here --title \"Handle empty files\" --kind bug")]
pub struct StartArgs {
    /// The task: its id or the beginning of it
    #[arg(
        value_name = "TASK",
        required_unless_present = "here",
        conflicts_with = "here",
        add = ArgValueCandidates::new(complete::tasks)
    )]
    pub task: Option<String>,
    /// Make a task and its branch from HEAD, in this checkout
    #[arg(long, conflicts_with = "no_worktree")]
    pub here: bool,
    /// The new task's title [default: made from the changed files]
    #[arg(long, value_name = "TITLE", requires = "here")]
    pub title: Option<String>,
    /// The new task's kind [default: feature]
    #[arg(long, value_name = "KIND", value_parser = kind(), requires = "here")]
    pub kind: Option<Kind>,
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
