//! Taking tasks: `next`, `start`, and what a worker does with the tasks of the dead.

use std::path::PathBuf;

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::{Claim, Lease, State, Task, Work};
use crate::index::{Filter, Row};
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
pub use crate::ops::idle::Idle;
use crate::ops::idle::idle;
use crate::ops::ready::Queue;
use crate::ops::remote;
use crate::ops::sync::{self, Brought, Lost, Standing, Trouble};
use crate::ops::takeover::{self, Secured};
use crate::ops::tasks::{change, get};
use crate::ops::{landed, lease, making, needs, people, steps, tasks, worktrees};
use crate::policy::grant::Action;
use crate::store::{Edit, Snapshot};
use crate::sys::random;

/// Whether a worktree is made for a task that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// On its own branch, beside the repository.
    Worktree,
    /// None; for scripts that bring their own.
    None,
}

/// How a task is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// Whether a worktree is made.
    pub checkout: Checkout,
    /// Whether a claim that the remote did not confirm is given back.
    pub confirmed: bool,
}

impl From<Checkout> for How {
    fn from(checkout: Checkout) -> Self {
        Self { checkout, confirmed: false }
    }
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
    /// What the remote made of the claim; None: it was the caller's before.
    pub standing: Option<Standing>,
    /// What somebody did to the remote's state.
    pub trouble: Option<Trouble>,
    /// Whether a dead owner left uncommitted work, which is kept under `refs/orch/backup/wip/<id>`.
    pub kept: bool,
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
    for row in candidates(cx, &snapshot, filter, &|_| true, FEW)? {
        if let Ok(Some(task)) = snapshot.task(&row.id)
            && landed::elsewhere(cx, &snapshot, &task)?.is_empty()
        {
            return Ok(Ok(task));
        }
    }
    let idle = idle(cx, &snapshot, filter)?;
    let ready = idle.waiting.iter().filter(|(_, missing)| missing.is_empty()).map(|(task, _)| task);
    Ok(match ready.min_by(|a, b| a.order().cmp(&b.order())) {
        Some(task) => Ok(task.clone()),
        None => Err(idle),
    })
}

/// Takes the next ready task that matches.
pub fn next(cx: &Ctx, filter: &Filter, how: How, cause: &str) -> Result<Next, OpError> {
    people::refuse_other_task(cx, None)?;
    next_of(cx, filter, &|_| true, how, cause)
}

/// The same among those that `wanted` wants, too.
pub(crate) fn next_of(
    cx: &Ctx,
    filter: &Filter,
    wanted: &dyn Fn(&Row) -> bool,
    how: How,
    cause: &str,
) -> Result<Next, OpError> {
    let (trunk, mut brought) = if how.checkout == Checkout::None && remote::is_fresh(cx)? {
        (cx.trunk(&cx.snapshot()?)?, None)
    } else {
        fresh_trunk(cx, how.checkout).map(|(trunk, brought)| (trunk, Some(brought)))?
    };
    let claiming = Claiming { cx, lease: lease::lease(cx)?, base: base_of(&trunk)?, cause };
    let (mut lost, mut contended) = (0, sync::lost_lately(cx)?);
    loop {
        let from_index = |snapshot: &Snapshot<'_>| {
            let mut rows =
                candidates(cx, snapshot, filter, wanted, if contended.is_some() { MANY } else { FEW })?;
            if let Some(from) = &contended {
                spread(&mut rows, from);
            }
            Ok(rows.into_iter().map(|row| row.id).collect())
        };
        let task = match claim_first(&claiming, &from_index)? {
            Some(task) => task,
            None => match claim_unindexed(&claiming, filter, wanted)? {
                Ok(task) => task,
                // Not from what was fetched a while ago.
                Err(_) if brought.is_none() => {
                    brought = Some(fresh_trunk(cx, how.checkout)?.1);
                    continue;
                }
                Err(idle) => return Ok(Next::Nothing(idle)),
            },
        };
        match arbitrated(cx, task, how, brought.as_ref(), None)? {
            Ok(claimed) => {
                let brought = brought.unwrap_or_default();
                return checked_out(cx, claimed, how.checkout, brought).map(|t| Next::Taken(Box::new(t)));
            }
            Err(_) if lost < LOSSES => {
                contended = elsewhere(cx, filter, wanted)?;
                lost += 1;
            }
            Err(lost) => return Err(lost_to(&lost).into()),
        }
    }
}

