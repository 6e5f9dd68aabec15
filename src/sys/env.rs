//! The environment: a snapshot taken once by `main`, and the registry of every variable that is read.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Variables that git-orch reads or sets, each named once.
pub mod var {
    /// The task that an agent works on.
    pub const ORCH_TASK: &str = "ORCH_TASK";
    /// The session that an agent runs under.
    pub const ORCH_SESSION: &str = "ORCH_SESSION";
    /// The iteration, from 1.
    pub const ORCH_ITERATION: &str = "ORCH_ITERATION";
    /// The prompt's file: absolute, outside the worktree, read-only.
    pub const ORCH_PROMPT_FILE: &str = "ORCH_PROMPT_FILE";
    /// The task's worktree.
    pub const ORCH_WORKTREE: &str = "ORCH_WORKTREE";
    /// The task's branch.
    pub const ORCH_BRANCH: &str = "ORCH_BRANCH";
    /// The commit of trunk that the branch was cut from.
    pub const ORCH_BASE: &str = "ORCH_BASE";
    /// The first port of the range that the worktree may use.
    pub const ORCH_PORT_BASE: &str = "ORCH_PORT_BASE";
    /// Marks a hook run, so that a second installation of the same hook does nothing.
    pub const ORCH_HOOK: &str = "ORCH_HOOK";
    /// The secret of the override that a command runs under: its git and what that starts have it, nobody else.
    pub const ORCH_OVERRIDE: &str = "ORCH_OVERRIDE";
    /// A log filter for stderr, as in `tracing-subscriber` (`debug`, `git_orch::store=trace`).
    pub const ORCH_LOG: &str = "ORCH_LOG";
    /// Where git finds the repository.
    pub const GIT_DIR: &str = "GIT_DIR";
    /// Where git finds the shared part of a linked worktree's repository.
    pub const GIT_COMMON_DIR: &str = "GIT_COMMON_DIR";
    /// The top of the working tree.
    pub const GIT_WORK_TREE: &str = "GIT_WORK_TREE";
    /// The index that a commit is made from.
    pub const GIT_INDEX_FILE: &str = "GIT_INDEX_FILE";
    /// Set by receive-pack while new objects are in quarantine.
    pub const GIT_QUARANTINE_PATH: &str = "GIT_QUARANTINE_PATH";
    /// What was set with `git -c`: `'key'='value'`, quoted for the shell, with spaces between.
    pub const GIT_CONFIG_PARAMETERS: &str = "GIT_CONFIG_PARAMETERS";
    /// The user's home directory.
    pub const HOME: &str = "HOME";
    /// Where per-user state goes (default `~/.local/state`).
    pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
    /// Where programs are looked up.
    pub const PATH: &str = "PATH";
    /// Where temporary files go.
    pub const TMPDIR: &str = "TMPDIR";
    /// No colour, whatever the terminal.
    pub const NO_COLOR: &str = "NO_COLOR";
}

/// A snapshot of the process's environment.
#[derive(Clone, Debug, Default)]
pub struct Env(BTreeMap<OsString, OsString>);

impl Env {
    /// The environment as it is now. `main` calls this once.
    pub fn capture() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// An environment made by hand.
    pub fn from_pairs<K: Into<OsString>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }

    /// A variable's value; empty counts as unset.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|v| !v.is_empty())
    }

    /// A variable's value as text; None if unset, empty or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str()
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(k, v)| (k.as_os_str(), v.as_os_str()))
    }

    /// The directories along which a shell looks for programs.
    pub fn search_path(&self) -> Vec<PathBuf> {
        self.get(var::PATH).map_or_else(Vec::new, |path| std::env::split_paths(path).collect())
    }

    /// The directory for this user's machine-local state, if HOME or XDG_STATE_HOME names one.
    pub fn state_home(&self) -> Option<PathBuf> {
        let base = match self.get(var::XDG_STATE_HOME) {
            Some(dir) if Path::new(dir).is_absolute() => PathBuf::from(dir),
            Some(_) | None => Path::new(self.get(var::HOME)?).join(".local/state"),
        };
        Some(base.join("git-orch"))
    }
}

/// The working directory. `main` calls this once.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the working directory")]
pub fn working_directory() -> std::io::Result<PathBuf> {
    std::env::current_dir()
}

/// The path of the running program.
pub fn current_program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}
