//! Claims across clones: one small ref for each, moved by compare-and-swap on the remote.
//!
//! The remote is first: a claim that it took is `confirmed` and outranks whatever another clone did alone. A push whose
//! answer was lost is asked about, never assumed. What was pushed is noted in `<common dir>/orch/pending/<id>` before, so
//! that it is known for ours whenever it turns up; the note goes when another clone's register replaces ours.

use std::path::PathBuf;

use crate::config::{Claims, Period};
use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::{Claim, Register, Task};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::lease;
use crate::ops::remote::{self, Answer, Pushed, Update};
use crate::ops::sync::report::{Lost, Report};
use crate::ops::sync::rules::{after, is_over, is_renewal, is_same_right, is_settled, may_replace};
use crate::ops::sync::track::track;
use crate::policy::grant::Action;
use crate::store::{
    CLAIMS, Change, ClaimRecord, Snapshot, StoreError, claim_place, remote_claims, task_of_claim,
};
use crate::sys::failpoint::{self, Point};
use crate::sys::fs;

/// How many refs are moved by one push.
const AT_ONCE: usize = 100;

fn change(action: &'static str, id: &TaskId, note: String) -> Change {
    Change { action, subject: format!("task/{id}"), cause: "sync".to_owned(), note: Some(note) }
}

fn pending(cx: &Ctx, id: &TaskId) -> PathBuf {
    cx.file("pending").join(id.as_str())
}

/// How many pushes of a claim may be without an answer.
const PENDING: usize = 16;

/// The commits that this clone pushed for a task and that the remote may have, or get yet.
fn noted(cx: &Ctx, id: &TaskId) -> Result<Vec<Oid>, OpError> {
    let text = fs::read_optional(&pending(cx, id))?.unwrap_or_default();
    Ok(text.lines().filter_map(|line| Oid::parse(line.trim()).ok()).collect())
}

fn note(cx: &Ctx, id: &TaskId, commits: &[Oid]) -> Result<(), OpError> {
    fs::create_dir_all(&cx.file("pending"))?;
    let lines: Vec<&str> = commits.iter().map(Oid::as_str).collect();
    let text = lines.join("\n") + "\n";
    Ok(fs::write_atomic(&pending(cx, id), text.as_bytes(), 0o644, cx.durability())?)
}

pub(super) fn tracking(remote: &str, id: &TaskId) -> String {
    remote_claims(remote) + &claim_place(id)
}

/// Where the remote was last seen to have the claim of a task.
pub(super) fn at(cx: &Ctx, remote: &str, id: &TaskId) -> Result<Option<Oid>, OpError> {
    Ok(cx.repo.ref_target(&tracking(remote, id))?)
}

