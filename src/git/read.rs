//! Reading objects: blobs, trees, commits, and the difference of two trees.

use std::collections::BTreeSet;
use std::sync::Arc;

use gix::objs::tree::EntryMode;
use gix::prelude::ObjectIdExt as _;

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::repo::Repo;

/// What a tree's entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Tree,
    /// A file.
    Blob,
    /// A commit of another repository.
    Submodule,
    /// A symbolic link, or a mode that git does not write.
    Other,
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as bytes: a tree is hostile input.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Whether it is a file that may be executed.
    pub executable: bool,
    /// The object.
    pub oid: Oid,
}

/// What of a commit is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its tree.
    pub tree: Oid,
    /// Its parents, first parent first.
    pub parents: Vec<Oid>,
    /// Its whole message; bytes that are not UTF-8 become U+FFFD.
    pub message: String,
    /// The committer's time, in seconds since the epoch.
    pub seconds: i64,
}

/// A path at which two trees differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeChange {
    /// The path from the root, with `/`.
    pub path: String,
    /// What is there in the first tree; None if there is nothing, or a directory.
    pub old: Option<Entry>,
    /// What is there in the second tree, a link or a submodule included; None if there is nothing, or a directory.
    pub new: Option<Entry>,
}

pub(crate) fn to_gix(oid: &Oid) -> Result<gix::ObjectId, GitError> {
    gix::ObjectId::from_hex(oid.as_str().as_bytes()).map_err(GitError::gix(format!("read the id {oid}")))
}

pub(crate) fn from_gix(id: &gix::oid) -> Oid {
    Oid::parse(&id.to_string()).expect("an object id that exists is not zero")
}

/// How deep trees may be nested: the recursion over them is as deep, and a tree is hostile input.
const MAX_DEPTH: usize = 256;

fn kind_of(mode: EntryMode) -> EntryKind {
    if mode.is_tree() {
        EntryKind::Tree
    } else if mode.is_blob() {
        EntryKind::Blob
    } else if mode.is_commit() {
        EntryKind::Submodule
    } else {
        EntryKind::Other
    }
}

/// An entry as it lies in its tree's bytes. Trees have thousands: only what is asked for is copied.
type Borrowed<'a> = gix::objs::tree::EntryRef<'a>;

fn owned(entry: Borrowed<'_>) -> Entry {
    Entry {
        name: entry.filename.to_vec(),
        kind: kind_of(entry.mode),
        executable: entry.mode.is_executable(),
        oid: from_gix(entry.oid),
    }
}

fn corrupt_tree(oid: &Oid) -> GitError {
    GitError::Corrupt { oid: oid.to_string(), kind: "tree" }
}

/// The entries of the tree `oid`, in git's order.
fn entries<'a>(oid: &Oid, object: &'a Found) -> Result<Vec<Borrowed<'a>>, GitError> {
    iterate(oid, object).collect()
}

fn iterate<'a>(oid: &Oid, object: &'a Found) -> impl Iterator<Item = Result<Borrowed<'a>, GitError>> {
    let hash = match oid.as_str().len() {
        64 => gix::hash::Kind::Sha256,
        _ => gix::hash::Kind::Sha1,
    };
    let entries = gix::objs::TreeRefIter::from_bytes(&object.data, hash);
    entries.map(move |entry| entry.map_err(|_| corrupt_tree(oid)))
}

/// The entries of a tree (None: of none) by name, each name once: the last of a name that stands twice.
fn by_name<'a>(tree: Option<(&Oid, &'a Found)>) -> Result<Vec<Borrowed<'a>>, GitError> {
    let Some((oid, object)) = tree else { return Ok(Vec::new()) };
    let mut entries = entries(oid, object)?;
    entries.reverse();
    entries.sort_by_key(|entry| entry.filename);
    entries.dedup_by_key(|entry| entry.filename);
    Ok(entries)
}

/// What is looked for in two trees, and what was found.
struct Walk {
    /// How many names a path may have.
    depth: usize,
    /// The directories that were met, if that matters.
    strict: Option<BTreeSet<Oid>>,
    found: Vec<TreeChange>,
}