/// A task to go on with after a loss: any of the free ones that are as urgent as the first. Not any id: what is free after
/// one that is taken is what the clone which took that tries next.
fn elsewhere(cx: &Ctx, filter: &Filter, wanted: &dyn Fn(&Row) -> bool) -> Result<Option<TaskId>, OpError> {
    let rows = candidates(cx, &cx.snapshot()?, filter, wanted, MANY)?;
    let alike = alike(&rows);
    let any = usize::try_from(random::bits40()).unwrap_or(0) % alike.max(1);
    let Some(from) = rows.get(any).map(|row| row.id.clone()) else { return Ok(None) };
    sync::note_loss(cx, &from)?;
    Ok(Some(from))
}

/// How many of the first are equally urgent.
fn alike(rows: &[Row]) -> usize {
    rows.iter().take_while(|row| rows.first().is_some_and(|first| first.priority == row.priority)).count()
}

/// Puts those that are as urgent as the first in the order of their ids, beginning at `from`: clones that contend walk
/// apart. Whoever lost the first of the queue to another one would lose the second to the same one.
fn spread(rows: &mut [Row], from: &TaskId) {
    let alike = alike(rows);
    rows[..alike].sort_by(|a, b| (a.id < *from, &a.id).cmp(&(b.id < *from, &b.id)));
}

/// How many tasks are looked at: one may be damaged.
const FEW: usize = 8;
/// And where many clones claim.
const MANY: usize = 1024;

/// How often `next` goes on to another task when another clone was faster.
const LOSSES: u32 = 16;

/// A task that is the caller's.
pub(super) struct Claimed {
    pub(super) task: Task,
    since: Since,
    pub(super) standing: Option<Standing>,
}

/// Has the remote arbitrate a fresh claim. One that could not be reached just now is not asked again. `over`: the claim
/// of another clone that it takes over.
pub(super) fn arbitrated(
    cx: &Ctx,
    task: Task,
    how: How,
    brought: Option<&Brought>,
    over: Option<&Oid>,
) -> Result<Result<Claimed, Lost>, OpError> {
    lease::remember(cx, &task.id, task.register.fence)?;
    let standing = match brought.and_then(|brought| brought.offline.clone()) {
        Some(said) => Standing::Unconfirmed(said),
        None => match sync::claim(cx, &task, over)? {
            Ok(standing) => standing,
            Err(lost) => return Ok(Err(lost)),
        },
    };
    if how.confirmed
        && let Some(refused) = unconfirmed(&standing, &task.id, "was not confirmed and is given back")
    {
        steps::step(cx, std::slice::from_ref(&task.id), &steps::Step::Release)?;
        return Err(refused.into());
    }
    let task = cx.snapshot()?.task(&task.id)?.unwrap_or(task);
    Ok(Ok(Claimed { task, since: Since::Now, standing: Some(standing) }))
}

/// Has a claim that was made before confirmed, unless it was. One that is not stays.
fn confirmed(cx: &Ctx, task: Task) -> Result<Claimed, OpError> {
    if task.register.state.lease().is_none_or(|lease| lease.claim == Claim::Local) {
        let standing = sync::claim(cx, &task, None)?.map_err(|lost| lost_to(&lost))?;
        if let Some(refused) = unconfirmed(&standing, &task.id, "is not confirmed; it stays yours") {
            return Err(refused.into());
        }
    }
    let task = cx.snapshot()?.task(&task.id)?.unwrap_or(task);
    Ok(Claimed { task, since: Since::Before, standing: Some(Standing::Confirmed) })
}

/// The refusal of a claim that had to be confirmed and is not; `what` became of it.
fn unconfirmed(standing: &Standing, id: &TaskId, what: &str) -> Option<Refused> {
    let why = match standing {
        Standing::Confirmed => return None,
        Standing::Alone => "no remote arbitrates claims here",
        Standing::Unconfirmed(said) | Standing::Refused(said) => {
            said.lines().next().unwrap_or_default().trim()
        }
    };
    let fact = format!("the claim of task {id} {what}: {why}");
    Some(
        Refused::new(Because::Offline, "claim.unconfirmed", fact)
            .next("leave --require-confirmed out   (to work offline)"),
    )
}

