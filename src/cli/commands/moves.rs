//! `git orch release`, `block`, `unblock`, `close`, `reopen`: moves of tasks.

use crate::cli::args::{OptionalTasksArg, TasksArg};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::id::TaskId;
use crate::ops::steps::{self, Step};
use crate::ops::tasks;

/// Give a task back to the queue
///
/// Branch, worktree and commits stay: whoever takes the task next goes on with them.
#[derive(Clone, Debug, clap::Args)]
pub struct ReleaseArgs {
    /// Which tasks.
    #[command(flatten)]
    pub target: OptionalTasksArg,
}

/// Keep a task from being taken
///
/// For what waits for something outside the queue. For another task, use `git orch dep add`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  git orch block 7k3f --reason \"the vendor has to answer first\"")]
pub struct BlockArgs {
    /// Which tasks.
    #[command(flatten)]
    pub target: TasksArg,
    /// What it waits for
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
}

/// Put a blocked task back into the queue
#[derive(Clone, Debug, clap::Args)]
pub struct UnblockArgs {
    /// Which tasks.
    #[command(flatten)]
    pub target: TasksArg,
}

/// Give a task up
///
/// For what is not needed or a double. Finished work is not closed by hand: `git orch merge` does it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  git orch close 7k3f --reason \"a double of 9xq2\"")]
pub struct CloseArgs {
    /// Which tasks.
    #[command(flatten)]
    pub target: TasksArg,
    /// Why
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
}

/// Put a done or closed task back into the queue
#[derive(Clone, Debug, clap::Args)]
pub struct ReopenArgs {
    /// Which tasks.
    #[command(flatten)]
    pub target: TasksArg,
}

/// One of the moves, with the tasks that it is about; without any, this checkout's.
pub(super) fn run(
    cx: &Invocation<'_>,
    out: &mut Out,
    named: &[String],
    step: &Step,
) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let mut ids: Vec<TaskId> = Vec::new();
    let snapshot = cx.snapshot()?;
    for id in named.iter().map(|text| tasks::resolve(&snapshot, text)) {
        let id = id?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.is_empty() {
        ids.push(wire::task_or_here(&cx, &snapshot, None)?);
    }
    let moved = steps::step(&cx, &ids, step)?;
    let did = match step {
        Step::Release => "Released",
        Step::Block(_) => "Blocked",
        Step::Unblock => "Unblocked",
        Step::Close(_) => "Closed",
        Step::Reopen => "Reopened",
    };
    for task in &moved {
        out.status(&format!("{did} {} {}: {}", task.kind.value.as_str(), task.id, task.title.value));
    }
    Ok(Exit::Done)
}
