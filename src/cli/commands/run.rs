//! `git orch run`.

use std::num::NonZeroUsize;

use crate::cli::args::PickArgs;

/// What happens to a task that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum MergeChoice {
    /// It is merged at once.
    Auto,
    /// It waits for a person.
    Review,
}

/// Work through the queue by itself
///
/// Takes a ready task, lets an agent work on it in its worktree, commits what it did, asks Ralph, and hands
/// the agent what failed until it passes or the budget is spent; then the task is merged or left for review
/// (`[merge]` in `orch.toml`). An agent's own word never counts.
///
/// Ctrl-C stops after the current step, twice at once. The same command goes on where it stopped.
///
/// Exit 0: all that was taken is done or in review. 1: something failed. 3: something is blocked or asks for
/// a person. 5: nothing was ready.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch run --kind quality                        fix what the project's own fixers can fix
  git orch run --jobs 4 --until-empty --agent './agent.sh'
  git orch run --max-tasks 1 --merge review --label parser

An agent is any program: it gets its prompt on stdin and in $ORCH_PROMPT_FILE, and runs in the task's
worktree ($ORCH_WORKTREE) with $ORCH_TASK, $ORCH_SESSION and $ORCH_ITERATION set.")]
pub struct RunArgs {
    /// How many tasks at once [default: `git config orch.jobs`, else 1]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Stop after N tasks
    #[arg(long, value_name = "N")]
    pub max_tasks: Option<NonZeroUsize>,
    /// Go on until nothing is ready, also with what becomes ready meanwhile
    #[arg(long)]
    pub until_empty: bool,
    /// The agent: a shell command; outranks `orch.toml`
    #[arg(long, value_name = "CMD")]
    pub agent: Option<String>,
    /// What happens to a task that passed; outranks `orch.toml`
    #[arg(long, value_name = "WHAT", value_enum)]
    pub merge: Option<MergeChoice>,
    /// Which tasks.
    #[command(flatten)]
    pub pick: PickArgs,
    /// Print one JSON object a line for everything that happens
    #[arg(long)]
    pub json_events: bool,
}
