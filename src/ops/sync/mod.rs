//! The state travels: what a remote has is looked at, joined, and what it lacks is pushed; claims are arbitrated there.
//!
//! Called by `git orch sync`, and around claims and merges. A remote's state is looked at beside ours first
//! (`refs/orch/remotes/<remote>/fetched/state`) and becomes the tracked one (`…/state`) once it is joined, so that what
//! others do to a remote (deleting, rewinding, pushing another repository's state) is seen. Nothing of ours is lost by it: all that was ever tracked is in our own state.

mod batched;
mod claims;
mod confirm;
mod grace;
mod join;
#[cfg(test)]
mod model;
mod report;
mod rules;
mod share;
mod track;

pub(crate) use claims::Stake;
pub use confirm::Published;
use grace::Takeover;
pub use join::Trouble;
pub(crate) use join::trouble;
pub use report::{Lost, Options, Report};
use share::Shared;

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::config::{Claims, StateSync};
use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::Task;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::people;
use crate::ops::remote::{self, Fetched, Update};
use crate::sys::fs::{self, Durability};

/// What bringing trunk and state here came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brought {
    /// What git said when the remote could not be reached.
    pub(crate) offline: Option<String>,
    /// What somebody did to the remote's state.
    pub(crate) trouble: Option<Trouble>,
    /// Claims of this clone that another clone won.
    pub(crate) lost: Vec<Lost>,
}

/// Fetches trunk and state and joins the state, as far as `orch.sync` wants that.
pub(crate) fn fetch(cx: &Ctx, trunk: &Trunk) -> Result<Brought, OpError> {
    let mut brought = Brought::default();
    match (remote::fetch(cx, trunk)?, &trunk.remote) {
        (Fetched::Fresh, Some(remote)) => {
            let mut report = Report { remote: remote.clone(), ..Report::default() };
            brought.trouble = join::take_in(cx, remote, Options::default(), &mut report)?;
            claims::renew(cx, remote)?;
            brought.lost = report.lost;
        }
        (Fetched::Offline(said), _) => brought.offline = Some(said),
        (Fetched::Fresh | Fetched::NotNeeded, _) => {}
    }
    Ok(brought)
}

/// Brings this clone and a remote together.
pub fn sync(cx: &Ctx, remote: Option<&str>, options: Options) -> Result<Report, OpError> {
    cx.snapshot()?;
    if options.restore {
        people::refuse_agents(cx, "put a remote's state back")?;
    }
    if options.adopt {
        people::refuse_agents(cx, "make this clone's state a part of another one")?;
    }
    let remote = named(cx, remote)?;
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let trunk = (trunk.remote.as_deref() == Some(remote.as_str())).then_some(&trunk);
    let mut report = Report { remote: remote.clone(), ..Report::default() };
    remote::forget_fetch(cx, &remote)?;
    if let Fetched::Offline(said) = remote::fetch_from(cx, &remote, trunk)? {
        return Err(offline(&remote, &said).into());
    }
    match join::take_in(cx, &remote, options, &mut report)? {
        // What is asked for is ours in its place.
        Some(Trouble::Hostile { .. }) if options.restore => {}
        Some(trouble) => return Err(trouble.into()),
        None => {}
    }
    report.kept = claims::renew(cx, &remote)?;
    // Claims first: what the remote says to them is a part of the state that it gets.
    publish_all(cx, &remote, &mut report)?;
    match share::share(cx, &remote, options, &mut report)? {
        Shared::Done | Shared::Troubled => {}
        Shared::Refused(said) => report.refused = Some(said),
        Shared::Offline(said) => return Err(offline(&remote, &said).into()),
    }
    Ok(report)
}

/// Brings what the remote knows of claims up to what the state says.
fn publish_all(cx: &Ctx, remote: &str, report: &mut Report) -> Result<(), OpError> {
    match cx.local.claims {
        Claims::Refs => claims::publish_all(cx, remote, report),
        Claims::Batched => batched::publish_all(cx, remote, report),
    }
}

fn offline(remote: &str, said: &str) -> Refused {
    let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it did not say why").trim();
    Refused::new(Because::Offline, "sync.offline", format!("{remote} can't be reached: {said}"))
        .next("work goes on; `git orch sync` later")
        .next(format!("git ls-remote {remote}   (whether it answers)"))
}

