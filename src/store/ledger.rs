//! The audit of history that was let go, and the walk through all of it.
//!
//! Written by `epoch` and `joining`, read by whoever asks what happened. A squash leaves no commit behind that could say
//! so: each is a line of JSON in `archive/<year>-q<n>/audit-<id of the tip>-<n>.jsonl`, with its id, its time and its
//! changes. A file is written once and never changed, so that those of several clones are joined by having all; a commit
//! that two files have is one commit. Files have at most 64 KiB. What else could not be kept in one is cut, and says so.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::git::{GitError, Repo};
use crate::store::error::StoreError;
use crate::store::history::{At, AuditEntry, Go, Recorded, walk_commits};
use crate::store::layout;
use crate::store::shelf::Files;
use crate::store::snapshot::Snapshot;

const BEGIN: &str = "audit-";
const END: &str = ".jsonl";
/// A note that is longer is cut: with what JSON makes of it, a line has to go into a file.
const LONGEST_NOTE: usize = 8 * 1024;

/// One commit, or a part of one that has many changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    changes: Vec<AuditEntry>,
    clock: (i64, u32),
    commit: String,
    /// The place of the first of these changes among all of the commit.
    #[serde(default, skip_serializing_if = "is_zero")]
    first: usize,
    seconds: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What orders commits: their clocks, and their ids.
type Key = ((i64, u32), Oid);

/// A commit with its changes.
pub(super) type Entry = (At, Vec<AuditEntry>);

/// The commits that `tip` contains, the oldest first, without those that are `known` and what only these contain.
pub(super) fn collect(repo: &Repo, tip: &Oid, known: &BTreeSet<Oid>) -> Result<Vec<Entry>, GitError> {
    let mut entries = Vec::new();
    walk_commits(repo, tip, &mut |oid| known.contains(oid), &mut |at, changes| {
        entries.push((at.clone(), changes));
        Go::Continue(())
    })?;
    entries.reverse();
    Ok(entries)
}

/// The commits that `tip` contains and that the audit of `on` does not have as they are, the oldest first. Each is
/// compared: who pushes a squash could leave out what others did.
pub(super) fn missing(repo: &Repo, tip: &Oid, on: &Snapshot<'_>) -> Result<Vec<Entry>, StoreError> {
    let mut there: BTreeMap<Oid, Vec<AuditEntry>> = BTreeMap::new();
    for (_, tree) in on.quarters()? {
        there.extend(on.audit_of(&tree)?.into_iter().map(|((_, oid), (_, changes))| (oid, changes)));
    }
    let mut entries = Vec::new();
    walk_commits(repo, tip, &mut |_| false, &mut |at, changes| {
        let cut: Vec<AuditEntry> = changes.iter().cloned().map(cut).collect();
        if there.get(&at.commit) != Some(&cut) {
            entries.push((at.clone(), changes));
        }
        Go::Continue(())
    })?;
    entries.reverse();
    Ok(entries)
}

/// The files that keep these commits, which are those of `tip`.
pub(super) fn files(tip: &Oid, entries: Vec<Entry>) -> Result<Files, StoreError> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (at, changes) in entries {
        let quarter = Timestamp::from_millis(at.seconds.saturating_mul(1000)).quarter();
        let of_quarter = texts.entry(quarter).or_default();
        for line in lines(&at, changes)? {
            match of_quarter.last_mut().filter(|text| text.len() + line.len() <= layout::MAX_FILE) {
                Some(text) => text.push_str(&line),
                None => of_quarter.push(line),
            }
        }
    }
    let mut files = Files::new();
    for (quarter, texts) in texts {
        for (n, text) in texts.into_iter().enumerate() {
            let name = format!("{BEGIN}{}-{n:04}{END}", &tip.as_str()[..12]);
            files.insert(format!("{}/{quarter}/{name}", layout::ARCHIVE), Some(text.into_bytes()));
        }
    }
    Ok(files)
}

/// A commit as lines of which each goes into a file.
fn lines(at: &At, changes: Vec<AuditEntry>) -> Result<Vec<String>, StoreError> {
    let line = |first: usize, changes: &[AuditEntry]| {
        let commit = at.commit.to_string();
        let line = Line { changes: changes.to_vec(), clock: at.clock, commit, first, seconds: at.seconds };
        let corrupt =
            |e: serde_json::Error| StoreError::Corrupt { path: "the audit".into(), what: e.to_string() };
        serde_json::to_string(&line).map(|text| text + "\n").map_err(corrupt)
    };
    let changes: Vec<AuditEntry> = changes.into_iter().map(cut).collect();
    let (mut done, mut first) = (Vec::new(), 0);
    let mut todo = vec![changes.as_slice()];
    while let Some(part) = todo.pop() {
        let text = line(first, part)?;
        if text.len() <= layout::MAX_FILE || part.len() < 2 {
            done.push(text);
            first += part.len();
        } else {
            let (one, two) = part.split_at(part.len() / 2);
            todo.extend([two, one]);
        }
    }
    Ok(done)
}

