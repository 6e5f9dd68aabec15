//! Joining the state of another clone into ours: trees, the commit, and what it replaced.
//!
//! The other tree is hostile input: everything that differs from ours is looked at before anything is written.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::domain::id::{ChangeId, TaskId};
use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::stamp::Stamp;
use crate::domain::task::{Register, Task};
use crate::domain::time::Timestamp;
use crate::git::{Cas, RefChange};
use crate::policy::grant::Action;
use crate::store::admit::{self, Limits};
use crate::store::archive;
use crate::store::codec::decode_task;
use crate::store::error::{StoreError, TransactError};
use crate::store::history::{self, AuditEntry, clock_of};
use crate::store::join::{Unrelated, join_file};
use crate::store::layout::{self, STATE_REF};
use crate::store::ledger;
use crate::store::pruned::Pruned;
use crate::store::records::{FORMAT, Meta};
use crate::store::shelf::{self, Files, Shelves};
use crate::store::snapshot::Snapshot;
use crate::store::transaction::{Author, Edit, Store};
use crate::sys::clock::Clock;
use crate::sys::failpoint::{self, Point};
use crate::sys::random;

const TRIES: u32 = 20;

/// What joining another state into ours came to.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// Our commit after it.
    pub tip: Option<Oid>,
    /// Whether the other state had anything that ours had not.
    pub changed: bool,
    /// Tasks that are new here or different from before.
    pub tasks: Vec<TaskId>,
    /// Registers of ours that another clone's replaced, with what replaced them.
    pub replaced: Vec<(TaskId, Register, Register)>,
    /// Texts that two clones changed at the same time: the task, the field, the one that was not kept.
    pub conflicts: Vec<Conflict>,
    /// How the other state's epoch stands to ours.
    pub epochs: Epochs,
    /// Tasks with stamps that are more than five minutes ahead of this machine's clock.
    pub ahead: BTreeSet<TaskId>,
}

/// How the epoch of another state stands to ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epochs {
    /// The same: both histories go on.
    #[default]
    Same,
    /// It is of a later one: ours goes on from its history, and from no other.
    Later,
    /// It is of an earlier one: what it has is taken over, its history is not.
    Earlier,
}

/// A text that two clones changed, neither knowing of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The task.
    pub task: TaskId,
    /// The field.
    pub field: &'static str,
    /// What was not kept.
    pub lost: String,
    /// Who wrote it.
    pub by: String,
}

/// A file of the other state that ours has not, or has differently.
struct Found {
    path: String,
    ours: Option<String>,
    /// Whether ours has a file there, readable or not.
    is_ours: bool,
    theirs: String,
}

/// All that differs, checked, without the files of archived tasks; and which files we have and the other has not.
fn differences(
    ours: &Snapshot<'_>,
    theirs: &Snapshot<'_>,
    limits: &Limits,
) -> Result<(Vec<Found>, Vec<String>), StoreError> {
    let (changes, only_ours) = admit::changes(Some(ours), theirs)?;
    let mut found = Vec::new();
    for change in changes {
        let Some(entry) = &change.new else { continue };
        let hostile = |what: String| StoreError::Hostile { path: change.path.clone(), what };
        let text = theirs.text_at(entry).map_err(&hostile)?;
        admit::check_rank(&change.path, &text, limits).map_err(&hostile)?;
        if archive::holds(&change.path).is_some() {
            continue;
        }
        // What of ours can't be read counts for nothing.
        let mine = change.old.as_ref().map(|entry| ours.text_at(entry));
        let mine = mine.and_then(Result::ok);
        let is_ours = change.old.is_some();
        found.push(Found { path: change.path.clone(), ours: mine, is_ours, theirs: text });
    }
    let more = only_ours.into_iter().filter(|path| archive::holds(path).is_none()).collect();
    Ok((found, more))
}

