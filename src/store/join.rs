//! Joining two states file by file: a pure function of the two, without a common ancestor (design.md §4).
//!
//! Each kind of file is a lattice: the join of two versions is their least upper bound, so joining is commutative,
//! associative and idempotent, and every clone that joins the same states has the same bytes. What can't be read is
//! below all that can: a damaged copy never hides a good one. Deliberately absent: trees, commits, refs (`joining`).

use crate::domain::control::Mode;
use crate::domain::session::Session;
use crate::store::codec::{decode_task, encode_task, register_text};
use crate::store::layout;
use crate::store::passes::{decode_pass, decode_pruned};
use crate::store::reader::{Reader, parse};
use crate::store::records::{self, Approval, Meta};

/// The states of two repositories that have nothing to do with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unrelated {
    /// The id of the one.
    pub(super) ours: String,
    /// The id of the other.
    pub(super) theirs: String,
}

/// What a file at `path` becomes of two versions of it.
pub(super) fn join_file(path: &str, one: &str, two: &str) -> Result<String, Unrelated> {
    if one == two {
        return Ok(one.to_owned());
    }
    let (dir, _) = path.split_once('/').unwrap_or(("", path));
    Ok(match dir {
        "" if path == layout::META => return join_meta(one, two),
        "" if path == layout::CONTROL => greater(one, two, control_rank),
        "tasks" => join_task(one, two),
        "sessions" => greater(one, two, session_rank),
        "verdicts" => greater(one, two, |r| records::decode_verdict(r).ok().map(|v| (v.run, v.made))),
        "steps" | layout::REFUTED => greater(one, two, |r| decode_pass(r).ok().map(|pass| pass.made)),
        _ if path == layout::PRUNED => greater(one, two, |r| decode_pruned(r).ok()),
        "decisions" => greater(one, two, |r| Approval::decode(r).ok().map(|a| a.at)),
        _ => greater(one, two, |_| Some(())),
    })
}

/// The version of greater rank; of two that rank alike, or that can't be read, the one whose bytes are greater.
fn greater<R: Ord>(one: &str, two: &str, rank: impl Fn(&Reader<'_>) -> Option<R>) -> String {
    let rank = |text: &str| parse(text).ok().and_then(|table| rank(&Reader::new(&table)));
    let order = rank(one).cmp(&rank(two)).then_with(|| one.cmp(two));
    if order.is_lt() { two } else { one }.to_owned()
}

/// The mode that was set last; of two that were set in the same millisecond, the one that forbids more.
fn control_rank(r: &Reader<'_>) -> Option<impl Ord + use<>> {
    let control = records::decode_control(r).ok()?;
    let strictness = Mode::ALL.iter().position(|mode| *mode == control.mode);
    Some((control.at, strictness))
}

/// One process writes a session, and only adds to it.
fn session_rank(r: &Reader<'_>) -> Option<impl Ord + use<>> {
    let Session { ended, tasks, .. } = records::decode_session(r).ok()?;
    let iterations: u64 = tasks.iter().map(|task| u64::from(task.iterations)).sum();
    Some((ended, tasks.len(), iterations))
}

/// What a task's file becomes of two versions of it.
pub(super) fn join_task(one: &str, two: &str) -> String {
    match (decode_task(one), decode_task(two)) {
        (Ok(a), Ok(b)) if a.id == b.id => encode_task(&a.join(b, register_text)),
        (Ok(_), Err(_)) => one.to_owned(),
        (Err(_), Ok(_)) => two.to_owned(),
        (_, _) => one.max(two).to_owned(),
    }
}

/// Every number as high as it ever was. The id says whether the two are the same repository's at all.
fn join_meta(one: &str, two: &str) -> Result<String, Unrelated> {
    let decode = |text: &str| parse(text).ok().and_then(|t| Meta::decode(&Reader::new(&t)).ok());
    let (a, b) = match (decode(one), decode(two)) {
        (Some(a), Some(b)) => (a, b),
        (Some(_), None) => return Ok(one.to_owned()),
        (None, Some(_)) => return Ok(two.to_owned()),
        (None, None) => return Ok(one.max(two).to_owned()),
    };
    if a.repository != b.repository {
        return Err(Unrelated { ours: a.repository, theirs: b.repository });
    }
    // Of two histories that were squashed apart, each clone has to name the same.
    let (epoch, previous) = (a.epoch, a.previous).max((b.epoch, b.previous));
    let joined = Meta {
        format: a.format.max(b.format),
        min_reader: a.min_reader.max(b.min_reader),
        min_writer: a.min_writer.max(b.min_writer),
        epoch,
        previous,
        repository: a.repository,
        // The same in both, or they are not joined.
        trunk: a.trunk.max(b.trunk),
    };
    Ok(records::over(&joined.encode(), &["previous"], [one, two]))
}
