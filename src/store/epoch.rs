//! Letting the history go: an epoch squash.
//!
//! The new commit has no parent and the same tree, but for `meta.toml` (epoch + 1, `previous`) and the audit of what is
//! let go (`ledger`), which it names commit by commit. Nothing of it needs the old history: states are joined by content
//! (`join`), a task has all its stamps. So a clone that knows only the old history loses nothing by accepting the new
//! root; that the root is a continuation of what it knows, it sees from that audit. What it did meanwhile is joined on
//! top (`joining`), with its audit.
//!
//! # What may be let go
//!
//! All or nothing, and only if every commit is older than a floor. To let only the old part go, the commits after it would
//! have to be written again under other ids, and every clone would have to tell the old from the new ones; a root that
//! comes after all of them has nothing to tell apart. The floor is for people, not for safety: a clone that is away for
//! less long finds its own last commits in the audit by their ids and in `git log` of a backup, and claims of the old
//! epoch, which any change of the new one outranks, are over.
//!
//! # Invariants
//!
//! Before the ref moves, the old tip has a name below `refs/orch/backup/`, and the new tree was read back: the same files
//! with the same content, as many tasks, every change of the old history in the audit. Of such backups the last 8 stay.

use std::collections::BTreeSet;

use crate::domain::id::ChangeId;
use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::time::Timestamp;
use crate::git::{Cas, RefChange};
use crate::store::error::StoreError;
use crate::store::history::{self, AuditEntry, clock_of};
use crate::store::layout::{self, STATE_REF};
use crate::store::ledger;
use crate::store::records::{self, FORMAT, Meta};
use crate::store::shelf::Files;
use crate::store::snapshot::Snapshot;
use crate::store::transaction::{Author, Signed, Store};
use crate::sys::clock::Clock;
use crate::sys::random;

/// Where former tips are kept.
const BACKUP: &str = "refs/orch/backup/";
/// How many of them.
const BACKUPS: usize = 8;

/// What a squash did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Squashed {
    /// The epoch that began.
    pub epoch: u64,
    /// The new root.
    pub root: Oid,
    /// The tip of the history that was let go.
    pub previous: Oid,
    /// How many commits were let go.
    pub commits: usize,
    /// How many changes of theirs are in the archive now.
    pub changes: usize,
    /// The ref that keeps them here for a while.
    pub backup: String,
}

/// The history is too young to be let go: when its newest commit was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Young(pub Timestamp);

/// What a squash would do.
struct Plan<'r> {
    ours: Snapshot<'r>,
    meta: Meta,
    entries: Vec<ledger::Entry>,
}

