//! Lock files that a killed git left behind: nobody else removes them, and every later writer stops at them.

use std::path::{Path, PathBuf};

use crate::git::is_left_by_us;
use crate::ops::context::Ctx;
use crate::ops::doctor::check::{Check, FIX, Mend};
use crate::ops::error::OpError;
use crate::sys::lock::FileLock;
use crate::sys::{ancestry, fs};

const NAME: &str = "locks";
/// A lock that is younger, in milliseconds, may be of a process that only just ended or that we can't see.
const YOUNG: i64 = 60_000;

/// Whose a lock file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Of one of our refs.
    Ours,
    /// Of the user's index, refs or configuration.
    Users,
}

pub(super) fn check(cx: &Ctx, mend: Mend) -> Result<Vec<Check>, OpError> {
    let found = lock_files(cx)?;
    if found.is_empty() {
        return Ok(vec![Check::ok(NAME, "no lock file of git is left behind")]);
    }
    let living = living(cx)?;
    found.iter().map(|(path, whose)| judge(cx, path, *whose, &living, mend)).collect()
}

fn judge(cx: &Ctx, path: &Path, whose: Whose, living: &Living, mend: Mend) -> Result<Check, OpError> {
    let Some(written) = fs::modified(path) else {
        return Ok(Check::ok(NAME, "it went away meanwhile").at_path(path));
    };
    let age = cx.clock.now().since(written);
    let old = format!("{} old", period(age));
    if mend != Mend::Repair && whose == Whose::Ours && is_left_by_us(path)? {
        let line =
            format!("{old}, left by a killed command of ours; the next one that wants the ref removes it");
        return Ok(Check::note(NAME, line).at_path(path));
    }
    let check = match living {
        Living::Some(pids) => {
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            let line = format!("{old}; git is at work here (process {})", pids.join(", "));
            return Ok(Check::note(NAME, line).at_path(path));
        }
        Living::None | Living::Unknown if age < YOUNG => {
            return Ok(Check::note(NAME, format!("{old}; git may be at work")).at_path(path));
        }
        Living::None => Check::problem(NAME, format!("{old}, and no git is at work here: one was killed")),
        Living::Unknown => {
            Check::problem(NAME, format!("{old}; whether a git is at work can't be seen here"))
        }
    };
    let check = check.at_path(path);
    match (whose, living) {
        (Whose::Ours, Living::None) if mend == Mend::Repair => remove(cx, path, &old),
        (Whose::Ours, Living::None) => Ok(check.next(FIX)),
        (_, _) => Ok(check.next("look for a running git; without one, remove that file")),
    }
}

/// Removes a lock of one of our refs, under the lock that all our writers hold.
fn remove(cx: &Ctx, path: &Path, old: &str) -> Result<Check, OpError> {
    let Some(_lock) = FileLock::try_acquire(&cx.file("flush.lock"))? else {
        return Ok(Check::note(NAME, format!("{old}; the state is being written")).at_path(path));
    };
    fs::remove_file_if_there(path)?;
    Ok(Check::fixed(NAME, format!("{old}, left by a killed git; removed")).at_path(path))
}

fn lock_files(cx: &Ctx) -> Result<Vec<(PathBuf, Whose)>, OpError> {
    let common = cx.repo.common_dir();
    let mut found = Vec::new();
    for path in below(&common.join("refs"))? {
        let ours = path.starts_with(common.join("refs/orch"));
        found.push((path, if ours { Whose::Ours } else { Whose::Users }));
    }
    let mut single = vec![common.join("packed-refs.lock"), common.join("config.lock")];
    for worktree in cx.repo.worktrees()? {
        single.extend(["index.lock", "HEAD.lock"].map(|name| worktree.git_dir.join(name)));
    }
    found.extend(single.into_iter().filter(|path| fs::exists(path)).map(|path| (path, Whose::Users)));
    Ok(found)
}

/// The lock files below a directory of refs.
fn below(dir: &Path) -> Result<Vec<PathBuf>, OpError> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        for path in fs::list(&at)? {
            // Not through links: a ref is never one.
            let Ok(meta) = path.symlink_metadata() else { continue };
            if meta.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lock") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a git is at work in this repository.
#[derive(Debug, PartialEq, Eq)]
enum Living {
    None,
    Some(Vec<i32>),
    /// This system does not show processes.
    Unknown,
}

/// Processes named like git in one of our directories, but those that this one was started by.
fn living(cx: &Ctx) -> Result<Living, OpError> {
    let above: Vec<i32> = ancestry::chain().into_iter().map(|process| process.pid).collect();
    if above.is_empty() {
        return Ok(Living::Unknown);
    }
    let mut dirs = vec![cx.repo.common_dir().to_owned()];
    dirs.extend(cx.repo.worktrees()?.into_iter().map(|worktree| worktree.path));
    let mut pids: Vec<i32> = dirs.iter().flat_map(|dir| ancestry::inside(dir)).collect();
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|pid| !above.contains(pid));
    pids.retain(|&pid| ancestry::name_of(pid).is_some_and(|name| name.starts_with("git")));
    Ok(if pids.is_empty() { Living::None } else { Living::Some(pids) })
}

/// A length of time for people.
fn period(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_for_people() {
        let table = [0, 119_000, 120_000, 7_200_000, 172_800_000, -5].map(period);
        assert_eq!(table, ["0 s", "119 s", "2 min", "2 h", "2 days", "0 s"]);
    }
}
