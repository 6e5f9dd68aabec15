//! Why hooks could not be installed.

use std::path::PathBuf;

use crate::hook::settings::SettingsError;
use crate::sys::fs::FsError;
use crate::sys::lock::LockError;

/// Hooks could not be installed, refreshed or removed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The dispatcher is not beside the main binary.
    #[error("the hook dispatcher is missing: {} (install both programs of git-orch)", .0.display())]
    NoDispatcher(PathBuf),
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Another installation is under way.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// `hook.toml` could not be read or written.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// `installed.toml` is not valid.
    #[error("{} is not valid", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: toml::de::Error,
    },
    /// `installed.toml` can't be written as TOML: a path is not UTF-8.
    #[error("cannot write {}: a path in it is not UTF-8", path.display())]
    EncodeRecord {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        #[source]
        source: toml::ser::Error,
    },
}
