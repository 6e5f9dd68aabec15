//! What is to be merged: a task, or a branch.

use crate::domain::branch;
use crate::domain::id::{IdPrefix, TaskId};
use crate::domain::oid::Oid;
use crate::domain::plural::plural;
use crate::domain::task::{State, Task};
use crate::git::Worktree;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::tasks::{self, change, get};
use crate::ops::{contract, lease, said, unfinished, worktrees};
use crate::policy::grant::Action;
use crate::store::Snapshot;

/// What is to be merged.
#[derive(Clone, Debug)]
pub struct Target {
    /// The task, if the branch is one's.
    pub task: Option<Task>,
    /// The branch's short name.
    pub branch: String,
    /// Its tip.
    pub tip: Oid,
}

impl Target {
    /// What `text` names: a task by its id, or a branch; None: this checkout's task.
    pub(crate) fn find(cx: &Ctx, snapshot: &Snapshot<'_>, text: Option<&str>) -> Result<Self, OpError> {
        let Some(text) = text else { return Self::here(cx, snapshot) };
        if let Some(task) = TaskId::parse(text).ok().map(|id| snapshot.task(&id)).transpose()?.flatten() {
            return Self::of_task(cx, task);
        }
        let short = text.strip_prefix("refs/heads/").unwrap_or(text);
        if let Some(tip) = cx.repo.ref_target(&format!("refs/heads/{short}"))? {
            let task = match branch::task_of(short) {
                Some(id) => snapshot.task(&id)?.filter(|t| has_branch(t, short)),
                None => None,
            };
            return Ok(Self { task, branch: short.to_owned(), tip });
        }
        let neither = |next: Vec<String>| -> OpError {
            let fact = format!("`{text}` is no branch, and no task's id");
            let refused = Refused::new(Because::Usage, "merge.target", fact);
            next.into_iter().fold(refused, Refused::next).next("git branch").into()
        };
        if IdPrefix::parse(text).is_err() {
            return Err(neither(vec!["git orch list".to_owned()]));
        }
        let id = match tasks::resolve(snapshot, text) {
            // Many a branch's name could be the beginning of an id.
            Err(OpError::Refused(refused)) if refused.rule == tasks::UNKNOWN => {
                return Err(neither(refused.next));
            }
            id => id?,
        };
        let task = snapshot.task(&id)?;
        let task = task.ok_or_else(|| OpError::Bug(format!("task {id} was resolved and is gone")))?;
        Self::of_task(cx, task)
    }

