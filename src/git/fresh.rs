//! Objects that were just written, in memory: the next change begins with them.
//!
//! Filled by `durable`, and by `read` with what lies in files of its own; asked first by `read`, shared by all
//! handles of a repository in this process. Without it each change would look for what the one before wrote, in packs
//! that have to be listed and opened anew. What is not in its place yet is in here only as long as it is `Pending`,
//! and nothing that is in its place leads to it; whether an object is there is never asked here. An object's id is of
//! its content: what is in here can't be out of date.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::domain::oid::Oid;

/// So much is kept; a state of ten thousand tasks has a directory of 40 KB.
const BYTES: usize = 1024 * 1024;

/// An object: its kind, and its bytes without a header.
pub(super) type Known = (gix::objs::Kind, Arc<[u8]>);

#[derive(Debug)]
struct Kept {
    known: Known,
    /// Asked for since it was kept, or since it was last spared.
    asked: bool,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<Oid, Kept>,
    order: VecDeque<Oid>,
    bytes: usize,
    /// Objects that are not in their place, and how many wait for that: commits on which others are made before all of
    /// them are written together.
    pending: BTreeMap<Oid, (Known, usize)>,
}

/// Objects that were written last.
#[derive(Clone, Debug, Default)]
pub(super) struct Fresh(Arc<Mutex<Inner>>);

/// Objects that can be read in this process and are not written yet.
#[derive(Debug)]
pub struct Pending {
    fresh: Fresh,
    pub(super) objects: BTreeMap<Oid, Known>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut inner = self.fresh.0.lock().unwrap_or_else(PoisonError::into_inner);
        for oid in self.objects.keys() {
            if let Some((_, count)) = inner.pending.get_mut(oid) {
                *count -= 1;
                if *count == 0 {
                    inner.pending.remove(oid);
                }
            }
        }
    }
}

/// Those of each repository that is open, by its common directory.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Mutex<Inner>>>> = Mutex::new(BTreeMap::new());

impl Fresh {
    /// What all handles of this process share that have the repository with this common directory open.
    pub(super) fn of(common_dir: &Path) -> Self {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = open.get(common_dir).and_then(Weak::upgrade) {
            return Self(inner);
        }
        let new = Self::default();
        open.retain(|_, inner| inner.strong_count() > 0);
        open.insert(common_dir.to_owned(), Arc::downgrade(&new.0));
        new
    }

    /// The object, if it was written lately.
    pub(super) fn get(&self, oid: &Oid) -> Option<Known> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = inner.objects.get_mut(oid) {
            kept.asked = true;
            return Some(kept.known.clone());
        }
        inner.pending.get(oid).map(|(known, _)| known.clone())
    }

    /// Whether it can be read in this process only, as yet.
    pub(super) fn is_pending(&self, oid: &Oid) -> bool {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.pending.contains_key(oid) && !inner.objects.contains_key(oid)
    }

    /// Shows objects that are about to be written, for as long as what is returned lives.
    pub(super) fn pend(&self, objects: BTreeMap<Oid, Known>) -> Pending {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (oid, known) in &objects {
            inner.pending.entry(oid.clone()).or_insert_with(|| (known.clone(), 0)).1 += 1;
        }
        Pending { fresh: self.clone(), objects }
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
            if inner.objects.insert(oid.clone(), Kept { known, asked: false }).is_none() {
                inner.bytes += length;
                inner.order.push_back(oid);
            }
        }
        while inner.bytes > BYTES
            && let Some(oldest) = inner.order.pop_front()
        {
            match inner.objects.get_mut(&oldest) {
                // What is asked for again and again was written long ago and stays, as `meta.toml`.
                Some(kept) if kept.asked => {
                    kept.asked = false;
                    inner.order.push_back(oldest);
                }
                Some(_) | None => {
                    let gone = inner.objects.remove(&oldest).map_or(0, |kept| kept.known.1.len());
                    inner.bytes -= gone;
                }
            }
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
        for n in 50..90 {
            fresh.keep(vec![(oid(n), object(50_000))]);
            assert!(fresh.get(&oid(40)).is_some(), "it is asked for");
        }
        assert!(fresh.get(&oid(39)).is_none());
    }
}
