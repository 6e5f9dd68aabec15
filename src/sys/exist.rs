//! A lock by existence, as git makes them (`<file>.lock`), that does not outlive its process.
//!
//! git's protocol is that whoever makes the file first has the lock; a process that is killed leaves it behind
//! and locks everybody out. Ours has a signature in it and is held by the kernel (`flock`) from before it has its
//! name: one that is signed and not held is a dead process's, and is taken away. One without the signature is
//! git's and is never touched.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::sys::fs::{self, FsError};
use crate::sys::lock::FileLock;

const SIGNATURE: &str = "git-orch, process ";

/// A lock that is there until it is dropped, or its process ends and the next one comes.
#[must_use = "a lock is released when it is dropped"]
#[derive(Debug)]
pub struct ExistLock {
    path: PathBuf,
    _held: File,
}

impl ExistLock {
    /// Takes the lock at `path`, or None if it is there. `scratch` is a directory of ours on the same file
    /// system.
    pub fn try_take(path: &Path, scratch: &Path) -> Result<Option<Self>, FsError> {
        let error = |source| FsError { action: "create lock", path: path.to_owned(), source };
        let mut file =
            tempfile::Builder::new().prefix("lock-").suffix(".tmp").tempfile_in(scratch).map_err(error)?;
        file.write_all(format!("{SIGNATURE}{}\n", std::process::id()).as_bytes()).map_err(error)?;
        let locked = rustix::fs::flock(file.as_file().as_fd(), FlockOperation::NonBlockingLockExclusive);
        locked.map_err(|errno| error(errno.into()))?;
        match file.persist_noclobber(path) {
            Ok(held) => Ok(Some(Self { path: path.to_owned(), _held: held })),
            Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
            Err(e) => Err(error(e.error)),
        }
    }

    /// Takes a lock away whose process is dead. Says whether there was one.
    pub fn clear_dead(path: &Path, scratch: &Path) -> Result<bool, FsError> {
        // One at a time: the second would take away what the first has just made.
        let Some(_guard) = FileLock::try_acquire(&scratch.join("dead.lock"))? else { return Ok(false) };
        let error = |source| FsError { action: "read lock", path: path.to_owned(), source };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(error(e)),
        };
        let mut text = Vec::new();
        std::io::Read::by_ref(&mut file).take(64).read_to_end(&mut text).map_err(error)?;
        if !text.starts_with(SIGNATURE.as_bytes())
            || rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive).is_err()
        {
            return Ok(false);
        }
        // Its process may just have ended well, and another may have taken it since.
        let (ours, named) = (file.metadata().map_err(error)?, path.symlink_metadata());
        let same = named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino()));
        if same {
            fs::remove_file(path)?;
        }
        Ok(same)
    }
}

impl Drop for ExistLock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file_if_there(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "lock file left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_dead_is_taken_away_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ref.lock");
        let clear = || ExistLock::clear_dead(&path, dir.path()).unwrap();
        assert!(!clear(), "there is none");
        let held = ExistLock::try_take(&path, dir.path()).unwrap().expect("free");
        assert!(ExistLock::try_take(&path, dir.path()).unwrap().is_none());
        assert!(!clear(), "it is held");
        let text = fs::read(&path).unwrap();
        drop(held);
        assert!(!fs::exists(&path));
        fs::write_new(&path, &text, 0o644).unwrap();
        assert!(clear(), "it is signed, and nobody holds it");
        fs::write_new(&path, b"", 0o644).unwrap();
        assert!(!clear(), "it is git's");
        assert!(fs::exists(&path));
    }
}
