//! Many small packs of changes as one, in process: in milliseconds, where `git pack-objects` takes a hundred.
//!
//! Called by `packing`. Entries are copied as they are. Versions of one file or directory, of which the newest of each
//! pack is whole there, become deltas of the next newer one: a directory of a thousand entries that one change touches
//! then takes fifty bytes instead of 40 KB. The newest directory stays whole, because it is what is read. Files that are
//! new become deltas of one of them: tasks look alike.
//!
//! Invariants: a base is in the same pack; no object is, by way of others, its own base. Deliberately absent: packs of
//! `git pack-objects`, whose deltas name their base by its distance; `join` says so by `None`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gix::ObjectId;
use gix::odb::pack::data::{self, entry::Header};
use gix::odb::pack::index;

use crate::git::delta::{Parts, delta};
use crate::git::error::GitError;
use crate::git::pack::{Pack, Packed};
use crate::sys::fs;

/// Longer chains of deltas are not begun: whoever reads the last one applies them all.
const CHAIN: usize = 100;

/// One object as it is in its pack.
struct Item<'p> {
    header: Header,
    size: u64,
    deflated: &'p [u8],
}

impl Item<'_> {
    fn base(&self) -> Option<ObjectId> {
        match self.header {
            Header::RefDelta { base_id } => Some(base_id),
            Header::OfsDelta { .. } | Header::Commit | Header::Tree | Header::Blob | Header::Tag => None,
        }
    }
}

/// Of what an object becomes a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// Of the one before it, for versions of the same.
    NextNewer,
    /// Of the first, for files that look alike: read are all of them, and none through a long chain.
    First,
}

/// Everything that is in some packs, each object once.
struct Joined<'p> {
    hash: gix::hash::Kind,
    items: BTreeMap<ObjectId, Item<'p>>,
    /// What becomes a delta: its base, and what makes it of that.
    deltas: BTreeMap<ObjectId, (ObjectId, Vec<u8>)>,
}

fn corrupt(pack: &Path) -> GitError {
    GitError::Malformed { path: pack.to_owned(), what: "it is no pack that git-orch wrote".to_owned() }
}

/// One pack with everything that is in the packs at `stems` (paths without a suffix). None if one of them is of such
/// a kind that its entries can't be copied.
pub(super) fn join(stems: &[&Path], hash: gix::hash::Kind) -> Result<Option<Packed>, GitError> {
    let mut files = Vec::new();
    for stem in stems {
        let idx = stem.with_extension("idx");
        let tried = format!("read {}", idx.display());
        let idx = index::File::at(idx, hash).map_err(GitError::gix(tried))?;
        files.push((stem.with_extension("pack"), idx, fs::read(&stem.with_extension("pack"))?));
    }
    let mut joined = Joined { hash, items: BTreeMap::new(), deltas: BTreeMap::new() };
    for (path, idx, pack) in &files {
        if !joined.add(idx, pack).ok_or_else(|| corrupt(path))? {
            return Ok(None);
        }
    }
    let versions = joined.versions().ok_or_else(|| corrupt(stems.first().unwrap_or(&Path::new(""))))?;
    let mut alike: BTreeMap<&[u8], Vec<ObjectId>> = BTreeMap::new();
    for (path, versions) in &versions {
        joined.shorten(versions, Base::NextNewer);
        let top = path.split(|byte| *byte == b'/').next().unwrap_or_default();
        alike.entry(top).or_default().extend(versions.first());
    }
    for files in alike.values() {
        joined.shorten(files, Base::First);
    }
    joined.pack().map(Some)
}

impl<'p> Joined<'p> {
    /// Adds what is in a pack and not yet here. What is here of another pack has its base from there, too. Says false
    /// if the pack has deltas that name their base by distance.
    fn add(&mut self, idx: &index::File, pack: &'p [u8]) -> Option<bool> {
        let end = pack.len().checked_sub(self.hash.len_in_bytes())?;
        let offsets = idx.sorted_offsets();
        let mut ends = offsets.iter().skip(1).copied().chain([u64::try_from(end).ok()?]);
        let mut sizes = BTreeMap::new();
        for offset in &offsets {
            sizes.insert(*offset, ends.next()?);
        }
        for entry in idx.iter() {
            let start = usize::try_from(entry.pack_offset).ok()?;
            let end = usize::try_from(*sizes.get(&entry.pack_offset)?).ok()?;
            let bytes = pack.get(start..end)?;
            if entry.crc32.is_some_and(|crc| crc != crc32fast::hash(bytes)) {
                return None;
            }
            let found = data::Entry::from_bytes(bytes, 0, self.hash).ok()?;
            if matches!(found.header, Header::OfsDelta { .. }) {
                return Some(false);
            }
            let deflated = bytes.get(usize::try_from(found.data_offset).ok()?..)?;
            let item = Item { header: found.header, size: found.decompressed_size, deflated };
            self.items.entry(entry.oid).or_insert(item);
        }
        Some(true)
    }

