//! Gate worktrees: a pool of detached checkouts.
//!
//! Each is held by a kernel lock while it is used. Before a run it is the exact tree and nothing else; what is compared is
//! content (`git::Shown`, and where that is not sure, before the run, git with a private index), so that flags in the
//! worktree's own index (assume-unchanged, skip-worktree) hide nothing. Where git has checked out that commit before, its
//! records there are byte for byte what it left, and the files surely are the tree, no git is started. What the run left is
//! never compared by git: it would start another one in what lies at a submodule's place, outside of the sandbox.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::domain::oid::Oid;
use crate::git::{BLIND, GitError, Shown, Worktree};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::worktrees;
use crate::sys::beside::beside;
use crate::sys::env::var;
use crate::sys::fs::{self, Durability};
use crate::sys::lock::FileLock;
use crate::sys::process::Cmd;

/// A checkout of one commit, held until it is dropped.
pub(crate) struct Checkout {
    slot: usize,
    worktree: Worktree,
    commit: Oid,
    tree: Oid,
    /// What it has to show; None until it does.
    shown: Option<Shown>,
    _lock: FileLock,
}

/// Against a sparse checkout, and against configuration of this one worktree.
const WHOLE: [&str; 6] =
    ["-c", "core.sparseCheckout=false", "-c", "core.sparseCheckoutCone=false", "-c", "index.sparse=false"];

/// The most gate worktrees that are made.
const SLOTS: usize = 64;

/// A gate worktree that is ours until it is dropped.
pub(crate) struct Slot {
    /// Its number.
    pub(crate) number: usize,
    lock: FileLock,
}

/// Takes the first gate worktree that is free.
pub(crate) fn free_slot(cx: &Ctx) -> Result<Slot, OpError> {
    for number in 0..SLOTS {
        if let Some(lock) = FileLock::try_acquire(&cx.file(&format!("gate.{number}.lock")))? {
            return Ok(Slot { number, lock });
        }
    }
    Err(OpError::Bug(format!("more than {SLOTS} gate runs at once")))
}

impl Slot {
    /// Checks `commit` out there.
    pub(crate) fn check_out(self, cx: &Ctx, commit: &Oid) -> Result<Checkout, OpError> {
        let path = worktrees::make_root(cx)?.join(format!("gate-{}", self.number));
        let worktree = ensure(cx, &path, commit)?;
        let tree = cx.repo.tree_of(commit)?;
        let (slot, commit) = (self.number, commit.clone());
        let mut checkout = Checkout { slot, worktree, commit, tree, shown: None, _lock: self.lock };
        let shown = match checkout.make_exact(cx) {
            Ok(shown) => shown,
            Err(error) => {
                // Whatever an earlier run made of it must not be in the way of all later ones.
                tracing::warn!(%error, path = %path.display(), "a gate worktree is made anew");
                fs::remove_file_if_there(&checkout.record(cx))?;
                fs::remove_tree(&path)?;
                checkout.worktree = ensure(cx, &path, &checkout.commit)?;
                checkout.make_exact(cx)?
            }
        };
        checkout.shown = Some(shown);
        Ok(checkout)
    }
}

fn ensure(cx: &Ctx, path: &Path, commit: &Oid) -> Result<Worktree, OpError> {
    let _lock = worktrees::lock(cx)?;
    if let Some(found) = cx.repo.worktree_at(path)? {
        if found.exists() && fs::exists(&path.join(".git")) {
            return Ok(found);
        }
        cx.repo.forget_missing_worktrees()?;
    }
    if fs::exists(path) {
        // Ours by name and place, and not registered: the rest of a `git worktree add` that was killed.
        fs::remove_tree(path)?;
    }
    cx.repo.add_detached_worktree(path, commit)?;
    cx.repo
        .worktree_at(path)?
        .ok_or_else(|| OpError::Bug(format!("git made no worktree at {}", path.display())))
}

impl Checkout {
    /// `git` in the checkout, whole whatever the clone is set to: a sparse one would hide files, and their tests.
    fn command(&self, cx: &Ctx, args: &[&str]) -> Cmd {
        cx.repo.git_in(&self.worktree, WHOLE).args(args)
    }

    fn git(&self, cx: &Ctx, args: &[&str]) -> Result<(), OpError> {
        self.command(cx, args).run()?.checked()?;
        Ok(())
    }

