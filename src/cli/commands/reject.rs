//! `git orch reject`.

use crate::cli::candidates;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::task::State;
use crate::ops::reject;
use clap_complete::engine::ArgValueCandidates;

/// Send a task's work back, with the reason
///
/// The opposite of `approve` and `merge`: the task goes back into the queue, or stays with who holds it, and the reason
/// is part of the next prompt of its agent. What was looked at counts as work that is not wanted: an agent that leaves it
/// as it is has not done the task, though Ralph passes. Branch, worktree and commits stay. A person's command, typed
/// outside of task worktrees.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  git orch reject 7k3f --reason \"the cache must not outlive the request\"")]
pub struct RejectArgs {
    /// The task
    #[arg(value_name = "TASK", add = ArgValueCandidates::new(candidates::tasks))]
    pub task: String,
    /// What is wrong with it
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &RejectArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let task = reject::reject(&cx, &args.task, &args.reason)?;
    out.status(&format!("Rejected {} {}: {}", task.kind.value.as_str(), task.id, task.title.value));
    match &task.register.state {
        State::Claimed(lease) => {
            out.hint(&format!("it stays with {}; an agent is told in its next iteration", lease.owner.actor));
        }
        _ => out.hint("it is open again: whoever takes it next is told why, and goes on with its branch"),
    }
    Ok(Exit::Done)
}
