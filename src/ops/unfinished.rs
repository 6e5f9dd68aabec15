//! What git has begun in a checkout and not ended: a rebase, a merge, a cherry-pick, a revert.
//!
//! Called where a branch is about to be read or moved. Reads git's own files; decides nothing, changes nothing.

use crate::git::Worktree;
use crate::ops::error::{Because, OpError, Refused};
use crate::sys::fs;

const REBASES: [&str; 2] = ["rebase-merge", "rebase-apply"];

/// Whether a rebase of `branch` is under way in `worktree`: git ends it under the name that it began with.
pub(crate) fn rebases(worktree: &Worktree, branch: &str) -> Result<bool, OpError> {
    for dir in REBASES {
        let name = fs::read_optional(&worktree.git_dir.join(dir).join("head-name"))?;
        if name.is_some_and(|name| name.trim().strip_prefix("refs/heads/") == Some(branch)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses, with the two ways to end it, where something is under way in `worktree`.
pub(crate) fn refuse(worktree: &Worktree) -> Result<(), OpError> {
    let has = |name: &str| fs::exists(&worktree.git_dir.join(name));
    // A rebase and its like may stop in a merge or a pick of their own: they come first.
    let (what, command) = if has("rebase-apply/applying") {
        ("git am", "am")
    } else if REBASES.into_iter().any(has) {
        ("a rebase", "rebase")
    } else if has("CHERRY_PICK_HEAD") {
        ("a cherry-pick", "cherry-pick")
    } else if has("REVERT_HEAD") {
        ("a revert", "revert")
    } else if has("MERGE_HEAD") {
        ("a merge", "merge")
    } else {
        return Ok(());
    };
    let fact = format!("{what} is not finished in {}", worktree.path.display());
    Err(Refused::new(Because::Policy, "merge.unfinished", fact)
        .next(format!("git {command} --continue   (there, once its conflicts are solved and added)"))
        .next(format!("git {command} --abort   (there, to have the branch as it was)"))
        .into())
}
