//! Having the remote arbitrate one claim.

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::Register;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::lease;
use crate::ops::remote::{self, Answer, Fetched, Pushed};
use crate::ops::sync::report::{Lost, Options, Report};
use crate::ops::sync::rules::has_gone;
use crate::ops::sync::{claims, join, share};

/// How often a claim is tried against clones that are faster.
const TRIES: u32 = 4;

/// What the remote made of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is ours, for every clone.
    Confirmed,
    /// Another clone has it.
    Lost(Lost),
    /// The remote takes no claims; what it said.
    Refused(String),
    /// The remote could not be asked; what git said. It is still ours here.
    Unconfirmed(String),
}

/// Has the remote arbitrate who owns a task. `ours` is the register that this clone wrote: what is in the state by now
/// may be another clone's already. `over`: the claim that it takes over.
pub(crate) fn publish(
    cx: &Ctx,
    remote: &str,
    id: &TaskId,
    ours: &Register,
    over: Option<&Oid>,
) -> Result<Published, OpError> {
    let mut said = String::new();
    for _ in 0..TRIES {
        let Some(task) = cx.snapshot()?.task(id)? else {
            return Err(OpError::Bug(format!("task {id} is gone")));
        };
        if let Some(lost) = lost(cx, ours, &task.register, id)? {
            return Ok(Published::Lost(lost));
        }
        let Some(update) = claims::prepare(cx, remote, id, &task.register, over)? else {
            // What was pushed in vain, or so it seemed, may be there by now; a renewal may have come after it.
            if claims::is_there(cx, remote, id, &task.register)? {
                return Ok(Published::Confirmed);
            }
            // It was fetched, and not joined yet.
            claims::take_in(cx, remote, &mut Report::default())?;
            said = claims::in_the_way(cx, remote, id)?;
            continue;
        };
        match remote::push(cx, remote, std::slice::from_ref(&update))? {
            Pushed::Answered(answers) => match answers.into_iter().next() {
                Some(Answer::Done) => {
                    claims::arrived(cx, remote, id, &update)?;
                    return Ok(Published::Confirmed);
                }
                Some(Answer::Refused(said)) => return Ok(Published::Refused(said)),
                Some(Answer::Stale(words)) => said = share::faster(&words),
                None => said = share::faster("it did not say why"),
            },
            Pushed::Unknown(why) => match remote::look(cx, remote, &update.name)? {
                Ok(there) if there == update.new => {
                    claims::arrived(cx, remote, id, &update)?;
                    return Ok(Published::Confirmed);
                }
                Ok(_) => said = why,
                Err(why) => return Ok(Published::Unconfirmed(why)),
            },
        }
        remote::forget_state(cx, remote)?;
        match remote::fetch_from(cx, remote, None)? {
            Fetched::Fresh | Fetched::NotNeeded => {}
            Fetched::Offline(said) => return Ok(Published::Unconfirmed(said)),
        }
        let mut report = Report::default();
        if let Some(trouble) = join::take_in(cx, remote, Options::default(), &mut report)? {
            return Ok(Published::Unconfirmed(trouble.to_string()));
        }
    }
    Ok(Published::Unconfirmed(said))
}

/// Whether the register that we want confirmed is another clone's by now.
pub(super) fn lost(
    cx: &Ctx,
    before: &Register,
    now: &Register,
    id: &TaskId,
) -> Result<Option<Lost>, OpError> {
    if !has_gone(before, now) {
        return Ok(None);
    }
    lease::forget(cx, id)?;
    let holder = now.state.lease();
    Ok(Some(Lost { id: id.clone(), holder: holder.map(|lease| lease.owner.actor.clone()) }))
}
