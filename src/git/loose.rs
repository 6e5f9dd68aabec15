//! Objects that lie in files of their own, read by three system calls each.
//!
//! A tree of thousands of directories that was committed lately is as many such files. The object database maps each into
//! memory, asks for its size twice, and makes a decompressor for it; here all of that is had once. What is not such a file,
//! is larger than most, or is odd in any way is left to the object database, which says what is wrong with it.
//! Deliberately absent: keeping them, which `fresh` does.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::zlib::{Inflate, Status};

use crate::domain::oid::Oid;
use crate::git::fresh::Known;
use crate::sys::fs;

/// Larger files, and what is larger when it is inflated, are not read here.
const FILE: usize = 64 << 10;
const OBJECT: usize = 256 << 10;

/// After a miss, at most so many objects are not looked for: where all are in packs, looking costs next to nothing.
const MOST_PASSED: u32 = 64;

/// The objects of a repository that lie in files of their own.
pub(super) struct Loose {
    objects: PathBuf,
    /// So many objects are not looked for, and so many after the next miss.
    passed: Cell<u32>,
    pause: Cell<u32>,
    room: RefCell<Option<Room>>,
}

/// What reading needs, made for the first object.
struct Room {
    inflate: Inflate,
    file: Vec<u8>,
    object: Vec<u8>,
}

impl std::fmt::Debug for Loose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loose").field("objects", &self.objects).finish_non_exhaustive()
    }
}

impl Clone for Loose {
    fn clone(&self) -> Self {
        Self::below(self.objects.clone())
    }
}

impl Loose {
    /// Those of the repository with this common directory.
    pub(super) fn of(common_dir: &Path) -> Self {
        Self::below(common_dir.join("objects"))
    }

    fn below(objects: PathBuf) -> Self {
        Self { objects, passed: Cell::new(0), pause: Cell::new(1), room: RefCell::default() }
    }

    /// The object; None where it has to be asked for elsewhere.
    pub(super) fn read(&self, oid: &Oid) -> Option<Known> {
        if let Some(left) = self.passed.get().checked_sub(1) {
            self.passed.set(left);
            return None;
        }
        let found = self.look(oid);
        let pause = self.pause.get();
        match &found {
            Some(_) => self.pause.set(1),
            None => {
                self.passed.set(pause);
                self.pause.set((pause * 2).min(MOST_PASSED));
            }
        }
        found
    }

    fn look(&self, oid: &Oid) -> Option<Known> {
        let mut room = self.room.borrow_mut();
        let Room { inflate, file, object } = room.get_or_insert_with(|| Room {
            inflate: Inflate::default(),
            file: vec![0; FILE],
            object: vec![0; OBJECT],
        });
        let (dir, name) = oid.as_str().split_at_checked(2)?;
        let read = fs::read_beginning(&self.objects.join(dir).join(name), file).ok()?;
        inflate.reset();
        // The end of the stream has a checksum: what comes to it is whole.
        let (status, _, written) = inflate.once(file.get(..read)?, object).ok()?;
        let object = object.get(..written).filter(|_| status == Status::StreamEnd)?;
        let (kind, size, begins) = gix::objs::decode::loose_header(object).ok()?;
        let content = object.get(begins..)?;
        (usize::try_from(size).ok()? == content.len()).then(|| (kind, Arc::from(content)))
    }
}

#[cfg(test)]
mod tests {
    use gix::objs::Kind;

    use super::*;
    use crate::git::world::World;

    #[test]
    fn it_reads_what_the_database_reads_and_leaves_the_rest_to_it() {
        for format in ["sha1", "sha256"] {
            let world = World::new(format);
            world.write("small", "one\n");
            world.write("empty", "");
            world.write("large", "x".repeat(OBJECT));
            world.write("dir/below", "two\n");
            let commit = world.commit();
            let repo = world.repo();
            let at = |path: &str| repo.entry_at(&repo.tree_of(&commit).unwrap(), path).unwrap().unwrap().oid;
            let read = |oid: &Oid| Loose::of(repo.common_dir()).read(oid);
            assert_eq!(read(&at("small")), Some((Kind::Blob, Arc::from(*b"one\n"))), "{format}");
            assert_eq!(read(&at("empty")), Some((Kind::Blob, Arc::default())));
            assert_eq!(read(&at("dir")).unwrap().0, Kind::Tree);
            assert_eq!(read(&commit).unwrap().0, Kind::Commit);
            assert_eq!(read(&at("large")), None);
            assert_eq!(repo.blob(&at("large")).unwrap().len(), OBJECT);

            let damaged = at("small");
            let (dir, name) = damaged.as_str().split_at(2);
            let file = repo.common_dir().join("objects").join(dir).join(name);
            let mut bytes = fs::read(&file).unwrap();
            bytes.truncate(bytes.len() - 1);
            fs::remove_file(&file).unwrap();
            fs::write_new(&file, &bytes, 0o444).unwrap();
            assert_eq!(read(&damaged), None);
        }
    }

    #[test]
    fn where_all_are_in_packs_few_are_looked_for() {
        let world = World::new("sha1");
        world.write("a", "a");
        let commit = world.commit();
        let (nothing, loose) = (Oid::parse(&"1".repeat(40)).unwrap(), Loose::of(world.repo().common_dir()));
        assert!(loose.read(&nothing).is_none());
        assert!(loose.read(&commit).is_none() && loose.read(&commit).is_some(), "one is passed over");
        for _ in 0..1000 {
            assert!(loose.read(&nothing).is_none());
        }
        let passed = (0..=MOST_PASSED).take_while(|_| loose.read(&commit).is_none()).count();
        assert!((2..=MOST_PASSED as usize).contains(&passed), "{passed}");
        assert!(loose.read(&commit).is_some(), "they are looked for again");
    }

    #[test]
    fn what_was_read_is_kept() {
        let world = World::new("sha1");
        world.write("a", "one\n");
        let commit = world.commit();
        let repo = world.repo();
        let tree = repo.tree_of(&commit).unwrap();
        let first = repo.entry_at(&tree, "a").unwrap();
        fs::remove_dir_all(&repo.common_dir().join("objects")).unwrap();
        assert_eq!(repo.entry_at(&tree, "a").unwrap(), first);
    }
}
