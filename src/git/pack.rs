//! One small pack of new objects, as bytes: the pack and its index (git's formats: `gitformat-pack`, version 2 of each).
//!
//! Written by `durable`. gix writes packs only through its counting of whole histories; its headers are used here.
//! Deliberately absent: deltas, which `git pack-objects` finds when small packs are put together.

use std::io::Write as _;

use gix::odb::pack::data;

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::read::{from_gix, to_gix};
use crate::sys::fs::FsError;

/// What an index of version 2 begins with.
const INDEX_MAGIC: [u8; 8] = *b"\xfftOc\0\0\0\x02";
/// How an offset that needs a second table would be marked. Packs of ours are far from it.
const LARGE: u64 = 0x8000_0000;

fn too_large() -> GitError {
    GitError::Malformed { path: "a new pack".into(), what: "it has more than 2 GiB".into() }
}

struct Item {
    id: gix::ObjectId,
    offset: u32,
    crc: u32,
}

/// A pack in the making.
pub(super) struct Pack {
    hash: gix::hash::Kind,
    bytes: Vec<u8>,
    items: Vec<Item>,
}

/// A pack that is complete.
pub(super) struct Packed {
    /// The checksum of the pack, which names it.
    pub(super) name: String,
    /// The `.pack` file.
    pub(super) pack: Vec<u8>,
    /// The `.idx` file.
    pub(super) index: Vec<u8>,
}

impl Pack {
    pub(super) fn new(hash: gix::hash::Kind) -> Self {
        Self { hash, bytes: vec![0; data::header::SIZE], items: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds an object that is not in it yet.
    pub(super) fn add(&mut self, id: &Oid, kind: gix::objs::Kind, content: &[u8]) -> Result<(), GitError> {
        let start = self.bytes.len();
        let offset = u32::try_from(start).ok().filter(|at| u64::from(*at) < LARGE);
        let offset = offset.ok_or_else(too_large)?;
        self.deflate(kind, content).map_err(|source| FsError {
            action: "deflate an object for",
            path: "a new pack".into(),
            source,
        })?;
        let crc = crc32fast::hash(self.bytes.get(start..).unwrap_or_default());
        self.items.push(Item { id: to_gix(id)?, offset, crc });
        Ok(())
    }

    fn deflate(&mut self, kind: gix::objs::Kind, content: &[u8]) -> std::io::Result<()> {
        let header = match kind {
            gix::objs::Kind::Blob => data::entry::Header::Blob,
            gix::objs::Kind::Tree => data::entry::Header::Tree,
            gix::objs::Kind::Commit => data::entry::Header::Commit,
            gix::objs::Kind::Tag => data::entry::Header::Tag,
        };
        let size = u64::try_from(content.len()).map_err(std::io::Error::other)?;
        header.write_to(size, &mut self.bytes)?;
        // What is kept is deflated again when packs are put together.
        let level = gix::zlib::Compression::BEST_SPEED;
        let mut deflate = gix::zlib::stream::deflate::Write::new(&mut self.bytes, level);
        deflate.write_all(content)?;
        deflate.flush()
    }

    /// Both files, with their checksums.
    pub(super) fn finish(mut self) -> Result<Packed, GitError> {
        let count = u32::try_from(self.items.len()).map_err(|_| too_large())?;
        let header = data::header::encode(data::Version::V2, count);
        for (to, from) in self.bytes.iter_mut().zip(header) {
            *to = from;
        }
        let checksum = self.sign(&self.bytes)?;
        self.bytes.extend_from_slice(checksum.as_slice());
        self.items.sort_by_key(|item| item.id);
        let index = self.index(&checksum)?;
        Ok(Packed { name: from_gix(&checksum).to_string(), pack: self.bytes, index })
    }

    fn index(&self, pack: &gix::ObjectId) -> Result<Vec<u8>, GitError> {
        let mut index = INDEX_MAGIC.to_vec();
        for first in 0..=u8::MAX {
            let up_to = self.items.partition_point(|item| item.id.first_byte() <= first);
            let up_to = u32::try_from(up_to).map_err(|_| too_large())?;
            index.extend_from_slice(&up_to.to_be_bytes());
        }
        let columns: [fn(&Item) -> Vec<u8>; 3] = [
            |item| item.id.as_slice().to_vec(),
            |item| item.crc.to_be_bytes().to_vec(),
            |item| item.offset.to_be_bytes().to_vec(),
        ];
        for column in columns {
            index.extend(self.items.iter().flat_map(column));
        }
        index.extend_from_slice(pack.as_slice());
        let checksum = self.sign(&index)?;
        index.extend_from_slice(checksum.as_slice());
        Ok(index)
    }

    fn sign(&self, bytes: &[u8]) -> Result<gix::ObjectId, GitError> {
        let mut hasher = gix::hash::hasher(self.hash);
        hasher.update(bytes);
        hasher.try_finalize().map_err(GitError::gix("hash a pack"))
    }
}
