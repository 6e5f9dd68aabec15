//! Following the state: applying a difference, or building anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::domain::graph::{self, Edge};
use crate::domain::id::TaskId;
use crate::domain::kind::Priority;
use crate::domain::oid::Oid;
use crate::domain::role::Role;
use crate::domain::task::{Claim, State, Task};
use crate::domain::time::Timestamp;
use crate::index::cycles::{self, DEPENDENTS, Touched, dependents};
use crate::index::error::IndexError;
use crate::index::open::{self, Index};
use crate::index::row::{COLUMNS, Row, Sum};
use crate::sys::clock::Clock;
use crate::sys::failpoint::{self, Point};
use crate::sys::lock::{FileLock, LockError};
use crate::sys::{fs, mount};

/// How long a rebuild waits for the readers of the old file.
const SWAP_PATIENCE: Duration = Duration::from_millis(500);

const INSERT: &str = "
INSERT INTO task (id, kind, priority, status, title, role, doer, labels, needs, owner, claim, expires, reason,
                  fence, branch, created, updated, unmet, guard, words_sum, edges_sum, sum)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 0, ~0, ?18, ?19, ?20)";

/// After `INSERT`.
const ELSE_UPDATE: &str = "
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, priority = excluded.priority, status = excluded.status, title = excluded.title,
    role = excluded.role, doer = excluded.doer, labels = excluded.labels, needs = excluded.needs,
    owner = excluded.owner, claim = excluded.claim, expires = excluded.expires, reason = excluded.reason,
    fence = excluded.fence, branch = excluded.branch, created = excluded.created, updated = excluded.updated,
    words_sum = excluded.words_sum, edges_sum = excluded.edges_sum, sum = excluded.sum
RETURNING n";

const DELETE: &str = "DELETE FROM task WHERE n = ?1";
const LINK: &str = "INSERT OR REPLACE INTO dep (needed, task, tag) VALUES (?1, ?2, ?3)";
const UNLINK: &str = "DELETE FROM dep WHERE needed = ?1 AND task = ?2";
const ADD_WORDS: &str = "INSERT INTO words (rowid, title, body) VALUES (?1, ?2, ?3)";
const DROP_WORDS: &str = "DELETE FROM words WHERE rowid = ?1";
/// More than there are.
const STATEMENTS: usize = 16;

/// How long the write-ahead log may get: some ten changes.
const LOG_BYTES: u64 = 64 * 4096;

/// `WHERE` follows.
const COUNT_UNMET: &str = "
UPDATE task SET (unmet, guard) = (
    SELECT count(*), ~count(*) FROM json_each(task.needs) AS need
    WHERE NOT EXISTS (SELECT 1 FROM task AS other WHERE other.id = need.value AND other.status = 'done')
      AND NOT EXISTS (SELECT 1 FROM ignored WHERE ignored.task = task.id AND ignored.needed = need.value))";

/// The difference between two commits of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Tasks that are new or different.
    pub upserts: Vec<Task>,
    /// Tasks that are gone (archived), or can't be read.
    pub removed: Vec<TaskId>,
    /// Of the removed ones, those whose file is there and can't be read, and why.
    pub damaged: Vec<(TaskId, String)>,
}

/// A task whose file can't be read, and why.
pub type Damaged = (TaskId, String);

/// What became of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a difference that came too late was not applied"]
pub enum Applied {
    /// The index describes the new commit.
    Done,
    /// The index describes another commit than the difference starts from (None: none). Nothing was changed.
    Stale(Option<Oid>),
}

/// What was known of a task before.
struct Before {
    row: Row,
    n: i64,
    words_sum: i64,
    edges_sum: i64,
}

