//! What can go wrong with the state.

use crate::git::GitError;
use crate::policy::grant::ModeRefusal;
use crate::sys::fs::FsError;
use crate::sys::lock::LockError;

/// What can go wrong with the state.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `git orch init` was not run here.
    #[error("there is no state here: refs/orch/state does not exist")]
    NoState,
    /// A file of the state can't be read as what it should be.
    #[error("{path} in the state is damaged: {what}")]
    Corrupt {
        /// Its path in the state's tree.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The state was written by a newer program.
    #[error("the state wants a program that knows format {found}; this one knows up to {known}")]
    TooNew {
        /// The format that the state wants known.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// A file would be larger than the state takes.
    #[error("{path} would have {bytes} bytes; the state takes at most {limit}")]
    TooLarge {
        /// Its path in the state's tree.
        path: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The other state has what no git-orch writes there.
    #[error("{path} in the other state is refused: {what}")]
    Hostile {
        /// Its path in the state's tree.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The other state is another repository's.
    #[error("the other state is of another repository: {theirs}, this one is {ours}")]
    Unrelated {
        /// The id of this repository's state.
        ours: String,
        /// The id of the other.
        theirs: String,
    },
    /// Others were faster every time.
    #[error("the state moved under this change {tries} times")]
    Contended {
        /// How often it was tried.
        tries: u32,
    },
    /// After the write the ref was not where it was put.
    #[error("BUG: the state ref was written and does not read back")]
    NotReadBack,
    /// Something failed when the change could be part of the state already, or could become it by another process.
    #[error("the change was made, or was not: {why}")]
    Unknown {
        /// What failed.
        why: String,
        /// The same, where this process met it.
        #[source]
        source: Option<Box<Self>>,
    },
    /// The write lock could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The repository failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl StoreError {
    /// That it is not known how a change ended, after this.
    pub(super) fn unknown(source: Self) -> Self {
        Self::Unknown { why: source.to_string(), source: Some(Box::new(source)) }
    }
}

impl From<FsError> for StoreError {
    fn from(error: FsError) -> Self {
        Self::Git(error.into())
    }
}

/// Why a change of state did not happen.
#[derive(Debug, thiserror::Error)]
pub enum TransactError<E: std::error::Error + 'static> {
    /// The intent refused: nothing was written.
    #[error(transparent)]
    Refused(E),
    /// The mode forbids it.
    #[error(transparent)]
    Mode(ModeRefusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
