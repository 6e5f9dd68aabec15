//! `git orch dep`.

use clap_complete::engine::ArgValueCandidates;

use crate::cli::args::{JsonArg, TaskArg};
use crate::cli::complete;

/// What a task needs before it can be taken
///
/// A task is ready when everything that it needs is merged. A cycle is refused, with its path.
#[derive(Clone, Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  git orch dep add 7k3f 9xq2     7k3f waits until 9xq2 is merged
  git orch dep tree 7k3f         everything that 7k3f waits for")]
pub struct DepArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: DepAction,
}

/// What to do with dependencies.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum DepAction {
    /// Make a task wait for others
    Add(DepEdgeArgs),
    /// Let a task no longer wait for others
    Rm(DepEdgeArgs),
    /// Show everything that a task waits for
    Tree(DepTreeArgs),
}

/// A task and those that it needs.
#[derive(Clone, Debug, clap::Args)]
pub struct DepEdgeArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
    /// The tasks that it needs
    #[arg(value_name = "NEEDS", required = true, add = ArgValueCandidates::new(complete::tasks))]
    pub needs: Vec<String>,
}

/// The root of the tree.
#[derive(Clone, Debug, clap::Args)]
pub struct DepTreeArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}
