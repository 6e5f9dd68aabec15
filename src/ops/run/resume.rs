//! The tasks of sessions that died on this machine.

use std::collections::VecDeque;

use crate::agent::prompt_file;
use crate::domain::id::{SessionId, TaskId};
use crate::domain::task::Task;
use crate::index::{Filter, Row};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError};
use crate::ops::run::agents::Agents;
use crate::ops::take::{self, Checkout};
use crate::ops::{lease, worktrees};
use crate::sys::env::var;
use crate::sys::{ancestry, fs};

/// Tasks of workers whose process ended here without giving them back, in the order of `next`.
pub(super) fn find(cx: &Ctx, filter: &Filter, agents: &Agents) -> Result<VecDeque<TaskId>, OpError> {
    let mut found = Vec::new();
    for task in cx.snapshot()?.tasks()?.tasks.into_values() {
        let Some(lease) = task.register.state.lease() else { continue };
        // Without its lock file a session is another machine's, and only time tells.
        let here = lease.owner.worker && fs::exists(&lease::live_path(cx, &lease.owner.session));
        let row = Row::new(&task, 0);
        if here && filter.matches(&row) && agents.covers(&row) && lease::is_dead(cx, &task)? {
            found.push(task);
        }
    }
    found.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(found.into_iter().map(|task| task.id).collect())
}

/// A task that a dead session left.
pub(super) struct Left {
    pub(super) task: Task,
    /// How many iterations it used. The one that it died in is not among them.
    pub(super) spent: u32,
}

/// Takes a dead session's task; None if another run was faster. What its agent left running is ended first: two
/// agents in one worktree spoil each other's work.
pub(super) fn take_over(cx: &Ctx, id: &TaskId) -> Result<Option<Left>, OpError> {
    let mut spent = 0;
    if let Some(task) = cx.snapshot()?.task(id)?
        && let Some(lease) = task.register.state.lease()
        && lease::is_dead(cx, &task)?
    {
        end_orphans(id, &lease.owner.session);
        spent = prompt_file::last(cx.repo.common_dir(), &lease.owner.session, id)?.saturating_sub(1);
    }
    keep(cx, id)?;
    match take::start(cx, id, Checkout::None, "run: resume") {
        Ok(taken) => Ok(Some(Left { task: taken.task, spent })),
        Err(OpError::Refused(refused)) if refused.because == Because::Held => Ok(None),
        Err(error) => Err(error),
    }
}

/// Kills the processes that `session`, whose own process is gone, started for the task: known by the variables that
/// it gave them.
fn end_orphans(id: &TaskId, session: &SessionId) {
    let mine = [(var::ORCH_TASK, id.as_str()), (var::ORCH_SESSION, session.as_str())];
    // Again, until there are none: one may have started another meanwhile.
    for _ in 0..8 {
        let pids = ancestry::with_variables(&mine);
        if pids.is_empty() {
            return;
        }
        for pid in pids {
            if let Err(error) = ancestry::kill(pid) {
                tracing::debug!(pid, %error, "an orphan of a dead session can't be killed");
            }
        }
    }
}

/// Keeps what is in a task's worktree before it changes hands. Says whether there was anything.
pub(super) fn keep(cx: &Ctx, id: &TaskId) -> Result<bool, OpError> {
    match cx.repo.worktree_at(&worktrees::path(cx, id))? {
        Some(worktree) => Ok(worktrees::back_up(cx, &worktree, id)?.is_some()),
        None => Ok(false),
    }
}
