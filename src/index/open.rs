//! Opening the file: its place, its lock, its schema, how SQLite is told to treat it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};

use crate::domain::oid::Oid;
use crate::index::error::IndexError;
use crate::index::row::Sum;
use crate::sys::lock::FileLock;
use crate::sys::mount::{self, Mount};

/// The number in the file's name. Every change of what is below, or of what a column means, raises it.
const SCHEMA: u32 = 3;

const CREATE: &str = "
CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), state TEXT NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE task (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, priority INTEGER NOT NULL,
    status TEXT NOT NULL, title TEXT NOT NULL, role TEXT, doer TEXT NOT NULL, labels TEXT NOT NULL,
    needs TEXT NOT NULL, owner TEXT, claim TEXT, expires INTEGER, reason TEXT, fence INTEGER NOT NULL,
    branch TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL, unmet INTEGER NOT NULL,
    guard INTEGER NOT NULL, words_sum INTEGER NOT NULL, edges_sum INTEGER NOT NULL, sum INTEGER NOT NULL
);
CREATE TABLE dep (
    needed TEXT NOT NULL, task TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (needed, task)
) WITHOUT ROWID;
CREATE TABLE ignored (task TEXT NOT NULL, needed TEXT NOT NULL, PRIMARY KEY (task, needed)) WITHOUT ROWID;
CREATE TABLE damage (id TEXT PRIMARY KEY, what TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (title, body, content = '', contentless_delete = 1,
                                       tokenize = 'unicode61 remove_diacritics 2');
";

/// Apart from the tables, because they are made in a fraction of the time once the tables are full.
pub(super) const CREATE_INDEXES: &str = "
CREATE INDEX task_ready ON task (priority, created, id, doer, kind) WHERE status = 'open' AND unmet = 0;
CREATE INDEX task_order ON task (priority, created, id);
CREATE INDEX task_status ON task (status, priority, created, id);
";

/// How long a statement waits for another process. Short: the callers have git to answer from.
const PATIENCE: Duration = Duration::from_millis(100);

/// An open index. Short-lived: it keeps others from rebuilding.
#[derive(Debug)]
pub struct Index {
    // Before the lock, so that it is closed before the lock is released.
    pub(super) db: Connection,
    pub(super) file: PathBuf,
    _lock: FileLock,
}

/// Where the index of `dir` is.
pub fn file(dir: &Path) -> PathBuf {
    dir.join(format!("index-{SCHEMA}.db"))
}

pub(super) fn lock_file(dir: &Path) -> PathBuf {
    dir.join("index.lock")
}

impl Index {
    /// Opens the index in `dir` (`<git common dir>/orch`), an empty one if there is none.
    pub fn open(dir: &Path) -> Result<Self, IndexError> {
        let lock = FileLock::try_shared(&lock_file(dir))?.ok_or(IndexError::Busy)?;
        let mut db = connect(&file(dir))?;
        if version(&db)? == 0 {
            create(&mut db, mount::of(dir)?)?;
        }
        if version(&db)? != SCHEMA {
            return Err(IndexError::corrupt("another schema than the file's name says"));
        }
        Ok(Self { db, file: file(dir), _lock: lock })
    }

    /// The commit of the state that the index describes; None if it is empty.
    pub fn indexed(&self) -> Result<Option<Oid>, IndexError> {
        indexed(&self.db)
    }
}

pub(super) fn connect(file: &Path) -> Result<Connection, IndexError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(file, flags)?;
    db.busy_timeout(PATIENCE)?;
    // Closing would copy the log into the file and flush both: the next writer's worry, not each command's.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.execute_batch(
        "PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    Ok(db)
}

fn version(db: &Connection) -> Result<u32, IndexError> {
    Ok(db.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Makes the tables. Another process may do so at the same time: one of the two finds them made.
pub(super) fn create(db: &mut Connection, mount: Mount) -> Result<(), IndexError> {
    if mount == Mount::Local {
        db.pragma_update(None, "journal_mode", "WAL")?;
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&tx)? == 0 {
        tx.execute_batch(CREATE)?;
        tx.execute_batch(CREATE_INDEXES)?;
        tx.pragma_update(None, "user_version", SCHEMA)?;
    }
    Ok(tx.commit()?)
}

/// Makes the tables in a file that nobody else sees, without the indexes.
pub(super) fn create_tables(db: &Connection) -> Result<(), IndexError> {
    db.execute_batch(CREATE)?;
    Ok(db.pragma_update(None, "user_version", SCHEMA)?)
}

pub(super) fn indexed(db: &Connection) -> Result<Option<Oid>, IndexError> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
    match db.query_row("SELECT state, sum FROM meta", [], read).optional()? {
        None => Ok(None),
        Some((state, sum)) if sum == sum_of(&state) => {
            Oid::parse(&state).map(Some).map_err(|e| IndexError::corrupt(e.to_string()))
        }
        Some(_) => Err(IndexError::corrupt("the checksum of the commit")),
    }
}

pub(super) fn set_indexed(db: &Connection, to: &Oid) -> Result<(), IndexError> {
    let sql = "INSERT INTO meta (one, state, sum) VALUES (1, ?1, ?2)
               ON CONFLICT (one) DO UPDATE SET state = excluded.state, sum = excluded.sum";
    db.execute(sql, (to.as_str(), sum_of(to.as_str())))?;
    Ok(())
}

fn sum_of(state: &str) -> i64 {
    let mut sum = Sum::default();
    sum.text(state);
    sum.finish()
}
