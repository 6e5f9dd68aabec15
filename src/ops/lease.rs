//! Whose task it is, as this clone knows it.
//!
//! The register in the state says who holds a task; `<common dir>/orch/leases/<id>` says which fence *we* hold.
//! A caller whose fence is not the register's lost the task in between, whatever its name is.

use std::path::{Path, PathBuf};

use crate::domain::id::{SessionId, TaskId};
use crate::domain::task::{Claim, Lease, Owner, Refusal, State, Task};
use crate::domain::time::Timestamp;
use crate::git::Worktree;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::worktrees;
use crate::sys::fs::{self, Durability};
use crate::sys::lock::FileLock;

fn path(cx: &Ctx, id: &TaskId) -> PathBuf {
    cx.file("leases").join(id.as_str())
}

/// Remembers the fence that this clone holds for a task.
pub(crate) fn remember(cx: &Ctx, id: &TaskId, fence: u64) -> Result<(), OpError> {
    let path = path(cx, id);
    fs::create_dir_all(&cx.file("leases"))?;
    Ok(fs::write_atomic(&path, format!("{fence}\n").as_bytes(), 0o644, Durability::None)?)
}

/// The fence that this clone holds for a task.
pub(crate) fn held(cx: &Ctx, id: &TaskId) -> Result<Option<u64>, OpError> {
    Ok(fs::read_optional(&path(cx, id))?.and_then(|text| text.trim().parse().ok()))
}

/// The tasks whose fences this clone holds.
pub(crate) fn all(cx: &Ctx) -> Result<Vec<TaskId>, OpError> {
    let dir = cx.file("leases");
    if !fs::exists(&dir) {
        return Ok(Vec::new());
    }
    let name = |path: PathBuf| TaskId::parse(path.file_name()?.to_str()?).ok();
    Ok(fs::list(&dir)?.into_iter().filter_map(name).collect())
}

/// Forgets a task that this clone no longer holds.
pub(crate) fn forget(cx: &Ctx, id: &TaskId) -> Result<(), OpError> {
    fs::remove_file_if_there(&path(cx, id))?;
    Ok(())
}

/// The owner that a claim by this context is recorded under.
pub(crate) fn owner(cx: &Ctx) -> Result<Owner, OpError> {
    let session = match &cx.actor.session {
        Some(session) => session.clone(),
        None => cx.person_session()?,
    };
    let worker = cx.actor.session.is_some();
    Ok(Owner { actor: cx.actor.to_string(), session, worker })
}

/// A new lease for this context.
pub(crate) fn lease(cx: &Ctx) -> Result<Lease, OpError> {
    let owner = owner(cx)?;
    let expires = cx.clock.now().plus_millis(length(cx, owner.worker));
    Ok(Lease { owner, claim: Claim::Local, expires })
}

/// How long a lease lasts, in milliseconds.
pub(crate) fn length(cx: &Ctx, worker: bool) -> i64 {
    let period = if worker { cx.local.worker_lease } else { cx.local.person_lease };
    i64::try_from(period.millis()).unwrap_or(i64::MAX)
}

fn renewed_path(cx: &Ctx, id: &TaskId) -> PathBuf {
    cx.file("renewed").join(id.as_str())
}

/// Notes that the holder of a task goes on until `until`, as its claim on the remote says: no change of state.
pub(crate) fn note_renewal(cx: &Ctx, id: &TaskId, fence: u64, until: Timestamp) -> Result<(), OpError> {
    fs::create_dir_all(&cx.file("renewed"))?;
    let text = format!("{fence} {}\n", until.millis());
    Ok(fs::write_atomic(&renewed_path(cx, id), text.as_bytes(), 0o644, Durability::None)?)
}

/// When the lease of a task's holder ends, renewals that were heard of included.
pub(crate) fn expires(cx: &Ctx, task: &Task, lease: &Lease) -> Result<Timestamp, OpError> {
    let Some(text) = fs::read_optional(&renewed_path(cx, &task.id))? else { return Ok(lease.expires) };
    let noted = text.trim().split_once(' ').and_then(|(fence, until)| {
        let until = until.parse().ok().map(Timestamp::from_millis)?;
        (fence.parse() == Ok(task.register.fence)).then_some(until)
    });
    Ok(noted.map_or(lease.expires, |until| until.max(lease.expires)))
}

