//! What of another clone's state is let in.
//!
//! Called by `joining` before anything of a fetched state is joined, and before a state is adopted. Whoever can push to a
//! remote can put any objects there: nothing of them gets into a tree of ours, where every git of every clone would meet
//! it, unless it is what a git-orch writes. Refused as a whole: a state that is half taken over is neither one's.
//!
//! What is joined by rank (times, counts, epochs) is refused where no honest clone can have got: it would win every join
//! from then on. What is only wrong in itself is let in, and named by `doctor`.
//!
//! Deliberately absent: who made it. See docs/trust.md.

use std::collections::BTreeSet;
use std::ops::Bound;

use toml::Table;

use crate::domain::session::Session;
use crate::domain::task::{Register, Task};
use crate::domain::time::Timestamp;
use crate::git::{Entry, EntryKind, GitError, TreeChange};
use crate::store::codec::decode_task;
use crate::store::error::StoreError;
use crate::store::passes::{decode_pass, decode_pruned};
use crate::store::reader::{Reader, parse};
use crate::store::records::{self, Approval};
use crate::store::snapshot::Snapshot;
use crate::store::{archive, history, layout};

/// How deep the files of a state are at most.
const DEPTH: usize = 4;
/// How far ahead a clock may be, in milliseconds: a day. It is told long before.
const AHEAD: i64 = 24 * 3_600_000;
/// How long a lease may last, in milliseconds: some more than a year.
const LEASE: i64 = 400 * 24 * 3_600_000;
/// More often nobody judges one tree.
const RUNS: u32 = 1_000_000;

/// What is known of the two states.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// By this clone's clock.
    pub(super) now: Timestamp,
    /// The latest epoch of the two.
    pub(super) epoch: u64,
}

/// What differs in `theirs` (from nothing without `ours`), all of it in its place; and the paths that only `ours` has.
pub(super) fn changes(
    ours: Option<&Snapshot<'_>>,
    theirs: &Snapshot<'_>,
) -> Result<(Vec<TreeChange>, BTreeSet<String>), StoreError> {
    let walked = theirs.repo().tree_changes_strictly(ours.map(Snapshot::tree), theirs.tree(), DEPTH);
    let all = walked.map_err(|error| match error {
        GitError::Malformed { path, what } => StoreError::Hostile { path: path.display().to_string(), what },
        GitError::Corrupt { .. } | GitError::Missing { .. } => {
            StoreError::Hostile { path: "its tree".to_owned(), what: error.to_string() }
        }
        other => other.into(),
    })?;
    let (theirs, only_ours): (Vec<TreeChange>, Vec<TreeChange>) =
        all.into_iter().partition(|change| change.new.is_some());
    let only_ours: BTreeSet<String> = only_ours.into_iter().map(|change| change.path).collect();
    for TreeChange { path, new, .. } in &theirs {
        let placed = new.as_ref().map_or(Ok(()), |entry| check_place(path, entry));
        placed
            .and_then(|()| check_kind(path, &only_ours))
            .map_err(|what| StoreError::Hostile { path: path.clone(), what })?;
    }
    Ok((theirs, only_ours))
}