    /// Writes the worktree's link to its git directory again if it is not what git wrote: the steps' own git
    /// follows it, and a step of an earlier run may have changed it.
    fn mend_link(&self) -> Result<(), OpError> {
        let link = self.worktree.path.join(".git");
        let wanted = format!("gitdir: {}\n", self.worktree.git_dir.display());
        let is_link = link.symlink_metadata().is_ok_and(|meta| meta.is_file());
        if is_link && fs::read(&link)? == wanted.as_bytes() {
            return Ok(());
        }
        if link.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            fs::remove_tree(&link)?;
        }
        Ok(fs::write_atomic(&link, wanted.as_bytes(), 0o644, Durability::None)?)
    }

    /// Makes it the tree and nothing else; returns what it shows from now on.
    fn make_exact(&self, cx: &Ctx) -> Result<Shown, OpError> {
        // A killed git leaves its lock; nobody else uses this index while we hold the slot.
        fs::remove_file_if_there(&self.worktree.git_dir.join("index.lock"))?;
        self.mend_link()?;
        let record = self.record(cx);
        if fs::read_optional(&record)?.is_some_and(|left| self.left(cx).is_ok_and(|now| now == Some(left))) {
            let shown = cx.repo.shown(&self.tree)?;
            shown.clear_others(&self.worktree.path)?;
            if shown.is_surely_at(&self.worktree.path) {
                return Ok(shown);
            }
        }
        fs::remove_file_if_there(&record)?;
        let shown = self.check_out(cx)?;
        if let Some(left) = self.left(cx)? {
            fs::write_atomic(&record, left.as_bytes(), 0o600, Durability::None)?;
        }
        Ok(shown)
    }

    /// Where it is noted how git left it.
    fn record(&self, cx: &Ctx) -> PathBuf {
        cx.file(&format!("gate.{}.left", self.slot))
    }

    /// What is on record where git has checked this commit out, and nobody touched its records since.
    fn left(&self, cx: &Ctx) -> Result<Option<String>, GitError> {
        let left = cx.repo.left_by_checkout(&self.worktree)?;
        Ok(left.map(|left| format!("{}\n{left}", self.commit)))
    }

    fn check_out(&self, cx: &Ctx) -> Result<Shown, OpError> {
        let checkout =
            self.command(cx, &["checkout", "--quiet", "--detach", "--force", self.commit.as_str()]);
        let (made, shown) = beside(|| checkout.run()?.checked().map(drop), || cx.repo.shown(&self.tree));
        made?;
        let mut shown = shown?;
        shown.clear_others(&self.worktree.path)?;
        let wrong = self.settle(cx, &mut shown)?;
        if !wrong.is_empty() {
            // The index lied about what is on disk: build both from nothing.
            tracing::debug!(?wrong, "gate worktree is not the tree; checking it out anew");
            fs::remove_file_if_there(&self.worktree.git_dir.join("index"))?;
            self.git(cx, &["read-tree", "--reset", "-u", self.commit.as_str()])?;
            self.git(cx, &["checkout-index", "--quiet", "--all", "--force"])?;
            if let Some(fact) = told(&self.settle(cx, &mut shown)?) {
                return Err(OpError::Bug(fact));
            }
        }
        Ok(shown)
    }

    /// What is not the tree. What git has turned around on its way to the disk is right, and has to stay so.
    fn settle(&self, cx: &Ctx, shown: &mut Shown) -> Result<Vec<String>, OpError> {
        let root = &self.worktree.path;
        let text = |paths: Vec<OsString>| -> Vec<String> {
            paths.iter().map(|path| path.to_string_lossy().into_owned()).collect()
        };
        let found = shown.differing(root);
        let (submodules, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|path| shown.is_submodule(path));
        if !submodules.is_empty() || others.is_empty() {
            return Ok(text(submodules));
        }
        let wrong = self.differences(cx)?;
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        Ok(text(shown.take_for_right(root, others)?))
    }

    /// Whether the checkout is still exactly what it was made, for every path of the tree; else what differs.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let Some(shown) = &self.shown else { return Err("nothing is checked out".to_owned()) };
        let found = shown.differing(&self.worktree.path);
        let paths: Vec<_> = found.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        told(&paths).map_or(Ok(()), Err)
    }

    /// What git says is not the tree. Only before something ran here: see above.
    fn differences(&self, cx: &Ctx) -> Result<Vec<String>, GitError> {
        let dir = tempfile::Builder::new()
            .prefix("orch-verify-")
            .tempdir_in(&self.worktree.git_dir)
            .map_err(|source| fs::FsError {
                action: "make a directory in",
                path: self.worktree.git_dir.clone(),
                source,
            })?;
        let index = dir.path().join("index");
        let git = |args: &[&str]| self.command(cx, args).env(var::GIT_INDEX_FILE, &index);
        git(&["read-tree", self.tree.as_str()]).run()?.checked()?;
        // The new index has no file times: every file is compared by content.
        git(&["update-index", "-q", "--refresh"]).run()?;
        let output = git(&["diff-files", "--name-only", "-z", BLIND]).run()?.checked()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.split('\0').filter(|p| !p.is_empty()).map(str::to_owned).collect())
    }

    /// Whether nothing is there but the tree, and empty directories.
    pub(crate) fn is_bare(&self, cx: &Ctx) -> Result<bool, OpError> {
        Ok(self.command(cx, &["ls-files", "--others", "-z"]).run()?.checked()?.stdout.is_empty())
    }

    /// The tree that it is a checkout of.
    pub(crate) fn tree(&self) -> &Oid {
        &self.tree
    }

    /// Its number among the gate worktrees.
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.worktree.path
    }
}

/// What is said of paths that are not what they have to be; None where there are none.
fn told(paths: &[String]) -> Option<String> {
    match paths {
        [] => None,
        [one] => Some(format!("{one} is not what the tree has")),
        [first, ..] => Some(format!("{first} and {} more are not what the tree has", paths.len() - 1)),
    }
}
