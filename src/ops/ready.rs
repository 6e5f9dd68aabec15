//! The queue's order: what is ready, and why the rest is not.
//!
//! Answers come from the index, brought up to the snapshot first; whatever is wrong with the index, they come from
//! git instead, slower and the same. A claim is never decided here: see `take`.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::domain::id::TaskId;
use crate::domain::kind::Kind;
use crate::domain::oid::Oid;
use crate::domain::task::{State, Task};
use crate::index::{Applied, Changes, Counts, Filter, Index, IndexError, Row, says};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::needs::{self, Needs};
use crate::store::{Listing, Snapshot, task_of_path};
use crate::sys::fs;

/// Whether only ready tasks are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Ready or not.
    Any,
    /// Those that `next` would hand out.
    Ready,
}

/// The queue at one snapshot.
pub struct Queue<'s, 'r> {
    snapshot: &'s Snapshot<'r>,
    /// None: it is locked, broken or can't be written.
    index: Option<Index>,
    listing: OnceCell<Listing>,
}

impl<'s, 'r> Queue<'s, 'r> {
    /// Opens the queue at `snapshot`.
    pub fn open(cx: &Ctx, snapshot: &'s Snapshot<'r>) -> Result<Self, OpError> {
        // Whoever took git-orch out and only looks is left no directory of ours.
        if !fs::exists(&cx.repo.orch_dir()) {
            return Ok(Self { snapshot, index: None, listing: OnceCell::new() });
        }
        let index = match indexed(cx, snapshot) {
            Ok(index) => index,
            Err(IndexedError::Index(error)) => {
                tracing::debug!(%error, "the index does not answer; reading git");
                None
            }
            Err(IndexedError::Other(error)) => return Err(error),
        };
        Ok(Self { snapshot, index, listing: OnceCell::new() })
    }

    /// Asks the index; where it does not answer, or is found to be damaged, the tasks in git.
    fn ask<T>(
        &self,
        index: impl FnOnce(&Index) -> Result<T, IndexError>,
        listed: impl FnOnce(&Listing) -> T,
    ) -> Result<T, OpError> {
        match self.index.as_ref().map(index) {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => tracing::debug!(%error, "the index is damaged; reading git"),
            None => {}
        }
        let listing = match self.listing.get() {
            Some(listing) => listing,
            None => {
                let read = self.snapshot.tasks()?;
                self.listing.get_or_init(|| read)
            }
        };
        Ok(listed(listing))
    }

    /// Whether the index knows that no tasks need each other in a circle.
    pub(crate) fn has_no_cycle(&self) -> bool {
        let ignored = self.index.as_ref().map(Index::ignored);
        ignored.is_some_and(|ignored| ignored.is_ok_and(|edges| edges.is_empty()))
    }

    /// The tasks that are left out because their file can't be read, and why.
    pub fn damaged(&self) -> Result<Vec<(TaskId, String)>, OpError> {
        self.ask(Index::damaged, |listing| named(&listing.damaged))
    }

    /// How many tasks there are.
    pub fn counts(&self) -> Result<Counts, OpError> {
        self.ask(Index::counts, |listing| {
            let rows = rows(&listing.tasks);
            let count = |wanted: &dyn Fn(&Row) -> bool| {
                u64::try_from(rows.iter().filter(|row| wanted(row)).count()).unwrap_or(u64::MAX)
            };
            Counts {
                by_status: State::STATUSES.map(|word| (word, count(&|row| row.status == word))).to_vec(),
                ready: count(&Row::ready),
            }
        })
    }

    /// How many tasks are of each kind.
    pub fn kinds(&self) -> Result<Vec<(&'static str, u64)>, OpError> {
        self.ask(Index::kinds, |listing| {
            let count = |kind: &Kind| listing.tasks.values().filter(|t| t.kind.value == *kind).count();
            let pair = |kind: &Kind| (kind.as_str(), u64::try_from(count(kind)).unwrap_or(u64::MAX));
            Kind::ALL.iter().map(pair).collect()
        })
    }

