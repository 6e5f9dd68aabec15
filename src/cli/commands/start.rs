//! `git orch start`.

use crate::cli::command_error::CommandError;
use crate::cli::commands::next;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::draft::{self, Draft};
use crate::ops::{Ctx, take, tasks};
use clap_complete::engine::ArgValueCandidates;

use crate::cli::args::{JsonArg, kind};
use crate::cli::candidates;
use crate::domain::kind::Kind;

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
        add = ArgValueCandidates::new(candidates::tasks)
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

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &StartArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    next::refuse_unconfirmed(&cx, args.require_confirmed)?;
    let taken = match &args.task {
        Some(text) => {
            let id = tasks::resolve(&cx.snapshot()?, text)?;
            take::start(&cx, &id, next::checkout(args.no_worktree), "start")?
        }
        None => take::start_here(&cx, &args.draft(&cx)?)?,
    };
    Ok(next::show(&cx, out, &taken, args.output.json))
}

impl StartArgs {
    fn draft(&self, cx: &Ctx) -> Result<Draft, CommandError> {
        let title = match &self.title {
            Some(title) => title.clone(),
            None => take::title_here(cx)?,
        };
        Ok(Draft { kind: self.kind.unwrap_or(Kind::Feature), ..Draft::new(draft::title(&title)?) })
    }
}
