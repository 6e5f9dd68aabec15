//! Finding and opening a repository.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::git::command_line::command_line_settings;
use crate::git::error::GitError;
use crate::git::fresh::Fresh;
use crate::git::head::{Head, read_head_file};
use crate::git::loose::Loose;
use crate::sys::env::{Env, var};
use crate::sys::fs::{self, FsError};
use crate::sys::process::Cmd;

/// A repository as seen from one of its worktrees.
///
/// Not `Sync`: each thread opens its own with `reopen`, which costs less than a millisecond.
#[derive(Clone, Debug)]
pub struct Repo {
    /// For configuration and refs.
    pub(crate) gix: gix::Repository,
    /// For objects: it knows the packs that were there when it was made, and is made anew when that is not enough.
    pub(super) reader: RefCell<gix::Repository>,
    /// For those objects that have a file of their own.
    pub(super) loose: Loose,
    git_dir: PathBuf,
    common_dir: PathBuf,
    work_tree: Option<PathBuf>,
    reftable: bool,
    env: Env,
    /// What this process wrote last.
    pub(super) fresh: Fresh,
}

/// As `gix`, with an object database of its own that knows the packs that are there now.
fn reader(gix: &gix::Repository, common_dir: &Path) -> Result<gix::Repository, GitError> {
    let objects = common_dir.join("objects");
    let options = gix::odb::store::init::Options {
        slots: gix::odb::store::init::Slots::AsNeededByDiskState { multiplier: 1.1, minimum: 96 },
        ..gix::odb::store::init::Options::default()
    };
    let hash = gix.object_hash();
    let odb = gix::odb::at_opts(&objects, hash, None, options);
    let odb = odb.map_err(|source| FsError { action: "open", path: objects, source })?;
    let mut reader = gix.clone();
    reader.objects = gix::odb::memory::Proxy::new(odb, hash);
    reader.objects.refresh_never();
    // Task and state files are read one by one; a small cache spares re-inflating shared trees. Small, because what
    // fits into it is copied: a commit of thousands of changes is larger, and read once.
    reader.object_cache_size_if_unset(512 * 1024);
    Ok(reader)
}

impl Repo {
    /// Finds the repository as git does: `GIT_DIR` if it is set, else upwards from `cwd`.
    pub fn discover(cwd: &Path, env: &Env) -> Result<Self, GitError> {
        if let Some(dir) = env.get(var::GIT_DIR) {
            let git_dir = cwd.join(dir);
            let git_dir = fs::canonical(&git_dir).map_err(|_| GitError::NoRepository { path: git_dir })?;
            let work_tree = match env.get(var::GIT_WORK_TREE) {
                Some(tree) => Some(fs::canonical(&cwd.join(tree))?),
                None => None,
            };
            return Self::open(&git_dir, work_tree.as_deref(), env);
        }
        let (path, trust) =
            gix::discover::upwards(cwd).map_err(|_| GitError::NoRepository { path: cwd.to_owned() })?;
        if trust != gix::sec::Trust::Full {
            // Somebody else's: its configuration may name any program. git knows whom the user trusts.
            Cmd::new("git", cwd, env).args(["rev-parse", "--git-dir"]).run()?.checked()?;
        }
        let (git_dir, work_tree) = path.into_repository_and_work_tree_directories();
        let git_dir = fs::canonical(&cwd.join(git_dir))?;
        let work_tree = match work_tree {
            Some(tree) => Some(fs::canonical(&cwd.join(tree))?),
            None => None,
        };
        Self::open(&git_dir, work_tree.as_deref(), env)
    }

