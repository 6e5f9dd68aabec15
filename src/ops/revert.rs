//! Taking back what Ralph blocked: files of a branch are put back as they are where it left trunk, by a commit.
//!
//! Called by what asks on a terminal, and where policy says so. Nothing is lost: history is not rewritten, the branch as it
//! was is kept under `refs/orch/backup/blocked/<commit>`, and files that are not committed are never touched: if one is in
//! the way, nothing happens.

use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::plural::plural;
use crate::domain::task::Task;
use crate::gate::rule;
use crate::git::{Cas, NewCommit, RefChange, Worktree};
use crate::ops::approvals::GATE;
use crate::ops::compared::Compared;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::merge::Target;
use crate::ops::put_back::{self, Changed};
use crate::ops::ralph::Judged;
use crate::ops::{hooks, lease, people};

/// How many files a message names.
const NAMED: usize = 3;

/// What would be taken back.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The branch's short name.
    pub branch: String,
    /// What was judged of it.
    tip: Oid,
    /// The files that are put back, as they were where it left trunk.
    files: Vec<Changed>,
    /// Their names.
    pub paths: Vec<String>,
    /// Why.
    why: String,
}

/// What was taken back.
#[derive(Clone, Debug)]
pub struct Reverted {
    /// The commit that did it.
    pub commit: Oid,
    /// The ref that keeps the branch as it was.
    pub backup: String,
    /// The files.
    pub paths: Vec<String>,
}

/// What there is to take back on `branch` after `tip` was judged; None if there is nothing, the branch has moved since, it is
/// trunk, or it is not the change that is blocked but the world around it: nobody wants to lose work for a missing tool.
///
/// Files in which something was found, or that change the gate; where tests or coverage were lost, all that the branch
/// changes.
pub fn plan(cx: &Ctx, judged: &Judged, branch: &str, tip: &Oid) -> Result<Option<Plan>, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let lost = [rule::FEWER_TESTS, rule::SKIPPED_TESTS, rule::COVERAGE];
    // A commit that takes back does nothing about one before it.
    if judged.guarded.to_rewrite().is_some() {
        return Ok(None);
    }
    let hits: Vec<&str> = judged.guarded.hits.iter().filter_map(|hit| hit.finding.path.as_deref()).collect();
    let of_rule = judged.rule().unwrap_or_default();
    let of_change = !hits.is_empty() || of_rule == GATE || lost.contains(&of_rule);
    if !of_change || branch == trunk.name || !is_at(cx, branch, tip)? {
        return Ok(None);
    }
    let compared = Compared::of(cx, &trunk, tip)?;
    let Some(base) = &compared.base else { return Ok(None) };
    let changes = put_back::changes(cx, base, &compared.tree)?;
    let files = if !hits.is_empty() {
        put_back::chosen(changes, |path| hits.contains(&path))
    } else if of_rule == GATE {
        let gate = compared.gate_files(cx)?;
        put_back::chosen(changes, |path| gate.iter().any(|file| file == path))
    } else {
        changes
    };
    let paths: Vec<String> = files.iter().map(Changed::path).collect();
    let (branch, tip, why) = (branch.to_owned(), tip.clone(), of_rule.to_owned());
    Ok((!files.is_empty()).then_some(Plan { branch, tip, files, paths, why }))
}

fn is_at(cx: &Ctx, branch: &str, tip: &Oid) -> Result<bool, OpError> {
    Ok(cx.repo.ref_target(&format!("refs/heads/{branch}"))?.as_ref() == Some(tip))
}

/// The branch that `rev` means, if `commit` is its tip, and its task.
pub fn branch_of(cx: &Ctx, rev: &str, commit: &Oid) -> Result<(Option<String>, Option<Task>), OpError> {
    let snapshot = cx.snapshot()?;
    let here = cx.repo.head()?;
    let text = if rev == "HEAD" { here.branch() } else { Some(rev) };
    // What is neither a task nor a branch has nothing that could be put back.
    let target = text.and_then(|text| Target::find(cx, &snapshot, Some(text)).ok());
    Ok(match target.filter(|target| target.tip == *commit) {
        Some(target) => (Some(target.branch), target.task),
        None => (None, None),
    })
}

