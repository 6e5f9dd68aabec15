//! Making the worktree of a task, and picking up where a killed making stopped.
//!
//! Called by whatever takes a task, under the worktree lock. Any instant is one at which this process, the git that
//! it started, or both may be killed: `making/<id>` says that a making began and did not end. Only then is anything
//! taken away here, and only what git itself had not finished; what is in the files is kept first.

use std::path::{Path, PathBuf};

use crate::domain::branch;
use crate::domain::id::TaskId;
use crate::domain::task::Work;
use crate::git::Worktree;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::worktrees::{self, LOCK_PATIENCE, back_up, make_root};
use crate::ops::{rebranch, setup};
use crate::sys::ancestry;
use crate::sys::fs::{self, Durability};

/// Makes the worktree of a task on its branch, or finds it. The branch is made at the base if it is not there.
pub(crate) fn ensure(cx: &Ctx, id: &TaskId, work: &Work) -> Result<PathBuf, OpError> {
    let path = make_root(cx)?.join(id.as_str());
    let lock = worktrees::lock(cx)?;
    rebranch::settle(cx, id, &work.branch, &lock)?;
    let marker = cx.file("making").join(id.as_str());
    if fs::exists(&marker) {
        pick_up(cx, id, work, &path)?;
    }
    if let Some(found) = cx.repo.worktree_at(&path)? {
        if found.exists() && fs::exists(&path.join(".git")) {
            setup::cover_worktree(cx, &path)?;
            fs::remove_file_if_there(&marker)?;
            return Ok(path);
        }
        cx.repo.forget_missing_worktrees()?;
    }
    if fs::exists(&path) && !fs::list(&path)?.is_empty() {
        let fact = format!("{} is there and is no worktree of this repository", path.display());
        return Err(Refused::new(Because::Environment, "worktrees.occupied", fact)
            .next("move it away; nothing in it was touched")
            .into());
    }
    fs::create_dir_all(&cx.file("making"))?;
    fs::write_atomic(&marker, b"", 0o644, Durability::None)?;
    let branch_ref = format!("refs/heads/{}", work.branch);
    if cx.repo.ref_target(&branch_ref)?.is_some() {
        refuse_used(cx, &work.branch)?;
        cx.repo.add_worktree_on(&path, &work.branch)?;
    } else {
        cx.repo.add_worktree(&path, &work.branch, &work.base)?;
    }
    setup::cover_worktree(cx, &path)?;
    fs::remove_file_if_there(&marker)?;
    Ok(path)
}

/// Refuses if another checkout is on the branch: git keeps a branch to one.
fn refuse_used(cx: &Ctx, branch: &str) -> Result<(), OpError> {
    let Some(used) = worktrees::checkout_on(cx, branch)? else { return Ok(()) };
    let fact = format!("{branch} is checked out in {} already", used.display());
    Err(Refused::new(Because::Environment, "worktrees.branch", fact)
        .next("go on there, or switch that checkout to another branch")
        .into())
}

/// Brings what a killed making left to a state from which one can begin, or go on.
fn pick_up(cx: &Ctx, id: &TaskId, work: &Work, path: &Path) -> Result<(), OpError> {
    // The command was killed; the git that it had started may still be at it.
    let start = cx.clock.monotonic();
    while !ancestry::naming("git", path).is_empty() && start.elapsed() < LOCK_PATIENCE {
        cx.clock.wait(std::time::Duration::from_millis(20));
    }
    clear_half_made(cx, path)?;
    match cx.repo.worktree_at(path)? {
        Some(found) if found.exists() => complete(cx, id, &found),
        Some(_) | None => clear_branch_lock(cx, &work.branch),
    }
}

/// Whether git has not finished making the worktree of `record`: it keeps it locked with this word until then.
fn unfinished(record: &Path) -> Result<bool, OpError> {
    Ok(fs::read_optional(&record.join("locked"))?.is_some_and(|why| why.trim() == "initializing"))
}

/// Takes away what a killed git left that had not got as far as HEAD: a record that names no commit, which `git
/// fsck` calls an error, and a directory with nothing but a `.git` file.
fn clear_half_made(cx: &Ctx, path: &Path) -> Result<(), OpError> {
    let link = path.join(".git");
    for record in fs::list(&cx.repo.common_dir().join("worktrees"))? {
        let names = fs::read_optional(&record.join("gitdir"))?;
        if names.is_none_or(|names| Path::new(names.trim()) != link) || !unfinished(&record)? {
            continue;
        }
        let empty = fs::list(path)?.iter().all(|inside| *inside == link);
        if empty && cx.repo.head_of(&record).is_err() {
            fs::remove_file_if_there(&link)?;
            fs::remove_dir_all(&record)?;
        }
    }
    Ok(())
}

/// Takes away the lock that a killed git left on a task's branch. There is no finished worktree on the branch, so
/// nobody is at work on it.
fn clear_branch_lock(cx: &Ctx, branch: &str) -> Result<(), OpError> {
    if branch::task_of(branch).is_some() {
        fs::remove_file_if_there(&cx.repo.common_dir().join(format!("refs/heads/{branch}.lock")))?;
    }
    Ok(())
}

/// Completes a worktree whose making was killed while files were written.
fn complete(cx: &Ctx, id: &TaskId, worktree: &Worktree) -> Result<(), OpError> {
    if !unfinished(&worktree.git_dir)? {
        return Ok(());
    }
    fs::remove_file_if_there(&worktree.git_dir.join("index.lock"))?;
    clear_branch_lock(cx, worktree.head.branch().unwrap_or_default())?;
    back_up(cx, worktree, id)?;
    cx.repo.git_in(worktree, ["reset", "--quiet", "--hard"]).run()?.checked()?;
    fs::remove_file_if_there(&worktree.git_dir.join("locked"))?;
    Ok(())
}