/// Whether the entries are in git's order, each name once.
fn in_order(entries: &[Borrowed<'_>]) -> bool {
    let unique: BTreeSet<&[u8]> = entries.iter().map(|entry| &**entry.filename).collect();
    unique.len() == entries.len() && entries.is_sorted_by(|one, two| one.cmp(two).is_lt())
}

/// The names whose entries differ, with both, of two lists by name.
fn different<'a>(
    old: &[Borrowed<'a>],
    new: &[Borrowed<'a>],
) -> Vec<(&'a [u8], Option<Borrowed<'a>>, Option<Borrowed<'a>>)> {
    let (mut old, mut new) = (old.iter().copied().peekable(), new.iter().copied().peekable());
    let mut found = Vec::new();
    loop {
        let (before, after) = match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some(b), Some(a)) if b.filename == a.filename => (old.next(), new.next()),
            (Some(b), a) if a.is_none_or(|a| b.filename < a.filename) => (old.next(), None),
            (_, _) => (None, new.next()),
        };
        let content = |entry: Option<Borrowed<'a>>| entry.map(|e| (e.mode, e.oid));
        if content(before) != content(after)
            && let Some(named) = before.or(after)
        {
            let name: &[u8] = named.filename;
            found.push((name, before, after));
        }
    }
}

/// An object's bytes, of its own or of those that are kept.
enum Bytes {
    Read(Vec<u8>),
    Kept(Arc<[u8]>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Read(bytes) => bytes,
            Self::Kept(bytes) => bytes,
        }
    }
}

/// An object as it was found.
struct Found {
    kind: gix::objs::Kind,
    data: Bytes,
}

impl Repo {
    fn object(&self, oid: &Oid) -> Result<Found, GitError> {
        if let Some((kind, bytes)) = self.fresh.get(oid) {
            return Ok(Found { kind, data: Bytes::Kept(bytes) });
        }
        if let Some((kind, bytes)) = self.loose.read(oid) {
            self.fresh.keep(vec![(oid.clone(), (kind, Arc::clone(&bytes)))]);
            return Ok(Found { kind, data: Bytes::Kept(bytes) });
        }
        let id = to_gix(oid)?;
        self.past_packing(|gix| {
            let found = gix.try_find_object(id).map_err(GitError::gix(format!("read object {oid}")))?;
            let object = found.ok_or_else(|| GitError::Missing { oid: oid.to_string() })?.detach();
            Ok(Found { kind: object.kind, data: Bytes::Read(object.data) })
        })
    }

    /// Whether the object is one of a change that is being made, and not written yet.
    pub fn is_pending(&self, oid: &Oid) -> bool {
        self.fresh.is_pending(oid)
    }

    /// Whether the object is here.
    pub fn has_object(&self, oid: &Oid) -> bool {
        let Ok(id) = to_gix(oid) else { return false };
        let missing = || GitError::Missing { oid: oid.to_string() };
        self.past_packing(|gix| if gix.has_object(id) { Ok(()) } else { Err(missing()) }).is_ok()
    }

    /// A blob's bytes.
    pub fn blob(&self, oid: &Oid) -> Result<Vec<u8>, GitError> {
        let object = self.object(oid)?;
        if object.kind == gix::objs::Kind::Blob {
            Ok(match object.data {
                Bytes::Read(bytes) => bytes,
                Bytes::Kept(bytes) => bytes.to_vec(),
            })
        } else {
            Err(GitError::Corrupt { oid: oid.to_string(), kind: "blob" })
        }
    }

    /// As `blob_within`, kept in memory: it will be asked for again.
    pub fn blob_kept(&self, oid: &Oid, limit: usize) -> Result<Result<Vec<u8>, u64>, GitError> {
        let found = self.blob_within(oid, limit)?;
        if let Ok(bytes) = &found
            && self.fresh.get(oid).is_none()
        {
            self.fresh.keep(vec![(oid.clone(), (gix::objs::Kind::Blob, Arc::from(bytes.as_slice())))]);
        }
        Ok(found)
    }

    /// The bytes of a blob that has at most `limit`; else how many it has. A larger one is not read.
    pub fn blob_within(&self, oid: &Oid, limit: usize) -> Result<Result<Vec<u8>, u64>, GitError> {
        let id = to_gix(oid)?;
        let size = match self.fresh.get(oid) {
            Some((_, bytes)) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            None => self.past_packing(|gix| {
                let found = gix.try_find_header(id).map_err(GitError::gix(format!("read object {oid}")))?;
                found.map(|header| header.size()).ok_or_else(|| GitError::Missing { oid: oid.to_string() })
            })?,
        };
        if usize::try_from(size).is_ok_and(|size| size <= limit) {
            self.blob(oid).map(Ok)
        } else {
            Ok(Err(size))
        }
    }

    /// A tree's entries, in git's order.
    pub fn tree(&self, oid: &Oid) -> Result<Vec<Entry>, GitError> {
        Ok(entries(oid, &self.tree_object(oid)?)?.into_iter().map(owned).collect())
    }

