//! The merge gate: the only way by which git-orch moves trunk.
//!
//! The result is built in the object database, judged as exactly the tree that trunk would get, and trunk is moved
//! by compare-and-swap to exactly the commit that was judged. A race that is lost costs another round, never a
//! tree that nobody verified. While the gate runs, no lock is held; the queue lock is taken for the move.

mod already;
mod land;
mod moving;
mod queue;
mod target;

pub(crate) use already::is_landed;
pub(crate) use land::merge_committed;
pub use land::{Landing, Merged, Options, Outcome, Past, merge};
pub(crate) use queue::BUSY;
pub use target::Target;

use crate::ops::checkouts::{self, Announced, Refresh};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};

/// Ends what a killed merge left to do: checkouts of trunk that have yet to follow. Waits for one that is under way.
pub(crate) fn take_along(cx: &Ctx) -> Result<Vec<Refresh>, OpError> {
    if !checkouts::are_some(cx)? {
        return Ok(Vec::new());
    }
    let queue = queue::take(cx, &mut |_| {})?;
    Ok(checkouts::take_along(cx, &Announced::default(), &queue))
}

/// As `take_along`, for what would build on a checkout that is behind: refused if one can't follow.
pub(crate) fn catch_up(cx: &Ctx) -> Result<(), OpError> {
    match take_along(cx)?.iter().find_map(Refresh::trouble) {
        None => Ok(()),
        Some((fact, next)) => Err(Refused::new(Because::Policy, "checkout.behind", fact).next(next).into()),
    }
}
