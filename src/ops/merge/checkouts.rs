//! Checkouts of trunk when trunk moves under them: they follow, with the changes that they have. One whose changes are
//! in the way is detached at the commit that it shows, so that its changes stay changes to what they were made to;
//! left on trunk, git would take what came in for taken back by them.

use std::path::{Path, PathBuf};

use crate::domain::oid::Oid;
use crate::git::Worktree;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::ops::merge::queue;
use crate::sys::fs;
use crate::sys::lock::FileLock;
use crate::sys::process::quote;

/// What became of a checkout of trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// It shows the new commit.
    Followed(PathBuf),
    /// What is in it is in the way: it is detached at the commit that it shows.
    Detached {
        /// Where it is.
        path: PathBuf,
        /// The branch that it was on.
        trunk: String,
        /// What it shows.
        at: Oid,
        /// What is in the way.
        why: String,
        /// Whether that is a file which git does not know.
        untracked: bool,
    },
    /// It has files where there was no commit before, and is as it was.
    Left(PathBuf),
}

impl Refresh {
    /// What a person has to know of it and can type, if it does not show where trunk is.
    pub fn trouble(&self) -> Option<(String, String)> {
        match self {
            Self::Followed(_) => None,
            Self::Detached { path, trunk, at, why, untracked } => {
                let fact = format!(
                    "{} can't follow {trunk}: {why}. It stays at {}, detached, with its changes",
                    path.display(),
                    at.short()
                );
                let how = if *untracked { "once that file is moved away" } else { "takes the changes along" };
                Some((fact, format!("git -C {} switch --merge {trunk}   ({how})", shown(path))))
            }
            Self::Left(path) => {
                let fact = format!("{} had no commit and has files: it was left as it is", path.display());
                Some((fact, format!("git -C {} status", shown(path))))
            }
        }
    }
}

fn shown(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

fn marker(cx: &Ctx) -> PathBuf {
    cx.file("following")
}

/// Writes down that trunk is about to move from `old`: a kill must not leave its checkouts behind for good.
pub(super) fn announce(cx: &Ctx, old: Option<&Oid>) -> Result<(), OpError> {
    let Some(old) = old else { return Ok(()) };
    Ok(fs::write_atomic(&marker(cx), old.as_str().as_bytes(), 0o644, cx.durability())?)
}

/// Trunk did not move.
pub(super) fn withdraw(cx: &Ctx) -> Result<(), OpError> {
    fs::remove_file_if_there(&marker(cx))?;
    Ok(())
}

/// Takes the checkouts of trunk along from `old` to `new`, where trunk is by now.
pub(super) fn follow(cx: &Ctx, trunk: &str, old: Option<&Oid>, new: &Oid) -> Result<Vec<Refresh>, OpError> {
    let mut result = Vec::new();
    for worktree in cx.repo.worktrees()? {
        if worktree.head.branch() == Some(trunk) && worktree.exists() {
            result.push(follow_one(cx, trunk, worktree, old, new)?);
        }
    }
    withdraw(cx)?;
    Ok(result)
}

fn follow_one(
    cx: &Ctx,
    trunk: &str,
    worktree: Worktree,
    old: Option<&Oid>,
    new: &Oid,
) -> Result<Refresh, OpError> {
    if old.is_none() && !cx.repo.git_in(&worktree, ["ls-files"]).run()?.checked()?.stdout.is_empty() {
        return Ok(Refresh::Left(worktree.path));
    }
    let output = cx.repo.carry(&worktree, old, new)?;
    let Some(old) = old else {
        return Ok(if output.status.success() {
            Refresh::Followed(worktree.path)
        } else {
            Refresh::Left(worktree.path)
        });
    };
    if output.status.success() {
        return Ok(Refresh::Followed(worktree.path));
    }
    let message = "git-orch: trunk moved, and changes here are in its way";
    cx.repo
        .git_in(&worktree, ["update-ref", "--no-deref", "-m", message, "HEAD", old.as_str()])
        .run()?
        .checked()?;
    let (why, untracked) = in_the_way(&output.stderr);
    Ok(Refresh::Detached { path: worktree.path, trunk: trunk.to_owned(), at: old.clone(), why, untracked })
}

/// What `read-tree` says is in the way, and whether that is untracked.
fn in_the_way(stderr: &str) -> (String, bool) {
    let line = stderr.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or(stderr.trim());
    let untracked = line.starts_with("Untracked");
    let why = match line.split('\'').nth(1) {
        Some(file) if untracked => format!("its untracked file {file} is in the way"),
        Some(file) => format!("its changes to {file} are in the way"),
        None => line.trim_end_matches('.').to_owned(),
    };
    (why, untracked)
}

/// Whether a move of trunk was cut off before its checkouts had followed: one is written down, and nobody is at it.
pub(crate) fn are_left(cx: &Ctx) -> Result<bool, OpError> {
    Ok(fs::exists(&marker(cx)) && !FileLock::is_held(&cx.file("queue.lock"))?)
}

/// Ends what a killed merge left to do. Waits for one that is under way.
pub(crate) fn take_along(cx: &Ctx) -> Result<Vec<Refresh>, OpError> {
    if !fs::exists(&marker(cx)) {
        return Ok(Vec::new());
    }
    let queue = queue::take(cx, &mut |_| {})?;
    take_along_locked(cx, &cx.trunk(&cx.snapshot()?)?, &queue)
}

/// As `take_along`, for whoever holds `queue.lock`.
pub(super) fn take_along_locked(cx: &Ctx, trunk: &Trunk, _queue: &FileLock) -> Result<Vec<Refresh>, OpError> {
    let Some(text) = fs::read_optional(&marker(cx))? else { return Ok(Vec::new()) };
    match (Oid::parse(text.trim()), &trunk.local) {
        (Ok(old), Some(local)) if old != *local => follow(cx, &trunk.name, Some(&old), local),
        _ => {
            withdraw(cx)?;
            Ok(Vec::new())
        }
    }
}
