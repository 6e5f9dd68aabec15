//! Waiting for a lock whose holder may be waiting for a remote.
//!
//! Called by whoever fetches or moves trunk. The patience is with one holder, by what it wrote into the lock's file:
//! each may take as long as its remote may, and a queue of them is not one that is stuck. Ctrl-C is heard meanwhile.
//! Deliberately absent: what to say and what to do about it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::config::Period;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::sys::lock::{FileLock, LockError};

/// What a holder does besides waiting for its remote, and what stopping a git that had no answer takes.
const LOCAL_WORK: Duration = Duration::from_secs(5);
/// The patience with a holder that may wait for its remote for ever.
const UNLIMITED: Duration = Duration::from_secs(120);
/// How soon Ctrl-C is heard.
const SLICE: Duration = Duration::from_millis(250);
/// From when on the wait is worth a word.
const NOTICED: Duration = Duration::from_secs(1);

/// How waiting for a lock ended.
#[derive(Debug)]
pub(crate) enum Waited {
    /// It is ours.
    Ours(FileLock),
    /// Somebody stopped us while this one held it.
    Interrupted(String),
    /// One had it for longer than it should.
    InVain {
        /// Which.
        holder: String,
        /// How long we waited for it.
        seconds: u64,
    },
}

/// Takes the lock at `path`, with `patience` for each that holds it; `tell` gets the holder's name, once, if that takes
/// a while.
pub(crate) fn wait(
    cx: &Ctx,
    path: &Path,
    patience: Duration,
    tell: &mut dyn FnMut(&str),
) -> Result<Waited, OpError> {
    let start = cx.clock.monotonic();
    let mut turn = Turn { holder: String::new(), since: start };
    let mut told = false;
    loop {
        let holder = match FileLock::acquire(path, SLICE, cx.clock) {
            Ok(lock) => return Ok(Waited::Ours(lock)),
            Err(LockError::Busy { holder, .. }) => holder,
            Err(error) => return Err(error.into()),
        };
        if cx.interrupts.soft() {
            return Ok(Waited::Interrupted(holder));
        }
        if turn.lasts(&holder, cx.clock.monotonic()) >= patience {
            return Ok(Waited::InVain { holder, seconds: patience.as_secs() });
        }
        if !told && start.elapsed() >= NOTICED {
            tell(&holder);
            told = true;
        }
    }
}

/// How long a holder may need that waits for `answers` of its remote, one after the other.
pub(crate) fn patience(network_timeout: Period, answers: u32) -> Duration {
    if network_timeout.is_zero() { UNLIMITED } else { network_timeout.duration() * answers + LOCAL_WORK }
}

/// One holder's time.
struct Turn {
    holder: String,
    since: Instant,
}

impl Turn {
    /// How long it has been `holder`'s, as far as we saw.
    fn lasts(&mut self, holder: &str, now: Instant) -> Duration {
        if self.holder.is_empty() {
            holder.clone_into(&mut self.holder);
        } else if self.holder != holder {
            *self = Self { holder: holder.to_owned(), since: now };
        }
        now.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::Clock;

    #[test]
    fn nobody_gives_up_before_the_remote_does() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        assert!(patience(Period::from_secs(300), 1) > minutes(5));
        assert!(patience(Period::from_secs(300), 2) > minutes(10));
        assert!(patience(Period::from_secs(0), 1) > Duration::ZERO);
    }

    #[test]
    fn each_holder_has_its_own_time() {
        let start = Clock.monotonic();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut turn = Turn { holder: String::new(), since: start };
        let lasts = [("one", 3), ("one", 9), ("two", 10), ("two", 12), ("one", 20)]
            .map(|(holder, when)| turn.lasts(holder, at(when)).as_secs());
        assert_eq!(lasts, [3, 9, 0, 2, 0]);
    }
}
