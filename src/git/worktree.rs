//! Worktrees: listed from git's own records, made and removed by the `git` program under our lock.

use std::path::{Path, PathBuf};

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::head::Head;
use crate::git::repo::Repo;
use crate::sys::env::var;
use crate::sys::fs;
use crate::sys::process::{Cmd, Output};

/// For each command that compares a working tree: no git is started in a submodule. A submodule that is at another commit
/// is still a difference.
pub const BLIND: &str = "--ignore-submodules=dirty";

/// A linked worktree (or the main one), by git's record in the common directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// Its top directory, as recorded; it may be gone.
    pub path: PathBuf,
    /// Its git directory: `<common>/worktrees/<name>`, or the common directory for the main one.
    pub git_dir: PathBuf,
    /// What its HEAD points at.
    pub head: Head,
    /// Whether it is the main worktree.
    pub main: bool,
}

impl Worktree {
    /// Whether the directory is there.
    pub fn exists(&self) -> bool {
        fs::exists(&self.path)
    }

    /// Whether `path` is in it.
    pub fn contains(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }
}

/// What is in a worktree that a commit does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirt {
    /// Tracked paths that differ from HEAD, in the index or in the working tree.
    pub changed: Vec<String>,
    /// Untracked paths that are not ignored.
    pub untracked: Vec<String>,
}

/// A question about a worktree that was not asked yet: it can go to another thread, which a repository can't.
#[derive(Clone, Debug)]
pub struct Status(Cmd);

impl Dirt {
    /// Whether there is none.
    pub fn is_clean(&self) -> bool {
        self.changed.is_empty() && self.untracked.is_empty()
    }
}

impl Repo {
    /// The linked worktrees, sorted by path, with the main one first if there is one.
    pub fn worktrees(&self) -> Result<Vec<Worktree>, GitError> {
        let mut list = Vec::new();
        if !self.is_bare() {
            list.push(Worktree {
                path: self.main_path(),
                git_dir: self.common_dir().to_owned(),
                head: self.head_of(self.common_dir())?,
                main: true,
            });
        }
        for git_dir in fs::list(&self.common_dir().join("worktrees"))? {
            // A directory that another process is just making or removing has no `gitdir` file.
            let Some(text) = fs::read_optional(&git_dir.join("gitdir"))? else { continue };
            let dot_git = git_dir.join(text.trim());
            let Ok(head) = self.head_of(&git_dir) else { continue };
            let path = dot_git.parent().unwrap_or(&dot_git).to_owned();
            let path = fs::canonical(&path).unwrap_or(path);
            list.push(Worktree { path, git_dir, head, main: false });
        }
        Ok(list)
    }

    /// The worktree whose top is `path`.
    pub fn worktree_at(&self, path: &Path) -> Result<Option<Worktree>, GitError> {
        let path = fs::canonical(path).unwrap_or_else(|_| path.to_owned());
        Ok(self.worktrees()?.into_iter().find(|w| w.path == path))
    }

    /// The worktree that this repository was opened from, if it has one.
    pub fn here(&self) -> Result<Option<Worktree>, GitError> {
        match self.work_tree() {
            Some(tree) => self.worktree_at(tree),
            None => Ok(None),
        }
    }

    /// Makes a worktree at `path` on the new branch `branch` at `at`. The caller holds the worktree lock.
    pub fn add_worktree(&self, path: &Path, branch: &str, at: &Oid) -> Result<(), GitError> {
        self.git(["worktree", "add", "--quiet", "--no-track", "-b", branch])
            .args([path.as_os_str(), at.as_str().as_ref()])
            .run()?
            .checked()?;
        Ok(())
    }

    /// Makes a worktree at `path` on the existing branch `branch`. The caller holds the worktree lock.
    pub fn add_worktree_on(&self, path: &Path, branch: &str) -> Result<(), GitError> {
        self.git(["worktree", "add", "--quiet"])
            .args([path.as_os_str(), branch.as_ref()])
            .run()?
            .checked()?;
        Ok(())
    }

