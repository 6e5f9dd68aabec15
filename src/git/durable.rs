//! Writing objects so that they survive a power cut.
//!
//! A `Batch` writes under temporary names (`tmp_obj_orch*`, `pack/tmp_pack_orch*`, which `git prune` clears if we are
//! killed), then flushes each file, renames it to its place and flushes the directories. In this order a name never
//! stands for half an object: a truncated object that stood under its final name would be taken for written by
//! every later writer. gix's own writer renames without a flush.
//!
//! Objects of the state go into one small pack for each change: two files to flush however many objects. The pack has
//! a `.keep` before it has its index, so that the user's `git gc` neither counts nor prunes it; `packing` puts them
//! together. Objects of the user's history are written loose, as git does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::objs::FindExt as _;
use gix::objs::tree::EntryKind as GixEntryKind;

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::fresh::{Fresh, Known, Pending};
use crate::git::new_commit::NewCommit;
use crate::git::pack::{Pack, Packed};
use crate::git::read::{from_gix, to_gix};
use crate::git::repo::Repo;
use crate::sys::failpoint::{self, Point};
use crate::sys::fs::{self, Durability, FsError};

/// With more files than this, one flush of the whole file system is cheaper than one of each file.
const FLUSHED_ONE_BY_ONE: usize = 32;

/// What the `.keep` file of a pack of ours says.
pub(super) const KEEP: &str = "git-orch\n";

/// How the names of packs of ours begin while they are written.
pub(super) const TEMPORARY: &str = "tmp_pack_orch";

/// What kind of object to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A file's content.
    Blob,
    /// A directory.
    Tree,
    /// A commit.
    Commit,
}

impl Object {
    fn kind(self) -> gix::objs::Kind {
        match self {
            Self::Blob => gix::objs::Kind::Blob,
            Self::Tree => gix::objs::Kind::Tree,
            Self::Commit => gix::objs::Kind::Commit,
        }
    }
}

/// Objects that are being written; nothing is visible before `persist`.
#[must_use = "objects of a batch are dropped unless it is persisted"]
pub struct Batch<'r> {
    repo: &'r Repo,
    objects: PathBuf,
    to: To,
}

/// In which form the objects are written.
enum To {
    Loose(BTreeMap<Oid, tempfile::TempPath>),
    Pack(BTreeMap<Oid, Known>),
}

impl<'r> Batch<'r> {
    /// An empty batch of loose objects.
    pub fn new(repo: &'r Repo) -> Self {
        Self { repo, objects: repo.common_dir().join("objects"), to: To::Loose(BTreeMap::new()) }
    }

    /// An empty batch that becomes one pack of ours.
    pub fn packed(repo: &'r Repo) -> Self {
        Self { to: To::Pack(BTreeMap::new()), ..Self::new(repo) }
    }

    /// Adds an object; returns its id. A loose one that the repository has already is not written again; in a pack it
    /// does no harm, and looking for it costs more.
    pub fn add(&mut self, object: Object, bytes: &[u8]) -> Result<Oid, GitError> {
        let id = gix::objs::compute_hash(self.repo.gix.object_hash(), object.kind(), bytes)
            .map_err(GitError::gix("hash an object"))?;
        let oid = from_gix(&id);
        match &mut self.to {
            To::Pack(known) => {
                known.entry(oid.clone()).or_insert_with(|| (object.kind(), Arc::from(bytes)));
            }
            To::Loose(written) => {
                if !written.contains_key(&oid) && !self.repo.has_object(&oid) {
                    let file = write_loose(self.repo, &self.objects, object, bytes).map_err(|source| {
                        FsError { action: "write an object in", path: self.objects.clone(), source }
                    })?;
                    written.insert(oid.clone(), file);
                }
            }
        }
        Ok(oid)
    }

    /// The tree that `root` (None: the empty tree) becomes by `edits`: path to blob, or None to remove.
    pub fn edit_tree(
        &mut self,
        root: Option<&Oid>,
        edits: &BTreeMap<String, Option<Oid>>,
    ) -> Result<Oid, GitError> {
        let fresh = &self.repo.fresh;
        let (id, trees) = self.repo.past_packing(|gix| edited(&Objects { fresh, gix }, root, edits))?;
        for bytes in trees {
            self.add(Object::Tree, &bytes)?;
        }
        Ok(from_gix(&id))
    }