    fn here(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<Self, OpError> {
        let on = contract::branch_here(cx)?;
        match contract::task_here(cx, snapshot, on.as_deref())? {
            Some((task, _)) => Self::of_task(cx, task),
            None => Err(Refused::new(Because::Usage, "merge.target", "this checkout is no task's")
                .next("git orch merge TASK   (an id or a branch)")
                .next("git orch list --mine")
                .into()),
        }
    }

    fn of_task(cx: &Ctx, task: Task) -> Result<Self, OpError> {
        let none = |fact: String| {
            OpError::from(
                Refused::new(Because::Usage, "merge.target", fact)
                    .next(format!("git orch start {}", task.id)),
            )
        };
        let Some(work) = &task.register.work else {
            return Err(none(format!("task {} has no branch yet", task.id)));
        };
        let branch = work.branch.clone();
        match cx.repo.ref_target(&format!("refs/heads/{branch}"))? {
            Some(tip) => Ok(Self { branch, tip, task: Some(task) }),
            None => Err(none(format!("the branch {branch} of task {} is gone", task.id))),
        }
    }

    /// Its title, for the commit's message.
    pub(crate) fn title(&self) -> String {
        match &self.task {
            Some(task) => format!("Merge task {}: {}", task.id, task.title.value),
            None => format!("Merge branch '{}'", self.branch),
        }
    }

    /// The branch's tip as it is now.
    pub(crate) fn refresh(&mut self, cx: &Ctx) -> Result<(), OpError> {
        if let Some(tip) = cx.repo.ref_target(&format!("refs/heads/{}", self.branch))? {
            self.tip = tip;
        }
        Ok(())
    }
}

fn has_branch(task: &Task, branch: &str) -> bool {
    task.register.work.as_ref().is_some_and(|work| work.branch == branch)
}

/// Refuses a branch that git is at work on: what it would become is not known yet, and what it is has conflicts.
pub(crate) fn refuse_unfinished(cx: &Ctx, target: &Target) -> Result<(), OpError> {
    for worktree in cx.repo.worktrees()?.iter().filter(|worktree| worktree.exists()) {
        if concerns(cx, target, worktree) || unfinished::rebases(worktree, &target.branch)? {
            unfinished::refuse(worktree)?;
        }
    }
    Ok(())
}

/// Whether a checkout is on the target's branch, or is its task's own, whatever that is on.
fn concerns(cx: &Ctx, target: &Target, worktree: &Worktree) -> bool {
    let own = target.task.as_ref().map(|task| worktrees::path(cx, &task.id));
    worktree.head.branch() == Some(target.branch.as_str()) || own.as_ref() == Some(&worktree.path)
}

/// Refuses what would be left behind: uncommitted work in a worktree that is on the branch.
pub(crate) fn refuse_dirty(cx: &Ctx, target: &Target) -> Result<(), OpError> {
    for worktree in cx.repo.worktrees()? {
        if !concerns(cx, target, &worktree) || !worktree.exists() {
            continue;
        }
        let dirt = cx.repo.dirt(&worktree)?;
        if dirt.is_clean() {
            continue;
        }
        let paths: Vec<&str> =
            dirt.changed.iter().chain(&dirt.untracked).take(5).map(String::as_str).collect();
        let count = dirt.changed.len() + dirt.untracked.len();
        let fact = format!(
            "{} in {}: {}",
            plural(count, "uncommitted file"),
            worktree.path.display(),
            paths.join(", ")
        );
        return Err(Refused::new(Because::Policy, "merge.dirty", fact)
            .next("commit them on the task's branch, or ignore them, then merge again")
            .into());
    }
    Ok(())
}

/// The merge gate takes the task. Returns it, and the state to go back to if the merge does not happen.
pub(crate) fn take(cx: &Ctx, id: &TaskId) -> Result<(Task, State), OpError> {
    let lease = lease::lease(cx)?;
    let (taken, _) = cx.store().transact(&cx.author(), Action::Work, |edit| {
        let mut task = get(edit, id)?;
        // Another clone's is taken over first, which tells it.
        let merging = task.register.state.lease().filter(|_| task.register.state.status() == "merging");
        let dead_merge = match merging {
            Some(held) => lease::is_local(cx, &held.owner)? && lease::is_dead(cx, &task)?,
            None => false,
        };
        if !dead_merge {
            lease::refuse_others(cx, &task)?;
        }
        let back = match &task.register.state {
            // The gate that had it is gone; what it was before is not known any more.
            State::Merging(_) => State::Review,
            state => state.clone(),
        };
        task.register = task.register.begin_merge(id, &edit.at(), lease.clone())?;
        let note = format!("fence {}", task.register.fence);
        edit.put_task(task.clone(), change("task.merging", id, "merge", Some(note)));
        Ok::<_, OpError>((task, back))
    })?;
    lease::remember(cx, id, taken.0.register.fence)?;
    Ok(taken)
}

/// Gives a task back as it was before `take`.
pub(crate) fn give_back(cx: &Ctx, id: &TaskId, fence: u64, back: &State) -> Result<(), OpError> {
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        let mut task = get(edit, id)?;
        task.register.check_fence(id, fence)?;
        task.register = task.register.abort_merge(id, &edit.at(), back.clone())?;
        edit.put_task(task, change("task.unmerged", id, "merge", None));
        Ok::<_, OpError>(())
    })?;
    if back.lease().is_none() {
        lease::forget(cx, id)?;
    }
    Ok(())
}

/// After a merge, the task's worktree is removed if nothing is in it and nobody is. Nobody asks any more what its agent
/// said.
pub(crate) fn retire(cx: &Ctx, trunk: &Trunk, task: &Task) -> Result<Option<String>, OpError> {
    said::forget(cx, &task.id);
    let snapshot = cx.snapshot()?;
    let list = worktrees::list(cx, &snapshot)?;
    let Some(entry) = list.into_iter().find(|entry| entry.id == task.id) else { return Ok(None) };
    match worktrees::remove_if_spent(cx, trunk, &entry)? {
        worktrees::Pruned::Removed => Ok(None),
        worktrees::Pruned::Kept(why) => Ok(Some(why)),
    }
}
