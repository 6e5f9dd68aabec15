//! How changes become durable: one flush for all that wait, of threads and of processes.
//!
//! Called by `transaction`. Who finds `write.lock` free and nobody waiting makes its change alone, under both locks. Who had
//! to wait writes what it made into a file (`git::chain`), lets go of `write.lock`, so that the next one goes on from
//! there, and waits for `flush.lock`. Whoever has that puts everything that is in the file by then in place, moves the ref
//! once, and notes which changes are made (`flush.told`); the others find theirs among them.
//!
//! Invariants: the ref and packs of ours are written under `flush.lock` only. Who holds it never waits for `write.lock`. Nothing
//! is acknowledged before the ref has moved durably: what waits in the file was not, and is dropped as soon as nobody who
//! waits lives (`flush.waiting`, a lock that they share). A change that did not become part of the state is made anew on its
//! tip; so are all that were made of it. Who can't tell says so. Deliberately absent: evaluating, which is `transaction`'s.

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
use crate::sys::fs;
use crate::sys::lock::{FileLock, LockError};

/// How an attempt to put changes in their place ended. An error instead: nothing happened.
enum Put {
    /// They are part of the state, durably.
    Published(Packing),
    /// The tip had moved, or the change is not in the chain any more: nothing happened.
    Lost,
    /// The ref moved, and what had to follow failed.
    Unknown(StoreError),
}

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

    /// Keeps everybody else from changing the state. What waits for a flush is made anew if the tip moves meanwhile.
    pub(super) fn alone(&self) -> Result<Alone, StoreError> {
        let write = FileLock::acquire_in_turn(&self.lock_path(), LOCK_PATIENCE, Clock)?;
        let flush = FileLock::acquire_in_turn(&self.flush_path(), LOCK_PATIENCE, Clock)?;
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
        let chain = self.repo.chain(&self.chain_path(), tip)?;
        if chain.links.is_empty() {
            return Ok(chain);
        }
        // Under `write.lock`, without which nobody begins to wait.
        let Some(_nobody) = FileLock::try_acquire(&self.waiting_path())? else { return Ok(chain) };
        self.drop_chain()?;
        Ok(Chain::default())
    }

    fn drop_chain(&self) -> Result<(), StoreError> {
        fs::remove_file_if_there(&self.chain_path())?;
        Ok(())
    }

    /// Sees to it that what is in the batch, and what it was made of, is published; None if it was not, and is to be made
    /// anew.
    pub(super) fn publish(
        &self,
        mut turn: Turn<'_>,
        patience: Duration,
    ) -> Result<Option<Packing>, StoreError> {
        let Some(open) = turn.open.as_mut() else { return Ok(None) };
        let put = match open.flush.take() {
            Some(_flush) => self.put(&open.base, &open.head, &open.written),
            None => match self.wait_for_flush(open, patience) {
                Ok(_flush) => self.put_together(&open.head),
                Err((error, Noted::Maybe)) => Ok(Put::Unknown(error)),
                Err((error, Noted::No)) => Err(error),
            },
        };
        match put? {
            Put::Lost => Ok(None),
            Put::Unknown(error) => {
                // Nobody may do it once more.
                turn.unknown();
                Err(error)
            }
            Put::Published(packing) => {
                self.repo.keep_at_hand(&open.written);
                turn.published();
                failpoint::at(Point::StoreDone);
                Ok(Some(packing))
            }
        }
    }

    /// Notes what is in the batch where whoever flushes finds it, lets others go on from there, and waits for the lock.
    fn wait_for_flush(&self, open: &mut Open, patience: Duration) -> Result<Flush, (StoreError, Noted)> {
        let not = |error: StoreError| (error, Noted::No);
        let waits = FileLock::try_shared(&self.waiting_path()).map_err(|e| not(e.into()))?;
        if !open.written.is_empty() {
            let parent = open.chain.head().unwrap_or(&open.base);
            let ends = (parent, &open.head);
            open.chain.append(&self.chain_path(), ends, &open.written).map_err(|e| not(e.into()))?;
            failpoint::at(Point::ChainNoted);
        }
        let lock = match FileLock::try_acquire(&self.flush_path()) {
            Ok(lock) => lock,
            Err(error) => return Err((error.into(), Noted::Maybe)),
        };
        open.unlock();
        let lock = match lock {
            Some(lock) => Ok(lock),
            None => FileLock::acquire_in_turn(&self.flush_path(), patience, Clock),
        };
        let lock = lock.map_err(|error| (error.into(), Noted::Maybe))?;
        Ok(Flush { _waits: waits, _lock: lock })
    }

    /// Puts what waits up to `head`, and what came after it, in its place, unless somebody else did. Under `flush.lock`.
    fn put_together(&self, head: &Oid) -> Result<Put, StoreError> {
        let tip = self.tip()?.ok_or(StoreError::NoState)?;
        let told = fs::read_optional(&self.told_path())?.unwrap_or_default();
        if tip == *head || told.lines().any(|line| line == head.as_str()) {
            return self.flushed(told.lines().any(|line| line == head.as_str()));
        }
        let chain = self.repo.chain(&self.chain_path(), &tip)?;
        let Some(last) = chain.head().filter(|_| chain.links.iter().any(|link| link.head == *head)) else {
            if self.repo.has_object(head) && self.repo.is_ancestor(head, &tip)? {
                return self.flushed(false);
            }
            if chain.links.is_empty() {
                self.drop_chain()?;
            }
            return Ok(Put::Lost);
        };
        let put = self.put(&tip, last, chain.links.iter().map(|link| &link.objects));
        match &put {
            Ok(Put::Published(_)) => self.tell(&chain),
            Ok(Put::Unknown(_)) => {}
            // The others can't make of it what they wanted to, either.
            Ok(Put::Lost) | Err(_) => self.drop_chain()?,
        }
        put
    }

    /// Somebody else put it in its place. Whether that is durable is known only if it was told.
    fn flushed(&self, told: bool) -> Result<Put, StoreError> {
        if !told {
            self.repo.flush_ref(STATE_REF, self.durability)?;
        }
        Ok(Put::Published(Packing::NotYet))
    }

    /// Notes which changes are made, for those who wait. Without the note they look for themselves.
    fn tell(&self, chain: &Chain) {
        let heads: Vec<&str> = chain.links.iter().map(|link| link.head.as_str()).collect();
        let write =
            fs::write_atomic(&self.told_path(), heads.join("\n").as_bytes(), 0o644, fs::Durability::None);
        if let Err(error) = write {
            tracing::warn!(%error, "which changes were made was not noted");
        }
    }

    /// Puts what commits after `base` up to `head` are made of in its place, and moves the ref. Under `flush.lock`.
    fn put<'p>(
        &self,
        base: &Oid,
        head: &Oid,
        written: impl IntoIterator<Item = &'p Pending>,
    ) -> Result<Put, StoreError> {
        let packing = self.room();
        self.repo.persist(written, self.durability)?;
        let change = RefChange { name: STATE_REF.into(), old: MaybeOid::Id(base.clone()), new: head.clone() };
        match self.repo.cas(&change, self.durability) {
            Ok(Cas::Lost(_)) => Ok(Put::Lost),
            Ok(Cas::Moved) => {
                failpoint::at(Point::StoreMoved);
                Ok(match self.reads_back(head) {
                    Ok(()) => Put::Published(packing),
                    Err(error) => Put::Unknown(error),
                })
            }
            // It moved, and what came after that failed.
            Err(error) if self.tip().map_or(true, |now| now.as_ref() == Some(head)) => {
                Ok(Put::Unknown(error.into()))
            }
            Err(error) => Err(error.into()),
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

/// The right to flush, and that what this process noted is waited for.
struct Flush {
    _waits: Option<FileLock>,
    _lock: FileLock,
}

/// Whether somebody else may put a change in its place.
enum Noted {
    No,
    Maybe,
}
