//! Before a task changes hands: nobody is left at work on it, and what is there is kept.
//!
//! Called by whatever takes a task that another had. Kills only what a dead session started for that very task, and
//! writes `refs/orch/backup/wip/<id>`; the worktree, its index and the branch stay as they are.

use std::io;
use std::time::Duration;

use crate::domain::id::{SessionId, TaskId};
use crate::domain::task::Task;
use crate::git::Worktree;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::{lease, worktrees};
use crate::sys::ancestry;
use crate::sys::clock::Clock;
use crate::sys::env::var;

/// The refusal of a task that somebody may still be at work on.
pub(crate) const ORPHAN: &str = "task.orphan";
/// How long what was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// A dead owner's task that may change hands now.
#[derive(Clone, Debug)]
pub(crate) struct Secured {
    fence: u64,
    session: SessionId,
    /// Whether there was anything to keep.
    pub(crate) kept: bool,
}

impl Secured {
    /// Whether it is still the same owner's.
    pub(crate) fn covers(&self, task: &Task) -> bool {
        let lease = task.register.state.lease();
        self.fence == task.register.fence && lease.is_some_and(|lease| lease.owner.session == self.session)
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
        end_orphans(id, &lease.owner.session)?;
    }
    let place = match worktree(cx, id)? {
        Some(worktree) => Some(worktree),
        None => elsewhere(cx, &task)?,
    };
    let kept = match place {
        Some(worktree) => worktrees::back_up(cx, &worktree, id)?.is_some(),
        None => false,
    };
    Ok(Some(Secured { fence: task.register.fence, session: lease.owner.session.clone(), kept }))
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
/// it gave them. Refused while one is left.
fn end_orphans(id: &TaskId, session: &SessionId) -> Result<(), OpError> {
    let mine = [(var::ORCH_TASK, id.as_str()), (var::ORCH_SESSION, session.as_str())];
    let left = end_all(&|| ancestry::with_variables(&mine), &ancestry::kill, PATIENCE);
    let Err((pid, why)) = left else { return Ok(()) };
    let fact =
        format!("process {pid}, which a dead session left at work on task {id}, can't be ended: {why}");
    Err(Refused::new(Because::Held, ORPHAN, fact)
        .next(format!("end process {pid}, then take the task again: git orch start {id}"))
        .into())
}

/// Kills what `find` finds until it finds nothing more: one may have started another meanwhile. One that is left after
/// `patience`, or that can't be killed, with the reason.
fn end_all(
    find: &dyn Fn() -> Vec<i32>,
    kill: &dyn Fn(i32) -> io::Result<()>,
    patience: Duration,
) -> Result<(), (i32, String)> {
    let start = Clock.monotonic();
    loop {
        let pids = find();
        let Some(first) = pids.first() else { return Ok(()) };
        if start.elapsed() > patience {
            return Err((*first, "it, or another in its place, goes on".to_owned()));
        }
        for pid in pids {
            kill(pid).map_err(|error| (pid, error.to_string()))?;
        }
        Clock.wait(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn nobody_takes_over_while_one_is_at_work() {
        let left = Cell::new(3);
        let find = || (0..left.get()).map(|n| n + 70).collect::<Vec<i32>>();
        let one_by_one = |_: i32| {
            left.set(left.get() - 1);
            Ok(())
        };
        assert_eq!(end_all(&find, &one_by_one, PATIENCE), Ok(()));
        left.set(1);
        let forbidden = |_: i32| Err(io::ErrorKind::PermissionDenied.into());
        assert_eq!(end_all(&find, &forbidden, PATIENCE), Err((70, "permission denied".to_owned())));
        let immortal = |_: i32| Ok(());
        assert_eq!(end_all(&find, &immortal, Duration::ZERO).map_err(|(pid, _)| pid), Err(70));
    }
}
