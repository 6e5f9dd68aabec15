//! Objects that were just written, in memory: the next change begins with them.
//!
//! Filled by `durable`, asked first by `read`, shared by the handles that were reopened from one another. Without it
//! each change would look for what the one before wrote: gix lists and opens all packs anew for an object that it does
//! not know. Only what is in its place already is in here, so that it never says that something is there that is not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::oid::Oid;

/// So much is kept; a state of ten thousand tasks has a directory of 40 KB.
const BYTES: usize = 1024 * 1024;

/// An object: its kind, and its bytes without a header.
pub(super) type Known = (gix::objs::Kind, Arc<[u8]>);

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<Oid, Known>,
    order: VecDeque<Oid>,
    bytes: usize,
}

/// Objects that were written last.
#[derive(Clone, Debug, Default)]
pub(super) struct Fresh(Arc<Mutex<Inner>>);

impl Fresh {
    /// The object, if it was written lately.
    pub(super) fn get(&self, oid: &Oid) -> Option<Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).objects.get(oid).cloned()
    }

    /// Keeps what was written. Of more than fits, nothing.
    pub(super) fn keep(&self, written: Vec<(Oid, Known)>) {
        let new: usize = written.iter().map(|(_, (_, bytes))| bytes.len()).sum();
        if new > BYTES {
            return;
        }
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (oid, known) in written {
            let length = known.1.len();
            if inner.objects.insert(oid.clone(), known).is_none() {
                inner.bytes += length;
                inner.order.push_back(oid);
            }
        }
        while inner.bytes > BYTES
            && let Some(oldest) = inner.order.pop_front()
        {
            let gone = inner.objects.remove(&oldest).map_or(0, |(_, bytes)| bytes.len());
            inner.bytes -= gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_last_is_kept() {
        let fresh = Fresh::default();
        let oid = |n: usize| Oid::parse(&format!("{n:040x}")).unwrap();
        let object = |size: usize| (gix::objs::Kind::Blob, Arc::from(vec![0; size]));
        for n in 1..=40 {
            fresh.keep(vec![(oid(n), object(50_000))]);
            fresh.keep(vec![(oid(n), object(50_000))]);
        }
        assert_eq!(
            (1..=40).filter(|n| fresh.get(&oid(*n)).is_some()).collect::<Vec<_>>(),
            (21..=40).collect::<Vec<_>>()
        );
        fresh.keep(vec![(oid(99), object(BYTES + 1))]);
        assert!(fresh.get(&oid(99)).is_none() && fresh.get(&oid(40)).is_some());
    }
}
