//! What the workers of one run share: how much is left to do, who is busy, what went wrong.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::domain::id::TaskId;
use crate::ops::error::OpError;

/// Errors of single tasks in a row, after which they are taken for errors of the surroundings.
const TROUBLES: usize = 3;

pub(super) struct Board {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    /// Workers that are taking a task or work on one.
    active: usize,
    /// Rises whenever something happened that may have made a task ready.
    generation: u64,
    /// How many tasks may still be started.
    left: Option<usize>,
    /// Tasks of dead sessions, to be worked on first.
    dead: VecDeque<TaskId>,
    /// No task is taken any more.
    closed: bool,
    troubles: usize,
    failure: Option<OpError>,
}

/// The right to start one task. Dropped, its worker is no longer active.
pub(super) struct Turn<'a> {
    board: &'a Board,
    pub(super) generation: u64,
    used: bool,
}

impl Board {
    pub(super) fn new(left: Option<usize>, dead: VecDeque<TaskId>) -> Self {
        let inner = Inner { active: 0, generation: 0, left, dead, closed: false, troubles: 0, failure: None };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A worker that panics ends the process's run anyway; its numbers are still right.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A turn, unless no task may be started any more.
    pub(super) fn begin(&self) -> Option<Turn<'_>> {
        let mut inner = self.lock();
        if inner.closed || inner.left == Some(0) {
            return None;
        }
        inner.left = inner.left.map(|left| left - 1);
        inner.active += 1;
        Some(Turn { board: self, generation: inner.generation, used: false })
    }

    /// The next task of a dead session.
    pub(super) fn next_dead(&self) -> Option<TaskId> {
        self.lock().dead.pop_front()
    }

    /// Waits until something happened after `seen` that may have made a task ready; false: nothing will, because
    /// nobody is active, or because the run is to end.
    pub(super) fn wait(&self, seen: u64, stop: &dyn Fn() -> bool) -> bool {
        let mut inner = self.lock();
        while inner.generation == seen {
            if inner.active == 0 || inner.closed || stop() {
                return false;
            }
            inner = self.changed.wait(inner).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        true
    }

    /// Makes everybody who waits look again.
    pub(super) fn wake(&self) {
        // Under the lock: a worker between its look and its wait must not miss it.
        let _inner = self.lock();
        self.changed.notify_all();
    }

    /// No task is taken any more. Says whether that is new.
    pub(super) fn close(&self) -> bool {
        let mut inner = self.lock();
        self.changed.notify_all();
        !std::mem::replace(&mut inner.closed, true)
    }

    /// Ends the run with an error; the first one counts.
    pub(super) fn fail(&self, error: OpError) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.failure.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Whether errors of single tasks, this one included, are so many in a row that something else must be wrong.
    pub(super) fn is_trouble_for_all(&self) -> bool {
        let mut inner = self.lock();
        inner.troubles += 1;
        inner.troubles >= TROUBLES
    }

    /// A task came to an end of its own.
    pub(super) fn no_trouble(&self) {
        self.lock().troubles = 0;
    }

    pub(super) fn into_failure(self) -> Option<OpError> {
        self.inner.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).failure
    }
}

impl Turn<'_> {
    /// A task was taken: the turn can't be given back any more.
    pub(super) fn took_one(&mut self) {
        self.used = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut inner = self.board.lock();
        inner.active -= 1;
        if self.used {
            inner.generation += 1;
        } else {
            inner.left = inner.left.map(|left| left + 1);
        }
        self.board.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(left: Option<usize>) -> Board {
        Board::new(left, VecDeque::new())
    }

    #[test]
    fn turns_are_counted_and_unused_ones_come_back() {
        let board = board(Some(2));
        let (mut one, two) = (board.begin().unwrap(), board.begin().unwrap());
        assert!(board.begin().is_none());
        one.took_one();
        drop((one, two));
        let mut last = board.begin().unwrap();
        last.took_one();
        drop(last);
        assert!(board.begin().is_none());
    }

    #[test]
    fn who_waits_goes_on_after_a_task_and_leaves_when_nobody_is_active() {
        let board = board(None);
        let mut busy = board.begin().unwrap();
        let idle = board.begin().unwrap();
        let seen = idle.generation;
        drop(idle);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| board.wait(seen, &|| false));
            busy.took_one();
            drop(busy);
            assert!(waiting.join().unwrap(), "a task ended");
        });
        assert!(!board.wait(seen + 1, &|| false), "nobody is active");
        let _busy = board.begin().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| board.wait(seen + 1, &|| false));
            board.close();
            assert!(!waiting.join().unwrap(), "closed");
        });
        assert!(board.begin().is_none());
    }

    #[test]
    fn three_troubles_in_a_row_are_everybody_s() {
        let board = board(None);
        assert!(!board.is_trouble_for_all());
        assert!(!board.is_trouble_for_all());
        board.no_trouble();
        assert!(!board.is_trouble_for_all());
        assert!(!board.is_trouble_for_all());
        assert!(board.is_trouble_for_all());
        board.fail(OpError::Bug("one".into()));
        board.fail(OpError::Bug("two".into()));
        assert_eq!(board.into_failure().unwrap().to_string(), "BUG: one");
    }
}
