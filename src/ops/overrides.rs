//! `git orch override`: one git command with the rules lifted, for a person.
//!
//! Called by the command alone. A ticket each for the branch of this checkout and for the branches that the command
//! names (`push x:main`, `branch -f main x`), at their present values, for 60 s: what a command moves is known only to
//! git. Trunk is open only where it is one of them, and only to this command, by a secret in its environment: while
//! an editor is open, others would move it. Recorded before it runs.
//! Deliberately absent: a reading of git's options, which aliases and configuration would make a guess.

use std::process::ExitStatus;

use crate::domain::oid::{MaybeOid, Oid};
use crate::hook::ticket::Override;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::people::{real_root, reason_of, record_override, refuse_agents};
use crate::ops::{accounted, attested, merge};
use crate::sys::env::var;

/// How long an override lasts, in milliseconds.
const OVERRIDE_MILLIS: i64 = 60_000;

/// Runs one git command with the rules of this checkout's branch and of the branches that it names lifted: once, for
/// 60 s, recorded first.
pub fn once(cx: &Ctx, reason: &str, command: &[String]) -> Result<ExitStatus, OpError> {
    let reason = reason_of(reason)?;
    let snapshot = cx.snapshot()?;
    refuse_agents(cx, "override a rule")?;
    let args = git_words(command)?;
    // Else the command may take back what a killed merge brought in.
    merge::catch_up(cx)?;
    let before = cx.trunk(&snapshot)?;
    let open = covered(cx, &before, args)?;
    let pass = Override::new(&real_root(cx), cx.clock.now().plus_millis(OVERRIDE_MILLIS));
    let pass = pass.ok_or_else(|| unwritable_root(cx))?;
    let listed: Vec<String> = open.iter().map(Covered::to_string).collect();
    let note = format!("{reason} -- {} (from {})", command.join(" "), listed.join(", "));
    record_override(cx, subject(cx, &before, &named(args))?.as_str(), &note)?;
    let tickets = open
        .iter()
        .map(|covered| pass.issue(&cx.repo.orch_dir(), &covered.name, &covered.at))
        .collect::<Result<Vec<_>, _>>()?;
    let git = cx.repo.git_as_user(&cx.cwd, args).env(var::ORCH_OVERRIDE, pass.secret());
    let status = git.run_attached()?;
    drop(tickets);
    // Only this command's own move of trunk is a person's: what went past the hooks before stays found.
    let now = cx.trunk_named(&before.name)?.local;
    let was_open = open.iter().any(|covered| covered.name == before.local_ref);
    if status.success() && was_open && now != before.local {
        attested::attest(cx)?;
        if let Some(now) = &now {
            accounted::add(cx, now)?;
        }
    }
    Ok(status)
}

fn unwritable_root(cx: &Ctx) -> Refused {
    let fact = format!(
        "the path of the tasks' worktrees, {}, can't be written down as a line: an override would be open to tasks",
        real_root(cx).display()
    );
    Refused::new(Because::Environment, "override.worktrees", fact)
        .next("git config orch.worktrees DIR   (in plain words, once the tasks' worktrees are gone)")
}

/// The arguments of the one git command.
fn git_words(command: &[String]) -> Result<&[String], OpError> {
    let fact = match command {
        [program, args @ ..] if program == "git" => return Ok(args),
        [program, ..] => format!("`{program}` is not git: an override is for one git command"),
        [] => "there is no command to run".to_owned(),
    };
    Err(Refused::new(Because::Usage, "override.command", fact)
        .next("git orch override --reason TEXT -- git commit …")
        .into())
}

/// A ref that the command may move once from where it is.
struct Covered {
    name: String,
    at: MaybeOid,
}

impl std::fmt::Display for Covered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = self.name.strip_prefix("refs/heads/").unwrap_or(&self.name);
        write!(f, "{short} at {}", self.at.id().map_or("nothing", Oid::short))
    }
}

fn covered(cx: &Ctx, trunk: &Trunk, args: &[String]) -> Result<Vec<Covered>, OpError> {
    let mut open: Vec<Covered> = Vec::new();
    let at = |oid: Option<Oid>| oid.map_or(MaybeOid::Zero, MaybeOid::Id);
    let here = match cx.repo.head()?.branch() {
        Some(short) => vec![short.to_owned()],
        None => Vec::new(),
    };
    for short in here.iter().map(String::as_str).chain(named(args)) {
        let name = format!("refs/heads/{short}");
        // A word that can't be a ref's name is none of a branch.
        let target = cx.repo.ref_target(&name).ok().flatten();
        let is_branch = target.is_some() || name == trunk.local_ref || here.iter().any(|here| here == short);
        if is_branch && open.iter().all(|known| known.name != name) {
            open.push(Covered { name, at: at(target) });
        }
    }
    Ok(open)
}

/// What the audit says was overridden: trunk where the command names it or HEAD is not on another branch, else the
/// branch here.
fn subject(cx: &Ctx, trunk: &Trunk, named: &[&str]) -> Result<String, OpError> {
    Ok(match cx.repo.head()?.branch() {
        Some(here) if !named.contains(&trunk.name.as_str()) => format!("refs/heads/{here}"),
        Some(_) | None => trunk.local_ref.clone(),
    })
}

/// The words of a command that may name branches, as `NAME`, `refs/heads/NAME`, or either half of `+FROM:TO`.
fn named(args: &[String]) -> Vec<&str> {
    let words = args.iter().filter(|word| !word.starts_with('-'));
    let halves = words.flat_map(|word| word.strip_prefix('+').unwrap_or(word).split(':'));
    halves
        .map(|half| half.strip_prefix("refs/heads/").unwrap_or(half))
        .filter(|half| !half.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_named_in_many_ways() {
        let named_in = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            named(&words).join(" ")
        };
        assert_eq!(named_in("push -f hub +x:refs/heads/main"), "push hub x main");
        assert_eq!(named_in("push hub :main"), "push hub main");
        assert_eq!(named_in("branch -f main refs/heads/x"), "branch main x");
    }
}
