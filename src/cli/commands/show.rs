//! `git orch show`.

use crate::cli::args::{JsonArg, TaskArg};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::tasks;
use crate::report;

/// Show a task in full
#[derive(Clone, Debug, clap::Args)]
pub struct ShowArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &ShowArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let snapshot = cx.snapshot()?;
    let id = tasks::resolve(&snapshot, &args.target.task)?;
    let view = wire::view(&cx, &snapshot, &tasks::find(&snapshot, &id)?)?;
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::task(&view, out.page()));
    }
    Ok(Exit::Done)
}
