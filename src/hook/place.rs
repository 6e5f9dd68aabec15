//! Where the repository is, found the way git finds it, from files alone.

use std::path::{Path, PathBuf};

use crate::sys::env::{Env, var};
use crate::sys::fs;

/// The directories of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// This worktree's git directory.
    pub git_dir: PathBuf,
    /// The part that all worktrees share; the same as `git_dir` in the main worktree.
    pub common_dir: PathBuf,
}

impl Place {
    /// The repository that a process in `cwd` with `env` works on: `GIT_DIR`, else the nearest `.git` at or
    /// above `cwd`, else a bare repository at or above it.
    pub fn find(env: &Env, cwd: &Path) -> Option<Self> {
        let git_dir = match env.get(var::GIT_DIR) {
            Some(dir) => cwd.join(dir),
            None => cwd.ancestors().find_map(git_dir_at)?,
        };
        let common_dir = match env.get(var::GIT_COMMON_DIR) {
            Some(dir) => cwd.join(dir),
            None => common_dir_of(&git_dir),
        };
        Some(Self { git_dir, common_dir })
    }

    /// The local directory, `<common dir>/orch`.
    pub fn orch(&self) -> PathBuf {
        orch_dir(&self.common_dir)
    }

    /// Whether refs are kept in git's reftable format, which only git itself reads here.
    pub fn is_reftable(&self) -> bool {
        self.common_dir.join("reftable").is_dir()
    }
}

/// The local directory of the repository with this common directory.
pub fn orch_dir(common_dir: &Path) -> PathBuf {
    common_dir.join("orch")
}

fn git_dir_at(dir: &Path) -> Option<PathBuf> {
    let dot_git = dir.join(".git");
    if dot_git.is_dir() && is_git_dir(&dot_git) {
        return Some(dot_git);
    }
    if let Some(target) = link_target(&dot_git) {
        return Some(dir.join(target));
    }
    is_git_dir(dir).then(|| dir.to_owned())
}

fn is_git_dir(dir: &Path) -> bool {
    // A linked worktree's own directory has `HEAD` and `commondir` instead of objects.
    dir.join("HEAD").symlink_metadata().is_ok()
        && (dir.join("objects").is_dir() || dir.join("commondir").is_file())
}

fn link_target(dot_git: &Path) -> Option<PathBuf> {
    let text = fs::read_string(dot_git).ok()?;
    Some(PathBuf::from(text.strip_prefix("gitdir: ")?.trim_end_matches(['\n', '\r'])))
}

fn common_dir_of(git_dir: &Path) -> PathBuf {
    match fs::read_string(&git_dir.join("commondir")) {
        Ok(text) => git_dir.join(text.trim_end_matches(['\n', '\r'])),
        Err(_) => git_dir.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fs::{Durability, create_dir_all, write_atomic};

    fn repo(dir: &Path) {
        create_dir_all(&dir.join("objects")).unwrap();
        write_atomic(&dir.join("HEAD"), b"ref: refs/heads/main\n", 0o644, Durability::None).unwrap();
    }

    fn find(cwd: &Path, env: &[(&str, &str)]) -> Option<Place> {
        Place::find(&Env::from_pairs(env.iter().copied()), cwd)
    }

    #[test]
    fn main_worktree_subdirectory_bare_and_linked() {
        let tmp = tempfile::tempdir().unwrap();
        let git = tmp.path().join("r/.git");
        repo(&git);
        let sub = tmp.path().join("r/a/b");
        create_dir_all(&sub).unwrap();
        assert_eq!(find(&sub, &[]).unwrap().git_dir, git);

        repo(&tmp.path().join("bare"));
        assert_eq!(find(&tmp.path().join("bare"), &[]).unwrap().common_dir, tmp.path().join("bare"));

        let own = git.join("worktrees/w");
        create_dir_all(&own).unwrap();
        write_atomic(&own.join("commondir"), b"../..\n", 0o644, Durability::None).unwrap();
        let linked = tmp.path().join("w");
        create_dir_all(&linked).unwrap();
        let text = format!("gitdir: {}\n", own.display());
        write_atomic(&linked.join(".git"), text.as_bytes(), 0o644, Durability::None).unwrap();
        let place = find(&linked, &[]).unwrap();
        assert_eq!(place.git_dir, own);
        assert_eq!(fs::canonical(&place.common_dir).unwrap(), fs::canonical(&git).unwrap());
    }

    #[test]
    fn the_variable_outranks_the_place() {
        let tmp = tempfile::tempdir().unwrap();
        let place = find(tmp.path(), &[("GIT_DIR", "x/y")]).unwrap();
        assert_eq!(place.git_dir, tmp.path().join("x/y"));
        assert_eq!(place.common_dir, place.git_dir);
    }
}
