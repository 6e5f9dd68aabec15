//! How changes become durable: one flush for all that wait, of threads and of processes.
//!
//! Called by `transaction`. Who finds `write.lock` free and nobody waiting makes its change alone, under both locks. Who had
//! to wait writes what it made into a file (`git::chain`), lets go of `write.lock`, so that the next one goes on from
//! there, and waits for `flush.lock`. Whoever has that puts everything that is in the file by then in place, moves the ref
//! once, and notes which changes are made (`flush.told`); the others find theirs among them.
//!
//! Invariants: the state's ref is moved, and packs of its changes are written, under `flush.lock` only. `flush.chain`
//! is written under `write.lock` only, from before it is read: a link that was given up, under both locks, never
//! comes back. Who has `write.lock` never waits for `flush.lock`. Nothing is acknowledged before the ref has moved
//! durably: what waits in the file was not, and is dropped as soon as nobody who waits lives (`flush.waiting`, a lock
//! that they share). A change that did not become part of the state, and can't any more, is made anew on its tip; so
//! are all that were made of it. Who can't tell says so (`StoreError::Unknown`). Deliberately absent: evaluating,
//! which is `transaction`'s.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::oid::{MaybeOid, Oid};
use crate::git::{Cas, Chain, Packing, Pending, RefChange};
use crate::store::error::StoreError;
use crate::store::group::{Open, Turn};
use crate::store::layout::STATE_REF;
use crate::store::transaction::{LOCK_PATIENCE, Store};
use crate::sys::clock::Clock;
use crate::sys::failpoint::{self, Point};
use crate::sys::fs::{self, Durability};
use crate::sys::lock::{FileLock, LockError};

/// How an attempt to put changes in their place ended.
enum Put {
    /// They are part of the state, durably.
    Published(Packing),
    /// Nothing happened, and nothing will: the tip had moved, or the change is not in the chain any more.
    Lost,
    /// Nothing happened, and nothing will, because of this.
    Failed(StoreError),
    /// It may have happened, or may yet.
    Unknown(StoreError),
}

/// What is known of a change that was noted, before anybody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is part of the state, durably.
    Told,
    /// It is what the ref is at. Whoever moved it may not have come to flush that.
    Tip,
    /// It waits.
    Waits,
    /// None of that: only the state's history knows.
    Elsewhere,
}

fn fate(head: &Oid, tip: &Oid, told: &str, chain: &Chain) -> Fate {
    if told.lines().any(|line| line == head.as_str()) {
        Fate::Told
    } else if head == tip {
        Fate::Tip
    } else if chain.links.iter().any(|link| link.head == *head) {
        Fate::Waits
    } else {
        Fate::Elsewhere
    }
}

/// So many changes that were made are known by name. Those who wait are fewer.
const TOLD: usize = 1024;

/// Both locks, let go of in this order.
pub(super) struct Alone {
    _write: FileLock,
    _flush: FileLock,
}

