//! Tickets: files that let one move of trunk through the guard.
//!
//! A ticket counts only while its issuer holds the kernel lock on it, so it ends with the process and nothing
//! has to be cleaned up after a crash. A *move* ticket names exactly one move (ref, old, new); an *override*
//! ticket names a ref at a value, for any one move from there until it expires (`git orch override`), by the command
//! that was started with its secret (`ORCH_OVERRIDE`), and not from a task's worktree.
//! Written by `ops`, read by `guard`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::time::Timestamp;
use crate::hook::whose::Whose;
use crate::sys::ancestry;
use crate::sys::clock::Clock;
use crate::sys::env::{Env, var};
use crate::sys::fs::{self, FsError};
use crate::sys::lock::{FileLock, LockError, Readers};
use crate::sys::random;

/// The guard looks at a ticket for microseconds, under a shared lock: the issuer waits that long, not longer.
const PATIENCE: Duration = Duration::from_secs(2);
const OVERRIDE: &str = "override-";

/// A ticket in force: until it is dropped.
#[must_use = "a ticket ends when it is dropped"]
#[derive(Debug)]
pub struct Ticket {
    lock: FileLock,
}

impl Ticket {
    /// The ticket's file.
    pub fn path(&self) -> &Path {
        self.lock.path()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Removed while locked, so that nobody else's ticket can be under this name. A file that stays is
        // harmless: without the lock it counts for nothing.
        if let Err(error) = fs::remove_file_if_there(self.lock.path()) {
            tracing::debug!(%error, "ticket file left behind");
        }
    }
}

fn dir(orch: &Path) -> PathBuf {
    orch.join("tickets")
}

fn text_of(oid: &MaybeOid) -> &str {
    oid.id().map_or("0000000000000000000000000000000000000000", Oid::as_str)
}

/// Lets trunk move from `old` to `new` until the ticket is dropped. `reference` is the full name.
pub fn issue(orch: &Path, reference: &str, old: &MaybeOid, new: &Oid) -> Result<Ticket, LockError> {
    let text = format!("ref {reference}\nold {}\nnew {new}\n", text_of(old));
    let lock = FileLock::acquire_with(&dir(orch).join(new.as_str()), &text, Readers::Usual, PATIENCE, Clock)?;
    Ok(Ticket { lock })
}

/// One command's override, which may be for more than one ref.
#[derive(Debug)]
pub struct Override {
    secret: String,
    worktrees: String,
    expires: Timestamp,
}

impl Override {
    /// An override until `expires`, closed to what works below `worktrees`: the directory of the tasks' worktrees,
    /// links resolved. None if a line of text can't hold its path: read back as another, it would be open to them.
    pub fn new(worktrees: &Path, expires: Timestamp) -> Option<Self> {
        let worktrees = worktrees.to_str().filter(|path| !path.contains(['\n', '\r']))?.to_owned();
        let secret = format!("{:032x}", u128::from_le_bytes(random::bytes()));
        Some(Self { secret, worktrees, expires })
    }

    /// What the command has in `ORCH_OVERRIDE`.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Lets `reference` move once from `old` to anything until it expires or until the ticket is dropped.
    pub fn issue(&self, orch: &Path, reference: &str, old: &MaybeOid) -> Result<Ticket, LockError> {
        let text = format!(
            "ref {reference}\nold {}\nexpires {}\nsecret {}\nworktrees {}\n",
            text_of(old),
            self.expires.millis(),
            self.secret,
            self.worktrees
        );
        let path = dir(orch).join(format!("{OVERRIDE}{:010x}", random::bits40()));
        Ok(Ticket { lock: FileLock::acquire_with(&path, &text, Readers::Owner, PATIENCE, Clock)? })
    }
}

/// Who asks whether an override is in force.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Its environment.
    pub env: &'a Env,
    /// Its working directory.
    pub cwd: &'a Path,
    /// When.
    pub now: Timestamp,
}

impl Asking<'_> {
    /// Whether it, or a process above it, works in a task's worktree.
    fn is_in_a_task(&self, whose: &Whose) -> bool {
        whose.is_task_place(self.cwd)
            || whose.task_in(self.env).is_some()
            || ancestry::chain().iter().any(|process| {
                whose.task_of(process).is_some()
                    || process.cwd.as_deref().is_some_and(|dir| whose.is_task_place(dir))
            })
    }
}

/// Whether a move ticket in force lets `reference` go from `old` to `new`.
pub fn allows(orch: &Path, reference: &str, old: &MaybeOid, new: &Oid) -> Result<bool, FsError> {
    let path = dir(orch).join(new.as_str());
    let Some(text) = fs::read_optional(&path)? else { return Ok(false) };
    let fits = field(&text, "ref") == Some(reference)
        && names(&text, "old", old)
        && field(&text, "new") == Some(new.as_str());
    Ok(fits && FileLock::is_held(&path)?)
}

/// Whether an override in force covers what asks to move `reference`, while its value is `old`.
pub fn overridden(
    orch: &Path,
    reference: &str,
    old: &MaybeOid,
    asking: &Asking<'_>,
) -> Result<bool, FsError> {
    let Some(secret) = asking.env.text(var::ORCH_OVERRIDE) else { return Ok(false) };
    for path in fs::list(&dir(orch))? {
        let ours = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(OVERRIDE));
        // Another user's can't be read, and is not for this command.
        let text = if ours { fs::read_optional(&path).unwrap_or_default() } else { None };
        let Some(text) = text else { continue };
        let fresh = field(&text, "expires")
            .and_then(|ms| ms.parse().ok())
            .is_some_and(|ms| asking.now < Timestamp::from_millis(ms));
        let fits = fresh
            && field(&text, "secret") == Some(secret)
            && field(&text, "ref") == Some(reference)
            && names(&text, "old", old);
        if fits && FileLock::is_held(&path)? {
            let common_dir = orch.parent().unwrap_or(orch);
            let closed = |root| asking.is_in_a_task(&Whose::new(common_dir, Some(Path::new(root))));
            return Ok(field(&text, "worktrees").is_some_and(|root| !closed(root)));
        }
    }
    Ok(false)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