impl<'r> Store<'r> {
    /// The state at a commit, e.g. one that was fetched.
    pub fn at(&self, commit: &Oid) -> Result<Snapshot<'r>, StoreError> {
        Snapshot::at(self.repo, commit.clone())
    }

    /// What a change would make of the state, as a commit on our tip that is durable and that no ref leads to: for a remote
    /// that arbitrates by its own compare-and-swap. It counts once it is joined.
    pub fn propose<T, E: std::error::Error + 'static>(
        &self,
        author: &Author,
        action: Action,
        intent: impl FnOnce(&mut Edit<'_, 'r>) -> Result<T, E>,
    ) -> Result<(T, Oid), TransactError<E>> {
        let snapshot = self.snapshot()?;
        let (value, commit, written) = self.made(&snapshot, author, action, intent)?;
        if let Some(written) = written {
            self.persist_alone(written)?;
        }
        Ok((value, commit))
    }

    /// Joins the state at `theirs` into ours. Nothing of either is lost; a state that has nothing new changes nothing.
    ///
    /// The state of another repository is refused, unless ours shall become a part of it (`adopt`).
    pub fn join(
        &self,
        author: &Author,
        theirs: &Oid,
        cause: &str,
        adopt: bool,
    ) -> Result<Joined, StoreError> {
        let _alone = self.alone()?;
        failpoint::at(Point::StoreLocked);
        self.room();
        for _ in 0..TRIES {
            let ours = self.snapshot()?;
            if self.repo.is_ancestor(theirs, ours.commit())? {
                return Ok(Joined { tip: Some(ours.commit().clone()), ..Joined::default() });
            }
            if let Some(joined) = self.join_once(author, &ours, theirs, (cause, adopt))? {
                failpoint::at(Point::StoreMoved);
                return Ok(joined);
            }
        }
        Err(StoreError::Contended { tries: TRIES })
    }

    fn join_once(
        &self,
        author: &Author,
        ours: &Snapshot<'r>,
        theirs: &Oid,
        (cause, adopt): (&str, bool),
    ) -> Result<Option<Joined>, StoreError> {
        let repo = self.repo;
        let other = self.at(theirs)?;
        let meta = other.meta()?;
        if meta.min_writer > FORMAT {
            return Err(StoreError::TooNew { found: meta.min_writer, known: FORMAT });
        }
        let own = match ours.meta() {
            // What of ours can't be read counts for nothing.
            Err(StoreError::Corrupt { .. }) => meta.clone(),
            own => own?,
        };
        // It decides whose gate counts and which branch is guarded: nobody's to say from afar.
        if meta.trunk != own.trunk && (meta.repository == own.repository || adopt) {
            let what = format!("it says that trunk is `{}`, and here it is `{}`", meta.trunk, own.trunk);
            return Err(StoreError::Hostile { path: layout::META.to_owned(), what });
        }
        let base = self.base(ours.commit(), theirs, &own, &meta)?;
        let now = Clock.now();
        let limits = Limits { now, epoch: own.epoch.max(meta.epoch) };
        let mut joined = Joined { changed: true, epochs: epochs(&own, &meta), ..Joined::default() };
        let Together { mut files, all_theirs } =
            joined.contents(ours, &other, base.as_ref(), (limits, adopt))?;
        let is_behind =
            joined.epochs == Epochs::Same && base.as_ref().is_some_and(|base| base.commit() == ours.commit());
        // What is not in the history that goes on is in the archive.
        let carried = match joined.epochs {
            Epochs::Same => Files::new(),
            Epochs::Later => {
                let entries = ledger::missing(repo, ours.commit(), &other)?;
                ledger::files(ours.commit(), entries)?
            }
            Epochs::Earlier => self.carried(theirs, ours)?,
        };
        if joined.epochs == Epochs::Earlier && files.is_empty() && carried.is_empty() {
            return Ok(Some(Joined { tip: Some(ours.commit().clone()), changed: false, ..joined }));
        }
        let is_theirs = all_theirs && (is_behind || (joined.epochs == Epochs::Later && carried.is_empty()));
        files.extend(carried);
        let clock = clock_of(&repo.commit(ours.commit())?.message);
        let clock = clock.max(clock_of(&repo.commit(theirs)?.message));
        let entries = joined.entries(author, theirs, cause);
        let message = history::message(&entries, history::next_clock(now, clock))?;
        let parents = match joined.epochs {
            Epochs::Same => vec![ours.commit().clone(), theirs.clone()],
            Epochs::Later => vec![theirs.clone()],
            Epochs::Earlier => vec![ours.commit().clone()],
        };
        let commit = if is_theirs {
            theirs.clone()
        } else {
            self.onto(ours, &files, parents, (author, now, message))?
        };
        if joined.epochs == Epochs::Later {
            self.back_up(ours.commit())?;
        }
        let old = MaybeOid::Id(ours.commit().clone());
        let change = RefChange { name: STATE_REF.into(), old, new: commit.clone() };
        match repo.cas(&change, self.durability)? {
            Cas::Moved => Ok(Some(Joined { tip: Some(commit), ..joined })),
            Cas::Lost(_) => Ok(None),
        }
    }
}

