//! Answers to the guard's questions, from files; from git only where files can't answer.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use crate::domain::oid::{MaybeOid, Oid};
use crate::hook::decode::{RefUpdate, Value};
use crate::hook::guard::{Facts, Rename};
use crate::hook::place::Place;
use crate::hook::settings::{PROTOCOL, Settings};
use crate::hook::ticket::Asking;
use crate::hook::{hint, refs, ticket};
use crate::sys::ancestry;
use crate::sys::clock::Clock;
use crate::sys::env::Env;
use crate::sys::fs::{self, FsError};
use crate::sys::process::{Cmd, ProcessError};

/// A fact that could not be found out, with its cause.
#[derive(Debug, thiserror::Error)]
pub(in crate::hook) enum FactError {
    /// A file could not be read.
    #[error("{0}: {src}", src = .0.source)]
    Fs(#[from] FsError),
    /// git could not be asked.
    #[error(transparent)]
    Git(#[from] ProcessError),
}

/// The repository as the guard sees it during one transaction.
pub(in crate::hook) struct Live<'a> {
    place: &'a Place,
    settings: &'a Settings,
    updates: &'a [RefUpdate],
    env: &'a Env,
    cwd: &'a Path,
    command: OnceCell<Vec<String>>,
}

impl<'a> Live<'a> {
    /// The facts for one transaction.
    pub(in crate::hook) fn new(
        place: &'a Place,
        settings: &'a Settings,
        updates: &'a [RefUpdate],
        env: &'a Env,
        cwd: &'a Path,
    ) -> Self {
        Self { place, settings, updates, env, cwd, command: OnceCell::new() }
    }

    /// The command line of the git that runs this hook.
    pub(in crate::hook) fn command(&self) -> &[String] {
        self.command.get_or_init(|| ancestry::command_of(ancestry::parent()))
    }

    /// Without hooks, and with the `GIT_*` that git gave us: they name the object store in quarantine.
    pub(in crate::hook) fn git(&self, args: &[&str]) -> Cmd {
        git(args, self.env, self.cwd)
    }

    fn value(&self, name: &str) -> Result<MaybeOid, FactError> {
        if !self.place.is_reftable() {
            return Ok(refs::current(&self.place.common_dir, name)?);
        }
        let output = self.git(&["rev-parse", "--verify", "--quiet", name]).run()?;
        if output.status.code() == Some(1) {
            return Ok(MaybeOid::Zero);
        }
        let text = output.checked()?.text();
        Ok(Oid::parse(&text).map_or(MaybeOid::Zero, MaybeOid::Id))
    }

    /// The remote's trunk here: as the settings have it, unless there is no such ref; then as git's configuration
    /// has it now, for a remote that was added or renamed since.
    fn tracking_ref(&self) -> Result<Option<String>, FactError> {
        let updated = |name: &str| self.updates.iter().any(|update| update.name == name);
        match &self.settings.tracking {
            Some(name) if updated(name) || self.value(name)?.id().is_some() => Ok(Some(name.clone())),
            Some(_) | None => self.configured_tracking(),
        }
    }

    fn configured_tracking(&self) -> Result<Option<String>, FactError> {
        Ok(tracking_of(&self.settings.trunk, self.env, self.cwd)?)
    }

    fn head_branch(&self) -> Option<String> {
        let text = fs::read_string(&self.place.git_dir.join("HEAD")).ok()?;
        Some(text.strip_prefix("ref: refs/heads/")?.trim_end().to_owned())
    }
}

impl Facts for Live<'_> {
    type Error = FactError;

    fn current(&self) -> Result<MaybeOid, FactError> {
        self.value(&self.settings.trunk)
    }

    fn packed(&self) -> Result<Option<Oid>, FactError> {
        Ok(refs::packed(&self.place.common_dir, &self.settings.trunk)?)
    }

