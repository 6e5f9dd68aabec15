//! Taking tasks: `next`, `start`, and what a worker does with the tasks of the dead.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::domain::draft::Draft;
use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::{Lease, State, Task, Work};
use crate::git::Head;
use crate::index::{Filter, Row};
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::ready::Queue;
use crate::ops::remote::{self, Fetched};
use crate::ops::takeover::{self, Secured};
use crate::ops::tasks::{change, get};
use crate::ops::{contract, lease, making, merge, people, tasks, worktrees};
use crate::policy::grant::Action;
use crate::store::{Edit, Snapshot, StoreError};

/// Whether a worktree is made for a task that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// On its own branch, beside the repository.
    Worktree,
    /// None; for scripts that bring their own.
    None,
}

/// A task that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The task as it is now.
    pub task: Task,
    /// Its worktree, if one was made or found.
    pub path: Option<PathBuf>,
    /// What git said when trunk could not be fetched: the branch was cut from what is here.
    pub offline: Option<String>,
    /// Whether a dead owner left uncommitted work, which is kept under `refs/orch/backup/wip/<id>`.
    pub kept: bool,
}

/// Why nothing can be taken: everything unfinished that matches the filter, with what it waits for.
#[derive(Clone, Debug, Default)]
pub struct Idle {
    /// Open tasks and the needed tasks that are not merged.
    pub waiting: Vec<(Task, Vec<TaskId>)>,
    /// Claimed or merging.
    pub held: Vec<Task>,
    /// Blocked by something outside the queue.
    pub blocked: Vec<Task>,
    /// Waiting for a person.
    pub review: Vec<Task>,
    /// Ready tasks that the filter leaves out.
    pub filtered: usize,
    /// Of the needed tasks, those that nobody will merge as things are, with a word for why.
    pub stuck: BTreeMap<TaskId, &'static str>,
}

/// How `next` ended.
#[derive(Clone, Debug)]
pub enum Next {
    /// A task was taken.
    Taken(Box<Taken>),
    /// Nothing is ready.
    Nothing(Idle),
}

/// The next ready task, without taking it.
pub fn peek(cx: &Ctx, filter: &Filter) -> Result<Result<Task, Idle>, OpError> {
    let snapshot = cx.snapshot()?;
    for row in candidates(cx, &snapshot, filter, &|_| true)? {
        if let Ok(Some(task)) = snapshot.task(&row.id) {
            return Ok(Ok(task));
        }
    }
    let idle = idle(&snapshot, filter)?;
    let ready = idle.waiting.iter().filter(|(_, missing)| missing.is_empty()).map(|(task, _)| task);
    Ok(match ready.min_by(|a, b| a.order().cmp(&b.order())) {
        Some(task) => Ok(task.clone()),
        None => Err(idle),
    })
}

fn idle(snapshot: &Snapshot<'_>, filter: &Filter) -> Result<Idle, OpError> {
    let tasks = snapshot.tasks()?.tasks;
    let mut unmet = tasks::unmet(&tasks);
    let stuck = |id: &TaskId| match tasks.get(id).map(|task| task.register.state.status()) {
        Some("closed") => Some((id.clone(), "closed")),
        Some(_) => None,
        None => Some((id.clone(), "not there")),
    };
    let mut idle = Idle { stuck: unmet.values().flatten().filter_map(stuck).collect(), ..Idle::default() };
    for task in tasks.into_values() {
        let missing = unmet.remove(&task.id).unwrap_or_default();
        let row = Row::new(&task, u64::try_from(missing.len()).unwrap_or(1));
        if !filter.matches(&row) {
            idle.filtered += usize::from(row.ready());
            continue;
        }
        match &task.register.state {
            State::Open => idle.waiting.push((task, missing)),
            State::Claimed(_) | State::Merging(_) => idle.held.push(task),
            State::Blocked(_) => idle.blocked.push(task),
            State::Review => idle.review.push(task),
            State::Done(_) | State::Closed(_) => {}
        }
    }
    Ok(idle)
}

/// Takes the next ready task that matches.
pub fn next(cx: &Ctx, filter: &Filter, checkout: Checkout, cause: &str) -> Result<Next, OpError> {
    people::refuse_other_task(cx, None)?;
    next_of(cx, filter, &|_| true, checkout, cause)
}

