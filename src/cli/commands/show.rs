//! `git orch show`.

use crate::cli::args::{JsonArg, TaskArg};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::task::{State, Task};
use crate::ops::Ctx;
use crate::ops::ready::standing;
use crate::ops::run::out_of_conflict;
use crate::ops::said::said;
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
    let task = tasks::find(&snapshot, &id)?;
    let (ready, cycles) = standing(&cx, &snapshot, &task)?;
    wire::warn_of_cycles(out, &cycles);
    let view = wire::view_ready(&cx, &task, ready);
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::task(&view, out.page()));
        for hint in hints(&cx, &task)? {
            out.hint(&hint);
        }
    }
    Ok(Exit::Done)
}

/// What a task that waits for a person wants to be typed.
fn hints(cx: &Ctx, task: &Task) -> Result<Vec<String>, CommandError> {
    let id = &task.id;
    Ok(match &task.register.state {
        State::Blocked(why) => {
            let said = said(cx, id).map(|path| format!("what its agent said is in {}", path.display()));
            let back = match out_of_conflict(id, &cx.trunk(&cx.snapshot()?)?, why) {
                Some(way) => format!("{way}; `git orch close {id} --reason TEXT` gives it up"),
                None => format!(
                    "`git orch unblock {id}` puts it back into the queue, `git orch close {id} --reason TEXT` gives it up"
                ),
            };
            said.into_iter().chain([back]).collect()
        }
        State::Review => {
            let trunk = cx.trunk(&cx.snapshot()?)?;
            let branch = task.register.work.as_ref().map_or("BRANCH", |work| work.branch.as_str());
            vec![
                format!("`git diff {}...{branch}` shows what it changes", trunk.tip_name()),
                format!("`git orch merge {id}` merges it, `git orch block {id} --reason TEXT` sets it aside"),
            ]
        }
        State::Open | State::Claimed(_) | State::Merging(_) | State::Done(_) | State::Closed(_) => Vec::new(),
    })
}
