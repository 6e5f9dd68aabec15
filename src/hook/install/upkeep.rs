//! Keeps installed hooks as they should be: a newer build, and hooks that somebody overwrote.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::hook::install::execute::run_steps;
use crate::hook::install::facts::{HooksDir, Standing, files};
use crate::hook::install::plan::{Step, hook_steps};
use crate::hook::install::record::{Installed, InstalledDir};
use crate::hook::install::{InstallError, LOCK, copy_of_dispatcher, is_ours};
use crate::hook::name::Hook;
use crate::hook::settings::Settings;
use crate::sys::fs;
use crate::sys::lock::FileLock;

/// The programs that hooks should be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatcher {
    /// The dispatcher, beside the main binary.
    pub path: PathBuf,
    /// The main binary.
    pub main: PathBuf,
    /// The dispatcher's build, from `build_id`.
    pub build: String,
}

/// What `refresh_if_stale` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// No hooks are installed in this clone.
    NotInstalled,
    /// Nothing to do.
    Current,
    /// The hooks are now of the given build.
    Done,
    /// The given dispatcher is not there: the hooks stay as they are.
    NoDispatcher,
}

/// Tells two builds of the dispatcher apart without reading them: version, size and time of the file.
/// Only the version where it is not there.
pub fn build_id(dispatcher: &Path) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let Ok(meta) = dispatcher.metadata() else { return version.to_owned() };
    let time = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{version}+{:x}.{:x}", meta.len(), time.as_nanos())
}

/// Makes the installed hooks those of `wanted`. For every `git orch` command: one small file is read if they are.
pub fn refresh_if_stale(orch: &Path, wanted: &Dispatcher) -> Result<Refreshed, InstallError> {
    let Some(settings) = Settings::read_optional(orch)? else { return Ok(Refreshed::NotInstalled) };
    if settings.build == wanted.build && settings.main == wanted.main {
        return Ok(Refreshed::Current);
    }
    if !wanted.path.is_file() {
        return Ok(Refreshed::NoDispatcher);
    }
    // Somebody else is at it: the next command looks again.
    let Some(_lock) = FileLock::try_acquire(&orch.join(LOCK))? else { return Ok(Refreshed::Current) };
    let to = copy_of_dispatcher(orch);
    let mut steps: Vec<Step> = to.parent().map(|bin| Step::MakeDir(bin.to_owned())).into_iter().collect();
    steps.push(Step::CopyDispatcher { from: wanted.path.clone(), to });
    for dir in Installed::read(orch)?.dirs {
        let there = files(&dir.path)?;
        for hook in dir.hooks.iter().filter(|hook| there.get(*hook).is_some_and(|f| is_ours(&f.bytes))) {
            steps.push(Step::Install { path: dir.path.join(hook), why: String::new() });
        }
    }
    // Last: a refresh that was killed is started again.
    steps.push(Step::WriteSettings(Settings {
        build: wanted.build.clone(),
        main: wanted.main.clone(),
        ..settings
    }));
    run_steps(orch, &steps)?;
    Ok(Refreshed::Done)
}

/// Puts back hooks of ours in `hooks_dir` that were overwritten or removed; what overwrote them is chained.
///
/// Called by the reference-transaction hook: a few `stat`s when all is well. Best effort: whatever goes
/// wrong here must not stop a change of a ref, and `doctor` says it.
pub fn repair(orch: &Path, hooks_dir: &Path) {
    if let Err(error) = try_repair(orch, hooks_dir) {
        tracing::debug!(%error, "hooks not repaired");
    }
}

fn try_repair(orch: &Path, hooks_dir: &Path) -> Result<(), InstallError> {
    let Ok(copy) = copy_of_dispatcher(orch).metadata() else { return Ok(()) };
    // By size: a script or another program that has ours to the byte does not happen by accident.
    let whole = |hook: &Hook| {
        hooks_dir.join(hook.as_str()).symlink_metadata().is_ok_and(|m| m.is_file() && m.len() == copy.len())
    };
    if Hook::ALL.iter().all(whole) {
        return Ok(());
    }
    let dir = fs::canonical(hooks_dir)?;
    let Some(_lock) = FileLock::try_acquire(&orch.join(LOCK))? else { return Ok(()) };
    let installed = Installed::read(orch)?;
    let Some(known) = installed.dirs.iter().find(|known| known.path == dir) else { return Ok(()) };
    let bytes = fs::read(&copy_of_dispatcher(orch))?;
    run_steps(orch, &repair_steps(known, &bytes)?)
}

fn repair_steps(known: &InstalledDir, bytes: &[u8]) -> Result<Vec<Step>, InstallError> {
    let dir = HooksDir {
        path: known.path.clone(),
        standing: Standing::Usable,
        missing: Vec::new(),
        in_worktree: false,
        files: files(&known.path)?,
    };
    let hooks = Hook::ALL.into_iter().filter(|hook| known.hooks.iter().any(|name| name == hook.as_str()));
    Ok(hooks.flat_map(|hook| hook_steps(&dir, hook.as_str(), "", bytes)).collect())
}
