//! What a person asks Ralph about: the commit by its name, what is not committed, and the gate itself.

use crate::config::FILE;
use crate::domain::oid::Oid;
use crate::domain::plural::plural;
use crate::gate::{self, Definition};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::gateless;
use crate::ops::tasks;
use crate::store::Snapshot;
use crate::sys::beside::beside;

/// The commit that a person means by a revision, a branch, or a task's id.
pub fn commit_of(cx: &Ctx, snapshot: &Snapshot<'_>, text: &str) -> Result<Oid, OpError> {
    let named = match text {
        "HEAD" => cx.repo.head_commit(),
        text => cx.repo.rev_parse(&format!("{text}^{{commit}}")),
    };
    if let Ok(oid) = named {
        return Ok(oid);
    }
    if let Ok(id) = tasks::resolve(snapshot, text)
        && let Some(task) = snapshot.task(&id)?
        && let Some(work) = &task.register.work
        && let Some(oid) = cx.repo.ref_target(&format!("refs/heads/{}", work.branch))?
    {
        return Ok(oid);
    }
    if text == "HEAD" {
        return Err(Refused::new(Because::Environment, "trunk.unborn", "there is no commit yet")
            .next("make the first commit, then judge it")
            .into());
    }
    Err(Refused::new(
        Because::Usage,
        "rev.unknown",
        format!("`{text}` names no commit, branch or task's work"),
    )
    .next("git orch list")
    .into())
}

/// What a person who judges HEAD should know about this checkout, found out beside what `meanwhile` does: it takes longer the
/// more files there are, and decides nothing.
pub fn dirty_here<T>(
    cx: &Ctx,
    meanwhile: impl FnOnce() -> Result<T, OpError>,
) -> Result<(Vec<String>, T), OpError> {
    let Some(here) = cx.repo.here()? else { return Ok((Vec::new(), meanwhile()?)) };
    let status = cx.repo.status(&here);
    let (dirt, made) = beside(|| status.ask(), meanwhile);
    let (made, dirt) = (made?, dirt?);
    let count = dirt.changed.len() + dirt.untracked.len();
    let are = if count == 1 { "is" } else { "are" };
    let line = format!("{} here {are} not committed, and not judged", plural(count, "file"));
    Ok(((count > 0).then_some(line).into_iter().collect(), made))
}

/// The gate in force, and where it was read.
pub fn gate_in_force(cx: &Ctx) -> Result<(Definition, String), OpError> {
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let config = cx.config(&trunk)?;
    let origin = match trunk.tip() {
        Some(tip) => match gateless::missing(cx, &trunk)? {
            None => format!("{FILE} at {} ({})", trunk.tip_name(), cx.repo.abbreviate(tip)),
            Some(missing) => format!("built-in defaults, {missing}"),
        },
        None => "built-in defaults".to_owned(),
    };
    Ok((Definition::of(&config), origin))
}

/// Refuses a name that no step of the gate has.
pub(crate) fn has_step(gate: &Definition, name: &str) -> Result<(), OpError> {
    if gate.steps.iter().any(|step| step.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = gate.steps.iter().map(|step| step.name.as_str()).collect();
    let fact = match names.as_slice() {
        [] => format!("the gate has no step `{name}`: it has none"),
        names => format!("the gate has no step `{name}`: it has {}", names.join(", ")),
    };
    Err(Refused::new(Because::Usage, "step.unknown", fact).next("git orch ralph steps").into())
}

/// Refuses names that no step of the gate in force has.
pub fn have_steps(cx: &Ctx, names: &[String]) -> Result<(), OpError> {
    if names.is_empty() {
        return Ok(());
    }
    let (gate, _) = gate_in_force(cx)?;
    names.iter().try_for_each(|name| has_step(&gate, name))
}

/// The gate that `init` would propose for the files of this checkout.
pub fn detect(cx: &Ctx) -> Result<gate::detect::Proposal, OpError> {
    let Some(top) = cx.repo.work_tree() else {
        return Err(Refused::new(Because::Environment, "checkout.bare", "there is no checkout here")
            .next("git orch ralph steps")
            .into());
    };
    let facts = gate::detect::Facts::of_directory(top, gate::detect::tools(top, &cx.env));
    Ok(gate::detect::propose(&facts))
}