    /// Adds a commit.
    pub fn commit(&mut self, commit: &NewCommit) -> Result<Oid, GitError> {
        let bytes = commit.encode()?;
        self.add(Object::Commit, &bytes)
    }

    /// Moves everything to its place. With `Durability::Commit` all of it survives a power cut after this.
    pub fn persist(self, durability: Durability) -> Result<(), GitError> {
        match self.to {
            To::Loose(written) => persist_loose(&self.objects, written, durability),
            To::Pack(objects) => self.repo.persist(&[self.repo.fresh.pend(objects)], durability),
        }
    }

    /// Lets this process read what is in a batch of a pack, before it is written together with others.
    pub fn pend(self) -> Result<Pending, GitError> {
        match self.to {
            To::Pack(objects) => Ok(self.repo.fresh.pend(objects)),
            To::Loose(_) => {
                let fresh = self.repo.fresh.clone();
                self.persist(Durability::None)?;
                Ok(fresh.pend(BTreeMap::new()))
            }
        }
    }
}

/// The repository's objects, first those that were written last.
struct Objects<'a> {
    fresh: &'a Fresh,
    gix: &'a gix::Repository,
}

impl gix::objs::Find for Objects<'_> {
    fn try_find<'a>(
        &self,
        id: &gix::oid,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Option<gix::objs::Data<'a>>, gix::Error> {
        let Some((kind, bytes)) = self.fresh.get(&from_gix(id)) else {
            return self.gix.objects.try_find(id, buffer);
        };
        buffer.clear();
        buffer.extend_from_slice(&bytes);
        Ok(Some(gix::objs::Data { kind, object_hash: self.gix.object_hash(), data: buffer }))
    }
}

/// The id of the tree that `root` becomes by `edits`, and the bytes of all trees that are new.
fn edited(
    objects: &Objects<'_>,
    root: Option<&Oid>,
    edits: &BTreeMap<String, Option<Oid>>,
) -> Result<(gix::ObjectId, Vec<Vec<u8>>), GitError> {
    let base = match root {
        Some(oid) => {
            let mut buffer = Vec::new();
            let found = objects.find_tree(&to_gix(oid)?, &mut buffer);
            found.map_err(GitError::gix(format!("read tree {oid}")))?.into()
        }
        None => gix::objs::Tree::empty(),
    };
    let hash = objects.gix.object_hash();
    let mut editor = gix::objs::tree::Editor::new(base, objects, hash);
    for (path, blob) in edits {
        let parts = path.split('/');
        let edited = match blob {
            Some(oid) => editor.upsert(parts, GixEntryKind::Blob, to_gix(oid)?),
            None => editor.remove(parts),
        };
        edited.map_err(GitError::gix(format!("edit the tree at {path}")))?;
    }
    let mut trees = Vec::new();
    let id = editor.write(|tree| -> Result<gix::ObjectId, GitError> {
        let mut bytes = Vec::new();
        gix::objs::WriteTo::write_to(tree, &mut bytes).map_err(|source| FsError {
            action: "encode",
            path: PathBuf::from("a tree"),
            source: std::io::Error::other(source.to_string()),
        })?;
        let id = gix::objs::compute_hash(hash, gix::objs::Kind::Tree, &bytes)
            .map_err(GitError::gix("hash a tree"))?;
        trees.push(bytes);
        Ok(id)
    })?;
    Ok((id, trees))
}

/// A temporary file with the object as git stores it loose: a header and the bytes, deflated.
fn write_loose(
    repo: &Repo,
    objects: &Path,
    object: Object,
    bytes: &[u8],
) -> std::io::Result<tempfile::TempPath> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o444);
    let file = tempfile::Builder::new().prefix("tmp_obj_orch").permissions(mode).tempfile_in(objects)?;
    let size = u64::try_from(bytes.len()).map_err(std::io::Error::other)?;
    let header = gix::objs::encode::loose_header(object.kind(), size);
    let mut deflate = gix::zlib::stream::deflate::Write::new(file, repo.gix.loose_compression());
    deflate.write_all(&header)?;
    deflate.write_all(bytes)?;
    deflate.flush()?;
    Ok(deflate.into_inner().into_temp_path())
}

