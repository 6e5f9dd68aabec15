//! Taking back what Ralph blocked: files of a branch are put back as they are where it left trunk, by a commit.
//!
//! Called by what asks on a terminal, and where policy says so. Nothing is lost: history is not rewritten, the branch as it
//! was is kept under `refs/orch/backup/blocked/<commit>`, and files that are not committed are never touched: if one is in
//! the way, nothing happens.

use std::path::PathBuf;

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
use crate::ops::ralph::Judged;
use crate::ops::{hooks, lease, people};
use crate::sys::fs;
use crate::sys::random;

/// How many files a message names.
const NAMED: usize = 3;

/// What would be taken back.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The branch's short name.
    pub branch: String,
    /// Where it is.
    tip: Oid,
    /// The tree where it left trunk.
    base: Oid,
    /// The files that are put back.
    pub paths: Vec<String>,
    /// Whether it is the change that is blocked, and not the world around it.
    pub of_change: bool,
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

/// What there is to take back on `branch` after it was judged; None if there is nothing, or it is trunk.
///
/// Files in which something was found, or that change the gate; where neither is known, all that the branch changes.
pub fn plan(cx: &Ctx, judged: &Judged, branch: &str) -> Result<Option<Plan>, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    if branch == trunk.name {
        return Ok(None);
    }
    let Some(tip) = cx.repo.ref_target(&format!("refs/heads/{branch}"))? else { return Ok(None) };
    let compared = Compared::of(cx, &trunk, &tip)?;
    let Some(base) = compared.base.clone() else { return Ok(None) };
    let changes = cx.repo.tree_changes(Some(&base), Some(&compared.tree))?;
    let all = || changes.iter().map(|change| change.path.clone());
    let hits: Vec<&str> = judged.guarded.hits.iter().filter_map(|hit| hit.finding.path.as_deref()).collect();
    let of_rule = judged.rule().unwrap_or_default();
    let paths: Vec<String> = if !hits.is_empty() {
        all().filter(|path| hits.contains(&path.as_str())).collect()
    } else if of_rule == GATE {
        compared.gate_files(cx)?
    } else {
        all().collect()
    };
    let lost = [rule::FEWER_TESTS, rule::SKIPPED_TESTS, rule::COVERAGE];
    let of_change = !hits.is_empty() || of_rule == GATE || lost.contains(&of_rule);
    let why = judged.rule().unwrap_or("it could not be judged").to_owned();
    let branch = branch.to_owned();
    Ok((!paths.is_empty()).then_some(Plan { branch, tip, base, paths, of_change, why }))
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
        tree: tree(cx, plan)?,
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
        let fact = format!("{} moved meanwhile; nothing was taken back", plan.branch);
        return Err(Refused::new(Because::Held, "revert.moved", fact).next("git orch ralph").into());
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

/// The branch's tree with the files as they are in the base.
fn tree(cx: &Ctx, plan: &Plan) -> Result<Oid, OpError> {
    let index: PathBuf = cx.file(&format!("revert-{}.index", random::bits40()));
    let made = tree_in(cx, plan, &index);
    fs::remove_file_if_there(&index)?;
    made
}

fn tree_in(cx: &Ctx, plan: &Plan, index: &std::path::Path) -> Result<Oid, OpError> {
    let git = |args: &[&str]| -> Result<String, OpError> {
        let output = cx.repo.git(args).env("GIT_INDEX_FILE", index).run()?;
        Ok(output.checked().map_err(crate::git::GitError::from)?.text())
    };
    git(&["read-tree", plan.tip.as_str()])?;
    for path in &plan.paths {
        git(&["update-index", "--force-remove", "--", path])?;
        let literal = format!(":(literal,top){path}");
        let entry = git(&["ls-tree", "--full-tree", plan.base.as_str(), "--", &literal])?;
        let mut words = entry.split([' ', '\t']);
        if let (Some(mode), Some(_), Some(oid)) = (words.next(), words.next(), words.next()) {
            git(&["update-index", "--add", "--cacheinfo", mode, oid, path])?;
        }
    }
    let text = git(&["write-tree"])?;
    Ok(Oid::parse(text.trim()).map_err(crate::git::GitError::from)?)
}
