//! What only a person may do: who is one, and the record of a rule that was overridden.

use std::path::{Path, PathBuf};

use crate::domain::actor::ActorKind;
use crate::domain::id::TaskId;
use crate::hook::place::Place;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::worktrees;
use crate::policy::grant::Action;
use crate::store::Change;
use crate::sys::ancestry::{self, Process};
use crate::sys::env::{Env, var};
use crate::sys::fs;

/// Refuses what only a person may do to agents: by the environment, by where this was typed, and by the processes
/// above. An agent with the same user id can hide from all three; it can't reach trunk unseen, see `docs/trust.md`.
pub(crate) fn refuse_agents(cx: &Ctx, what: &str) -> Result<(), OpError> {
    let refuse = |fact: &str| {
        Err(Refused::new(Because::Policy, "person.only", fact)
            .next("a person types it, in a terminal outside of every task worktree")
            .into())
    };
    let whose = Whose::of(cx);
    if cx.actor.kind != ActorKind::Person || whose.task_in(cx).is_some() {
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

/// The task of the agent that this was started by, if one was: by the environment, or by that of a process above.
/// What an agent runs is given its environment by the agent, the programs on `PATH` too.
pub(crate) fn agent_above(cx: &Ctx) -> Option<String> {
    let whose = Whose::of(cx);
    whose
        .task_in(cx)
        .or_else(|| ancestry::chain().iter().find_map(|process| whose.task_of(process).map(str::to_owned)))
}

/// What tells a task's worktree of this clone: that it is below the root, or that its `.git` leads here. Where the root
/// is, `git -c orch.worktrees=…` says, too; what git made, it does not.
struct Whose {
    root: PathBuf,
    common_dir: PathBuf,
}

impl Whose {
    fn of(cx: &Ctx) -> Self {
        Self { root: real_root(cx), common_dir: cx.repo.common_dir().to_owned() }
    }

    /// The git directory of the worktree that `dir` is in, if it is one of this clone's.
    fn git_dir(&self, dir: &Path) -> Option<PathBuf> {
        let place = Place::find(&Env::default(), dir)?;
        let same = fs::canonical(&place.common_dir).is_ok_and(|common| common == self.common_dir);
        same.then_some(place.git_dir)
    }

    fn is_task_place(&self, dir: &Path) -> bool {
        let Ok(dir) = fs::canonical(dir) else { return false };
        let name = || self.git_dir(&dir)?.file_name()?.to_str().map(str::to_owned);
        dir.starts_with(&self.root) || name().is_some_and(|name| TaskId::parse(&name).is_ok())
    }

    /// Whether an agent that has this as its worktree is one of this clone's. An agent of another repository is a person
    /// here: it may be running that one's tests, which use git-orch on repositories of their own.
    fn concerns(&self, worktree: Option<&Path>) -> bool {
        worktree.is_none_or(|dir| {
            fs::canonical(dir).is_ok_and(|dir| dir.starts_with(&self.root) || self.git_dir(&dir).is_some())
        })
    }

    fn task_in(&self, cx: &Ctx) -> Option<String> {
        let worktree = cx.env.get(var::ORCH_WORKTREE).map(Path::new);
        cx.env.text(var::ORCH_TASK).filter(|_| self.concerns(worktree)).map(str::to_owned)
    }

    fn task_of<'p>(&self, process: &'p Process) -> Option<&'p str> {
        process.task.as_deref().filter(|_| self.concerns(process.worktree.as_deref()))
    }
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
