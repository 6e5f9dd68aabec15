//! Making a task of what is begun in a checkout.

use crate::domain::draft::Draft;
use crate::domain::oid::Oid;
use crate::domain::task::State;
use crate::git::Head;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::take::{Checkout, Claiming, Taken, arbitrated, claim, lost_to};
use crate::ops::tasks::get;
use crate::ops::{contract, lease, merge, people, tasks, worktrees};
use crate::policy::grant::Action;
use crate::store::Snapshot;

/// Makes a task of what is checked out here: a task, its branch from the current HEAD, and this checkout on it.
/// Index and files are not touched.
pub fn start_here(cx: &Ctx, draft: &Draft) -> Result<Taken, OpError> {
    people::refuse_other_task(cx, None)?;
    // Else what a killed merge brought in would be taken for taken back here.
    merge::catch_up(cx)?;
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let here = cx.repo.here()?.ok_or_else(|| {
        Refused::new(Because::Environment, "checkout.bare", "there is no checkout here").next("git orch next")
    })?;
    if let Some(id) = worktrees::task_at(cx, &here.path) {
        let fact = format!("this is the worktree of task {id} already");
        return Err(Refused::new(Because::Policy, "checkout.task", fact)
            .next(format!("git orch show {id}"))
            .into());
    }
    refuse_task_branch(cx, &snapshot, &trunk)?;
    let head = worktrees::head_commit(cx, &here)?.ok_or_else(|| {
        Refused::new(Because::Environment, "trunk.unborn", "there is no commit yet")
            .next(format!("make the first commit on {}", trunk.name))
    })?;
    let base = match trunk.tip() {
        Some(tip) => cx.repo.merge_base(tip, &head)?.unwrap_or_else(|| head.clone()),
        None => head.clone(),
    };
    let how = Claiming { cx, lease: lease::lease(cx)?, base, cause: "start --here" };
    let task = tasks::add(cx, std::slice::from_ref(draft), "start --here")?
        .pop()
        .ok_or_else(|| OpError::Bug("one draft made no task".into()))?;
    let (task, _) = cx.store().transact(&cx.author(), Action::Claim, |edit| {
        let task = get(edit, &task.id)?;
        claim(&how, edit, task)
    })?;
    let Some(work) = &task.register.work else {
        return Err(OpError::Bug("a claimed task has no branch".into()));
    };
    switch_here(cx, &here.head, &work.branch, &head)?;
    lease::remember(cx, &task.id, task.register.fence)?;
    let claimed = match arbitrated(cx, task, Checkout::Worktree.into(), None, None)? {
        Ok(claimed) => claimed,
        Err(lost) => return Err(lost_to(&lost).into()),
    };
    let (task, standing) = (claimed.task, claimed.standing);
    Ok(Taken { path: Some(here.path), task, offline: None, standing, trouble: None, kept: false })
}

/// Refuses the branch of a task that is not finished: what is begun here is that task's, and a new task's branch from
/// here would take its commits along.
fn refuse_task_branch(cx: &Ctx, snapshot: &Snapshot<'_>, trunk: &Trunk) -> Result<(), OpError> {
    let on = contract::branch_here(cx)?;
    let Some((task, _)) = contract::task_here(cx, snapshot, on.as_deref())? else { return Ok(()) };
    match task.register.state {
        State::Done(_) | State::Closed(_) => Ok(()),
        State::Open | State::Claimed(_) | State::Blocked(_) | State::Review | State::Merging(_) => {
            let fact = format!("this checkout is on the branch of task {}: {}", task.id, task.title.value);
            Err(Refused::new(Because::Policy, "checkout.task", fact)
                .next(format!("git orch start {}   (to go on with that task)", task.id))
                .next(format!("git switch {}   (what is not committed comes along), then again", trunk.name))
                .into())
        }
    }
}

/// Makes the branch at HEAD and points HEAD at it; index and files stay as they are.
fn switch_here(cx: &Ctx, from: &Head, branch: &str, at: &Oid) -> Result<(), OpError> {
    let full = format!("refs/heads/{branch}");
    let zero = "0".repeat(cx.repo.oid_len());
    cx.repo.run_git(["update-ref", "-m", "git-orch: start --here", &full, at.as_str(), &zero])?;
    let was = from.branch().unwrap_or("a detached HEAD");
    let message = format!("git-orch: moving from {was} to {branch}");
    cx.repo.run_git(["symbolic-ref", "-m", &message, "HEAD", &full])?;
    Ok(())
}

/// What is begun in this checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// The files that differ from HEAD, or that git does not know.
    pub files: Vec<String>,
    /// Whether HEAD has commits that trunk has not.
    pub commits: bool,
}

impl Begun {
    /// A title for it.
    pub fn title(&self) -> String {
        // A file may be called what no title may: line ends, colours.
        let name = |path: &String| crate::agent::render::one_line(path.rsplit('/').next().unwrap_or(path));
        let names: Vec<String> =
            self.files.iter().map(name).filter(|name| !name.is_empty()).take(3).collect();
        if names.is_empty() {
            return "Work in progress".to_owned();
        }
        let title = format!("Change {}", names.join(", "));
        title.chars().take(crate::domain::draft::TITLE_CHARS).collect()
    }
}

/// What is begun here.
pub fn begun_here(cx: &Ctx) -> Result<Begun, OpError> {
    merge::catch_up(cx)?;
    let Some(here) = cx.repo.here()? else { return Ok(Begun::default()) };
    let dirt = cx.repo.dirt(&here)?;
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let commits = match (worktrees::head_commit(cx, &here)?, trunk.tip()) {
        (Some(head), Some(tip)) => !cx.repo.is_ancestor(&head, tip)?,
        (_, _) => false,
    };
    Ok(Begun { files: dirt.changed.into_iter().chain(dirt.untracked).collect(), commits })
}
