//! Questions.

use rusqlite::{Connection, Params};

use crate::domain::graph::{self, Edges};
use crate::domain::id::{IdPrefix, TaskId};
use crate::domain::kind::Kind;
use crate::domain::task::{Claim, State};
use crate::domain::time::Timestamp;
use crate::index::cycles::{self, DEPENDENTS, dependents};
use crate::index::error::IndexError;
use crate::index::filter::Filter;
use crate::index::open::Index;
use crate::index::row::{COLUMNS, Row};

/// More tasks than this with the same prefix are "ambiguous" whatever their number.
const PREFIX_LIMIT: usize = 32;
/// How many wrong characters a nearest id may have.
const TYPO: usize = 2;

/// How many tasks there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By status word, in the order of a task's life; every word is there.
    pub by_status: Vec<(&'static str, u64)>,
    /// Of the open ones, those that `next` would hand out.
    pub ready: u64,
}

/// An unfinished task that nobody can take now, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The task.
    pub row: Row,
    /// Why it waits.
    pub because: Because,
}

/// What an unfinished task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// These tasks have to be done first.
    Needs(Vec<Need>),
    /// Somebody holds it.
    Held {
        /// Who, as the register has it.
        owner: String,
        /// Until when unless renewed.
        until: Option<Timestamp>,
        /// How sure the claim is.
        claim: Option<Claim>,
    },
    /// Something outside the queue.
    Blocked(String),
    /// A person who reviews it.
    Review,
}

/// A task that has to be done first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its id.
    pub id: TaskId,
    /// Its status word; None if there is no such task.
    pub status: Option<&'static str>,
}

impl Index {
    /// Has SQLite look through all of the file. `Corrupt` if it finds anything.
    pub fn check_whole(&self) -> Result<(), IndexError> {
        let said: String = self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if said == "ok" { Ok(()) } else { Err(IndexError::corrupt(said)) }
    }

    /// The ready tasks that `filter` wants, in the order of `next`, at most `limit`. Statuses and owners in
    /// the filter make no difference but to exclude.
    pub fn ready(&self, filter: &Filter, limit: usize) -> Result<Vec<Row>, IndexError> {
        let rows = rows(&self.db, &ready_sql(filter), [], |row| filter.matches(row), limit)?;
        match rows.iter().find(|row| !row.ready()) {
            Some(row) => Err(IndexError::corrupt(format!("task {} is not ready", row.id))),
            None => Ok(rows),
        }
    }

    /// The tasks that `filter` wants, ready or not, in the order of `next`, at most `limit`.
    pub fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<Row>, IndexError> {
        rows(&self.db, &list_sql(filter), [], |row| filter.matches(row), limit)
    }

    /// One task.
    pub fn row(&self, id: &TaskId) -> Result<Option<Row>, IndexError> {
        let sql = format!("SELECT {COLUMNS} FROM task WHERE id = ?1");
        Ok(rows(&self.db, &sql, [id.as_str()], |_| true, 1)?.pop())
    }

    /// The tasks that `prefix` can mean, in the order of ids; at most some dozens. An exact id is the only
    /// one.
    pub fn by_prefix(&self, prefix: &IdPrefix) -> Result<Vec<TaskId>, IndexError> {
        let sql = format!("SELECT {COLUMNS} FROM task WHERE id >= ?1 AND id < ?2 ORDER BY id");
        // `{` comes after `z`, the last character of the alphabet.
        let range = [prefix.prefix.clone(), format!("{}{{", prefix.prefix)];
        let wanted = |row: &Row| prefix.kind.is_none_or(|kind| kind == row.kind);
        let mut found: Vec<TaskId> =
            rows(&self.db, &sql, range, wanted, PREFIX_LIMIT)?.into_iter().map(|row| row.id).collect();
        if let Some(exact) = found.iter().position(|id| id.as_str() == prefix.prefix) {
            found = vec![found.swap_remove(exact)];
        }
        Ok(found)
    }

