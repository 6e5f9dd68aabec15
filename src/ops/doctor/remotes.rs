//! Settings of remotes that would overwrite or delete our refs.

use crate::domain::plural::plural;
use crate::ops::context::Ctx;
use crate::ops::doctor::check::Check;
use crate::ops::error::OpError;
use crate::ops::sync;
use crate::store::STATE_REF;

const NAME: &str = "remotes";

pub(super) fn check(cx: &Ctx) -> Result<Vec<Check>, OpError> {
    let mut checks = Vec::new();
    for remote in &cx.settings.remotes {
        let key = format!("remote.{remote}.fetch");
        let output = cx.repo.git(["config", "--null", "--get-all", &key]).run()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for spec in text.split('\0').filter(|spec| overwrites(spec)) {
            let what =
                format!("`{spec}` lets every fetch overwrite refs/orch/*, and so forget local changes");
            checks.push(
                Check::problem(NAME, what)
                    .at(key.clone())
                    .next(format!("git config --edit   # remove that line of {key}")),
            );
        }
        let key = format!("remote.{remote}.mirror");
        let output = cx.repo.git(["config", "--type=bool", "--get", &key]).run()?;
        if output.text() == "true" {
            let what = "a push there deletes what this clone does not have, the shared state included";
            checks.push(Check::problem(NAME, what).at(key.clone()).next(format!("git config {key} false")));
        }
    }
    checks.extend(sharing(cx)?);
    if checks.is_empty() {
        checks.push(Check::ok(
            NAME,
            format!("{} remotes; none touches refs/orch/*", cx.settings.remotes.len()),
        ));
    }
    Ok(checks)
}

/// What is known of the remote's state without asking it.
fn sharing(cx: &Ctx) -> Result<Vec<Check>, OpError> {
    let Some(remote) = cx.remote() else { return Ok(Vec::new()) };
    let Some(tracked) = cx.repo.ref_target(&cx.tracked_state(remote))? else { return Ok(Vec::new()) };
    let mut checks = Vec::new();
    if let Some(trouble) = sync::trouble(cx, remote)? {
        let check = Check::problem(NAME, format!("when it was last fetched, {trouble}"));
        checks.push(trouble.next().into_iter().fold(check, Check::next));
    }
    let Some(ours) = cx.store().tip()? else { return Ok(checks) };
    let range = format!("{tracked}..{ours}");
    let count: usize = cx.repo.run_git(["rev-list", "--count", &range])?.text().trim().parse().unwrap_or(0);
    if count > 0 {
        let what = format!("{remote} lacks {} of this clone's state", plural(count, "change"));
        checks.push(Check::note(NAME, what).next(format!("git orch sync {remote}")));
    }
    Ok(checks)
}

/// Whether a fetch by this refspec writes to our refs.
fn overwrites(spec: &str) -> bool {
    let spec = spec.trim_start_matches('+');
    let Some((_, to)) = spec.split_once(':') else { return false };
    match to.split_once('*') {
        Some((before, after)) => {
            STATE_REF.len() >= before.len() + after.len()
                && STATE_REF.starts_with(before)
                && STATE_REF.ends_with(after)
                || before.starts_with("refs/orch/")
        }
        None => to.starts_with("refs/orch/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refspecs_that_reach_our_refs() {
        for spec in
            ["+refs/*:refs/*", "refs/orch/*:refs/orch/*", "+refs/orch/state:refs/orch/state", "a:refs/orch/x"]
        {
            assert!(overwrites(spec), "{spec}");
        }
        for spec in [
            "+refs/heads/*:refs/remotes/origin/*",
            "^refs/orch/*",
            "refs/heads/main",
            "+refs/*:refs/mirror/*",
        ] {
            assert!(!overwrites(spec), "{spec}");
        }
    }
}
