//! Between parsing and rendering: the context of a command, what people typed made into ids and filters, and
//! what operations return made into views.

use crate::cli::args::PickArgs;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::config::Period;
use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::{Claim, State, Task};
use crate::domain::time::Timestamp;
use crate::git::GitError;
use crate::index::Filter;
use crate::ops::checkouts::Refresh;
use crate::ops::guardrails::Guarded;
use crate::ops::ralph::{self, Judged, Whose};
use crate::ops::take::{self, Idle};
use crate::ops::worktrees::Surveyed;
use crate::ops::{Because, Ctx, OpError, Refused, approvals, gateless, logs, needs, setup, tasks, worktrees};
use crate::report;
use crate::store::{Snapshot, StoreError};
use crate::sys::process::quote;
use crate::sys::signal::Interrupts;
use crate::view::{
    ActionsView, AllowedView, Asked, Done, Held, HitView, IdleView, TaskView, VerdictView, Waiting,
    WorktreeUse, WorktreeView,
};

/// The context of a command that does not wait for anything long.
pub(crate) fn open(cx: &Invocation<'_>, out: &mut Out) -> Result<Ctx, CommandError> {
    with_interrupts(cx, out, Interrupts::default())
}

/// The context of a command that runs for long: Ctrl-C is counted from here on.
pub(crate) fn open_long(cx: &Invocation<'_>, out: &mut Out) -> Result<Ctx, CommandError> {
    let interrupts = Interrupts::install()
        .map_err(|e| CommandError::new(Exit::Environment, format!("signals can't be handled: {e}")))?;
    with_interrupts(cx, out, interrupts)
}

/// The commit that a person means; what its name could mean besides is said.
pub(crate) fn commit(cx: &Ctx, out: &mut Out, text: &str) -> Result<Oid, CommandError> {
    let asked = ralph::asked(cx, &cx.snapshot()?, text)?;
    asked.notes.iter().for_each(|note| out.warn(note));
    Ok(asked.commit)
}

fn with_interrupts(cx: &Invocation<'_>, out: &mut Out, interrupts: Interrupts) -> Result<Ctx, CommandError> {
    let opened = Ctx::open(cx.env, &cx.cwd, interrupts)?;
    for warning in &opened.warnings {
        out.warn(warning);
    }
    if let Err(error) = setup::refresh(&opened) {
        out.warn(&format!("the hooks of this clone could not be brought up to date: {error}"));
    }
    Ok(opened)
}

/// The task that was named, or this checkout's.
pub(crate) fn task_or_here(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    text: Option<&str>,
) -> Result<TaskId, CommandError> {
    match text {
        Some(text) => Ok(tasks::resolve(snapshot, text)?),
        None => tasks::here(cx, snapshot)?.ok_or_else(|| {
            CommandError::new(Exit::Usage, "this checkout is no task's")
                .rule("task.here")
                .next("git orch list --mine")
        }),
    }
}

/// That long before now.
pub(crate) fn ago(cx: &Ctx, period: Period) -> Timestamp {
    cx.clock.now().plus_millis(-i64::try_from(period.millis()).unwrap_or(i64::MAX))
}

/// A task as surfaces show it.
pub(crate) fn view(cx: &Ctx, snapshot: &Snapshot<'_>, task: &Task) -> Result<TaskView, CommandError> {
    let ready = needs::is_ready(snapshot, task)?;
    Ok(view_ready(cx, task, ready))
}

/// The same where readiness is known.
pub(crate) fn view_ready(cx: &Ctx, task: &Task, ready: bool) -> TaskView {
    let mut view = TaskView::new(task, ready, worktrees::place_of(cx, task).as_deref());
    if take::is_lost(cx, task) {
        view.claim = Claim::Lost.as_str();
    }
    view
}

/// What was asked for, as a filter of the index.
pub(crate) fn filter(pick: &PickArgs) -> Filter {
    Filter {
        team: pick.team,
        role: pick.role,
        kinds: pick.kind.clone(),
        labels: pick.label.clone(),
        ..Filter::default()
    }
}

