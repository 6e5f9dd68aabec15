//! Holding a commit, or a whole branch, against its task's contract.

use std::path::Path;

use crate::assets;
use crate::domain::branch;
use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::role::Role;
use crate::domain::task::Task;
use crate::git::{FileChange, FileStatus, Head};
use crate::hook::ticket::{self, Asking};
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::ops::{checkouts, lease, people, worktrees};
use crate::policy::{self, Change, ChangeKind, CommitFacts, Place, PolicyError, Rules, TaskFacts, Violation};
use crate::store::Snapshot;
use crate::sys::fs;

/// The built-in contracts.
pub(crate) fn rules() -> Result<Rules, OpError> {
    Rules::parse(&assets::TEAM_POLICIES, &assets::ROLE_POLICIES).map_err(|e| unusable(&e))
}

fn unusable(error: &PolicyError) -> OpError {
    OpError::Bug(format!("the built-in policies: {error}"))
}

/// What `facts` break of the built-in contracts.
fn broken(facts: &CommitFacts) -> Result<Vec<Violation>, OpError> {
    let role: Vec<Role> = facts.task.iter().map(|task| task.role).collect();
    let rules = Rules::parse_some(&role, &assets::TEAM_POLICIES, &assets::ROLE_POLICIES);
    Ok(policy::evaluate(&rules.map_err(|e| unusable(&e))?, facts))
}

/// The branch that a commit here will be on: HEAD's, or the one that is being rebased.
pub(crate) fn branch_here(cx: &Ctx) -> Result<Option<String>, OpError> {
    if let Head::Branch(name) = cx.repo.head()? {
        return Ok(Some(name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned()));
    }
    for dir in ["rebase-merge", "rebase-apply"] {
        if let Some(name) = fs::read_optional(&cx.repo.git_dir().join(dir).join("head-name"))? {
            let name = name.trim();
            return Ok(name.strip_prefix("refs/heads/").map(str::to_owned));
        }
    }
    Ok(None)
}

/// The task that a commit here belongs to: by the worktree's place, else by the branch.
pub(crate) fn task_here(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    on: Option<&str>,
) -> Result<Option<(Task, Place)>, OpError> {
    if let Some(top) = cx.repo.work_tree()
        && let Some(id) = worktrees::task_at(cx, top)
        && let Some(task) = snapshot.task(&id)?
    {
        return Ok(Some((task, Place::Worktree)));
    }
    let Some(on) = on else { return Ok(None) };
    let Some(id) = branch::task_of(on) else { return Ok(None) };
    let task = snapshot.task(&id)?;
    let is_its = |t: &Task| t.register.work.as_ref().is_some_and(|work| work.branch == on);
    Ok(task.filter(is_its).map(|task| (task, Place::Branch)))
}

fn task_facts(cx: &Ctx, task: &Task, place: Place) -> Result<Option<TaskFacts>, OpError> {
    let Some(work) = &task.register.work else { return Ok(None) };
    let held = match task.register.state.lease() {
        // A worker that lost the task to another one of this clone has a session of its own.
        Some(held) if cx.actor.session.is_some() && !lease::is_ours(cx, held)? => false,
        Some(_) => lease::held(cx, &task.id)?.is_none_or(|fence| fence == task.register.fence),
        // Nobody holds it: work on its branch is nobody's theft (review, blocked, released).
        None => true,
    };
    Ok(Some(TaskFacts {
        id: task.id.clone(),
        branch: work.branch.clone(),
        role: task.effective_role(),
        place,
        held,
        other: people::agent_above(cx).filter(|other| *other != task.id.as_str()),
    }))
}

/// What the whole branch changes, for a commit that is about to be made from `index`.
fn changes_of_index(cx: &Ctx, trunk: &Trunk, index: &Path) -> Result<Vec<Change>, OpError> {
    // A history that shares nothing with trunk is a change of everything.
    match branch_base(cx, trunk)?.or_else(|| trunk.tip().cloned()) {
        Some(base) => Ok(cx.repo.index_changes(&base, index)?.into_iter().map(to_policy).collect()),
        None => Ok(Vec::new()),
    }
}

