//! Where runs of the gate leave what their steps print: a directory for each run.
//!
//! Called by Ralph. In `<common dir>/orch/logs/<tree>/` a run that goes on has `run-<random>`, so that two of one
//! tree do not write the same file; beside it is a lock, `run-<random>.lock`, by which a run that was killed is told
//! from one that goes on. When it has come to its verdict it is found by that: `<milliseconds>-<gate>`. Of these the
//! last few are kept. Invariant: a log that can't be put in its place keeps nothing from its verdict.

use std::path::{Path, PathBuf};

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::ops::context::Ctx;
use crate::sys::fs::{self, FsError};
use crate::sys::lock::FileLock;
use crate::sys::random;

const RUNNING: &str = "run-";
const LOCK: &str = "lock";
/// How often a name for a run is looked for that nobody looks at.
const TRIES: u32 = 8;
/// How many runs of one tree are kept that came to their end.
const KEPT: usize = 4;

fn of_tree(cx: &Ctx, tree: &Oid) -> PathBuf {
    cx.file("logs").join(tree.as_str())
}

/// Of a gate's hash as much as tells one from the other.
fn name(made: Timestamp, gate: &str) -> String {
    format!("{}-{}", made.millis(), gate.get(..12).unwrap_or(gate))
}

/// The place of a run that goes on.
#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    /// None where it could not be had.
    lock: Option<FileLock>,
}

impl Place {
    /// Where its logs are. Whoever writes the first one makes it.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(lock) = &self.lock else { return };
        if let Err(error) = fs::remove_file_if_there(lock.path()) {
            tracing::debug!(%error, "a lock's file stays");
        }
    }
}

/// The place for a run that begins. Its lock is held before it is made: whoever looks for what killed runs left takes it for
/// none of theirs.
pub(super) fn begin(cx: &Ctx, tree: &Oid) -> Place {
    let mut tries = 0;
    loop {
        let dir = of_tree(cx, tree).join(format!("{RUNNING}{:010x}", random::bits40()));
        tries += 1;
        match FileLock::try_acquire(&dir.with_extension(LOCK)) {
            // Somebody looks at this moment whether it was left behind.
            Ok(None) if tries < TRIES => {}
            Ok(lock) => return Place { dir, lock },
            Err(error) => {
                tracing::warn!(%error, "another run may remove the logs of this one");
                return Place { dir, lock: None };
            }
        }
    }
}

/// Puts a run's logs where `of` finds them, and lets older ones go. Returns the time that its verdict has to have: now, or as
/// much later as no other run of the same tree and gate has it.
pub(super) fn end(cx: &Ctx, run: Place, gate: &str) -> Timestamp {
    let dir = run.dir.clone();
    let mut made = cx.clock.now();
    if !fs::exists(&dir) {
        return made;
    }
    let all = dir.parent().unwrap_or(&dir);
    let place = loop {
        let place = all.join(name(made, gate));
        match fs::rename(&dir, &place) {
            Ok(()) => break place,
            Err(_) if fs::exists(&place) => made = made.plus_millis(1),
            Err(error) => {
                tracing::warn!(%error, "the logs stay where they were written");
                return made;
            }
        }
    };
    drop(run);
    if let Err(error) = prune(all, &place) {
        tracing::warn!(%error, "old logs stay");
    }
    made
}

/// Lets go what there is too much of: not `latest`, whatever the clock said before. And what killed runs left.
fn prune(all: &Path, latest: &Path) -> Result<(), FsError> {
    let time =
        |path: &PathBuf| -> Option<i64> { path.file_name()?.to_str()?.split('-').next()?.parse().ok() };
    let there = fs::list(all)?;
    let others = there.iter().filter(|path| *path != latest);
    let mut ended: Vec<(i64, &PathBuf)> = others.filter_map(|path| Some((time(path)?, path))).collect();
    ended.sort_unstable();
    let old = ended.len().saturating_sub(KEPT - 1);
    for (_, path) in ended.drain(..old) {
        remove(path)?;
    }
    let is_run =
        |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(RUNNING));
    for path in there.iter().filter(is_run) {
        if path.extension().is_some_and(|extension| extension == LOCK) {
            FileLock::remove_abandoned(path, "process ")?;
        } else if !FileLock::is_held(&path.with_extension(LOCK))? {
            remove(path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), FsError> {
    match fs::remove_dir_all(path) {
        // Another run does the same.
        Err(error) if !error.is_not_found() => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The whole output of a verdict's step, if this clone still has it.
pub fn of(cx: &Ctx, verdict: &Verdict, step: &str) -> Option<PathBuf> {
    let run = of_tree(cx, &verdict.tree).join(name(verdict.made, &verdict.gate));
    Some(run.join(format!("{step}.log"))).filter(|path| fs::exists(path))
}
