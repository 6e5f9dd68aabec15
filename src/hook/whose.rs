//! Whose a process is: a person's, or that of an agent which works on a task of this clone.
//!
//! Asked by the guard, by overrides and by `ops`, so that there is one answer. It goes by variables, working directories
//! and the processes above: an agent that hides from all three is a person here, see `docs/trust.md`.

use std::path::{Path, PathBuf};

use crate::domain::id::TaskId;
use crate::hook::place::{Place, orch_dir};
use crate::sys::ancestry::Process;
use crate::sys::env::{Env, var};
use crate::sys::fs;

/// What tells a task's worktree of this clone: that it is below the directory of those, or that its `.git` leads here.
/// Where that directory is, `git -c orch.worktrees=…` says, too; what git made, it does not.
#[derive(Debug)]
pub struct Whose {
    root: Option<PathBuf>,
    common_dir: PathBuf,
}

impl Whose {
    /// Of the clone with this common directory. `root` is where its tasks' worktrees are, links resolved, if that is
    /// known.
    pub fn new(common_dir: &Path, root: Option<&Path>) -> Self {
        Self { root: root.map(Path::to_owned), common_dir: common_dir.to_owned() }
    }

    fn is_below_root(&self, dir: &Path) -> bool {
        self.root.as_ref().is_some_and(|root| dir.starts_with(root))
    }

    /// The git directory of the worktree that `dir` is in, if it is one of this clone's.
    fn git_dir(&self, dir: &Path) -> Option<PathBuf> {
        let place = Place::find(&Env::default(), dir)?;
        let same = fs::canonical(&place.common_dir).ok()? == fs::canonical(&self.common_dir).ok()?;
        same.then_some(place.git_dir)
    }

    /// Whether `dir` is in a task's worktree. One elsewhere than below the root is known by its name, and by the lease
    /// that this clone has: a person's worktree may be called `backends`, which could be an id.
    pub fn is_task_place(&self, dir: &Path) -> bool {
        let Ok(dir) = fs::canonical(dir) else { return false };
        self.is_below_root(&dir) || self.git_dir(&dir).is_some_and(|git_dir| self.is_leased(&git_dir))
    }

    fn is_leased(&self, git_dir: &Path) -> bool {
        let name = git_dir.file_name().and_then(|name| name.to_str());
        let id = name.and_then(|name| TaskId::parse(name).ok().filter(|id| id.as_str() == name));
        id.is_some_and(|id| fs::exists(&orch_dir(&self.common_dir).join("leases").join(id.as_str())))
    }

    /// Whether an agent that has this as its worktree is one of this clone's. An agent of another repository is a person
    /// here: it may be running that one's tests, which use git-orch on repositories of their own.
    fn concerns(&self, worktree: Option<&Path>) -> bool {
        worktree.is_none_or(|dir| {
            fs::canonical(dir).is_ok_and(|dir| self.is_below_root(&dir) || self.git_dir(&dir).is_some())
        })
    }

    /// The task of the agent whose environment this is.
    pub fn task_in<'e>(&self, env: &'e Env) -> Option<&'e str> {
        let own = env.text(var::ORCH_TASK)?;
        self.concerns(env.get(var::ORCH_WORKTREE).map(Path::new)).then_some(own)
    }

    /// The task of the agent that this process is.
    pub fn task_of<'p>(&self, process: &'p Process) -> Option<&'p str> {
        process.task.as_deref().filter(|_| self.concerns(process.worktree.as_deref()))
    }
}
