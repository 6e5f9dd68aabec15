//! What was unpacked, kept for those who read most of a pack: its objects are stored as differences to one another,
//! and without it each is made anew from the first one.

use std::collections::BTreeMap;

use gix::objs::Kind;
use gix::odb::pack::cache::DecodeEntry;

use crate::git::repo::Repo;

/// How much is kept. More than this is forgotten all at once: what is needed next is soon there again.
const BYTES: usize = 32 * 1024 * 1024;

struct Object {
    kind: Kind,
    compressed: usize,
    data: Box<[u8]>,
}

#[derive(Default)]
struct Unpacked {
    /// By pack and offset.
    objects: BTreeMap<(u32, u64), Object>,
    bytes: usize,
}

impl DecodeEntry for Unpacked {
    fn put(&mut self, pack: u32, offset: u64, data: &[u8], kind: Kind, compressed: usize) {
        if data.len() > BYTES / 16 {
            return;
        }
        if self.bytes + data.len() > BYTES {
            *self = Self::default();
        }
        let object = Object { kind, compressed, data: data.into() };
        if self.objects.insert((pack, offset), object).is_none() {
            self.bytes += data.len();
        }
    }

    fn get(&mut self, pack: u32, offset: u64, out: &mut Vec<u8>) -> Option<(Kind, usize)> {
        let object = self.objects.get(&(pack, offset))?;
        out.clear();
        out.extend_from_slice(&object.data);
        Some((object.kind, object.compressed))
    }
}

impl Repo {
    /// The same, for one who reads most of what there is.
    #[must_use]
    pub fn for_reading_all(mut self) -> Self {
        self.gix.objects.set_pack_cache(|| Box::new(Unpacked::default()));
        self
    }
}
