//! Files. Every error names its path; every write that must survive a power cut goes through
//! `write_atomic`: temporary file in the same directory, fsync, rename, fsync of the directory.

use std::ffi::OsString;
use std::io::{self, Read as _, Seek as _, Write};
use std::path::{Path, PathBuf};

use crate::domain::time::Timestamp;

/// An I/O error with the path and what was tried.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FsError {
    /// What was tried: `read`, `write`, ….
    pub action: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl FsError {
    /// What the system said, as a kind.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether the path was not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    }
}

fn at<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<T, FsError> {
    result.map_err(|source| FsError { action, path: path.to_owned(), source })
}

/// Whether the bytes must survive a power cut before the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// fsync the file and its directory.
    Commit,
    /// Leave it to the kernel.
    None,
}

/// The whole file.
#[expect(clippy::disallowed_methods, reason = "adds the path")]
pub fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    at("read", path, std::fs::read(path))
}

/// What one read gives of a file's beginning, and how much that is.
pub fn read_beginning(path: &Path, into: &mut [u8]) -> Result<usize, FsError> {
    let mut file = at("open", path, std::fs::File::open(path))?;
    at("read", path, file.read(into))
}

/// The last `bytes` of a file, or all of it where it is no longer.
pub fn read_end(path: &Path, bytes: u64) -> Result<Vec<u8>, FsError> {
    use std::io::Seek as _;
    let mut file = at("open", path, std::fs::File::open(path))?;
    let size = at("read", path, file.metadata())?.len();
    at("read", path, file.seek(io::SeekFrom::Start(size.saturating_sub(bytes))))?;
    let mut end = Vec::new();
    at("read", path, file.take(bytes).read_to_end(&mut end))?;
    Ok(end)
}

/// The SHA-256 of a file, however large it is.
pub fn digest(path: &Path) -> Result<[u8; 32], FsError> {
    use sha2::Digest as _;
    let mut file = at("open", path, std::fs::File::open(path))?;
    let (mut hasher, mut chunk) = (sha2::Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = at("read", path, file.read(&mut chunk))?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(chunk.get(..read).unwrap_or_default());
    }
}

/// The whole file as UTF-8.
#[expect(clippy::disallowed_methods, reason = "adds the path")]
pub fn read_string(path: &Path) -> Result<String, FsError> {
    at("read", path, std::fs::read_to_string(path))
}

/// The whole file as UTF-8; None if it is not there.
pub fn read_optional(path: &Path) -> Result<Option<String>, FsError> {
    match read_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.is_not_found() => Ok(None),
        Err(e) => Err(e),
    }
}

/// Replaces `path` with `bytes` in one step. `mode` are Unix permission bits.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> Result<(), FsError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = at(
        "write",
        path,
        tempfile::Builder::new()
            .prefix(".orch-tmp-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
            .tempfile_in(dir),
    )?;
    at("write", path, file.write_all(bytes))?;
    // The umask applied when it was made; a hook must stay executable and a key private whatever it is.
    at("write", path, file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode)))?;
    if durability == Durability::Commit {
        at("write", path, file.as_file().sync_all())?;
    }
    // Closed before it has its name: a program that is open for writing can't be run.
    let named = file.into_temp_path().persist(path);
    named.map_err(|e| FsError { action: "write", path: path.to_owned(), source: e.error })?;
    if durability == Durability::Commit {
        sync_dir(dir)?;
    }
    Ok(())
}

/// Replaces `path` with `bytes` in one step, for whom the umask lets. It need not survive a power cut.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let file = tempfile::Builder::new().prefix(".orch-tmp-").permissions(mode).tempfile_in(dir);
    let mut file = at("write", path, file)?;
    at("write", path, file.write_all(bytes))?;
    let named = file.into_temp_path().persist(path);
    named.map_err(|e| FsError { action: "write", path: path.to_owned(), source: e.error })
}

/// Writes `bytes` behind what a file has. Says whether it could be opened for that: it is not there, or another user's.
pub fn append(path: &Path, bytes: &[u8]) -> Result<bool, FsError> {
    let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(path) else { return Ok(false) };
    at("write", path, file.write_all(bytes))?;
    Ok(true)
}

/// Writes a file that somebody named: whole at once where a file is, or nothing; through it where a link, a pipe or a
/// device is, which must not be replaced.
pub fn write_named(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    match path.symlink_metadata() {
        Ok(found) if !found.is_file() => std::fs::OpenOptions::new()
            .write(true)
            .truncate(found.is_symlink())
            .create(found.is_symlink())
            .open(path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|source| FsError { action: "write", path: path.to_owned(), source }),
        Ok(_) | Err(_) => write_atomic(path, bytes, 0o644, Durability::None),
    }
}

