//! What people do to a task's register by name: release, block, unblock, close, reopen.

use crate::domain::id::TaskId;
use crate::domain::task::Task;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::tasks::{change, get};
use crate::ops::{lease, people, sync};
use crate::policy::grant::Action;
use crate::store::{Change, Edit};

/// A change of the register that a person asked for by name.
#[derive(Clone, Debug)]
pub enum Step {
    /// Back into the queue.
    Release,
    /// Aside, with a reason.
    Block(String),
    /// Out of `blocked`.
    Unblock,
    /// Given up, with a reason.
    Close(String),
    /// Back from done or closed.
    Reopen,
}

/// Makes `step` with all of `ids` in one change, or with none. What another holds is refused.
pub fn step(cx: &Ctx, ids: &[TaskId], step: &Step) -> Result<Vec<Task>, OpError> {
    for id in ids {
        people::refuse_other_task(cx, Some(id))?;
    }
    let (tasks, _) = cx.store().transact(&cx.author(), Action::Queue, |edit| {
        // All are looked at before the first is written.
        let made: Vec<_> = ids.iter().map(|id| made(cx, edit, id, step)).collect::<Result<_, _>>()?;
        let put = |(task, change)| edit.put_task(task, change);
        Ok::<_, OpError>(made.into_iter().map(put).collect::<Vec<_>>())
    })?;
    for task in tasks.iter().filter(|task| task.register.state.lease().is_none()) {
        lease::forget(cx, &task.id)?;
    }
    sync::tell(cx, ids);
    Ok(tasks)
}

fn made(cx: &Ctx, edit: &Edit<'_, '_>, id: &TaskId, step: &Step) -> Result<(Task, Change), OpError> {
    let mut task = get(edit, id)?;
    lease::refuse_others(cx, &task)?;
    let at = edit.at();
    let (action, note, next) = match step {
        Step::Release => ("task.release", None, task.register.release(id, &at)?),
        Step::Block(why) => ("task.block", Some(why.clone()), task.register.block(id, &at, why.clone())?),
        Step::Unblock => ("task.unblock", None, task.register.unblock(id, &at)?),
        Step::Close(why) => ("task.close", Some(why.clone()), task.register.close(id, &at, why.clone())?),
        Step::Reopen => ("task.reopen", None, task.register.reopen(id, &at)?),
    };
    task.register = next;
    Ok((task, change(action, id, action.trim_start_matches("task."), note)))
}