    /// Ids that `typed` may have been meant for, the likeliest first, at most `limit`. Reads every id.
    pub fn nearest(&self, typed: &str, limit: usize) -> Result<Vec<TaskId>, IndexError> {
        let typed = typed.rsplit('-').next().unwrap_or(typed).to_ascii_lowercase();
        let mut all = self.db.prepare("SELECT id FROM task")?;
        let mut near = Vec::new();
        for id in all.query_map([], |row| row.get::<_, String>(0))? {
            let id = id?;
            let start: String = id.chars().take(typed.chars().count()).collect();
            let distance = strsim::osa_distance(&typed, &start);
            if distance <= TYPO && distance < typed.chars().count() {
                near.push((distance, TaskId::parse(&id).map_err(|e| IndexError::corrupt(e.to_string()))?));
            }
        }
        near.sort();
        Ok(near.into_iter().take(limit).map(|(_, id)| id).collect())
    }

    /// The tasks whose file can't be read, and why, by id.
    pub fn damaged(&self) -> Result<Vec<(TaskId, String)>, IndexError> {
        let mut all = self.db.prepare("SELECT id, what FROM damage ORDER BY id")?;
        let found = all.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let parse = |(id, what): (String, String)| {
            Ok((TaskId::parse(&id).map_err(|e| IndexError::corrupt(e.to_string()))?, what))
        };
        found.collect::<Result<Vec<_>, _>>()?.into_iter().map(parse).collect()
    }

    /// How many tasks there are.
    pub fn counts(&self) -> Result<Counts, IndexError> {
        let mut by_status: Vec<(&'static str, u64)> = State::STATUSES.into_iter().map(|s| (s, 0)).collect();
        let mut group = self.db.prepare("SELECT status, count(*) FROM task GROUP BY status")?;
        for pair in group.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))? {
            let (status, count) = pair?;
            let entry = by_status.iter_mut().find(|(s, _)| *s == status);
            entry.ok_or_else(|| IndexError::corrupt(format!("status `{status}`")))?.1 = unsigned(count);
        }
        let sql = "SELECT count(*) FROM task INDEXED BY task_ready WHERE status = 'open' AND unmet = 0";
        let ready = self.db.query_row(sql, [], |row| row.get(0))?;
        Ok(Counts { by_status, ready: unsigned(ready) })
    }

    /// How many tasks are of each kind. Reads every row.
    pub fn kinds(&self) -> Result<Vec<(&'static str, u64)>, IndexError> {
        let mut count: Vec<(&'static str, u64)> = Kind::ALL.iter().map(|kind| (kind.as_str(), 0)).collect();
        let mut group = self.db.prepare("SELECT kind, count(*) FROM task GROUP BY kind")?;
        for pair in group.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))? {
            let (kind, number) = pair?;
            let entry = count.iter_mut().find(|(word, _)| *word == kind);
            entry.ok_or_else(|| IndexError::corrupt(format!("kind `{kind}`")))?.1 = unsigned(number);
        }
        Ok(count)
    }

    /// The unfinished tasks that `filter` wants and nobody can take now, with what they wait for, in the
    /// order of `next`, at most `limit`.
    pub fn waiting(&self, filter: &Filter, limit: usize) -> Result<Vec<Waiting>, IndexError> {
        let unfinished = |s: &&'static str| {
            !matches!(*s, "done" | "closed") && (filter.statuses.is_empty() || filter.statuses.contains(s))
        };
        let statuses: Vec<&'static str> = State::STATUSES.into_iter().filter(unfinished).collect();
        if statuses.is_empty() {
            return Ok(Vec::new());
        }
        let filter = Filter { statuses, ..filter.clone() };
        let wanted = |row: &Row| filter.matches(row) && !row.ready();
        let rows = rows(&self.db, &list_sql(&filter), [], wanted, limit)?;
        rows.into_iter().map(|row| Ok(Waiting { because: self.because(&row)?, row })).collect()
    }

    fn because(&self, row: &Row) -> Result<Because, IndexError> {
        Ok(match row.status {
            "open" => Because::Needs(self.unmet(row)?),
            "blocked" => Because::Blocked(row.reason.clone().unwrap_or_default()),
            "review" => Because::Review,
            _ => Because::Held {
                owner: row.owner.clone().unwrap_or_default(),
                until: row.expires,
                claim: row.claim,
            },
        })
    }

    /// Which of the needs of `row` are not done, without those that do not count.
    pub fn unmet(&self, row: &Row) -> Result<Vec<Need>, IndexError> {
        let ignored = if row.needs.is_empty() { Edges::new() } else { self.ignored()? };
        self.unmet_without(row, &ignored)
    }

    /// The edges that close a cycle and do not count.
    pub fn ignored(&self) -> Result<Edges, IndexError> {
        cycles::stored(&self.db)
    }

    fn unmet_without(&self, row: &Row, ignored: &Edges) -> Result<Vec<Need>, IndexError> {
        let mut unmet = Vec::new();
        for id in row.needs.iter().filter(|id| !graph::has(ignored, &row.id, id)) {
            let status = self.row(id)?.map(|need| need.status);
            if status != Some("done") {
                unmet.push(Need { id: id.clone(), status });
            }
        }
        Ok(unmet)
    }

    /// The tasks that need `id` directly, in the order of ids.
    pub fn needed_by(&self, id: &TaskId) -> Result<Vec<TaskId>, IndexError> {
        dependents(&mut self.db.prepare(DEPENDENTS)?, id)
    }

    /// The tasks in whose title or body all words of `text` occur (the last one may be a beginning), best
    /// match first, at most `limit`.
    pub fn search(&self, text: &str, limit: usize) -> Result<Vec<Row>, IndexError> {
        let Some(query) = match_query(text) else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT {COLUMNS} FROM task JOIN (SELECT rowid AS hit, bm25(words, 5.0, 1.0) AS score FROM words
             WHERE words MATCH ?1) ON n = hit ORDER BY score, created, id"
        );
        rows(&self.db, &sql, [query], |_| true, limit)
    }

    /// Reads everything and compares: for `doctor`, not for every command.
    pub fn check(&self) -> Result<(), IndexError> {
        let verdict: String = self.db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(IndexError::Corrupt(verdict));
        }
        let all = self.list(&Filter::default(), usize::MAX)?;
        let ignored = cycles::computed(&self.db)?;
        if ignored != self.ignored()? {
            return Err(IndexError::corrupt("the cycles"));
        }
        for row in &all {
            if self.unmet_without(row, &ignored)?.len() != usize::try_from(row.unmet).unwrap_or(usize::MAX) {
                return Err(IndexError::corrupt(format!("the needs of task {}", row.id)));
            }
        }
        let ready = all.iter().filter(|row| row.ready()).count();
        if self.counts()?.ready != u64::try_from(ready).unwrap_or(u64::MAX) {
            return Err(IndexError::corrupt("the ready queue"));
        }
        Ok(())
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// `INDEXED BY` makes a plan without the partial index an error, not a scan.
pub(super) fn ready_sql(filter: &Filter) -> String {
    format!(
        "SELECT {COLUMNS} FROM task INDEXED BY task_ready WHERE status = 'open' AND unmet = 0{}
         ORDER BY priority, created, id",
        filter.sql()
    )
}

