//! git's configuration, as far as it concerns us.

use crate::git::error::GitError;
use crate::git::program::scrubbed;
use crate::git::repo::Repo;
use crate::git::worktree::Worktree;
use crate::sys::process::Cmd;

/// The values that are read from git's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `orch.*`, without the prefix, in the order they were found; names in lower case.
    pub orch: Vec<(String, String)>,
    /// `user.name`, or what `GIT_COMMITTER_NAME` says.
    pub name: Option<String>,
    /// `user.email`, or what `GIT_COMMITTER_EMAIL` says.
    pub email: Option<String>,
    /// `core.hooksPath`, if set.
    pub hooks_path: Option<String>,
    /// The names of the remotes, sorted.
    pub remotes: Vec<String>,
}

impl Repo {
    /// Reads the configuration of all scopes.
    pub fn settings(&self) -> Settings {
        let config = self.gix.config_snapshot();
        let plain = config.plumbing();
        let mut orch = Vec::new();
        for section in plain.sections_by_name("orch").into_iter().flatten() {
            if section.header().subsection_name().is_some() {
                continue;
            }
            for name in section.body().value_names() {
                let value = section.body().value(name.clone().as_str());
                let value = value.map_or_else(|| "true".to_owned(), |v| v.to_string());
                orch.push((name.clone().to_ascii_lowercase(), value));
            }
        }
        let text = |env: &str, key: &str| {
            self.user_env()
                .text(env)
                .map(str::to_owned)
                .or_else(|| config.string(key).map(|v| v.to_string()))
                .filter(|v| !v.trim().is_empty())
        };
        Settings {
            orch,
            name: text("GIT_COMMITTER_NAME", "user.name"),
            email: text("GIT_COMMITTER_EMAIL", "user.email"),
            hooks_path: config.string("core.hooksPath").map(|v| v.to_string()).filter(|v| !v.is_empty()),
            remotes: self.gix.remote_names().into_iter().map(|name| name.to_string()).collect(),
        }
    }

    /// The directory that git looks for hooks in, from `worktree`; its own `config.worktree` counts.
    pub fn hooks_dir_of(&self, worktree: &Worktree) -> Result<std::path::PathBuf, GitError> {
        let own = worktree.git_dir.join("config.worktree");
        if self.settings().hooks_path.is_none() && !crate::sys::fs::exists(&own) {
            return Ok(self.common_dir().join("hooks"));
        }
        let output = Cmd::new("git", &worktree.path, &scrubbed(self.user_env()))
            .env("GIT_DIR", &worktree.git_dir)
            .env("GIT_WORK_TREE", &worktree.path)
            .args(["rev-parse", "--path-format=absolute", "--git-path", "hooks"])
            .run()?;
        Ok(output.checked()?.text().into())
    }

    /// The directory that git looks for hooks in, from this worktree.
    pub fn hooks_dir(&self) -> Result<std::path::PathBuf, GitError> {
        match self.settings().hooks_path {
            None => Ok(self.common_dir().join("hooks")),
            // git expands `~` and resolves a relative path; only it does so exactly.
            Some(_) => {
                let output = self.git_as_user(
                    self.work_tree().unwrap_or(self.git_dir()),
                    ["rev-parse", "--path-format=absolute", "--git-path", "hooks"],
                );
                Ok(output.run()?.checked()?.text().into())
            }
        }
    }
}
