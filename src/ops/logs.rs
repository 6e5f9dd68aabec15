//! Where runs of the gate leave what their steps print: a directory for each run.
//!
//! Called by Ralph. In `<common dir>/orch/logs/<tree>/` a run that goes on has `run-<random>`, so that two of one tree do not
//! write the same file. When it has come to its verdict it is found by that: `<milliseconds>-<gate>`. Of these the last few
//! are kept. Invariant: a log that can't be put in its place keeps nothing from its verdict.

use std::path::{Path, PathBuf};

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::ops::context::Ctx;
use crate::sys::fs::{self, FsError};
use crate::sys::random;

const RUNNING: &str = "run-";
/// How many runs of one tree are kept that came to their end.
const KEPT: usize = 4;

fn of_tree(cx: &Ctx, tree: &Oid) -> PathBuf {
    cx.file("logs").join(tree.as_str())
}

/// Of a gate's hash as much as tells one from the other.
fn name(made: Timestamp, gate: &str) -> String {
    format!("{}-{}", made.millis(), gate.get(..12).unwrap_or(gate))
}

/// The place for a run that begins. It is not made.
pub(super) fn begin(cx: &Ctx, tree: &Oid) -> PathBuf {
    of_tree(cx, tree).join(format!("{RUNNING}{:010x}", random::bits40()))
}

/// Puts a run's logs where `of` finds them, and lets older ones go. Returns the time that its verdict has to have: now, or as
/// much later as no other run of the same tree and gate has it.
pub(super) fn end(cx: &Ctx, dir: &Path, gate: &str) -> Timestamp {
    let mut made = cx.clock.now();
    if !fs::exists(dir) {
        return made;
    }
    let all = dir.parent().unwrap_or(dir);
    loop {
        let place = all.join(name(made, gate));
        match fs::rename(dir, &place) {
            Ok(()) => break,
            Err(_) if fs::exists(&place) => made = made.plus_millis(1),
            Err(error) => {
                tracing::warn!(%error, "the logs stay where they were written");
                return made;
            }
        }
    }
    if let Err(error) = prune(all) {
        tracing::warn!(%error, "old logs stay");
    }
    made
}

fn prune(all: &Path) -> Result<(), FsError> {
    let time =
        |path: &PathBuf| -> Option<i64> { path.file_name()?.to_str()?.split('-').next()?.parse().ok() };
    let mut ended: Vec<(i64, PathBuf)> =
        fs::list(all)?.into_iter().filter_map(|path| Some((time(&path)?, path))).collect();
    ended.sort_unstable();
    let old = ended.len().saturating_sub(KEPT);
    for (_, path) in ended.drain(..old) {
        match fs::remove_dir_all(&path) {
            // Another run does the same.
            Err(error) if !error.is_not_found() => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// The whole output of a verdict's step, if this clone still has it.
pub fn of(cx: &Ctx, verdict: &Verdict, step: &str) -> Option<PathBuf> {
    let run = of_tree(cx, &verdict.tree).join(name(verdict.made, &verdict.gate));
    Some(run.join(format!("{step}.log"))).filter(|path| fs::exists(path))
}
