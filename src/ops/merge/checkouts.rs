//! Checkouts of trunk after trunk moved under them: clean ones follow, dirty ones are named.

use std::path::PathBuf;

use crate::domain::oid::Oid;
use crate::git::Worktree;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;

/// What became of a checkout of trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// It shows the new commit.
    Followed(PathBuf),
    /// It has changes of its own, and still shows the old one; what git said.
    Left(PathBuf, String),
}

/// The checkouts of trunk, with whether each is clean, before trunk moves.
pub(crate) struct Checkouts(Vec<(Worktree, bool)>);

impl Checkouts {
    pub(crate) fn of(cx: &Ctx, trunk: &Trunk) -> Result<Self, OpError> {
        let mut list = Vec::new();
        for worktree in cx.repo.worktrees()? {
            if worktree.head.branch() == Some(trunk.name.as_str()) && worktree.exists() {
                let clean = cx.repo.dirt(&worktree)?.changed.is_empty();
                list.push((worktree, clean));
            }
        }
        Ok(Self(list))
    }

    /// The checkouts of trunk whose index and files are those of `old`, though trunk is elsewhere.
    pub(crate) fn left_at(cx: &Ctx, trunk: &Trunk, old: &Oid) -> Result<Self, OpError> {
        let mut list = Vec::new();
        if trunk.local.as_ref() == Some(old) {
            return Ok(Self(list));
        }
        for worktree in cx.repo.worktrees()? {
            if worktree.head.branch() != Some(trunk.name.as_str()) || !worktree.exists() {
                continue;
            }
            let same = |args: &[&str]| -> Result<bool, OpError> {
                let output =
                    cx.repo.git_in(&worktree, ["diff", "--quiet", "--no-ext-diff"]).args(args).run()?;
                Ok(output.status.success())
            };
            if same(&["--cached", old.as_str()])? && same(&[])? {
                list.push((worktree, true));
            }
        }
        Ok(Self(list))
    }

    /// Moves clean checkouts from `old` to `new`. git refuses where an untracked file is in the way.
    pub(crate) fn follow(self, cx: &Ctx, old: Option<&Oid>, new: &Oid) -> Result<Vec<Refresh>, OpError> {
        let mut result = Vec::new();
        for (worktree, clean) in self.0 {
            if !clean {
                let why = "it has changes of its own".to_owned();
                result.push(Refresh::Left(worktree.path, why));
                continue;
            }
            let output = cx.repo.carry(&worktree, old, new)?;
            result.push(if output.status.success() {
                Refresh::Followed(worktree.path)
            } else {
                Refresh::Left(worktree.path, output.stderr)
            });
        }
        Ok(result)
    }
}