fn cut(mut entry: AuditEntry) -> AuditEntry {
    if let Some(note) = entry.note.as_mut().filter(|note| note.len() > LONGEST_NOTE) {
        let end = (0..=LONGEST_NOTE).rev().find(|end| note.is_char_boundary(*end)).unwrap_or_default();
        note.truncate(end);
        note.push_str(" … (cut)");
    }
    entry
}

impl Snapshot<'_> {
    /// The archived audit of one quarter.
    fn audit_of(&self, quarter: &Oid) -> Result<BTreeMap<Key, Entry>, GitError> {
        let mut parts: BTreeMap<Key, BTreeMap<usize, Line>> = BTreeMap::new();
        for entry in self.repo().tree(quarter)? {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            if !(name.starts_with(BEGIN) && name.ends_with(END)) {
                continue;
            }
            // What can't be read is named by doctor; the rest is told.
            let Ok(text) = self.text_at(&entry) else { continue };
            for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
                let Ok(oid) = Oid::parse(&line.commit) else { continue };
                parts.entry((line.clock, oid)).or_default().insert(line.first, line);
            }
        }
        let whole = |((clock, commit), lines): (Key, BTreeMap<usize, Line>)| {
            let seconds = lines.values().next().map_or(0, |line| line.seconds);
            let at = At { commit: commit.clone(), seconds, clock };
            ((clock, commit), (at, lines.into_values().flat_map(|line| line.changes).collect()))
        };
        Ok(parts.into_iter().map(whole).collect())
    }

    /// The ids of all commits in the archived audit.
    pub(super) fn let_go(&self) -> Result<BTreeSet<Oid>, StoreError> {
        let mut ids = BTreeSet::new();
        for (_, tree) in self.quarters()? {
            ids.extend(self.audit_of(&tree)?.into_keys().map(|(_, oid)| oid));
        }
        Ok(ids)
    }

    /// Whether a commit is one that a squash let go.
    pub fn has_let_go(&self, commit: &Oid) -> Result<bool, StoreError> {
        Ok(self.let_go()?.contains(commit))
    }
}

/// What is wrong with a file of the audit; None for another file.
pub(super) fn problem(path: &str, text: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if !(name.starts_with(BEGIN) && name.ends_with(END)) {
        return None;
    }
    let bad = text.lines().position(|line| serde_json::from_str::<Line>(line).is_err())?;
    Some(format!("line {} is no commit", bad + 1))
}

/// Gives `each` the changes of every commit that `tip` contains and of those that squashes let go, as `walk_commits`
/// does. The latter come last.
pub fn walk(
    repo: &Repo,
    tip: &Oid,
    known: &mut dyn FnMut(&Oid) -> bool,
    each: &mut dyn FnMut(&At, Vec<AuditEntry>) -> Go,
) -> Result<(), GitError> {
    let mut stopped = false;
    walk_commits(repo, tip, known, &mut |at, changes| {
        let go = each(at, changes);
        stopped = go.is_break();
        go
    })?;
    let Ok(snapshot) = Snapshot::at(repo, tip.clone()) else { return Ok(()) };
    let Ok(quarters) = snapshot.quarters() else { return Ok(()) };
    for (_, tree) in quarters.into_iter().filter(|_| !stopped) {
        for (_, (at, changes)) in snapshot.audit_of(&tree)?.into_iter().rev() {
            if !known(&at.commit) && each(&at, changes).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The last `limit` changes, newest first.
pub fn audit(repo: &Repo, tip: &Oid, limit: usize) -> Result<Vec<Recorded>, GitError> {
    audit_where(repo, tip, limit, |_| true)
}

/// The last `limit` changes that are `wanted`, as `audit`; each once, however many commits have it.
pub fn audit_where(
    repo: &Repo,
    tip: &Oid,
    limit: usize,
    wanted: impl Fn(&Recorded) -> bool,
) -> Result<Vec<Recorded>, GitError> {
    let (mut found, mut ids) = (Vec::new(), BTreeSet::new());
    if limit == 0 {
        return Ok(found);
    }
    walk(repo, tip, &mut |_| false, &mut |at, changes| {
        for (place, entry) in changes.into_iter().enumerate().collect::<Vec<_>>().into_iter().rev() {
            let recorded = Recorded { at: at.clone(), entry };
            if wanted(&recorded) && ids.insert((recorded.entry.id.clone(), place)) {
                found.push(recorded);
                if found.len() == limit {
                    return Go::Break(());
                }
            }
        }
        Go::Continue(())
    })?;
    Ok(found)
}
