//! Carries out a plan.

use std::path::Path;
use std::time::Duration;

use crate::hook::install::error::InstallError;
use crate::hook::install::plan::{Plan, Step};
use crate::hook::install::{LOCK, copy_of_dispatcher};
use crate::sys::clock::Clock;
use crate::sys::fs::{self, Durability, FsError};
use crate::sys::lock::FileLock;

const PATIENCE: Duration = Duration::from_secs(10);

/// Does what `plan` says. Killed at any point, the next plan carries on from there.
pub fn execute(plan: &Plan) -> Result<(), InstallError> {
    if plan.steps.is_empty() {
        return Ok(());
    }
    let _lock = FileLock::acquire(&plan.orch.join(LOCK), PATIENCE, Clock)?;
    run_steps(&plan.orch, &plan.steps)
}

/// As `execute`, under a lock that the caller holds.
pub(in crate::hook) fn run_steps(orch: &Path, steps: &[Step]) -> Result<(), InstallError> {
    for step in steps {
        run_step(orch, step)?;
    }
    Ok(())
}

fn run_step(orch: &Path, step: &Step) -> Result<(), InstallError> {
    match step {
        Step::MakeDir(path) => fs::create_dir_all(path)?,
        Step::Ignore(path) => fs::write_atomic(path, b"*\n", 0o644, Durability::Commit)?,
        Step::CopyDispatcher { from, to } => {
            fs::write_atomic(to, &fs::read(from)?, 0o755, Durability::Commit)?;
        }
        Step::WriteSettings(settings) => settings.write(orch)?,
        Step::Record(record) => record.write(orch)?,
        Step::Keep { from, to } => keep(from, to)?,
        Step::Install { path, .. } => {
            let bytes = fs::read(&copy_of_dispatcher(orch))?;
            fs::write_atomic(path, &bytes, 0o755, Durability::Commit)?;
        }
        Step::Rename { from, to } => fs::rename(from, to)?,
        Step::Remove(path) => drop(fs::remove_file_if_there(path)?),
        Step::Unhide(path) => {
            let dir = path.parent().unwrap_or(path);
            if fs::list(dir)? == [path.as_path()] {
                fs::remove_file(path)?;
            }
        }
        Step::RemoveDir(path) => drop(fs::remove_dir_if_empty(path)?),
    }
    Ok(())
}

/// A second name for the same file, so that there is no moment without the hook; where the file system has no
/// links, its only name until ours is written.
fn keep(from: &Path, to: &Path) -> Result<(), FsError> {
    match fs::link(from, to) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => fs::rename(from, to),
        other => other,
    }
}
