//! Refs: reading any, and moving our own (`refs/orch/*`) durably by compare-and-swap.
//!
//! Our own refs are moved with git's lock-file protocol in process: `<ref>.lock` made exclusively, the current
//! value compared, the new one written elsewhere and flushed, then renamed to the ref; then the lock goes. gix's
//! transaction flushes nothing, and `git update-ref` costs a process and runs hooks. A person's refs are moved by
//! `git update-ref`, so that reflogs are written and hooks see it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gix::refs::TargetRef;

use crate::domain::oid::{MaybeOid, Oid};
use crate::git::error::GitError;
use crate::git::read::from_gix;
use crate::git::repo::Repo;
use crate::sys::clock::Clock;
use crate::sys::failpoint::{self, Point};
use crate::sys::fs::{self, Durability, FsError};
use crate::sys::lock::FileLock;
use crate::sys::process::Cmd;
use crate::sys::random;

const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// One move of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefChange {
    /// The full name.
    pub name: String,
    /// What it must point at now; `Zero`: it must not exist.
    pub old: MaybeOid,
    /// What it shall point at.
    pub new: Oid,
}

/// How a compare-and-swap ended.
#[must_use = "a lost compare-and-swap moved nothing"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cas {
    /// The ref points at the new value.
    Moved,
    /// The ref was not at the expected value; nothing was changed. What it is at.
    Lost(Option<Oid>),
}

impl Repo {
    /// What a ref points at, symbolic refs followed; None if it does not exist.
    pub fn ref_target(&self, name: &str) -> Result<Option<Oid>, GitError> {
        if self.is_reftable() {
            let output = self.git(["rev-parse", "--verify", "--quiet", "--end-of-options", name]).run()?;
            // Killed, it has not found that there is none.
            return match output.status.code() {
                Some(1) => Ok(None),
                _ => Ok(Some(Oid::parse(&output.checked()?.text())?)),
            };
        }
        let mut name = name.to_owned();
        // git follows at most five symbolic refs.
        for _ in 0..5 {
            // As a full name: of a partial one gix would try six more places.
            let Ok(full) = gix::refs::FullName::try_from(name.as_str()) else { return Ok(None) };
            let found = self
                .gix
                .try_find_reference(full.as_ref())
                .map_err(GitError::gix(format!("read the ref {name}")))?;
            let Some(reference) = found else { return Ok(None) };
            match reference.target() {
                TargetRef::Object(id) => return Ok(Some(from_gix(id))),
                TargetRef::Symbolic(next) => name = next.as_bstr().to_string(),
            }
        }
        Ok(None)
    }