pub(super) fn lost_to(lost: &Lost) -> Refused {
    let holder = lost.holder.as_deref().unwrap_or("another clone");
    Refused::new(Because::Held, "claim.lost", format!("task {} went to {holder}, who was faster", lost.id))
        .next("git orch next")
        .next(format!("git orch show {}", lost.id))
}

/// The index says yes, never no: before "nothing is ready" is said, git is asked. Everything is read for that, so
/// without the lock: nobody is kept waiting meanwhile.
fn claim_unindexed(
    how: &Claiming<'_>,
    filter: &Filter,
    wanted: &dyn Fn(&Row) -> bool,
) -> Result<Result<Task, Idle>, OpError> {
    let mut idle = idle(how.cx, &how.cx.snapshot()?, filter)?;
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
                && needs::is_ready(snapshot, &task)?
                && landed::elsewhere(how.cx, snapshot, &task)?.is_empty()
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
    enough: usize,
) -> Result<Vec<Row>, OpError> {
    let queue = Queue::open(cx, snapshot)?;
    let first: Vec<Row> = queue.ready(filter, enough)?;
    let more = first.len() == enough;
    let found: Vec<Row> = first.into_iter().filter(wanted).collect();
    if !found.is_empty() || !more {
        return Ok(found);
    }
    Ok(queue.ready(filter, usize::MAX)?.into_iter().filter(wanted).take(enough).collect())
}

/// Whether this clone had the task and another clone's claim came first.
pub fn is_lost(cx: &Ctx, task: &Task) -> bool {
    lease::is_lost(cx, task).unwrap_or_else(|error| {
        tracing::debug!(id = %task.id, %error, "whether the claim was lost is not known");
        false
    })
}

/// How a task is claimed.
pub(super) struct Claiming<'a> {
    pub(super) cx: &'a Ctx,
    pub(super) lease: Lease,
    pub(super) base: Oid,
    pub(super) cause: &'a str,
}

pub(super) fn claim(how: &Claiming<'_>, edit: &mut Edit<'_, '_>, mut task: Task) -> Result<Task, OpError> {
    let work = match &task.register.work {
        Some(work) if is_usable(how.cx, edit, work)? => work.clone(),
        Some(_) | None => Work { branch: worktrees::free_branch(how.cx, &task)?, base: how.base.clone() },
    };
    task.register = task.register.claim(&task.id, &edit.at(), how.lease.clone(), work)?;
    let note = format!("fence {}", task.register.fence);
    let change = change("task.claim", &task.id, how.cause, Some(note));
    Ok(edit.put_task(task, change))
}

/// Whether a branch can be what the state says: not trunk itself, and there or made from a commit that is there.
fn is_usable(cx: &Ctx, edit: &Edit<'_, '_>, work: &Work) -> Result<bool, OpError> {
    if work.branch == edit.snapshot().meta()?.trunk {
        return Ok(false);
    }
    let is_there = || cx.repo.ref_target(&format!("refs/heads/{}", work.branch));
    Ok(cx.repo.has_object(&work.base) || is_there()?.is_some())
}