/// Says which tasks are missing because their file can't be read.
pub(crate) fn warn_of_damage(out: &mut Out, damaged: &[(TaskId, String)]) {
    for (id, what) in damaged {
        out.warn(&format!("task {id} is left out, its file in the state is damaged: {what}"));
    }
    if !damaged.is_empty() {
        out.hint("git orch doctor --fix");
    }
}

/// Says which needs do not count, because they close a cycle.
pub(crate) fn warn_of_cycles(out: &mut Out, cycles: &[Vec<TaskId>]) {
    for path in cycles {
        if let [task, needed, ..] = path.as_slice() {
            out.warn(&format!("{}; that {task} needs {needed} is ignored", needs::shown(path)));
            out.hint(&format!(
                "`git orch dep rm {task} {needed}` takes it away; one of the other needs would do as well"
            ));
        }
    }
}

/// Shows what was done, and what to type next; with `-q` only what needs a look or has to be typed.
pub(crate) fn account(out: &mut Out, view: &ActionsView) {
    // What would be done was asked for.
    if out.is_quiet() && view.actions.iter().all(|action| action.done != Done::Planned) {
        for action in view.actions.iter().filter(|action| action.done == Done::Warned) {
            out.warn(&format!("{}: {}", action.what, action.detail));
        }
        if view.due {
            out.data(&report::next_commands(&view.next));
        }
        return;
    }
    out.data(&report::actions(view, out.page()));
    if !view.next.is_empty() {
        out.data(&format!("\n{}", report::next_commands(&view.next)));
    }
}

/// What to type where trunk has nothing to judge by. Nothing where that can't be found out: an error is on its way.
pub(crate) fn gateless(cx: &Ctx) -> Vec<String> {
    let found = cx
        .snapshot()
        .and_then(|snapshot| cx.trunk(&snapshot))
        .and_then(|trunk| gateless::way_out(cx, &trunk));
    found.unwrap_or_default()
}

/// Says that what is begun can't be merged as things are.
pub(crate) fn warn_of_gateless(cx: &Ctx, out: &mut Out) {
    let found =
        cx.snapshot().and_then(|snapshot| cx.trunk(&snapshot)).and_then(|t| gateless::missing(cx, &t));
    let Ok(Some(missing)) = found else { return };
    out.warn(&format!("{missing}: Ralph has no step, and nothing can be merged until it is there"));
    for line in gateless(cx) {
        out.hint(&line);
    }
}

/// Why nothing is ready.
pub(crate) fn idle(idle: &Idle) -> IdleView {
    let need = |id: &TaskId| match idle.stuck.get(id) {
        Some(word) => format!("{id} ({word})"),
        None => id.to_string(),
    };
    let held = |task: &Task| Held {
        id: task.id.to_string(),
        title: task.title.value.clone(),
        by: match &task.register.state {
            State::Claimed(lease) | State::Merging(lease) => lease.owner.actor.clone(),
            State::Blocked(why) => why.clone(),
            State::Open | State::Review | State::Done(_) | State::Closed(_) => String::new(),
        },
    };
    IdleView {
        waiting: idle
            .waiting
            .iter()
            .map(|(task, needs)| Waiting {
                id: task.id.to_string(),
                title: task.title.value.clone(),
                needs: needs.iter().map(need).collect(),
            })
            .collect(),
        held: idle.held.iter().map(held).collect(),
        blocked: idle.blocked.iter().map(held).collect(),
        review: idle.review.iter().map(held).collect(),
        filtered: idle.filtered,
    }
}

/// What could make something ready.
pub(crate) fn idle_hints(idle: &IdleView) -> Vec<String> {
    let hints = [
        (!idle.blocked.is_empty(), BLOCKED_HINT),
        (!idle.review.is_empty(), REVIEW_HINT),
        (idle.filtered > 0, "`git orch list --ready` shows what the filter left out"),
        (idle.finished(), "`git orch add TITLE`, or `git orch list --all`"),
    ];
    hints.into_iter().filter(|(is, _)| *is).map(|(_, hint)| hint.to_owned()).collect()
}

