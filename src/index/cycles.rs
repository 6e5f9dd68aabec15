//! Edges that close a cycle: kept beside the others, looked for only where an edge is new.

use std::collections::BTreeSet;

use rusqlite::{Connection, Statement};

use crate::domain::graph::{self, Edge, Edges};
use crate::domain::id::TaskId;
use crate::index::error::IndexError;
use crate::index::row::{id, ids};

/// How many tasks are looked at for cycles through new edges before all edges are.
const FEW: usize = 4096;

pub(super) const DEPENDENTS: &str = "SELECT task FROM dep WHERE needed = ?1 ORDER BY task";
/// What a task needs, as its row has it: `dep` has the edges backwards.
const NEEDS: &str = "SELECT need.value FROM task, json_each(task.needs) AS need WHERE task.id = ?1";

/// How the edges changed.
#[derive(Default)]
pub(super) struct Touched {
    /// New ones: task and needed task.
    added: Vec<(TaskId, TaskId)>,
    /// Whether one is gone, or another's tag may have changed.
    lost: bool,
}

impl Touched {
    pub(super) fn add(&mut self, task: &TaskId, needed: &TaskId) {
        // One more than few says as much as all of them.
        if self.added.len() <= FEW {
            self.added.push((task.clone(), needed.clone()));
        }
    }

    pub(super) fn lose(&mut self) {
        self.lost = true;
    }
}

/// The tasks that need `id` directly, by the statement `DEPENDENTS`.
pub(super) fn dependents(find: &mut Statement<'_>, id: &TaskId) -> Result<Vec<TaskId>, IndexError> {
    let found = find.query_map([id.as_str()], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    ids(&found)
}

/// Brings `ignored` up to the edges; returns the tasks whose `unmet` that changes.
pub(super) fn follow(db: &Connection, edges: &Touched) -> Result<BTreeSet<TaskId>, IndexError> {
    if edges.added.is_empty() && !edges.lost {
        return Ok(BTreeSet::new());
    }
    let stored = stored(db)?;
    // What is gone opens a cycle, or puts another edge of it last.
    let changed = (edges.lost && !stored.is_empty()) || some_close(db, &edges.added)?;
    if !changed {
        return Ok(BTreeSet::new());
    }
    let computed = computed(db)?;
    let mut recount = BTreeSet::new();
    for (from, to, sql) in [
        (&stored, &computed, "DELETE FROM ignored WHERE task = ?1 AND needed = ?2"),
        (&computed, &stored, "INSERT INTO ignored (task, needed) VALUES (?1, ?2)"),
    ] {
        let mut change = db.prepare(sql)?;
        for (task, needed) in from.iter().flat_map(|(task, all)| all.iter().map(move |one| (task, one))) {
            if !graph::has(to, task, needed) {
                change.execute([task.as_str(), needed.as_str()])?;
                recount.insert(task.clone());
            }
        }
    }
    Ok(recount)
}

fn read(row: &rusqlite::Row<'_>, at: usize) -> Result<TaskId, IndexError> {
    id(&row.get::<_, String>(at)?)
}

/// Fills an empty `ignored`.
pub(super) fn ignore(db: &Connection, edges: &Edges) -> Result<(), IndexError> {
    let mut add = db.prepare("INSERT INTO ignored (task, needed) VALUES (?1, ?2)")?;
    for (task, all) in edges {
        for needed in all {
            add.execute([task.as_str(), needed.as_str()])?;
        }
    }
    Ok(())
}

/// What `ignored` has.
pub(super) fn stored(db: &Connection) -> Result<Edges, IndexError> {
    let mut all = db.prepare_cached("SELECT task, needed FROM ignored")?;
    let mut found = all.query([])?;
    let mut edges = Edges::new();
    while let Some(row) = found.next()? {
        edges.entry(read(row, 0)?).or_default().insert(read(row, 1)?);
    }
    Ok(edges)
}

/// What `ignored` should have.
pub(super) fn computed(db: &Connection) -> Result<Edges, IndexError> {
    let mut all = db.prepare("SELECT tag, task, needed FROM dep")?;
    let mut found = all.query([])?;
    let mut edges = Vec::new();
    while let Some(row) = found.next()? {
        let tag: String = row.get(0)?;
        edges.push((tag, read(row, 1)?, read(row, 2)?));
    }
    let borrowed: Vec<Edge<'_>> =
        edges.iter().map(|(tag, task, needed)| Edge { tag, task, needed }).collect();
    Ok(graph::ignored(&borrowed))
}

/// Whether one of the edges closes a cycle, or they are too many to look.
fn some_close(db: &Connection, edges: &[(TaskId, TaskId)]) -> Result<bool, IndexError> {
    if edges.len() > FEW {
        return Ok(true);
    }
    let mut left = FEW;
    for (task, needed) in edges {
        if closes(db, task, needed, &mut left)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether `needed` needs `task`, directly or through others; also if that can't be said within `left` tasks.
///
/// Looked for from both ends in turn, since one of them is mostly short: nobody needs a task that is new.
fn closes(db: &Connection, task: &TaskId, needed: &TaskId, left: &mut usize) -> Result<bool, IndexError> {
    let (mut down, mut up) = (db.prepare_cached(NEEDS)?, db.prepare_cached(DEPENDENTS)?);
    let mut search = [Search::new(task, needed), Search::new(needed, task)];
    loop {
        for (at, find) in [&mut up, &mut down].into_iter().enumerate() {
            match search[at].step(find)? {
                Found::Goal => return Ok(true),
                Found::End => return Ok(false),
                Found::More => {}
            }
            *left = left.saturating_sub(1);
            if *left == 0 {
                return Ok(true);
            }
        }
    }
}

struct Search<'i> {
    goal: &'i TaskId,
    seen: BTreeSet<TaskId>,
    todo: Vec<TaskId>,
}

enum Found {
    Goal,
    End,
    More,
}

impl<'i> Search<'i> {
    fn new(from: &TaskId, goal: &'i TaskId) -> Self {
        Self { goal, seen: BTreeSet::from([from.clone()]), todo: vec![from.clone()] }
    }

    /// Looks at one more task.
    fn step(&mut self, find: &mut Statement<'_>) -> Result<Found, IndexError> {
        let Some(at) = self.todo.pop() else { return Ok(Found::End) };
        if at == *self.goal {
            return Ok(Found::Goal);
        }
        for next in dependents(find, &at)? {
            if self.seen.insert(next.clone()) {
                self.todo.push(next);
            }
        }
        Ok(Found::More)
    }
}
