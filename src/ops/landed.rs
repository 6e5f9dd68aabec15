//! Whether finished work is where other work is built on.
//!
//! A task that was merged into one clone's trunk only (`merge --no-push`) is done, but branches are cut from the remote's
//! trunk, which does not have it yet. The remote's trunk decides, never the checkout.

use crate::domain::id::TaskId;
use crate::domain::task::{State, Task};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::store::{Snapshot, StoreError};

/// The needs of `task` that are done, but not on the trunk that its branch would be cut from.
pub(crate) fn elsewhere(cx: &Ctx, snapshot: &Snapshot<'_>, task: &Task) -> Result<Vec<TaskId>, OpError> {
    let mut found = Vec::new();
    for need in task.needs.iter() {
        let State::Done(evidence) = (match snapshot.task(need) {
            Ok(Some(needed)) => needed.register.state,
            // Whether that keeps the task waiting is for `needs` to say.
            Ok(None) | Err(StoreError::Corrupt { .. }) => continue,
            Err(error) => return Err(error.into()),
        }) else {
            continue;
        };
        if !evidence.local {
            continue;
        }
        let trunk = cx.trunk(snapshot)?;
        let has = match trunk.tip() {
            Some(tip) => {
                cx.repo.has_object(&evidence.commit) && cx.repo.is_ancestor(&evidence.commit, tip)?
            }
            None => false,
        };
        if !has {
            found.push(need.clone());
        }
    }
    Ok(found)
}

/// Refuses a task that needs work which is not on the remote's trunk yet.
pub(crate) fn refuse(cx: &Ctx, snapshot: &Snapshot<'_>, task: &Task) -> Result<(), OpError> {
    let missing = elsewhere(cx, snapshot, task)?;
    let trunk = cx.trunk(snapshot)?;
    let Some(remote) = trunk.remote.as_deref().filter(|_| !missing.is_empty()) else { return Ok(()) };
    let ids: Vec<&str> = missing.iter().map(TaskId::as_str).collect();
    let tip = trunk.tip_name();
    let fact = format!("task {} needs what {tip} has not yet: {}", task.id, ids.join(", "));
    Err(Refused::new(Because::Policy, "task.needs", fact)
        .next(format!("git orch push {remote} {}   (in the clone that merged it)", trunk.name))
        .into())
}
