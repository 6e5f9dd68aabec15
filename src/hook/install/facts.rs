//! What is there before an installation.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::hook::install::record::Installed;
use crate::hook::install::{InstallError, copy_of_dispatcher};
use crate::hook::name::Hook;
use crate::hook::place::orch_dir;
use crate::hook::settings::{Settings, SettingsError};
use crate::sys::fs;

/// What the caller knows.
#[derive(Clone, Debug)]
pub struct Input {
    /// The common git directory, absolute.
    pub common_dir: PathBuf,
    /// The directory that git runs hooks from (`core.hooksPath` resolved, else `<common dir>/hooks`), through
    /// `real_dir`.
    pub hooks_dir: PathBuf,
    /// The top of the worktree that `hooks_dir` was resolved for; None in a bare repository.
    pub worktree: Option<PathBuf>,
    /// Whether git tracks anything in `hooks_dir`.
    pub tracked: bool,
    /// The dispatcher to install: the program beside the main binary.
    pub dispatcher: PathBuf,
    /// What `hook.toml` is to say.
    pub settings: Settings,
}

/// Whose a hooks directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the git directory, or untracked in the worktree: ours to use.
    Usable,
    /// Under version control: never written.
    Tracked,
    /// Outside the repository, shared with others: never written.
    Outside,
}

/// A file in a hooks directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFact {
    /// Its bytes; those of the target for a link, none if that is gone.
    pub bytes: Vec<u8>,
    /// Its permission bits; 0 for a dangling link.
    pub mode: u32,
    /// The target, if it is a symbolic link.
    pub link: Option<PathBuf>,
}

/// A hooks directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HooksDir {
    /// Its path.
    pub path: PathBuf,
    /// Whose it is.
    pub standing: Standing,
    /// The directories that are missing on the way to it and itself, the outermost first.
    pub missing: Vec<PathBuf>,
    /// Whether it lies in the worktree, where a new file shows up as untracked.
    pub in_worktree: bool,
    /// The files that begin with the name of one of our hooks, by name.
    pub files: BTreeMap<String, FileFact>,
}

/// All that `plan` decides on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The local directory, `<common dir>/orch`.
    pub orch: PathBuf,
    /// The hooks directory.
    pub hooks: HooksDir,
    /// The dispatcher to install.
    pub dispatcher: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether the copy in the local directory has these bytes.
    pub copy_is_current: bool,
    /// The record so far.
    pub installed: Installed,
    /// What `hook.toml` says; None if it is not there or of no use.
    pub settings: Option<Settings>,
    /// What it is to say.
    pub wanted: Settings,
}

/// `path` without links, as far as it exists: what has to be asked of git and given to `inspect`.
pub fn real_dir(path: &Path) -> PathBuf {
    let missing: Vec<_> = path.ancestors().take_while(|dir| !dir.exists()).collect();
    let Some(there) = path.ancestors().nth(missing.len()) else { return path.to_owned() };
    let base = fs::canonical(there).unwrap_or_else(|_| there.to_owned());
    missing.iter().rev().filter_map(|dir| dir.file_name()).fold(base, |dir, name| dir.join(name))
}

/// Looks at everything that an installation depends on.
pub fn inspect(input: &Input) -> Result<Facts, InstallError> {
    let orch = orch_dir(&input.common_dir);
    let bytes = match fs::read(&input.dispatcher) {
        Ok(bytes) => bytes,
        Err(e) if e.is_not_found() => return Err(InstallError::NoDispatcher(input.dispatcher.clone())),
        Err(e) => return Err(e.into()),
    };
    let settings = match Settings::read_optional(&orch) {
        Ok(settings) => settings,
        // Written anew.
        Err(SettingsError::Parse { .. } | SettingsError::Encode { .. }) => None,
        Err(e @ SettingsError::Fs(_)) => return Err(e.into()),
    };
    let copy = fs::read(&copy_of_dispatcher(&orch)).ok();
    Ok(Facts {
        hooks: look(input)?,
        dispatcher: input.dispatcher.clone(),
        copy_is_current: copy.as_ref() == Some(&bytes),
        bytes,
        installed: Installed::read(&orch)?,
        settings,
        wanted: input.settings.clone(),
        orch,
    })
}

fn look(input: &Input) -> Result<HooksDir, InstallError> {
    let path = input.hooks_dir.clone();
    let in_git_dir = path.starts_with(real_dir(&input.common_dir));
    let in_worktree =
        !in_git_dir && input.worktree.as_ref().is_some_and(|top| path.starts_with(real_dir(top)));
    let standing = match (input.tracked, in_git_dir || in_worktree) {
        (true, _) => Standing::Tracked,
        (false, true) => Standing::Usable,
        (false, false) => Standing::Outside,
    };
    let mut missing: Vec<PathBuf> =
        path.ancestors().take_while(|dir| !fs::exists(dir)).map(Path::to_owned).collect();
    missing.reverse();
    let files = files(&path)?;
    Ok(HooksDir { path, standing, missing, in_worktree, files })
}

/// The files in `dir` that begin with the name of one of our hooks.
pub(in crate::hook) fn files(dir: &Path) -> Result<BTreeMap<String, FileFact>, InstallError> {
    let mut files = BTreeMap::new();
    for path in fs::list(dir)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let ours = Hook::ALL.iter().any(|hook| {
            name.strip_prefix(hook.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        if !ours || name.ends_with(".sample") || path.is_dir() {
            continue;
        }
        let link = path.read_link().ok();
        let fact = match (path.metadata(), &link) {
            (Ok(meta), _) => {
                FileFact { bytes: fs::read(&path)?, mode: meta.permissions().mode() & 0o7777, link }
            }
            (Err(_), Some(_)) => FileFact { bytes: Vec::new(), mode: 0, link },
            (Err(_), None) => continue,
        };
        files.insert(name.to_owned(), fact);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_yet_is_resolved_as_far_as_it_is() {
        let tmp = tempfile::tempdir().unwrap();
        let real = fs::canonical(tmp.path()).unwrap();
        fs::create_dir_all(&real.join("a")).unwrap();
        std::os::unix::fs::symlink("a", real.join("link")).unwrap();
        assert_eq!(real_dir(&real.join("link/x/y")), real.join("a/x/y"));
        assert_eq!(real_dir(&real.join("link")), real.join("a"));
    }
}
