//! Changes that wait for the same lock in one process and become durable together.
//!
//! Called by `transaction`. Threads take turns, first come first served. Who has the turn evaluates its own intent on
//! what those before it made of the state, in memory; then it passes the turn on, and waits. The last one, or the one
//! after whom nobody waits, writes one pack for all and moves the ref once. Each change is a commit of its own. What was
//! evaluated counts, a refusal too, only once the ref has moved: otherwise everybody evaluates again.
//!
//! Invariants: a batch that is open has somebody who has the turn or waits for it, so that it is always published or
//! given up. Deliberately absent: other processes, of which `flush` takes care.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;

use crate::domain::oid::Oid;
use crate::git::{Chain, Pending};
use crate::sys::clock::Clock;
use crate::sys::lock::FileLock;

/// More do not wait for one flush.
const MOST: usize = 32;

/// How a batch ended, for who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The ref moved, and reads back.
    Published,
    /// Nothing happened: evaluate again.
    GivenUp,
    /// The ref moved, and what had to follow failed: it may not be done again.
    Unknown,
}

/// Changes that are evaluated and not yet published.
#[derive(Debug)]
pub(super) struct Open {
    /// Where the ref must still be.
    pub(super) base: Oid,
    /// Where it shall be.
    pub(super) head: Oid,
    /// What it was made of in turn: other processes' changes, which wait to be flushed.
    pub(super) chain: Chain,
    /// What our own commits are made of.
    pub(super) written: Vec<Pending>,
    /// The right to flush, if nobody else wanted anything.
    pub(super) flush: Option<FileLock>,
    members: Vec<(u64, Thread)>,
    /// Last, so that it is let go of when the rest is gone.
    lock: Option<FileLock>,
}

impl Open {
    pub(super) fn new(base: Oid, chain: Chain, lock: FileLock, flush: Option<FileLock>) -> Self {
        let head = chain.head().unwrap_or(&base).clone();
        Self { base, head, chain, written: Vec::new(), flush, members: Vec::new(), lock: Some(lock) }
    }

    /// Lets other processes evaluate.
    pub(super) fn unlock(&mut self) {
        self.lock = None;
    }
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    /// Whether somebody has the turn.
    busy: bool,
    waiting: VecDeque<(u64, Thread)>,
    open: Option<Box<Open>>,
    ended: BTreeMap<u64, End>,
}

/// The threads of this process that change one repository's state.
#[derive(Debug, Default)]
pub(super) struct Group(Mutex<Queue>);

/// That of each repository in which somebody is at it, by its common directory.
static ALL: Mutex<BTreeMap<PathBuf, Weak<Group>>> = Mutex::new(BTreeMap::new());

/// The right to evaluate, or to publish. Given up with the batch when it is dropped.
#[must_use = "the turn is given up when it is dropped"]
pub(super) struct Turn<'g> {
    group: &'g Group,
    ticket: u64,
    end: End,
    passed: bool,
    /// The batch, if those before left one.
    pub(super) open: Option<Box<Open>>,
}

/// What became of a turn that was to be passed on.
pub(super) enum Passed<'g> {
    /// Somebody else ended the batch.
    Ended(End),
    /// There is nobody to pass it to.
    Publish(Turn<'g>),
}

impl Group {
    /// The group of the repository with this common directory.
    pub(super) fn of(common_dir: &Path) -> Arc<Self> {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = all.get(common_dir).and_then(Weak::upgrade) {
            return group;
        }
        let new = Arc::<Self>::default();
        all.retain(|_, group| group.strong_count() > 0);
        all.insert(common_dir.to_owned(), Arc::downgrade(&new));
        new
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn; None if it did not come in time.
    pub(super) fn enter(&self, patience: Duration) -> Option<Turn<'_>> {
        let start = Clock.monotonic();
        let mut queue = self.queue();
        let ticket = queue.next;
        queue.next += 1;
        queue.waiting.push_back((ticket, std::thread::current()));
        loop {
            if !queue.busy && queue.waiting.front().is_some_and(|(first, _)| *first == ticket) {
                queue.waiting.pop_front();
                queue.busy = true;
                let open = queue.open.take();
                return Some(Turn { group: self, ticket, end: End::GivenUp, passed: false, open });
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                // Whoever has the turn sees that one fewer waits. Nobody has it: then it is the first one's, who waits.
                queue.waiting.retain(|(other, _)| *other != ticket);
                return None;
            }
            drop(queue);
            std::thread::park_timeout(left);
            queue = self.queue();
        }
    }

    fn wait_for_end(&self, ticket: u64) -> End {
        loop {
            if let Some(end) = self.queue().ended.remove(&ticket) {
                return end;
            }
            std::thread::park();
        }
    }
}

impl Queue {
    fn leave(&mut self) {
        self.busy = false;
        if let Some((_, first)) = self.waiting.front() {
            first.unpark();
        }
    }
}

impl<'g> Turn<'g> {
    /// Passes the turn and the batch on to who waits, and waits for its end; back if nobody waits, or enough are in it.
    pub(super) fn pass(mut self) -> Passed<'g> {
        let mut queue = self.group.queue();
        let full = self.open.as_ref().is_none_or(|open| open.members.len() + 1 >= MOST);
        if full || queue.waiting.is_empty() {
            drop(queue);
            return Passed::Publish(self);
        }
        if let Some(mut open) = self.open.take() {
            open.members.push((self.ticket, std::thread::current()));
            queue.open = Some(open);
        }
        // In one with the look at who waits: none of them may give up in between.
        queue.leave();
        self.passed = true;
        drop(queue);
        Passed::Ended(self.group.wait_for_end(self.ticket))
    }

    /// Says that nobody knows how it ended.
    pub(super) fn unknown(&mut self) {
        self.end = End::Unknown;
    }

    /// Says that the batch is published, and leaves.
    pub(super) fn published(mut self) {
        self.end = End::Published;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.passed {
            return;
        }
        let members = match &mut self.open {
            Some(open) => std::mem::take(&mut open.members),
            None => Vec::new(),
        };
        // With it goes the lock, which the next one wants.
        self.open = None;
        let mut queue = self.group.queue();
        for (ticket, thread) in members {
            queue.ended.insert(ticket, self.end);
            thread.unpark();
        }
        queue.leave();
    }
}
