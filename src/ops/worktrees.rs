//! Worktrees of tasks: where they are, made one at a time under a lock, and never removed with work in them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::id::TaskId;
use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::plural::plural;
use crate::domain::task::{State, Task};
use crate::git::{Cas, Dirt, NewCommit, RefChange, Worktree};
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::said;
use crate::store::Snapshot;
use crate::sys::ancestry;
use crate::sys::env::var;
use crate::sys::fs::{self, Durability};
use crate::sys::lock::FileLock;
use crate::sys::process::Cmd;

pub(crate) const LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// Where worktrees go: `orch.worktrees`, else `<main worktree>.orch`.
pub fn root(cx: &Ctx) -> PathBuf {
    let main = cx.repo.main_path();
    match &cx.local.worktrees {
        Some(dir) => {
            let home = cx.env.get(var::HOME).map(Path::new);
            match (dir.strip_prefix("~"), home) {
                (Ok(rest), Some(home)) => fs::normal(&home.join(rest)),
                (_, _) => fs::normal(&main.join(dir)),
            }
        }
        None => {
            let mut name = main.file_name().unwrap_or_default().to_owned();
            name.push(".orch");
            main.with_file_name(name)
        }
    }
}

/// The worktree of a task: its directory is the full id.
pub fn path(cx: &Ctx, id: &TaskId) -> PathBuf {
    root(cx).join(id.as_str())
}

/// The checkout that is on `branch`, if there is one: git keeps a branch to one.
pub fn checkout_on(cx: &Ctx, branch: &str) -> Result<Option<PathBuf>, OpError> {
    let on = |w: &Worktree| w.head.branch() == Some(branch) && w.exists();
    Ok(cx.repo.worktrees()?.into_iter().find(on).map(|w| w.path))
}

/// Where a task is worked on in this clone, if it is: its worktree, else the checkout that is on its branch.
pub fn place_of(cx: &Ctx, task: &Task) -> Option<PathBuf> {
    let path = path(cx, &task.id);
    if fs::exists(&path) {
        return Some(path);
    }
    match (&task.register.work, task.register.state.lease()) {
        (Some(work), Some(_)) => checkout_on(cx, &work.branch).unwrap_or_default(),
        (_, _) => None,
    }
}

/// The task whose worktree `dir` is in, by its place.
pub fn task_at(cx: &Ctx, dir: &Path) -> Option<TaskId> {
    let root = fs::canonical(&root(cx)).ok()?;
    let dir = fs::canonical(dir).ok()?;
    let first = dir.strip_prefix(&root).ok()?.components().next()?;
    TaskId::parse(first.as_os_str().to_str()?).ok()
}

pub(crate) fn lock(cx: &Ctx) -> Result<FileLock, OpError> {
    Ok(FileLock::acquire(&cx.file("worktree.lock"), LOCK_PATIENCE, cx.clock)?)
}

/// Makes the directory for worktrees; a refusal that names the key if that is impossible.
pub(crate) fn make_root(cx: &Ctx) -> Result<PathBuf, OpError> {
    let root = root(cx);
    let refused = |why: &str| {
        let fact = format!("worktrees go to {}, which {why}", root.display());
        Refused::new(Because::Environment, "worktrees.place", fact)
            .next("git config orch.worktrees DIR   # a directory that you may write, outside any checkout")
    };
    if let Some(why) = unfit(cx, &root)? {
        return Err(refused(&why).into());
    }
    fs::create_dir_all(&root).map_err(|e| refused(&format!("can't be made: {}", e.source)))?;
    if !fs::is_writable(&root) {
        return Err(refused("you may not write").into());
    }
    Ok(root)
}

/// Why worktrees must not be at `root`: an agent's tools refuse to edit there, or take a checkout's own configuration
/// from the directories above.
fn unfit(cx: &Ctx, root: &Path) -> Result<Option<String>, OpError> {
    let named = |name: &str| root.components().any(|c| c.as_os_str() == name);
    if let Some(name) = [".git", ".cache", "node_modules"].into_iter().find(|name| named(name)) {
        return Ok(Some(format!("is below {name}")));
    }
    if root.starts_with(cx.repo.common_dir()) {
        return Ok(Some("is inside of the repository's own directory".into()));
    }
    let inside = cx.repo.worktrees()?.into_iter().find(|w| root.starts_with(&w.path));
    Ok(inside.map(|w| format!("is inside of the checkout {}", w.path.display())))
}