/// The same among those that `wanted` wants, too.
pub(crate) fn next_of(
    cx: &Ctx,
    filter: &Filter,
    wanted: &dyn Fn(&Row) -> bool,
    checkout: Checkout,
    cause: &str,
) -> Result<Next, OpError> {
    let (trunk, offline) = fresh_trunk(cx, checkout)?;
    let how = Claiming { cx, lease: lease::lease(cx)?, base: base_of(&trunk)?, cause };
    let from_index = |snapshot: &Snapshot<'_>| {
        let rows = candidates(cx, snapshot, filter, wanted)?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    };
    let task = match claim_first(&how, &from_index)? {
        Some(task) => task,
        None => match claim_unindexed(&how, filter, wanted)? {
            Ok(task) => task,
            Err(idle) => return Ok(Next::Nothing(idle)),
        },
    };
    checked_out(cx, (task, Since::Now), checkout, offline).map(|t| Next::Taken(Box::new(t)))
}

/// The index says yes, never no: before "nothing is ready" is said, git is asked. Everything is read for that, so
/// without the lock: nobody is kept waiting meanwhile.
fn claim_unindexed(
    how: &Claiming<'_>,
    filter: &Filter,
    wanted: &dyn Fn(&Row) -> bool,
) -> Result<Result<Task, Idle>, OpError> {
    let mut idle = idle(&how.cx.snapshot()?, filter)?;
    idle.waiting.sort_by(|(a, _), (b, _)| a.order().cmp(&b.order()));
    let ready = idle.waiting.iter().filter(|(t, missing)| missing.is_empty() && wanted(&Row::new(t, 0)));
    let ready: Vec<TaskId> = ready.map(|(task, _)| task.id.clone()).collect();
    if ready.is_empty() {
        return Ok(Err(idle));
    }
    Ok(claim_first(how, &|_| Ok(ready.clone()))?.ok_or(idle))
}

