//! Named moments at which a test has this very process killed.
//!
//! Called where something was just made that the next step relies on. In a build with debug assertions the variable
//! `ORCH_TEST_KILL_AT=<name>[:<n>]` names a point; the `n`th time (otherwise the first) that the process comes there it
//! sends itself SIGKILL, which is a real one: nothing is unwound, flushed or removed. In other builds `at` is empty and
//! the variable is not read. Not a cargo feature: the integration tests run the program that plain `cargo test` builds.
//! `tests/it/points.rs` goes through `Point::ALL`, and fails on a point that no command comes to.
//!
//! Deliberately absent: errors, delays and panics. What the system refuses is tested by having it refuse.

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $point:ident = $name:literal,)+) => {
        /// A moment, by what has just been done. In the order in which a change comes to them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Point {
            $($(#[doc = $doc])+ $point,)+
        }

        impl Point {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// What it is called outside.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

points! {
    /// The lock on the state is held.
    StoreLocked = "store.locked",
    /// A change's files are objects, in memory.
    StoreBlobs = "store.blobs",
    /// Its directories, too.
    StoreTree = "store.tree",
    /// Its commit, too.
    StoreCommit = "store.commit",
    /// What was made is in the file of what waits for a flush; nobody was asked to flush it.
    ChainNoted = "chain.noted",
    /// A pack and its index are written under temporary names.
    PackWritten = "pack.written",
    /// They are flushed.
    PackFlushed = "pack.flushed",
    /// What keeps the pack is there, the pack is not.
    PackKept = "pack.kept",
    /// The pack has its name.
    PackNamed = "pack.named",
    /// Its index, too: the objects are visible.
    PackIndexed = "pack.indexed",
    /// These names are flushed.
    PackDurable = "pack.durable",
    /// The ref's lock file is there.
    RefLocked = "ref.locked",
    /// The ref's new value is written beside it.
    RefWritten = "ref.written",
    /// The ref has moved; that is not flushed, and the lock file is there.
    RefMoved = "ref.moved",
    /// It is flushed, and the lock file is gone; the ref was not read back.
    StoreMoved = "store.moved",
    /// The change is made; nobody was told.
    StoreDone = "store.done",
    /// Small packs were put together; all are there.
    PacksJoined = "packs.joined",
    /// The index of the first of those that are not needed any more is gone, the pack is there.
    PacksHalfGone = "packs.half-gone",
    /// The index's rows are written, its transaction is open.
    IndexWritten = "index.written",
    /// The index describes the new commit.
    IndexDone = "index.done",
    /// A git that talks to the remote was started, and nothing heard of it.
    RemoteAsked = "remote.asked",
    /// What the remote has is fetched, which was not noted.
    RemoteFetched = "remote.fetched",
    /// The remote answered a push; nobody looked at the answer.
    RemotePushed = "remote.pushed",
    /// What is known of claims that another clone's are about to replace is forgotten.
    ClaimForgotten = "claim.forgotten",
    /// It is noted that a claim is ours, and the remote was not asked.
    ClaimNoted = "claim.noted",
    /// The claim on the remote is known to be ours; the state does not say so.
    ClaimArrived = "claim.arrived",
    /// A ref that says what the remote has was moved.
    SyncTracked = "sync.tracked",
}

/// Says that the process is there.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn at(_: Point) {}

#[cfg(debug_assertions)]
pub use armed::at;

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Point;
    use crate::sys::env::Env;

    /// Where to be killed: the point's name, and how often it has to be come to before.
    struct Armed {
        name: String,
        left: AtomicU32,
    }

    /// Read once, and not from an `Env`: those that come to points have none, and must not get one for this.
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

    fn read() -> Option<Armed> {
        let text = Env::capture().text("ORCH_TEST_KILL_AT")?.to_owned();
        let (name, n) = text.split_once(':').unwrap_or((&text, "1"));
        let known = Point::ALL.iter().any(|point| point.name() == name);
        assert!(known, "ORCH_TEST_KILL_AT: there is no point {name}");
        Some(Armed { name: name.to_owned(), left: AtomicU32::new(n.parse().expect("a number")) })
    }

    /// Says that the process is there.
    ///
    /// # Panics
    /// If `ORCH_TEST_KILL_AT` does not name a point.
    pub fn at(point: Point) {
        let Some(armed) = ARMED.get_or_init(read) else { return };
        if armed.name == point.name() && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).expect("it is this process");
            loop {
                std::thread::park();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
