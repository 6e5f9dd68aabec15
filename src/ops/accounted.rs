//! Which commits of trunk the audit accounts for, and the record of those that came from outside.
//!
//! Called wherever git-orch moves trunk, or accepts a move of it, and by the merge gate before it builds on trunk. The
//! file has the positions up to which every commit of trunk is git-orch's own or recorded; several, because this
//! clone's trunk and the remote's may differ. Commits from outside are recorded once. Deliberately absent: whether
//! they are good. The merge result is judged with them in it, which is the verification that they are owed.

use crate::domain::oid::Oid;
use crate::domain::plural::plural;
use crate::ops::attested;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::policy::grant::Action;
use crate::store::{self, Change};
use crate::sys::fs::{self, Durability};
use crate::sys::lock::FileLock;

/// The file's name in the local directory.
const FILE: &str = "accounted";
/// The action of the record, also of a move past the hooks that a person accepted.
pub(crate) const EXTERNAL: &str = "trunk.external";
/// More positions than a clone's and a remote's trunk ever have; what is older is forgotten.
const POSITIONS: usize = 16;
const SHOWN: usize = 3;

/// The positions that are known here, oldest first.
fn read(cx: &Ctx) -> Result<Vec<Oid>, OpError> {
    let text = fs::read_optional(&cx.file(FILE))?.unwrap_or_default();
    let ids = text.lines().filter_map(|line| Oid::parse(line.trim()).ok());
    Ok(ids.filter(|id| cx.repo.has_object(id)).collect())
}

/// Sets the positions; for taking back an `add` of what did not become trunk.
pub(crate) fn set(cx: &Ctx, positions: &[Oid]) -> Result<(), OpError> {
    let lines: Vec<&str> = positions.iter().map(Oid::as_str).collect();
    Ok(fs::write_atomic(&cx.file(FILE), lines.join("\n").as_bytes(), 0o644, Durability::None)?)
}

/// Adds a position, before trunk gets there; returns what there was.
pub(crate) fn add(cx: &Ctx, position: &Oid) -> Result<Vec<Oid>, OpError> {
    let before = read(cx)?;
    let mut now = Vec::new();
    for known in &before {
        if !cx.repo.is_ancestor(known, position)? {
            now.push(known.clone());
        }
    }
    now.push(position.clone());
    set(cx, &now[now.len().saturating_sub(POSITIONS)..])?;
    Ok(before)
}

/// The first position of a clone: what is there when it is set up is nobody's news.
pub(crate) fn begin(cx: &Ctx, trunk: &Trunk) -> Result<(), OpError> {
    match trunk.tip() {
        Some(tip) if read(cx)?.is_empty() => add(cx, tip).map(drop),
        Some(_) | None => Ok(()),
    }
}

/// Records what came to trunk from outside, before `base`, which has it, is built on. The caller holds the queue, so
/// that two merges do not both record it.
pub(crate) fn record(cx: &Ctx, trunk: &Trunk, base: &Oid, _queue: &FileLock) -> Result<(), OpError> {
    let Some(news) = news(cx, base)? else { return Ok(()) };
    let tip = cx.store().snapshot()?.commit().clone();
    let note = format!("{}, up to {}", told(&news), base.short());
    // One that was killed after the record has left the positions as they were.
    let same = |found: &store::Recorded| {
        found.entry.action == EXTERNAL && found.entry.note.as_deref() == Some(&note)
    };
    if store::audit_where(&cx.repo, &tip, 1, same)?.is_empty() {
        let at_tip = trunk.tip() == Some(base);
        cx.store().transact(&cx.author(), Action::Record, |edit| {
            edit.note(Change {
                action: EXTERNAL,
                subject: if at_tip { trunk.tip_ref() } else { &trunk.local_ref }.to_owned(),
                cause: "merge".into(),
                note: Some(note.clone()),
            });
            Ok::<_, OpError>(())
        })?;
    }
    add(cx, base).map(drop)
}

/// Whether there is something to record; asked without the queue, since mostly there is not.
pub(crate) fn has_news(cx: &Ctx, base: &Oid) -> Result<bool, OpError> {
    Ok(news(cx, base)?.is_some())
}

/// The authors of the commits of `base` that no position has, newest first; None if there are none.
fn news(cx: &Ctx, base: &Oid) -> Result<Option<Vec<String>>, OpError> {
    let mut known = read(cx)?;
    if known.is_empty() {
        // A clone that an older version set up.
        known.extend(attested::last(cx)?.filter(|id| cx.repo.has_object(id)));
    }
    if known.is_empty() {
        add(cx, base)?;
        return Ok(None);
    }
    let args = ["log", "--format=%ae", base.as_str(), "--not"].into_iter();
    let output = cx.repo.run_git(args.chain(known.iter().map(Oid::as_str)))?;
    let authors: Vec<String> = output.text().lines().map(str::to_owned).collect();
    Ok(Some(authors).filter(|authors| !authors.is_empty()))
}

/// How many commits, and whose.
fn told(authors: &[String]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for author in authors {
        if !names.contains(&author.as_str()) {
            names.push(author);
        }
    }
    let commits = plural(authors.len(), "commit");
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.truncate(SHOWN);
    format!("{commits} by {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_how_many_commits_came_and_whose() {
        let told = |names: &str| told(&names.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(told("bob"), "1 commit by bob");
        assert_eq!(told("bob eve bob"), "3 commits by bob, eve");
        assert_eq!(told("a b c d e"), "5 commits by a, b, c and 2 more");
    }
}