/// Makes a new file with `bytes`; fails with `AlreadyExists` if it is there.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FsError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file =
        at("create", path, std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path))?;
    at("write", path, file.write_all(bytes))?;
    at("write", path, file.sync_all())
}

/// Writes `bytes` into an existing file of our own, e.g. a lock file that is renamed afterwards.
pub fn overwrite(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    let mut file = at("write", path, std::fs::OpenOptions::new().write(true).truncate(true).open(path))?;
    at("write", path, file.write_all(bytes))?;
    if durability == Durability::Commit {
        at("flush", path, file.sync_all())?;
    }
    Ok(())
}

/// Makes a new file with all of `bytes` in one step: who finds it finds it whole. Says whether it was made;
/// a file that is there already is left as it is.
pub fn publish_new(path: &Path, bytes: &[u8], mode: u32) -> Result<bool, FsError> {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = path.parent().unwrap_or(Path::new("."));
    let permissions = std::fs::Permissions::from_mode(mode);
    let opened =
        tempfile::Builder::new().prefix(".orch-tmp-").permissions(permissions.clone()).tempfile_in(dir);
    let mut file = at("create", path, opened)?;
    at("write", path, file.write_all(bytes))?;
    at("write", path, file.as_file().set_permissions(permissions))?;
    at("write", path, file.as_file().sync_all())?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_dir(dir).map(|()| true),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(FsError { action: "create", path: path.to_owned(), source: e.error }),
    }
}

/// Flushes a directory, so that names made or renamed in it survive a power cut.
pub fn sync_dir(dir: &Path) -> Result<(), FsError> {
    let file = at("open", dir, std::fs::File::open(dir))?;
    at("flush", dir, file.sync_all())
}

/// Flushes files and directories, all at the same time: what a journalling file system has to write for one, it
/// writes for those that wait with it, so that five cost little more than one.
pub fn sync_all(paths: &[&Path]) -> Result<(), FsError> {
    let Some((first, others)) = paths.split_first() else { return Ok(()) };
    std::thread::scope(|scope| {
        let flush = |path| std::thread::Builder::new().spawn_scoped(scope, move || sync_dir(path));
        let begun: Vec<_> = others.iter().map(|path| (*path, flush(path))).collect();
        let mut result = sync_dir(first);
        for (path, thread) in begun {
            let flushed = match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // No more threads for this user: then one after the other.
                Err(_) => sync_dir(path),
            };
            result = result.and(flushed);
        }
        result
    })
}

/// Flushes everything that was written to the file system that `dir` is on.
pub fn sync_file_system(dir: &Path) -> Result<(), FsError> {
    let file = at("open", dir, std::fs::File::open(dir))?;
    #[cfg(target_os = "linux")]
    let flushed = rustix::fs::syncfs(&file).map_err(io::Error::from);
    #[cfg(not(target_os = "linux"))]
    let flushed = {
        rustix::fs::sync();
        file.sync_all()
    };
    at("flush", dir, flushed)
}

/// Makes a directory and those above it.
#[expect(clippy::disallowed_methods, reason = "adds the path")]
pub fn create_dir_all(path: &Path) -> Result<(), FsError> {
    at("create directory", path, std::fs::create_dir_all(path))
}

/// Renames.
#[expect(clippy::disallowed_methods, reason = "adds the path")]
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    at("rename", from, std::fs::rename(from, to))
}

/// Removes a file.
#[expect(clippy::disallowed_methods, reason = "adds the path")]
pub fn remove_file(path: &Path) -> Result<(), FsError> {
    at("remove", path, std::fs::remove_file(path))
}

/// Removes a file if it is there; says whether it was.
pub fn remove_file_if_there(path: &Path) -> Result<bool, FsError> {
    match remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.is_not_found() => Ok(false),
        Err(e) => Err(e),
    }
}

/// Removes a directory with all that is in it.
#[expect(clippy::disallowed_methods, reason = "adds the path")]
pub fn remove_dir_all(path: &Path) -> Result<(), FsError> {
    at("remove directory", path, std::fs::remove_dir_all(path))
}

/// The same for what others filled: whatever modes its directories have, and as deep as they may be.
pub fn remove_tree(path: &Path) -> Result<(), FsError> {
    at("remove directory", path, crate::sys::removal::remove_tree(path))
}

