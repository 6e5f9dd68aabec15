//! All checks, in the order in which a person would look.

use crate::ops::context::{Ctx, Trunk};
use crate::ops::doctor::check::{Check, Mend};
use crate::ops::doctor::{
    configuration, environment, hooks, locks, remotes, state, stock, tasks, trunk, worktrees,
};
use crate::ops::error::OpError;
use crate::ops::setup::Programs;

/// Looks at everything, with the running program as the one that hooks should be made of.
pub fn doctor(cx: &Ctx, mend: Mend) -> Result<Vec<Check>, OpError> {
    Ok(doctor_with(cx, mend, &Programs::running()?))
}

/// Looks at everything, and repairs what `mend` says.
pub fn doctor_with(cx: &Ctx, mend: Mend, programs: &Programs) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |name: &'static str, result: Result<Vec<Check>, OpError>| match result {
        Ok(found) => checks.extend(found),
        Err(error) => checks.push(Check::failed(name, &error)),
    };
    add("git", environment::git(cx));
    // Before the state: a lock that is left behind would stop its repair.
    add("locks", locks::check(cx, mend));
    add("state", state::check(cx, mend));
    add("size", stock::check(cx));
    let Some(trunk) = trunk_of(cx) else { return checks };
    add("trunk", trunk::check(cx, &trunk, mend));
    add("hooks", hooks::check(cx, &trunk, programs, mend));
    add("configuration", configuration::check(cx, &trunk));
    add("index", state::index(cx, mend));
    add("worktrees", worktrees::check(cx, mend));
    add("tasks", tasks::check(cx));
    add("remotes", remotes::check(cx));
    add("verifier key", environment::verifier_key(cx, mend));
    add("disk", environment::disk(cx));
    checks
}

/// Trunk, where the state can say what it is; why not is `state::check`'s to tell.
fn trunk_of(cx: &Ctx) -> Option<Trunk> {
    let snapshot = cx.snapshot().ok()?;
    cx.trunk(&snapshot).ok()
}