fn persist_loose(
    objects: &Path,
    written: BTreeMap<Oid, tempfile::TempPath>,
    durability: Durability,
) -> Result<(), GitError> {
    // Flushing a few files one by one spares the rest of the file system; thousands are flushed together.
    let together = durability == Durability::Commit && written.len() > FLUSHED_ONE_BY_ONE;
    if together {
        fs::sync_file_system(objects)?;
    }
    let one_by_one = durability == Durability::Commit && !together;
    if one_by_one {
        let files: Vec<&Path> = written.values().map(AsRef::as_ref).collect();
        fs::sync_all(&files)?;
    }
    let mut dirs = BTreeSet::new();
    for (oid, file) in written {
        let (shard, rest) = oid.as_str().split_at(2);
        let dir = objects.join(shard);
        if !fs::exists(&dir) {
            fs::create_dir_all(&dir)?;
            dirs.insert(objects.to_owned());
        }
        let to = dir.join(rest);
        file.persist(&to).map_err(|e| FsError { action: "write", path: to, source: e.error })?;
        dirs.insert(dir);
    }
    if together {
        fs::sync_file_system(objects)?;
    } else if one_by_one {
        let dirs: Vec<&Path> = dirs.iter().map(PathBuf::as_path).collect();
        fs::sync_all(&dirs)?;
    }
    Ok(())
}

impl Repo {
    /// Writes objects as one pack of ours. With `Durability::Commit` all of it survives a power cut after this.
    pub fn persist<'p>(
        &self,
        pending: impl IntoIterator<Item = &'p Pending>,
        durability: Durability,
    ) -> Result<(), GitError> {
        let mut pack = Pack::new(self.gix.object_hash());
        let mut known = BTreeMap::new();
        for (oid, object) in pending.into_iter().flat_map(|pending| &pending.objects) {
            if known.insert(oid.clone(), object.clone()).is_none() {
                pack.add(oid, object.0, &object.1)?;
            }
        }
        if !pack.is_empty() {
            self.persist_pack(&pack.finish()?, durability)?;
            self.fresh.keep(known.into_iter().collect());
        }
        Ok(())
    }

    pub(super) fn pack_dir(&self) -> PathBuf {
        self.common_dir().join("objects/pack")
    }

    /// Puts a pack, what keeps it, and last its index in their place: with that it is visible.
    pub(super) fn persist_pack(&self, packed: &Packed, durability: Durability) -> Result<(), GitError> {
        let dir = self.pack_dir();
        fs::create_dir_all(&dir)?;
        let pack = write_temporary(&dir, &packed.pack)?;
        let index = write_temporary(&dir, &packed.index)?;
        failpoint::at(Point::PackWritten);
        if durability == Durability::Commit {
            fs::sync_all(&[&pack, &index])?;
        }
        failpoint::at(Point::PackFlushed);
        let named = |suffix: &str| dir.join(format!("pack-{}.{suffix}", packed.name));
        self.keep_pack(&named("keep"))?;
        failpoint::at(Point::PackKept);
        for (file, suffix, done) in [(pack, "pack", Point::PackNamed), (index, "idx", Point::PackIndexed)] {
            let to = named(suffix);
            file.persist(&to).map_err(|e| FsError { action: "write", path: to, source: e.error })?;
            failpoint::at(done);
        }
        if durability == Durability::Commit {
            fs::sync_dir(&dir)?;
        }
        failpoint::at(Point::PackDurable);
        Ok(())
    }

    /// Makes the file that keeps a pack, whole at once: one that does not say whose it is would be kept for ever. All
    /// are names of one file, which is cheaper than a file for each.
    pub(super) fn keep_pack(&self, keep: &Path) -> Result<(), FsError> {
        let one = self.orch_dir().join("keep");
        if !fs::exists(&one) {
            fs::create_dir_all(&self.orch_dir())?;
            fs::publish_new(&one, KEEP.as_bytes(), 0o444)?;
        }
        match fs::link(&one, keep) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            // Another file system, or one without links.
            Err(_) => fs::write_atomic(keep, KEEP.as_bytes(), 0o444, Durability::None),
            Ok(()) => Ok(()),
        }
    }
}

fn write_temporary(dir: &Path, bytes: &[u8]) -> Result<tempfile::TempPath, FsError> {
    let write = || {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o444);
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).permissions(mode).tempfile_in(dir)?;
        file.write_all(bytes)?;
        Ok(file.into_temp_path())
    };
    write().map_err(|source| FsError { action: "write a pack in", path: dir.to_owned(), source })
}
