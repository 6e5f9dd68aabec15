//! The audit trail: one trailer a change, in the commits of the state's history.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::domain::oid::Oid;
use crate::domain::stamp::Hlc;
use crate::domain::time::Timestamp;
use crate::git::{GitError, Repo};
use crate::store::error::StoreError;

/// The trailer's name.
const CHANGE: &str = "Orch-Change";
/// The trailer with the hybrid clock of the commit.
const CLOCK: &str = "Orch-Clock";

/// One recorded change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// What was done, e.g. `task.claim`.
    pub action: String,
    /// Who did it, e.g. `person:ann@example.com`.
    pub actor: String,
    /// By what it came about: the command or hook.
    pub cause: String,
    /// The change's id.
    pub id: String,
    /// What it was done to, e.g. `task/7k3fabcd`.
    pub subject: String,
    /// Facts that belong to it: a reason, a fence, a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The value of the trailer `name` in a commit message, all of them in order.
fn trailers<'m>(message: &'m str, name: &str) -> impl Iterator<Item = &'m str> {
    let prefix = format!("{name}: ");
    message.lines().filter_map(move |line| line.strip_prefix(prefix.as_str()))
}

/// The hybrid clock of a state commit.
pub(crate) fn clock_of(message: &str) -> Option<Hlc> {
    Hlc::parse(trailers(message, CLOCK).last()?)
}

/// Whether a commit has changes, and all by this action.
pub(crate) fn is_only(message: &str, action: &str) -> bool {
    let mut changes = trailers(message, CHANGE).peekable();
    let is = |line: &str| serde_json::from_str::<AuditEntry>(line).is_ok_and(|entry| entry.action == action);
    changes.peek().is_some() && changes.all(is)
}

/// How far the clock of another clone may be ahead and still be followed.
pub(crate) const AHEAD: i64 = 5 * 60 * 1000;

/// The hybrid clock of a change that is made now on top of one at `seen`. One that is more than five minutes ahead is
/// not followed: a single wrong clock would carry every clone's along.
pub(crate) fn next_clock(now: Timestamp, seen: Option<Hlc>) -> Hlc {
    let here = Hlc { ms: now.millis(), seq: 0 };
    match seen {
        Some(seen) if seen.ms <= now.millis().saturating_add(AHEAD) => here.after(seen),
        Some(_) | None => here,
    }
}

/// The message of a state commit that makes these changes.
pub(crate) fn message(entries: &[AuditEntry], clock: Hlc) -> Result<String, StoreError> {
    let title = match entries {
        [one] => format!("{} {}", one.action, one.subject),
        [first, ..] => format!("{} and {} more", first.action, entries.len() - 1),
        [] => "nothing".to_owned(),
    };
    let mut text = title + "\n\n";
    for entry in entries {
        let line = serde_json::to_string(entry)
            .map_err(|e| StoreError::Corrupt { path: CHANGE.to_owned(), what: e.to_string() })?;
        text = text + CHANGE + ": " + &line + "\n";
    }
    Ok(format!("{text}{CLOCK}: {clock}\n"))
}

/// A commit of the state's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The commit.
    pub commit: Oid,
    /// Its time, in seconds since the epoch.
    pub seconds: i64,
    /// Its hybrid clock, milliseconds and counter: what orders commits that do not follow each other.
    pub clock: (i64, u32),
}

/// A recorded change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Where.
    pub at: At,
    /// What was done.
    pub entry: AuditEntry,
}

/// Whether a walk goes on.
pub type Go = ControlFlow<()>;

/// Gives `each` the changes of every commit that `tip` contains, the latest commit first, without those that are
/// `known` and what only these contain. A commit's changes are in their order. All parents are followed: a join of
/// two clones' states has several.
pub(super) fn walk_commits(
    repo: &Repo,
    tip: &Oid,
    known: &mut dyn FnMut(&Oid) -> bool,
    each: &mut dyn FnMut(&At, Vec<AuditEntry>) -> Go,
) -> Result<(), GitError> {
    let (mut seen, mut next) = (BTreeSet::new(), BTreeMap::new());
    let mut todo = vec![tip.clone()];
    // As long as there is one way only, no commit is met twice.
    let mut many = false;
    loop {
        for oid in todo {
            if (!many || seen.insert(oid.clone())) && !known(&oid) {
                let commit = repo.commit(&oid)?;
                let clock = clock_of(&commit.message);
                let clock = clock.map_or((commit.seconds.saturating_mul(1000), 0), |c| (c.ms, c.seq));
                next.insert((clock, oid), commit);
            }
        }
        let Some(((clock, oid), commit)) = next.pop_last() else { return Ok(()) };
        let changes = trailers(&commit.message, CHANGE).filter_map(|line| serde_json::from_str(line).ok());
        let at = At { commit: oid, seconds: commit.seconds, clock };
        if each(&at, changes.collect()).is_break() {
            return Ok(());
        }
        many |= commit.parents.len() > 1;
        todo = commit.parents;
    }
}
