//! Why nothing can be taken.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::TaskId;
use crate::domain::task::{State, Task};
use crate::index::{Filter, Row};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::{landed, needs};
use crate::store::Snapshot;

/// Why nothing can be taken: everything unfinished that matches the filter, with what it waits for.
#[derive(Clone, Debug, Default)]
pub struct Idle {
    /// Open tasks and the needed tasks that are not merged.
    pub waiting: Vec<(Task, Vec<TaskId>)>,
    /// Claimed or merging.
    pub held: Vec<Task>,
    /// Blocked by something outside the queue.
    pub blocked: Vec<Task>,
    /// Waiting for a person.
    pub review: Vec<Task>,
    /// Ready tasks that the filter leaves out.
    pub filtered: usize,
    /// Of the needed tasks, those that nobody will merge as things are, with a word for why.
    pub stuck: BTreeMap<TaskId, &'static str>,
}

/// Reads all of the queue.
pub(super) fn idle(cx: &Ctx, snapshot: &Snapshot<'_>, filter: &Filter) -> Result<Idle, OpError> {
    let tasks = snapshot.tasks()?.tasks;
    let mut unmet = needs::unmet(&tasks);
    let stuck = |id: &TaskId| match tasks.get(id).map(|task| task.register.state.status()) {
        Some("closed") => Some((id.clone(), "closed")),
        Some(_) => None,
        None => Some((id.clone(), "not there")),
    };
    let mut idle = Idle { stuck: unmet.values().flatten().filter_map(stuck).collect(), ..Idle::default() };
    let is_local = |task: &&Task| matches!(&task.register.state, State::Done(done) if done.local);
    let local: BTreeSet<TaskId> = tasks.values().filter(is_local).map(|task| task.id.clone()).collect();
    for task in tasks.into_values() {
        let mut missing = unmet.remove(&task.id).unwrap_or_default();
        if missing.is_empty()
            && task.register.state == State::Open
            && task.needs.iter().any(|id| local.contains(id))
        {
            missing = landed::elsewhere(cx, snapshot, &task)?;
        }
        let row = Row::new(&task, u64::try_from(missing.len()).unwrap_or(1));
        if !filter.matches(&row) {
            idle.filtered += usize::from(row.ready());
            continue;
        }
        match &task.register.state {
            State::Open => idle.waiting.push((task, missing)),
            State::Claimed(_) | State::Merging(_) => idle.held.push(task),
            State::Blocked(_) => idle.blocked.push(task),
            State::Review => idle.review.push(task),
            State::Done(_) | State::Closed(_) => {}
        }
    }
    Ok(idle)
}