pub(super) fn list_sql(filter: &Filter) -> String {
    // Few statuses are few rows to sort; of all of them, most are wanted, and the first soon found.
    let few = (1..=2).contains(&filter.statuses.len());
    let by = if few { "task_status" } else { "task_order" };
    format!(
        "SELECT {COLUMNS} FROM task INDEXED BY {by} WHERE true{} ORDER BY priority, created, id",
        filter.sql()
    )
}

/// The first `limit` rows of `sql` that are wanted.
fn rows(
    db: &Connection,
    sql: &str,
    values: impl Params,
    wanted: impl Fn(&Row) -> bool,
    limit: usize,
) -> Result<Vec<Row>, IndexError> {
    let mut statement = db.prepare(sql)?;
    let mut found = statement.query(values)?;
    let mut rows = Vec::new();
    while rows.len() < limit
        && let Some(row) = found.next()?
    {
        let row = Row::read(row)?;
        if wanted(&row) {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether `search` for `text` finds a task with this title and body; for those who read git instead. Accents, which
/// the index does not look at, make a difference here.
pub fn says(text: &str, title: &str, body: &str) -> bool {
    let wanted: Vec<String> = words(text).map(str::to_lowercase).collect();
    let there: Vec<String> = words(title).chain(words(body)).map(str::to_lowercase).collect();
    let Some((last, rest)) = wanted.split_last() else { return false };
    rest.iter().all(|word| there.contains(word)) && there.iter().any(|word| word.starts_with(last.as_str()))
}

/// What a person typed as FTS5 reads it: each word quoted, so that none is an operator. None without words.
fn match_query(text: &str) -> Option<String> {
    let words: Vec<String> = words(text).map(|w| format!("\"{w}\"")).collect();
    (!words.is_empty()).then(|| format!("{}*", words.join(" ")))
}