impl Index {
    /// Moves the index from the commit `from` (None: an empty index) to `to` in one transaction, if `from` is
    /// what it describes.
    pub fn apply(&mut self, from: Option<&Oid>, to: &Oid, changes: &Changes) -> Result<Applied, IndexError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = open::indexed(&tx)?;
        if found.as_ref() != from {
            return Ok(Applied::Stale(found));
        }
        let mut recount = BTreeSet::new();
        let mut edges = Touched::default();
        let writer = Writer::new(&tx);
        for id in &changes.removed {
            recount.extend(writer.remove(id, &mut edges)?);
        }
        for task in &changes.upserts {
            recount.extend(writer.upsert(task, &mut edges)?);
        }
        note_damage(&tx, changes)?;
        recount.extend(cycles::follow(&tx, &edges)?);
        count_unmet(&tx, &recount)?;
        open::set_indexed(&tx, to)?;
        failpoint::at(Point::IndexWritten);
        tx.commit()?;
        failpoint::at(Point::IndexDone);
        self.shorten();
        Ok(Applied::Done)
    }

    /// Empties the write-ahead log once it is long: every command is a process of its own that reads all of it, and
    /// SQLite begins it anew only for a process that emptied it itself. Not now is as good as now.
    fn shorten(&self) {
        let mut log = self.file.clone().into_os_string();
        log.push("-wal");
        if fs::size(Path::new(&log)).is_none_or(|bytes| bytes <= LOG_BYTES) {
            return;
        }
        let ask = "PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = self.db.execute_batch(ask) {
            tracing::debug!(%error, "the index's log stays long");
        }
    }

    /// Builds the index of `to` anew from all its tasks, each once and cheapest in the order of ids, beside the old one, and swaps it in.
    ///
    /// `Busy` if others have the old one open for long: then they are the ones who rebuild next.
    pub fn rebuild(
        dir: &Path,
        to: &Oid,
        tasks: impl IntoIterator<Item = Result<Task, Damaged>>,
    ) -> Result<Self, IndexError> {
        fs::create_dir_all(dir)?;
        let beside = tempfile::Builder::new().prefix("index-").suffix(".tmp").tempdir_in(dir);
        let beside =
            beside.map_err(|source| fs::FsError { action: "create", path: dir.to_owned(), source })?;
        let new = beside.path().join("new.db");
        fill(&new, to, tasks)?;
        settle(&new, mount::of(dir)?)?;
        {
            let patience = FileLock::acquire(&open::lock_file(dir), SWAP_PATIENCE, Clock);
            let _alone = match patience {
                Ok(lock) => lock,
                Err(LockError::Busy { .. }) => return Err(IndexError::Busy),
                Err(LockError::Fs(e)) => return Err(e.into()),
            };
            swap_in(&new, &open::file(dir))?;
        }
        Self::open(dir)
    }
}

/// Writes how many needs of each task `unmet` has, where no task has any yet. What `COUNT_UNMET` says, without asking the
/// tables about each.
fn set_unmet<'e>(db: &Connection, unmet: impl Iterator<Item = &'e Edge<'e>>) -> Result<(), IndexError> {
    let mut counts: BTreeMap<&TaskId, i64> = BTreeMap::new();
    for edge in unmet {
        *counts.entry(edge.task).or_default() += 1;
    }
    let mut set = db.prepare("UPDATE task SET unmet = ?2, guard = ~?2 WHERE id = ?1")?;
    for (task, count) in counts {
        set.execute(params![task.as_str(), count])?;
    }
    Ok(())
}

/// Counts the unmet needs of `tasks` again.
fn count_unmet(db: &Connection, tasks: &BTreeSet<TaskId>) -> Result<(), IndexError> {
    if tasks.is_empty() {
        return Ok(());
    }
    let mut count = db.prepare(&format!("{COUNT_UNMET} WHERE id = ?1"))?;
    for id in tasks {
        count.execute([id.as_str()])?;
    }
    Ok(())
}

/// Puts the file `new` where `file` is, with nothing of the old one left. Only under the exclusive lock.
fn swap_in(new: &Path, file: &Path) -> Result<(), IndexError> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        fs::remove_file_if_there(Path::new(&name))?;
    }
    Ok(fs::rename(new, file)?)
}

fn note_damage(db: &Connection, changes: &Changes) -> Result<(), IndexError> {
    let mut mended = db.prepare("DELETE FROM damage WHERE id = ?1")?;
    for id in changes.removed.iter().chain(changes.upserts.iter().map(|task| &task.id)) {
        mended.execute([id.as_str()])?;
    }
    add_damage(db, &changes.damaged)
}

fn add_damage(db: &Connection, damaged: &[(TaskId, String)]) -> Result<(), IndexError> {
    if damaged.is_empty() {
        return Ok(());
    }
    let mut note = db.prepare("INSERT OR REPLACE INTO damage (id, what) VALUES (?1, ?2)")?;
    for (id, what) in damaged {
        note.execute([id.as_str(), what])?;
    }
    Ok(())
}

