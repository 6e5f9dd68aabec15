//! `hook.toml`: what the dispatcher needs without opening the repository.
//!
//! Written by the main binary, read by every hook. A field that a newer version adds is ignored by an older one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sys::fs::{self, Durability, FsError};

/// The protocol between dispatcher and main binary that this build speaks.
pub const PROTOCOL: u32 = 1;
/// The file's name in the local directory (`<common dir>/orch`).
pub const FILE: &str = "hook.toml";

/// The dispatcher's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The protocol, `PROTOCOL`.
    pub version: u32,
    /// The main binary, absolute.
    pub main: PathBuf,
    /// The build of the dispatcher's copy; a copy of another build is refreshed.
    pub build: String,
    /// The full name of the protected ref, `refs/heads/<trunk>`.
    pub trunk: String,
    /// The full name of the remote's trunk here; None without a remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<String>,
    /// Whether hooks do anything; false after `git config orch.hooks off`.
    pub enabled: bool,
}

/// `hook.toml` is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// It is not what the protocol says.
    #[error("{} is not valid", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: toml::de::Error,
    },
    /// It can't be written as TOML: a path is not UTF-8.
    #[error("cannot write {}: a path in it is not UTF-8", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        #[source]
        source: toml::ser::Error,
    },
}

impl Settings {
    /// Reads `<orch>/hook.toml`.
    pub fn read(orch: &Path) -> Result<Self, SettingsError> {
        let path = orch.join(FILE);
        let text = fs::read_string(&path)?;
        toml::from_str(&text).map_err(|source| SettingsError::Parse { path, source })
    }

    /// Reads `<orch>/hook.toml`; None if it is not there.
    pub fn read_optional(orch: &Path) -> Result<Option<Self>, SettingsError> {
        match Self::read(orch) {
            Ok(settings) => Ok(Some(settings)),
            Err(SettingsError::Fs(e)) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Replaces `<orch>/hook.toml`, whose directory must exist.
    pub fn write(&self, orch: &Path) -> Result<(), SettingsError> {
        let path = orch.join(FILE);
        let text =
            toml::to_string(self).map_err(|source| SettingsError::Encode { path: path.clone(), source })?;
        Ok(fs::write_atomic(&path, text.as_bytes(), 0o644, Durability::Commit)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            version: PROTOCOL,
            main: "/opt/git-orch".into(),
            build: "0.1.0+1".into(),
            trunk: "refs/heads/main".into(),
            tracking: None,
            enabled: true,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Settings::read_optional(dir.path()).unwrap().is_none());
        for tracking in [None, Some("refs/remotes/origin/main".to_owned())] {
            let settings = Settings { tracking, ..settings() };
            settings.write(dir.path()).unwrap();
            assert_eq!(Settings::read(dir.path()).unwrap(), settings);
        }
    }

    #[test]
    fn the_file_is_as_documented_and_newer_fields_are_ignored() {
        let dir = tempfile::tempdir().unwrap();
        settings().write(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        let text = fs::read_string(&path).unwrap();
        insta::assert_snapshot!(text, @r#"
        version = 1
        main = "/opt/git-orch"
        build = "0.1.0+1"
        trunk = "refs/heads/main"
        enabled = true
        "#);
        let newer = format!("{text}later = [1]\n");
        fs::write_atomic(&path, newer.as_bytes(), 0o644, Durability::None).unwrap();
        assert_eq!(Settings::read(dir.path()).unwrap(), settings());
        fs::write_atomic(&path, b"version = ", 0o644, Durability::None).unwrap();
        assert!(matches!(Settings::read(dir.path()), Err(SettingsError::Parse { .. })));
    }
}