/// What a person does with blocked tasks.
pub(crate) const BLOCKED_HINT: &str = "`git orch list --status blocked`; `git orch show TASK` says why, `git orch unblock TASK…` puts them back";
/// What a person does with tasks in review.
pub(crate) const REVIEW_HINT: &str =
    "`git orch list --status review`; `git orch merge TASK` merges one that is as it should be";

/// A verdict as surfaces show it: the one that decided.
pub(crate) fn verdict(cx: &Ctx, judged: &Judged, rev: &str, warnings: Vec<String>) -> Option<VerdictView> {
    let verdict = judged.deciding()?;
    let log = |step: &str| logs::of(cx, verdict, step).map(|path| path.display().to_string());
    let asked = Asked {
        rev: rev.to_owned(),
        commit: judged.commit.to_string(),
        recorded: judged.recorded,
        judged_by: judged.whose().map(Whose::as_str),
        findings: hits(&judged.guarded),
        allowed: judged.guarded.allowed.iter().map(AllowedView::new).collect(),
        warnings,
    };
    Some(VerdictView::new(verdict, asked, &log))
}

/// What guardrails found, as surfaces show it.
pub(crate) fn hits(guarded: &Guarded) -> Vec<HitView> {
    guarded.hits.iter().map(|hit| HitView::new(&hit.finding, &hit.why, &hit.fix)).collect()
}

/// What is typed against guardrails' findings: what takes one out of an earlier commit, and what a person types who lets them
/// through; nothing where there is none, or nobody may.
pub(crate) fn approval(guarded: &Guarded, name: &str) -> Vec<String> {
    let rewrite = guarded.to_rewrite().map(|commit| {
        format!("git rebase -i {}^   (on the branch: squash it into what took it back)", commit.short())
    });
    let (may, name) = (!guarded.rules_for_a_person().is_empty(), quote(name));
    let approve =
        may.then(|| format!("git orch approve {name} --reason TEXT   (a person who has read the findings)"));
    rewrite.into_iter().chain(approve).collect()
}

/// What a person types who lets a branch pass that Ralph does not: the change of the gate, what guardrails found in it, or
/// all of it.
pub(crate) fn past(judged: &Judged, name: &str) -> Vec<String> {
    if judged.rule() == Some(approvals::GATE) {
        let name = quote(name);
        return vec![format!("git orch approve {name} --reason TEXT   (a person who has read the change)")];
    }
    let all = format!("git orch merge {} --override --reason TEXT   (a person, recorded)", quote(name));
    approval(&judged.guarded, name).into_iter().chain([all]).collect()
}

impl From<Refused> for CommandError {
    fn from(refused: Refused) -> Self {
        let exit = match refused.because {
            Because::Failed => Exit::Failed,
            Because::Usage => Exit::Usage,
            Because::Blocked => Exit::Blocked,
            Because::Policy => Exit::Refused,
            Because::NothingReady => Exit::NothingReady,
            Because::Held => Exit::Held,
            Because::Offline => Exit::Offline,
            Because::Interrupted => Exit::Interrupted,
            Because::Environment => Exit::Environment,
        };
        let error = Self::new(exit, refused.fact).rule(refused.rule);
        refused.next.into_iter().fold(error, Self::next)
    }
}

const LOCKED: &str =
    "wait until git is done; if no git is at work here, the file was left by a killed one and can go";