/// A nameless file with `bytes`, at its beginning: unlike a pipe it needs nobody to fill it.
pub fn nameless(bytes: &[u8]) -> io::Result<std::fs::File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// Copies bytes and the time of the last change: a git index that looks younger than it is hides what was changed
/// right after it was written.
pub fn copy_with_time(from: &Path, to: &Path) -> Result<(), FsError> {
    let mut source = at("open", from, std::fs::File::open(from))?;
    let meta = at("inspect", from, source.metadata())?;
    let mut target =
        at("create", to, std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(to))?;
    at("copy", from, io::copy(&mut source, &mut target))?;
    let changed = at("inspect", from, meta.modified())?;
    at("write", to, target.set_modified(changed))
}

/// Copies bytes and permission bits.
pub fn copy(from: &Path, to: &Path) -> Result<(), FsError> {
    at("copy", from, std::fs::copy(from, to)).map(drop)
}

/// Gives the file at `from` a second name; a symbolic link is named itself, not followed.
pub fn link(from: &Path, to: &Path) -> Result<(), FsError> {
    at("link", from, std::fs::hard_link(from, to))
}

/// Removes a directory if it is empty; says whether it is gone.
pub fn remove_dir_if_empty(path: &Path) -> Result<bool, FsError> {
    match at("remove directory", path, std::fs::remove_dir(path)) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty || e.is_not_found() => Ok(false),
        Err(e) => Err(e),
    }
}

/// What is in a directory, with what it is: a link is one.
pub fn entries(dir: &Path) -> Result<Vec<(OsString, std::fs::FileType)>, FsError> {
    let entry =
        |entry: io::Result<std::fs::DirEntry>| entry.and_then(|it| Ok((it.file_name(), it.file_type()?)));
    at("list", dir, std::fs::read_dir(dir).and_then(|found| found.map(entry).collect()))
}

/// The names in a directory, sorted; empty if it is not there.
pub fn list(dir: &Path) -> Result<Vec<PathBuf>, FsError> {
    let entries = match at("list", dir, std::fs::read_dir(dir)) {
        Ok(entries) => entries,
        Err(e) if e.is_not_found() => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(at("list", dir, entry)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Whether something is at `path`, a dangling link included.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether this process may write to `path`: permissions and a read-only file system are seen.
pub fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Sets a file's permission bits.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), FsError> {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    at("change the permissions of", path, std::fs::set_permissions(path, permissions))
}

/// What tells a file or directory from every other one of this machine, whatever it is called; None if it is not there.
pub fn identity(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some(format!("{}:{}", found.dev(), found.ino()))
}

/// How many bytes the file has; None where it is gone.
pub fn size(path: &Path) -> Option<u64> {
    path.symlink_metadata().ok().map(|found| found.len())
}

/// When the file was last written; None where it is gone or the system does not say.
pub fn modified(path: &Path) -> Option<Timestamp> {
    let time = path.symlink_metadata().ok()?.modified().ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?))
}

/// Sets the time of a file's last change, in milliseconds since the epoch. A link is meant itself.
pub fn set_modified(path: &Path, millis: i64) -> Result<(), FsError> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
    let nanos = millis.rem_euclid(1000) * 1_000_000;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: millis.div_euclid(1000), tv_nsec: nanos },
    };
    let set = utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW);
    at("set the time of", path, set.map_err(io::Error::from))
}

/// The path without `..`; links before a `..` are followed as the system would. Nothing has to be there.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        if part == std::path::Component::ParentDir {
            out = out.canonicalize().unwrap_or(out);
            out.pop();
        } else {
            out.push(part);
        }
    }
    out
}

/// The path without links and `..`.
pub fn canonical(path: &Path) -> Result<PathBuf, FsError> {
    at("resolve", path, path.canonicalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_path() {
        let e = read(Path::new("/no/such/file")).expect_err("absent");
        assert_eq!(e.to_string(), "cannot read /no/such/file");
        assert!(e.is_not_found());
    }

    #[test]
    fn a_copy_is_as_old_as_what_it_copies() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        write_new(&from, b"one", 0o644).unwrap();
        let old = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123);
        std::fs::File::options().write(true).open(&from).unwrap().set_modified(old).unwrap();
        copy_with_time(&from, &to).unwrap();
        assert_eq!(read_string(&to).unwrap(), "one");
        assert_eq!(to.metadata().unwrap().modified().unwrap(), old);
    }

    #[test]
    fn a_write_replaces_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_atomic(&path, b"one", 0o600, Durability::Commit).unwrap();
        write_atomic(&path, b"two", 0o600, Durability::None).unwrap();
        assert_eq!(read_string(&path).unwrap(), "two");
        assert_eq!(list(dir.path()).unwrap(), vec![path]);
    }
}
