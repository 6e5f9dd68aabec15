//! What only a person may do, and the override of a rule.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::domain::actor::ActorKind;
use crate::domain::oid::{MaybeOid, Oid};
use crate::git::Head;
use crate::hook::ticket;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::{attested, worktrees};
use crate::policy::grant::Action;
use crate::store::Change;
use crate::sys::ancestry::{self, Process};
use crate::sys::env::var;
use crate::sys::fs;

/// How long an override lasts, in milliseconds.
const OVERRIDE_MILLIS: i64 = 60_000;

/// Refuses what only a person may do to agents: by the environment, by where this was typed, and by the processes
/// above. An agent with the same user id can hide from all three; it can't reach trunk unseen, see `docs/trust.md`.
pub(crate) fn refuse_agents(cx: &Ctx, what: &str) -> Result<(), OpError> {
    let refuse = |fact: &str| {
        Err(Refused::new(Because::Policy, "person.only", fact)
            .next("a person types it, in a terminal outside of every task worktree")
            .into())
    };
    let root = real_root(cx);
    if cx.actor.kind != ActorKind::Person || task_in(cx, &root).is_some() {
        return refuse(&format!("an agent may not {what}"));
    }
    let inside = |dir: &Path| dir.starts_with(&root);
    if fs::canonical(&cx.cwd).is_ok_and(|cwd| inside(&cwd)) || cx.repo.work_tree().is_some_and(inside) {
        return refuse(&format!("nobody may {what} from a task worktree"));
    }
    for process in ancestry::chain() {
        if let Some(task) = task_of(&process, &root) {
            return refuse(&format!("process {} above works on task {task}: it may not {what}", process.pid));
        }
        if process.cwd.as_deref().is_some_and(inside) {
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
    let root = real_root(cx);
    task_in(cx, &root)
        .or_else(|| ancestry::chain().into_iter().find_map(|p| task_of(&p, &root).map(str::to_owned)))
}

/// The task in our own environment, as far as it is one of this clone's.
pub(crate) fn own_task(cx: &Ctx) -> Option<String> {
    cx.env.get(var::ORCH_TASK)?;
    task_in(cx, &real_root(cx))
}

fn real_root(cx: &Ctx) -> PathBuf {
    let root = worktrees::root(cx);
    fs::canonical(&root).unwrap_or(root)
}

fn task_in(cx: &Ctx, root: &Path) -> Option<String> {
    let worktree = cx.env.get(var::ORCH_WORKTREE).map(Path::new);
    cx.env.text(var::ORCH_TASK).filter(|_| concerns(worktree, root)).map(str::to_owned)
}

fn task_of<'a>(process: &'a Process, root: &Path) -> Option<&'a str> {
    process.task.as_deref().filter(|_| concerns(process.worktree.as_deref(), root))
}

/// Whether an agent's worktree is one of this clone's. An agent of another repository is a person to us: it may
/// be running that one's tests, which use git-orch on repositories of their own.
fn concerns(worktree: Option<&Path>, root: &Path) -> bool {
    worktree.is_none_or(|dir| fs::canonical(dir).is_ok_and(|dir| dir.starts_with(root)))
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

/// Runs one git command with the rules of this checkout's branch lifted: once, for 60 s, recorded first.
pub fn override_once(cx: &Ctx, reason: &str, command: &[String]) -> Result<ExitStatus, OpError> {
    let reason = reason_of(reason)?;
    cx.snapshot()?;
    refuse_agents(cx, "override a rule")?;
    let [program, args @ ..] = command else {
        return Err(Refused::new(Because::Usage, "override.command", "there is no command to run")
            .next("git orch override --reason TEXT -- git commit …")
            .into());
    };
    if program != "git" {
        let fact = format!("`{program}` is not git: an override is for one git command");
        return Err(Refused::new(Because::Usage, "override.command", fact)
            .next("git orch override --reason TEXT -- git commit …")
            .into());
    }
    let name = match cx.repo.head()? {
        Head::Branch(name) => name,
        Head::Detached(_) => cx.trunk(&cx.snapshot()?)?.local_ref,
    };
    let old = cx.repo.ref_target(&name)?.map_or(MaybeOid::Zero, MaybeOid::Id);
    let was = old.id().map_or("nothing", Oid::short).to_owned();
    record_override(cx, &name, &format!("{reason} -- {} (from {was})", command.join(" ")))?;
    let expires = cx.clock.now().plus_millis(OVERRIDE_MILLIS);
    let ticket = ticket::issue_override(&cx.repo.orch_dir(), &name, &old, expires)?;
    let status = cx.repo.git_as_user(&cx.cwd, args).run_attached()?;
    drop(ticket);
    // Only this command's own move of trunk is a person's: what went past the hooks before stays found.
    let trunk = cx.trunk(&cx.snapshot()?)?;
    if status.success() && name == trunk.local_ref && trunk.local.as_ref() != old.id() {
        attested::attest(cx)?;
    }
    Ok(status)
}