    /// All refs whose full name starts with `prefix`, sorted by name.
    pub fn refs_below(&self, prefix: &str) -> Result<Vec<(String, Oid)>, GitError> {
        let output =
            self.git(["for-each-ref", "--format=%(objectname) %(refname)", prefix]).run()?.checked()?;
        output
            .text()
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(oid, name)| Ok((name.to_owned(), Oid::parse(oid)?)))
            .collect()
    }

    /// Moves one of our own refs. The objects it leads to must be durable already.
    pub fn cas(&self, change: &RefChange, durability: Durability) -> Result<Cas, GitError> {
        if self.is_reftable() {
            self.cas_by_program(change, durability)
        } else {
            self.cas_in_files(change, durability)
        }
    }

    fn cas_in_files(&self, change: &RefChange, durability: Durability) -> Result<Cas, GitError> {
        let path = self.common_dir().join(&change.name);
        let lock = RefLock::take(&path, &self.orch_dir())?;
        let current = self.ref_target(&change.name)?;
        if current.as_ref() != change.old.id() {
            return Ok(Cas::Lost(current));
        }
        lock.commit(&change.new, durability)?;
        Ok(Cas::Moved)
    }

    /// Makes durable where a ref of ours is, which somebody moved who may not have come to that. git's own, in a table, is
    /// durable as soon as it is there.
    pub fn flush_ref(&self, name: &str, durability: Durability) -> Result<(), GitError> {
        let path = self.common_dir().join(name);
        let Some(dir) = path.parent().filter(|_| durability == Durability::Commit && !self.is_reftable())
        else {
            return Ok(());
        };
        match fs::sync_dir(dir) {
            // `git pack-refs` put it among the packed ones, which it flushes, and removed the directory.
            Err(error) if error.is_not_found() => Ok(fs::sync_dir(self.common_dir())?),
            flushed => Ok(flushed?),
        }
    }

    fn cas_by_program(&self, change: &RefChange, durability: Durability) -> Result<Cas, GitError> {
        let zero = "0".repeat(self.oid_len());
        let old = change.old.id().map_or(zero.as_str(), Oid::as_str);
        let fsync = match durability {
            Durability::Commit => "core.fsync=all",
            Durability::None => "core.fsync=none",
        };
        let output = self.git(["-c", fsync, "update-ref", &change.name, change.new.as_str(), old]).run()?;
        if output.status.success() {
            return Ok(Cas::Moved);
        }
        let current = self.ref_target(&change.name)?;
        if current.as_ref() == Some(&change.new) {
            // By this very git, which was interrupted after that.
            return Ok(Cas::Moved);
        }
        if current.as_ref() == change.old.id() {
            output.checked()?;
        }
        Ok(Cas::Lost(current))
    }

    /// Moves a branch or another ref of the user's by `git update-ref`, with reflog and with the user's hooks.
    pub fn move_user_ref(&self, change: &RefChange, message: &str) -> Result<Cas, GitError> {
        let zero = "0".repeat(self.oid_len());
        let old = change.old.id().map_or(zero.as_str(), Oid::as_str);
        let args = ["update-ref", "-m", message, &change.name, change.new.as_str(), old];
        let dir = self.work_tree().unwrap_or(self.git_dir());
        let env = crate::git::program::scrubbed(self.user_env());
        let cmd = Cmd::new("git", dir, &env).env("LC_ALL", "C").env("GIT_DIR", self.git_dir()).args(args);
        let output = cmd.run()?;
        if output.status.success() {
            return Ok(Cas::Moved);
        }
        let current = self.ref_target(&change.name)?;
        if current.as_ref() == change.old.id() {
            output.checked()?;
        }
        Ok(Cas::Lost(current))
    }

    /// Removes what keeps git from fetching to derived refs below `prefix` (with `/`): empty files, which a power cut left,
    /// and lock files that nobody holds: ours of killed processes, which git can't tell, and git's that are older than any
    /// git works at a ref. A younger lock of git's is empty, too, and stays. Says whether there was anything.
    pub fn clear_refs(&self, prefix: &str) -> Result<bool, GitError> {
        let old = Clock.now().millis() - i64::try_from(ABANDONED.as_millis()).unwrap_or(i64::MAX);
        let (mut found, mut left) = (false, vec![self.common_dir().join(prefix)]);
        while let Some(dir) = left.pop().filter(|dir| fs::exists(dir)) {
            for path in fs::list(&dir)? {
                if path.is_dir() {
                    left.push(path);
                    continue;
                }
                let is_lock = path.extension().is_some_and(|extension| extension == "lock");
                let is_left = match is_lock {
                    true => fs::modified(&path).is_some_and(|at| at.millis() < old),
                    false => fs::size(&path) == Some(0),
                };
                found |= is_lock && FileLock::remove_abandoned(&path, OURS)?;
                found |= is_left && fs::remove_file_if_there(&path)?;
            }
        }
        Ok(found)
    }

    /// Deletes a ref if it is at `old`, never what a symbolic one leads to; without hooks.
    pub fn delete_ref(&self, name: &str, old: &Oid) -> Result<(), GitError> {
        self.run_git(["update-ref", "--no-deref", "-d", name, old.as_str()]).map(drop)
    }
}

/// Whether a ref's lock file is one of ours that a killed process left. It is in nobody's way: whoever wants the ref next
/// removes it.
pub fn is_left_by_us(lock: &Path) -> Result<bool, FsError> {
    let is_ours = fs::read_optional(lock)?.is_some_and(|text| text.starts_with(OURS));
    Ok(is_ours && !FileLock::is_held(lock)?)
}

/// git's lock on one ref file: whoever makes `<ref>.lock` may change the ref.
///
/// git leaves such a file behind when it is killed, and nobody can tell whose it is. Ours can be told: it is a
/// second name of a file that we hold a kernel lock on, and says so. One that nobody holds any more is removed.
struct RefLock {
    path: PathBuf,
    lock: PathBuf,
    /// Where the new value is written before it gets the ref's name.
    value: PathBuf,
    /// Directories that got a new one.
    made_in: Vec<PathBuf>,
    _held: FileLock,
}

/// No git works at a ref for longer.
const ABANDONED: Duration = Duration::from_secs(60);

/// How the text of our lock files begins; git's are empty or hold an id.
const OURS: &str = "process ";

