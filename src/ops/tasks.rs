//! The queue by hand: add, edit, depend, block, close, reopen.

use std::collections::BTreeSet;

use crate::domain::draft::{Draft, Need};
use crate::domain::graph;
use crate::domain::id::{IdPrefix, TaskId};
use crate::domain::kind::{Kind, Priority};
use crate::domain::role::Role;
use crate::domain::stamp::{Field, TagSet};
use crate::domain::task::{Register, Task};
use crate::domain::unknown::Unknown;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::needs::Needs;
use crate::ops::{contract, people, rebranch};
use crate::policy::grant::Action;
use crate::store::{Change, Edit, Snapshot};
use crate::sys::random;

/// The audit entry of a change to a task.
/// The rule of an id that no task here has.
pub(crate) const UNKNOWN: &str = "id.unknown";

pub(crate) fn change(action: &'static str, id: &TaskId, cause: &str, note: Option<String>) -> Change {
    Change { action, subject: format!("task/{id}"), cause: cause.to_owned(), note }
}

/// The one task that a person's abbreviation means.
pub fn resolve(snapshot: &Snapshot<'_>, text: &str) -> Result<TaskId, OpError> {
    let prefix = IdPrefix::parse(text)?;
    resolve_prefix(snapshot, &prefix)
}

fn resolve_prefix(snapshot: &Snapshot<'_>, prefix: &IdPrefix) -> Result<TaskId, OpError> {
    let text = prefix.typed.as_str();
    let mut found = snapshot.resolve(prefix)?;
    if let Some(kind) = prefix.kind {
        let all = found.clone();
        let of_kind = |id: &TaskId| snapshot.task(id).is_ok_and(|t| t.is_some_and(|t| t.kind.value == kind));
        found.retain(of_kind);
        if let (true, [other, ..]) = (found.is_empty(), all.as_slice()) {
            let what = find(snapshot, other)?.kind.value.as_str();
            let fact = format!("task {other} is a {what}, no {}", kind.as_str());
            return Err(Refused::new(Because::Usage, "id.kind", fact)
                .next(format!("git orch show {other}"))
                .into());
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(unknown(snapshot, text)?.into()),
        many => {
            let shown: Vec<&str> = many.iter().take(8).map(TaskId::as_str).collect();
            let fact = format!("`{text}` is the beginning of {} ids: {}", many.len(), shown.join(", "));
            Err(Refused::new(Because::Usage, "id.ambiguous", fact).next("type more of the id").into())
        }
    }
}

fn unknown(snapshot: &Snapshot<'_>, text: &str) -> Result<Refused, OpError> {
    let typed = text.rsplit('-').next().unwrap_or(text).to_ascii_lowercase();
    let distance = |id: &TaskId| {
        let same_length = id.as_str().get(..typed.len()).unwrap_or(id.as_str());
        strsim::damerau_levenshtein(&typed, same_length)
    };
    // Of two characters, everything is two wrong ones away.
    let near = |id: &TaskId| distance(id) <= 2 && 2 * distance(id) < typed.len();
    let mut ids: Vec<TaskId> = snapshot.task_ids()?.into_iter().filter(near).collect();
    ids.sort_by_cached_key(|id| (distance(id), id.clone()));
    let near: Vec<String> = ids.iter().take(3).map(|id| format!("git orch show {id}")).collect();
    let refused = Refused::new(Because::Usage, UNKNOWN, format!("no task's id begins with `{text}`"));
    Ok(if near.is_empty() {
        refused.next("git orch list --all")
    } else {
        near.into_iter().fold(refused, Refused::next)
    })
}

/// The task itself; `resolve` has found that it is there.
pub(crate) fn get(edit: &Edit<'_, '_>, id: &TaskId) -> Result<Task, OpError> {
    edit.task(id)?.ok_or_else(|| {
        Refused::new(Because::Usage, "id.unknown", format!("task {id} is gone")).next("git orch list").into()
    })
}

/// The task itself, from a snapshot.
pub fn find(snapshot: &Snapshot<'_>, id: &TaskId) -> Result<Task, OpError> {
    snapshot.task(id)?.ok_or_else(|| {
        Refused::new(Because::Usage, "id.unknown", format!("task {id} is gone")).next("git orch list").into()
    })
}

/// The task that this checkout belongs to, if it is one's.
pub fn here(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<Option<TaskId>, OpError> {
    let on = contract::branch_here(cx)?;
    Ok(contract::task_here(cx, snapshot, on.as_deref())?.map(|(task, _)| task.id))
}

/// Adds tasks in one change; either all or none. Returns them in order.
pub fn add(cx: &Ctx, drafts: &[Draft], cause: &str) -> Result<Vec<Task>, OpError> {
    cx.snapshot()?;
    let (tasks, _) = cx.store().transact(&cx.author(), Action::Queue, |edit| {
        let ids = fresh_ids(edit.snapshot(), drafts.len())?;
        let (mut tasks, mut refusals) = (Vec::new(), Vec::new());
        for (draft, id) in drafts.iter().zip(&ids) {
            match build(cx, edit, draft, id, &ids) {
                Ok(task) => tasks.push(task),
                Err(OpError::Refused(refused)) => refusals.push((draft.line, refused)),
                Err(failure) => return Err(failure),
            }
        }
        refuse_lines(refusals)?;
        refuse_cycles(edit, &tasks)?;
        let put = |task: Task| {
            let change = change("task.add", &task.id, cause, Some(task.title.value.clone()));
            edit.put_task(task, change)
        };
        Ok::<_, OpError>(tasks.into_iter().map(put).collect::<Vec<_>>())
    })?;
    Ok(tasks)
}

/// All that was refused as one refusal, each with the line of the file that it is about: who corrects a file wants
/// to do it once.
fn refuse_lines(refusals: Vec<(Option<usize>, Refused)>) -> Result<(), Refused> {
    let place = |line: Option<usize>| line.map_or_else(String::new, |line| format!("line {line}: "));
    let facts: Vec<String> =
        refusals.iter().map(|(line, refused)| format!("{}{}", place(*line), refused.fact)).collect();
    match refusals.into_iter().next() {
        Some((_, first)) => Err(Refused { fact: facts.join("\n"), ..first }),
        None => Ok(()),
    }
}

/// Ids that no task has; longer after repeated collisions. In order, because tasks of one moment are handed out
/// by their ids: what is added together is worked on in the order that it was written in.
fn fresh_ids(snapshot: &Snapshot<'_>, count: usize) -> Result<Vec<TaskId>, OpError> {
    let mut ids = BTreeSet::new();
    while ids.len() < count {
        let mut id = TaskId::from_bits(random::bits40());
        for _ in 0..4 {
            if !ids.contains(&id) && snapshot.task(&id)?.is_none() {
                break;
            }
            let longer = format!("{id}{}", &TaskId::from_bits(random::bits40()).as_str()[..2]);
            id = TaskId::parse(&longer)?;
        }
        ids.insert(id);
    }
    Ok(ids.into_iter().collect())
}

fn build(
    cx: &Ctx,
    edit: &Edit<'_, '_>,
    draft: &Draft,
    id: &TaskId,
    batch: &[TaskId],
) -> Result<Task, OpError> {
    let stamp = edit.stamp();
    let mut task = Task {
        id: id.clone(),
        created: edit.now(),
        creator: cx.actor.to_string(),
        updated: edit.now(),
        kind: Field::new(draft.kind, stamp),
        title: Field::new(draft.title.clone(), stamp),
        body: Field::new(draft.body.clone(), stamp),
        priority: Field::new(draft.priority, stamp),
        role: Field::new(draft.role, stamp),
        acceptance: Field::new(draft.acceptance.clone(), stamp),
        labels: TagSet::default(),
        needs: TagSet::default(),
        files: TagSet::default(),
        rejected: None,
        register: Register::new(&edit.at()),
        unknown: Unknown::default(),
    };
    let change = edit.change();
    let mut ordinal = 0;
    let mut next = || {
        ordinal += 1;
        ordinal
    };
    for label in &draft.labels {
        task.labels.insert(label.clone(), change, next());
    }
    for file in &draft.files {
        task.files.insert(file.clone(), change, next());
    }
    for need in &draft.needs {
        let needed = match need {
            Need::Task(prefix) => resolve_prefix(edit.snapshot(), prefix)?,
            Need::Sibling(at) => batch
                .get(*at)
                .cloned()
                .ok_or_else(|| OpError::Bug(format!("draft needs sibling {at} of {}", batch.len())))?,
        };
        task.needs.insert(needed, change, next());
    }
    Ok(task)
}

fn refuse_cycles(edit: &Edit<'_, '_>, changed: &[Task]) -> Result<(), OpError> {
    if changed.iter().all(|task| task.needs.is_empty()) {
        return Ok(());
    }
    let edges = Needs::below(edit.snapshot(), changed).edges();
    let entangled = graph::entangled(&edges);
    for task in changed.iter().filter(|task| entangled.contains(&task.id)) {
        for need in task.needs.iter() {
            if let Some(path) = graph::cycle(&edges, &task.id, need) {
                return Err(cycle(edit, changed, &path)?.into());
            }
        }
    }
    Ok(())
}

/// The refusal of a cycle. A task that is not added yet has no id that anybody knows: its title stands for it.
fn cycle(edit: &Edit<'_, '_>, changed: &[Task], path: &[TaskId]) -> Result<Refused, OpError> {
    let mut shown = Vec::new();
    let mut known = None;
    for (at, id) in path.iter().enumerate() {
        let new = changed.iter().find(|task| task.id == *id);
        match (edit.snapshot().task(id)?, new) {
            (None, Some(task)) => shown.push(format!("`{}`", task.title.value)),
            (_, _) => {
                shown.push(id.to_string());
                known = known.or((at > 0).then_some(id));
            }
        }
    }
    let fact = format!("this would be a cycle of dependencies: {}", shown.join(" -> "));
    let refused = Refused::new(Because::Policy, "deps.cycle", fact);
    Ok(match known {
        Some(id) => refused.next(format!("git orch dep tree {id}")),
        None => refused.next("correct what they need; nothing was added"),
    })
}

/// What to do with a task's role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoleEdit {
    /// Leave it.
    #[default]
    Keep,
    /// Back to the kind's own.
    Clear,
    /// This one.
    Set(Role),
}

/// What to change in a task; what is None or empty stays.
#[derive(Clone, Debug, Default)]
pub struct TaskEdit {
    /// The title, checked.
    pub title: Option<String>,
    /// The body.
    pub body: Option<String>,
    /// The kind.
    pub kind: Option<Kind>,
    /// The priority.
    pub priority: Option<Priority>,
    /// The role.
    pub role: RoleEdit,
    /// All acceptance criteria.
    pub acceptance: Option<Vec<String>>,
    /// Labels to add.
    pub label: Vec<String>,
    /// Labels to remove.
    pub unlabel: Vec<String>,
    /// File globs to add.
    pub file: Vec<String>,
    /// File globs to remove.
    pub unfile: Vec<String>,
}

/// Changes a task's description. Nobody needs to hold it.
pub fn edit(cx: &Ctx, id: &TaskId, what: &TaskEdit) -> Result<Task, OpError> {
    people::refuse_other_task(cx, Some(id))?;
    refuse_wider_contract(cx, what)?;
    let before = find(&cx.snapshot()?, id)?;
    let branch = rebranch::wanted(&retyped(&before, what));
    let lock = rebranch::begin(cx, &before, branch.as_deref())?;
    let edited = cx.store().transact(&cx.author(), Action::Queue, |edit| {
        let mut task = get(edit, id)?;
        let mut changed = apply_edit(edit, &mut task, what);
        let wanted = rebranch::wanted(&task);
        if wanted != branch {
            let fact = format!("task {id} was taken or given up meanwhile");
            let line = "type it again: its branch has to be looked at anew";
            return Err(OpError::from(Refused::new(Because::Held, "task.moved", fact).next(line)));
        }
        if let Some(branch) = wanted {
            rebranch::permit(cx, &task)?;
            task.register = task.register.rebranch(&edit.at(), branch);
            changed.push("branch");
        }
        if !changed.is_empty() {
            task = edit.put_task(task, change("task.edit", id, "edit", Some(changed.join(", "))));
        }
        Ok(task)
    });
    let register = edited.as_ref().map_or(&before.register, |(task, _)| &task.register);
    let settled = rebranch::end(cx, id, register.work.as_ref(), lock.as_ref());
    let (task, _) = edited?;
    settled?;
    Ok(task)
}

/// The task with the kind and the role that it is to have.
fn retyped(task: &Task, what: &TaskEdit) -> Task {
    let mut task = task.clone();
    task.kind.value = what.kind.unwrap_or(task.kind.value);
    match what.role {
        RoleEdit::Keep => {}
        RoleEdit::Clear => task.role.value = None,
        RoleEdit::Set(role) => task.role.value = Some(role),
    }
    task
}

/// Kind and role say which contract applies: who is held to it does not choose it.
fn refuse_wider_contract(cx: &Ctx, what: &TaskEdit) -> Result<(), OpError> {
    if what.kind.is_none() && matches!(what.role, RoleEdit::Keep) {
        return Ok(());
    }
    let Some(task) = people::agent_above(cx) else { return Ok(()) };
    let fact = format!("the agent of task {task} may not choose whose contract a task is held to");
    Err(Refused::new(Because::Policy, "person.only", fact)
        .next("git orch add TITLE --role ROLE   (what this role may not do, as a task of its own)")
        .into())
}

fn apply_edit(edit: &Edit<'_, '_>, task: &mut Task, what: &TaskEdit) -> Vec<&'static str> {
    let stamp = edit.stamp();
    let mut changed = Vec::new();
    let mut note = |name, did: bool| {
        if did && !changed.contains(&name) {
            changed.push(name);
        }
    };
    if let Some(title) = &what.title {
        note("title", task.title.set(title.clone(), stamp));
    }
    if let Some(body) = &what.body {
        note("body", task.body.set(body.clone(), stamp));
    }
    if let Some(kind) = what.kind {
        note("kind", task.kind.set(kind, stamp));
    }
    if let Some(priority) = what.priority {
        note("priority", task.priority.set(priority, stamp));
    }
    match what.role {
        RoleEdit::Keep => {}
        RoleEdit::Clear => note("role", task.role.set(None, stamp)),
        RoleEdit::Set(role) => note("role", task.role.set(Some(role), stamp)),
    }
    if let Some(acceptance) = &what.acceptance {
        note("acceptance", task.acceptance.set(acceptance.clone(), stamp));
    }
    for label in &what.unlabel {
        note("labels", task.labels.remove(label));
    }
    for (ordinal, label) in what.label.iter().enumerate() {
        note("labels", task.labels.insert(label.clone(), edit.change(), ordinal));
    }
    for file in &what.unfile {
        note("files", task.files.remove(file));
    }
    for (ordinal, file) in what.file.iter().enumerate() {
        note("files", task.files.insert(file.clone(), edit.change(), ordinal + what.label.len()));
    }
    changed
}

