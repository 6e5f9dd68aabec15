//! The state: kept, joined from the remote, or made.

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::remote::{self, Asked};
use crate::ops::setup::report::{Done, Report};
use crate::ops::setup::trunk::{Advertised, Remote};
use crate::store::{Meta, STATE_REF, Snapshot};
use crate::sys::random;

/// What is to be done about the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is here.
    Keep(Oid),
    /// This clone had one, and its ref is gone.
    PutBack(Oid),
    /// The remote has one and we have none.
    Join(Oid),
    /// Nobody has one.
    Create,
}

/// Decides. With no answer from the remote, what was fetched from it before counts.
pub(super) fn plan(cx: &Ctx, remote: &Remote) -> Result<Plan, OpError> {
    if let Some(tip) = cx.store().tip()? {
        return Ok(Plan::Keep(tip));
    }
    if cx.had_state()
        && let Some(tip) = cx.store().lost_tip()?
    {
        return Ok(Plan::PutBack(tip));
    }
    let theirs = match (remote, cx.remote()) {
        (Remote::Online(found), _) => found.state(&cx.local.state_ref).cloned(),
        (Remote::Offline(_), Some(name)) => cx.repo.ref_target(&cx.tracked_state(name))?,
        (_, _) => None,
    };
    Ok(theirs.map_or(Plan::Create, Plan::Join))
}

/// Brings the remote's state here, beside ours, and returns what came: nothing of ours moves.
pub(super) fn fetch(cx: &Ctx, from: &Remote, theirs: &Oid) -> Result<Oid, OpError> {
    let (Some(name), Remote::Online(_)) = (cx.remote(), from) else { return Ok(theirs.clone()) };
    let to = cx.tracked_state(name);
    // As after any other fetch: a clone that has only one of the two would say that somebody deleted the state.
    let (state, fetched) = (&cx.local.state_ref, cx.fetched_state(name));
    let fetch = cx
        .repo
        .git(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"])
        .args(["--no-recurse-submodules", "--no-filter", "--refmap=", name])
        .args([format!("+{state}:{to}"), format!("+{state}:{fetched}")])
        .env("GIT_TERMINAL_PROMPT", "0");
    match remote::ask(cx, &fetch)? {
        Asked::Answered(output) => output.checked()?,
        Asked::Silent(said) => return Err(remote::silent(name, &said).into()),
    };
    Ok(cx.repo.ref_target(&to)?.unwrap_or_else(|| theirs.clone()))
}

/// Does it. `trunk` is the name that a new state gets.
pub(super) fn perform(cx: &Ctx, plan: &Plan, trunk: &str, report: &mut Report) -> Result<(), OpError> {
    match plan {
        Plan::Keep(_) => {}
        Plan::PutBack(tip) => {
            cx.store().adopt(tip)?;
            let when = Timestamp::from_millis(cx.repo.commit(tip)?.seconds.saturating_mul(1000));
            report.push(Done::Made, "state", format!("put {STATE_REF} back to where it was at {when}"));
        }
        Plan::Join(tip) => {
            cx.store().adopt(tip)?;
            let from = cx.remote().unwrap_or("the remote");
            report.push(Done::Made, "state", format!("joined {from}'s {}", cx.local.state_ref));
        }
        Plan::Create => {
            let id = format!("{:016x}", u64::from_be_bytes(random::bytes::<8>()));
            let meta = Meta::new(id, trunk.to_owned());
            cx.store().create(&cx.author(), cx.clock.now(), &meta)?;
            report.push(Done::Made, "state", format!("made {STATE_REF}"));
        }
    }
    Ok(())
}

/// Says what is known beforehand; for a dry run also what would be done.
pub(super) fn tell(cx: &Ctx, plan: &Plan, remote: &Remote, report: &mut Report) -> Result<(), OpError> {
    if let Plan::Keep(tip) = plan {
        report.push(Done::Kept, "state", format!("{STATE_REF} is here"));
        if let Remote::Online(found) = remote {
            tell_difference(cx, tip, found, report)?;
        }
    }
    if let Remote::Offline(said) = remote {
        let name = cx.remote().unwrap_or("the remote");
        let mut line = format!("{name} could not be asked: {said}");
        if *plan == Plan::Create {
            line.push_str("; if it has a state already, this clone will have another one");
        }
        report.push(Done::Warned, "remote", line);
    }
    Ok(())
}

fn tell_difference(cx: &Ctx, ours: &Oid, found: &Advertised, report: &mut Report) -> Result<(), OpError> {
    let Some(theirs) = found.state(&cx.local.state_ref) else { return Ok(()) };
    let contained = cx.repo.has_object(theirs) && cx.repo.is_ancestor(theirs, ours)?;
    if !contained {
        let name = cx.remote().unwrap_or("the remote");
        report.push(
            Done::Warned,
            "state",
            format!("{name} has a {STATE_REF} with changes that this clone lacks; this clone keeps its own"),
        );
    }
    Ok(())
}

/// The trunk that a state names.
pub(super) fn trunk_in(cx: &Ctx, tip: &Oid) -> Result<String, OpError> {
    Ok(Snapshot::at(&cx.repo, tip.clone())?.meta()?.trunk)
}
