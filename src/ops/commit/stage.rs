//! Staging into a private index: what changed, without what may not be committed.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::agent::commit_filter::{Choice, Entry, Ignored, Kind, classify};
use crate::domain::oid::Oid;
use crate::git::{BLIND, Worktree};
use crate::ops::commit::paths::{self, Changed, Raw};
use crate::ops::commit::work::{Skipped, Work};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::worktrees::PrivateIndex;
use crate::sys::fs::Durability;

/// What may be committed of a worktree, in an index of its own.
pub(super) struct Staged {
    pub(super) index: PrivateIndex,
    pub(super) tree: Oid,
    pub(super) skipped: Vec<Skipped>,
}

/// A copy of the worktree's index that has exactly what `tip` has.
pub(super) fn index_at(cx: &Ctx, worktree: &Worktree, tip: &Oid) -> Result<PrivateIndex, OpError> {
    let index = PrivateIndex::of(worktree)?;
    // The copy spares hashing every file again. One that git can't read is made anew.
    if !index.cmd(cx, worktree, &["read-tree", "--reset", tip.as_str()]).run()?.status.success() {
        index.empty()?;
        index.git(cx, worktree, &["read-tree", tip.as_str()])?;
    }
    Ok(index)
}

/// Stages what changed against `tip`.
pub(super) fn stage(cx: &Ctx, work: &Work<'_>, tip: &Oid) -> Result<Staged, OpError> {
    let base = base_tree(cx, work, tip)?;
    let index = index_at(cx, work.worktree, tip)?;
    let mut skipped = Vec::new();
    let kept = changed(cx, work.worktree, &index)?
        .into_iter()
        .filter_map(|change| match classify_path(cx, work.worktree, &base, &change) {
            Ok(Choice::Keep) => Some(Ok(change)),
            Ok(Choice::Skip(reason)) => {
                skipped.push(Skipped { path: change.path.display().to_string(), reason });
                None
            }
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<Vec<Changed>, OpError>>()?;
    let (gone, there): (Vec<&Changed>, Vec<&Changed>) = kept.iter().partition(|change| change.deleted);
    let git = |args: &[&str], input: Vec<u8>| -> Result<(), OpError> {
        if !input.is_empty() {
            let args = [durable(cx), args].concat();
            index.git_with(cx, work.worktree, &args, input)?;
        }
        Ok(())
    };
    // Deletions first: where a file became a directory, its name must be free.
    let input = paths::lines(gone.iter().map(|change| change.path.as_path()));
    git(&["update-index", "-z", "--force-remove", "--stdin"], input)?;
    let input = paths::lines(there.iter().map(|change| change.path.as_path()));
    git(&["update-index", "-z", "--add", "--remove", "--stdin"], input)?;
    skipped.extend(sift(cx, work.worktree, &index, tip, &base)?);
    skipped.sort_by(|a, b| a.path.cmp(&b.path));
    let tree = index.git(cx, work.worktree, &[durable(cx), &["write-tree"]].concat())?;
    Ok(Staged { index, tree: Oid::parse(&tree).map_err(crate::git::GitError::from)?, skipped })
}

/// Takes out of the index again what may not be committed, judged by the very blobs that would be.
fn sift(
    cx: &Ctx,
    worktree: &Worktree,
    index: &PrivateIndex,
    tip: &Oid,
    base: &Oid,
) -> Result<Vec<Skipped>, OpError> {
    let args = ["diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", tip.as_str(), "--"];
    let output = index.cmd(cx, worktree, &args).run()?.checked()?;
    let (mut skipped, mut taken_out) = (Vec::new(), Vec::new());
    for change in paths::raw(&output.stdout) {
        if let Choice::Skip(reason) = classify_staged(cx, base, &change)? {
            skipped.push(Skipped { path: change.path.display().to_string(), reason });
            taken_out.push(change);
        }
    }
    if !taken_out.is_empty() {
        let zero = "0".repeat(cx.repo.oid_len());
        let args = ["update-index", "-z", "--index-info"];
        index.git_with(cx, worktree, &args, paths::undo(&taken_out, &zero))?;
    }
    Ok(skipped)
}

/// git's switches for objects that a commit will need after a power cut.
fn durable(cx: &Ctx) -> &'static [&'static str] {
    match cx.durability() {
        Durability::Commit => &["-c", "core.fsync=loose-object", "-c", "core.fsyncMethod=batch"],
        Durability::None => &[],
    }
}

fn changed(cx: &Ctx, worktree: &Worktree, index: &PrivateIndex) -> Result<Vec<Changed>, OpError> {
    let args = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", BLIND];
    Ok(paths::status(&index.cmd(cx, worktree, &args).run()?.checked()?.stdout))
}

/// The tree that the branch is compared with: that of the newest commit of trunk which `tip` contains.
pub(super) fn base_tree(cx: &Ctx, work: &Work<'_>, tip: &Oid) -> Result<Oid, OpError> {
    Ok(cx.repo.tree_of(&base_commit(cx, work, tip)?)?)
}

pub(super) fn base_commit(cx: &Ctx, work: &Work<'_>, tip: &Oid) -> Result<Oid, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let base = match trunk.tip() {
        Some(policy_tip) => cx.repo.merge_base(policy_tip, tip)?,
        None => None,
    };
    match (base, &work.task.register.work) {
        (Some(base), _) => Ok(base),
        (None, Some(work)) => Ok(work.base.clone()),
        (None, None) => Ok(tip.clone()),
    }
}

fn in_base(cx: &Ctx, base: &Oid, path: &Path) -> Result<Option<Vec<u8>>, OpError> {
    match path.to_str() {
        Some(path) => Ok(cx.repo.file_at(base, path)?),
        None => Ok(None),
    }
}

/// What is known before a blob is made of it: name, sort and size. Nothing is opened.
fn classify_path(cx: &Ctx, worktree: &Worktree, base: &Oid, change: &Changed) -> Result<Choice, OpError> {
    let before = in_base(cx, base, &change.path)?;
    let at = worktree.path.join(&change.path);
    let (meta, target) = (at.symlink_metadata().ok(), at.read_link().ok());
    let kind = match (&meta, &target) {
        _ if change.deleted => Kind::Deleted,
        (None, _) => Kind::Deleted,
        (Some(_), Some(target)) => Kind::Link(target),
        (Some(meta), None) if meta.is_file() => Kind::File { size: meta.len(), content: &[] },
        (Some(meta), None) if meta.is_dir() => Kind::Repository,
        (Some(_), None) => Kind::Other,
    };
    let entry = Entry { path: &change.path, ignored: Ignored::No, kind, base: before.as_deref() };
    Ok(classify(&entry))
}

/// The same for what is in an index or a commit, with its content.
pub(super) fn classify_staged(cx: &Ctx, base: &Oid, change: &Raw) -> Result<Choice, OpError> {
    let before = in_base(cx, base, &change.path)?;
    let content = match change.blob() {
        Some(blob) => cx.repo.blob(blob)?,
        None => Vec::new(),
    };
    let target = Path::new(std::ffi::OsStr::from_bytes(&content));
    let kind = match change.new.0.as_str() {
        "000000" => Kind::Deleted,
        "160000" => Kind::Repository,
        "120000" => Kind::Link(target),
        _ => Kind::File { size: u64::try_from(content.len()).unwrap_or(u64::MAX), content: &content },
    };
    let entry = Entry { path: &change.path, ignored: Ignored::No, kind, base: before.as_deref() };
    Ok(classify(&entry))
}
