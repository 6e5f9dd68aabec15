//! A trunk that nothing can be judged by: no `orch.toml` on it, or one without a step.
//!
//! Called by whatever judges, hands out work or shows where trunk stands. Says the same everywhere: what is missing,
//! where, and the commands that bring it there from where it is. Reads only.

use crate::config::FILE;
use crate::domain::oid::Oid;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::sys::process::quote;

/// What is known to be missing on the policy tip, if `orch.toml` itself is.
pub fn missing(cx: &Ctx, trunk: &Trunk) -> Result<Option<String>, OpError> {
    let there = match trunk.tip() {
        Some(tip) => has_file(cx, tip)?,
        // Before the first commit nothing is missing anywhere.
        None => true,
    };
    Ok((!there).then(|| format!("there is no {FILE} on {}", trunk.tip_name())))
}

/// Why no step applies.
pub(crate) fn fact(cx: &Ctx, trunk: &Trunk) -> Result<String, OpError> {
    let empty = || format!("{FILE} on {} has no [[ralph.step]] that applies", trunk.tip_name());
    Ok(missing(cx, trunk)?.unwrap_or_else(empty))
}

/// What to type, most likely first.
pub fn way_out(cx: &Ctx, trunk: &Trunk) -> Result<Vec<String>, OpError> {
    if missing(cx, trunk)?.is_none() {
        return Ok(vec!["git orch ralph steps --detect   (what could be checked here)".to_owned()]);
    }
    let committed = committed(cx, trunk)?;
    Ok(committed
        .unwrap_or_else(|| vec!["git orch init   (writes one, and says how it gets there)".to_owned()]))
}

/// The commands that bring a committed `orch.toml` to the policy tip; None if neither this clone's trunk nor the
/// branch here has one, on top of that tip.
pub(crate) fn committed(cx: &Ctx, trunk: &Trunk) -> Result<Option<Vec<String>>, OpError> {
    let here = cx.repo.head()?.branch().map(str::to_owned);
    for branch in std::iter::once(trunk.name.clone()).chain(here) {
        let Some(tip) = cx.repo.ref_target(&format!("refs/heads/{branch}"))? else { continue };
        let ahead = match trunk.tip() {
            Some(policy) => cx.repo.is_ancestor(policy, &tip)?,
            None => false,
        };
        if ahead && has_file(cx, &tip)? {
            return Ok(Some(commands(trunk, &branch)));
        }
    }
    Ok(None)
}

fn commands(trunk: &Trunk, branch: &str) -> Vec<String> {
    let is_trunk = branch == trunk.name;
    let branch = quote(branch);
    let mut lines = vec![format!("git orch approve {branch} --reason \"the first gate\"")];
    match &trunk.remote {
        Some(remote) if is_trunk => lines.push(format!("git orch push {remote} {branch}")),
        Some(remote) => {
            lines.push(format!("git orch push -u {remote} {branch}   # for a review there; or:"));
            lines.push(format!("git orch merge {branch}"));
        }
        None => lines.push(format!("git orch merge {branch}")),
    }
    lines
}

fn has_file(cx: &Ctx, commit: &Oid) -> Result<bool, OpError> {
    Ok(cx.repo.file_at(&cx.repo.tree_of(commit)?, FILE)?.is_some())
}
