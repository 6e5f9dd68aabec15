//! Tickets: files that let one move of trunk through the guard.
//!
//! A ticket counts only while its issuer holds the kernel lock on it, so it ends with the process and nothing
//! has to be cleaned up after a crash. A *move* ticket names exactly one move (ref, old, new); an *override*
//! ticket names a ref at a value, for any one move from there until it expires (`git orch override`).
//! Written by `ops`, read by `guard`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::time::Timestamp;
use crate::sys::clock::Clock;
use crate::sys::fs::{self, FsError};
use crate::sys::lock::{FileLock, LockError};
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
    let lock = FileLock::acquire_with(&dir(orch).join(new.as_str()), &text, PATIENCE, Clock)?;
    Ok(Ticket { lock })
}

/// Lets `reference` move once from `old` to anything until `expires` or until the ticket is dropped.
pub fn issue_override(
    orch: &Path,
    reference: &str,
    old: &MaybeOid,
    expires: Timestamp,
) -> Result<Ticket, LockError> {
    let mut text = format!("ref {reference}\nold {}\n", text_of(old));
    // Writing to a String can't fail.
    let _ = writeln!(text, "expires {}", expires.millis());
    let path = dir(orch).join(format!("{OVERRIDE}{:010x}", random::bits40()));
    Ok(Ticket { lock: FileLock::acquire_with(&path, &text, PATIENCE, Clock)? })
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

/// Whether an override ticket in force at `now` covers `reference` while its value is `old`.
pub fn overridden(orch: &Path, reference: &str, old: &MaybeOid, now: Timestamp) -> Result<bool, FsError> {
    for path in fs::list(&dir(orch))? {
        let ours = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(OVERRIDE));
        let Some(text) = (if ours { fs::read_optional(&path)? } else { None }) else { continue };
        let fresh = field(&text, "expires")
            .and_then(|ms| ms.parse().ok())
            .is_some_and(|ms| now < Timestamp::from_millis(ms));
        let fits = fresh && field(&text, "ref") == Some(reference) && names(&text, "old", old);
        if fits && FileLock::is_held(&path)? {
            return Ok(true);
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
        let covered = |name: &str, old: &MaybeOid, now| overridden(tmp.path(), name, old, now).unwrap();
        assert!(!covered(MAIN, &at('a'), early));
        let ticket = issue_override(tmp.path(), MAIN, &at('a'), late).unwrap();
        assert!(covered(MAIN, &at('a'), early));
        assert!(!covered(MAIN, &at('a'), late));
        assert!(!covered(MAIN, &at('b'), early));
        assert!(!covered("refs/heads/other", &at('a'), early));
        drop(ticket);
        assert!(!covered(MAIN, &at('a'), early));
    }
}
