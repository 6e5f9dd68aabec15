//! Before a task is taken over from another clone: its owner is told, and has time to object.
//!
//! The time is counted by the clock of whoever takes over, from when it first saw the announcement: what another clone's
//! clock wrote may be minutes behind or years ahead. One small file for each task in `<common dir>/orch/told/`; without it
//! the time begins anew.

use std::path::PathBuf;

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::lease;
use crate::ops::remote::{self, Answer, Pushed, Update};
use crate::ops::sync::claims::{observed, tracking};
use crate::ops::sync::track::track;
use crate::store::{CLAIMS, ClaimRecord, Revocation, claim_place};
use crate::sys::fs::{self, Durability};

/// How far a task of another clone may be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Takeover {
    /// Nobody has to be told any more.
    Free {
        /// The claim whose owner was told and has not objected; None: the remote has none of it.
        over: Option<Oid>,
    },
    /// Its owner was told, and may object until then.
    Told {
        /// Until when.
        until: Timestamp,
        /// The owner.
        owner: String,
    },
}

/// Tells the owner of a task, another clone's whose lease is over, that it will be taken over; a living one objects by
/// its next renewal.
pub(super) fn revoke(cx: &Ctx, remote: &str, id: &TaskId) -> Result<Takeover, OpError> {
    let free = Takeover::Free { over: None };
    let Ok(Some(task)) = cx.snapshot()?.task(id) else { return Ok(free) };
    let Some(held) = task.register.state.lease() else { return Ok(free) };
    if lease::is_local(cx, &held.owner)? || !lease::is_dead(cx, &task)? {
        return Ok(free);
    }
    let (oid, record) = match observed(cx, remote, id)? {
        Some((oid, record)) => (Some(oid), record),
        // Somebody deleted it: its owner hears of it as of any other.
        None if task.register.anchor >= task.register.fence => (None, record_of(cx, &task)?),
        // One that the remote never confirmed has nobody who could object there.
        None => return Ok(free),
    };
    if record.register.fence != task.register.fence {
        return Ok(free);
    }
    let grace = i64::try_from(cx.local.takeover_grace.millis()).unwrap_or(i64::MAX);
    let (now, owner) = (cx.clock.now(), held.owner.actor.clone());
    if let (Some(_), Some(told)) = (&record.revoked, &oid) {
        let until = seen(cx, id, told)?.plus_millis(grace);
        return Ok(if now >= until { Takeover::Free { over: oid } } else { Takeover::Told { until, owner } });
    }
    let revoked = Some(Revocation { by: cx.actor.to_string(), at: now });
    let commit = cx.store().write_claim(&cx.author(), now, &ClaimRecord { revoked, ..record })?;
    let name = format!("{CLAIMS}{}", claim_place(id));
    let update = Update { name, expected: oid, new: Some(commit.clone()) };
    if let Pushed::Answered(answers) = remote::push(cx, remote, &[update])?
        && answers.first() == Some(&Answer::Done)
    {
        track(cx, &tracking(remote, id), &commit)?;
        seen(cx, id, &commit)?;
    }
    Ok(Takeover::Told { until: now.plus_millis(grace), owner })
}

/// A task's register as a claim.
fn record_of(cx: &Ctx, task: &Task) -> Result<ClaimRecord, OpError> {
    let (repository, register) = (cx.snapshot()?.meta()?.repository, task.register.clone());
    Ok(ClaimRecord { repository, task: task.id.clone(), register, revoked: None })
}

fn path(cx: &Ctx, id: &TaskId) -> PathBuf {
    cx.file("told").join(id.as_str())
}

/// When this clone first saw the announcement `commit`: now, if it did not yet.
pub(super) fn seen(cx: &Ctx, id: &TaskId, commit: &Oid) -> Result<Timestamp, OpError> {
    let (path, now) = (path(cx, id), cx.clock.now());
    let text = fs::read_optional(&path)?.unwrap_or_default();
    let known = text.trim().split_once(' ').filter(|(seen, _)| *seen == commit.as_str());
    if let Some(at) = known.and_then(|(_, at)| at.parse().ok()).map(Timestamp::from_millis)
        && at <= now
    {
        return Ok(at);
    }
    fs::create_dir_all(&cx.file("told"))?;
    fs::write_atomic(&path, format!("{commit} {}\n", now.millis()).as_bytes(), 0o644, Durability::None)?;
    Ok(now)
}
