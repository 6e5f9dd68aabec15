//! Checkouts of trunk when trunk moves under them: they follow, with the changes that they have. One whose changes are
//! in the way is detached at the commit that it shows, so that its changes stay changes to what they were made to;
//! left on trunk, git would take what came in for taken back by them.
//!
//! Called by `merge` around a move, under `queue.lock`; what it was killed in is carried on by whoever comes next. For
//! each checkout that has yet to follow there is a file `<common dir>/orch/following/<checkout>` with the commit that it
//! shows. Nothing here fails the move: it has happened.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::oid::Oid;
use crate::git::Worktree;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::ops::worktrees;
use crate::sys::fs;
use crate::sys::lock::FileLock;
use crate::sys::process::quote;

/// How often, and after which pause, an index that somebody holds is tried again.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);
/// How many files are asked about that may be in the way: a command line has an end.
const ASKED: usize = 500;
/// What the history of a HEAD says that was detached.
const DETACHED: &str = "git-orch: trunk moved, and changes here are in its way";

/// What became of a checkout of trunk.
#[must_use = "a person has to know of a checkout that did not follow"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// It shows the new commit.
    Followed(PathBuf),
    /// What is in it is in the way: it is detached at the commit that it shows.
    Detached {
        /// Where it is.
        path: PathBuf,
        /// The branch that it was on.
        branch: String,
        /// What it shows.
        at: Oid,
        /// What is in the way.
        why: InTheWay,
    },
    /// It is as it was.
    Left {
        /// Where it is.
        path: PathBuf,
        /// Why.
        why: String,
        /// What to type.
        next: String,
    },
}

/// What kept a checkout from following.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InTheWay {
    /// Files, or directories, that git does not know; at least one.
    Untracked(Vec<String>),
    /// A tracked file with changes of its own.
    Changed {
        /// Which.
        file: String,
        /// Whether anything is staged there.
        staged: bool,
    },
}

impl Refresh {
    /// What a person has to know of it and can type, if it does not show where trunk is.
    pub fn trouble(&self) -> Option<(String, String)> {
        match self {
            Self::Followed(_) => None,
            Self::Detached { path, branch, at, why } => {
                let (what, first, how) = match why {
                    InTheWay::Untracked(files) => (untracked_files(files), "", "once that is moved away"),
                    InTheWay::Changed { file, staged: false } => {
                        (format!("its changes to {file} are"), "", "takes the changes along")
                    }
                    // `switch --merge` refuses where something is staged.
                    InTheWay::Changed { file, staged: true } => (
                        format!("its changes to {file} are"),
                        "git restore --staged . && ",
                        "takes the changes along",
                    ),
                };
                let fact = format!(
                    "{} can't follow {branch}: {what} in the way. It stays at {}, detached, with its changes",
                    path.display(),
                    at.short()
                );
                Some((fact, format!("cd {} && {first}git switch --merge {branch}   ({how})", shown(path))))
            }
            Self::Left { path, why, next } => {
                Some((format!("{} was left as it is: {why}", path.display()), next.clone()))
            }
        }
    }

    fn left(path: &Path, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Left { path: path.to_owned(), why: why.into(), next: next.into() }
    }
}

/// How many files are named.
const NAMED: usize = 5;

fn untracked_files(files: &[String]) -> String {
    let named = files.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match files.len() {
        1 => format!("its untracked {named} is"),
        n if n > NAMED => format!("its untracked {named} and {} more are", n - NAMED),
        _ => format!("its untracked {named} are"),
    }
}