fn named(cx: &Ctx, remote: Option<&str>) -> Result<String, OpError> {
    let known = &cx.settings.remotes;
    if let Some(name) = remote {
        if known.iter().any(|known| known == name) {
            return Ok(name.to_owned());
        }
        let refused = Refused::new(Because::Usage, "remote.unknown", format!("there is no remote `{name}`"));
        return Err(refused.next("git remote -v").into());
    }
    cx.remote().map(str::to_owned).ok_or_else(|| {
        Refused::new(Because::Usage, "remote.missing", "there is no remote to share the state through")
            .next("git remote add origin URL")
            .next("git config orch.remote NAME   (if there are several)")
            .into()
    })
}

/// What is known of a claim once the remote was asked, where there is one to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody else is to be asked: no remote, or `orch.sync = manual`.
    Alone,
    /// The remote arbitrated it.
    Confirmed,
    /// It could not be asked; why. The claim is this clone's only.
    Unconfirmed(String),
    /// It takes no claims; what it said. The claim is this clone's only.
    Refused(String),
}

/// How often, in milliseconds, the state is pushed along with claims.
const ALONG: i64 = 30_000;

/// The remote that arbitrates claims, if one does.
pub fn arbiter(cx: &Ctx) -> Option<&str> {
    cx.remote().filter(|_| cx.local.sync == StateSync::Auto)
}

/// Has the remote arbitrate a claim that was just made: `task` as it was written. `over`: the claim of another clone
/// that it takes over.
pub(crate) fn claim(cx: &Ctx, task: &Task, over: Option<&Oid>) -> Result<Result<Standing, Lost>, OpError> {
    let Some(remote) = arbiter(cx) else { return Ok(Ok(Standing::Alone)) };
    // Who hears of a claim has to know the task. One that is taken over is known, and outranks what takes it over until
    // the remote has that: whoever shares first may lose to the dead.
    if over.is_none() {
        match share_now_and_then(cx, remote)? {
            // Claims go on: they outlive what is done to the state.
            Shared::Done | Shared::Troubled => {}
            Shared::Refused(said) => return Ok(Ok(Standing::Refused(said))),
            Shared::Offline(said) => return Ok(Ok(Standing::Unconfirmed(said))),
        }
    }
    let published = match cx.local.claims {
        Claims::Refs => confirm::publish(cx, remote, &task.id, &task.register, over)?,
        Claims::Batched => batched::publish(cx, remote, task)?,
    };
    Ok(match published {
        Published::Confirmed => Ok(Standing::Confirmed),
        Published::Lost(lost) => Err(lost),
        Published::Refused(said) => Ok(Standing::Refused(said)),
        Published::Unconfirmed(said) => Ok(Standing::Unconfirmed(said)),
    })
}

/// Pushes the state if the remote has none yet, or has not had ours for a while.
fn share_now_and_then(cx: &Ctx, remote: &str) -> Result<Shared, OpError> {
    let stamp = cx.file("shared");
    let now = cx.clock.now().millis();
    let is_known = cx.repo.ref_target(&cx.tracked_state(remote))?.is_some();
    let last = fs::read_optional(&stamp)?.and_then(|text| text.trim().parse::<i64>().ok());
    if is_known && last.is_some_and(|last| (0..ALONG).contains(&(now - last))) {
        return Ok(Shared::Done);
    }
    fs::write_atomic(&stamp, format!("{now}\n").as_bytes(), 0o644, Durability::None)?;
    let mut report = Report::default();
    if !is_known {
        return share::share(cx, remote, Options::default(), &mut report);
    }
    // The next one will do, too: whoever claims does not wait for those who share.
    share::share_within(cx, remote, Options::default(), &mut report, 1)?;
    Ok(Shared::Done)
}

/// How long, in milliseconds, a claim that was lost is a sign of many who claim.
const CONTENDED: i64 = 60_000;

/// Notes that another clone was faster, and with which task this one goes on.
pub(crate) fn note_loss(cx: &Ctx, from: &TaskId) -> Result<(), OpError> {
    let text = format!("{} {from}\n", cx.clock.now().millis());
    Ok(fs::write_atomic(&cx.file("lost"), text.as_bytes(), 0o644, Durability::None)?)
}

