//! Kernel locks (`flock`): held by an open file, gone with the process however it ends.
//!
//! Lock order, to be kept by everyone who holds two: `queue.lock` (moves of trunk) before `worktree.lock`
//! before `flush.lock` (the state's ref and packs) before `write.lock` (its changes) and `pack.lock`; `repack.lock` before
//! `pack.lock`. Who has `write.lock` alone only tries for `flush.lock`, who has `pack.lock` likewise. A session's liveness
//! lock and `flush.waiting` are never waited for.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::sys::clock::Clock;
use crate::sys::fs::{self, FsError};

/// A lock that is held until it is dropped.
#[must_use = "a lock is released when it is dropped"]
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody holds it and did not let go in time.
    #[error("{} is held by {holder} for more than {seconds} s", path.display())]
    Busy {
        /// The lock's file.
        path: PathBuf,
        /// What the holder wrote into it: pid and command.
        holder: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The file could not be made or locked.
    #[error(transparent)]
    Fs(#[from] FsError),
}

/// Who else may read a lock's file, where it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whom the umask lets.
    Usual,
    /// Nobody: there is a secret in it.
    Owner,
}

fn open(path: &Path, readers: Readers) -> Result<File, FsError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(match readers {
            Readers::Usual => 0o666,
            Readers::Owner => 0o600,
        })
        .open(path)
        .map_err(|source| FsError { action: "open lock", path: path.to_owned(), source })
}

/// That nobody let go of the lock in time, and who has it.
fn busy(path: &Path, patience: Duration) -> Result<LockError, FsError> {
    let holder = fs::read_optional(path)?.unwrap_or_default();
    let holder = holder.trim();
    Ok(LockError::Busy {
        path: path.to_owned(),
        holder: if holder.is_empty() { "an unknown process" } else { holder }.to_owned(),
        seconds: patience.as_secs(),
    })
}