/// The claims of a remote as they were last fetched. What is no claim of this state is passed over.
fn fetched(cx: &Ctx, remote: &str) -> Result<Vec<(TaskId, Oid, ClaimRecord)>, OpError> {
    let prefix = remote_claims(remote);
    let mut found = Vec::new();
    let mut repository = None;
    for (name, oid) in cx.repo.refs_below(&prefix)? {
        let Some(id) = name.strip_prefix(&prefix).and_then(task_of_claim) else { continue };
        let ours = match &repository {
            Some(ours) => ours,
            None => repository.insert(cx.snapshot()?.meta()?.repository),
        };
        match cx.store().read_claim(&oid) {
            Ok(record) if record.task == id && record.repository == *ours => found.push((id, oid, record)),
            Ok(_) => tracing::warn!(%id, "a claim of {remote} is another state's"),
            Err(StoreError::Hostile { what, .. }) => tracing::warn!(%id, what, "a claim of {remote} is none"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Joins the claims that were fetched into the state.
pub(super) fn take_in(cx: &Ctx, remote: &str, report: &mut Report) -> Result<(), OpError> {
    let snapshot = cx.snapshot()?;
    let mut news = Vec::new();
    for (id, oid, record) in fetched(cx, remote)? {
        let Ok(Some(task)) = snapshot.task(&id) else { continue };
        let is_ours = noted(cx, &id)?.contains(&oid);
        if let Some(lease) =
            record.register.state.lease().filter(|_| is_renewal(&task.register, &record.register))
        {
            lease::note_renewal(cx, &id, record.register.fence, lease.expires)?;
        }
        if after(&task.register, &record.register, is_ours).is_some() {
            news.push((id, oid, record.register, is_ours));
        }
    }
    if news.is_empty() {
        return Ok(());
    }
    for (id, _, record, is_ours) in &news {
        let Ok(Some(task)) = snapshot.task(id) else { continue };
        if !is_ours && record.change != task.register.change {
            fs::remove_file_if_there(&pending(cx, id))?;
        }
    }
    let (done, _) = cx.store().transact(&cx.author(), Action::Sync, |edit| {
        let mut done = Vec::new();
        for (id, oid, record, is_ours) in &news {
            let Some(mut task) = edit.task(id)? else { continue };
            let Some(next) = after(&task.register, record, *is_ours) else { continue };
            let before = std::mem::replace(&mut task.register, next.clone());
            let note = format!("fence {} by {remote}", next.fence);
            let action = if *is_ours { "task.confirm" } else { "task.heard" };
            edit.put_task(task, change(action, id, note));
            done.push((id.clone(), oid.clone(), before, next, *is_ours));
        }
        Ok::<_, OpError>(done)
    })?;
    for (id, oid, before, next, is_ours) in done {
        if is_ours {
            note(cx, &id, &[oid])?;
            report.confirmed.push(id);
        } else {
            replaced(cx, &id, &before, &next, report)?;
        }
    }
    Ok(())
}

/// Forgets what was pushed of tasks whose registers another clone's are about to replace. Before they do: a kill in
/// between must not make another's register look like one that came from ours.
pub(super) fn forget_replaced(cx: &Ctx, theirs: &Oid) -> Result<(), OpError> {
    let dir = cx.file("pending");
    if !fs::exists(&dir) {
        return Ok(());
    }
    let (ours, theirs) = (cx.snapshot()?, cx.store().at(theirs)?);
    for path in fs::list(&dir)? {
        let Some(id) = path.file_name().and_then(|name| TaskId::parse(name.to_str()?).ok()) else { continue };
        let (Ok(Some(mine)), Ok(Some(other))) = (ours.task(&id), theirs.task(&id)) else { continue };
        if other.register.standing() > mine.register.standing()
            && other.register.change != mine.register.change
        {
            fs::remove_file_if_there(&path)?;
        }
    }
    failpoint::at(Point::ClaimForgotten);
    Ok(())
}

/// Notes that another clone's register replaced ours.
pub(super) fn replaced(
    cx: &Ctx,
    id: &TaskId,
    before: &Register,
    now: &Register,
    report: &mut Report,
) -> Result<(), OpError> {
    fs::remove_file_if_there(&pending(cx, id))?;
    let Some(held) = before.state.lease() else { return Ok(()) };
    let holder = now.state.lease();
    let same = holder.is_some_and(|lease| lease.owner.session == held.owner.session);
    // Ours, if this clone has the fence of it.
    if !same && lease::held(cx, id)? == Some(before.fence) {
        report.lost.push(Lost { id: id.clone(), holder: holder.map(|lease| lease.owner.actor.clone()) });
    }
    Ok(())
}

/// The claim of a task that the remote was last seen to have.
pub(super) fn observed(cx: &Ctx, remote: &str, id: &TaskId) -> Result<Option<(Oid, ClaimRecord)>, OpError> {
    let Seen { at, record } = seen(cx, remote, id)?;
    Ok(at.zip(record))
}

/// What the remote was last seen to have where the claim of a task is. Looked at once: what is pushed over must be what
/// was judged, and another process of this clone may fetch at any time.
struct Seen {
    at: Option<Oid>,
    /// None: nothing is there, or what is nobody's claim, and may be replaced.
    record: Option<ClaimRecord>,
}

fn seen(cx: &Ctx, remote: &str, id: &TaskId) -> Result<Seen, OpError> {
    let at = at(cx, remote, id)?;
    // Also one by a clock that is far ahead: whoever made it was told that it has the task.
    let record = match at.as_ref().map(|oid| cx.store().find_claim(oid)).transpose() {
        Ok(record) => record,
        Err(StoreError::Hostile { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Seen { at, record })
}

/// What a merge puts at stake together with trunk.
#[derive(Clone, Debug)]
pub(crate) enum Stake {
    /// The task's claim, which must be what this clone knows it to be, and is renewed.
    Claim(Update),
    /// No remote arbitrates whose task it is.
    NotAsked,
    /// The claim is another's, or not known well enough.
    Moved,
}

/// The claim of a task that is about to be merged, renewed.
pub(super) fn stake(cx: &Ctx, remote: &str, id: &TaskId) -> Result<Stake, OpError> {
    let (snapshot, now) = (cx.snapshot()?, cx.clock.now());
    let Some(task) = snapshot.task(id)? else { return Ok(Stake::Moved) };
    let register = &task.register;
    let Some(lease) = register.state.lease() else { return Ok(Stake::Moved) };
    // The remote takes no claims, or this would have been confirmed before.
    if register.anchor < register.fence {
        return Ok(Stake::NotAsked);
    }
    let there = seen(cx, remote, id)?;
    if there.record.is_some_and(|record| !is_same_right(&record.register, register)) {
        return Ok(Stake::Moved);
    }
    let expires = now.plus_millis(lease::length(cx, lease.owner.worker));
    let record = ClaimRecord {
        repository: snapshot.meta()?.repository,
        task: id.clone(),
        register: register.renewed(expires),
        revoked: None,
    };
    Ok(Stake::Claim(written(cx, &record, there.at)?))
}

/// Writes a claim's commit, and notes that it is ours before anybody else can see it. None if what the remote has
/// outranks it: that has to be joined first, never pushed over. `over`: the claim that is taken over by it.
pub(super) fn prepare(
    cx: &Ctx,
    remote: &str,
    id: &TaskId,
    register: &Register,
    over: Option<&Oid>,
) -> Result<Option<Update>, OpError> {
    let there = seen(cx, remote, id)?;
    let is_taken_over = over.is_some() && there.at.as_ref() == over;
    if !may_replace(there.record.as_ref(), register, is_taken_over) {
        return Ok(None);
    }
    let repository = cx.snapshot()?.meta()?.repository;
    let record = ClaimRecord { repository, task: id.clone(), register: register.confirmed(), revoked: None };
    written(cx, &record, there.at).map(Some)
}

/// Whether the remote has the right of a register already.
pub(super) fn is_there(cx: &Ctx, remote: &str, id: &TaskId, register: &Register) -> Result<bool, OpError> {
    Ok(observed(cx, remote, id)?.is_some_and(|(_, record)| is_settled(&record, register)))
}

/// Why a claim can't be put where the remote has another one.
pub(super) fn in_the_way(cx: &Ctx, remote: &str, id: &TaskId) -> Result<String, OpError> {
    let there = at(cx, remote, id)?;
    match there.map(|oid| cx.store().read_claim(&oid)).transpose() {
        Err(StoreError::Hostile { what, .. }) => Ok(format!("what the remote has is refused: {what}")),
        Err(error) => Err(error.into()),
        Ok(_) => Ok("what the remote has outranks it".to_owned()),
    }
}

/// Writes a claim's commit and notes that it is ours.
fn written(cx: &Ctx, record: &ClaimRecord, expected: Option<Oid>) -> Result<Update, OpError> {
    let commit = cx.store().write_claim(&cx.author(), cx.clock.now(), record)?;
    let mut commits = noted(cx, &record.task)?;
    commits.push(commit.clone());
    note(cx, &record.task, &commits[commits.len().saturating_sub(PENDING)..])?;
    failpoint::at(Point::ClaimNoted);
    let name = format!("{CLAIMS}{}", claim_place(&record.task));
    Ok(Update { name, expected, new: Some(commit) })
}

/// Renews the claims of this clone whose time is more than a third over, and objects to those who are about to take
/// over; says to which of the latter the remote listened. On the remote only: a renewal is no change of state.
pub(super) fn renew(cx: &Ctx, remote: &str) -> Result<Vec<TaskId>, OpError> {
    let mut kept = Vec::new();
    if cx.local.claims == Claims::Batched {
        return Ok(kept);
    }
    let (snapshot, now) = (cx.snapshot()?, cx.clock.now());
    let mut updates = Vec::new();
    for id in lease::all(cx)? {
        let Ok(Some(task)) = snapshot.task(&id) else { continue };
        let Some(mine) = task.register.state.lease() else { continue };
        if !lease::is_local(cx, &mine.owner)? {
            continue;
        }
        let is_dead = lease::is_dead(cx, &task)?;
        if is_dead && mine.owner.worker {
            continue;
        }
        let Some((oid, record)) = observed(cx, remote, &id)? else {
            updates.extend(again(cx, remote, &task)?.map(|update| (id, update)));
            continue;
        };
        let Some(theirs) = record.register.state.lease() else { continue };
        if !is_same_right(&record.register, &task.register) {
            continue;
        }
        let length = lease::length(cx, mine.owner.worker);
        // A person who types commands here lives, and objects; else one is renewed by work on the task.
        if record.revoked.is_none() && is_dead {
            continue;
        }
        if record.revoked.is_some() {
            kept.push(id.clone());
        }
        if record.revoked.is_none() && theirs.expires.since(now) > length / 3 * 2 {
            continue;
        }
        let register = record.register.renewed(now.plus_millis(length));
        let record = ClaimRecord { register, revoked: None, ..record };
        updates.push((id, written(cx, &record, Some(oid))?));
    }
    for some in updates.chunks(AT_ONCE) {
        let list: Vec<Update> = some.iter().map(|(_, update)| update.clone()).collect();
        let Pushed::Answered(answers) = remote::push(cx, remote, &list)? else { return Ok(Vec::new()) };
        for ((id, update), answer) in some.iter().zip(answers) {
            match (answer, &update.new) {
                (Answer::Done, Some(new)) => track(cx, &tracking(remote, id), new)?,
                (_, _) => kept.retain(|kept| kept != id),
            }
        }
    }
    Ok(kept)
}

/// How long whoever only tells waits for the remote.
const SOON: Period = Period::from_secs(10);

/// Brings the remote's claims of these tasks up to what the state says, once.
pub(super) fn tell(cx: &Ctx, remote: &str, ids: &[TaskId]) -> Result<(), OpError> {
    let snapshot = cx.snapshot()?;
    let mut updates = Vec::new();
    for id in ids {
        if observed(cx, remote, id)?.is_some()
            && let Some(task) = snapshot.task(id)?
        {
            updates.extend(prepare(cx, remote, id, &task.register, None)?.map(|update| (id.clone(), update)));
        }
    }
    if updates.is_empty() {
        return Ok(());
    }
    let list: Vec<Update> = updates.iter().map(|(_, update)| update.clone()).collect();
    let limit = if cx.local.network_timeout.is_zero() { SOON } else { SOON.min(cx.local.network_timeout) };
    let Pushed::Answered(answers) = remote::push_within(cx, remote, &list, limit)? else { return Ok(()) };
    for ((id, update), answer) in updates.iter().zip(answers) {
        if answer == Answer::Done {
            arrived(cx, remote, id, update)?;
        }
    }
    Ok(())
}

/// What puts a claim back that the remote confirmed and does not have any more: somebody deleted it.
fn again(cx: &Ctx, remote: &str, task: &Task) -> Result<Option<Update>, OpError> {
    let is_confirmed = task.register.anchor >= task.register.fence;
    match is_confirmed {
        true => prepare(cx, remote, &task.id, &task.register, None),
        false => Ok(None),
    }
}

/// The remote has what we pushed: recorded as such.
pub(super) fn arrived(cx: &Ctx, remote: &str, id: &TaskId, update: &Update) -> Result<(), OpError> {
    let Some(commit) = &update.new else { return Ok(()) };
    track(cx, &tracking(remote, id), commit)?;
    let record = cx.store().read_claim(commit)?;
    note(cx, id, std::slice::from_ref(commit))?;
    failpoint::at(Point::ClaimArrived);
    cx.store().transact(&cx.author(), Action::Sync, |edit| {
        let Some(mut task) = edit.task(id)? else { return Ok(()) };
        let Some(next) = after(&task.register, &record.register, true) else { return Ok(()) };
        task.register = next;
        let note = format!("fence {} by {remote}", record.register.fence);
        edit.put_task(task, change("task.confirm", id, note));
        Ok::<_, OpError>(())
    })?;
    Ok(())
}

/// Whether the state that the remote has says that nothing needs a task's claim any more.
fn is_unneeded(cx: &Ctx, tracked: Option<&Snapshot<'_>>, id: &TaskId) -> Result<bool, OpError> {
    let Some(tracked) = tracked else { return Ok(false) };
    let task = match tracked.task(id) {
        Ok(task) => task,
        Err(StoreError::Corrupt { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(task.is_some_and(|task| is_over(&task.register, cx.clock.now())))
}

/// Whether a task, whose claim on the remote is at `there`, is this clone's to speak for.
fn is_own(cx: &Ctx, task: &Task, there: &Oid) -> Result<bool, OpError> {
    match task.register.state.lease() {
        Some(lease) => lease::is_local(cx, &lease.owner),
        None => Ok(noted(cx, &task.id)?.contains(there)),
    }
}

/// Brings the remote's claims up to what the state says: claims that were made offline, and what became of claims since.
/// This clone's only: whoever else made a claim may have gone on from it meanwhile. Those of tasks that were finished a
/// while ago go; the state, which the remote has by now, says it.
pub(super) fn publish_all(cx: &Ctx, remote: &str, report: &mut Report) -> Result<(), OpError> {
    let snapshot = cx.snapshot()?;
    let tracked = cx.repo.ref_target(&cx.tracked_state(remote))?;
    let tracked = tracked.map(|tip| cx.store().at(&tip)).transpose()?;
    let (mut updates, mut known) = (Vec::new(), std::collections::BTreeSet::new());
    for (id, oid, record) in fetched(cx, remote)? {
        known.insert(id.clone());
        let Ok(Some(task)) = snapshot.task(&id) else { continue };
        let newer = task.register.standing() > record.register.standing();
        if is_unneeded(cx, tracked.as_ref(), &id)? {
            let name = format!("{CLAIMS}{}", claim_place(&id));
            updates.push((id, Update { name, expected: Some(oid), new: None }));
        } else if newer && !is_renewal(&record.register, &task.register) && is_own(cx, &task, &oid)? {
            updates.extend(prepare(cx, remote, &id, &task.register, None)?.map(|update| (id, update)));
        }
    }
    for id in lease::all(cx)?.into_iter().filter(|id| !known.contains(id)) {
        let Ok(Some(task)) = snapshot.task(&id) else { continue };
        let local = |lease: &crate::domain::task::Lease| lease.claim == Claim::Local;
        if task.register.state.lease().is_some_and(local) {
            updates.extend(prepare(cx, remote, &id, &task.register, None)?.map(|update| (id, update)));
        }
    }
    for some in updates.chunks(AT_ONCE) {
        let list: Vec<Update> = some.iter().map(|(_, update)| update.clone()).collect();
        let answers = match remote::push(cx, remote, &list)? {
            Pushed::Answered(answers) => answers,
            Pushed::Unknown(said) => {
                tracing::warn!(said, "claims were pushed and not answered: the next sync finds out");
                return Ok(());
            }
        };
        for ((id, update), answer) in some.iter().zip(answers) {
            match answer {
                Answer::Done if update.new.is_some() => {
                    arrived(cx, remote, id, update)?;
                    report.confirmed.push(id.clone());
                }
                Answer::Done => {
                    if let Some(old) = &update.expected {
                        cx.repo.delete_ref(&tracking(remote, id), old)?;
                    }
                }
                // Another clone knows more; the next sync brings it.
                Answer::Stale(_) => {}
                Answer::Refused(said) => report.refused = Some(said),
            }
        }
    }
    Ok(())
}
