//! The audit as a table: one row for each change in the state's history.
//!
//! In a file of its own, `events-1.db`, because claims must not pay for it: the commands that read it bring it up to
//! date first. One process at a time has it open, under `events.lock`. Each row carries a checksum; whoever finds a
//! wrong one, or another history than the one that was read, takes the file away and answers from git.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::index::error::IndexError;
use crate::index::open::connect;
use crate::index::row::Sum;
use crate::store::{At, AuditEntry, Recorded};
use crate::sys::clock::Clock;
use crate::sys::fs;
use crate::sys::lock::{FileLock, LockError};

/// The number in the file's name. Every change of what is below raises it.
const SCHEMA: u32 = 1;

const CREATE: &str = "
CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), tip TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (oid TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
    n INTEGER PRIMARY KEY, ms INTEGER NOT NULL, seq INTEGER NOT NULL, oid TEXT NOT NULL, place INTEGER NOT NULL,
    seconds INTEGER NOT NULL, change TEXT NOT NULL, action TEXT NOT NULL, actor TEXT NOT NULL,
    subject TEXT NOT NULL, cause TEXT NOT NULL, note TEXT, sum INTEGER NOT NULL, UNIQUE (change, place)
);
CREATE INDEX IF NOT EXISTS event_time ON event (ms, seq, oid, place);
CREATE INDEX IF NOT EXISTS event_subject ON event (subject, ms, seq, oid, place);
CREATE INDEX IF NOT EXISTS event_cause ON event (cause, ms, seq, oid, place) WHERE cause GLOB 'task/*';
";

const ADD: &str = "INSERT OR IGNORE INTO event
    (ms, seq, oid, place, seconds, change, action, actor, subject, cause, note, sum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const COLUMNS: &str = "ms, seq, oid, place, seconds, change, action, actor, subject, cause, note, sum";
const PATIENCE: Duration = Duration::from_millis(100);

/// Which changes are wanted. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this task, or made on its behalf.
    pub task: Option<TaskId>,
    /// By this actor: `person:ann@example.com`, or what follows the colon.
    pub actor: Option<String>,
    /// This action, or all of its group: `task.claim`, `task`.
    pub action: Option<String>,
    /// Not before, in seconds since the epoch.
    pub since: Option<i64>,
}

impl EventFilter {
    /// Whether it wants all.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the change is wanted.
    pub fn matches(&self, recorded: &Recorded) -> bool {
        let entry = &recorded.entry;
        let task = |id: &TaskId| {
            let subject = format!("task/{id}");
            entry.subject == subject || entry.cause == subject
        };
        let actor = |wanted: &str| {
            entry.actor == *wanted || entry.actor.split_once(':').is_some_and(|(_, name)| name == wanted)
        };
        let action = |wanted: &str| {
            entry.action == *wanted
                || entry.action.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
        };
        self.task.as_ref().is_none_or(task)
            && self.actor.as_deref().is_none_or(actor)
            && self.action.as_deref().is_none_or(action)
            && self.since.is_none_or(|since| recorded.at.seconds >= since)
    }
}

/// The open table.
#[derive(Debug)]
pub struct Events {
    // Before the lock, so that it is closed before the lock is released.
    db: Connection,
    _lock: FileLock,
}

/// Where the table of `dir` is.
pub fn events_file(dir: &Path) -> PathBuf {
    dir.join(format!("events-{SCHEMA}.db"))
}

impl Events {
    /// Opens the table in `dir`, an empty one if there is none.
    pub fn open(dir: &Path) -> Result<Self, IndexError> {
        let lock = match FileLock::acquire(&dir.join("events.lock"), PATIENCE, Clock) {
            Ok(lock) => lock,
            Err(LockError::Busy { .. }) => return Err(IndexError::Busy),
            Err(LockError::Fs(e)) => return Err(e.into()),
        };
        let made = connect(&events_file(dir)).and_then(|db| {
            db.execute_batch("PRAGMA journal_mode = TRUNCATE;")?;
            db.execute_batch(CREATE)?;
            Ok(db)
        });
        match made {
            Ok(db) => Ok(Self { db, _lock: lock }),
            Err(error) => {
                if error.wants_rebuild() {
                    remove(dir)?;
                }
                Err(error)
            }
        }
    }

    /// Takes the table away; the next one who needs it makes it anew.
    pub fn discard(self, dir: &Path) -> Result<(), IndexError> {
        let Self { db, _lock } = self;
        drop(db);
        remove(dir)
    }

    /// The commit up to which the history is in it.
    pub fn tip(&self) -> Result<Option<Oid>, IndexError> {
        let tip: Option<String> =
            self.db.query_row("SELECT tip FROM meta", [], |row| row.get(0)).optional()?;
        tip.map(|tip| Oid::parse(&tip).map_err(|e| IndexError::corrupt(e.to_string()))).transpose()
    }