    /// Opens a repository by its git directory; nothing is searched for.
    pub fn open(git_dir: &Path, work_tree: Option<&Path>, env: &Env) -> Result<Self, GitError> {
        let options = gix::open::Options::default()
            .with(gix::sec::Trust::Full)
            .bail_if_untrusted(false)
            .open_path_as_is(true)
            .cli_overrides(command_line_settings(env.text(var::GIT_CONFIG_PARAMETERS).unwrap_or_default()))
            // As for the `git` program: no object stands for another.
            .config_overrides(["core.useReplaceRefs=false"]);
        let mut gix: gix::Repository = options
            .open(git_dir)
            .map_err(GitError::gix(format!("open the repository {}", git_dir.display())))?
            .into();
        gix.objects.refresh_never();
        let common_dir = fs::canonical(gix.common_dir())?;
        let work_tree = match work_tree {
            Some(tree) => Some(tree.to_owned()),
            None => gix.workdir().map(Path::to_owned),
        };
        let reftable = fs::exists(&common_dir.join("reftable"));
        Ok(Self {
            git_dir: git_dir.to_owned(),
            work_tree,
            reftable,
            env: env.clone(),
            fresh: Fresh::of(&common_dir),
            loose: Loose::of(&common_dir),
            reader: RefCell::new(reader(&gix, &common_dir)?),
            common_dir,
            gix,
        })
    }

    /// Opens the same repository again, for another thread or to see new packs.
    pub fn reopen(&self) -> Result<Self, GitError> {
        Self::open(&self.git_dir, self.work_tree.as_deref(), &self.env)
    }

    /// From now on objects are looked for in the packs that are there now.
    ///
    /// A new object database each time, because the one that gix keeps up to date is not made for packs that come and
    /// go: it passes over new ones when it reuses the slots of those that are gone, and panics when it finds others
    /// than it expects.
    pub(super) fn renew(&self) -> Result<(), GitError> {
        let new = reader(&self.gix, &self.common_dir)?;
        self.reader.replace(new);
        Ok(())
    }

    /// This worktree's git directory (`.git`, or `.git/worktrees/<name>`).
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The directory that all worktrees share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Where git-orch keeps its local files.
    pub fn orch_dir(&self) -> PathBuf {
        self.common_dir.join("orch")
    }

    /// The top of this worktree; None in a bare repository.
    pub fn work_tree(&self) -> Option<&Path> {
        self.work_tree.as_deref()
    }

    /// Whether refs are kept in the reftable format, which gix can't read or write.
    pub fn is_reftable(&self) -> bool {
        self.reftable
    }

    /// The environment it was opened with.
    pub fn user_env(&self) -> &Env {
        &self.env
    }

    /// The main worktree's top, or the bare directory: what `<path>.orch` stands beside.
    pub fn main_path(&self) -> PathBuf {
        let config = self.gix.config_snapshot();
        if config.boolean("core.bare").unwrap_or(false) {
            return self.common_dir.clone();
        }
        // A submodule's git directory is elsewhere, and this says where its worktree is.
        if let Some(dir) = config.string("core.worktree") {
            let path = self.common_dir.join(dir.to_string());
            return fs::canonical(&path).unwrap_or(path);
        }
        match (self.common_dir.parent(), &self.work_tree) {
            (Some(parent), _) if self.common_dir.ends_with(".git") => parent.to_owned(),
            // `git init --separate-git-dir`: only the main worktree knows where it is.
            (_, Some(top)) if self.git_dir == self.common_dir => top.clone(),
            (_, _) => self.common_dir.clone(),
        }
    }

    /// Whether the repository has no main worktree.
    pub fn is_bare(&self) -> bool {
        self.main_path() == self.common_dir
    }

    /// What HEAD of this worktree points at.
    pub fn head(&self) -> Result<Head, GitError> {
        self.head_of(&self.git_dir)
    }

    /// What HEAD of the worktree with this git directory points at.
    pub fn head_of(&self, git_dir: &Path) -> Result<Head, GitError> {
        if self.reftable {
            return self.head_by_program(git_dir);
        }
        read_head_file(&git_dir.join("HEAD"))
    }

    /// How long object ids are here: 40 or 64 characters.
    pub fn oid_len(&self) -> usize {
        self.gix.object_hash().len_in_hex()
    }
}
