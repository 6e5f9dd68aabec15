//! Before a task changes hands: nobody is left at work on it, and what is there is kept.
//!
//! Called by whatever takes a task that another had. Kills only what a dead session started for that very task, and
//! writes `refs/orch/backup/wip/<id>`; the worktree, its index and the branch stay as they are.

use crate::domain::id::{SessionId, TaskId};
use crate::domain::task::Task;
use crate::git::Worktree;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::{lease, worktrees};
use crate::sys::ancestry;
use crate::sys::env::var;

/// A dead owner's task that may change hands now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secured {
    fence: u64,
    /// Whether there was anything to keep.
    pub(crate) kept: bool,
}

impl Secured {
    /// Whether it is still the same owner's.
    pub(crate) fn covers(&self, task: &Task) -> bool {
        self.fence == task.register.fence
    }
}

/// Ends what the agent of a dead owner left running and keeps what is in its worktree; None if the task has no owner,
/// a living one, or is ours. Ended first: two agents in one worktree spoil each other's work.
pub(crate) fn secure(cx: &Ctx, id: &TaskId) -> Result<Option<Secured>, OpError> {
    let Some(task) = cx.snapshot()?.task(id)? else { return Ok(None) };
    let Some(lease) = task.register.state.lease() else { return Ok(None) };
    if lease::is_ours(cx, lease)? || !lease::is_dead(cx, &task)? {
        return Ok(None);
    }
    if lease.owner.worker {
        end_orphans(id, &lease.owner.session);
    }
    let place = match worktree(cx, id)? {
        Some(worktree) => Some(worktree),
        None => elsewhere(cx, &task)?,
    };
    let kept = match place {
        Some(worktree) => worktrees::back_up(cx, &worktree, id)?.is_some(),
        None => false,
    };
    Ok(Some(Secured { fence: task.register.fence, kept }))
}

/// Keeps what is in a task's worktree before it changes hands.
pub(crate) fn keep(cx: &Ctx, id: &TaskId) -> Result<(), OpError> {
    match worktree(cx, id)? {
        Some(worktree) => worktrees::back_up(cx, &worktree, id).map(drop),
        None => Ok(()),
    }
}

fn worktree(cx: &Ctx, id: &TaskId) -> Result<Option<Worktree>, OpError> {
    Ok(cx.repo.worktree_at(&worktrees::path(cx, id))?.filter(Worktree::exists))
}

/// The checkout that `start --here` put on the task's branch.
fn elsewhere(cx: &Ctx, task: &Task) -> Result<Option<Worktree>, OpError> {
    let Some(work) = &task.register.work else { return Ok(None) };
    match worktrees::checkout_on(cx, &work.branch)? {
        Some(path) => Ok(cx.repo.worktree_at(&path)?),
        None => Ok(None),
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