/// Makes `id` need `needs`; a cycle is refused with its path.
pub fn dep_add(cx: &Ctx, id: &TaskId, needs: &[TaskId]) -> Result<Task, OpError> {
    people::refuse_other_task(cx, Some(id))?;
    let (task, _) = cx.store().transact(&cx.author(), Action::Queue, |edit| {
        let mut task = get(edit, id)?;
        let mut added = Vec::new();
        for (ordinal, need) in needs.iter().enumerate() {
            get(edit, need)?;
            if task.needs.insert(need.clone(), edit.change(), ordinal) {
                added.push(need.to_string());
            }
        }
        refuse_cycles(edit, std::slice::from_ref(&task))?;
        if !added.is_empty() {
            task = edit.put_task(task, change("task.needs", id, "dep add", Some(added.join(", "))));
        }
        Ok::<_, OpError>(task)
    })?;
    Ok(task)
}

/// Makes `id` no longer need `needs`. One that it did not need is a refusal.
pub fn dep_rm(cx: &Ctx, id: &TaskId, needs: &[TaskId]) -> Result<Task, OpError> {
    people::refuse_other_task(cx, Some(id))?;
    let (task, _) = cx.store().transact(&cx.author(), Action::Queue, |edit| {
        let mut task = get(edit, id)?;
        for need in needs {
            if !task.needs.remove(need) {
                let fact = format!("task {id} does not need {need}");
                return Err(Refused::new(Because::Usage, "deps.absent", fact)
                    .next(format!("git orch dep tree {id}"))
                    .into());
            }
        }
        let gone: Vec<&str> = needs.iter().map(TaskId::as_str).collect();
        Ok::<_, OpError>(edit.put_task(task, change("task.free", id, "dep rm", Some(gone.join(", ")))))
    })?;
    Ok(task)
}
