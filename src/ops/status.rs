//! Where the repository stands, in one look.

use crate::config::Moment;
use crate::domain::control::Control;
use crate::domain::id::{SessionId, TaskId};
use crate::domain::task::Task;
use crate::domain::verdict::Word;
use crate::gate::breaker::Circuit;
use crate::hook::name::Hook;
use crate::index::{Filter, Row};
use crate::ops::attested::{self, Tamper};
use crate::ops::checkouts;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::ops::gateless;
use crate::ops::observed;
use crate::ops::ralph::{self, Request};
use crate::ops::ready::Queue;
use crate::ops::setup;
use crate::ops::worktrees::{self, Surveyed};
use crate::store::Snapshot;
use crate::sys::fs;

/// Whether git asks us before it commits, pushes and moves trunk, as seen from this worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// All hooks are there and ours.
    Enforced,
    /// There is nothing of ours: nobody set this clone up, or git-orch was taken out.
    NotInstalled,
    /// These are missing or somebody else's.
    Partial(Vec<&'static str>),
    /// They can't be installed where git looks for them; why.
    NotEnforced(String),
    /// Switched off in this clone by `git config orch.hooks off`.
    Off,
}

/// All that `git orch status` shows.
#[derive(Clone, Debug)]
pub struct Status {
    /// The mode, with who set it and why.
    pub control: Control,
    /// The protected branch and its remote.
    pub trunk: Trunk,
    /// Whether the policy tip has a gate with steps, or one that can't be read.
    pub gate: bool,
    /// The recorded verdict on the policy tip; None while there is none.
    pub verdict: Option<Word>,
    /// Each status word with the number of its tasks, in the order of a task's life.
    pub counts: Vec<(&'static str, usize)>,
    /// How many of the open ones are ready.
    pub ready: usize,
    /// The task that `next` would take.
    pub next: Option<Task>,
    /// What this person or session holds.
    pub yours: Vec<Task>,
    /// Worktrees of tasks and of the gate.
    pub worktrees: Vec<Surveyed>,
    /// The hooks.
    pub hooks: Hooks,
    /// Trunk moved past the hooks.
    pub tamper: Option<Tamper>,
    /// What could not be read, one line each: a damaged task file, an unusable `orch.toml`.
    pub problems: Vec<String>,
    /// The breakers that are open, by step.
    pub breakers: Vec<(String, Circuit)>,
}

/// Looks at everything. Nothing that is damaged keeps the rest from being shown.
pub fn status(cx: &Ctx) -> Result<Status, OpError> {
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let mut problems = Vec::new();
    let verdict = verdict(cx, &trunk).unwrap_or_else(|error| {
        problems.extend(lines_of(&error));
        None
    });
    if let Some(missing) = gateless::missing(cx, &trunk)? {
        let next = gateless::way_out(cx, &trunk)?.join("\n");
        problems.push(format!("{missing}, so nothing can be merged; next:\n{next}"));
    }
    problems.extend(checkouts::detached(cx, &trunk)?);
    let queue = Queue::open(cx, &snapshot)?;
    let counts = queue.counts()?;
    problems.extend(queue.damaged()?.into_iter().map(damage));
    let control = snapshot.control().unwrap_or_else(|error| {
        problems.push(error.to_string());
        Control::default()
    });
    let breakers = observed::breakers(cx).unwrap_or_else(|error| {
        problems.push(error.to_string());
        observed::Breakers::default()
    });
    let config = cx.config(&trunk);
    // A configuration that can't be read says of no step that it is gone.
    let is_there = |step: &str| config.as_ref().map_or(true, |config| observed::has(&config.ralph, step));
    let breakers =
        breakers.into_iter().filter(|(step, circuit)| circuit.open.is_some() && is_there(step)).collect();
    let tamper = attested::tamper(cx, &trunk)?;
    attested::settle(cx, &trunk);
    Ok(Status {
        control,
        gate: config.as_ref().map_or(true, |config| !config.ralph.steps.is_empty()),
        verdict,
        counts: counts.by_status.into_iter().map(|(word, count)| (word, number(count))).collect(),
        ready: number(counts.ready),
        // Several: a file may be damaged since the index was made.
        next: readable(&snapshot, &queue.ready(&Filter::default(), 8)?).next(),
        yours: yours(cx, &snapshot, &queue)?,
        worktrees: worktrees::survey(cx)?,
        hooks: hooks(cx)?,
        tamper,
        problems,
        breakers,
        trunk,
    })
}

/// The recorded verdict on the policy tip under its own gate; nothing is run.
fn verdict(cx: &Ctx, trunk: &Trunk) -> Result<Option<Word>, OpError> {
    let Some(tip) = trunk.tip() else { return Ok(None) };
    if cx.config(trunk)?.ralph.steps.is_empty() {
        return Ok(None);
    }
    let judged = ralph::last(cx, &Request::new(tip.clone(), Moment::Merge))?;
    Ok(judged.map(|judged| judged.word))
}

fn lines_of(error: &OpError) -> Vec<String> {
    match error {
        OpError::Config { problems, .. } => problems.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    }
}

fn damage((id, what): (TaskId, String)) -> String {
    format!("tasks/{}/{id}.toml in the state is damaged: {what}", id.shard())
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn readable<'a>(snapshot: &'a Snapshot<'_>, rows: &'a [Row]) -> impl Iterator<Item = Task> + 'a {
    rows.iter().filter_map(|row| snapshot.task(&row.id).ok().flatten())
}