/// What no git-orch writes.
pub(super) fn check_place(path: &str, entry: &Entry) -> Result<(), String> {
    if entry.kind != EntryKind::Blob {
        return Err("it is no file".to_owned());
    }
    if entry.executable {
        return Err("it is executable".to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+');
    let parts: Vec<&str> = path.split('/').collect();
    let named = |part: &&str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
    if parts.len() > DEPTH || !parts.iter().all(named) {
        return Err("no git-orch gives a file such a name".to_owned());
    }
    let known = match parts.as_slice() {
        [layout::META | layout::CONTROL] => true,
        ["tasks", ..] => layout::task_of(path).is_some(),
        ["sessions" | "verdicts" | "steps" | layout::REFUTED | "decisions" | layout::ARCHIVE, _, name] => {
            name.contains('.')
        }
        // What a newer program says of other records is beside it.
        [layout::PRUNED_DIR, name] => name.contains('.'),
        [
            layout::META
            | layout::CONTROL
            | "sessions"
            | "verdicts"
            | "steps"
            | layout::REFUTED
            | layout::PRUNED_DIR
            | "decisions"
            | layout::ARCHIVE,
            ..,
        ] => false,
        // A newer program's.
        _ => true,
    };
    if known { Ok(()) } else { Err("no git-orch has a file there".to_owned()) }
}

/// A file where we have a directory, or the other way round, would take the place of everything that we have there.
fn check_kind(path: &str, only_ours: &BTreeSet<String>) -> Result<(), String> {
    let above = path.match_indices('/').map(|(at, _)| &path[..at]).find(|above| only_ours.contains(*above));
    if let Some(above) = above {
        return Err(format!("{above} is a file here"));
    }
    let below = format!("{path}/");
    let next = only_ours.range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded)).next();
    match next {
        Some(next) if next.starts_with(&below) => Err("it is a directory here".to_owned()),
        Some(_) | None => Ok(()),
    }
}

/// Whether a file's content may take part in joins. One that can't be read is nothing that ranks.
pub(super) fn check_rank(path: &str, text: &str, limits: &Limits) -> Result<(), String> {
    let record = |check: &dyn Fn(&Reader<'_>) -> Result<(), String>| match parse(text) {
        Ok(table) => check(&Reader::new(&table)),
        Err(_) => Ok(()),
    };
    match path.split_once('/').map_or(path, |(dir, _)| dir) {
        layout::CONTROL => {
            record(&|r| records::decode_control(r).map_or(Ok(()), |c| time("at", c.at, limits.now)))
        }
        "tasks" => decode_task(text).map_or(Ok(()), |task| check_task(&task, limits)),
        layout::ARCHIVE => {
            let Some(holds) = archive::holds(path) else { return Ok(()) };
            // One that can't be read hides tasks, however it came there.
            let tasks = archive::parse(&holds, text)?;
            let check =
                |table: Table| decode_task(&table.to_string()).map_or(Ok(()), |t| check_task(&t, limits));
            tasks.into_values().try_for_each(check)
        }
        "sessions" => record(&|r| match records::decode_session(r) {
            Ok(Session { ended, .. }) => time("ended", ended, limits.now),
            Err(_) => Ok(()),
        }),
        "verdicts" => record(&|r| match records::decode_verdict(r) {
            Ok(verdict) if verdict.run > RUNS => Err(format!("it is run {}", verdict.run)),
            Ok(verdict) => time("made", Some(verdict.made), limits.now),
            Err(_) => Ok(()),
        }),
        "steps" | layout::REFUTED => {
            record(&|r| decode_pass(r).map_or(Ok(()), |p| time("made", Some(p.made), limits.now)))
        }
        _ if path == layout::PRUNED => {
            record(&|r| decode_pruned(r).map_or(Ok(()), |before| past("before", before, limits.now)))
        }
        "decisions" => {
            record(&|r| Approval::decode(r).map_or(Ok(()), |a| time("at", Some(a.at), limits.now)))
        }
        _ => Ok(()),
    }
}

fn time(key: &str, at: Option<Timestamp>, now: Timestamp) -> Result<(), String> {
    match at.filter(|at| *at > now.plus_millis(AHEAD)) {
        Some(at) => Err(format!("`{key}` is {at}: the clock of who wrote it is more than a day ahead")),
        None => Ok(()),
    }
}

/// What is said of the past only is ahead by no more than clocks of honest clones are apart: until then it would take away
/// what everybody makes.
fn past(key: &str, at: Timestamp, now: Timestamp) -> Result<(), String> {
    if at > now.plus_millis(history::AHEAD) {
        return Err(format!("`{key}` is {at}: that is more than five minutes ahead"));
    }
    Ok(())
}

