//! The commit itself.

use std::collections::BTreeMap;

use crate::agent::letters;
use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::task::Task;
use crate::git::{NewCommit, Worktree};
use crate::ops::commit::work::{Skipped, Work};
use crate::ops::commit::{own, stage};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::progress::Sink;
use crate::ops::{contract, hooks};
use crate::policy::Violation;

/// One line for each reason: its files, and why they were not committed.
pub(crate) fn left_out(skipped: &[Skipped]) -> Vec<String> {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in skipped {
        reasons.entry(file.reason.to_string()).or_default().push(file.path.clone());
    }
    let line = |(reason, paths): (String, Vec<String>)| format!("not committed: {}: {reason}", shown(&paths));
    reasons.into_iter().map(line).collect()
}

/// `a, b and 3 more`.
pub(crate) fn shown(paths: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = paths.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// What became of a worktree's changes.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The branch's tip.
    pub tip: Oid,
    /// The tree of what may be committed; the tip's, unless rules are broken.
    pub tree: Oid,
    /// The commit that was made; None if there was nothing to commit, or rules are broken.
    pub made: Option<Oid>,
    /// The rules that the branch would break with these changes: nothing was committed.
    pub violations: Vec<Violation>,
    /// What stays in the worktree, uncommitted.
    pub skipped: Vec<Skipped>,
}

/// Commits what may be committed of a task's worktree on the task's branch, in the user's name.
pub fn commit_all(
    cx: &Ctx,
    work: &Work<'_>,
    message: &str,
    sink: &mut Sink<'_>,
) -> Result<Committed, OpError> {
    own::refuse_tampered(cx, work.worktree)?;
    if let Some(violation) = own::wrong_head(cx, work)? {
        let tree = crate::ops::worktrees::tree_of_everything(cx, work.worktree)?;
        let (tip, made, skipped) = (work.since.clone(), None, Vec::new());
        return Ok(Committed { tip, tree, made, violations: vec![violation], skipped });
    }
    let tip = own::settle(cx, work, sink)?;
    let staged = stage::stage(cx, work, &tip)?;
    let violations = broken(cx, work, &tip, &staged.tree)?;
    let (tree, skipped) = (staged.tree, staged.skipped);
    if !violations.is_empty() {
        return Ok(Committed { tip, tree, made: None, violations, skipped });
    }
    if tree == cx.repo.tree_of(&tip)? {
        staged.index.install(work.worktree)?;
        return Ok(Committed { tip, tree, made: None, violations, skipped });
    }
    let commit = write(cx, work, &[&tip], &tree, message)?;
    let name = format!("refs/heads/{}", work.branch()?);
    own::move_branch(cx, &name, MaybeOid::Id(tip), &commit)?;
    staged.index.install(work.worktree)?;
    Ok(Committed { tip: commit.clone(), tree, made: Some(commit), violations, skipped })
}

fn broken(cx: &Ctx, work: &Work<'_>, tip: &Oid, tree: &Oid) -> Result<Vec<Violation>, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let base = stage::base_commit(cx, work, tip)?;
    contract::judge_branch(cx, &trunk, work.task, &base, tree)
}

/// Writes a commit of the task with its trailers; the branch is not moved.
fn write(cx: &Ctx, work: &Work<'_>, parents: &[&Oid], tree: &Oid, message: &str) -> Result<Oid, OpError> {
    let (name, email) = cx.identity()?;
    Ok(cx.repo.write_commit(&NewCommit {
        tree: tree.clone(),
        parents: parents.iter().map(|&oid| oid.clone()).collect(),
        name,
        email,
        time: cx.clock.now(),
        message: format!("{}\n\n{}", message.trim_end(), hooks::trailers(work.task)),
    })?)
}

/// The message of a commit for a task, without trailers.
pub(crate) fn message(task: &Task) -> Result<String, OpError> {
    letters::commit_message(task.kind.value, &task.title.value, &task.body.value)
        .map_err(|e| OpError::Bug(format!("{e}: {}", e.source)))
}

/// The tree that a commit of the worktree as it is would have; nothing is changed.
pub(crate) fn left(cx: &Ctx, work: &Work<'_>) -> Result<Oid, OpError> {
    own::refuse_tampered(cx, work.worktree)?;
    Ok(stage::stage(cx, work, work.since)?.tree)
}

/// Brings the branch up to the merge result `merged` (trunk first, the branch second): its tree as a merge of trunk
/// into the branch. None if files in the worktree are in the way; then nothing was changed.
pub(crate) fn bring_up(cx: &Ctx, work: &Work<'_>, merged: &Oid) -> Result<Option<Oid>, OpError> {
    let merged = cx.repo.commit(merged)?;
    let trunk = match merged.parents.as_slice() {
        [trunk, branch] if branch == work.since => trunk,
        _ => return Err(OpError::Bug("what the gate judged is no merge of the branch".to_owned())),
    };
    let name = work.branch()?;
    let message = format!("Merge trunk at {} into {name}", cx.repo.abbreviate(trunk));
    let commit = write(cx, work, &[work.since, trunk], &merged.tree, &message)?;
    // Files before the branch: killed in between, the files are ahead, and nothing looks like trunk taken back.
    let output = cx.repo.carry(work.worktree, Some(work.since), &commit)?;
    if !output.status.success() {
        tracing::debug!(said = %output.stderr, "the worktree can't be brought up to trunk");
        return Ok(None);
    }
    own::move_branch(cx, &format!("refs/heads/{name}"), MaybeOid::Id(work.since.clone()), &commit)?;
    Ok(Some(commit))
}

/// Makes the worktree's index what `tip` has; no file is touched. For a worktree whose last command may have been
/// killed between moving the branch and writing the index.
pub(crate) fn settle_index(cx: &Ctx, worktree: &Worktree, tip: &Oid) -> Result<(), OpError> {
    own::refuse_tampered(cx, worktree)?;
    stage::index_at(cx, worktree, tip)?.install(worktree)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::commit_filter::Reason;

    #[test]
    fn what_is_left_out_is_told_by_reason() {
        let skipped = |path: &str, reason| Skipped { path: path.to_owned(), reason };
        let mut all: Vec<Skipped> =
            (0..8).map(|n| skipped(&format!("target/debug/{n}"), Reason::Generated)).collect();
        all.insert(3, skipped(".env", Reason::SecretName));
        insta::assert_snapshot!(left_out(&all).join("\n"), @r"
        not committed: .env: a file of this name holds secrets
        not committed: target/debug/0, target/debug/1, target/debug/2, target/debug/3, target/debug/4 and 3 more: build output or a cache; `.gitignore` should name it
        ");
        assert_eq!(left_out(&[]), Vec::<String>::new());
    }
}
