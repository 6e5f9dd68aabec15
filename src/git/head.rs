//! What `HEAD` says.

use std::path::Path;

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::sys::fs;

/// What HEAD of a worktree points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A branch, by its full ref name; it may be unborn.
    Branch(String),
    /// A commit, directly.
    Detached(Oid),
}

impl Head {
    /// The branch's short name, if HEAD is on one.
    pub fn branch(&self) -> Option<&str> {
        match self {
            Self::Branch(name) => Some(name.strip_prefix("refs/heads/").unwrap_or(name)),
            Self::Detached(_) => None,
        }
    }
}

/// Reads a `HEAD` file.
pub(crate) fn read_head_file(path: &Path) -> Result<Head, GitError> {
    let text = fs::read_string(path)?;
    let text = text.trim();
    match text.strip_prefix("ref:") {
        Some(name) => Ok(Head::Branch(name.trim().to_owned())),
        None => Oid::parse(text)
            .map(Head::Detached)
            .map_err(|e| GitError::Malformed { path: path.to_owned(), what: e.to_string() }),
    }
}
