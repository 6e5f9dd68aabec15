//! `git orch init`.

use std::path::Path;

use crate::ops::attested::{self, Tamper};
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::setup::definition;
use crate::ops::setup::hooks::{self, Act, Programs};
use crate::ops::setup::local;
use crate::ops::setup::options::InitOptions;
use crate::ops::setup::report::{Done, Report};
use crate::ops::setup::state;
use crate::ops::setup::trunk::{self, Known, Remote};
use crate::ops::{accounted, people, remote};
use crate::sys::fs;

/// Sets this clone up with the running program and the dispatcher beside it.
pub fn init(cx: &Ctx, options: &InitOptions) -> Result<Report, OpError> {
    init_with(cx, options, &Programs::running()?)
}

/// Sets this clone up. What is right already is kept: the second run changes nothing.
pub fn init_with(cx: &Ctx, options: &InitOptions, programs: &Programs) -> Result<Report, OpError> {
    let own = trunk::with_remote(cx, options.remote.as_deref())?;
    programs.refuse_missing()?;
    if !options.dry_run {
        people::refuse_agents(&own, "set git-orch up")?;
        refuse_read_only(&own)?;
    }
    let plan = look(&own, options)?;
    if matches!(plan.toml, definition::Plan::Commit { .. }) {
        own.identity()?;
    }
    if let (false, definition::Plan::Write { path, .. }) = (options.dry_run, &plan.toml) {
        refuse_unwritable(path.parent().unwrap_or(path))?;
    }
    let chosen = options.remote.as_deref().filter(|name| local::must_choose(cx, Some(name)));
    let mut report = Report::default();
    tell_trunk(&plan, &mut report);
    if options.dry_run {
        tell(&own, &plan, chosen, programs, &mut report)?;
    } else {
        act(&own, &plan, chosen, programs, &mut report)?;
    }
    if is_hub(&own)? {
        let line = "nobody works in this repository, and they refuse every push of trunk to it, what Ralph has \
            verified, too: set up the clones, not the hub that they push to";
        report.push(Done::Warned, "hooks", line);
        if !options.dry_run {
            report.due("git orch uninstall");
        }
    } else if options.dry_run {
        report.next("git orch init   # does it");
    } else {
        next(&own, &plan, &mut report)?;
    }
    Ok(report)
}

/// Whether this is a repository that others push to, as far as one can see: bare, and without worktrees.
fn is_hub(cx: &Ctx) -> Result<bool, OpError> {
    Ok(cx.repo.is_bare() && cx.repo.worktrees()?.is_empty())
}

/// Everything that is decided before the first change.
struct Plan {
    remote: Remote,
    state: state::Plan,
    trunk: Trunk,
    toml: definition::Plan,
}

fn look(cx: &Ctx, options: &InitOptions) -> Result<Plan, OpError> {
    let remote = Remote::ask(cx)?;
    let mut state = state::plan(cx, &remote)?;
    if let (state::Plan::Join(theirs), false) = (&state, options.dry_run) {
        state = state::Plan::Join(state::fetch(cx, &remote, theirs)?);
    }
    let mut trunk = cx.trunk_named(&trunk_name(cx, options, &remote, &state)?)?;
    trunk::must_exist(cx, &trunk, &remote)?;
    if !options.dry_run && trunk.tracking.is_none() && remote.has_branch(cx, &trunk.name)? == Known::Yes {
        // Best effort: offline, the local branch is what there is to look at.
        remote::fetch(cx, &trunk)?;
        trunk = cx.trunk_named(&trunk.name)?;
    }
    let toml = definition::plan(cx, &trunk, &remote, options.orch_toml)?;
    Ok(Plan { remote, state, trunk, toml })
}

/// The state's trunk where there is a state; another wish is then refused.
fn trunk_name(
    cx: &Ctx,
    options: &InitOptions,
    remote: &Remote,
    state: &state::Plan,
) -> Result<String, OpError> {
    let wish = options.trunk.as_deref();
    let known = match state {
        state::Plan::Keep(tip) | state::Plan::PutBack(tip) | state::Plan::Join(tip)
            if cx.repo.has_object(tip) =>
        {
            state::trunk_in(cx, tip)?
        }
        _ => return trunk::name(cx, wish, remote),
    };
    match wish {
        Some(wish) if wish.strip_prefix("refs/heads/").unwrap_or(wish) != known => {
            let fact = format!("the state says that trunk is `{known}`, in every clone that has it");
            Err(Refused::new(Because::Policy, "trunk.set", fact).next("git orch status").into())
        }
        Some(_) => Ok(known),
        None => {
            refuse_strange(&known, remote, state)?;
            Ok(known)
        }
    }
}