impl<'r> Store<'r> {
    /// The state that two come from. A squash removes it from the one's history: then that of what was let go.
    fn base(
        &self,
        ours: &Oid,
        theirs: &Oid,
        own: &Meta,
        other: &Meta,
    ) -> Result<Option<Snapshot<'r>>, StoreError> {
        let before = |meta: &Meta| meta.previous.clone().filter(|oid| self.repo.commit(oid).is_ok());
        let (one, two) = match epochs(own, other) {
            Epochs::Same => (Some(ours.clone()), Some(theirs.clone())),
            Epochs::Later => (Some(ours.clone()), before(other)),
            Epochs::Earlier => (before(own), Some(theirs.clone())),
        };
        let (Some(one), Some(two)) = (one, two) else { return Ok(None) };
        let base = self.repo.merge_base(&one, &two)?;
        base.map(|base| self.at(&base)).transpose()
    }

    /// The audit of what `tip` contains and the state `on` neither let go nor has.
    fn carried(&self, tip: &Oid, on: &Snapshot<'_>) -> Result<Files, StoreError> {
        let entries = ledger::collect(self.repo, tip, &on.let_go()?)?;
        ledger::files(tip, entries)
    }
}

/// What a tree becomes of two.
struct Together {
    /// What changes in ours.
    files: Files,
    /// Whether the other one has all of it already. That it also has records that were let go is no reason for a commit: a
    /// program that knows nothing of that would bring them back, and the two would never come to an end.
    all_theirs: bool,
}

/// How the epoch of the state with the meta `other` stands to that of the one with `own`. Epochs of different repositories
/// have nothing to do with each other.
fn epochs(own: &Meta, other: &Meta) -> Epochs {
    match other.epoch.cmp(&own.epoch) {
        _ if own.repository != other.repository => Epochs::Same,
        Ordering::Less => Epochs::Earlier,
        Ordering::Equal => Epochs::Same,
        Ordering::Greater => Epochs::Later,
    }
}

impl Joined {
    /// Joins the files of two states, and notes what becomes of them.
    fn contents(
        &mut self,
        ours: &Snapshot<'_>,
        other: &Snapshot<'_>,
        base: Option<&Snapshot<'_>>,
        (limits, adopt): (Limits, bool),
    ) -> Result<Together, StoreError> {
        let (now, (different, more)) = (limits.now, differences(ours, other, &limits)?);
        let Shelves { joints, mut files, mut all_theirs } = shelf::join(ours, other)?;
        let archived: BTreeSet<String> = joints.iter().map(|joint| layout::task(&joint.id)).collect();
        let pruned = Pruned::of(ours, other, &more)?;
        all_theirs &= more.iter().all(|path| archived.contains(path) || pruned.has(path));
        files.extend(pruned.files());
        for joint in joints {
            let (Some(theirs), true) = (joint.theirs, joint.ours.as_ref() != Some(&joint.text)) else {
                continue;
            };
            let is_ours = joint.ours.is_some();
            let found = Found { path: layout::task(&joint.id), ours: joint.ours, is_ours, theirs };
            self.note(&found, &joint.text, base, now);
        }
        for found in different.into_iter().filter(|found| !archived.contains(&found.path)) {
            let text = match &found.ours {
                Some(mine) => match join_file(&found.path, mine, &found.theirs) {
                    Ok(text) => text,
                    Err(_) if adopt => found.theirs.clone(),
                    Err(Unrelated { ours, theirs }) => return Err(StoreError::Unrelated { ours, theirs }),
                },
                None => found.theirs.clone(),
            };
            if pruned.drops(&found.path, &text) {
                if found.is_ours {
                    files.insert(found.path, None);
                }
                continue;
            }
            all_theirs &= text == found.theirs;
            if found.ours.as_ref() == Some(&text) {
                continue;
            }
            self.note(&found, &text, base, now);
            files.insert(found.path, Some(text.into_bytes()));
        }
        Ok(Together { files, all_theirs })
    }

