//! Whether a worktree is still ours, and what an agent did to the branch by itself.

use std::path::Path;

use crate::agent::commit_filter::Choice;
use crate::domain::oid::{MaybeOid, Oid};
use crate::git::{Cas, Head, RefChange, Worktree};
use crate::ops::commit::work::{Skipped, Work};
use crate::ops::commit::{paths, stage};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::progress::Sink;
use crate::ops::worktrees;
use crate::policy::Violation;
use crate::sys::fs::{self, Durability};

/// A `.git` file is one short line.
const DOT_GIT_BYTES: u64 = 8 * 1024;

/// Refuses a worktree whose `.git` file, or whose record, does not lead to this repository any more: whoever
/// typed `git` in it would work on another one.
pub(crate) fn refuse_tampered(cx: &Ctx, worktree: &Worktree) -> Result<(), OpError> {
    let dot_git = worktree.path.join(".git");
    let tampered = |what: &str| -> OpError {
        let fact = format!("TAMPERED: {} {what}", dot_git.display());
        Refused::new(Because::Policy, "worktree.tampered", fact)
            .next(format!("look at it: its record is {}", worktree.git_dir.display()))
            .next("git worktree repair   # in the main worktree, once you know what happened")
            .into()
    };
    let Ok(meta) = dot_git.symlink_metadata() else { return Err(tampered("is gone")) };
    if !meta.is_file() || meta.len() > DOT_GIT_BYTES {
        return Err(tampered("is no `.git` file any more"));
    }
    let text = fs::read_string(&dot_git).map_err(|_| tampered("can't be read"))?;
    let leads_to = |base: &Path, text: &str, wanted: &Path| {
        let found = fs::canonical(&base.join(text.trim()));
        found.is_ok_and(|found| fs::canonical(wanted).is_ok_and(|wanted| wanted == found))
    };
    let named = text.strip_prefix("gitdir:").unwrap_or_default();
    if named.trim().is_empty() || !leads_to(&worktree.path, named, &worktree.git_dir) {
        return Err(tampered("names another repository"));
    }
    let common = fs::read_optional(&worktree.git_dir.join("commondir"))?.unwrap_or_default();
    if common.trim().is_empty() || !leads_to(&worktree.git_dir, &common, cx.repo.common_dir()) {
        return Err(tampered("leads to another common directory"));
    }
    Ok(())
}

/// What is wrong with HEAD, if it is not on the task's branch. What is in the worktree is kept first.
pub(super) fn wrong_head(cx: &Ctx, work: &Work<'_>) -> Result<Option<Violation>, OpError> {
    let branch = work.branch()?;
    let on = match cx.repo.head_of(&work.worktree.git_dir)? {
        Head::Branch(name) if name == format!("refs/heads/{branch}") => return Ok(None),
        Head::Branch(name) => format!("branch {}", name.strip_prefix("refs/heads/").unwrap_or(&name)),
        Head::Detached(oid) => format!("a detached HEAD at {}", cx.repo.abbreviate(&oid)),
    };
    let kept = worktrees::back_up(cx, work.worktree, &work.task.id)?;
    let kept = kept.map_or_else(String::new, |_| {
        format!("; what is there is kept under refs/orch/backup/wip/{}", work.task.id)
    });
    Ok(Some(Violation {
        rule: "branch.task",
        reason: "a task's worktree stays on the task's own branch, which is what gets verified and merged"
            .to_owned(),
        fact: format!("HEAD is on {on} instead of {branch}{kept}"),
        way_out: vec![format!("git switch {branch}   (after finishing or aborting what is under way)")],
    }))
}

/// Where the task's branch is after what the agent did to it. Its own commits stay, unless one of them has a file
/// that may not be committed: then they are taken back, and what they had is committed anew without it.
pub(super) fn settle(cx: &Ctx, work: &Work<'_>, sink: &mut Sink<'_>) -> Result<Oid, OpError> {
    let name = format!("refs/heads/{}", work.branch()?);
    let Some(tip) = cx.repo.ref_target(&name)? else {
        move_branch(cx, &name, MaybeOid::Zero, work.since)?;
        sink(work.note("the agent deleted the branch; it is where it was before".to_owned()));
        return Ok(work.since.clone());
    };
    if tip == *work.since {
        return Ok(tip);
    }
    if !cx.repo.is_ancestor(work.since, &tip)? {
        keep(cx, work, work.since)?;
        let was = cx.repo.abbreviate(work.since);
        let kept = format!("refs/orch/backup/rewritten/{}", work.task.id);
        sink(work.note(format!("the agent rewrote the branch; {was} is kept under {kept}")));
    }
    let Some(first) = refused(cx, work, &tip)? else { return Ok(tip) };
    keep(cx, work, &tip)?;
    move_branch(cx, &name, MaybeOid::Id(tip), work.since)?;
    sink(work.note(format!(
        "the agent's own commits are taken back, because {} may not be committed ({})",
        first.path, first.reason
    )));
    Ok(work.since.clone())
}

fn keep(cx: &Ctx, work: &Work<'_>, commit: &Oid) -> Result<(), OpError> {
    let name = format!("refs/orch/backup/rewritten/{}", work.task.id);
    let old = cx.repo.ref_target(&name)?.map_or(MaybeOid::Zero, MaybeOid::Id);
    match cx.repo.cas(&RefChange { name: name.clone(), old, new: commit.clone() }, Durability::Commit)? {
        Cas::Moved => Ok(()),
        Cas::Lost(_) => Err(OpError::Bug(format!("{name} is written by two at once"))),
    }
}

pub(super) fn move_branch(cx: &Ctx, name: &str, old: MaybeOid, new: &Oid) -> Result<(), OpError> {
    let change = RefChange { name: name.to_owned(), old, new: new.clone() };
    match cx.repo.move_user_ref(&change, "git-orch: commit")? {
        Cas::Moved => Ok(()),
        Cas::Lost(_) => {
            let fact = format!("{name} was moved by somebody else while its worktree was committed");
            Err(Refused::new(Because::Held, "branch.moved", fact).next("git orch run   (again)").into())
        }
    }
}

/// The first file in the agent's own commits that may not be committed. Each commit is looked at, because a file
/// that a later one removes is in the history all the same.
fn refused(cx: &Ctx, work: &Work<'_>, tip: &Oid) -> Result<Option<Skipped>, OpError> {
    let mut args = vec!["log", "--format=", "--raw", "-z", "--no-renames", "--no-abbrev"];
    args.extend(["--root", "--diff-merges=separate", tip.as_str(), "--not", work.since.as_str()]);
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let policy_tip = trunk.tip().cloned();
    args.extend(policy_tip.as_ref().map(Oid::as_str));
    let output = cx.repo.git_in(work.worktree, args).run()?.checked()?;
    let base = stage::base_tree(cx, work, tip)?;
    for change in paths::raw(&output.stdout) {
        if let Choice::Skip(reason) = stage::classify_staged(cx, &base, &change)? {
            return Ok(Some(Skipped { path: change.path.display().to_string(), reason }));
        }
    }
    Ok(None)
}
