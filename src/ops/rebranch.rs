//! A task that changes teams: its work moves to a branch with the other team's prefix.
//!
//! Called by `edit`, by whatever makes or finds the task's worktree, and by `merge`. The new branch is made first and
//! the old one goes last, so that a kill at any instant leaves the work under at least one of the two names.

use std::path::PathBuf;

use crate::domain::branch;
use crate::domain::id::TaskId;
use crate::domain::oid::MaybeOid;
use crate::domain::role::Team;
use crate::domain::task::{State, Task};
use crate::git::{Cas, RefChange};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::{people, unfinished};
use crate::sys::fs;

/// The branch that the work of `task` belongs on; None if it is there, nobody began, or it is over.
pub(super) fn wanted(task: &Task) -> Option<String> {
    if matches!(task.register.state, State::Done(_) | State::Closed(_)) {
        return None;
    }
    let old = &task.register.work.as_ref()?.branch;
    let moves = branch::team(old)? != task.effective_role().team();
    counterpart(old).filter(|_| moves)
}

/// Refuses where the contract is not the caller's to choose, or the branch is in use by a worker or a rebase.
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
    let Some(work) = &task.register.work else { return Ok(()) };
    match rebased_in(cx, &work.branch)? {
        None => Ok(()),
        Some(place) => {
            let fact = format!("{} is being rebased in {}", work.branch, place.display());
            Err(Refused::new(Because::Policy, "branch.rebase", fact)
                .next("git rebase --continue   (there; or --abort)")
                .into())
        }
    }
}

/// Where a rebase of `branch` is under way.
fn rebased_in(cx: &Ctx, branch: &str) -> Result<Option<PathBuf>, OpError> {
    for worktree in cx.repo.worktrees()? {
        if unfinished::rebases(&worktree, branch)? {
            return Ok(Some(worktree.path));
        }
    }
    Ok(None)
}

/// Makes the branch `new` where the task's is. What is there under that name already must be the same work.
pub(super) fn make(cx: &Ctx, task: &Task, new: &str) -> Result<(), OpError> {
    let Some(work) = &task.register.work else { return Ok(()) };
    let Some(tip) = cx.repo.ref_target(&full(&work.branch))? else { return Ok(()) };
    fs::create_dir_all(&cx.file("making"))?;
    fs::write_atomic(&marker(cx, &task.id), work.branch.as_bytes(), 0o644, cx.durability())?;
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

/// Ends a move that `make` began, in this process or in one that was killed: what was committed meanwhile under the old
/// name and the checkouts on it are taken along to `branch`, where the task's work is by now, and the old name goes.
pub(super) fn settle(cx: &Ctx, id: &TaskId, branch: &str) -> Result<(), OpError> {
    let marker = marker(cx, id);
    let Some(old) = fs::read_optional(&marker)? else { return Ok(()) };
    if rebased_in(cx, &old)?.is_some() {
        return Ok(());
    }
    if old != branch && carried(cx, &old, branch)? {
        for worktree in cx.repo.worktrees()? {
            if worktree.head.branch() == Some(old.as_str()) && worktree.exists() {
                let set = ["symbolic-ref", "-m", "git orch edit", "HEAD", &full(branch)];
                cx.repo.git_in(&worktree, set).run()?.checked()?;
            }
        }
        if let Some(tip) = cx.repo.ref_target(&full(branch))? {
            let gone = cx.repo.delete_ref(&full(&old), &tip);
            if gone.is_err() && cx.repo.ref_target(&full(&old))?.is_some() {
                gone?;
            }
        }
    }
    fs::remove_file_if_there(&marker)?;
    Ok(())
}

/// Whether all that is on `old` is on `branch`, after moving `branch` up to it where nobody has it checked out. False if
/// one of the two is gone.
fn carried(cx: &Ctx, old: &str, branch: &str) -> Result<bool, OpError> {
    let (Some(from), Some(to)) = (cx.repo.ref_target(&full(old))?, cx.repo.ref_target(&full(branch))?) else {
        return Ok(false);
    };
    if from == to {
        return Ok(true);
    }
    let worktrees = cx.repo.worktrees()?;
    let is_out = |name: &str| worktrees.iter().any(|w| w.head.branch() == Some(name) && w.exists());
    if !is_out(branch) && cx.repo.is_ancestor(&to, &from)? {
        let change = RefChange { name: full(branch), old: MaybeOid::Id(to.clone()), new: from.clone() };
        if cx.repo.move_user_ref(&change, "git orch edit: another team's")? == Cas::Moved {
            return Ok(true);
        }
    }
    if !is_out(old) && cx.repo.is_ancestor(&from, &to)? {
        return Ok(true);
    }
    let fact = format!("{old} and {branch} have different work on them");
    Err(Refused::new(Because::Policy, "branch.split", fact)
        .next(format!("git switch {branch} && git merge {old}   (in the checkout of {old})"))
        .into())
}

/// There while a move is under way; holds the old name.
fn marker(cx: &Ctx, id: &TaskId) -> PathBuf {
    cx.file("making").join(format!("{id}.branch"))
}

/// The name that the branch of a task has for the other team.
fn counterpart(name: &str) -> Option<String> {
    branch::task_of(name)?;
    let team = branch::team(name)?;
    let rest = name.strip_prefix(team.branch_prefix())?;
    let other = Team::ALL.into_iter().find(|other| *other != team)?;
    Some(format!("{}{rest}", other.branch_prefix()))
}

fn full(branch: &str) -> String {
    format!("refs/heads/{branch}")
}
