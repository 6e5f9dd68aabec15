//! Tamper evidence: trunk's local branch compared with where the last move that git-orch knows of left it.
//!
//! Hooks see most moves and refuse them; what went around them (another git library, `-c core.hooksPath`, a file
//! written by hand) shows here.

use std::fmt;

use crate::domain::oid::Oid;
use crate::hook::settings;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::ops::people;
use crate::sys::fs::{self, Durability};

/// The mark's file: where git-orch last saw trunk.
const FILE: &str = "attested";
/// Where git-orch's own fetch last found the remote's trunk.
const HEARD: &str = "heard";

/// Trunk is where nothing that git-orch knows of brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tamper {
    /// The branch's short name.
    pub trunk: String,
    /// Where git-orch last saw it; None: somebody removed the record of that.
    pub attested: Option<Oid>,
    /// Where it is now; None: it is gone.
    pub now: Option<Oid>,
}

impl fmt::Display for Tamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trunk = &self.trunk;
        let Some(was) = &self.attested else {
            return write!(f, "TAMPERED: the record of where {trunk} was left is gone");
        };
        let was = was.short();
        match &self.now {
            Some(now) => {
                write!(f, "TAMPERED: {trunk} went from {was} to {} past the hooks, unverified", now.short())
            }
            None => write!(f, "TAMPERED: {trunk} was at {was} and is gone"),
        }
    }
}

/// Where git-orch last saw trunk; None if it never did, or the file is of no use.
pub(crate) fn last(cx: &Ctx) -> Result<Option<Oid>, OpError> {
    Ok(fs::read_optional(&cx.file(FILE))?.and_then(|text| Oid::parse(text.trim()).ok()))
}

/// Sets the mark to where trunk is about to be; returns where it was.
pub(crate) fn mark(cx: &Ctx, to: &Oid) -> Result<Option<Oid>, OpError> {
    let before = last(cx)?;
    write(cx, FILE, to.as_str())?;
    Ok(before)
}

/// The mark of a trunk that has no commit yet: the first one is set without a question, a mark that is gone is not.
fn mark_unborn(cx: &Ctx) -> Result<(), OpError> {
    write(cx, FILE, "unborn")
}

/// Also where nothing else of ours was written yet: hooks that can't be installed leave no file.
fn write(cx: &Ctx, name: &str, text: &str) -> Result<(), OpError> {
    fs::create_dir_all(&cx.repo.orch_dir())?;
    Ok(fs::write_atomic(&cx.file(name), format!("{text}\n").as_bytes(), 0o644, Durability::None)?)
}

/// Takes a mark back: trunk did not get there.
pub(crate) fn unmark(cx: &Ctx, before: Option<&Oid>) -> Result<(), OpError> {
    match before {
        Some(before) => mark(cx, before).map(drop),
        None => mark_unborn(cx),
    }
}

impl Tamper {
    /// The command that shows the commits that came in, and what it shows.
    pub fn look(&self) -> (String, &'static str) {
        match &self.attested {
            Some(was) => (format!("git log {}..{}", was.short(), self.trunk), "what came in"),
            None => (format!("git log {}", self.trunk), "whether all of it is meant to be there"),
        }
    }
}

/// Looks whether local trunk moved past git-orch. A pull brings it to what the remote has, and somebody may go
/// back in its history: neither brings unverified commits here. What a merge brought in is not trunk's history: only
/// the merge was judged, and not what its branch was on the way.
pub(crate) fn tamper(cx: &Ctx, trunk: &Trunk) -> Result<Option<Tamper>, OpError> {
    let found = |attested, now| Tamper { trunk: trunk.name.clone(), attested, now };
    let Some(attested) = last(cx)? else {
        let lost = trunk.local.is_some() && is_guarded(cx) && !fs::exists(&cx.file(FILE));
        return Ok(lost.then(|| found(None, trunk.local.clone())));
    };
    let found = |now| found(Some(attested.clone()), now);
    let Some(now) = &trunk.local else { return Ok(Some(found(None))) };
    for known in std::iter::once(&attested).chain(&trunk.tracking) {
        if was_at(cx, known, now)? {
            return Ok(None);
        }
    }
    Ok(Some(found(Some(now.clone()))))
}

/// Whether git-orch was set up here: from then on there is a mark.
fn is_guarded(cx: &Ctx) -> bool {
    fs::exists(&cx.file(settings::FILE))
}

/// Whether a branch that is at `tip` was at `commit` once: along first parents.
fn was_at(cx: &Ctx, tip: &Oid, commit: &Oid) -> Result<bool, OpError> {
    if tip == commit {
        return Ok(true);
    }
    if !cx.repo.has_object(tip) || !cx.repo.is_ancestor(commit, tip)? {
        return Ok(false);
    }
    let mut at = tip.clone();
    while let Some(parent) = cx.repo.first_parent(&at)? {
        if parent == *commit {
            return Ok(true);
        }
        at = parent;
    }
    Ok(false)
}

/// Remembers where git-orch itself found the remote's trunk. A tracking ref alone is no proof: whoever can write it
/// says what the remote has, until the next fetch.
///
/// An agent chooses which remote its fetch asks, by variables and files of git's that we leave to the user: what it
/// heard proves nothing.
pub(crate) fn heard(cx: &Ctx, tracking: &Oid) -> Result<(), OpError> {
    if people::agent_above(cx).is_some() {
        return Ok(());
    }
    if heard_last(cx)?.as_ref() == Some(tracking) {
        return Ok(());
    }
    write(cx, HEARD, tracking.as_str())
}

fn heard_last(cx: &Ctx) -> Result<Option<Oid>, OpError> {
    Ok(fs::read_optional(&cx.file(HEARD))?.and_then(|text| Oid::parse(text.trim()).ok()))
}

/// Forgets where trunk was: from here on nobody guards it, and nothing is claimed about it.
pub(crate) fn forget(cx: &Ctx) -> Result<(), OpError> {
    fs::remove_file_if_there(&cx.file(FILE))?;
    fs::remove_file_if_there(&cx.file(HEARD))?;
    Ok(())
}

/// Moves the mark to where a pull brought trunk, once git-orch has heard that from the remote itself, or sets the
/// first one. Best effort: a reader's clone may be read-only.
pub(crate) fn settle(cx: &Ctx, trunk: &Trunk) {
    let outcome = try_settle(cx, trunk);
    if let Err(error) = outcome {
        tracing::debug!(%error, "the mark on trunk was not moved");
    }
}

fn try_settle(cx: &Ctx, trunk: &Trunk) -> Result<(), OpError> {
    let Some(now) = &trunk.local else { return Ok(()) };
    let ahead = match last(cx)? {
        // What nobody guards is not vouched for, nor what somebody took the mark of.
        None => is_guarded(cx) && fs::exists(&cx.file(FILE)),
        Some(mark) if mark == *now => false,
        // Not backwards: what was attested once may be returned to.
        Some(mark) => {
            let heard = heard_last(cx)?;
            let known = match &heard {
                Some(heard) => was_at(cx, heard, now)?,
                None => false,
            };
            known && cx.repo.is_ancestor(&mark, now)?
        }
    };
    if ahead { attest(cx) } else { Ok(()) }
}

/// Remembers where trunk is, after a move that git-orch knows of.
pub(crate) fn attest(cx: &Ctx) -> Result<(), OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    match &trunk.local {
        Some(local) => mark(cx, local).map(drop),
        None => mark_unborn(cx),
    }
}
