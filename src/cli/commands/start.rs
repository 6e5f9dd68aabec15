//! `git orch start`.

use crate::cli::command_error::CommandError;
use crate::cli::commands::next;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::draft::{self, Draft};
use crate::ops::begun::{self, Begun};
use crate::ops::take::{self, Taken};
use crate::report::words::plural;
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
            let id = take::named(&cx, text)?;
            take::start(&cx, &id, next::how(args.no_worktree, args.require_confirmed), "start")?
        }
        None => {
            let begun = begun::begun_here(&cx)?;
            let taken = begun::start_here(&cx, &args.draft(&begun)?)?;
            say_made(out, &taken, &begun);
            taken
        }
    };
    Ok(next::show(&cx, out, &taken, args.output.json))
}

/// Says that there is a new task, and of what: who typed it by mistake has one more than they think.
fn say_made(out: &mut Out, taken: &Taken, begun: &Begun) {
    let task = &taken.task;
    let of = match (begun.files.len(), begun.commits) {
        (0, false) => {
            out.warn(&format!("nothing is begun here: task {} was made all the same", task.id));
            out.hint(&format!("`git orch close {} --reason TEXT` if that was a mistake", task.id));
            return;
        }
        (0, true) => "the commits".to_owned(),
        (files, false) => plural(files, "changed file"),
        (files, true) => format!("the commits and {}", plural(files, "changed file")),
    };
    out.status(&format!("Made {} {} of {of} here.", task.kind.value.as_str(), task.id));
}

impl StartArgs {
    fn draft(&self, begun: &Begun) -> Result<Draft, CommandError> {
        let title = match &self.title {
            Some(title) => title.clone(),
            None => begun.title(),
        };
        Ok(Draft { kind: self.kind.unwrap_or(Kind::Feature), ..Draft::new(draft::title(&title)?) })
    }
}
