//! What can go wrong with the index. Nothing here is worth telling a user: callers answer from git.

use rusqlite::ErrorCode;

use crate::sys::fs::FsError;

/// Why the index can't answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Another process writes or rebuilds it. Answer from git; there is nothing to repair.
    #[error("the index is in use")]
    Busy,
    /// What is in it can't be true. Answer from git and rebuild.
    #[error("the index is damaged: {0}")]
    Corrupt(String),
    /// SQLite failed otherwise (disk full, read-only). Answer from git.
    #[error("the index can't be used")]
    Sqlite(#[source] rusqlite::Error),
    /// A file operation failed. Answer from git.
    #[error("the index can't be used")]
    Fs(#[from] FsError),
}

impl IndexError {
    /// Whether a rebuild would help: not when another process is at work, nor when the disk refuses.
    pub fn wants_rebuild(&self) -> bool {
        match self {
            Self::Corrupt(_) => true,
            Self::Busy | Self::Sqlite(_) | Self::Fs(_) => false,
        }
    }

    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Busy,
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied,
            ) => Self::Sqlite(error),
            // A wrong type, a missing table, bad UTF-8, bad SQL in the schema: none can happen in a sound file.
            Some(_) | None => Self::Corrupt(error.to_string()),
        }
    }
}
