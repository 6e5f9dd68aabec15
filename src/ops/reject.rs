//! `git orch reject`: a person sends a task's work back, with the reason for whoever goes on with it.
//!
//! Called by the command. The reason is part of the task, with the tree that was looked at: that tree is work that nobody
//! wants, whatever Ralph says of it. A task that somebody holds stays theirs; one that waits for a person, or is blocked,
//! goes back into the queue. Branch, worktree and commits stay.

use crate::domain::stamp::Field;
use crate::domain::task::{Rejection, State, Task};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::tasks::{self, change, get};
use crate::ops::{lease, people, sync};
use crate::policy::grant::Action;

/// Rejects the work on a task.
pub fn reject(cx: &Ctx, what: &str, reason: &str) -> Result<Task, OpError> {
    let reason = people::reason_of(reason)?;
    people::refuse_agents(cx, "reject a task's work")?;
    let id = tasks::resolve(&cx.snapshot()?, what)?;
    let (task, _) = cx.store().transact(&cx.author(), Action::Queue, |edit| {
        let mut task = get(edit, &id)?;
        let Some(work) = &task.register.work else {
            let fact = format!("nobody has worked on task {id} yet");
            return Err(Refused::new(Because::Usage, "reject.nothing", fact)
                .next(format!("git orch edit {id} --body TEXT   (to say what is wanted)"))
                .into());
        };
        let tip = cx.repo.ref_target(&format!("refs/heads/{}", work.branch))?;
        let tree = tip.map(|tip| cx.repo.tree_of(&tip)).transpose()?;
        task.register = match task.register.state {
            State::Review => task.register.release(&id, &edit.at())?,
            State::Blocked(_) => task.register.unblock(&id, &edit.at())?,
            State::Open | State::Claimed(_) => task.register,
            State::Merging(_) => {
                let fact = format!("the merge gate has task {id}");
                let refused = Refused::new(Because::Held, "reject.merging", fact);
                return Err(refused.next(format!("git orch show {id}   (what became of it)")).into());
            }
            State::Done(_) | State::Closed(_) => {
                let fact =
                    format!("task {id} is {}: its work can't be sent back", task.register.state.status());
                let refused = Refused::new(Because::Usage, "reject.finished", fact);
                return Err(refused.next(format!("git orch reopen {id}")).into());
            }
        };
        let rejection = Rejection { reason: reason.to_owned(), tree };
        match &mut task.rejected {
            Some(rejected) => drop(rejected.set(rejection, edit.stamp())),
            None => task.rejected = Some(Field::new(rejection, edit.stamp())),
        }
        let note = Some(reason.to_owned());
        Ok::<_, OpError>(edit.put_task(task, change("task.reject", &id, "reject", note)))
    })?;
    if task.register.state.lease().is_none() {
        lease::forget(cx, &task.id)?;
    }
    sync::tell(cx, std::slice::from_ref(&task.id));
    Ok(task)
}