/// What the present session holds: the one in the environment, else this clone's person.
fn yours(cx: &Ctx, snapshot: &Snapshot<'_>, queue: &Queue<'_, '_>) -> Result<Vec<Task>, OpError> {
    let Some(session) = session(cx)? else { return Ok(Vec::new()) };
    let filter = Filter { statuses: vec!["claimed", "merging"], ..Filter::default() };
    let held = queue.list(&filter, usize::MAX)?;
    let mine = |task: &Task| task.register.state.lease().is_some_and(|lease| lease.owner.session == session);
    Ok(readable(snapshot, &held).filter(mine).collect())
}

fn session(cx: &Ctx) -> Result<Option<SessionId>, OpError> {
    if let Some(session) = &cx.actor.session {
        return Ok(Some(session.clone()));
    }
    fs::exists(&cx.file("session")).then(|| cx.person_session()).transpose()
}

/// The hooks of this worktree, from a few sizes; `doctor` compares every byte.
pub fn hooks(cx: &Ctx) -> Result<Hooks, OpError> {
    let all = || Hook::ALL.map(Hook::as_str).to_vec();
    let place = setup::place_here(cx)?;
    let Some(settings) = setup::installed_settings(cx) else {
        let ours = |hook: &Hook| setup::covers(&place.dir.join(hook.as_str()));
        let none = !setup::is_installed(cx) && !Hook::ALL.iter().any(ours);
        return Ok(if none { Hooks::NotInstalled } else { Hooks::Partial(all()) });
    };
    if !cx.local.hooks || !settings.enabled {
        return Ok(Hooks::Off);
    }
    let Ok(copy) = cx.file("bin/git-orch-hook").metadata() else { return Ok(Hooks::Partial(all())) };
    let whole = |hook: &Hook| {
        let meta = place.dir.join(hook.as_str()).symlink_metadata();
        meta.is_ok_and(|m| m.is_file() && m.len() == copy.len())
    };
    let missing: Vec<&str> = Hook::ALL.iter().filter(|hook| !whole(hook)).map(|h| h.as_str()).collect();
    Ok(match (missing.is_empty(), place.is_ours_to_use(cx)) {
        (true, _) => Hooks::Enforced,
        (false, true) => Hooks::Partial(missing),
        (false, false) => Hooks::NotEnforced(place.why_not()),
    })
}
