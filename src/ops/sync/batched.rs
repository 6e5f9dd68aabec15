//! Having the remote arbitrate claims where it takes one ref only: by the state's own.
//!
//! The confirmed claim is proposed: a commit on our state that no ref of ours leads to. Whoever gets it to the remote by
//! compare-and-swap has it; only then it is joined here. All clones meet at one ref: some claims a second together, where
//! a ref for each claim lets them pass each other.

use std::time::Duration;

use crate::domain::task::{Claim, Lease, Task};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::lease;
use crate::ops::remote::{self, Answer, Fetched, Pushed, Update};
use crate::ops::sync::confirm::{Published, lost};
use crate::ops::sync::join;
use crate::ops::sync::report::{Options, Report};
use crate::ops::sync::track::track;
use crate::policy::grant::Action;
use crate::store::Change;
use crate::sys::random;

/// How often another clone may be faster before we give up.
const TRIES: u32 = 16;

/// Has the remote arbitrate who owns a task; `ours` as this clone wrote it.
pub(super) fn publish(cx: &Ctx, remote: &str, ours: &Task) -> Result<Published, OpError> {
    let mut said = "other clones were faster every time".to_owned();
    for round in 0..TRIES {
        let Some(now) = cx.snapshot()?.task(&ours.id)? else {
            return Err(OpError::Bug(format!("task {} is gone", ours.id)));
        };
        if let Some(lost) = lost(cx, &ours.register, &now.register, &ours.id)? {
            return Ok(Published::Lost(lost));
        }
        let theirs = cx.repo.ref_target(&cx.fetched_state(remote))?;
        if theirs != cx.repo.ref_target(&cx.tracked_state(remote))? {
            match join::take_in(cx, remote, Options::default(), &mut Report::default())? {
                Some(trouble) => return Ok(Published::Unconfirmed(trouble.to_string())),
                None => continue,
            }
        }
        let commit = proposal(cx, remote, &now)?;
        let update = Update { name: cx.local.state_ref.clone(), expected: theirs, new: Some(commit.clone()) };
        let arrived = match remote::push(cx, remote, &[update])? {
            Pushed::Answered(answers) => match answers.into_iter().next() {
                Some(Answer::Done) => true,
                Some(Answer::Refused(said)) => return Ok(Published::Refused(said)),
                Some(Answer::Stale(_)) | None => false,
            },
            Pushed::Unknown(why) => match remote::look(cx, remote, &cx.local.state_ref)? {
                Ok(there) => {
                    said = why;
                    there.as_ref() == Some(&commit)
                }
                Err(why) => return Ok(Published::Unconfirmed(why)),
            },
        };
        if arrived {
            cx.store().join(&cx.author(), &commit, "sync", false)?;
            track(cx, &cx.fetched_state(remote), &commit)?;
            track(cx, &cx.tracked_state(remote), &commit)?;
            return Ok(Published::Confirmed);
        }
        cx.clock.wait(Duration::from_millis(random::bits40() % (20 << round.min(6))));
        remote::forget_state(cx, remote)?;
        if let Fetched::Offline(said) = remote::fetch_from(cx, remote, None)? {
            return Ok(Published::Unconfirmed(said));
        }
        if let Some(trouble) = join::take_in(cx, remote, Options::default(), &mut Report::default())? {
            return Ok(Published::Unconfirmed(trouble.to_string()));
        }
    }
    Ok(Published::Unconfirmed(said))
}

/// Has the remote arbitrate the claims of this clone that it was not asked about yet.
pub(super) fn publish_all(cx: &Ctx, remote: &str, report: &mut Report) -> Result<(), OpError> {
    for id in lease::all(cx)? {
        let Ok(Some(task)) = cx.snapshot()?.task(&id) else { continue };
        let is_local = |lease: &Lease| lease.claim == Claim::Local;
        if !task.register.state.lease().is_some_and(is_local) {
            continue;
        }
        match publish(cx, remote, &task)? {
            Published::Confirmed => report.confirmed.push(id),
            Published::Lost(lost) => report.lost.push(lost),
            // It is asked again by the next sync.
            Published::Refused(_) | Published::Unconfirmed(_) => {}
        }
    }
    Ok(())
}

/// Our state with the claim confirmed.
fn proposal(cx: &Ctx, remote: &str, task: &Task) -> Result<crate::domain::oid::Oid, OpError> {
    let mut confirmed = task.clone();
    confirmed.register = task.register.confirmed();
    let change = Change {
        action: "task.confirm",
        subject: format!("task/{}", task.id),
        cause: "sync".to_owned(),
        note: Some(format!("fence {} by {remote}", task.register.fence)),
    };
    let ((), commit) = cx.store().propose(&cx.author(), Action::Sync, |edit| {
        edit.put_task(confirmed, change);
        Ok::<_, OpError>(())
    })?;
    Ok(commit)
}