    /// The directories in a tree, and whether it has something else that is no file: a link, a submodule. Of large trees
    /// that is much less than `tree` copies.
    pub fn directories(&self, oid: &Oid) -> Result<(Vec<Oid>, bool), GitError> {
        let object = self.tree_object(oid)?;
        let (mut directories, mut other) = (Vec::new(), false);
        for entry in iterate(oid, &object) {
            let entry = entry?;
            match kind_of(entry.mode) {
                EntryKind::Tree => directories.push(from_gix(entry.oid)),
                EntryKind::Submodule | EntryKind::Other => other = true,
                EntryKind::Blob => {}
            }
        }
        Ok((directories, other))
    }

    fn tree_object(&self, oid: &Oid) -> Result<Found, GitError> {
        let object = self.object(oid)?;
        if object.kind == gix::objs::Kind::Tree { Ok(object) } else { Err(corrupt_tree(oid)) }
    }

    /// A commit's tree, parents and message.
    pub fn commit(&self, oid: &Oid) -> Result<CommitInfo, GitError> {
        let corrupt = || GitError::Corrupt { oid: oid.to_string(), kind: "commit" };
        let object = self.object(oid)?;
        if object.kind != gix::objs::Kind::Commit {
            return Err(corrupt());
        }
        let hash = self.gix.object_hash();
        let decoded = gix::objs::CommitRef::from_bytes(&object.data, hash).map_err(|_| corrupt())?;
        let committer = decoded.committer().map_err(|_| corrupt())?;
        Ok(CommitInfo {
            tree: from_gix(&decoded.tree()),
            parents: decoded.parents().map(|id| from_gix(&id)).collect(),
            message: decoded.message.to_string(),
            seconds: committer.seconds(),
        })
    }

    /// The tree of a commit, or the tree itself. The rest of the commit is not looked at: the message of a state
    /// commit may have a line for each of thousands of changes.
    pub fn tree_of(&self, oid: &Oid) -> Result<Oid, GitError> {
        let object = self.object(oid)?;
        if object.kind == gix::objs::Kind::Tree {
            return Ok(oid.clone());
        }
        let corrupt = |_| GitError::Corrupt { oid: oid.to_string(), kind: "commit" };
        let mut lines = gix::objs::CommitRefIter::from_bytes(&object.data, self.gix.object_hash());
        lines.tree_id().map(|id| from_gix(&id)).map_err(corrupt)
    }

    /// The tree of nothing, which git knows without having it.
    pub fn empty_tree(&self) -> Oid {
        from_gix(&gix::ObjectId::empty_tree(self.gix.object_hash()))
    }

    /// A commit's first parent; None for a root. The message is not looked at.
    pub fn first_parent(&self, oid: &Oid) -> Result<Option<Oid>, GitError> {
        let object = self.object(oid)?;
        let mut parents =
            gix::objs::CommitRefIter::from_bytes(&object.data, self.gix.object_hash()).parent_ids();
        Ok(parents.next().map(|id| from_gix(&id)))
    }