/// The newest commit of trunk that the commit to be made will contain: merging trunk into the branch must not
/// count trunk's own changes as the branch's.
fn branch_base(cx: &Ctx, trunk: &Trunk) -> Result<Option<Oid>, OpError> {
    let Some(tip) = trunk.tip() else { return Ok(None) };
    let mut best: Option<Oid> = None;
    let mut heads = Vec::new();
    heads.extend(match cx.repo.head()? {
        Head::Branch(name) => cx.repo.ref_target(&name)?,
        Head::Detached(oid) => Some(oid),
    });
    if let Some(text) = fs::read_optional(&cx.repo.git_dir().join("MERGE_HEAD"))? {
        heads.extend(text.lines().filter_map(|line| Oid::parse(line.trim()).ok()));
    }
    for head in heads {
        let Some(base) = cx.repo.merge_base(tip, &head)? else { continue };
        let newer = match &best {
            Some(best) => cx.repo.is_ancestor(best, &base)?,
            None => true,
        };
        if newer {
            best = Some(base);
        }
    }
    Ok(best)
}

fn to_policy(change: FileChange) -> Change {
    Change {
        path: change.path,
        kind: match change.status {
            FileStatus::Added => ChangeKind::Added,
            FileStatus::Modified => ChangeKind::Modified,
            FileStatus::Deleted => ChangeKind::Deleted,
            FileStatus::Renamed(from) => ChangeKind::Renamed { from },
        },
        binary: change.added.is_none(),
        lines_added: change.added.unwrap_or(0),
        lines_deleted: change.deleted.unwrap_or(0),
    }
}

/// What a commit about to be made here breaks. Empty where a person's override is in force.
pub(crate) fn judge_commit(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    index: &Path,
) -> Result<(Vec<Violation>, Option<Task>), OpError> {
    let trunk = cx.trunk(snapshot)?;
    let on = branch_here(cx)?;
    let here = task_here(cx, snapshot, on.as_deref())?;
    let task = match &here {
        Some((task, place)) => task_facts(cx, task, *place)?,
        None => None,
    };
    let changes = match &task {
        Some(_) => changes_of_index(cx, &trunk, index)?,
        None => Vec::new(),
    };
    let facts = CommitFacts {
        trunk: trunk.name.clone(),
        trunk_exists: trunk.local.is_some(),
        branch: on.clone(),
        task,
        changes,
    };
    let violations = broken(&facts)?;
    if checkouts::is_behind(cx) {
        return Ok((vec![behind()], here.map(|(task, _)| task)));
    }
    if !violations.is_empty() && is_overridden(cx, on.as_deref())? {
        return Ok((Vec::new(), here.map(|(task, _)| task)));
    }
    Ok((violations, here.map(|(task, _)| task)))
}

/// That the commit would take back what a merge has just brought in. No override helps: it is nobody's wish.
fn behind() -> Violation {
    Violation {
        rule: "checkout.behind",
        reason: "git would take the files that came in for deleted or set back here".to_owned(),
        fact: "a merge was killed before this checkout had followed it, or is under way".to_owned(),
        way_out: vec!["git orch doctor --fix".to_owned()],
    }
}

/// Whether a person's override covers the push of `from`, a ref as git names it, to the remote's branch `to`. For the
/// remote's trunk it is that of trunk, whatever is pushed there.
pub(crate) fn covers_push(cx: &Ctx, trunk: &Trunk, from: &str, to: &str) -> Result<bool, OpError> {
    if to == trunk.name {
        return is_overridden(cx, Some(to));
    }
    match from {
        "HEAD" => is_overridden(cx, branch_here(cx)?.as_deref()),
        _ => is_overridden(cx, from.strip_prefix("refs/heads/")),
    }
}

/// Whether a person's override covers the branch at its present value.
fn is_overridden(cx: &Ctx, on: Option<&str>) -> Result<bool, OpError> {
    let Some(on) = on else { return Ok(false) };
    let name = format!("refs/heads/{on}");
    let old = cx.repo.ref_target(&name)?.map_or(MaybeOid::Zero, MaybeOid::Id);
    let asking = Asking { env: &cx.env, cwd: &cx.cwd, now: cx.clock.now() };
    Ok(ticket::overridden(&cx.repo.orch_dir(), &name, &old, &asking)?)
}

/// What a task's branch at `tip` breaks, judged as a whole against `base`: `git replay` and plumbing made commits
/// that no hook saw.
pub(crate) fn judge_branch(
    cx: &Ctx,
    trunk: &Trunk,
    task: &Task,
    base: &Oid,
    tree: &Oid,
) -> Result<Vec<Violation>, OpError> {
    let Some(task) = task_facts(cx, task, Place::Branch)? else { return Ok(Vec::new()) };
    let facts = CommitFacts {
        trunk: trunk.name.clone(),
        trunk_exists: trunk.local.is_some(),
        branch: Some(task.branch.clone()),
        task: Some(TaskFacts { held: true, other: None, ..task }),
        changes: cx.repo.file_changes(base, tree)?.into_iter().map(to_policy).collect(),
    };
    broken(&facts)
}
