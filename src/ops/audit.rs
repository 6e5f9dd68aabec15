//! The audit trail: who changed what, newest first.
//!
//! The newest changes are read from git at once. Where a filter would have all of the history read, the table of events
//! is asked, brought up to the state first; whatever is wrong with it, git is read instead, slower and the same.

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::index::{EventFilter, Events, IndexError};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::store::{self, AuditEntry, Go, Recorded};
use crate::sys::fs;

/// One recorded change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The commit of the state's history that it is in.
    pub commit: Oid,
    /// When.
    pub at: Timestamp,
    /// What, by whom, to what, why.
    pub entry: AuditEntry,
}

impl From<Recorded> for Logged {
    fn from(Recorded { at, entry }: Recorded) -> Self {
        Self { commit: at.commit, at: Timestamp::from_millis(at.seconds.saturating_mul(1000)), entry }
    }
}

/// The last `limit` changes that `filter` wants.
pub fn log(cx: &Ctx, limit: usize, filter: &EventFilter) -> Result<Vec<Logged>, OpError> {
    let tip = cx.snapshot()?.commit().clone();
    // Git has the newest at hand.
    let found = match filter.is_all() {
        true => None,
        false => from_table(cx, &tip, |events| events.find(filter, limit)),
    };
    let found = match found {
        Some(found) => found,
        None => store::audit_where(&cx.repo, &tip, limit, |recorded| filter.matches(recorded))?,
    };
    Ok(found.into_iter().map(Logged::from).collect())
}

/// Adds up all changes that `filter` wants, oldest first, holding none of them. `begin` makes what they are added to, and
/// makes it anew where the first reading fails in the midst of it.
pub fn fold<T>(
    cx: &Ctx,
    filter: &EventFilter,
    begin: impl Fn() -> T,
    add: impl Fn(&mut T, Logged),
) -> Result<T, OpError> {
    let tip = cx.snapshot()?.commit().clone();
    let read = |events: &Events| {
        let mut sum = begin();
        events.each(filter, |recorded| add(&mut sum, recorded.into()))?;
        Ok(sum)
    };
    if let Some(sum) = from_table(cx, &tip, read) {
        return Ok(sum);
    }
    let found = store::audit_where(&cx.repo, &tip, usize::MAX, |recorded| filter.matches(recorded))?;
    let mut sum = begin();
    for recorded in found.into_iter().rev() {
        add(&mut sum, recorded.into());
    }
    Ok(sum)
}

/// What `ask` gets from the table; None where it does not answer.
fn from_table<T>(cx: &Ctx, tip: &Oid, ask: impl FnOnce(&Events) -> Result<T, IndexError>) -> Option<T> {
    let dir = cx.repo.orch_dir();
    // Whoever took git-orch out and only looks is left no directory of ours.
    if !fs::exists(&dir) {
        return None;
    }
    let mut events = match Events::open(&dir) {
        Ok(events) => events,
        Err(error) => {
            tracing::debug!(%error, "the table of events does not answer; reading git");
            return None;
        }
    };
    let found = follow(cx, tip, &mut events).and_then(|follows| match follows {
        true => ask(&events),
        false => Err(IndexError::Corrupt("it is of another history".into())),
    });
    match found {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::debug!(%error, "the table of events does not answer; reading git");
            if error.wants_rebuild()
                && let Err(error) = events.discard(&dir)
            {
                tracing::debug!(%error, "it could not be taken away");
            }
            None
        }
    }
}

/// Brings the table up to `tip`; false if what it has is not all in the history of `tip`.
fn follow(cx: &Ctx, tip: &Oid, events: &mut Events) -> Result<bool, IndexError> {
    let before = events.tip()?;
    if before.as_ref() == Some(tip) {
        return Ok(true);
    }
    let filling = events.begin()?;
    let (mut met, mut failed) = (before.is_none(), None);
    let mut unknown = None;
    let walked = store::walk(
        &cx.repo,
        tip,
        &mut |commit| match filling.knows(commit) {
            Ok(known) => {
                met |= before.as_ref() == Some(commit);
                known
            }
            Err(error) => {
                unknown = Some(error);
                true
            }
        },
        &mut |at, changes| match filling.add(at, changes) {
            Ok(()) => Go::Continue(()),
            Err(error) => {
                failed = Some(error);
                Go::Break(())
            }
        },
    );
    if let Some(error) = failed.or(unknown) {
        return Err(error);
    }
    if let Err(error) = walked {
        tracing::debug!(%error, "the history can't be read to its end");
        return Err(IndexError::Busy);
    }
    if met {
        filling.finish(tip)?;
    }
    Ok(met)
}