/// The branch for a task that has none yet: its name, or that with a number where it is taken.
pub(crate) fn free_branch(cx: &Ctx, task: &Task) -> Result<String, OpError> {
    let base = crate::domain::branch::name(&task.id, &task.title.value, task.kind.value, task.role.value);
    let mut name = base.clone();
    let mut number = 2;
    while cx.repo.ref_target(&format!("refs/heads/{name}"))?.is_some() {
        name = format!("{base}-{number}");
        number += 1;
    }
    Ok(name)
}

/// A worktree below the root, with what is known of its task.
#[derive(Clone, Debug)]
pub struct TaskWorktree {
    /// git's record.
    pub worktree: Worktree,
    /// The task that it belongs to by its directory.
    pub id: TaskId,
    /// The task, if the queue has it.
    pub task: Option<Task>,
}

/// The worktrees of tasks, by path.
pub fn list(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<Vec<TaskWorktree>, OpError> {
    let root = root(cx);
    let root = fs::canonical(&root).unwrap_or(root);
    let mut found = Vec::new();
    for worktree in cx.repo.worktrees()? {
        let Ok(rest) = worktree.path.strip_prefix(&root) else { continue };
        let Some(id) = rest.to_str().and_then(|name| TaskId::parse(name).ok()) else { continue };
        // A damaged task file must not hide the worktree.
        let task = snapshot.task(&id).unwrap_or_default();
        found.push(TaskWorktree { worktree, id, task });
    }
    Ok(found)
}

/// What `prune` did with a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pruned {
    /// Removed, with its branch, which trunk contains.
    Removed,
    /// Kept, and why.
    Kept(String),
}

/// Whether `prune` only says what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    /// It does it.
    Done,
    /// It only says so.
    Planned,
}

/// A worktree below the root, of a task or of the gate, with what is in it that exists nowhere else.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// git's record.
    pub worktree: Worktree,
    /// The task that it belongs to; None for a gate worktree.
    pub id: Option<TaskId>,
    /// The task, if the queue has it.
    pub task: Option<Task>,
    /// What HEAD does not have.
    pub dirt: Dirt,
    /// Commits that neither trunk nor a remote has.
    pub unpushed: usize,
    /// Whether there is a remote that they could be on.
    pub shared: bool,
    /// Whether the directory is gone though git knows it.
    pub missing: bool,
}

/// All worktrees below the root.
pub fn survey(cx: &Ctx) -> Result<Vec<Surveyed>, OpError> {
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let root = root(cx);
    let root = fs::canonical(&root).unwrap_or(root);
    let mut found = Vec::new();
    for worktree in cx.repo.worktrees()? {
        let Ok(rest) = worktree.path.strip_prefix(&root) else { continue };
        let id = rest.to_str().and_then(|name| TaskId::parse(name).ok());
        let task = id.as_ref().and_then(|id| snapshot.task(id).unwrap_or_default());
        let missing = !worktree.exists();
        let dirt = if missing { Dirt::default() } else { cx.repo.dirt(&worktree)? };
        let unpushed = match (&id, head_commit(cx, &worktree)?) {
            (Some(_), Some(head)) => unpushed(cx, &trunk, &head)?,
            (_, _) => 0,
        };
        let shared = trunk.remote.is_some();
        found.push(Surveyed { worktree, id, task, dirt, unpushed, shared, missing });
    }
    Ok(found)
}

fn unpushed(cx: &Ctx, trunk: &Trunk, head: &Oid) -> Result<usize, OpError> {
    let mut args = vec!["rev-list", "--count", head.as_str(), "--not", "--remotes"];
    args.extend([&trunk.local, &trunk.tracking].into_iter().flatten().map(Oid::as_str));
    Ok(cx.repo.run_git(args)?.text().parse().unwrap_or(0))
}

/// Removes what trunk contains and nobody uses; says what was kept and why.
pub fn prune(cx: &Ctx, how: Pruning) -> Result<Vec<(TaskWorktree, Pruned)>, OpError> {
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let _lock = lock(cx)?;
    let mut result = Vec::new();
    for entry in list(cx, &snapshot)? {
        let pruned = match why_keep(cx, &trunk, &entry)? {
            Some(why) => Pruned::Kept(why),
            None if how == Pruning::Planned => Pruned::Removed,
            None => {
                remove(cx, &entry.worktree)?;
                Pruned::Removed
            }
        };
        result.push((entry, pruned));
    }
    if how == Pruning::Done {
        said::forget_ended(cx, &snapshot);
        cx.repo.forget_missing_worktrees()?;
    }
    Ok(result)
}

