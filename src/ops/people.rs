//! What only a person may do: who is one, and the record of a rule that was overridden.

use std::path::PathBuf;

use crate::domain::actor::ActorKind;
use crate::domain::id::TaskId;
use crate::hook::whose::Whose;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::worktrees;
use crate::policy::grant::Action;
use crate::store::Change;
use crate::sys::ancestry;
use crate::sys::fs;

/// Refuses what only a person may do to agents: by the environment, by where this was typed, and by the processes
/// above. An agent with the same user id can hide from all three; it can't reach trunk unseen, see `docs/trust.md`.
pub(crate) fn refuse_agents(cx: &Ctx, what: &str) -> Result<(), OpError> {
    let refuse = |fact: &str| {
        Err(Refused::new(Because::Policy, "person.only", fact)
            .next("a person types it, in a terminal outside of every task worktree")
            .into())
    };
    let whose = whose(cx);
    if cx.actor.kind != ActorKind::Person || whose.task_in(&cx.env).is_some() {
        return refuse(&format!("an agent may not {what}"));
    }
    if whose.is_task_place(&cx.cwd) || cx.repo.work_tree().is_some_and(|dir| whose.is_task_place(dir)) {
        return refuse(&format!("nobody may {what} from a task worktree"));
    }
    for process in ancestry::chain() {
        if let Some(task) = whose.task_of(&process) {
            return refuse(&format!("process {} above works on task {task}: it may not {what}", process.pid));
        }
        if process.cwd.as_deref().is_some_and(|dir| whose.is_task_place(dir)) {
            return refuse(&format!(
                "process {} above is in a task worktree: it may not {what}",
                process.pid
            ));
        }
    }
    Ok(())
}

/// Whether who typed this here may do what only a person may.
pub fn may_override(cx: &Ctx) -> bool {
    refuse_agents(cx, "override").is_ok()
}

/// The task of the agent that this was started by, if one was: by the environment, or by that of a process above.
/// What an agent runs is given its environment by the agent, the programs on `PATH` too.
pub fn agent_above(cx: &Ctx) -> Option<String> {
    let whose = whose(cx);
    whose
        .task_in(&cx.env)
        .map(str::to_owned)
        .or_else(|| ancestry::chain().iter().find_map(|process| whose.task_of(process).map(str::to_owned)))
}

fn whose(cx: &Ctx) -> Whose {
    Whose::new(cx.repo.common_dir(), Some(&real_root(cx)))
}

/// Refuses an agent of the loop what concerns another task than its own (None: whichever comes next).
pub(crate) fn refuse_other_task(cx: &Ctx, id: Option<&TaskId>) -> Result<(), OpError> {
    let Some(own) = agent_above(cx).filter(|own| id.is_none_or(|id| own != id.as_str())) else {
        return Ok(());
    };
    let other = id.map_or_else(|| "another task".to_owned(), |id| format!("task {id}"));
    let fact = format!("the agent of task {own} has no business with {other}");
    Err(Refused::new(Because::Policy, "task.other", fact)
        .next(format!("git orch show {own}   (the task that it works on)"))
        .into())
}

/// Where the worktrees of tasks are, links resolved.
pub(crate) fn real_root(cx: &Ctx) -> PathBuf {
    let root = worktrees::root(cx);
    fs::canonical(&root).unwrap_or(root)
}

/// Records that a rule was overridden.
pub(crate) fn record_override(cx: &Ctx, subject: &str, note: &str) -> Result<(), OpError> {
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        edit.note(Change {
            action: "override",
            subject: subject.to_owned(),
            cause: "override".into(),
            note: Some(note.to_owned()),
        });
        Ok::<_, OpError>(())
    })?;
    Ok(())
}

/// The reason that a person gave, which may not be empty.
pub(crate) fn reason_of(text: &str) -> Result<&str, OpError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refused::new(Because::Usage, "reason.empty", "a reason is needed; it is recorded")
            .next("--reason \"why this is right\"")
            .into());
    }
    Ok(text)
}
