//! `git orch ralph`, also called `gate`.

use crate::cli::args::JsonArg;

/// Judge a commit: PASS, FAIL or BLOCKED
///
/// Runs the steps of trunk's `orch.toml` on a clean checkout of exactly that tree, never on the files that
/// lie around. The verdict is kept: the same tree under the same gate is answered at once. The last line of
/// stdout is the word.
///
/// PASS: exit 0. FAIL, something is wrong with the tree: exit 1. BLOCKED, it could not be judged (a missing
/// tool, a timeout, no steps): exit 3.
#[derive(Clone, Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  git orch ralph                   judge HEAD
  git orch ralph main --fresh      judge main again
  git orch ralph steps             what would be run
  git orch ralph steps --detect    what `init` would propose for this repository")]
pub struct RalphArgs {
    /// The commit to judge [default: HEAD]
    #[arg(value_name = "REV")]
    pub rev: Option<String>,
    /// Run the steps even if there is a verdict
    #[arg(long)]
    pub fresh: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
    /// Print one JSON object a line for everything that happens
    #[arg(long, conflicts_with = "json")]
    pub json_events: bool,
    /// Something else than judging.
    #[command(subcommand)]
    pub action: Option<RalphAction>,
}

/// What to do instead of judging.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum RalphAction {
    /// Show the steps of the gate
    Steps(RalphStepsArgs),
}

/// Which steps.
#[derive(Clone, Debug, clap::Args)]
pub struct RalphStepsArgs {
    /// Those that would be proposed for this repository, instead of those of trunk
    #[arg(long)]
    pub detect: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}