impl RefLock {
    fn take(path: &Path, scratch: &Path) -> Result<Self, GitError> {
        let lock = PathBuf::from(format!("{}.lock", path.display()));
        let start = Clock.monotonic();
        fs::create_dir_all(scratch)?;
        let name = format!("ref-{:010x}", random::bits40());
        let own = scratch.join(&name);
        let held = FileLock::try_acquire(&own)?.ok_or_else(|| GitError::RefLocked { path: own.clone() })?;
        let dirs: Vec<&Path> = path.ancestors().skip(1).collect();
        let new = dirs.iter().take_while(|dir| !fs::exists(dir)).count();
        let made_in = dirs.iter().skip(1).take(new).map(|dir| (*dir).to_owned()).collect();
        let linked = Self::link(&own, &lock, start);
        fs::remove_file(&own)?;
        linked?;
        failpoint::at(Point::RefLocked);
        let value = scratch.join(format!("{name}-value"));
        Ok(Self { path: path.to_owned(), lock, value, made_in, _held: held })
    }

    fn link(own: &Path, lock: &Path, start: Instant) -> Result<(), GitError> {
        loop {
            // Inside the loop: `git pack-refs` removes directories that it emptied.
            if let Some(dir) = lock.parent() {
                fs::create_dir_all(dir)?;
            }
            match fs::link(own, lock) {
                Ok(()) => return Ok(()),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                    if FileLock::remove_abandoned(lock, OURS)? {
                        continue;
                    }
                    if start.elapsed() > LOCK_PATIENCE {
                        return Err(GitError::RefLocked { path: lock.to_owned() });
                    }
                    Clock.wait(Duration::from_millis(5));
                }
                Err(e) if e.is_not_found() && start.elapsed() < LOCK_PATIENCE => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn commit(self, new: &Oid, durability: Durability) -> Result<(), GitError> {
        let text = format!("{new}\n");
        match durability {
            Durability::Commit => fs::write_new(&self.value, text.as_bytes(), 0o644)?,
            Durability::None => fs::write_atomic(&self.value, text.as_bytes(), 0o644, Durability::None)?,
        }
        failpoint::at(Point::RefWritten);
        fs::rename(&self.value, &self.path)?;
        failpoint::at(Point::RefMoved);
        if durability == Durability::Commit
            && let Some(dir) = self.path.parent()
        {
            fs::sync_dir(dir)?;
            self.made_in.iter().try_for_each(|dir| fs::sync_dir(dir))?;
        }
        Ok(())
    }
}

impl Drop for RefLock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file_if_there(&self.lock) {
            tracing::warn!(path = %self.lock.display(), %error, "lock file left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_of_ours_that_nobody_holds_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, scratch) = (dir.path().join("refs/x"), dir.path().join("orch"));
        let lock = dir.path().join("refs/x.lock");
        let held = RefLock::take(&path, &scratch).unwrap();
        assert!(!FileLock::remove_abandoned(&lock, OURS).unwrap(), "it is held");
        drop(held);
        assert!(!fs::exists(&lock));
        // As a killed process of ours leaves it.
        fs::write_new(&lock, b"process 1\n", 0o644).unwrap();
        drop(RefLock::take(&path, &scratch).unwrap());
        // As a killed or living git has it.
        for text in ["", "0123456789"] {
            fs::write_new(&lock, text.as_bytes(), 0o644).unwrap();
            assert!(!FileLock::remove_abandoned(&lock, OURS).unwrap());
            assert!(fs::exists(&lock));
            fs::remove_file(&lock).unwrap();
        }
        assert_eq!(fs::list(&scratch).unwrap(), Vec::<PathBuf>::new(), "nothing is left behind");
    }

    #[test]
    fn what_is_cleared_is_nobody_s() {
        let dir = tempfile::tempdir().unwrap();
        let env = crate::sys::env::Env::capture();
        Cmd::new("git", dir.path(), &env).args(["init", "--quiet"]).run().unwrap().checked().unwrap();
        let repo = Repo::discover(dir.path(), &env).unwrap();
        let refs = repo.common_dir().join("refs/x/y");
        fs::create_dir_all(&refs).unwrap();
        let write = |name: &str, text: &str| fs::write_new(&refs.join(name), text.as_bytes(), 0o644).unwrap();
        // A git that is at work, one of ours that was killed, a ref that a power cut emptied, and one that is whole.
        write("a.lock", "");
        write("b.lock", "process 1\n");
        write("c", "");
        write("d", &"1".repeat(40));
        assert!(repo.clear_refs("refs/x/").unwrap());
        let mut left: Vec<_> = fs::list(&refs).unwrap();
        left.sort();
        assert_eq!(left, [refs.join("a.lock"), refs.join("d")]);
        assert!(!repo.clear_refs("refs/x/").unwrap());
    }
}