fn fill(
    new: &Path,
    to: &Oid,
    tasks: impl IntoIterator<Item = Result<Task, Damaged>>,
) -> Result<(), IndexError> {
    let mut db = open::connect(new)?;
    // Nobody sees the file before it is whole: no journal, and one flush at the end. Much memory, for a moment.
    db.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -65536;",
    )?;
    let tx = db.transaction()?;
    open::create_tables(&tx)?;
    let writer = Writer::new(&tx);
    let (mut edges, mut done, mut damaged) = (Vec::new(), BTreeSet::new(), Vec::new());
    for task in tasks {
        match task {
            Ok(task) => {
                writer.insert(&task)?;
                edges.extend(
                    graph::edges_of(&task).map(|e| (e.needed.clone(), e.task.clone(), e.tag.to_owned())),
                );
                if matches!(task.register.state, State::Done(_)) {
                    done.insert(task.id);
                }
            }
            Err(of) => damaged.push(of),
        }
    }
    // In order, a table is filled from one end.
    edges.sort_unstable();
    writer.link_all(&edges)?;
    let edges: Vec<Edge<'_>> = edges.iter().map(|(needed, task, tag)| Edge { tag, task, needed }).collect();
    let ignored = graph::ignored(&edges);
    cycles::ignore(&tx, &ignored)?;
    set_unmet(
        &tx,
        edges.iter().filter(|e| !done.contains(e.needed) && !graph::has(&ignored, e.task, e.needed)),
    )?;
    tx.execute_batch(open::CREATE_INDEXES)?;
    add_damage(&tx, &damaged)?;
    open::set_indexed(&tx, to)?;
    tx.commit()?;
    db.close().map_err(|(_, error)| IndexError::from(error))
}

/// Makes a filled file what an open index is: flushed, with its journal.
fn settle(new: &Path, mount: mount::Mount) -> Result<(), IndexError> {
    let db = open::connect(new)?;
    if mount == mount::Mount::Local {
        db.pragma_update(None, "journal_mode", "WAL")?;
        // All of it must be in the one file that is renamed.
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    db.close().map_err(|(_, error)| IndexError::from(error))
}

/// How a row is written.
#[derive(Clone, Copy)]
enum Write {
    /// It is not there. Nothing to fall back from: a statement with `ON CONFLICT` or `RETURNING` opens a savepoint, at
    /// which FTS5 writes down all words that it has collected.
    New,
    /// It may be there.
    Over,
}

/// Writes tasks. Statements are prepared when they are first needed: a claim needs few of them, and those of the
/// words open the whole full-text table.
struct Writer<'c> {
    db: &'c Connection,
}

impl<'c> Writer<'c> {
    fn new(db: &'c Connection) -> Self {
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        Self { db }
    }

    /// Writes a task that is not there, without its edges.
    fn insert(&self, task: &Task) -> Result<(), IndexError> {
        let n = self.write(Write::New, &Row::new(task, 0), words_sum(task), edges_sum(task))?;
        self.db.prepare_cached(ADD_WORDS)?.execute((n, &task.title.value, &task.body.value))?;
        Ok(())
    }

    /// Writes edges: the needed task, the other, the tag.
    fn link_all(&self, edges: &[(TaskId, TaskId, String)]) -> Result<(), IndexError> {
        let mut link = self.db.prepare_cached(LINK)?;
        for (needed, task, tag) in edges {
            link.execute([needed.as_str(), task.as_str(), tag])?;
        }
        Ok(())
    }

    /// Writes a task; returns those whose `unmet` that may change.
    fn upsert(&self, task: &Task, edges: &mut Touched) -> Result<Vec<TaskId>, IndexError> {
        let before = self.find(&task.id)?;
        let row = Row::new(task, 0);
        let (words_sum, edges_sum) = (words_sum(task), edges_sum(task));
        let n = self.write(Write::Over, &row, words_sum, edges_sum)?;
        let old: &[TaskId] = before.as_ref().map_or(&[], |b| &b.row.needs);
        if before.as_ref().map_or(!row.needs.is_empty(), |b| b.edges_sum != edges_sum) {
            self.relink(task, old, edges)?;
        }
        if before.as_ref().is_none_or(|b| b.words_sum != words_sum) {
            if before.is_some() {
                self.db.prepare_cached(DROP_WORDS)?.execute([n])?;
            }
            self.db.prepare_cached(ADD_WORDS)?.execute((n, &task.title.value, &task.body.value))?;
        }
        let was_done = before.as_ref().is_some_and(|b| is_done(&b.row));
        let mut recount = if was_done == is_done(&row) { Vec::new() } else { self.dependents(&row.id)? };
        if row.needs != before.map_or_else(Vec::new, |b| b.row.needs) {
            recount.push(row.id);
        }
        Ok(recount)
    }

