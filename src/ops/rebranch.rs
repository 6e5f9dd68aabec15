//! A task that changes teams: its work moves to a branch with the other team's prefix.
//!
//! Called by `edit`, by whatever makes or finds the task's worktree, and by `merge`. The new branch is made first and
//! the old one goes last, so that a kill at any instant leaves the work under at least one of the two names. Both steps
//! are under `worktree.lock`.

use std::path::PathBuf;

use crate::domain::branch;
use crate::domain::id::TaskId;
use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::role::Team;
use crate::domain::task::{State, Task, Work};
use crate::git::{Cas, RefChange};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::{people, unfinished, worktrees};
use crate::sys::fs;
use crate::sys::lock::FileLock;

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

/// Begins the move of the work of `task` to `new`, if there is one, after ending what was begun before. The lock is for
/// `end`.
pub(super) fn begin(cx: &Ctx, task: &Task, new: Option<&str>) -> Result<Option<FileLock>, OpError> {
    if new.is_none() && !is_begun(cx, &task.id) {
        return Ok(None);
    }
    let lock = worktrees::lock(cx)?;
    if let (Some(new), Some(work)) = (new, &task.register.work) {
        permit(cx, task)?;
        settle(cx, &task.id, &work.branch, &lock)?;
        make(cx, task, new, &lock)?;
    }
    Ok(Some(lock))
}

/// Ends what `begin` began, by where the task's work is now.
pub(super) fn end(
    cx: &Ctx,
    id: &TaskId,
    work: Option<&Work>,
    lock: Option<&FileLock>,
) -> Result<(), OpError> {
    match (work, lock) {
        (Some(work), Some(lock)) => settle(cx, id, &work.branch, lock),
        (_, _) => Ok(()),
    }
}

/// Makes the branch `new` where the task's is. What is there under that name already must be the same work.
fn make(cx: &Ctx, task: &Task, new: &str, _lock: &FileLock) -> Result<(), OpError> {
    let Some(work) = &task.register.work else { return Ok(()) };
    let Some(tip) = cx.repo.ref_target(&full(&work.branch))? else { return Ok(()) };
    let there = cx.repo.ref_target(&full(new))?;
    let made = if there.is_none() { tip.as_str() } else { "" };
    fs::create_dir_all(&cx.file("making"))?;
    let text = format!("{}\n{new}\n{made}\n", work.branch);
    fs::write_atomic(&marker(cx, &task.id), text.as_bytes(), 0o644, cx.durability())?;
    let there = match there {
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
    fs::remove_file_if_there(&marker(cx, &task.id))?;
    let fact = format!("there is a branch {new} already, and it is not at {}", work.branch);
    Err(Refused::new(Because::Policy, "branch.occupied", fact)
        .next(format!("git branch -m {new} NAME   (it keeps what is on it)"))
        .into())
}

/// Whether a move that `make` began has to be ended.
pub(super) fn is_begun(cx: &Ctx, id: &TaskId) -> bool {
    fs::exists(&marker(cx, id))
}

/// Ends a move that `make` began, in this process or in one that was killed. `branch` is where the task's work is by
/// now: where it is the new name, what was committed meanwhile under the old one and the checkouts on it are taken
/// along, and the old name goes; else the new one goes, if nobody used it.
pub(super) fn settle(cx: &Ctx, id: &TaskId, branch: &str, _lock: &FileLock) -> Result<(), OpError> {
    let marker = marker(cx, id);
    let Some(text) = fs::read_optional(&marker)? else { return Ok(()) };
    let mut lines = text.lines();
    let (old, new, made) = (lines.next(), lines.next(), lines.next());
    // Believed only of the task's own two names: any process of the user's can write the file.
    let other = counterpart(branch);
    match (old, new, made.map(Oid::parse)) {
        (Some(old), _, _) if other.as_deref() == Some(old) => {
            if rebased_in(cx, old)?.is_some() {
                return Ok(());
            }
            if let Some(tip) = carried(cx, old, branch)? {
                follow(cx, old, branch)?;
                delete(cx, old, &tip)?;
            }
        }
        (Some(_), Some(new), Some(Ok(made)))
            if other.as_deref() == Some(new)
                && cx.repo.ref_target(&full(new))?.as_ref() == Some(&made)
                && !is_out(cx, new)? =>
        {
            delete(cx, new, &made)?;
        }
        (_, _, _) => {}
    }
    fs::remove_file_if_there(&marker)?;
    Ok(())
}

/// Takes the checkouts of `old` along to `branch`, which is at the same commit.
fn follow(cx: &Ctx, old: &str, branch: &str) -> Result<(), OpError> {
    for worktree in cx.repo.worktrees()? {
        if worktree.head.branch() == Some(old) && worktree.exists() {
            let set = ["symbolic-ref", "-m", "git orch edit", "HEAD", &full(branch)];
            cx.repo.git_in(&worktree, set).run()?.checked()?;
        }
    }
    Ok(())
}

fn delete(cx: &Ctx, name: &str, at: &Oid) -> Result<(), OpError> {
    match cx.repo.delete_ref(&full(name), at) {
        // Another process was faster.
        Err(_) if cx.repo.ref_target(&full(name))?.is_none() => Ok(()),
        other => Ok(other?),
    }
}

fn is_out(cx: &Ctx, name: &str) -> Result<bool, OpError> {
    Ok(cx.repo.worktrees()?.iter().any(|w| w.head.branch() == Some(name) && w.exists()))
}

/// Where `old` is, once all that is on it is on `branch`, too: that is moved up to it where nobody has it checked out.
/// None if one of the two is gone.
fn carried(cx: &Ctx, old: &str, branch: &str) -> Result<Option<Oid>, OpError> {
    let (Some(from), Some(to)) = (cx.repo.ref_target(&full(old))?, cx.repo.ref_target(&full(branch))?) else {
        return Ok(None);
    };
    if from == to {
        return Ok(Some(from));
    }
    if !is_out(cx, branch)? && cx.repo.is_ancestor(&to, &from)? {
        let change = RefChange { name: full(branch), old: MaybeOid::Id(to.clone()), new: from.clone() };
        if cx.repo.move_user_ref(&change, "git orch edit: another team's")? == Cas::Moved {
            return Ok(Some(from));
        }
    }
    if !is_out(cx, old)? && cx.repo.is_ancestor(&from, &to)? {
        return Ok(Some(from));
    }
    let fact = format!("{old} and {branch} have different work on them");
    Err(Refused::new(Because::Policy, "branch.split", fact)
        .next(format!("git switch {branch} && git merge {old}   (in the checkout of {old})"))
        .into())
}

/// There while a move is under way: the old name, the new one, and where that was made, if it was.
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