/// Trunk and state, fetched if there is a remote.
fn fresh_trunk(cx: &Ctx, checkout: Checkout) -> Result<(Trunk, Brought), OpError> {
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    if checkout == Checkout::Worktree {
        worktrees::make_root(cx)?;
    }
    let brought = sync::fetch(cx, &trunk)?;
    Ok((cx.trunk_named(&trunk.name)?, brought))
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
fn checked_out(cx: &Ctx, claimed: Claimed, checkout: Checkout, brought: Brought) -> Result<Taken, OpError> {
    let Claimed { task, since, standing } = claimed;
    lease::remember(cx, &task.id, task.register.fence)?;
    let path = match (checkout, &task.register.work) {
        (Checkout::Worktree, Some(work)) => match place(cx, &task, work) {
            Ok(path) => Some(path),
            Err(error) => {
                if since == Since::Now {
                    steps::step(cx, std::slice::from_ref(&task.id), &steps::Step::Release)?;
                }
                return Err(error);
            }
        },
        (_, _) => None,
    };
    let Brought { offline, trouble, .. } = brought;
    Ok(Taken { task, path, offline, standing, trouble, kept: false })
}

/// Where a person works on the task: whatever checkout is on its branch (`start --here` has made one of the user's
/// own), else its worktree.
fn place(cx: &Ctx, task: &Task, work: &Work) -> Result<PathBuf, OpError> {
    match worktrees::checkout_on(cx, &work.branch)? {
        Some(path) if cx.actor.session.is_none() && path != worktrees::path(cx, &task.id) => Ok(path),
        Some(_) | None => making::ensure(cx, &task.id, work),
    }
}

/// The task that a person means by `text`. One that is not known here may be another clone's.
pub fn named(cx: &Ctx, text: &str) -> Result<TaskId, OpError> {
    match tasks::resolve(&cx.snapshot()?, text) {
        Err(OpError::Refused(refused)) if refused.rule == tasks::UNKNOWN && sync::arbiter(cx).is_some() => {
            sync::fetch(cx, &cx.trunk(&cx.snapshot()?)?)?;
            match tasks::resolve(&cx.snapshot()?, text) {
                Err(OpError::Refused(refused)) if refused.rule == tasks::UNKNOWN => {
                    Err(refused.next("git orch sync   (in the clone that added it)").into())
                }
                other => other,
            }
        }
        other => other,
    }
}

/// Takes a task by its id, or goes on with one that is the caller's already. One that needs unfinished work is
/// refused with what it waits for. What a dead owner left is kept before it is taken over.
pub fn start(cx: &Ctx, id: &TaskId, how: How, cause: &str) -> Result<Taken, OpError> {
    people::refuse_other_task(cx, Some(id))?;
    let (trunk, brought) = fresh_trunk(cx, how.checkout)?;
    let claiming = Claiming { cx, lease: lease::lease(cx)?, base: base_of(&trunk)?, cause };
    loop {
        let secured = takeover::secure(cx, id)?;
        let over = if secured.is_some() { sync::refuse_unheard(cx, id)? } else { None };
        let (taken, _) = cx.store().transact(&cx.author(), Action::Claim, |edit| {
            claim_named(&claiming, edit, id, secured.as_ref())
        })?;
        let Some((task, since)) = taken else { continue };
        let kept = secured.is_some_and(|secured| secured.kept) && since == Since::Now;
        let claimed = match since {
            Since::Before if how.confirmed => confirmed(cx, task)?,
            Since::Before => Claimed { task, since, standing: None },
            Since::Now => match arbitrated(cx, task, how, Some(&brought), over.as_ref())? {
                Ok(claimed) => claimed,
                Err(lost) => return Err(lost_to(&lost).into()),
            },
        };
        return checked_out(cx, claimed, how.checkout, brought).map(|taken| Taken { kept, ..taken });
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
            let (at, lease) = (edit.at(), how.lease.clone());
            task.register = match lease::is_local(how.cx, &held.owner)? {
                true => task.register.take_over(id, &at, lease)?,
                false => task.register.take_from(id, &at, lease)?,
            };
            let note = format!("fence {}", task.register.fence);
            let change = change("task.takeover", id, how.cause, Some(note));
            return Ok(Some((edit.put_task(task, change), Since::Now)));
        }
    }
    if task.register.state == State::Open && !needs::is_ready(edit.snapshot(), &task)? {
        return Err(not_ready(edit.snapshot(), &task)?.into());
    }
    landed::refuse(how.cx, edit.snapshot(), &task)?;
    Ok(Some((claim(how, edit, task)?, Since::Now)))
}

fn not_ready(snapshot: &Snapshot<'_>, task: &Task) -> Result<Refused, OpError> {
    let word = |(need, status)| format!("{need} ({status})");
    let missing: Vec<String> = needs::waits_for(snapshot, task)?.into_iter().map(word).collect();
    let fact = format!("task {} needs what is not merged yet: {}", task.id, missing.join(", "));
    Ok(Refused::new(Because::Policy, "task.needs", fact).next(format!("git orch dep tree {}", task.id)))
}
