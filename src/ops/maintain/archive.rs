//! Which tasks are archived.

use crate::domain::id::TaskId;
use crate::domain::task::{State, Task};
use crate::domain::time::Timestamp;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::policy::grant::Action;
use crate::store::{Change, Snapshot};

/// Whether a task is finished and was not changed since `before`.
fn is_due(task: &Task, before: Timestamp) -> bool {
    let finished = match task.register.state {
        State::Done(_) | State::Closed(_) => true,
        State::Open | State::Claimed(_) | State::Blocked(_) | State::Review | State::Merging(_) => false,
    };
    finished && task.updated.max(task.register.since) <= before
}

/// The tasks that could go to the archive now, by id.
pub(super) fn due(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<Vec<TaskId>, OpError> {
    let after = i64::try_from(cx.local.archive_after.millis()).unwrap_or(i64::MAX);
    let before = cx.clock.now().plus_millis(after.saturating_neg());
    let live = snapshot.live_ids("")?;
    let mut ids: Vec<TaskId> = snapshot.each_task(|found| {
        let tasks = found.filter_map(Result::ok);
        tasks.filter(|task| live.contains(&task.id) && is_due(task, before)).map(|task| task.id).collect()
    })?;
    ids.sort();
    Ok(ids)
}

/// Moves them there; says which.
pub(super) fn archive(cx: &Ctx) -> Result<Vec<TaskId>, OpError> {
    let (ids, _) = cx.store().transact(&cx.author(), Action::Queue, |edit| {
        let ids = due(cx, edit.snapshot())?;
        if !ids.is_empty() {
            let note = ids.iter().map(TaskId::as_str).collect::<Vec<_>>().join(" ");
            edit.archive(
                &ids,
                Change {
                    action: "state.archive",
                    subject: "state".to_owned(),
                    cause: "maintain".to_owned(),
                    note: Some(note),
                },
            )?;
        }
        Ok::<_, OpError>(ids)
    })?;
    Ok(ids)
}