    /// Removes a task; returns those whose `unmet` that changes.
    fn remove(&self, id: &TaskId, edges: &mut Touched) -> Result<Vec<TaskId>, IndexError> {
        let Some(before) = self.find(id)? else { return Ok(Vec::new()) };
        self.unlink(id, before.row.needs.iter(), edges)?;
        self.db.prepare_cached(DROP_WORDS)?.execute([before.n])?;
        self.db.prepare_cached(DELETE)?.execute([before.n])?;
        if is_done(&before.row) { self.dependents(id) } else { Ok(Vec::new()) }
    }

    fn dependents(&self, id: &TaskId) -> Result<Vec<TaskId>, IndexError> {
        dependents(&mut *self.db.prepare_cached(DEPENDENTS)?, id)
    }

    fn find(&self, id: &TaskId) -> Result<Option<Before>, IndexError> {
        let mut find = self
            .db
            .prepare_cached(&format!("SELECT {COLUMNS}, n, words_sum, edges_sum FROM task WHERE id = ?1"))?;
        let mut rows = find.query([id.as_str()])?;
        let Some(found) = rows.next()? else { return Ok(None) };
        let row = Row::read(found)?;
        Ok(Some(Before { row, n: found.get(19)?, words_sum: found.get(20)?, edges_sum: found.get(21)? }))
    }

    /// Writes a row; returns its number.
    fn write(&self, how: Write, row: &Row, words_sum: i64, edges_sum: i64) -> Result<i64, IndexError> {
        let priority = Priority::ALL.iter().position(|p| *p == row.priority);
        let needs: Vec<&str> = row.needs.iter().map(TaskId::as_str).collect();
        let values = params![
            row.id.as_str(),
            row.kind.as_str(),
            priority.and_then(|p| i64::try_from(p).ok()),
            row.status,
            row.title,
            row.role.map(Role::as_str),
            row.doer().as_str(),
            json(&row.labels),
            json(&needs),
            row.owner,
            row.claim.map(Claim::as_str),
            row.expires.map(Timestamp::millis),
            row.reason,
            row.fence.cast_signed(),
            row.branch,
            row.created.millis(),
            row.updated.millis(),
            words_sum,
            edges_sum,
            row.sum(),
        ];
        Ok(match how {
            Write::New => self.db.prepare_cached(INSERT)?.insert(values)?,
            Write::Over => {
                self.db.prepare_cached(&format!("{INSERT}{ELSE_UPDATE}"))?.query_row(values, |r| r.get(0))?
            }
        })
    }

    /// Replaces the edges of `task` to `before` by those that it has now.
    fn relink(&self, task: &Task, before: &[TaskId], edges: &mut Touched) -> Result<(), IndexError> {
        self.unlink(&task.id, before.iter().filter(|needed| !task.needs.contains(needed)), edges)?;
        for edge in graph::edges_of(task) {
            if before.contains(edge.needed) {
                // Perhaps under another tag.
                edges.lose();
            } else {
                edges.add(&task.id, edge.needed);
            }
            self.db.prepare_cached(LINK)?.execute([edge.needed.as_str(), task.id.as_str(), edge.tag])?;
        }
        Ok(())
    }

    fn unlink<'i>(
        &self,
        id: &TaskId,
        needed: impl Iterator<Item = &'i TaskId>,
        edges: &mut Touched,
    ) -> Result<(), IndexError> {
        for gone in needed {
            edges.lose();
            self.db.prepare_cached(UNLINK)?.execute([gone.as_str(), id.as_str()])?;
        }
        Ok(())
    }
}

fn json(words: &impl serde::Serialize) -> String {
    serde_json::to_string(words).expect("texts are JSON")
}

fn is_done(row: &Row) -> bool {
    row.status == "done"
}

fn edges_sum(task: &Task) -> i64 {
    let mut sum = Sum::default();
    for edge in graph::edges_of(task) {
        sum.text(edge.needed.as_str());
        sum.text(edge.tag);
    }
    sum.finish()
}

fn words_sum(task: &Task) -> i64 {
    let mut sum = Sum::default();
    sum.text(&task.title.value);
    sum.text(&task.body.value);
    sum.finish()
}
