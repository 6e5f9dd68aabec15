//! Records of steps that are let go: up to which time, and what that makes of two states that are joined.
//!
//! Called by `ops::maintain` and `joining`. A file that is absent is not deleted, so that another clone's copy of an
//! old record would come back with each join, for ever. What is let go is therefore said: records that were made
//! before the time in `pruned/steps.toml`, of two the later one, are in no commit that joins two. A program that
//! knows nothing of this brings them back: a state that is only further than ours is taken as it is, and `maintain`
//! lets them go again. Only PASSes of steps: what is said against one (`refuted/`) also counts against verdicts, and
//! stays.

use std::collections::BTreeSet;

use crate::domain::time::Timestamp;
use crate::git::EntryKind;
use crate::store::error::StoreError;
use crate::store::layout;
use crate::store::passes::{STEPS, decode_pruned, encode_pruned, is_let_go};
use crate::store::reader::{Reader, parse};
use crate::store::shelf::Files;
use crate::store::snapshot::Snapshot;
use crate::store::transaction::{Change, Edit};

impl Snapshot<'_> {
    /// Before which time records of steps were let go; None: none were, or what says so can't be read.
    fn pruned_before(&self) -> Result<Option<Timestamp>, StoreError> {
        let text = match self.file(layout::PRUNED) {
            Err(StoreError::Corrupt { .. }) => None,
            text => text?,
        };
        Ok(text.and_then(|text| decode_pruned(&Reader::new(&parse(&text).ok()?)).ok()))
    }

    /// The paths of the records of steps that were made before that, or can't be read.
    pub fn steps_before(&self, before: Timestamp) -> Result<Vec<String>, StoreError> {
        let top = self.repo().entry_at(self.tree(), STEPS)?.filter(|entry| entry.kind == EntryKind::Tree);
        let mut old = Vec::new();
        for file in self.repo().tree_changes(None, top.as_ref().map(|entry| &entry.oid))? {
            let path = format!("{STEPS}/{}", file.path);
            let text = file.new.as_ref().and_then(|entry| self.text_at(entry).ok());
            if text.is_some_and(|text| is_let_go(&path, &text, before)) {
                old.push(path);
            }
        }
        Ok(old)
    }
}

impl Edit<'_, '_> {
    /// Lets the records of steps go that were made before that. Returns how many.
    pub fn prune_steps(&mut self, before: Timestamp, change: Change) -> Result<usize, StoreError> {
        let old = self.snapshot().steps_before(before)?;
        if old.is_empty() {
            return Ok(0);
        }
        let before = self.snapshot().pruned_before()?.map_or(before, |earlier| earlier.max(before));
        let count = old.len();
        let told = (layout::PRUNED.to_owned(), Some(encode_pruned(before).to_string().into_bytes()));
        self.put_files(old.into_iter().map(|path| (path, None)).chain([told]), change);
        Ok(count)
    }
}

/// What two states that are joined let go.
pub(super) struct Pruned {
    before: Option<Timestamp>,
    /// What of ours goes.
    gone: BTreeSet<String>,
}

impl Pruned {
    /// `more`: what only ours has.
    pub(super) fn of(
        ours: &Snapshot<'_>,
        theirs: &Snapshot<'_>,
        more: &[String],
    ) -> Result<Self, StoreError> {
        let (own, other) = (ours.pruned_before()?, theirs.pruned_before()?);
        let Some(before) = own.max(other) else { return Ok(Self { before: None, gone: BTreeSet::new() }) };
        let mut gone = BTreeSet::new();
        if own == other {
            for path in more.iter().filter(|path| path.starts_with(STEPS)) {
                let text = ours.file(path).ok().flatten();
                if text.is_some_and(|text| is_let_go(path, &text, before)) {
                    gone.insert(path.clone());
                }
            }
        } else {
            // What one of them let go, or should have, both may have.
            gone.extend(ours.steps_before(before)?);
        }
        Ok(Self { before: Some(before), gone })
    }

    /// Whether what a file became is let go.
    pub(super) fn drops(&self, path: &str, text: &str) -> bool {
        self.before.is_some_and(|before| is_let_go(path, text, before))
    }

    /// Whether that of ours goes.
    pub(super) fn has(&self, path: &str) -> bool {
        self.gone.contains(path)
    }

    /// What goes, as files that a change writes.
    pub(super) fn files(&self) -> Files {
        self.gone.iter().map(|path| (path.clone(), None)).collect()
    }
}