impl Plan {
    /// The files, as far as there is room.
    pub fn shown(&self) -> String {
        let first = self.paths.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        match self.paths.len() {
            n if n > NAMED => format!("{first} and {} more", n - NAMED),
            _ => first,
        }
    }
}

/// Takes it back.
pub fn revert(cx: &Ctx, plan: &Plan, task: Option<&Task>) -> Result<Reverted, OpError> {
    if let Some(agent) = people::agent_above(cx) {
        let fact = format!("the agent of task {agent} takes nothing back: it mends what it made");
        return Err(Refused::new(Because::Policy, "person.only", fact).next("git orch ralph").into());
    }
    if let Some(task) = task {
        lease::refuse_others(cx, task)?;
    }
    let moved = || {
        let fact = format!("{} moved meanwhile; nothing was taken back", plan.branch);
        Refused::new(Because::Held, "revert.moved", fact).next("git orch ralph")
    };
    if !is_at(cx, &plan.branch, &plan.tip)? {
        return Err(moved().into());
    }
    let (name, email) = cx.identity()?;
    let trailers = task.map(hooks::trailers).unwrap_or_default();
    let message = format!(
        "Put back {} that Ralph blocked\n\n{}: {}\nThe work is kept as {}\n\n{trailers}",
        plural(plan.paths.len(), "file"),
        plan.why,
        plan.shown(),
        backup_of(plan),
    );
    let commit = cx.repo.write_commit(&NewCommit {
        tree: put_back::tree(cx, &plan.tip, &plan.files)?,
        parents: vec![plan.tip.clone()],
        name,
        email,
        time: cx.clock.now(),
        message: message.trim_end().to_owned() + "\n",
    })?;
    keep(cx, plan)?;
    let checkouts = checkouts(cx, &plan.branch)?;
    for worktree in &checkouts {
        // Files before the branch: killed in between, the branch still has all of it.
        let output = cx.repo.carry(worktree, Some(&plan.tip), &commit)?;
        if !output.status.success() {
            let fact = format!("files in {} are in the way; nothing was taken back", worktree.path.display());
            return Err(Refused::new(Because::Policy, "revert.dirty", fact)
                .next("commit them, or put them away (`git stash`), and try again")
                .into());
        }
    }
    let name = format!("refs/heads/{}", plan.branch);
    let change = RefChange { name, old: MaybeOid::Id(plan.tip.clone()), new: commit.clone() };
    if cx.repo.move_user_ref(&change, "git-orch: put back what Ralph blocked")? != Cas::Moved {
        for worktree in &checkouts {
            cx.repo.carry(worktree, Some(&commit), &plan.tip)?;
        }
        return Err(moved().into());
    }
    Ok(Reverted { commit, backup: backup_of(plan), paths: plan.paths.clone() })
}

fn checkouts(cx: &Ctx, branch: &str) -> Result<Vec<Worktree>, OpError> {
    let all = cx.repo.worktrees()?.into_iter();
    Ok(all.filter(|worktree| worktree.exists() && worktree.head.branch() == Some(branch)).collect())
}

fn backup_of(plan: &Plan) -> String {
    format!("refs/orch/backup/blocked/{}", plan.tip.short())
}

fn keep(cx: &Ctx, plan: &Plan) -> Result<(), OpError> {
    let name = backup_of(plan);
    let old = cx.repo.ref_target(&name)?.map_or(MaybeOid::Zero, MaybeOid::Id);
    if old.id() == Some(&plan.tip) {
        return Ok(());
    }
    match cx.repo.cas(&RefChange { name: name.clone(), old, new: plan.tip.clone() }, cx.durability())? {
        Cas::Moved => Ok(()),
        Cas::Lost(_) => Err(OpError::Bug(format!("{name} is written by somebody else"))),
    }
}