    fn tracking(&self) -> Result<Option<Oid>, FactError> {
        let Some(name) = self.tracking_ref()? else { return Ok(None) };
        let here = self.updates.iter().find_map(|update| match &update.new {
            Value::Id(oid) if update.name == name => Some(oid.clone()),
            Value::Id(_) | Value::Zero | Value::Ref(_) | Value::Other(_) => None,
        });
        match here {
            Some(oid) => Ok(Some(oid)),
            None => Ok(self.value(&name)?.id().cloned()),
        }
    }

    fn is_ancestor(&self, old: &Oid, new: &Oid) -> Result<bool, FactError> {
        let output = self.git(&["merge-base", "--is-ancestor", old.as_str(), new.as_str()]).run()?;
        match output.status.code() {
            Some(1) => Ok(false),
            _ => Ok(output.checked().map(|_| true)?),
        }
    }

    fn has_ticket(&self, old: &MaybeOid, new: &Oid) -> Result<bool, FactError> {
        Ok(ticket::allows(&self.place.orch(), &self.settings.trunk, old, new)?)
    }

    fn is_overridden(&self, old: &MaybeOid) -> Result<bool, FactError> {
        let asking = Asking { env: self.env, cwd: self.cwd, now: Clock.now() };
        Ok(ticket::overridden(&self.place.orch(), &self.settings.trunk, old, &asking)?)
    }

    fn rename(&self) -> Option<Rename> {
        hint::rename(self.command(), self.head_branch().as_deref())
    }

    fn tracked(&self, name: &str) -> Result<MaybeOid, FactError> {
        self.value(name)
    }

    fn is_news(&self, name: &str) -> bool {
        let trunk = self.settings.trunk.as_str();
        hint::is_news(self.command(), name, trunk.strip_prefix("refs/heads/").unwrap_or(trunk))
    }
}

/// What is there of git's state files, for the repair hint.
pub(in crate::hook) fn state_files(git_dir: &Path) -> hint::StateFiles {
    let has = |name: &str| fs::exists(&git_dir.join(name));
    let am = has("rebase-apply/applying");
    hint::StateFiles {
        merge: has("MERGE_HEAD"),
        cherry_pick: has("CHERRY_PICK_HEAD"),
        revert: has("REVERT_HEAD"),
        rebase: has("rebase-merge") || (has("rebase-apply") && !am),
        am,
    }
}

fn git(args: &[&str], env: &Env, cwd: &Path) -> Cmd {
    Cmd::new("git", cwd, env).args(["-c", "core.hooksPath=/dev/null"]).args(args)
}

/// The remote's trunk here, by git's configuration.
fn tracking_of(trunk: &str, env: &Env, cwd: &Path) -> Result<Option<String>, ProcessError> {
    let output = git(&["config", "--get-regexp", r"^(orch\.remote|remote\..*\.url)$"], env, cwd).run()?;
    let (remote, trunk) = (hint::remote(&output.text()), trunk.strip_prefix("refs/heads/"));
    Ok(remote.zip(trunk).map(|(remote, trunk)| format!("refs/remotes/{remote}/{trunk}")))
}

/// What of the state's `meta.toml` the guard needs.
#[derive(serde::Deserialize)]
struct Meta {
    trunk: String,
}

/// The settings as far as a guard needs them, from the state and git's configuration. None without a state.
pub(in crate::hook) fn settings_by_state(env: &Env, cwd: &Path) -> Option<Settings> {
    let meta =
        git(&["cat-file", "blob", "refs/orch/state:meta.toml"], env, cwd).run().ok()?.checked().ok()?;
    let meta: Meta = toml::from_str(&meta.text()).ok()?;
    let trunk = format!("refs/heads/{}", meta.trunk);
    Some(Settings {
        version: PROTOCOL,
        main: PathBuf::new(),
        build: String::new(),
        tracking: tracking_of(&trunk, env, cwd).ok()?,
        trunk,
        enabled: true,
    })
}
