//! The `git` program: one builder for every call.

use std::ffi::OsStr;
use std::path::Path;

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::head::Head;
use crate::git::repo::Repo;
use crate::git::worktree::Worktree;
use crate::sys::env::Env;
use crate::sys::process::{Cmd, Output};

/// Variables by which git points a child at one repository (`git rev-parse --local-env-vars`, git 2.55).
///
/// A test run by a hook that inherits them writes into the user's repository.
pub const LOCAL_VARIABLES: [&str; 18] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_NAMESPACE",
];

/// What every call switches off: hooks (ours would recurse), background maintenance, the file-system monitor
/// (a worktree's configuration could name any program), signing, paging, and going into submodules: what is in their place
/// may be anybody's repository, whose configuration names programs, too. For `status`, `diff` and the like that is not
/// enough, because the tree's own `.gitmodules` overrides it: see `worktree::BLIND`.
const SWITCHES: [&str; 14] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "-c",
    "commit.gpgSign=false",
    "-c",
    "submodule.recurse=false",
];

/// `env` without git's local variables and everything else that points a child at a repository.
pub fn scrubbed(env: &Env) -> Env {
    let local = |name: &OsStr| {
        let name = name.to_string_lossy();
        LOCAL_VARIABLES.contains(&name.as_ref())
            || name.starts_with("GIT_CONFIG_KEY_")
            || name.starts_with("GIT_CONFIG_VALUE_")
    };
    Env::from_pairs(env.iter().filter(|(name, _)| !local(name)))
}

impl Repo {
    /// `git` on this repository, from this worktree: scrubbed environment, explicit directories, no hooks.
    pub fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Cmd {
        let dir = self.work_tree().unwrap_or(self.git_dir());
        self.command(self.git_dir(), self.work_tree(), dir).args(args)
    }

    /// `git` on a task or gate worktree. The git directory comes from our registration, never from the
    /// worktree's `.git` file, which an agent may have changed.
    pub fn git_in<A: AsRef<OsStr>>(&self, worktree: &Worktree, args: impl IntoIterator<Item = A>) -> Cmd {
        self.command(&worktree.git_dir, Some(&worktree.path), &worktree.path).args(args)
    }

    /// `git` with the user's hooks and settings, as if typed in this worktree: for pushes and commits that a
    /// person asked for.
    pub fn git_as_user<A: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = A>) -> Cmd {
        Cmd::new("git", dir, self.user_env()).args(args)
    }

    fn command(&self, git_dir: &Path, work_tree: Option<&Path>, dir: &Path) -> Cmd {
        let mut cmd = Cmd::new("git", dir, &scrubbed(self.user_env()))
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_DIR", git_dir)
            // What is judged is what gets pushed: no object stands for another, no parent for another.
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_GRAFT_FILE", "/dev/null")
            .switches(SWITCHES);
        if let Some(tree) = work_tree {
            cmd = cmd.env("GIT_WORK_TREE", tree);
        }
        cmd
    }

    /// Runs `git` here; an error unless it succeeds.
    pub fn run_git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Output, GitError> {
        Ok(self.git(args).run()?.checked()?)
    }

    pub(crate) fn head_by_program(&self, git_dir: &Path) -> Result<Head, GitError> {
        let symbolic = self.command(git_dir, None, git_dir).args(["symbolic-ref", "-q", "HEAD"]).run()?;
        if symbolic.status.success() {
            return Ok(Head::Branch(symbolic.text()));
        }
        let detached = self.command(git_dir, None, git_dir).args(["rev-parse", "HEAD"]).run()?.checked()?;
        Ok(Head::Detached(Oid::parse(&detached.text())?))
    }

    /// The commit that HEAD of this worktree is at, without a process where its ref is a file; an error where there is none.
    pub fn head_commit(&self) -> Result<Oid, GitError> {
        if !self.is_reftable() {
            let found = match self.head()? {
                Head::Branch(name) => self.ref_target(&name)?,
                Head::Detached(oid) => Some(oid),
            };
            if let Some(oid) = found
                && self.commit(&oid).is_ok()
            {
                return Ok(oid);
            }
        }
        // It knows what is wrong.
        self.rev_parse("HEAD^{commit}")
    }

    /// The commit or tree that a revision names, as git understands it (`HEAD~2`, `@{u}`, a short id, …).
    pub fn rev_parse(&self, rev: &str) -> Result<Oid, GitError> {
        let unknown = || GitError::UnknownRevision { rev: rev.to_owned() };
        let output = self.git(["rev-parse", "--verify", "--quiet", "--end-of-options", rev]).run()?;
        if !output.status.success() {
            return Err(unknown());
        }
        Oid::parse(&output.text()).map_err(|_| unknown())
    }
}