    /// Notes what became of one file.
    fn note(&mut self, found: &Found, text: &str, base: Option<&Snapshot<'_>>, now: Timestamp) {
        let Some(id) = layout::task_of(&found.path) else { return };
        self.tasks.push(id.clone());
        let (Ok(after), Ok(theirs)) = (decode_task(text), decode_task(&found.theirs)) else { return };
        let limit = now.millis().saturating_add(history::AHEAD);
        if stamps(&theirs).iter().any(|(_, stamp, _)| stamp.ms > limit) {
            self.ahead.insert(id.clone());
        }
        let Some(Ok(before)) = found.ours.as_deref().map(decode_task) else { return };
        if before.register.change != after.register.change {
            self.replaced.push((id.clone(), before.register.clone(), after.register.clone()));
        }
        let base = base.and_then(|base| base.task(&id).ok().flatten());
        let known: Vec<ChangeId> =
            base.iter().flat_map(stamps).map(|(_, stamp, _)| stamp.change.clone()).collect();
        for (one, (two, kept)) in stamps(&before).iter().zip(stamps(&theirs).iter().zip(stamps(&after))) {
            let new = |change: &ChangeId| !known.contains(change);
            if one.1.change == two.1.change || !new(&one.1.change) || !new(&two.1.change) {
                continue;
            }
            let lost = if kept.1.change == one.1.change { two } else { one };
            if lost.2 != kept.2 {
                let (field, lost, by) = (lost.0, lost.2.clone(), lost.1.actor.clone());
                self.conflicts.push(Conflict { task: id.clone(), field, lost, by });
            }
        }
    }

    fn entries(&self, author: &Author, theirs: &Oid, cause: &str) -> Vec<AuditEntry> {
        let id = ChangeId::from_bits(random::bits40());
        let entry = |action: &str, subject: String, note: String| AuditEntry {
            action: action.to_owned(),
            actor: author.actor.to_string(),
            cause: cause.to_owned(),
            id: id.to_string(),
            subject,
            note: Some(note),
        };
        let conflict = |c: &Conflict| {
            entry("task.conflict", format!("task/{}", c.task), format!("{} by {}: {}", c.field, c.by, c.lost))
        };
        let joined = entry("state.join", "state".to_owned(), theirs.to_string());
        std::iter::once(joined).chain(self.conflicts.iter().map(conflict)).collect()
    }
}

/// The stamped fields of a task, each with its value as text, always in the same order.
fn stamps(task: &Task) -> Vec<(&'static str, Stamp, String)> {
    vec![
        ("title", task.title.stamp.clone(), task.title.value.clone()),
        ("body", task.body.stamp.clone(), task.body.value.clone()),
        ("kind", task.kind.stamp.clone(), task.kind.value.as_str().to_owned()),
        ("priority", task.priority.stamp.clone(), task.priority.value.as_str().to_owned()),
        (
            "role",
            task.role.stamp.clone(),
            task.role.value.map_or_else(|| "none".to_owned(), |role| role.as_str().to_owned()),
        ),
        ("acceptance", task.acceptance.stamp.clone(), task.acceptance.value.join("\n")),
    ]
}