fn shown(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

fn dir(cx: &Ctx) -> PathBuf {
    cx.file("following")
}

fn marker(cx: &Ctx, git_dir: &Path) -> PathBuf {
    let name = if git_dir == cx.repo.common_dir() {
        "main".to_owned()
    } else {
        format!("worktree-{}", git_dir.file_name().unwrap_or_default().to_string_lossy())
    };
    dir(cx).join(name)
}

/// The checkouts that were written down for a move of trunk.
#[derive(Default)]
pub(super) struct Announced(Vec<PathBuf>);

/// Writes down what the checkouts of trunk show before it moves. One that did not follow the last move shows what is
/// written down already.
pub(super) fn announce(cx: &Ctx, trunk: &Trunk) -> Result<Announced, OpError> {
    let mut new = Vec::new();
    for worktree in cx.repo.worktrees()? {
        let file = marker(cx, &worktree.git_dir);
        if worktree.head.branch() == Some(trunk.name.as_str()) && worktree.exists() && !fs::exists(&file) {
            fs::create_dir_all(&dir(cx))?;
            let shows = trunk.local.as_ref().map_or("", Oid::as_str);
            fs::write_atomic(&file, shows.as_bytes(), 0o644, cx.durability())?;
            new.push(file);
        }
    }
    Ok(Announced(new))
}

/// Trunk did not move.
pub(super) fn withdraw(announced: &Announced) -> Result<(), OpError> {
    for file in &announced.0 {
        fs::remove_file_if_there(file)?;
    }
    Ok(())
}

/// Whether this checkout has yet to follow a merge that was killed.
pub(super) fn is_behind(cx: &Ctx) -> bool {
    fs::exists(&marker(cx, cx.repo.git_dir()))
}

/// Whether a checkout has yet to follow a move.
pub(super) fn are_some(cx: &Ctx) -> Result<bool, OpError> {
    Ok(fs::exists(&dir(cx)) && !fs::list(&dir(cx))?.is_empty())
}

/// Whether one has, and nobody is at it.
pub(super) fn are_left(cx: &Ctx) -> Result<bool, OpError> {
    // Asked again: a merge may have ended in between.
    Ok(are_some(cx)? && !FileLock::is_held(&cx.file("queue.lock"))? && are_some(cx)?)
}

/// Takes every checkout along that is written down: `announced` are those that showed what they should a moment ago,
/// the others are what a killed merge left to do.
pub(super) fn take_along(cx: &Ctx, announced: &Announced, _queue: &FileLock) -> Vec<Refresh> {
    let worktrees = match cx.repo.worktrees() {
        Ok(worktrees) => worktrees,
        Err(error) => {
            let next = "git orch doctor --fix";
            return vec![Refresh::left(cx.repo.common_dir(), error.to_string(), next)];
        }
    };
    let mut result = Vec::new();
    for worktree in worktrees {
        let file = marker(cx, &worktree.git_dir);
        let refreshed = fs::read_optional(&file).map_err(OpError::from).and_then(|text| match text {
            None => Ok(None),
            Some(_) if !worktree.exists() => Ok(Some((Refresh::Followed(worktree.path.clone()), true))),
            Some(text) => follow(cx, &worktree, text.trim(), announced.0.contains(&file)).map(Some),
        });
        let refreshed = match refreshed {
            Ok(None) => continue,
            Ok(Some((refresh, false))) => Ok(refresh),
            Ok(Some((refresh, true))) => fs::remove_file_if_there(&file).map(|_| refresh),
            Err(error) => Ok(Refresh::left(&worktree.path, error.to_string(), "git orch doctor --fix")),
        };
        let failed = |error: fs::FsError| Refresh::left(&file, error.to_string(), "git orch doctor --fix");
        result.push(refreshed.unwrap_or_else(failed));
    }
    result
}

/// What becomes of one, and whether that is the end of it.
fn follow(cx: &Ctx, worktree: &Worktree, shows: &str, just_now: bool) -> Result<(Refresh, bool), OpError> {
    let followed = || (Refresh::Followed(worktree.path.clone()), true);
    let Some(to) = worktrees::head_commit(cx, worktree)? else { return Ok(followed()) };
    if shows.is_empty() {
        return follow_from_nothing(cx, worktree, &to);
    }
    let from = Oid::parse(shows).map_err(|error| OpError::Bug(format!("following: {error}")))?;
    // It did not move, or is somewhere else by now, where git took it.
    if from == to || !cx.repo.is_ancestor(&from, &to)? {
        return Ok(followed());
    }
    let moved = changed(cx, &from, &to)?;
    let differs = |at: &Oid| -> Result<bool, OpError> { Ok(!staged(cx, worktree, at)?.is_disjoint(&moved)) };
    if !just_now && differs(&from)? {
        if !differs(&to)? {
            return Ok(followed());
        }
        let why = "it has staged changes in files that came in, and whether they were made to the old or the new ones can't be told";
        let next = format!("cd {} && git stash && git orch doctor --fix", shown(&worktree.path));
        return Ok((Refresh::left(&worktree.path, why, next), false));
    }
    let mut tries = 0;
    loop {
        let output = cx.repo.carry(worktree, Some(&from), &to)?;
        if output.status.success() {
            return Ok(followed());
        }
        if let Some(why) =
            in_the_way(&output.stderr, || staged(cx, worktree, &from).is_ok_and(|s| !s.is_empty()))
        {
            let why = match why {
                InTheWay::Untracked(first) => {
                    // Only for the message: what was named is in the way whatever else is.
                    let more = others(cx, worktree, (&from, &to), &first).unwrap_or_else(|error| {
                        tracing::debug!(%error, "what else is in the way is not known");
                        Vec::new()
                    });
                    InTheWay::Untracked(first.into_iter().chain(more).collect())
                }
                why @ InTheWay::Changed { .. } => why,
            };
            return detach(cx, worktree, from, &to, why);
        }
        tries += 1;
        if tries == TRIES || !output.stderr.contains("index.lock") {
            let said =
                output.stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("git said nothing");
            return Ok((Refresh::left(&worktree.path, said, "git orch doctor --fix"), false));
        }
        cx.clock.wait(PAUSE);
    }
}

/// One that had no commit has nothing that could be kept apart from files of its own.
fn follow_from_nothing(cx: &Ctx, worktree: &Worktree, to: &Oid) -> Result<(Refresh, bool), OpError> {
    let tracked = cx.repo.git_in(worktree, ["ls-files"]).run()?.checked()?;
    let output = cx.repo.carry(worktree, None, to)?;
    let refresh = if tracked.stdout.is_empty() && output.status.success() {
        Refresh::Followed(worktree.path.clone())
    } else {
        let next = format!("git -C {} status", shown(&worktree.path));
        Refresh::left(&worktree.path, "it had no commit, and has files", next)
    };
    Ok((refresh, true))
}

/// So much of a HEAD's history holds its last entry.
const LAST: u64 = 4096;

/// Whether the last that the history of a HEAD says is that a merge detached it. Where there is none on disk, or none
/// that can be read, nothing is known.
fn was_detached(worktree: &Worktree) -> bool {
    match fs::read_end(&worktree.git_dir.join("logs/HEAD"), LAST) {
        // Names in it are in any encoding.
        Ok(end) => String::from_utf8_lossy(&end).lines().last().is_some_and(|line| line.ends_with(DETACHED)),
        Err(error) => {
            tracing::debug!(%error, "whether it was detached by a merge is not known");
            false
        }
    }
}

/// The checkouts that a merge detached and whose HEAD was not moved since: a line each, with what to type.
pub(super) fn detached(cx: &Ctx, trunk: &Trunk) -> Result<Vec<String>, OpError> {
    let mut lines = Vec::new();
    for worktree in cx.repo.worktrees()?.iter().filter(|worktree| worktree.exists()) {
        if worktree.head.branch().is_some() {
            continue;
        }
        if was_detached(worktree) {
            let (path, name) = (&worktree.path, &trunk.name);
            lines.push(format!(
                "{} was detached when {name} moved, with changes that were in the way; next:\ncd {} && git switch --merge {name}",
                path.display(),
                shown(path)
            ));
        }
    }
    Ok(lines)
}

/// Puts HEAD on `at`, if it still leads to `from`.
fn detach(
    cx: &Ctx,
    worktree: &Worktree,
    at: Oid,
    from: &Oid,
    why: InTheWay,
) -> Result<(Refresh, bool), OpError> {
    let branch = worktree.head.branch().unwrap_or("HEAD").to_owned();
    if cx.repo.head_of(&worktree.git_dir)? != worktree.head {
        return Ok((Refresh::Followed(worktree.path.clone()), true));
    }
    let set = ["update-ref", "--no-deref", "-m", DETACHED, "HEAD", at.as_str(), from.as_str()];
    cx.repo.git_in(worktree, set).run()?.checked()?;
    Ok((Refresh::Detached { path: worktree.path.clone(), branch, at, why }, true))
}

/// The paths that differ between two commits.
fn changed(cx: &Ctx, from: &Oid, to: &Oid) -> Result<BTreeSet<String>, OpError> {
    let (from, to) = (cx.repo.tree_of(from)?, cx.repo.tree_of(to)?);
    Ok(cx.repo.tree_changes(Some(&from), Some(&to))?.into_iter().map(|change| change.path).collect())
}

/// The paths at which the index differs from a commit.
fn staged(cx: &Ctx, worktree: &Worktree, from: &Oid) -> Result<BTreeSet<String>, OpError> {
    let args = ["diff-index", "--cached", "--name-only", "--no-renames", "-z", from.as_str()];
    let output = cx.repo.git_in(worktree, args).run()?.checked()?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// What is in the way besides `first`, which `read-tree` named and stopped at.
fn others(
    cx: &Ctx,
    worktree: &Worktree,
    (from, to): (&Oid, &Oid),
    first: &[String],
) -> Result<Vec<String>, OpError> {
    let (from, to) = (cx.repo.tree_of(from)?, cx.repo.tree_of(to)?);
    let new = cx.repo.tree_changes(Some(&from), Some(&to))?.into_iter().filter(|change| change.old.is_none());
    let there: Vec<String> = new
        .map(|change| change.path)
        .filter(|path| worktree.path.join(path).symlink_metadata().is_ok())
        .take(ASKED)
        .collect();
    if there.is_empty() {
        return Ok(Vec::new());
    }
    // What is ignored is in nobody's way.
    let ask = ["--literal-pathspecs", "ls-files", "--others", "--exclude-standard", "-z", "--"];
    let ask = ask.into_iter().chain(there.iter().map(String::as_str));
    let output = cx.repo.git_in(worktree, ask).run()?.checked()?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let more = names.split('\0').filter(|name| !name.is_empty() && !first.iter().any(|f| f == name));
    Ok(more.map(str::to_owned).collect())
}

/// What `read-tree` says is in the way; None if it failed for another reason.
fn in_the_way(stderr: &str, staged: impl FnOnce() -> bool) -> Option<InTheWay> {
    let line = stderr.lines().find_map(|line| line.strip_prefix("error: "))?;
    let file = || {
        let (start, end) = (line.find('\'')?, line.rfind('\'')?);
        line.get(start.checked_add(1)?..end).map(str::to_owned)
    };
    if line.starts_with("Untracked") || line.contains("would lose untracked files") {
        Some(InTheWay::Untracked(vec![file()?]))
    } else if line.starts_with("Entry") {
        Some(InTheWay::Changed { file: file()?, staged: staged() })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_told_from_what_is_broken() {
        let untracked = |file: &str| Some(InTheWay::Untracked(vec![file.to_owned()]));
        let read = |stderr: &str| in_the_way(stderr, || true);
        for (stderr, found) in [
            ("error: Untracked working tree file 'it's' would be overwritten by merge.\n", untracked("it's")),
            ("error: Updating 'dir' would lose untracked files in it\n", untracked("dir")),
            (
                "hint: x\nerror: Entry 'a' not uptodate. Cannot merge.\n",
                Some(InTheWay::Changed { file: "a".into(), staged: true }),
            ),
            ("fatal: Unable to create '/r/.git/index.lock': File exists.\n", None),
            ("error: unable to write file 'a'\n", None),
            ("", None),
        ] {
            assert_eq!(read(stderr), found, "{stderr}");
        }
    }
}