/// Removes one worktree if nothing in it would be lost; the caller does not hold the worktree lock.
pub(crate) fn remove_if_spent(cx: &Ctx, trunk: &Trunk, entry: &TaskWorktree) -> Result<Pruned, OpError> {
    let _lock = lock(cx)?;
    match why_keep(cx, trunk, entry)? {
        Some(why) => Ok(Pruned::Kept(why)),
        None => {
            remove(cx, &entry.worktree)?;
            Ok(Pruned::Removed)
        }
    }
}

fn why_keep(cx: &Ctx, trunk: &Trunk, entry: &TaskWorktree) -> Result<Option<String>, OpError> {
    let worktree = &entry.worktree;
    if !worktree.exists() {
        return Ok(None);
    }
    if let Some(task) = &entry.task {
        match &task.register.state {
            State::Claimed(lease) | State::Merging(lease) => {
                let owner = &lease.owner.actor;
                let name = owner.split_once(':').map_or(owner.as_str(), |(_, name)| name);
                return Ok(Some(format!("{name} works on it")));
            }
            State::Review => return Ok(Some("it waits for review".into())),
            State::Open | State::Blocked(_) | State::Done(_) | State::Closed(_) => {}
        }
    }
    let dirt = cx.repo.dirt(worktree)?;
    if !dirt.is_clean() {
        let counts = [(dirt.changed.len(), "uncommitted"), (dirt.untracked.len(), "untracked")];
        let some = counts.into_iter().filter(|(n, _)| *n > 0);
        let parts: Vec<String> = some.map(|(n, what)| plural(n, &format!("{what} file"))).collect();
        return Ok(Some(format!("it has {}", parts.join(" and "))));
    }
    if let [first, ..] = cx.repo.unwatched(worktree)?.as_slice() {
        return Ok(Some(format!("git was told not to look at {first}: it may be changed")));
    }
    if let Some(head) = head_commit(cx, worktree)?
        && !is_safe(cx, trunk, &head)?
    {
        return Ok(Some("it has commits that neither trunk nor a remote has".into()));
    }
    if cx.cwd.starts_with(&worktree.path) {
        return Ok(Some("you are in it".into()));
    }
    let inside = ancestry::inside(&worktree.path);
    if let Some(pid) = inside.first() {
        return Ok(Some(format!("process {pid} is working in it")));
    }
    Ok(None)
}

pub(crate) fn head_commit(cx: &Ctx, worktree: &Worktree) -> Result<Option<Oid>, OpError> {
    Ok(match &worktree.head {
        crate::git::Head::Branch(name) => cx.repo.ref_target(name)?,
        crate::git::Head::Detached(oid) => Some(oid.clone()),
    })
}

/// Whether trunk, or a branch on a remote, contains the commit.
fn is_safe(cx: &Ctx, trunk: &Trunk, commit: &Oid) -> Result<bool, OpError> {
    for tip in [&trunk.local, &trunk.tracking].into_iter().flatten() {
        if cx.repo.is_ancestor(commit, tip)? {
            return Ok(true);
        }
    }
    let output =
        cx.repo.run_git(["for-each-ref", "--count=1", "--contains", commit.as_str(), "refs/remotes/"])?;
    Ok(!output.stdout.is_empty())
}

fn remove(cx: &Ctx, worktree: &Worktree) -> Result<(), OpError> {
    let branch = worktree.head.branch().map(str::to_owned);
    let tip = head_commit(cx, worktree)?;
    if worktree.exists() {
        cx.repo.remove_worktree(worktree)?;
    } else {
        cx.repo.forget_missing_worktrees()?;
    }
    if let (Some(branch), Some(tip)) = (branch, tip)
        && crate::domain::branch::task_of(&branch).is_some()
    {
        cx.repo.delete_ref(&format!("refs/heads/{branch}"), &tip)?;
    }
    Ok(())
}