/// With which task this clone goes on, if another one was faster a short while ago.
pub(crate) fn lost_lately(cx: &Ctx) -> Result<Option<TaskId>, OpError> {
    let text = fs::read_optional(&cx.file("lost"))?.unwrap_or_default();
    let Some((at, from)) = text.trim().split_once(' ') else { return Ok(None) };
    let is_late = |at: i64| (0..CONTENDED).contains(&cx.clock.now().millis().saturating_sub(at));
    Ok(TaskId::parse(from).ok().filter(|_| at.parse().is_ok_and(is_late)))
}

/// Tells the remote what became of tasks whose claims it has, if it answers soon. Whatever goes wrong is made up for by
/// the next sync.
pub(crate) fn tell(cx: &Ctx, ids: &[TaskId]) {
    let Some(remote) = arbiter(cx).filter(|_| cx.local.claims == Claims::Refs) else { return };
    if let Err(error) = claims::tell(cx, remote, ids) {
        tracing::debug!(%error, "the remote was not told");
    }
}

/// Brings the remote up to date after a merge. Whatever goes wrong is made up for by the next sync.
pub(crate) fn after_merge(cx: &Ctx) {
    let Some(remote) = arbiter(cx) else { return };
    let mut report = Report::default();
    let shared = share::share(cx, remote, Options::default(), &mut report).and_then(|shared| {
        if shared == Shared::Done {
            publish_all(cx, remote, &mut report)?;
        }
        Ok(shared)
    });
    match shared {
        Ok(shared) => tracing::debug!(?shared, "shared the state"),
        Err(error) => tracing::debug!(%error, "the state was not shared"),
    }
}

/// The claim of a task that is about to be merged.
pub(crate) fn stake(cx: &Ctx, remote: &str, id: &TaskId) -> Result<Stake, OpError> {
    if arbiter(cx) != Some(remote) || cx.local.claims == Claims::Batched {
        return Ok(Stake::NotAsked);
    }
    claims::stake(cx, remote, id)
}

/// The remote took trunk, and the claim with it.
pub(crate) fn staked(cx: &Ctx, remote: &str, id: &TaskId, update: &Update) {
    if let Err(error) = claims::arrived(cx, remote, id, update) {
        tracing::debug!(%id, %error, "the next sync finds out that the claim was renewed");
    }
}

/// Whether the remote has a task's claim at something else than what `update` expected.
pub(crate) fn has_moved(cx: &Ctx, remote: &str, id: &TaskId, update: &Update) -> Result<bool, OpError> {
    Ok(claims::at(cx, remote, id)? != update.expected)
}

/// Refuses to take over the task of another clone before its owner could object: tells it first. The claim that may be
/// taken over, where the remote has one.
pub(crate) fn refuse_unheard(cx: &Ctx, id: &TaskId) -> Result<Option<Oid>, OpError> {
    let Some(remote) = arbiter(cx) else { return Ok(None) };
    let (until, owner) = match grace::revoke(cx, remote, id)? {
        Takeover::Told { until, owner } => (until, owner),
        Takeover::Free { over } => return Ok(over),
    };
    let fact = format!(
        "{owner}, who has task {id}, was not heard of in time and is told; it may object until {until}"
    );
    Err(Refused::new(Because::Held, "claim.told", fact)
        .next(format!("git orch start {id}   (again, after that)"))
        .next("git orch next   (something else)")
        .into())
}

/// A remote is not asked more often than this.
const SHORTEST: Duration = Duration::from_millis(200);

/// Goes on with the claims of a session for as long as it works, in the eyes of other clones: fetches, renews, objects.
/// Ends when `done` is closed.
pub(crate) fn heartbeat(cx: &Ctx, done: &Receiver<()>) {
    let Some(remote) = arbiter(cx) else { return };
    let third = Duration::from_millis(cx.local.worker_lease.millis() / 3);
    let pause = third.min(cx.local.takeover_grace.duration() / 2).max(SHORTEST);
    while done.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let renewed = remote::forget_state(cx, remote)
            .and_then(|()| remote::fetch_from(cx, remote, None))
            .and_then(|_| claims::renew(cx, remote));
        if let Err(error) = renewed {
            tracing::debug!(%error, "claims were not renewed");
        }
    }
}
