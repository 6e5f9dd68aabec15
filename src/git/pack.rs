//! One small pack of new objects, as bytes: the pack and its index (git's formats: `gitformat-pack`, version 2 of each).
//!
//! Used by `durable` for a change and by `join` for many. gix writes packs only through its counting of whole
//! histories; its headers are used here. Deliberately absent: looking for deltas, which `join` and `git pack-objects`
//! do; and offsets that need more than 31 bits.

use gix::odb::pack::data;
use gix::zlib::stream::deflate::{Compress, FlushCompress};
use gix::zlib::{Compression, Status};

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::read::{from_gix, to_gix};
use crate::sys::fs::FsError;

/// What an index of version 2 begins with.
const INDEX_MAGIC: [u8; 8] = *b"\xfftOc\0\0\0\x02";
/// How an offset that needs a second table would be marked. Packs of ours are far from it.
const LARGE: u64 = 0x8000_0000;
/// From this size on an object is stored as it is: a large tree of ids hardly shrinks, the next change reads it again,
/// and it becomes a delta when packs are put together.
const STORED: usize = 8 * 1024;

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
    /// One for all objects: to make one costs more than what it does for a small object.
    compress: Compress,
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
        let compress = Compress::new(Compression::DEFAULT);
        Self { hash, bytes: vec![0; data::header::SIZE], items: Vec::new(), compress }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds an object that is not in it yet.
    pub(super) fn add(&mut self, id: &Oid, kind: gix::objs::Kind, content: &[u8]) -> Result<(), GitError> {
        let header = match kind {
            gix::objs::Kind::Blob => data::entry::Header::Blob,
            gix::objs::Kind::Tree => data::entry::Header::Tree,
            gix::objs::Kind::Commit => data::entry::Header::Commit,
            gix::objs::Kind::Tag => data::entry::Header::Tag,
        };
        self.add_plain(to_gix(id)?, header, content)
    }

    /// Adds an object as what makes it of `base`, which must get into the same pack.
    pub(super) fn add_delta(
        &mut self,
        id: gix::ObjectId,
        base: gix::ObjectId,
        delta: &[u8],
    ) -> Result<(), GitError> {
        self.add_plain(id, data::entry::Header::RefDelta { base_id: base }, delta)
    }

    /// Adds an object as it is in another pack.
    pub(super) fn add_deflated(
        &mut self,
        id: gix::ObjectId,
        header: data::entry::Header,
        size: u64,
        deflated: &[u8],
    ) -> Result<(), GitError> {
        self.entry(id, header, size, |_, bytes| {
            bytes.extend_from_slice(deflated);
            Ok(())
        })
    }

    fn add_plain(
        &mut self,
        id: gix::ObjectId,
        header: data::entry::Header,
        content: &[u8],
    ) -> Result<(), GitError> {
        let size = u64::try_from(content.len()).map_err(|_| too_large())?;
        self.entry(id, header, size, |compress, bytes| {
            if content.len() < STORED {
                deflate(compress, content, bytes)
            } else {
                store(content, bytes);
                Ok(())
            }
        })
    }

    fn entry(
        &mut self,
        id: gix::ObjectId,
        header: data::entry::Header,
        size: u64,
        write: impl FnOnce(&mut Compress, &mut Vec<u8>) -> std::io::Result<()>,
    ) -> Result<(), GitError> {
        let start = self.bytes.len();
        let offset = u32::try_from(start).ok().filter(|at| u64::from(*at) < LARGE);
        let offset = offset.ok_or_else(too_large)?;
        let begun = header.write_to(size, &mut self.bytes).map(drop);
        let written = begun.and_then(|()| write(&mut self.compress, &mut self.bytes));
        written.map_err(|source| FsError {
            action: "deflate an object for",
            path: "a new pack".into(),
            source,
        })?;
        let crc = crc32fast::hash(self.bytes.get(start..).unwrap_or_default());
        self.items.push(Item { id, offset, crc });
        Ok(())
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

/// Appends `content`, deflated, to `out`.
fn deflate(compress: &mut Compress, content: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
    compress.reset();
    let start = out.len();
    out.resize(start + content.len() + content.len() / 8 + 64, 0);
    loop {
        let (read, written) = (compress.total_in(), compress.total_out());
        let at = |total: u64| usize::try_from(total).map_err(std::io::Error::other);
        let (read, end) = (at(read)?, start + at(written)?);
        let (input, output) =
            (content.get(read..).unwrap_or_default(), out.get_mut(end..).unwrap_or_default());
        let status =
            compress.compress(input, output, FlushCompress::Finish).map_err(std::io::Error::other)?;
        if status == Status::StreamEnd {
            out.truncate(start + at(compress.total_out())?);
            return Ok(());
        }
        out.resize(out.len() + 64 + content.len() / 2, 0);
    }
}

/// Appends `content` to `out` as a zlib stream (RFC 1950) that is not deflated.
fn store(content: &[u8], out: &mut Vec<u8>) {
    /// How much one stored block can hold.
    const BLOCK: usize = u16::MAX as usize;
    out.extend_from_slice(&[0x78, 0x01]);
    let blocks = content.len().div_ceil(BLOCK);
    for (n, block) in content.chunks(BLOCK).enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(n + 1 == blocks));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&adler32(content).to_be_bytes());
}

/// The checksum of a zlib stream.
fn adler32(content: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    // So many bytes fit before the sums overflow.
    for chunk in content.chunks(5552) {
        for byte in chunk {
            a += u32::from(*byte);
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(stream: &[u8], size: usize) -> Vec<u8> {
        let mut out = vec![0; size];
        let (status, read, written) = gix::zlib::Inflate::default().once(stream, &mut out).unwrap();
        assert_eq!((status, read, written), (Status::StreamEnd, stream.len(), size));
        out
    }

    #[test]
    fn what_is_stored_or_deflated_inflates_to_itself() {
        let mut seed = 1_u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        };
        let mut compress = Compress::new(Compression::DEFAULT);
        for size in [1, 10, 100, 8191, 65535, 65536, 200_000] {
            let content: Vec<u8> = (0..size).map(|_| noise()).collect();
            let (mut stored, mut deflated) = (Vec::new(), Vec::new());
            store(&content, &mut stored);
            deflate(&mut compress, &content, &mut deflated).unwrap();
            assert_eq!(inflated(&stored, size), content);
            assert_eq!(inflated(&deflated, size), content);
        }
    }
}