/// Whether a task may take part in joins.
pub(super) fn check_task(task: &Task, limits: &Limits) -> Result<(), String> {
    let Task { register, .. } = task;
    let stamps = [
        &task.kind.stamp,
        &task.title.stamp,
        &task.body.stamp,
        &task.priority.stamp,
        &task.role.stamp,
        &task.acceptance.stamp,
    ];
    for stamp in stamps.into_iter().chain(task.rejected.as_ref().map(|rejected| &rejected.stamp)) {
        time("a stamp", Some(Timestamp::from_millis(stamp.ms)), limits.now)?;
    }
    time("created", Some(task.created), limits.now)?;
    time("updated", Some(task.updated), limits.now)?;
    if register.epoch > limits.epoch {
        return Err(format!("register.epoch is {}, and there were {} only", register.epoch, limits.epoch));
    }
    check_register(register, limits.now)
}

/// Whether a register may take part in joins, apart from its epoch: a claim may be of one that is not known here yet.
pub(super) fn check_register(register: &Register, now: Timestamp) -> Result<(), String> {
    time("register.clock", Some(Timestamp::from_millis(register.clock.ms)), now)?;
    time("register.since", Some(register.since), now)?;
    let expires = register.state.lease().map(|lease| lease.expires);
    match expires.filter(|at| *at > now.plus_millis(LEASE)) {
        Some(at) => Err(format!("its lease is until {at}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oid::Oid;
    use crate::store::passes::encode_pruned;

    #[test]
    fn files_have_their_places() {
        let entry = |kind, executable| Entry {
            name: Vec::new(),
            kind,
            executable,
            oid: Oid::parse(&"1".repeat(40)).unwrap(),
        };
        let file = entry(EntryKind::Blob, false);
        for good in [
            "meta.toml",
            "tasks/7k/7k3fabcd.toml",
            "archive/2026-q1/tasks.toml",
            "verdicts/ab/abcdef.7k3fabcd.toml",
            "sessions/7k/7k3fabcd.md",
            "refuted/ab/abcdef.7k3fabcd.toml",
            "pruned/steps.toml",
            "pruned/later.toml",
            "later/x",
        ] {
            assert_eq!(check_place(good, &file), Ok(()), "{good}");
        }
        for bad in [
            "tasks",
            "archive",
            "archive/2026-q1",
            "control.toml/x",
            "tasks/7k/7k3fabcd.toml/x",
            "tasks/7j/7k3fabcd.toml",
            "sessions",
            "verdicts/ab",
            "refuted",
            "refuted/ab",
            "refuted/ab/abcdef.7k3fabcd.toml/x",
            "pruned",
            "pruned/steps",
            "pruned/steps.toml/x",
            "pruned/ab/steps.toml",
            "../x",
            ".git",
            "a/b/c/d/e",
        ] {
            assert!(check_place(bad, &file).is_err(), "{bad}");
        }
        assert!(check_place("later/x", &entry(EntryKind::Other, false)).is_err());
        assert!(check_place("later/x", &entry(EntryKind::Blob, true)).is_err());
    }

    #[test]
    fn nothing_is_let_go_before_it_is_made() {
        let limits = Limits { now: Timestamp::from_millis(1_000_000_000), epoch: 0 };
        let check = |ahead: i64| {
            let text = encode_pruned(limits.now.plus_millis(ahead)).to_string();
            check_rank(layout::PRUNED, &text, &limits)
        };
        assert_eq!((check(-1), check(5 * 60_000)), (Ok(()), Ok(())), "clocks are that far apart");
        assert!(check(5 * 60_000 + 1).is_err());
        assert_eq!(check_rank(layout::PRUNED, "before = ", &limits), Ok(()), "damage lets nothing go");
    }

    #[test]
    fn a_file_does_not_take_the_place_of_a_directory() {
        let ours = BTreeSet::from(["later".to_owned(), "other/x".to_owned(), "other-/x".to_owned()]);
        assert!(check_kind("later/x", &ours).is_err());
        assert!(check_kind("other", &ours).is_err());
        assert_eq!(check_kind("othe", &ours), Ok(()));
        assert_eq!(check_kind("other/y", &ours), Ok(()));
    }
}