    /// The ready tasks that match, in the order that `next` hands them out.
    pub fn ready(&self, filter: &Filter, limit: usize) -> Result<Vec<Row>, OpError> {
        self.ask(
            |index| index.ready(filter, limit),
            |listing| {
                let rows = rows(&listing.tasks).into_iter();
                rows.filter(|r| r.ready() && filter.matches(r)).take(limit).collect()
            },
        )
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
        let found = self.ask(
            |index| index.search(text, usize::MAX).and_then(|found| surely(index, found)),
            |listing| {
                let has = |task: &Task| says(text, &task.title.value, &task.body.value);
                let rows = rows(&listing.tasks).into_iter();
                rows.filter(|r| listing.tasks.get(&r.id).is_some_and(has)).collect()
            },
        )?;
        Ok(found.into_iter().filter(wanted).take(limit).collect())
    }

    /// The tasks that match, in the same order.
    pub fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<Row>, OpError> {
        self.ask(
            |index| index.list(filter, limit).and_then(|found| surely(index, found)),
            |listing| rows(&listing.tasks).into_iter().filter(|r| filter.matches(r)).take(limit).collect(),
        )
    }
}

/// What an index has lost it does not miss: before it says that there is nothing it is looked through. Not for what is
/// asked under a lock, or asked of git next.
fn surely(index: &Index, found: Vec<Row>) -> Result<Vec<Row>, IndexError> {
    if found.is_empty() { index.check_whole().map(|()| found) } else { Ok(found) }
}

fn rows(tasks: &BTreeMap<TaskId, Task>) -> Vec<Row> {
    let unmet = needs::unmet(tasks);
    let missing = |task: &Task| unmet.get(&task.id).map_or(0, |ids| u64::try_from(ids.len()).unwrap_or(1));
    let mut rows: Vec<Row> = tasks.values().map(|task| Row::new(task, missing(task))).collect();
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    rows
}

/// Whether the task may be taken now, and the cycles that it is in.
///
/// For looking at: asks the index whether there is any cycle before everything below the task is read.
pub fn standing(cx: &Ctx, snapshot: &Snapshot<'_>, task: &Task) -> Result<(bool, Vec<Vec<TaskId>>), OpError> {
    let open = task.register.state == State::Open;
    if needs::not_done(snapshot, task)?.is_empty() {
        return Ok((open, Vec::new()));
    }
    if Queue::open(cx, snapshot)?.has_no_cycle() {
        return Ok((false, Vec::new()));
    }
    let below = Needs::below(snapshot, [task]);
    let ready = needs::is_ready_without(snapshot, task, &below.ignored())?;
    let own = |cycle: &Vec<TaskId>| cycle.contains(&task.id);
    Ok((ready, below.cycles().into_iter().filter(own).collect()))
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
            Err(error) if error.wants_rebuild() => {
                drop(index);
                return rebuild(cx, snapshot).map(Some);
            }
            Err(error) => return Err(error.into()),
        };
        if at.as_ref() == Some(tip) {
            return Ok(Some(index));
        }
        // Of a change that is being made, which may be given up: git decides what is taken, the index only proposes.
        if at.is_some() && cx.repo.is_pending(tip) {
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
        match index.apply(Some(&base), tip, &changes) {
            Ok(Applied::Done) => return Ok(Some(index)),
            Ok(Applied::Stale(_)) => {}
            Err(error) if error.wants_rebuild() => {
                drop(index);
                return rebuild(cx, snapshot).map(Some);
            }
            Err(error) => return Err(error.into()),
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
    let built = snapshot.each_task(|found| {
        let found = found.filter_map(|found| match found {
            Ok(task) => Some(Ok(task)),
            Err((path, what)) => task_of_path(&path).map(|id| Err((id, what))),
        });
        Index::rebuild(&cx.repo.orch_dir(), snapshot.commit(), found)
    });
    Ok(built.map_err(OtherError)??)
}

/// The damaged files that are where a task is.
pub(crate) fn named(damaged: &[(String, String)]) -> Vec<(TaskId, String)> {
    damaged.iter().filter_map(|(path, what)| Some((task_of_path(path)?, what.clone()))).collect()
}