    /// Makes a worktree at `path` with HEAD detached at `at`. The caller holds the worktree lock.
    pub fn add_detached_worktree(&self, path: &Path, at: &Oid) -> Result<(), GitError> {
        self.git(["worktree", "add", "--quiet", "--detach"])
            .args([path.as_os_str(), at.as_str().as_ref()])
            .run()?
            .checked()?;
        Ok(())
    }

    /// Removes a worktree that was found clean. git refuses if it became dirty since. The caller holds the lock.
    pub fn remove_worktree(&self, worktree: &Worktree) -> Result<(), GitError> {
        self.git(["worktree", "remove"]).args([worktree.path.as_os_str()]).run()?.checked()?;
        Ok(())
    }

    /// Forgets worktrees whose directory is gone. The caller holds the lock.
    pub fn forget_missing_worktrees(&self) -> Result<(), GitError> {
        self.run_git(["worktree", "prune"]).map(drop)
    }

    /// Files of a worktree that git was told not to look at (`update-index --skip-worktree`, `--assume-unchanged`):
    /// whether they differ from HEAD is not in `dirt`.
    pub fn unwatched(&self, worktree: &Worktree) -> Result<Vec<String>, GitError> {
        let output = self.git_in(worktree, ["ls-files", "-v", "-z"]).run()?.checked()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let flagged = text.split('\0').filter_map(|entry| entry.split_once(' ')).filter(|(tag, path)| {
            tag.starts_with(|c: char| c.is_ascii_lowercase() || c == 'S')
                && fs::exists(&worktree.path.join(path))
        });
        Ok(flagged.map(|(_, path)| path.to_owned()).collect())
    }

    /// The paths of the submodules in an index of a worktree.
    pub fn submodules(&self, worktree: &Worktree, index: &Path) -> Result<Vec<Vec<u8>>, GitError> {
        let list = self.git_in(worktree, ["ls-files", "--stage", "-z"]).env(var::GIT_INDEX_FILE, index);
        let output = list.run()?.checked()?;
        let entries = output.stdout.split(|&byte| byte == 0).filter(|entry| entry.starts_with(b"160000 "));
        let path = |entry: &[u8]| entry.splitn(2, |&byte| byte == b'\t').nth(1).map(<[u8]>::to_vec);
        Ok(entries.filter_map(path).collect())
    }

    /// Moves index and files of a worktree from the tree of `from` (None: it has none) to that of `to`, keeping local
    /// changes; git refuses, with what it says, where one is in the way.
    pub fn carry(&self, worktree: &Worktree, from: Option<&Oid>, to: &Oid) -> Result<Output, GitError> {
        // A file that was only touched is in the way of `read-tree` until the index has its new times. The status
        // says whether there are real changes; whether those are in the way, `read-tree` knows.
        self.git_in(worktree, ["update-index", "-q", "--refresh"]).run()?;
        let trees = from.into_iter().chain([to]).map(Oid::as_str);
        Ok(self.git_in(worktree, ["read-tree", "-m", "-u"]).args(trees).run()?)
    }

    /// What is in a worktree that HEAD does not have. What is changed in a submodule is the submodule's.
    pub fn dirt(&self, worktree: &Worktree) -> Result<Dirt, GitError> {
        self.status(worktree).ask()
    }

    /// The question for that, to be asked by whoever has the time.
    pub fn status(&self, worktree: &Worktree) -> Status {
        let args = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", BLIND];
        Status(self.git_in(worktree, args))
    }
}

impl Status {
    /// What is in the worktree that HEAD does not have.
    pub fn ask(&self) -> Result<Dirt, GitError> {
        let output = self.0.run()?.checked()?;
        let mut dirt = Dirt::default();
        for entry in String::from_utf8_lossy(&output.stdout).split('\0') {
            let Some((code, path)) = entry.split_at_checked(3) else { continue };
            let list = if code.starts_with("??") { &mut dirt.untracked } else { &mut dirt.changed };
            list.push(path.to_owned());
        }
        Ok(dirt)
    }
}
