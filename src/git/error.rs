//! What can go wrong with a repository.

use std::path::PathBuf;

use crate::domain::oid::OidError;
use crate::sys::fs::FsError;
use crate::sys::lock::LockError;
use crate::sys::process::ProcessError;

/// What can go wrong with a repository.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no repository here.
    #[error("no git repository at {} or above it", path.display())]
    NoRepository {
        /// Where the search began.
        path: PathBuf,
    },
    /// gix failed.
    #[error("cannot {action}")]
    Gix {
        /// What was tried, with its object.
        action: String,
        /// What gix said.
        #[source]
        source: Box<gix::Error>,
    },
    /// The git program failed or is not there.
    #[error(transparent)]
    Program(#[from] ProcessError),
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Somebody holds a lock of ours.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// git printed something that is not an object id.
    #[error("git printed an object id that is none")]
    Oid(#[from] OidError),
    /// An object is not there.
    #[error("object {oid} is missing")]
    Missing {
        /// Which.
        oid: String,
    },
    /// An object is there and can't be read as what it should be.
    #[error("object {oid} is not a readable {kind}")]
    Corrupt {
        /// Which.
        oid: String,
        /// What it should be.
        kind: &'static str,
    },
    /// A revision names nothing.
    #[error("`{rev}` names no commit or tree here")]
    UnknownRevision {
        /// What was asked for.
        rev: String,
    },
    /// A ref's lock file is in the way: a git process at work, or one that was killed.
    #[error("{} is in the way: a git process holds it, or one was killed", path.display())]
    RefLocked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file of git's has content that can't be understood.
    #[error("{} has unexpected content: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl GitError {
    /// Wraps what gix said with what was tried.
    pub(crate) fn gix(action: impl Into<String>) -> impl FnOnce(gix::Error) -> Self {
        let action = action.into();
        move |source| Self::Gix { action, source: Box::new(source) }
    }
}
