//! Worktrees: what each is for, and what keeps it from being removed.

use serde::Serialize;

/// What a worktree is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorktreeUse {
    /// A task is worked on in it.
    Task,
    /// Ralph judges trees in it.
    Gate,
}

/// A worktree of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorktreeView {
    /// Where it is.
    pub path: String,
    /// What it is for.
    pub usage: WorktreeUse,
    /// Its task's id.
    pub task: Option<String>,
    /// Its task's status.
    pub status: Option<&'static str>,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// Files with changes that are not committed.
    pub uncommitted: usize,
    /// Files that git doesn't know.
    pub untracked: usize,
    /// Commits that are on no remote and not in trunk.
    pub unpushed: usize,
    /// Whether there is a remote that they could be on; for people only.
    #[serde(skip)]
    pub shared: bool,
    /// Whether the directory is gone though git knows it.
    pub missing: bool,
}

/// A worktree that `prune` left, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptView {
    /// Where it is.
    pub path: String,
    /// Its task's id.
    pub task: Option<String>,
    /// Why it was kept.
    pub why: String,
}

/// What `git orch worktree prune` came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PruneView {
    /// Whether nothing was done: `removed` is what would be.
    pub dry_run: bool,
    /// Paths that are gone now.
    pub removed: Vec<String>,
    /// What is still there.
    pub kept: Vec<KeptView>,
}
