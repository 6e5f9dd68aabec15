//! The merge gate: the only way by which git-orch moves trunk.
//!
//! The result is built in the object database, judged as exactly the tree that trunk would get, and trunk is moved
//! by compare-and-swap to exactly the commit that was judged. A race that is lost costs another round, never a
//! tree that nobody verified. While the gate runs, no lock is held; the queue lock is taken for the move.

mod already;
mod checkouts;
mod land;
mod queue;
mod target;

pub(crate) use already::is_landed;
pub use checkouts::Refresh;
pub(crate) use checkouts::{are_left, take_along};
pub(crate) use land::merge_committed;
pub use land::{Landing, Merged, Options, Outcome, merge};
pub(crate) use queue::BUSY;
pub use target::Target;
