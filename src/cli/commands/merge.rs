//! `git orch merge`.

use clap_complete::engine::ArgValueCandidates;

use crate::cli::args::JsonArg;
use crate::cli::complete;

/// Merge a task into trunk, once Ralph passes on the result
///
/// Builds the merge without touching anybody's checkout, judges exactly that tree, and moves trunk to exactly
/// the commit that passed; then the task is done. With a remote, its trunk moves first. If trunk moved
/// meanwhile, everything is built and judged again. A conflict names the files, and nothing was changed.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch merge                   this checkout's task
  git orch merge 7k3f --no-push    a certain one, in this clone only")]
pub struct MergeArgs {
    /// The task or the branch [default: this checkout's task]
    #[arg(value_name = "TASK|BRANCH", add = ArgValueCandidates::new(complete::tasks))]
    pub target: Option<String>,
    /// Move trunk in this clone only
    #[arg(long)]
    pub no_push: bool,
    /// Merge in spite of FAIL or BLOCKED; recorded under your name, refused to agents
    #[arg(long = "override", requires = "reason")]
    pub override_verdict: bool,
    /// Why the verdict is overridden
    #[arg(short = 'm', long, value_name = "TEXT", requires = "override_verdict")]
    pub reason: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}
