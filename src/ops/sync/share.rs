//! Pushing our state, by compare-and-swap on what the remote was seen to have.

use std::time::Duration;

use crate::domain::oid::Oid;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::remote::{self, Answer, Fetched, Pushed, Update};
use crate::ops::sync::join;
use crate::ops::sync::report::{Options, Report};
use crate::ops::sync::track::track;
use crate::sys::random;

/// How often another clone may be faster before we give up.
const TRIES: u32 = 8;

/// How pushing our state ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shared {
    /// The remote has all of ours.
    Done,
    /// The remote does not take it; what it said.
    Refused(String),
    /// Somebody did something to the remote's state, which was told: it is left as it is.
    Troubled,
    /// The remote could not be reached, or was busy all the time.
    Offline(String),
}

/// Pushes our state; joins what others pushed meanwhile.
pub(super) fn share(
    cx: &Ctx,
    remote: &str,
    options: Options,
    report: &mut Report,
) -> Result<Shared, OpError> {
    share_within(cx, remote, options, report, TRIES)
}

/// The same, trying at most `tries` times.
pub(super) fn share_within(
    cx: &Ctx,
    remote: &str,
    options: Options,
    report: &mut Report,
    tries: u32,
) -> Result<Shared, OpError> {
    let mut said = String::new();
    for round in 0..tries {
        let theirs = cx.repo.ref_target(&cx.fetched_state(remote))?;
        // What was fetched and not joined is not pushed over: another process of this clone fetched it, or somebody did
        // something to it.
        if theirs != cx.repo.ref_target(&cx.tracked_state(remote))?
            && !options.restore
            && join::take_in(cx, remote, options, report)?.is_some()
        {
            return Ok(Shared::Troubled);
        }
        let ours = cx.snapshot()?.commit().clone();
        if theirs.as_ref() == Some(&ours) {
            return Ok(Shared::Done);
        }
        let update =
            Update { name: cx.local.state_ref.clone(), expected: theirs.clone(), new: Some(ours.clone()) };
        match remote::push(cx, remote, &[update])? {
            Pushed::Answered(answers) => match answers.into_iter().next() {
                Some(Answer::Done) => {
                    report.sent = changes(cx, theirs.as_ref(), &ours)?;
                    track(cx, &cx.fetched_state(remote), &ours)?;
                    track(cx, &cx.tracked_state(remote), &ours)?;
                    return Ok(Shared::Done);
                }
                Some(Answer::Refused(said)) => return Ok(Shared::Refused(said)),
                Some(Answer::Stale(words)) => said = faster(&words),
                None => said = faster("it did not say why"),
            },
            Pushed::Unknown(why) => said = why,
        }
        if round + 1 == tries {
            break;
        }
        // Whoever lost once may lose again to the same one: not all at the same time.
        let spread = Duration::from_millis(random::bits40() % (20 << round.min(5)));
        cx.clock.wait(spread);
        remote::forget_state(cx, remote)?;
        match remote::fetch_from(cx, remote, None)? {
            Fetched::Fresh | Fetched::NotNeeded => {}
            Fetched::Offline(said) => return Ok(Shared::Offline(said)),
        }
        if let Some(trouble) = join::take_in(cx, remote, options, report)? {
            return Err(trouble.into());
        }
    }
    Ok(Shared::Offline(said))
}

/// What to say after the last try, with the words of the server: a lock that a killed one left looks alike.
pub(super) fn faster(words: &str) -> String {
    format!("other clones were faster every time ({words})")
}

fn changes(cx: &Ctx, from: Option<&Oid>, to: &Oid) -> Result<usize, OpError> {
    let range = from.map_or_else(|| to.to_string(), |from| format!("{from}..{to}"));
    Ok(cx.repo.run_git(["rev-list", "--count", &range])?.text().trim().parse().unwrap_or(0))
}