impl Store<'_> {
    fn lock_path(&self) -> PathBuf {
        self.repo.orch_dir().join("write.lock")
    }

    fn flush_path(&self) -> PathBuf {
        self.repo.orch_dir().join("flush.lock")
    }

    fn chain_path(&self) -> PathBuf {
        self.repo.orch_dir().join("flush.chain")
    }

    fn waiting_path(&self) -> PathBuf {
        self.repo.orch_dir().join("flush.waiting")
    }

    fn told_path(&self) -> PathBuf {
        self.repo.orch_dir().join("flush.told")
    }

    /// That nobody let go of the lock in time.
    pub(super) fn busy(&self) -> LockError {
        let (path, holder) = (self.lock_path(), format!("process {}", std::process::id()));
        LockError::Busy { path, holder, seconds: LOCK_PATIENCE.as_secs() }
    }

    /// Keeps everybody else from changing the state, and settles what waits: it is part of the state, or is made anew.
    pub(super) fn alone(&self) -> Result<Alone, StoreError> {
        let flush = FileLock::acquire_in_turn(&self.flush_path(), LOCK_PATIENCE, Clock)?;
        let write = FileLock::acquire_in_turn(&self.lock_path(), LOCK_PATIENCE, Clock)?;
        if fs::exists(&self.chain_path()) {
            if let Some(tip) = self.tip()? {
                let chain = self.repo.chain(&self.chain_path(), &tip)?;
                if !chain.published.is_empty() {
                    // Before a history that may not name them any more.
                    self.repo.flush_ref(STATE_REF, Durability::Commit)?;
                    self.tell(&chain.published)?;
                }
            }
            fs::remove_file_if_there(&self.chain_path())?;
        }
        Ok(Alone { _write: write, _flush: flush })
    }

    /// Takes the lock and begins a batch on the tip, or on what waits to become it.
    pub(super) fn open(&self, patience: Duration) -> Result<Box<Open>, StoreError> {
        let path = self.lock_path();
        let (lock, at_once) = match FileLock::try_acquire(&path)? {
            Some(lock) => (lock, true),
            None => (FileLock::acquire_in_turn(&path, patience, Clock)?, false),
        };
        failpoint::at(Point::StoreLocked);
        let tip = self.tip()?.ok_or(StoreError::NoState)?;
        let chain = self.waiting(&tip)?;
        let is_alone = at_once && chain.links.is_empty();
        let flush = if is_alone { FileLock::try_acquire(&self.flush_path())? } else { None };
        Ok(Box::new(Open::new(tip, chain, lock, flush)))
    }

    /// What waits for a flush, if somebody lives who waits for it.
    fn waiting(&self, tip: &Oid) -> Result<Chain, StoreError> {
        let path = self.chain_path();
        if !fs::exists(&path) {
            return Ok(Chain::default());
        }
        // Under `write.lock`, without which nobody begins to wait. What is published goes with it, or each change would
        // read it.
        if let Some(_nobody) = FileLock::try_acquire(&self.waiting_path())? {
            fs::remove_file_if_there(&path)?;
            return Ok(Chain::default());
        }
        Ok(self.repo.chain(&path, tip)?)
    }

    /// Gives up what waits. Under `flush.lock`; `write.lock` is taken, or somebody who read it could write it anew.
    fn drop_chain(&self) -> Result<(), StoreError> {
        let _write = FileLock::acquire_in_turn(&self.lock_path(), LOCK_PATIENCE, Clock)?;
        fs::remove_file_if_there(&self.chain_path())?;
        Ok(())
    }

    /// `end`, if what waits can be given up.
    fn dropped(&self, end: Put) -> Put {
        match self.drop_chain() {
            Ok(()) => end,
            Err(error) => {
                tracing::warn!(%error, "what waits for a flush could not be given up");
                Put::Unknown(match end {
                    Put::Failed(first) => first,
                    _ => error,
                })
            }
        }
    }

    /// Sees to it that what is in the batch, and what it was made of, is published; None if it was not, and is to be made
    /// anew.
    pub(super) fn publish(&self, mut turn: Turn<'_>) -> Result<Option<Packing>, StoreError> {
        let Some(open) = turn.open.as_mut() else { return Ok(None) };
        let put = match open.flush.take() {
            Some(_flush) => self.put((&open.base, &open.head), self.durability, &open.written),
            None => match self.note(open) {
                Err(error) => Put::Failed(error),
                Ok(waits) => match self.flush_in_turn(open) {
                    Err(error) => Put::Unknown(error),
                    Ok(_flush) => {
                        let put = self.settle(&open.head);
                        drop(waits);
                        put
                    }
                },
            },
        };
        match put {
            Put::Lost => Ok(None),
            Put::Failed(error) => Err(error),
            Put::Unknown(error) => {
                // Nobody may do it once more.
                turn.unknown();
                Err(StoreError::unknown(error))
            }
            Put::Published(packing) => {
                self.repo.keep_at_hand(&open.written);
                turn.published();
                failpoint::at(Point::StoreDone);
                Ok(Some(packing))
            }
        }
    }

    /// Notes what is in the batch where whoever flushes finds it, for as long as what is returned is held.
    fn note(&self, open: &Open) -> Result<Option<FileLock>, StoreError> {
        let waits = FileLock::try_shared(&self.waiting_path())?;
        if !open.written.is_empty() {
            let ends = (open.chain.head().unwrap_or(&open.base), &open.head, self.durability);
            open.chain.append(&self.chain_path(), ends, &open.written)?;
            failpoint::at(Point::ChainNoted);
        }
        Ok(waits)
    }

    /// Lets others go on from what was noted, and waits for the right to flush.
    fn flush_in_turn(&self, open: &mut Open) -> Result<FileLock, StoreError> {
        let lock = FileLock::try_acquire(&self.flush_path());
        open.unlock();
        match lock? {
            Some(lock) => Ok(lock),
            None => Ok(FileLock::acquire_in_turn(&self.flush_path(), LOCK_PATIENCE, Clock)?),
        }
    }

    /// Puts what waits up to `head`, and what came after it, in its place, unless somebody else did. Under `flush.lock`.
    fn settle(&self, head: &Oid) -> Put {
        let known = self.tip().and_then(|tip| {
            let tip = tip.ok_or(StoreError::NoState)?;
            let chain = self.repo.chain(&self.chain_path(), &tip)?;
            let fate = match fate(head, &tip, &self.told(), &chain) {
                Fate::Elsewhere if self.has(&tip, head)? => Fate::Tip,
                fate => fate,
            };
            Ok((tip, chain, fate))
        });
        let (tip, chain, fate) = match known {
            Ok(known) => known,
            Err(error) => return Put::Unknown(error),
        };
        match (fate, chain.head()) {
            (Fate::Told, _) => Put::Published(Packing::NotYet),
            (Fate::Tip, _) => self.flushed(),
            (Fate::Waits, Some(last)) => self.put_together((&tip, last), &chain),
            (Fate::Waits | Fate::Elsewhere, _) if chain.links.is_empty() => self.dropped(Put::Lost),
            (Fate::Waits | Fate::Elsewhere, _) => Put::Lost,
        }
    }

    fn put_together(&self, ends: (&Oid, &Oid), chain: &Chain) -> Put {
        let written = chain.links.iter().map(|link| &link.objects);
        match self.put(ends, chain.durability(), written) {
            Put::Published(packing) => {
                if let Err(error) = self.tell(chain.links.iter().map(|link| &link.head)) {
                    // They look for themselves.
                    tracing::warn!(%error, "which changes were made was not noted");
                }
                Put::Published(packing)
            }
            // The others can't make of it what they wanted to, either.
            end @ (Put::Lost | Put::Failed(_)) => self.dropped(end),
            Put::Unknown(error) => Put::Unknown(error),
        }
    }

    /// Somebody put it in its place, who may not have come to flush that.
    fn flushed(&self) -> Put {
        match self.repo.flush_ref(STATE_REF, self.durability) {
            Ok(()) => Put::Published(Packing::NotYet),
            Err(error) => Put::Unknown(error.into()),
        }
    }

    /// Whether the state at `tip` came of `head`.
    fn has(&self, tip: &Oid, head: &Oid) -> Result<bool, StoreError> {
        Ok(self.repo.has_object(head) && self.repo.is_ancestor(head, tip)?)
    }

    /// Which changes are known to be made, one a line. A file that can't be read says nothing.
    fn told(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.told_path()).unwrap_or_default()).into_owned()
    }

    /// Notes that these are made, for those who wait.
    fn tell<'h>(&self, heads: impl IntoIterator<Item = &'h Oid>) -> Result<(), StoreError> {
        let told = self.told();
        let mut lines: Vec<&str> = told.lines().collect();
        for head in heads {
            lines.push(head.as_str());
        }
        let last = lines.get(lines.len().saturating_sub(TOLD)..).unwrap_or_default();
        Ok(fs::write_whole(&self.told_path(), last.join("\n").as_bytes())?)
    }

    /// Puts what commits after `base` up to `head` are made of in its place, and moves the ref. Under `flush.lock`.
    fn put<'p>(
        &self,
        (base, head): (&Oid, &Oid),
        durability: Durability,
        written: impl IntoIterator<Item = &'p Pending>,
    ) -> Put {
        let packing = self.room();
        if let Err(error) = self.repo.persist(written, durability) {
            return Put::Failed(error.into());
        }
        let change = RefChange { name: STATE_REF.into(), old: MaybeOid::Id(base.clone()), new: head.clone() };
        match self.repo.cas(&change, durability) {
            Ok(Cas::Lost(now)) => match now.map_or(Ok(false), |now| self.has(&now, head)) {
                Ok(false) => Put::Lost,
                // By a process that was killed: its git went on.
                Ok(true) => self.flushed(),
                Err(error) => Put::Unknown(error),
            },
            Ok(Cas::Moved) => {
                failpoint::at(Point::StoreMoved);
                match self.reads_back(head) {
                    Ok(()) => Put::Published(packing),
                    Err(error) => Put::Unknown(error),
                }
            }
            // It moved, and what came after that failed.
            Err(error) if self.tip().map_or(true, |now| now.as_ref() == Some(head)) => {
                Put::Unknown(error.into())
            }
            Err(error) => Put::Failed(error.into()),
        }
    }

    /// A peer reported success for claims that were rolled back: what is acknowledged is what reads back. Another writer
    /// may be ahead already; then our commit is its ancestor.
    fn reads_back(&self, head: &Oid) -> Result<(), StoreError> {
        let now = self.tip()?.ok_or(StoreError::NotReadBack)?;
        let is_there = now == *head || self.repo.is_ancestor(head, &now)?;
        if is_there { Ok(()) } else { Err(StoreError::NotReadBack) }
    }

    /// Sees to it that there is room for one more pack, and says whether small ones should be put together. What goes
    /// wrong here must not keep anybody from a change.
    pub(super) fn room(&self) -> Packing {
        let packing = self.repo.packing().and_then(|packing| {
            if packing == Packing::Pressing {
                self.repo.make_room(self.durability)?;
            }
            Ok(packing)
        });
        packing.unwrap_or_else(|error| {
            tracing::warn!(%error, "no room was made for another pack of the state");
            Packing::NotYet
        })
    }

    /// Puts small packs together. The change is made: what goes wrong here is tried again after the next.
    pub(super) fn tidy(&self) {
        if let Err(error) = self.repo.pack_together(self.durability) {
            tracing::warn!(%error, "small packs of the state were not put together");
        }
    }

    /// Writes what no ref leads to yet. Under the lock, as all packs of ours: whoever clears up takes one without an index
    /// for what a killed process left.
    pub(super) fn persist_alone(&self, written: Pending) -> Result<(), StoreError> {
        let alone = self.alone()?;
        let packing = self.room();
        self.repo.persist(&[written], self.durability)?;
        drop(alone);
        if packing != Packing::NotYet {
            self.tidy();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::world::World;
    use crate::git::{Batch, Link};

    #[test]
    fn what_is_told_outranks_what_is_seen() {
        let world = World::new("sha1");
        let repo = world.repo();
        let oid = |n: u8| Oid::parse(&format!("{n:040x}")).unwrap();
        let link = |parent, head| Link {
            parent: oid(parent),
            head: oid(head),
            durability: Durability::None,
            objects: Batch::packed(&repo).pend().unwrap(),
        };
        let waiting = |links| {
            let mut chain = Chain::default();
            chain.links = links;
            chain
        };
        let (tip, told) = (oid(2), format!("{}\n{}", oid(1), oid(2)));
        let chain = waiting(vec![link(2, 3), link(3, 4)]);
        let fates = [1, 2, 3, 4, 5].map(|head| fate(&oid(head), &tip, &told, &chain));
        assert_eq!(fates, [Fate::Told, Fate::Told, Fate::Waits, Fate::Waits, Fate::Elsewhere]);
        assert_eq!(fate(&tip, &tip, "", &chain), Fate::Tip, "who moved the ref was killed before he said so");
        assert_eq!(fate(&oid(3), &tip, "", &waiting(Vec::new())), Fate::Elsewhere);
        assert_eq!(chain.durability(), Durability::None);
        let durable = Link { durability: Durability::Commit, ..link(4, 5) };
        assert_eq!(waiting(vec![link(2, 3), durable]).durability(), Durability::Commit);
    }
}
