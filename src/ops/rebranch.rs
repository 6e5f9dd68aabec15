//! A task that changes teams: its work moves to a branch with the other team's prefix.
//!
//! Called by `edit`. The new branch is made first and the old one goes last, so that a kill at any instant leaves the
//! work under at least one of the two names.

use crate::domain::branch;
use crate::domain::oid::MaybeOid;
use crate::domain::task::{State, Task};
use crate::git::{Cas, RefChange};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::{people, worktrees};

/// The branch that the work of `task` belongs on; None if it is there, or nobody began.
pub(super) fn wanted(task: &Task) -> Option<String> {
    let old = &task.register.work.as_ref()?.branch;
    let (from, to) = (branch::team(old)?, task.effective_role().team());
    let rest = old.strip_prefix(from.branch_prefix())?;
    (from != to).then(|| format!("{}{rest}", to.branch_prefix()))
}

/// Refuses where the contract is not the caller's to choose, or the branch is in use by a worker.
pub(super) fn permit(cx: &Ctx, task: &Task) -> Result<(), OpError> {
    people::refuse_agents(cx, "hold a task to another team's contract")?;
    let worker = match &task.register.state {
        State::Claimed(lease) => lease.owner.worker,
        State::Merging(_) => true,
        State::Open | State::Review | State::Blocked(_) | State::Done(_) | State::Closed(_) => false,
    };
    if worker {
        let fact = format!("task {} is being worked on: its branch can't move to another team now", task.id);
        return Err(Refused::new(Because::Held, "task.at_work", fact)
            .next("stop `git orch run` with Ctrl-C, or wait until it is through with the task")
            .next(format!("git orch release {}   (if nobody is)", task.id))
            .into());
    }
    Ok(())
}

/// Makes the branch `new` where the task's is. What is there under that name already must be the same work.
pub(super) fn make(cx: &Ctx, task: &Task, new: &str) -> Result<(), OpError> {
    let Some(work) = &task.register.work else { return Ok(()) };
    let Some(tip) = cx.repo.ref_target(&full(&work.branch))? else { return Ok(()) };
    let there = match cx.repo.ref_target(&full(new))? {
        Some(there) => Some(there),
        None => {
            let change = RefChange { name: full(new), old: MaybeOid::Zero, new: tip.clone() };
            match cx.repo.move_user_ref(&change, "git orch edit: another team's")? {
                Cas::Moved => return Ok(()),
                Cas::Lost(there) => there,
            }
        }
    };
    if there == Some(tip) {
        return Ok(());
    }
    let fact = format!("there is a branch {new} already, and it is not at {}", work.branch);
    Err(Refused::new(Because::Policy, "branch.occupied", fact)
        .next(format!("git branch -m {new} NAME   (it keeps what is on it)"))
        .into())
}

/// Takes checkouts of the branch `old` along to `new`, and the old name away. What git still needs it for, a rebase
/// under way, keeps it.
pub(super) fn leave(cx: &Ctx, task: &Task, old: &str, new: &str) -> Result<(), OpError> {
    let (Some(tip), Some(there)) = (cx.repo.ref_target(&full(old))?, cx.repo.ref_target(&full(new))?) else {
        return Ok(());
    };
    if tip != there {
        return Ok(());
    }
    let own = worktrees::path(cx, &task.id);
    for worktree in cx.repo.worktrees()? {
        if worktree.head.branch() == Some(old) && worktree.exists() {
            cx.repo
                .git_in(&worktree, ["symbolic-ref", "-m", "git orch edit", "HEAD", &full(new)])
                .run()?
                .checked()?;
        } else if worktree.path == own && worktree.head.branch().is_none() {
            return Ok(());
        }
    }
    Ok(cx.repo.delete_ref(&full(old), &tip)?)
}

fn full(branch: &str) -> String {
    format!("refs/heads/{branch}")
}
