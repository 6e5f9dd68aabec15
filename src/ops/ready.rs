//! The queue's order: what is ready, and why the rest is not.
//!
//! Answers come from the index, brought up to the snapshot first; whatever is wrong with the index, they come from
//! git instead, slower and the same. A claim is never decided here: see `take`.

use std::collections::BTreeMap;

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::Task;
use crate::index::{Applied, Changes, Filter, Index, IndexError, Row};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::store::{Listing, Snapshot, task_of_path};

/// Whether only ready tasks are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Ready or not.
    Any,
    /// Those that `next` would hand out.
    Ready,
}

/// The queue at one snapshot.
pub enum Queue {
    /// Answered by the index.
    Indexed(Index),
    /// Answered from git: the index is locked, broken or can't be written.
    Listed(Box<Listing>),
}

impl Queue {
    /// Opens the queue at `snapshot`.
    pub fn open(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<Self, OpError> {
        match indexed(cx, snapshot) {
            Ok(Some(index)) => Ok(Self::Indexed(index)),
            Ok(None) => Ok(Self::Listed(Box::new(snapshot.tasks()?))),
            Err(IndexedError::Index(error)) => {
                tracing::debug!(%error, "the index does not answer; reading git");
                Ok(Self::Listed(Box::new(snapshot.tasks()?)))
            }
            Err(IndexedError::Other(error)) => Err(error),
        }
    }

    fn rows(tasks: &BTreeMap<TaskId, Task>) -> Vec<Row> {
        let unmet = crate::ops::tasks::unmet(tasks);
        let missing =
            |task: &Task| unmet.get(&task.id).map_or(0, |ids| u64::try_from(ids.len()).unwrap_or(1));
        let mut rows: Vec<Row> = tasks.values().map(|task| Row::new(task, missing(task))).collect();
        rows.sort_by(|a, b| a.order().cmp(&b.order()));
        rows
    }

    /// The tasks that are left out because their file can't be read, and why.
    pub fn damaged(&self) -> Result<Vec<(TaskId, String)>, OpError> {
        match self {
            Self::Indexed(index) => index.damaged().map_err(bug),
            Self::Listed(listing) => Ok(named(&listing.damaged)),
        }
    }

    /// The ready tasks that match, in the order that `next` hands them out.
    pub fn ready(&self, filter: &Filter, limit: usize) -> Result<Vec<Row>, OpError> {
        match self {
            Self::Indexed(index) => index.ready(filter, limit).map_err(bug),
            Self::Listed(listing) => {
                let rows = Self::rows(&listing.tasks).into_iter();
                Ok(rows.filter(|r| r.ready() && filter.matches(r)).take(limit).collect())
            }
        }
    }

    /// The tasks with these words in title or body that match, best first.
    pub fn search(
        &self,
        text: &str,
        filter: &Filter,
        readiness: Readiness,
        limit: usize,
    ) -> Result<Vec<Row>, OpError> {
        let wanted = |row: &Row| filter.matches(row) && (readiness == Readiness::Any || row.ready());
        let found = match self {
            Self::Indexed(index) => index.search(text, usize::MAX).map_err(bug)?,
            Self::Listed(listing) => {
                let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
                let has = |task: &Task| {
                    let all = format!("{} {}", task.title.value, task.body.value).to_lowercase();
                    words.iter().all(|word| all.contains(word))
                };
                Self::rows(&listing.tasks)
                    .into_iter()
                    .filter(|r| listing.tasks.get(&r.id).is_some_and(has))
                    .collect()
            }
        };
        Ok(found.into_iter().filter(wanted).take(limit).collect())
    }

    /// The tasks that match, in the same order.
    pub fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<Row>, OpError> {
        match self {
            Self::Indexed(index) => index.list(filter, limit).map_err(bug),
            Self::Listed(listing) => {
                Ok(Self::rows(&listing.tasks).into_iter().filter(|r| filter.matches(r)).take(limit).collect())
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn bug(error: IndexError) -> OpError {
    OpError::Bug(format!("the index failed: {error}"))
}

enum IndexedError {
    Index(IndexError),
    Other(OpError),
}

impl From<IndexError> for IndexedError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl<E: Into<OpError>> From<OtherError<E>> for IndexedError {
    fn from(error: OtherError<E>) -> Self {
        Self::Other(error.0.into())
    }
}

struct OtherError<E>(E);

/// The index at `snapshot`, or newer; None where it can't be brought there.
fn indexed(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<Option<Index>, IndexedError> {
    let dir = cx.repo.orch_dir();
    let mut index = match Index::open(&dir) {
        Ok(index) => index,
        Err(error) if error.wants_rebuild() => return rebuild(cx, snapshot).map(Some),
        Err(error) => return Err(error.into()),
    };
    let tip = snapshot.commit();
    for _ in 0..4 {
        let at = match index.indexed() {
            Ok(at) => at,
            Err(error) if error.wants_rebuild() => return rebuild(cx, snapshot).map(Some),
            Err(error) => return Err(error.into()),
        };
        if at.as_ref() == Some(tip) {
            return Ok(Some(index));
        }
        let Some(base) = at.filter(|base| cx.repo.has_object(base)) else {
            drop(index);
            return rebuild(cx, snapshot).map(Some);
        };
        let behind = follows(cx, &base, tip)?;
        if !behind && (follows(cx, tip, &base)? || cx.repo.is_ancestor(tip, &base).map_err(OtherError)?) {
            // Another command indexed a later commit meanwhile: its answers are newer and as consistent.
            return Ok(Some(index));
        }
        let found = snapshot.changes_since(Some(&base)).map_err(OtherError)?;
        let damaged = named(&found.damaged);
        let changes = Changes { upserts: found.upserts, removed: found.removed, damaged };
        match index.apply(Some(&base), tip, &changes)? {
            Applied::Done => return Ok(Some(index)),
            Applied::Stale(_) => {}
        }
    }
    Ok(None)
}

/// Whether `tip` comes a few commits after `base` in first-parent order: the common case, without a search.
fn follows(cx: &Ctx, base: &Oid, tip: &Oid) -> Result<bool, IndexedError> {
    const FEW: usize = 32;
    let mut at = tip.clone();
    for _ in 0..FEW {
        match cx.repo.first_parent(&at).map_err(OtherError)? {
            Some(parent) if parent == *base => return Ok(true),
            Some(parent) => at = parent,
            None => return Ok(false),
        }
    }
    Ok(false)
}

fn rebuild(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<Index, IndexedError> {
    let found = snapshot.tasks().map_err(OtherError)?;
    let damaged = named(&found.damaged);
    Ok(Index::rebuild(&cx.repo.orch_dir(), snapshot.commit(), found.tasks.into_values(), &damaged)?)
}

/// The damaged files that are where a task is.
pub(crate) fn named(damaged: &[(String, String)]) -> Vec<(TaskId, String)> {
    damaged.iter().filter_map(|(path, what)| Some((task_of_path(path)?, what.clone()))).collect()
}