/// Claims the first of the tasks that `choose` names which is really ready.
fn claim_first(
    how: &Claiming<'_>,
    choose: &dyn Fn(&Snapshot<'_>) -> Result<Vec<TaskId>, OpError>,
) -> Result<Option<Task>, OpError> {
    let (taken, _) = how.cx.store().transact(&how.cx.author(), Action::Claim, |edit| {
        let snapshot = edit.snapshot();
        for id in choose(snapshot)? {
            if let Ok(Some(task)) = snapshot.task(&id)
                && is_ready(snapshot, &task)?
            {
                return claim(how, edit, task).map(Some);
            }
        }
        Ok::<_, OpError>(None)
    })?;
    Ok(taken)
}

/// Several, because a file may be damaged: what the index has is only a hint.
fn candidates(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    wanted: &dyn Fn(&Row) -> bool,
) -> Result<Vec<Row>, OpError> {
    const ENOUGH: usize = 8;
    let queue = Queue::open(cx, snapshot)?;
    let first: Vec<Row> = queue.ready(filter, ENOUGH)?;
    let more = first.len() == ENOUGH;
    let found: Vec<Row> = first.into_iter().filter(wanted).collect();
    if !found.is_empty() || !more {
        return Ok(found);
    }
    Ok(queue.ready(filter, usize::MAX)?.into_iter().filter(wanted).take(ENOUGH).collect())
}

/// Whether the task may be taken now, decided on git alone.
pub fn is_ready(snapshot: &Snapshot<'_>, task: &Task) -> Result<bool, OpError> {
    if task.register.state != State::Open {
        return Ok(false);
    }
    for need in task.needs.iter() {
        let done = match snapshot.task(need) {
            Ok(found) => found.is_some_and(|t| matches!(t.register.state, State::Done(_))),
            // Nobody can tell that it is done.
            Err(StoreError::Corrupt { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !done {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How a task is claimed.
struct Claiming<'a> {
    cx: &'a Ctx,
    lease: Lease,
    base: Oid,
    cause: &'a str,
}

fn claim(how: &Claiming<'_>, edit: &mut Edit<'_, '_>, mut task: Task) -> Result<Task, OpError> {
    let work = match &task.register.work {
        Some(work) => work.clone(),
        None => Work { branch: worktrees::free_branch(how.cx, &task)?, base: how.base.clone() },
    };
    task.register = task.register.claim(&task.id, &edit.at(), how.lease.clone(), work)?;
    let note = format!("fence {}", task.register.fence);
    let change = change("task.claim", &task.id, how.cause, Some(note));
    Ok(edit.put_task(task, change))
}

/// Trunk, fetched if there is a remote and a worktree is to be cut from it.
fn fresh_trunk(cx: &Ctx, checkout: Checkout) -> Result<(Trunk, Option<String>), OpError> {
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    if checkout == Checkout::None {
        return Ok((trunk, None));
    }
    worktrees::make_root(cx)?;
    match remote::fetch_trunk(cx, &trunk)? {
        Fetched::NotNeeded => Ok((trunk, None)),
        Fetched::Fresh => Ok((cx.trunk_named(&trunk.name)?, None)),
        Fetched::Offline(said) => Ok((trunk, Some(said))),
    }
}

fn base_of(trunk: &Trunk) -> Result<Oid, OpError> {
    trunk.tip().cloned().ok_or_else(|| {
        let fact = format!("{} has no commit yet, so no branch can be cut from it", trunk.name);
        Refused::new(Because::Environment, "trunk.unborn", fact)
            .next(format!("make the first commit on {}", trunk.name))
            .into()
    })
}

/// Since when the caller has a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// It was claimed for this very call.
    Now,
    /// It was the caller's already.
    Before,
}

/// Makes the worktree of a task that is the caller's, or finds it; a failure gives a fresh claim back.
fn checked_out(
    cx: &Ctx,
    (task, since): (Task, Since),
    checkout: Checkout,
    offline: Option<String>,
) -> Result<Taken, OpError> {
    lease::remember(cx, &task.id, task.register.fence)?;
    let path = match (checkout, &task.register.work) {
        (Checkout::Worktree, Some(work)) => match place(cx, &task, work) {
            Ok(path) => Some(path),
            Err(error) => {
                if since == Since::Now {
                    tasks::step(cx, std::slice::from_ref(&task.id), &tasks::Step::Release)?;
                }
                return Err(error);
            }
        },
        (_, _) => None,
    };
    Ok(Taken { task, path, offline, kept: false })
}

/// Where a person works on the task: whatever checkout is on its branch (`start --here` has made one of the user's
/// own), else its worktree.
fn place(cx: &Ctx, task: &Task, work: &Work) -> Result<PathBuf, OpError> {
    match worktrees::checkout_on(cx, &work.branch)? {
        Some(path) if cx.actor.session.is_none() && path != worktrees::path(cx, &task.id) => Ok(path),
        Some(_) | None => making::ensure(cx, &task.id, work),
    }
}

/// Takes a task by its id, or goes on with one that is the caller's already. One that needs unfinished work is
/// refused with what it waits for. What a dead owner left is kept before it is taken over.
pub fn start(cx: &Ctx, id: &TaskId, checkout: Checkout, cause: &str) -> Result<Taken, OpError> {
    people::refuse_other_task(cx, Some(id))?;
    let (trunk, offline) = fresh_trunk(cx, checkout)?;
    let how = Claiming { cx, lease: lease::lease(cx)?, base: base_of(&trunk)?, cause };
    loop {
        let secured = takeover::secure(cx, id)?;
        let (taken, _) = cx
            .store()
            .transact(&cx.author(), Action::Claim, |edit| claim_named(&how, edit, id, secured.as_ref()))?;
        if let Some(taken) = taken {
            let kept = secured.is_some_and(|secured| secured.kept) && taken.1 == Since::Now;
            return checked_out(cx, taken, checkout, offline).map(|taken| Taken { kept, ..taken });
        }
    }
}

/// Claims the task, or takes it over from the dead owner that was `secured`; None if its owner died meanwhile.
fn claim_named(
    how: &Claiming<'_>,
    edit: &mut Edit<'_, '_>,
    id: &TaskId,
    secured: Option<&Secured>,
) -> Result<Option<(Task, Since)>, OpError> {
    let mut task = get(edit, id)?;
    if let Some(held) = task.register.state.lease() {
        if lease::is_ours(how.cx, held)? {
            return Ok(Some((task, Since::Before)));
        }
        if lease::is_dead(how.cx, &task)? {
            if secured.is_none_or(|secured| !secured.covers(&task)) {
                return Ok(None);
            }
            task.register = task.register.take_over(id, &edit.at(), how.lease.clone())?;
            let note = format!("fence {}", task.register.fence);
            let change = change("task.takeover", id, how.cause, Some(note));
            return Ok(Some((edit.put_task(task, change), Since::Now)));
        }
    }
    if task.register.state == State::Open && !is_ready(edit.snapshot(), &task)? {
        return Err(not_ready(edit.snapshot(), &task)?.into());
    }
    Ok(Some((claim(how, edit, task)?, Since::Now)))
}

fn not_ready(snapshot: &Snapshot<'_>, task: &Task) -> Result<Refused, OpError> {
    let mut missing = Vec::new();
    for need in task.needs.iter() {
        let status = snapshot.task(need)?.map_or("gone", |t| t.register.state.status());
        if status != "done" {
            missing.push(format!("{need} ({status})"));
        }
    }
    let fact = format!("task {} needs what is not merged yet: {}", task.id, missing.join(", "));
    Ok(Refused::new(Because::Policy, "task.needs", fact).next(format!("git orch dep tree {}", task.id)))
}

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
    Ok(Taken { path: Some(here.path), task, offline: None, kept: false })
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
