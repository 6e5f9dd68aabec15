//! The lock under which trunk is moved, and how long to wait for it.
//!
//! Called by the steps of a merge that need it. Whoever holds it may be waiting for a remote: longer than that takes
//! nobody waits, and who gave up is told to come again, not that something is broken.

use std::time::Duration;

use crate::config::Period;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::sys::lock::{FileLock, LockError};

/// The refusal of who waited in vain.
pub(crate) const BUSY: &str = "merge.busy";
/// What a holder does besides waiting for its remote.
const LOCAL_WORK: Duration = Duration::from_secs(5);
/// The patience with a holder that may wait for its remote for ever.
const UNLIMITED: Duration = Duration::from_secs(120);
/// How soon Ctrl-C is heard.
const SLICE: Duration = Duration::from_millis(250);
/// From when on the wait is worth a word.
const NOTICED: Duration = Duration::from_secs(1);

/// Takes the lock; `tell` gets a line if that takes a while.
pub(super) fn take(cx: &Ctx, tell: &mut dyn FnMut(String)) -> Result<FileLock, OpError> {
    let path = cx.file("queue.lock");
    let patience = patience(cx.local.network_timeout);
    let start = cx.clock.monotonic();
    let mut told = false;
    loop {
        let holder = match FileLock::acquire(&path, SLICE, cx.clock) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Busy { holder, .. }) => holder,
            Err(error) => return Err(error.into()),
        };
        if cx.interrupts.soft() {
            let fact = format!("interrupted while {holder} moved trunk; nothing was merged");
            return Err(again(Because::Interrupted, "merge.interrupted", fact).into());
        }
        let waited = start.elapsed();
        if waited >= patience {
            let fact = format!("{holder} has been moving trunk for more than {} s", patience.as_secs());
            return Err(again(Because::Held, BUSY, fact).into());
        }
        if !told && waited >= NOTICED {
            tell(format!("waiting for {holder}, which moves trunk"));
            told = true;
        }
    }
}

fn again(because: Because, rule: &'static str, fact: String) -> Refused {
    Refused::new(because, rule, fact).next("git orch merge   (again)")
}

fn patience(network_timeout: Period) -> Duration {
    if network_timeout.is_zero() { UNLIMITED } else { network_timeout.duration() + LOCAL_WORK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gives_up_before_the_remote_does() {
        assert!(patience(Period::from_secs(300)) > Duration::from_secs(300));
        assert!(patience(Period::from_secs(0)) > Duration::ZERO);
    }
}