    /// The entry at `path` (with `/`) below `tree`; None if there is none.
    pub fn entry_at(&self, tree: &Oid, path: &str) -> Result<Option<Entry>, GitError> {
        let mut at = tree.clone();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let object = self.tree_object(&at)?;
            let is_it = |e: &Result<Borrowed<'_>, _>| e.as_ref().map_or(true, |e| e.filename == part);
            let found = iterate(&at, &object).find(is_it).transpose()?;
            let Some(entry) = found.map(owned) else { return Ok(None) };
            if parts.peek().is_none() {
                return Ok(Some(entry));
            }
            if entry.kind != EntryKind::Tree {
                return Ok(None);
            }
            at = entry.oid;
        }
        Ok(None)
    }

    /// The file at `path` below `tree`, as bytes; None if there is none.
    pub fn file_at(&self, tree: &Oid, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        match self.entry_at(tree, path)? {
            Some(entry) if entry.kind == EntryKind::Blob => Ok(Some(self.blob(&entry.oid)?)),
            Some(_) | None => Ok(None),
        }
    }

    /// Whether `ancestor` is reachable from `tip`.
    pub fn is_ancestor(&self, ancestor: &Oid, tip: &Oid) -> Result<bool, GitError> {
        Ok(ancestor == tip || self.merge_base(ancestor, tip)?.as_ref() == Some(ancestor))
    }

    /// The best common ancestor; None for unrelated histories.
    ///
    /// Costs a `git` process unless one of the two is the answer. gix is believed only then: among commits of the
    /// same second it takes an older common ancestor for the best one, or misses that one contains the other.
    pub fn merge_base(&self, one: &Oid, two: &Oid) -> Result<Option<Oid>, GitError> {
        let (from, to) = (to_gix(one)?, to_gix(two)?);
        let base = self.past_packing(|gix| {
            let found = gix.merge_base(from, to);
            let found = found.map_err(GitError::gix(format!("find the merge base of {one} and {two}")))?;
            Ok(found.map(|id| from_gix(id.as_ref())))
        })?;
        if base.as_ref().is_some_and(|base| base == one || base == two) {
            return Ok(base);
        }
        let output = self.git(["merge-base", one.as_str(), two.as_str()]).run()?;
        if output.status.code() == Some(1) && output.stdout.is_empty() {
            return Ok(None);
        }
        let text = output.checked()?.text();
        Ok(Some(Oid::parse(text.lines().next().unwrap_or_default())?))
    }

    /// The paths at which `new` differs from `old` (None: from nothing), by content or mode.
    ///
    /// Equal subtrees are not opened: the cost is in the number of changed directories. A tree that is nested
    /// deeper than any that git makes is refused.
    pub fn tree_changes(&self, old: Option<&Oid>, new: Option<&Oid>) -> Result<Vec<TreeChange>, GitError> {
        let mut walk = Walk { depth: MAX_DEPTH, strict: None, found: Vec::new() };
        self.collect_changes("", old, new, &mut walk)?;
        Ok(walk.found)
    }

    /// The same for a tree that somebody may have made to do harm: refused are names that are not in git's order or stand
    /// twice, paths of more than `depth` names, and a directory that stands at two places, by which a few objects make
    /// millions of paths.
    pub fn tree_changes_strictly(
        &self,
        old: Option<&Oid>,
        new: &Oid,
        depth: usize,
    ) -> Result<Vec<TreeChange>, GitError> {
        let mut walk = Walk { depth, strict: Some(BTreeSet::new()), found: Vec::new() };
        self.collect_changes("", old, Some(new), &mut walk)?;
        Ok(walk.found)
    }

    fn collect_changes(
        &self,
        prefix: &str,
        old: Option<&Oid>,
        new: Option<&Oid>,
        walk: &mut Walk,
    ) -> Result<(), GitError> {
        if old == new {
            return Ok(());
        }
        let object = |tree: Option<&Oid>| tree.map(|oid| self.tree_object(oid)).transpose();
        let (old_object, new_object) = (object(old)?, object(new)?);
        if let (Some(seen), Some((oid, object))) = (&mut walk.strict, new.zip(new_object.as_ref())) {
            let malformed = |what: &str| GitError::Malformed { path: prefix.into(), what: what.to_owned() };
            if !seen.insert(oid.clone()) {
                return Err(malformed("the same directory stands at another place, too"));
            }
            if !in_order(&entries(oid, object)?) {
                return Err(malformed("its names are not in order, or one stands twice"));
            }
        }
        let before = by_name(old.zip(old_object.as_ref()))?;
        let after = by_name(new.zip(new_object.as_ref()))?;
        for (name, before, after) in different(&before, &after) {
            let (before, after) = (before.map(owned), after.map(owned));
            let path = format!("{prefix}{}", String::from_utf8_lossy(name));
            if path.matches('/').count() >= walk.depth {
                let what = format!("it is nested more than {} levels deep", walk.depth);
                return Err(GitError::Malformed { path: prefix.into(), what });
            }
            let is_tree = |entry: &&Entry| entry.kind == EntryKind::Tree;
            let tree = |entry: &Option<Entry>| entry.as_ref().filter(is_tree).map(|e| e.oid.clone());
            let (tree_before, tree_after) = (tree(&before), tree(&after));
            if tree_before.is_some() || tree_after.is_some() {
                self.collect_changes(&format!("{path}/"), tree_before.as_ref(), tree_after.as_ref(), walk)?;
            }
            let (before, after) = (before.filter(|e| !is_tree(&e)), after.filter(|e| !is_tree(&e)));
            if before != after {
                walk.found.push(TreeChange { path, old: before, new: after });
            }
        }
        Ok(())
    }

    /// The shortest unique form of an id, for people.
    pub fn abbreviate(&self, oid: &Oid) -> String {
        let Ok(id) = to_gix(oid) else { return oid.short().to_owned() };
        id.attach(&self.reader.borrow()).shorten_or_id().to_string()
    }
}