fn names(text: &str, name: &str, oid: &MaybeOid) -> bool {
    field(text, name).is_some_and(|value| MaybeOid::parse(value).as_ref() == Ok(oid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "refs/heads/main";

    fn oid(c: char) -> Oid {
        Oid::parse(&c.to_string().repeat(40)).unwrap()
    }

    fn at(c: char) -> MaybeOid {
        MaybeOid::Id(oid(c))
    }

    #[test]
    fn a_move_ticket_covers_exactly_one_move_while_it_lives() {
        let tmp = tempfile::tempdir().unwrap();
        let allows =
            |name: &str, old: &MaybeOid, new: char| allows(tmp.path(), name, old, &oid(new)).unwrap();
        assert!(!allows(MAIN, &at('a'), 'b'));
        let ticket = issue(tmp.path(), MAIN, &at('a'), &oid('b')).unwrap();
        assert!(allows(MAIN, &at('a'), 'b'));
        assert!(!allows(MAIN, &at('c'), 'b'));
        assert!(!allows(MAIN, &MaybeOid::Zero, 'b'));
        assert!(!allows(MAIN, &at('a'), 'c'));
        assert!(!allows("refs/heads/other", &at('a'), 'b'));
        drop(ticket);
        assert!(!allows(MAIN, &at('a'), 'b'));
        assert_eq!(fs::list(&dir(tmp.path())).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn what_a_dead_issuer_left_counts_for_nothing() {
        let tmp = tempfile::tempdir().unwrap();
        let ticket = issue(tmp.path(), MAIN, &at('a'), &oid('b')).unwrap();
        let path = ticket.path().to_owned();
        let text = fs::read(&path).unwrap();
        drop(ticket);
        fs::write_atomic(&path, &text, 0o644, fs::Durability::None).unwrap();
        assert!(!allows(tmp.path(), MAIN, &at('a'), &oid('b')).unwrap());
        let again = issue(tmp.path(), MAIN, &at('a'), &oid('b')).unwrap();
        assert!(allows(tmp.path(), MAIN, &at('a'), &oid('b')).unwrap());
        drop(again);
    }

    #[test]
    fn an_override_covers_any_move_from_one_value_until_it_expires() {
        let tmp = tempfile::tempdir().unwrap();
        let (early, late) = (Timestamp::from_millis(999), Timestamp::from_millis(1_000));
        let (mine, other) = (
            Override::new(Path::new("/tasks"), late).unwrap(),
            Override::new(Path::new("/tasks"), late).unwrap(),
        );
        let asks = |secret: Option<&str>, name: &str, old: &MaybeOid, now| {
            let env = Env::from_pairs(secret.map(|secret| (var::ORCH_OVERRIDE, secret)));
            overridden(tmp.path(), name, old, &Asking { env: &env, cwd: tmp.path(), now }).unwrap()
        };
        let covered = |name: &str, old: &MaybeOid, now| asks(Some(mine.secret()), name, old, now);
        assert!(!covered(MAIN, &at('a'), early));
        let ticket = mine.issue(tmp.path(), MAIN, &at('a')).unwrap();
        assert!(covered(MAIN, &at('a'), early));
        assert!(!covered(MAIN, &at('a'), late));
        assert!(!covered(MAIN, &at('b'), early));
        assert!(!covered("refs/heads/other", &at('a'), early));
        for stranger in [None, Some(""), Some(other.secret())] {
            assert!(!asks(stranger, MAIN, &at('a'), early), "{stranger:?}");
        }
        drop(ticket);
        assert!(!covered(MAIN, &at('a'), early));
    }

    #[test]
    fn an_override_is_closed_to_tasks() {
        let tmp = tempfile::tempdir().unwrap();
        let root = fs::canonical(tmp.path()).unwrap();
        let (tasks, late) = (root.join("tasks"), Timestamp::from_millis(1_000));
        fs::create_dir_all(&tasks.join("1/deep")).unwrap();
        let mine = Override::new(&tasks, late).unwrap();
        let ticket = mine.issue(tmp.path(), MAIN, &at('a')).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&ticket.path().metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "its secret is the command's");
        let covered = |cwd: &Path, vars: &[(&str, &str)]| {
            let vars = [&[(var::ORCH_OVERRIDE, mine.secret())], vars].concat();
            let env = Env::from_pairs(vars);
            let asking = Asking { env: &env, cwd, now: Timestamp::from_millis(1) };
            overridden(tmp.path(), MAIN, &at('a'), &asking).unwrap()
        };
        assert!(covered(&root, &[]));
        assert!(!covered(&tasks.join("1/deep"), &[]));
        assert!(!covered(&root, &[(var::ORCH_TASK, "1")]));
        assert!(covered(&root, &[(var::ORCH_TASK, "1"), (var::ORCH_WORKTREE, "/")]), "another repository's");
        drop(ticket);
    }

    #[test]
    fn an_override_is_not_issued_where_it_could_not_be_closed_to_tasks() {
        let late = Timestamp::from_millis(1_000);
        let odd: [&[u8]; 3] = [b"/a\nb", b"/a\r", b"/\xff"];
        for path in odd {
            let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(path);
            assert!(Override::new(Path::new(path), late).is_none(), "{path:?}");
        }
        assert!(Override::new(Path::new("/grün und 'x'"), late).is_some());
    }
}
