//! The tasks of sessions that died on this machine.

use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::index::{Filter, Row};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError};
use crate::ops::lease;
use crate::ops::run::agents::Agents;
use crate::ops::take::{self, Checkout};
use crate::ops::takeover;
use crate::sys::fs;

/// Tasks of workers whose process ended here without giving them back, in the order of `next`.
pub(super) fn find(cx: &Ctx, filter: &Filter, agents: &Agents) -> Result<Vec<Task>, OpError> {
    let mut found = Vec::new();
    for task in cx.snapshot()?.tasks()?.tasks.into_values() {
        let Some(lease) = task.register.state.lease() else { continue };
        // Without its lock file a session is another machine's, and only time tells.
        let here = lease.owner.worker && fs::exists(&lease::live_path(cx, &lease.owner.session));
        let row = Row::new(&task, 0);
        if here && filter.matches(&row) && agents.covers(&row) && lease::is_dead(cx, &task)? {
            found.push(task);
        }
    }
    found.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(found)
}

/// Takes a dead session's task, with what was there kept; None if another run was faster.
pub(super) fn take_over(cx: &Ctx, id: &TaskId) -> Result<Option<Task>, OpError> {
    match take::start(cx, id, Checkout::None.into(), "run: resume") {
        Ok(taken) => Ok(Some(taken.task)),
        Err(OpError::Refused(refused))
            if refused.because == Because::Held && refused.rule != takeover::ORPHAN =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