impl<'r> Store<'r> {
    fn plan(&self, floor: Timestamp) -> Result<Result<Plan<'r>, Young>, StoreError> {
        let ours = self.snapshot()?;
        let meta = ours.meta()?;
        if meta.min_writer > FORMAT {
            return Err(StoreError::TooNew { found: meta.min_writer, known: FORMAT });
        }
        let entries = ledger::collect(self.repo, ours.commit(), &BTreeSet::new())?;
        let newest = entries.iter().map(|(at, _)| at.seconds).max().unwrap_or_default();
        let newest = Timestamp::from_millis(newest.saturating_mul(1000));
        Ok(if newest > floor { Err(Young(newest)) } else { Ok(Plan { ours, meta, entries }) })
    }

    /// How many commits a squash would let go now.
    pub fn squashable(&self, floor: Timestamp) -> Result<Result<usize, Young>, StoreError> {
        Ok(self.plan(floor)?.map(|plan| plan.entries.len()))
    }

    /// Begins a new epoch: lets the history go, unless anything of it is younger than `floor`.
    pub fn squash(&self, author: &Author, floor: Timestamp) -> Result<Result<Squashed, Young>, StoreError> {
        let _alone = self.alone()?;
        let Plan { ours, meta, entries } = match self.plan(floor)? {
            Ok(plan) => plan,
            Err(young) => return Ok(Err(young)),
        };
        let previous = ours.commit().clone();
        let (commits, changes) = (entries.len(), entries.iter().map(|(_, changes)| changes.len()).sum());
        let epoch = meta.epoch.saturating_add(1);
        let next = Meta { epoch, previous: Some(previous.clone()), ..meta };
        // With what a newer program wrote there.
        let meta = records::over(&next.encode(), &["previous"], ours.file(layout::META)?.as_deref());
        let mut files = ledger::files(&previous, entries.clone())?;
        files.insert(layout::META.to_owned(), Some(meta.into_bytes()));
        let entry = AuditEntry {
            action: "state.squash".to_owned(),
            actor: author.actor.to_string(),
            cause: "maintain".to_owned(),
            id: ChangeId::from_bits(random::bits40()).to_string(),
            subject: "state".to_owned(),
            note: Some(format!("epoch {epoch}: {commits} commits up to {previous} are in the archive")),
        };
        let root = self.rooted(&ours, &files, author, &[entry])?;
        self.compare(&ours, &root, &files, &entries)?;
        let backup = self.back_up(&previous)?;
        let change =
            RefChange { name: STATE_REF.into(), old: MaybeOid::Id(previous.clone()), new: root.clone() };
        match self.repo.cas(&change, self.durability)? {
            Cas::Moved => Ok(Ok(Squashed { epoch, root, previous, commits, changes, backup })),
            Cas::Lost(_) => Err(StoreError::Contended { tries: 1 }),
        }
    }

    /// A commit without parents.
    fn rooted(
        &self,
        ours: &Snapshot<'_>,
        files: &Files,
        author: &Author,
        entries: &[AuditEntry],
    ) -> Result<Oid, StoreError> {
        let now = Clock.now();
        let seen = clock_of(&self.repo.commit(ours.commit())?.message);
        self.onto(
            ours,
            files,
            Vec::new(),
            (author, now, history::message(entries, history::next_clock(now, seen))?),
        )
    }

    /// A commit of our tree with `files` changed, with just these parents.
    pub(super) fn onto(
        &self,
        ours: &Snapshot<'_>,
        files: &Files,
        parents: Vec<Oid>,
        (author, now, message): (&Author, Timestamp, String),
    ) -> Result<Oid, StoreError> {
        let signed = Signed { author, now, message, parents };
        let (commit, written) = self.write(Some(ours), files, signed)?;
        self.repo.persist(&[written], self.durability)?;
        Ok(commit)
    }

    /// Reads back what was written: everything that was there is there, and all of the old history is in the audit.
    fn compare(
        &self,
        ours: &Snapshot<'_>,
        root: &Oid,
        files: &Files,
        entries: &[ledger::Entry],
    ) -> Result<(), StoreError> {
        let wrong = |what: String| StoreError::Corrupt { path: "the squashed state".to_owned(), what };
        let new = self.at(root)?;
        for change in self.repo.tree_changes(Some(ours.tree()), Some(new.tree()))? {
            if !files.contains_key(&change.path) {
                return Err(wrong(format!("{} is not as it was", change.path)));
            }
        }
        let (before, after) = (ours.task_ids()?.len(), new.task_ids()?.len());
        if before != after {
            return Err(wrong(format!("it has {after} tasks, not {before}")));
        }
        let kept = new.let_go()?;
        match entries.iter().find(|(at, _)| !kept.contains(&at.commit)) {
            Some((at, _)) => Err(wrong(format!("the audit has nothing of {}", at.commit))),
            None => Ok(()),
        }
    }

    /// Gives a former tip a name, and forgets the oldest of many such.
    pub(super) fn back_up(&self, tip: &Oid) -> Result<String, StoreError> {
        let time: String = Clock.now().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("{BACKUP}{time}-{}", &tip.as_str()[..12]);
        let change = RefChange { name: name.clone(), old: MaybeOid::Zero, new: tip.clone() };
        match self.repo.cas(&change, self.durability)? {
            // One that is there already was made in the same millisecond, of the same tip.
            Cas::Moved | Cas::Lost(_) => {}
        }
        let dated = |name: &str| {
            name.strip_prefix(BACKUP).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let all: Vec<_> = self.repo.refs_below(BACKUP)?.into_iter().filter(|(name, _)| dated(name)).collect();
        for (name, oid) in all.iter().take(all.len().saturating_sub(BACKUPS)) {
            self.repo.delete_ref(name, oid)?;
        }
        Ok(name)
    }
}