/// Whoever can push a state can write any trunk into it, and trunk decides whose gate counts: a new clone does not believe
/// one that is not the remote's HEAD.
fn refuse_strange(known: &str, remote: &Remote, state: &state::Plan) -> Result<(), OpError> {
    let (state::Plan::Join(_), Remote::Online(found)) = (state, remote) else { return Ok(()) };
    match &found.head {
        Some(head) if head != known => {
            let fact = format!("the remote's state says that trunk is `{known}`, and its HEAD is `{head}`");
            Err(Refused::new(Because::Policy, "trunk.differs", fact)
                .next(format!("git orch init --trunk {known}   (if that is right)"))
                .next("git ls-remote --symref   (what the remote has)")
                .into())
        }
        Some(_) | None => Ok(()),
    }
}

fn refuse_read_only(cx: &Ctx) -> Result<(), OpError> {
    let common = cx.repo.common_dir();
    refuse_unwritable(common)?;
    refuse_unwritable(&common.join("objects"))
}

fn refuse_unwritable(dir: &Path) -> Result<(), OpError> {
    if fs::is_writable(dir) {
        return Ok(());
    }
    let fact = format!("{} can't be written, so nothing can be set up here", dir.display());
    Err(Refused::new(Because::Environment, "repository.readonly", fact)
        .next("git clone it to a place that is yours, and type `git orch init` there")
        .next("git orch init --dry-run   # shows what would be done here")
        .into())
}

fn tell_trunk(plan: &Plan, report: &mut Report) {
    let from = match &plan.trunk.remote {
        Some(remote) => format!("{}, shared through {remote}", plan.trunk.name),
        None => format!("{}, in this clone only: there is no remote", plan.trunk.name),
    };
    report.push(Done::Kept, "trunk", from);
}

fn tell(
    cx: &Ctx,
    plan: &Plan,
    chosen: Option<&str>,
    programs: &Programs,
    report: &mut Report,
) -> Result<(), OpError> {
    if let Some(name) = chosen {
        report.push(Done::Planned, "remote", format!("git config orch.remote {name}"));
    }
    state::tell(cx, &plan.state, &plan.remote, report)?;
    match &plan.state {
        state::Plan::Keep(_) => {}
        state::Plan::Join(_) => report.push(Done::Planned, "state", "join the remote's refs/orch/state"),
        state::Plan::PutBack(_) => report.push(Done::Planned, "state", "put refs/orch/state back"),
        state::Plan::Create => report.push(Done::Planned, "state", "make refs/orch/state"),
    }
    definition::tell(&plan.toml, &plan.trunk, report);
    hooks::install_all(cx, &plan.trunk, programs, Act::Tell, report)
}

fn act(
    cx: &Ctx,
    plan: &Plan,
    chosen: Option<&str>,
    programs: &Programs,
    report: &mut Report,
) -> Result<(), OpError> {
    if let Some(name) = chosen {
        local::choose_remote(cx, name)?;
        report.push(Done::Made, "remote", format!("git config orch.remote {name}"));
    }
    state::tell(cx, &plan.state, &plan.remote, report)?;
    state::perform(cx, &plan.state, &plan.trunk.name, report)?;
    definition::perform(cx, &plan.toml, &plan.trunk, report)?;
    // Before the hooks are there: from then on a mark has to be.
    let tamper = attested::tamper(cx, &plan.trunk)?;
    hooks::install_all(cx, &plan.trunk, programs, Act::Do, report)?;
    attest(cx, &plan.trunk, tamper, report)
}

/// Trunk as it is now is where git-orch begins; a move that it did not see is not covered up.
fn attest(cx: &Ctx, before: &Trunk, tamper: Option<Tamper>, report: &mut Report) -> Result<(), OpError> {
    if let Some(tamper) = tamper {
        report.push(Done::Warned, "trunk", tamper.to_string());
        let (command, what) = tamper.look();
        report.due(format!("{command}   # {what}"));
        report.due("git orch doctor --fix   # a person who has looked at it accepts and records it");
        return Ok(());
    }
    attested::attest(cx)?;
    accounted::begin(cx, &cx.trunk_named(&before.name)?)
}

fn next(cx: &Ctx, plan: &Plan, report: &mut Report) -> Result<(), OpError> {
    definition::next(cx, &plan.toml, &plan.trunk, report)?;
    if matches!(plan.toml, definition::Plan::InForce | definition::Plan::Commit { .. }) {
        report.next("git orch ralph   # judges HEAD");
        report.next("git orch add \"TITLE\"   # a task for the queue");
        report.next("git orch next   # takes the first one");
    } else if matches!(plan.toml, definition::Plan::Nowhere(_)) {
        report.due(format!("git worktree add ../{}-init {0}", plan.trunk.name));
    }
    Ok(())
}
