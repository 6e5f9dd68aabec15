//! What tasks wait for: their needs, without the edges that close a cycle.
//!
//! Called by whatever asks whether a task is ready, on git alone or on tasks that were read. Reads files of the
//! state and nothing else. Invariant: all who have the same tasks come to the same answer, the index included (it
//! asks `domain::graph::ignored`, too). Deliberately absent: making and refusing edges, which is for `tasks`.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::graph::{self, Edge, Edges};
use crate::domain::id::TaskId;
use crate::domain::task::{State, Task};
use crate::ops::error::OpError;
use crate::store::{Snapshot, StoreError};

/// The needs of some tasks, with the tag of each.
#[derive(Clone, Debug, Default)]
pub struct Needs(BTreeMap<TaskId, BTreeMap<TaskId, String>>);

impl Needs {
    /// Those of one task.
    fn of(task: &Task) -> Self {
        Self(BTreeMap::from([(task.id.clone(), tagged(task))]))
    }

    /// Everything that `tasks` need, directly or through others; the tasks as they are given, not as they are in
    /// the snapshot. Only these files are read, however many there are.
    pub fn below<'t>(snapshot: &Snapshot<'_>, tasks: impl IntoIterator<Item = &'t Task>) -> Self {
        let mut needs = Self(tasks.into_iter().map(|task| (task.id.clone(), tagged(task))).collect());
        needs.follow(snapshot);
        needs
    }

    /// Adds what the tasks in it lead to.
    fn follow(&mut self, snapshot: &Snapshot<'_>) {
        let mut todo: Vec<TaskId> = self.0.values().flat_map(BTreeMap::keys).cloned().collect();
        while let Some(id) = todo.pop() {
            if !self.0.contains_key(&id) {
                todo.extend(self.read(snapshot, &id).keys().cloned());
            }
        }
    }

    /// What `id` needs. One that can't be read needs nothing, as far as anybody can tell.
    fn read(&mut self, snapshot: &Snapshot<'_>, id: &TaskId) -> &BTreeMap<TaskId, String> {
        self.0.entry(id.clone()).or_insert_with(|| match snapshot.task(id) {
            Ok(Some(task)) => tagged(&task),
            Ok(None) | Err(_) => BTreeMap::new(),
        })
    }

    /// Whether `from` needs `goal`, directly or through others.
    fn reaches(&mut self, snapshot: &Snapshot<'_>, from: &TaskId, goal: &TaskId) -> bool {
        let mut seen = BTreeSet::from([from.clone()]);
        let mut todo = vec![from.clone()];
        while let Some(id) = todo.pop() {
            if id == *goal {
                return true;
            }
            let needs = self.read(snapshot, &id).keys();
            todo.extend(needs.filter(|need| seen.insert((*need).clone())).cloned());
        }
        false
    }

    /// The edges without their tags.
    pub fn edges(&self) -> Edges {
        self.0.iter().map(|(id, needs)| (id.clone(), needs.keys().cloned().collect())).collect()
    }

    fn tagged(&self) -> Vec<Edge<'_>> {
        let pairs = self.0.iter().flat_map(|(task, needs)| needs.iter().map(move |need| (task, need)));
        pairs.map(|(task, (needed, tag))| Edge { tag, task, needed }).collect()
    }

    /// The edges that count for nothing: each closes a cycle.
    pub fn ignored(&self) -> Edges {
        graph::ignored(&self.tagged())
    }

    /// The cycles, one for each edge that is ignored.
    pub fn cycles(&self) -> Vec<Vec<TaskId>> {
        graph::cycles(&self.tagged())
    }
}

fn tagged(task: &Task) -> BTreeMap<TaskId, String> {
    graph::edges_of(task).map(|edge| (edge.needed.clone(), edge.tag.to_owned())).collect()
}

/// A needed task that is not done, with its status word; `gone` if there is no such task.
type Missing = (TaskId, &'static str);

/// The needs of `task` that are not done, whether they count or not.
pub(crate) fn not_done(snapshot: &Snapshot<'_>, task: &Task) -> Result<Vec<Missing>, OpError> {
    let mut missing = Vec::new();
    for need in task.needs.iter() {
        let status = match snapshot.task(need) {
            Ok(found) => found.map_or("gone", |t| t.register.state.status()),
            // Nobody can tell that it is done.
            Err(StoreError::Corrupt { .. }) => "damaged",
            Err(error) => return Err(error.into()),
        };
        if status != "done" {
            missing.push((need.clone(), status));
        }
    }
    Ok(missing)
}

/// What `task` waits for, on git alone: the needs that are not done and count.
pub fn waits_for(snapshot: &Snapshot<'_>, task: &Task) -> Result<Vec<Missing>, OpError> {
    let mut missing = not_done(snapshot, task)?;
    if !missing.is_empty() {
        let ignored = Needs::below(snapshot, [task]).ignored();
        missing.retain(|(need, _)| !graph::has(&ignored, &task.id, need));
    }
    Ok(missing)
}

/// Whether the task may be taken now, decided on git alone.
///
/// What a task needs is read one step far if all of it is done. Further down is looked only where that may make
/// a difference: if everything that is not done needs this very task.
pub fn is_ready(snapshot: &Snapshot<'_>, task: &Task) -> Result<bool, OpError> {
    if task.register.state != State::Open {
        return Ok(false);
    }
    let missing = not_done(snapshot, task)?;
    if missing.is_empty() {
        return Ok(true);
    }
    let mut needs = Needs::of(task);
    if !missing.iter().all(|(need, _)| needs.reaches(snapshot, need, &task.id)) {
        return Ok(false);
    }
    needs.follow(snapshot);
    let ignored = needs.ignored();
    Ok(missing.iter().all(|(need, _)| graph::has(&ignored, &task.id, need)))
}

/// The same for one who knows what is ignored.
pub fn is_ready_without(snapshot: &Snapshot<'_>, task: &Task, ignored: &Edges) -> Result<bool, OpError> {
    if task.register.state != State::Open {
        return Ok(false);
    }
    Ok(not_done(snapshot, task)?.iter().all(|(need, _)| graph::has(ignored, &task.id, need)))
}

/// Why open tasks are not ready: each with the needed tasks that are not merged and count.
pub fn unmet(tasks: &BTreeMap<TaskId, Task>) -> BTreeMap<TaskId, Vec<TaskId>> {
    let ignored = graph::ignored(&edges(tasks));
    let done = |id: &TaskId| tasks.get(id).is_some_and(|t| matches!(t.register.state, State::Done(_)));
    let open = tasks.values().filter(|t| t.register.state == State::Open);
    open.filter_map(|task| {
        let counts = |need: &&TaskId| !done(need) && !graph::has(&ignored, &task.id, need);
        let missing: Vec<TaskId> = task.needs.iter().filter(counts).cloned().collect();
        (!missing.is_empty()).then(|| (task.id.clone(), missing))
    })
    .collect()
}

/// A cycle in words.
pub fn shown(cycle: &[TaskId]) -> String {
    let ids: Vec<&str> = cycle.iter().map(TaskId::as_str).collect();
    format!("these need each other in a circle: {}", ids.join(" -> "))
}

/// The cycles in what `tasks` need, one for each edge that is ignored.
pub fn cycles(tasks: &BTreeMap<TaskId, Task>) -> Vec<Vec<TaskId>> {
    graph::cycles(&edges(tasks))
}

fn edges(tasks: &BTreeMap<TaskId, Task>) -> Vec<Edge<'_>> {
    tasks.values().flat_map(graph::edges_of).collect()
}
