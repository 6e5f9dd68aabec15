//! The times of a checkout's files. Build tools rebuild what is older than its source; a checkout's times say when git, or
//! a step of some earlier run, wrote a file, and not what is in it. A file that differs from what the output was made of,
//! and has an older time than that, would be taken for built.
//!
//! So each file has the time of the run in which it came to be what it is, among the runs that left the output: what is
//! different now is of now. Then what counts is content, and what did not change is not built again.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::oid::Oid;
use crate::git::{EntryKind, GitError, Repo};
use crate::ops::error::OpError;
use crate::ops::warm::state::Layer;
use crate::sys::fs;

/// The time of most files, which is that of the undermost layer, and the files that have another one.
pub(super) fn times(
    repo: &Repo,
    layers: &[Layer],
    tree: &Oid,
    now: i64,
) -> Result<(i64, BTreeMap<String, i64>), GitError> {
    let mut changed = BTreeMap::new();
    let Some(first) = layers.first() else { return Ok((now, changed)) };
    let mut before = Oid::parse(&first.tree)?;
    let later = layers.iter().skip(1).map(|layer| (Oid::parse(&layer.tree), layer.started));
    for (after, time) in later.chain([(Ok(tree.clone()), now)]) {
        let after = after?;
        for change in repo.tree_changes(Some(&before), Some(&after))? {
            changed.insert(change.path, time);
        }
        before = after;
    }
    Ok((first.started, changed))
}

/// Sets the times of `tree`'s files, checked out at `root`. Says whether it found all of them.
pub(super) fn stamp(
    repo: &Repo,
    root: &Path,
    tree: &Oid,
    (usual, changed): &(i64, BTreeMap<String, i64>),
) -> Result<bool, OpError> {
    for change in repo.tree_changes(None, Some(tree))? {
        if change.new.is_none_or(|entry| entry.kind != EntryKind::Blob) {
            continue;
        }
        match fs::set_modified(&root.join(&change.path), *changed.get(&change.path).unwrap_or(usual)) {
            Ok(()) => {}
            // A name that is not UTF-8 came to us as another one.
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
