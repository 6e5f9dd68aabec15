//! The lock under which trunk is moved, and how long to wait for it.
//!
//! Called by the steps of a merge that need it. Whoever holds it may be waiting for a remote: longer than that takes
//! nobody waits, and who gave up is told to come again, not that something is broken.

use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::held::{self, Waited};
use crate::sys::lock::FileLock;

/// The refusal of who waited in vain.
pub(crate) const BUSY: &str = "merge.busy";
/// A push that is refused, and a fetch that finds out why.
const ANSWERS: u32 = 2;

/// Takes the lock; `tell` gets a line if that takes a while.
pub(super) fn take(cx: &Ctx, tell: &mut dyn FnMut(String)) -> Result<FileLock, OpError> {
    let patience = held::patience(cx.local.network_timeout, ANSWERS);
    let mut tell = |holder: &str| tell(format!("waiting for {holder}, which moves trunk"));
    match held::wait(cx, &cx.file("queue.lock"), patience, &mut tell)? {
        Waited::Ours(lock) => Ok(lock),
        // Some steps come after the merge: what is done by then is not known here.
        Waited::Interrupted(holder) => {
            let fact = format!("interrupted while waiting for {holder}, which moves trunk");
            Err(again(Because::Interrupted, "merge.interrupted", fact).into())
        }
        Waited::InVain { holder, seconds } => {
            let fact = format!("{holder} has been moving trunk for more than {seconds} s");
            Err(again(Because::Held, BUSY, fact).into())
        }
    }
}

fn again(because: Because, rule: &'static str, fact: String) -> Refused {
    Refused::new(because, rule, fact).next("git orch merge   (again)")
}