    /// The bytes of an object that is whole.
    fn whole(&self, id: &ObjectId) -> Option<Vec<u8>> {
        let item = self.items.get(id)?;
        let mut bytes = vec![0; usize::try_from(item.size).ok()?];
        let (_, _, written) = gix::zlib::Inflate::default().once(item.deflated, &mut bytes).ok()?;
        (written == bytes.len()).then_some(bytes)
    }

    /// Commits, each after those that come after it.
    fn commits(&self) -> Option<Vec<(ObjectId, ObjectId)>> {
        let mut parents = BTreeMap::new();
        let mut trees = BTreeMap::new();
        for (id, _) in self.items.iter().filter(|(_, item)| item.header == Header::Commit) {
            let bytes = self.whole(id)?;
            let mut lines = gix::objs::CommitRefIter::from_bytes(&bytes, self.hash);
            trees.insert(*id, lines.tree_id().ok()?);
            parents.insert(*id, lines.parent_ids().next());
        }
        let older: BTreeSet<ObjectId> = parents.values().flatten().copied().collect();
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for tip in parents.keys().filter(|id| !older.contains(*id)) {
            let mut next = Some(*tip);
            while let Some(id) = next
                && let Some(tree) = trees.get(&id)
                && seen.insert(id)
            {
                found.push((id, *tree));
                next = parents.get(&id).copied().flatten();
            }
        }
        Some(found)
    }

    /// The versions of each file and directory that are whole, newest first, by path.
    fn versions(&self) -> Option<BTreeMap<Vec<u8>, Vec<ObjectId>>> {
        let mut versions: BTreeMap<Vec<u8>, Vec<ObjectId>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (_, root) in self.commits()? {
            let mut todo = vec![(Vec::new(), root)];
            while let Some((path, id)) = todo.pop() {
                let Some(item) = self.items.get(&id).filter(|item| item.base().is_none()) else { continue };
                if !seen.insert(id) {
                    continue;
                }
                if item.header == Header::Tree {
                    let bytes = self.whole(&id)?;
                    for entry in gix::objs::TreeRefIter::from_bytes(&bytes, self.hash) {
                        let entry = entry.ok()?;
                        let id = entry.oid.to_owned();
                        if self.items.contains_key(&id) {
                            let name: &[u8] = entry.filename;
                            todo.push(([path.as_slice(), name, b"/"].concat(), id));
                        }
                    }
                }
                versions.entry(path).or_default().push(id);
            }
        }
        Some(versions)
    }

    /// Makes each object but the first a delta of another one, where that is shorter. Directories are only compared
    /// with versions of the same.
    fn shorten(&mut self, objects: &[ObjectId], of: Base) {
        let mut newer: Option<(ObjectId, Header, Vec<u8>)> = None;
        for id in objects.iter().take_while(|_| objects.len() > 1) {
            let header = self.items.get(id).map(|item| item.header);
            if of == Base::First && header != Some(Header::Blob) {
                continue;
            }
            let Some((header, bytes)) = self.items.get(id).map(|item| item.header).zip(self.whole(id)) else {
                return;
            };
            if let Some((base, kind, content)) = &newer
                && *kind == header
                && self.may_be_based_on(*id, *base)
            {
                let parts = match header {
                    Header::Tree => Parts::Entries(self.hash.len_in_bytes()),
                    Header::Blob | Header::Commit | Header::Tag => Parts::Lines,
                    Header::RefDelta { .. } | Header::OfsDelta { .. } => return,
                };
                if let Some(delta) = delta(parts, content, &bytes) {
                    self.deltas.insert(*id, (*base, delta));
                }
            }
            if newer.is_none() || of == Base::NextNewer {
                newer = Some((*id, header, bytes));
            }
        }
    }

    fn base(&self, id: &ObjectId) -> Option<ObjectId> {
        match self.deltas.get(id) {
            Some((base, _)) => Some(*base),
            None => self.items.get(id).and_then(Item::base),
        }
    }

    fn may_be_based_on(&self, id: ObjectId, base: ObjectId) -> bool {
        let mut chain = std::iter::successors(Some(base), |id| self.base(id)).take(CHAIN + 1);
        let length = chain.by_ref().take_while(|link| *link != id).count();
        length <= CHAIN && chain.next().is_none()
    }

    fn pack(&self) -> Result<Packed, GitError> {
        let mut pack = Pack::new(self.hash);
        for (id, item) in &self.items {
            match self.deltas.get(id) {
                Some((base, delta)) => pack.add_delta(*id, *base, delta)?,
                None => pack.add_deflated(*id, item.header, item.size, item.deflated)?,
            }
        }
        pack.finish()
    }
}
