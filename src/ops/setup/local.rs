//! What init changes in git's configuration, recorded so that uninstall can restore it.

use crate::hook::install::{ConfigChange, Installed};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::setup::hooks;
use crate::ops::setup::report::{Done, Report};
use crate::sys::fs;

const REMOTE: &str = "orch.remote";

/// Makes a remote that the user named the one that every command uses.
pub(super) fn choose_remote(cx: &Ctx, name: &str) -> Result<(), OpError> {
    let before = values(cx, REMOTE)?;
    let orch = cx.repo.orch_dir();
    fs::create_dir_all(&orch)?;
    let mut record = Installed::read(&orch).map_err(hooks::failed)?;
    if !record.config.iter().any(|change| change.key == REMOTE) {
        record.config.push(ConfigChange { key: REMOTE.to_owned(), before });
        record.write(&orch).map_err(hooks::failed)?;
    }
    cx.repo.run_git(["config", "--local", "--replace-all", REMOTE, name])?;
    Ok(())
}

/// Whether the repository's own configuration has to name the remote.
pub(super) fn must_choose(cx: &Ctx, asked: Option<&str>) -> bool {
    asked.is_some_and(|name| cx.remote() != Some(name))
}

/// Puts every recorded key back to what it was.
pub(super) fn restore(cx: &Ctx, record: &Installed, report: &mut Report) -> Result<(), OpError> {
    for change in &record.config {
        if values(cx, &change.key)?.as_slice() == change.before.as_slice() {
            continue;
        }
        // Exit 5: the key is not there any more, which is what is wanted.
        cx.repo.git(["config", "--local", "--unset-all", &change.key]).run()?;
        for value in &change.before {
            cx.repo.run_git(["config", "--local", "--add", &change.key, value])?;
        }
        report.push(Done::Made, "configuration", format!("{} is what it was before", change.key));
    }
    Ok(())
}

fn values(cx: &Ctx, key: &str) -> Result<Vec<String>, OpError> {
    let output = cx.repo.git(["config", "--local", "--null", "--get-all", key]).run()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.split('\0').filter(|value| !value.is_empty()).map(str::to_owned).collect())
}