impl FileLock {
    /// Takes the lock at once, or None if somebody holds it.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>, FsError> {
        Self::try_acquire_with(path, &format!("process {}\n", std::process::id()), Readers::Usual)
    }

    fn try_acquire_with(path: &Path, text: &str, readers: Readers) -> Result<Option<Self>, FsError> {
        let file = open(path, readers)?;
        match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { file, path: path.to_owned() }.signed(text))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(FsError { action: "lock", path: path.to_owned(), source: errno.into() }),
        }
    }

    /// Takes a lock that others may share at once, or None if somebody holds it alone.
    pub fn try_shared(path: &Path) -> Result<Option<Self>, FsError> {
        let file = open(path, Readers::Usual)?;
        match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Some(Self { file, path: path.to_owned() })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(FsError { action: "lock", path: path.to_owned(), source: errno.into() }),
        }
    }

    /// Takes the lock, waiting at most `patience`.
    ///
    /// Polls with a short, growing pause: `flock` has no time limit, and a signal-based one would need unsafe code.
    pub fn acquire(path: &Path, patience: Duration, clock: Clock) -> Result<Self, LockError> {
        Self::acquire_with(
            path,
            &format!("process {}\n", std::process::id()),
            Readers::Usual,
            patience,
            clock,
        )
    }

    /// As `acquire`, with `text` in the file instead of who holds it.
    pub fn acquire_with(
        path: &Path,
        text: &str,
        readers: Readers,
        patience: Duration,
        clock: Clock,
    ) -> Result<Self, LockError> {
        let start = clock.monotonic();
        let mut pause = Duration::from_micros(200);
        loop {
            if let Some(lock) = Self::try_acquire_with(path, text, readers)? {
                return Ok(lock);
            }
            if start.elapsed() >= patience {
                return Err(busy(path, patience)?);
            }
            clock.wait(pause);
            pause = (pause * 3 / 2).min(Duration::from_millis(10));
        }
    }

    /// As `acquire`, for locks that many want at once and nobody holds for long: whoever waits longer goes first, and as
    /// soon as it is free.
    ///
    /// Waits in the kernel, which keeps the order, in a thread that is left behind if `patience` ends: it lets go of the
    /// lock as soon as it gets it.
    pub fn acquire_in_turn(path: &Path, patience: Duration, clock: Clock) -> Result<Self, LockError> {
        if let Some(lock) = Self::try_acquire(path)? {
            return Ok(lock);
        }
        let (give, take) = mpsc::sync_channel(1);
        let own = path.to_owned();
        let waiting = std::thread::Builder::new().name("lock".to_owned()).spawn(move || {
            // Whoever gave up does not listen: then the lock is dropped with what could not be sent.
            drop(give.send(Self::block(&own)));
        });
        match (waiting, take.recv_timeout(patience)) {
            (Ok(_), Ok(lock)) => Ok(lock?),
            (Ok(_), Err(_)) => Err(busy(path, patience)?),
            // No more threads for this user.
            (Err(_), _) => Self::acquire(path, patience, clock),
        }
    }

    fn block(path: &Path) -> Result<Self, FsError> {
        let file = open(path, Readers::Usual)?;
        loop {
            match rustix::fs::flock(file.as_fd(), FlockOperation::LockExclusive) {
                Ok(()) => {
                    let text = format!("process {}\n", std::process::id());
                    return Ok(Self { file, path: path.to_owned() }.signed(&text));
                }
                Err(Errno::INTR) => {}
                Err(errno) => {
                    return Err(FsError { action: "lock", path: path.to_owned(), source: errno.into() });
                }
            }
        }
    }

    /// Removes the lock file at `path` if its text begins with `mark` and nobody holds it. Says whether it did.
    pub fn remove_abandoned(path: &Path, mark: &str) -> Result<bool, FsError> {
        use std::os::unix::fs::MetadataExt as _;
        let failed = |source| FsError { action: "open lock", path: path.to_owned(), source };
        let mut file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(true),
            Err(source) => return Err(failed(source)),
        };
        match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(errno) => return Err(failed(errno.into())),
        }
        let mut start = Vec::new();
        std::io::Read::by_ref(&mut file).take(mark.len() as u64).read_to_end(&mut start).map_err(failed)?;
        if start != mark.as_bytes() {
            return Ok(false);
        }
        // Held from here on: who else wants to remove this very file must hold it, too. Another file may have its
        // name by now.
        let own = file.metadata().map_err(failed)?;
        match path.symlink_metadata() {
            Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => {
                fs::remove_file_if_there(path)?;
                Ok(true)
            }
            Ok(_) | Err(_) => Ok(true),
        }
    }

    /// Whether a living process holds the lock at `path`. A file that is not there is held by nobody.
    pub fn is_held(path: &Path) -> Result<bool, FsError> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(FsError { action: "open lock", path: path.to_owned(), source }),
        };
        match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                release(&file, path);
                Ok(false)
            }
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(errno) => Err(FsError { action: "lock", path: path.to_owned(), source: errno.into() }),
        }
    }

    /// Writes who holds it, for the message of whoever waits in vain. Best effort: the lock holds without it.
    fn signed(self, text: &str) -> Self {
        use std::os::unix::fs::FileExt as _;
        let signed = self.file.set_len(0).and_then(|()| self.file.write_all_at(text.as_bytes(), 0));
        if let Err(error) = signed {
            tracing::debug!(path = %self.path.display(), %error, "lock file not signed");
        }
        self
    }

    /// The lock's file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        release(&self.file, &self.path);
    }
}

/// Closing would do, were it not for children: between fork and exec one has a copy of our descriptor, and the lock
/// lives as long as any copy unless it is released by name.
fn release(file: &File, path: &Path) {
    if let Err(error) = rustix::fs::flock(file.as_fd(), FlockOperation::Unlock) {
        tracing::debug!(path = %path.display(), %error, "lock left to be released by closing the file");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_free_after_drop() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/lock");
        assert!(!FileLock::is_held(&path).unwrap());
        let held = FileLock::try_acquire(&path).unwrap().expect("free");
        assert!(FileLock::is_held(&path).unwrap());
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
        let busy = FileLock::acquire(&path, Duration::from_millis(5), Clock).expect_err("held");
        assert!(busy.to_string().contains("process "), "{busy}");
        let in_a_child = held.file.try_clone().unwrap();
        drop(held);
        assert!(!FileLock::is_held(&path).unwrap());
        drop(in_a_child);
        let held = FileLock::try_acquire(&path).unwrap().expect("free");
        let busy = FileLock::acquire_in_turn(&path, Duration::from_millis(5), Clock).expect_err("held");
        assert!(busy.to_string().contains("process "), "{busy}");
        std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| FileLock::acquire_in_turn(&path, Duration::from_secs(60), Clock).map(drop));
            drop(held);
            waiting.join().unwrap().expect("free by now");
        });
        let shared = (FileLock::try_shared(&path).unwrap(), FileLock::try_shared(&path).unwrap());
        assert!(shared.0.is_some() && shared.1.is_some());
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
    }
}