    /// Begins to add commits. Nothing is added until `finish`.
    pub fn begin(&mut self) -> Result<Filling<'_>, IndexError> {
        Ok(Filling { tx: self.db.transaction()? })
    }

    /// The changes that `filter` wants, newest first, at most `limit`.
    pub fn find(&self, filter: &EventFilter, limit: usize) -> Result<Vec<Recorded>, IndexError> {
        let mut found = Vec::new();
        self.walk(filter, "DESC", |recorded| {
            if found.len() < limit {
                found.push(recorded);
            }
            found.len() < limit
        })?;
        Ok(found)
    }

    /// Gives `take` the changes that `filter` wants, oldest first.
    pub fn each(&self, filter: &EventFilter, mut take: impl FnMut(Recorded)) -> Result<(), IndexError> {
        self.walk(filter, "ASC", |recorded| {
            take(recorded);
            true
        })
    }

    /// Goes through the changes that `filter` wants in an order of SQL, until `take` has enough.
    fn walk(
        &self,
        filter: &EventFilter,
        order: &'static str,
        mut take: impl FnMut(Recorded) -> bool,
    ) -> Result<(), IndexError> {
        // The clock may run ahead of a commit's time, and rarely is behind it: an hour is given.
        let since = filter.since.map_or(i64::MIN, |since| since.saturating_sub(3_600).saturating_mul(1_000));
        let subject = filter.task.as_ref().map(|id| format!("task/{id}"));
        let from = match subject {
            None => "event WHERE ms >= ?1 AND ?2 IS NULL".to_owned(),
            // Both halves by their own index.
            Some(_) => format!(
                "(SELECT {COLUMNS} FROM event WHERE subject = ?2 AND ms >= ?1 UNION SELECT {COLUMNS} FROM event \
                 WHERE cause = ?2 AND cause GLOB 'task/*' AND ms >= ?1)"
            ),
        };
        let order = ["ms", "seq", "oid", "place"].map(|column| format!("{column} {order}")).join(", ");
        let mut statement = self.db.prepare(&format!("SELECT {COLUMNS} FROM {from} ORDER BY {order}"))?;
        let mut rows = statement.query(params![since, subject])?;
        while let Some(row) = rows.next()? {
            let recorded = read(row)?;
            if filter.matches(&recorded) && !take(recorded) {
                break;
            }
        }
        Ok(())
    }
}

/// Commits that are being added.
#[derive(Debug)]
pub struct Filling<'e> {
    tx: Transaction<'e>,
}

impl Filling<'_> {
    /// Whether a commit is in it already.
    pub fn knows(&self, commit: &Oid) -> Result<bool, IndexError> {
        let mut find = self.tx.prepare_cached("SELECT 1 FROM state WHERE oid = ?1")?;
        Ok(find.exists([commit.as_str()])?)
    }

    /// Adds a commit; `changes` in the order in which it has them.
    pub fn add(&self, at: &At, changes: Vec<AuditEntry>) -> Result<(), IndexError> {
        let mut mark = self.tx.prepare_cached("INSERT OR IGNORE INTO state (oid) VALUES (?1)")?;
        mark.execute([at.commit.as_str()])?;
        let mut add = self.tx.prepare_cached(ADD)?;
        for (place, entry) in (0_i64..).zip(changes) {
            let recorded = Recorded { at: at.clone(), entry };
            let sum = sum(&recorded, place);
            let entry = &recorded.entry;
            add.execute(params![
                at.clock.0,
                at.clock.1,
                at.commit.as_str(),
                place,
                at.seconds,
                entry.id,
                entry.action,
                entry.actor,
                entry.subject,
                entry.cause,
                entry.note,
                sum,
            ])?;
        }
        Ok(())
    }

    /// Keeps what was added: all that `tip` contains.
    pub fn finish(self, tip: &Oid) -> Result<(), IndexError> {
        self.tx.execute("INSERT OR REPLACE INTO meta (one, tip) VALUES (1, ?1)", [tip.as_str()])?;
        Ok(self.tx.commit()?)
    }
}

fn remove(dir: &Path) -> Result<(), IndexError> {
    for suffix in ["-journal", ""] {
        let mut name = events_file(dir).into_os_string();
        name.push(suffix);
        fs::remove_file_if_there(Path::new(&name))?;
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> Result<Recorded, IndexError> {
    let commit: String = row.get(2)?;
    let at = At {
        commit: Oid::parse(&commit).map_err(|e| IndexError::corrupt(e.to_string()))?,
        seconds: row.get(4)?,
        clock: (row.get(0)?, row.get(1)?),
    };
    let entry = AuditEntry {
        id: row.get(5)?,
        action: row.get(6)?,
        actor: row.get(7)?,
        subject: row.get(8)?,
        cause: row.get(9)?,
        note: row.get(10)?,
    };
    let recorded = Recorded { at, entry };
    if sum(&recorded, row.get(3)?) != row.get::<_, i64>(11)? {
        return Err(IndexError::corrupt(format!("the checksum of change {}", recorded.entry.id)));
    }
    Ok(recorded)
}

fn sum(Recorded { at, entry }: &Recorded, place: i64) -> i64 {
    let mut sum = Sum::default();
    for text in [at.commit.as_str(), &entry.id, &entry.action, &entry.actor, &entry.subject, &entry.cause] {
        sum.text(text);
    }
    sum.optional(entry.note.as_deref());
    for number in [at.seconds, at.clock.0, i64::from(at.clock.1), place] {
        sum.bytes(&number.to_le_bytes());
    }
    sum.finish()
}
