//! `installed.toml`: what was changed outside `<common dir>/orch`, so that `uninstall` can restore it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::hook::install::error::InstallError;
use crate::sys::fs::{self, Durability};

/// The file's name in the local directory.
pub(in crate::hook) const FILE: &str = "installed.toml";

/// Everything that was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The format, 1.
    pub version: u32,
    /// Configuration keys that were changed. Recorded and restored by `ops`: this module has no git.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<ConfigChange>,
    /// Directories that hooks were installed in.
    #[serde(default, rename = "dir", skip_serializing_if = "Vec::is_empty")]
    pub dirs: Vec<InstalledDir>,
}

/// A configuration key with the values that it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// The key.
    pub key: String,
    /// Its values before, in order; empty if it was not set.
    pub before: Vec<String>,
}

/// A directory with our hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledDir {
    /// The directory, absolute and without links.
    pub path: PathBuf,
    /// The directories that were made for it, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<PathBuf>,
    /// The hooks that were installed.
    pub hooks: Vec<String>,
}

impl Installed {
    /// Reads `<orch>/installed.toml`; nothing installed if it is not there.
    pub fn read(orch: &Path) -> Result<Self, InstallError> {
        let path = orch.join(FILE);
        match fs::read_optional(&path)? {
            Some(text) => toml::from_str(&text).map_err(|source| InstallError::Record { path, source }),
            None => Ok(Self { version: 1, ..Self::default() }),
        }
    }

    /// Replaces `<orch>/installed.toml`, whose directory must exist.
    pub fn write(&self, orch: &Path) -> Result<(), InstallError> {
        let path = orch.join(FILE);
        let text = toml::to_string(self)
            .map_err(|source| InstallError::EncodeRecord { path: path.clone(), source })?;
        Ok(fs::write_atomic(&path, text.as_bytes(), 0o644, Durability::Commit)?)
    }

    /// This record with `dir` added, or its hooks added to those recorded for the same path.
    #[must_use]
    pub fn with(&self, dir: &InstalledDir) -> Self {
        let mut next = self.clone();
        match next.dirs.iter_mut().find(|known| known.path == dir.path) {
            Some(known) => {
                for hook in &dir.hooks {
                    if !known.hooks.contains(hook) {
                        known.hooks.push(hook.clone());
                    }
                }
            }
            None => next.dirs.push(dir.clone()),
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_was_made_is_not_forgotten() {
        let tmp = tempfile::tempdir().unwrap();
        let first = InstalledDir {
            path: "/r/hooks".into(),
            made: vec!["/r/hooks".into()],
            hooks: vec!["pre-push".into()],
        };
        let change = ConfigChange { key: "man.path".into(), before: vec![] };
        let record = Installed { version: 1, config: vec![change], dirs: vec![] }.with(&first);
        record.write(tmp.path()).unwrap();
        assert_eq!(Installed::read(tmp.path()).unwrap(), record);
        let again = InstalledDir { made: vec![], hooks: vec!["pre-commit".into()], ..first };
        let record = record.with(&again);
        assert_eq!(record.dirs[0].made.len(), 1);
        assert_eq!(record.dirs[0].hooks, ["pre-push", "pre-commit"]);
    }
}