/// Whether a session is of this clone: a worker's, or the one of the people here.
pub(crate) fn is_local(cx: &Ctx, owner: &Owner) -> Result<bool, OpError> {
    if owner.worker {
        Ok(fs::exists(&live_path(cx, &owner.session)))
    } else {
        Ok(owner.session == cx.person_session()?)
    }
}

/// Whether the lease is this context's own. Two persons may share a clone, and a clone may be copied: the session is
/// the clone's, the name the person's.
pub(crate) fn is_ours(cx: &Ctx, lease: &Lease) -> Result<bool, OpError> {
    let own = owner(cx)?;
    Ok(lease.owner.session == own.session && (lease.owner.worker || lease.owner.actor == own.actor))
}

/// Refuses unless nobody holds the task, or this context does with the register's fence.
pub(crate) fn refuse_others(cx: &Ctx, task: &Task) -> Result<(), OpError> {
    let Some(lease) = task.register.state.lease() else { return Ok(()) };
    if !is_ours(cx, lease)? {
        return Err(Refusal::Held {
            id: task.id.clone(),
            owner: lease.owner.actor.clone(),
            until: lease.expires,
        }
        .into());
    }
    match held(cx, &task.id)? {
        Some(fence) => Ok(task.register.check_fence(&task.id, fence)?),
        // A killed command may have claimed without remembering: the session is ours, and nobody else's.
        None => Ok(()),
    }
}

/// Whether this clone had the task, and another clone's claim replaced its own. It still has its work.
pub(crate) fn is_lost(cx: &Ctx, task: &Task) -> Result<bool, OpError> {
    let Some(lease) = task.register.state.lease() else { return Ok(false) };
    if held(cx, &task.id)?.is_none() {
        return Ok(false);
    }
    Ok(!is_local(cx, &lease.owner)?)
}

/// The lock that a session's process holds while it lives.
pub(crate) fn live_path(cx: &Ctx, session: &SessionId) -> PathBuf {
    cx.file("live").join(session.as_str())
}

/// Whether the owner can no longer be at work: a worker whose process ended on this machine, or a lease that
/// expired. A worker of another machine has no lock file here and is judged by its expiry.
pub(crate) fn is_dead(cx: &Ctx, task: &Task) -> Result<bool, OpError> {
    let (State::Claimed(lease) | State::Merging(lease)) = &task.register.state else { return Ok(false) };
    let live = live_path(cx, &lease.owner.session);
    if lease.owner.worker && fs::exists(&live) {
        return Ok(!FileLock::is_held(&live)?);
    }
    let ends = expires(cx, task, lease)?;
    // Another machine's clock may be behind.
    let grace = i64::try_from(cx.local.takeover_grace.millis()).unwrap_or(i64::MAX);
    let grace = if is_local(cx, &lease.owner)? { 0 } else { grace };
    let expired = cx.clock.now() > ends.plus_millis(grace);
    Ok(expired && !(is_person(lease) && is_active(cx, &task.id)?))
}

fn is_person(lease: &Lease) -> bool {
    !lease.owner.worker
}

/// Whether anything happened in the task's worktree for as long as a person's lease lasts: a git command, or a file
/// that was written. Looked at only when a lease is over, so that activity renews it without a change of state.
fn is_active(cx: &Ctx, id: &TaskId) -> Result<bool, OpError> {
    let Some(worktree) = cx.repo.worktree_at(&worktrees::path(cx, id))?.filter(Worktree::exists) else {
        return Ok(false);
    };
    let since = cx.clock.now().millis() - length(cx, false);
    let recent = |path: &Path| fs::modified(path).is_some_and(|time| time.millis() > since);
    if ["index", "HEAD", "logs/HEAD"].iter().any(|name| recent(&worktree.git_dir.join(name))) {
        return Ok(true);
    }
    let dirt = cx.repo.dirt(&worktree)?;
    Ok(dirt.changed.iter().chain(&dirt.untracked).any(|path| recent(&worktree.path.join(path))))
}