/// Keeps everything that is in a worktree (untracked files too, ignored ones not) under
/// `refs/orch/backup/wip/<id>`, before something is done that could lose it. None if HEAD has it all.
pub(crate) fn back_up(cx: &Ctx, worktree: &Worktree, id: &TaskId) -> Result<Option<Oid>, OpError> {
    if !worktree.exists() || cx.repo.dirt(worktree)?.is_clean() {
        return Ok(None);
    }
    let tree = tree_of_everything(cx, worktree)?;
    let head = head_commit(cx, worktree)?;
    let author = cx.author();
    let commit = cx.repo.write_commit(&NewCommit {
        tree,
        parents: head.into_iter().collect(),
        name: author.name,
        email: author.email,
        time: cx.clock.now(),
        message: format!("work in progress on {id}\n\nKept by git-orch before the task changed hands."),
    })?;
    let name = format!("refs/orch/backup/wip/{id}");
    for _ in 0..3 {
        let old = cx.repo.ref_target(&name)?.map_or(MaybeOid::Zero, MaybeOid::Id);
        let change = RefChange { name: name.clone(), old, new: commit.clone() };
        if cx.repo.cas(&change, Durability::Commit)? == Cas::Moved {
            return Ok(Some(commit));
        }
    }
    Err(OpError::Bug(format!("{name} moves faster than it can be written")))
}

/// The tree of a worktree's files as they are, made with a private index.
pub(crate) fn tree_of_everything(cx: &Ctx, worktree: &Worktree) -> Result<Oid, OpError> {
    let index = PrivateIndex::of(worktree)?;
    let submodules = cx.repo.submodules(worktree, &index.path)?;
    // It would ask a git in each submodule, with that one's configuration, whether something is changed there.
    let mut paths = b".\0".to_vec();
    let mut inside = Vec::new();
    for path in &submodules {
        paths.extend([b":(exclude,top,literal)", path.as_slice(), b"\0"].concat());
        inside.extend([path.as_slice(), b"\0"].concat());
    }
    let add = ["add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul"];
    index.git_with(cx, worktree, &add, paths)?;
    if !submodules.is_empty() {
        // This one only looks which commit they are at.
        let update = ["update-index", "-z", "--add", "--remove", "--replace", "--stdin"];
        index.git_with(cx, worktree, &update, inside)?;
    }
    Ok(Oid::parse(&index.git(cx, worktree, &["write-tree"])?).map_err(crate::git::GitError::from)?)
}

/// A copy of a worktree's index, so that nobody's staged changes are touched.
pub(crate) struct PrivateIndex {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl PrivateIndex {
    /// Copies the index of a worktree; an absent one is an empty one.
    pub(crate) fn of(worktree: &Worktree) -> Result<Self, OpError> {
        Self::copy(worktree, &worktree.git_dir.join("index"))
    }

    /// Copies another index of a worktree.
    pub(crate) fn copy(worktree: &Worktree, original: &Path) -> Result<Self, OpError> {
        let dir = tempfile::Builder::new().prefix("orch-index-").tempdir_in(&worktree.git_dir).map_err(
            |source| fs::FsError { action: "make a directory in", path: worktree.git_dir.clone(), source },
        )?;
        let path = dir.path().join("index");
        if fs::exists(original) {
            fs::copy_with_time(original, &path)?;
        }
        Ok(Self { _dir: dir, path })
    }

    /// git with this index, not yet run.
    pub(crate) fn cmd(&self, cx: &Ctx, worktree: &Worktree, args: &[&str]) -> Cmd {
        cx.repo.git_in(worktree, args).env(var::GIT_INDEX_FILE, &self.path)
    }

    /// Forgets what the copied index had.
    pub(crate) fn empty(&self) -> Result<(), OpError> {
        fs::remove_file_if_there(&self.path)?;
        Ok(())
    }

    /// Becomes the worktree's index, in one step.
    pub(crate) fn install(self, worktree: &Worktree) -> Result<(), OpError> {
        Ok(fs::rename(&self.path, &worktree.git_dir.join("index"))?)
    }

    /// Runs git with this index; returns what it printed.
    pub(crate) fn git(&self, cx: &Ctx, worktree: &Worktree, args: &[&str]) -> Result<String, OpError> {
        Ok(self.cmd(cx, worktree, args).run()?.checked()?.text())
    }

    /// The same with something on standard input.
    pub(crate) fn git_with(
        &self,
        cx: &Ctx,
        worktree: &Worktree,
        args: &[&str],
        input: Vec<u8>,
    ) -> Result<String, OpError> {
        Ok(self.cmd(cx, worktree, args).stdin(input).run()?.checked()?.text())
    }
}
