//! What a person asks Ralph about: the commit by its name, what is not committed, and the gate itself.

use crate::config::FILE;
use crate::domain::branch;
use crate::domain::id::IdPrefix;
use crate::domain::oid::Oid;
use crate::domain::plural::plural;
use crate::domain::task::Task;
use crate::gate::{self, Definition};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::gateless;
use crate::ops::tasks;
use crate::store::Snapshot;
use crate::sys::beside::beside;

/// A shorter beginning of a task's id may as well be another name.
const LEAST: usize = 4;

/// What a person asked about.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The commit.
    pub commit: Oid,
    /// The branch that it is the tip of, if a task or a branch was named.
    pub branch: Option<String>,
    /// The task whose branch that is.
    pub task: Option<Task>,
    /// What the name could mean besides.
    pub notes: Vec<String>,
}

/// The commit that a person means by a revision, a branch, or a task's id.
pub fn commit_of(cx: &Ctx, snapshot: &Snapshot<'_>, text: &str) -> Result<Oid, OpError> {
    Ok(asked(cx, snapshot, text)?.commit)
}

/// The same, with what it is. Tags and refs are made by whoever works in a clone: a task, or else a branch, is meant before
/// them.
pub fn asked(cx: &Ctx, snapshot: &Snapshot<'_>, text: &str) -> Result<Asked, OpError> {
    let plain = |commit| Asked { commit, branch: None, task: None, notes: Vec::new() };
    let revision = || cx.repo.rev_parse(&format!("{text}^{{commit}}")).ok();
    if text == "HEAD" {
        return cx.repo.head_commit().map(plain).map_err(|_| unborn().into());
    }
    let task = named_task(snapshot, text)?;
    let exact = task.as_ref().is_some_and(|task| task.id.as_str() == text);
    let short = text.strip_prefix("refs/heads/").unwrap_or(text);
    let at = |branch: &str| cx.repo.ref_target(&format!("refs/heads/{branch}"));
    let mut found = None;
    if let Some(commit) = at(short)?.filter(|_| !exact) {
        let task = branch::task_of(short).map(|id| snapshot.task(&id)).transpose()?.flatten();
        let task = task.filter(|task| task.register.work.as_ref().is_some_and(|work| work.branch == short));
        found = Some(("branch", Asked { branch: Some(short.to_owned()), task, ..plain(commit) }));
    } else if let Some(task) = task {
        let work = task.register.work.as_ref().map(|work| work.branch.clone());
        let tip = work.as_deref().map(at).transpose()?.flatten();
        found = tip.map(|commit| ("task", Asked { branch: work, task: Some(task), ..plain(commit) }));
        if found.is_none() && exact {
            return Err(unknown(text).into());
        }
    }
    if let Some((what, mut asked)) = found {
        if let Some(other) = revision().filter(|other| *other != asked.commit) {
            let id = cx.repo.abbreviate(&other);
            asked
                .notes
                .push(format!("`{text}` also names {id}, by a tag, a ref or its id: the {what} is meant"));
        }
        return Ok(asked);
    }
    if let Some(commit) = revision() {
        return Ok(plain(commit));
    }
    if let Ok(id) = tasks::resolve(snapshot, text)
        && let Some(task) = snapshot.task(&id)?
        && let Some(work) = &task.register.work
        && let Some(commit) = at(&work.branch)?
    {
        return Ok(Asked { branch: Some(work.branch.clone()), task: Some(task), ..plain(commit) });
    }
    Err(unknown(text).into())
}

/// The task whose id begins as `text` does, letter by letter: what is only forgiven (`O` for `0`) may be another name.
fn named_task(snapshot: &Snapshot<'_>, text: &str) -> Result<Option<Task>, OpError> {
    let typed = text.split_once('-').map_or(text, |(_, typed)| typed);
    let Some(prefix) = IdPrefix::parse(text).ok().filter(|_| typed.len() >= LEAST) else { return Ok(None) };
    let found = snapshot.resolve(&prefix)?;
    let [id] = found.as_slice() else { return Ok(None) };
    let task = snapshot.task(id)?.filter(|task| id.as_str().starts_with(typed) && fits(task, &prefix));
    Ok(task)
}

fn fits(task: &Task, prefix: &IdPrefix) -> bool {
    prefix.kind.is_none_or(|kind| kind == task.kind.value)
}

fn unborn() -> Refused {
    Refused::new(Because::Environment, "trunk.unborn", "there is no commit yet")
        .next("make the first commit, then judge it")
}

fn unknown(text: &str) -> Refused {
    let fact = format!("`{text}` names no commit, branch or task's work");
    Refused::new(Because::Usage, "rev.unknown", fact).next("git orch list")
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