impl From<OpError> for CommandError {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Refused(refused) => refused.into(),
            OpError::Config { ref problems, .. } => Self::from_error(Exit::Environment, &error)
                .rule("config.invalid")
                .problems(problems)
                .next("correct it on a branch; everything but the gate works meanwhile"),
            OpError::Local(ref problems) => {
                let this =
                    Self::from_error(Exit::Environment, &error).rule("config.local").problems(problems);
                problems.iter().fold(this, |this, p| this.next(format!("git config --unset {}", p.key())))
            }
            OpError::Bug(fact) => Self::new(Exit::Bug, format!("BUG: {fact}")),
            OpError::Store(StoreError::TooLarge { .. }) => Self::from_error(Exit::Usage, &error)
                .rule("state.too_large")
                .next("put long text into a file of the repository, and name that in the body"),
            OpError::Store(ref store) => {
                let this = Self::from_error(Exit::Environment, &error);
                match store {
                    StoreError::Corrupt { .. } => this.rule("state.damaged").next("git orch doctor"),
                    StoreError::TooNew { .. } => this.rule("state.newer").next("install a newer git-orch"),
                    StoreError::TooLarge { .. } | StoreError::NoState => {
                        this.rule("init.missing").next("git orch init")
                    }
                    StoreError::Hostile { .. } => {
                        this.rule("state.hostile").next("look at who pushed it; nothing of it was taken over")
                    }
                    StoreError::Unrelated { .. } => this.rule("state.unrelated"),
                    StoreError::Git(GitError::RefLocked { .. }) => this.rule("git.lock").next(LOCKED),
                    StoreError::Unknown { .. } => this
                        .rule("state.unknown")
                        .next("git orch log   (whether it is there)")
                        .next("git orch doctor"),
                    StoreError::Contended { .. }
                    | StoreError::NotReadBack
                    | StoreError::Lock(_)
                    | StoreError::Git(_) => this.or_read_only(&error).next("git orch doctor"),
                }
            }
            OpError::Git(GitError::RefLocked { .. }) => {
                Self::from_error(Exit::Environment, &error).rule("git.lock").next(LOCKED)
            }
            OpError::Git(GitError::NoRepository { .. }) => Self::from_error(Exit::Environment, &error)
                .rule("git.repository")
                .next("cd to a repository, or git init"),
            OpError::Git(GitError::Program(ref e)) | OpError::Process(ref e) if e.is_missing_program() => {
                let program = Self::from_error(Exit::Environment, &error).rule("program.missing");
                program.next("install it, or put it on PATH")
            }
            OpError::Git(_) | OpError::Fs(_) | OpError::Process(_) | OpError::Lock(_) => {
                Self::from_error(Exit::Environment, &error).or_read_only(&error)
            }
        }
    }
}

/// What `init` or `uninstall` did, as surfaces show it.
pub(crate) fn actions(report: setup::Report) -> ActionsView {
    let mut view = ActionsView { actions: Vec::new(), next: report.next, due: report.due };
    for line in report.lines {
        let done = match line.done {
            setup::Done::Made => Done::Made,
            setup::Done::Planned => Done::Planned,
            setup::Done::Kept => Done::Kept,
            setup::Done::Warned => Done::Warned,
        };
        view.push(done, line.what, line.detail);
    }
    view
}

/// A worktree as surfaces show it.
pub(crate) fn worktree(found: Surveyed) -> WorktreeView {
    WorktreeView {
        path: found.worktree.path.display().to_string(),
        usage: if found.id.is_some() { WorktreeUse::Task } else { WorktreeUse::Gate },
        task: found.id.map(|id| id.to_string()),
        status: found.task.map(|t| t.register.state.status()),
        branch: found.worktree.head.branch().map(str::to_owned),
        uncommitted: found.dirt.changed.len(),
        untracked: found.dirt.untracked.len(),
        unpushed: found.unpushed,
        shared: found.shared,
        missing: found.missing,
    }
}

/// Says which checkouts of trunk did not follow it.
pub(super) fn tell_left(out: &mut Out, checkouts: &[Refresh]) {
    for (fact, next) in checkouts.iter().filter_map(Refresh::trouble) {
        out.warn(&fact);
        out.hint(&next);
    }
}
