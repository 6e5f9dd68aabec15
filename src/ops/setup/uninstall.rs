//! `git orch uninstall`: everything outside `refs/orch/*` goes back to what it was; work stays.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::FILE;
use crate::domain::id::TaskId;
use crate::git::Worktree;
use crate::hook::install::{self, Installed, InstalledDir};
use crate::hook::name::Hook;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::setup::report::{Done, Report};
use crate::ops::setup::{hooks, local};
use crate::ops::worktrees::{self, Pruned, Pruning};
use crate::ops::{attested, merge, people};
use crate::sys::fs;
use crate::sys::lock::FileLock;

const PATIENCE: Duration = Duration::from_secs(10);
/// Our refs.
const REFS: &str = "refs/orch/";

/// What becomes of `refs/orch/*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateRefs {
    /// They stay: `git orch init` carries on from them.
    #[default]
    Keep,
    /// They are written to a bundle, then deleted.
    BundleAndDelete,
}

/// Takes git-orch out of this clone.
pub fn uninstall(cx: &Ctx, refs: StateRefs) -> Result<Report, OpError> {
    let mut report = Report::default();
    let orch = cx.repo.orch_dir();
    let installed = fs::exists(&orch);
    let state = cx.store().tip()?.is_some();
    if !installed && (!state || refs == StateRefs::Keep) {
        report.push(Done::Kept, "git-orch", "is not installed in this clone");
        return Ok(report);
    }
    people::refuse_agents(cx, "take git-orch out")?;
    if installed {
        refuse_while_at_work(cx)?;
        merge::catch_up(cx)?;
        remove_hooks(cx, &mut report)?;
        attested::forget(cx)?;
        let kept = remove_worktrees(cx, &mut report)?;
        remove_local_files(cx, kept, &mut report)?;
    }
    match refs {
        StateRefs::Keep if state => {
            report.push(Done::Kept, "state", "refs/orch/* stay; `git orch init` carries on from them");
        }
        StateRefs::Keep => {}
        StateRefs::BundleAndDelete => delete_refs(cx, &mut report)?,
    }
    if cx.repo.work_tree().is_some_and(|top| fs::exists(&top.join(FILE))) {
        report.push(Done::Kept, FILE, "stays: it is part of your code");
    }
    Ok(report)
}

/// A worker would lose the files that its claims and locks are in.
fn refuse_while_at_work(cx: &Ctx) -> Result<(), OpError> {
    for path in fs::list(&cx.file("live"))? {
        if FileLock::is_held(&path)? {
            let session = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let fact = format!("session {session} is at work in this clone");
            return Err(Refused::new(Because::Held, "uninstall.running", fact)
                .next("stop `git orch run` with Ctrl-C, and wait for its summary")
                .into());
        }
    }
    Ok(())
}

fn remove_hooks(cx: &Ctx, report: &mut Report) -> Result<(), OpError> {
    let orch = cx.repo.orch_dir();
    let mut record = Installed::read(&orch).map_err(hooks::failed)?;
    local::restore(cx, &record, report)?;
    if record.dirs.is_empty() {
        record.dirs = unrecorded(cx)?;
    }
    let files = install::inspect_installed(&record).map_err(hooks::failed)?;
    let plan = install::plan_removal(&orch, &record, &files);
    install::execute(&plan).map_err(hooks::failed)?;
    for dir in &record.dirs {
        report.push(Done::Made, "hooks", format!("restored in {}", dir.path.display()));
    }
    for note in plan.notes {
        report.push(Done::Warned, "hooks", note);
    }
    Ok(())
}

/// Hooks of ours that no record speaks of: it was deleted by hand.
fn unrecorded(cx: &Ctx) -> Result<Vec<InstalledDir>, OpError> {
    let mut dirs = Vec::new();
    for place in hooks::places(cx)? {
        let ours = |hook: &Hook| hooks::covers(&place.dir.join(hook.as_str()));
        let names: Vec<String> =
            Hook::ALL.iter().filter(|h| ours(h)).map(|h| h.as_str().to_owned()).collect();
        if !names.is_empty() {
            dirs.push(InstalledDir { path: place.dir, made: Vec::new(), hooks: names });
        }
    }
    Ok(dirs)
}

/// Whether worktrees of tasks are still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Worktrees,
}

/// Removes worktrees in which nothing would be lost, and those of the gate, which never hold work.
fn remove_worktrees(cx: &Ctx, report: &mut Report) -> Result<Left, OpError> {
    if cx.store().tip()?.is_some() {
        for (entry, pruned) in worktrees::prune(cx, Pruning::Done)? {
            let shown = entry.worktree.path.display();
            match pruned {
                Pruned::Removed => report.push(Done::Made, "worktree", format!("removed {shown}")),
                Pruned::Kept(why) => report.push(Done::Warned, "worktree", format!("{shown} stays: {why}")),
            }
        }
    }
    let root = worktrees::root(cx);
    let root = fs::canonical(&root).unwrap_or(root);
    let mut left = Left::Nothing;
    for worktree in cx.repo.worktrees()? {
        let Ok(name) = worktree.path.strip_prefix(&root) else { continue };
        match Kind::of(name) {
            Kind::Gate(number) => remove_gate(cx, &worktree, &number, report)?,
            Kind::Task => left = Left::Worktrees,
            Kind::Foreign => {}
        }
    }
    fs::remove_dir_if_empty(&root)?;
    Ok(left)
}

/// What a worktree below our root is, by its name.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Task,
    /// With its number in the pool.
    Gate(String),
    Foreign,
}

impl Kind {
    fn of(name: &Path) -> Self {
        let Some(name) = name.to_str() else { return Self::Foreign };
        match name.strip_prefix("gate-") {
            Some(number) if number.parse::<usize>().is_ok() => Self::Gate(number.to_owned()),
            _ if TaskId::parse(name).is_ok() => Self::Task,
            _ => Self::Foreign,
        }
    }
}

fn remove_gate(cx: &Ctx, worktree: &Worktree, number: &str, report: &mut Report) -> Result<(), OpError> {
    let shown = worktree.path.display();
    let Some(_lock) = FileLock::try_acquire(&cx.file(&format!("gate.{number}.lock")))? else {
        report.push(Done::Warned, "worktree", format!("{shown} stays: Ralph is at work in it"));
        return Ok(());
    };
    let _worktrees = worktrees::lock(cx)?;
    // Build output makes it dirty; nobody works in it.
    cx.repo.git(["worktree", "remove", "--force"]).args([worktree.path.as_os_str()]).run()?.checked()?;
    report.push(Done::Made, "worktree", format!("removed {shown}"));
    Ok(())
}

fn remove_local_files(cx: &Ctx, left: Left, report: &mut Report) -> Result<(), OpError> {
    let orch = cx.repo.orch_dir();
    let shown = orch.display();
    if left == Left::Worktrees {
        let line =
            format!("{shown} stays as long as worktrees of tasks do; uninstall again when they are gone");
        report.push(Done::Warned, "local files", line);
        return Ok(());
    }
    // In the order in which everybody takes them: whoever holds one is let through first.
    let names = ["queue.lock", "worktree.lock", "flush.lock", "write.lock"];
    let locks: Vec<FileLock> = names
        .iter()
        .map(|name| FileLock::acquire(&cx.file(name), PATIENCE, cx.clock))
        .collect::<Result<_, _>>()?;
    fs::remove_dir_all(&orch)?;
    cx.repo.release_packs()?;
    drop(locks);
    report.push(Done::Made, "local files", format!("removed {shown}"));
    Ok(())
}

fn delete_refs(cx: &Ctx, report: &mut Report) -> Result<(), OpError> {
    let refs = cx.repo.refs_below(REFS)?;
    if refs.is_empty() {
        return Ok(());
    }
    let path = bundle_path(cx);
    let names = refs.iter().map(|(name, _)| name.as_str());
    cx.repo.git(["bundle", "create", "--quiet"]).args([&path]).args(names).run()?.checked()?;
    cx.repo.git(["bundle", "verify", "--quiet"]).args([&path]).run()?.checked()?;
    for (name, oid) in &refs {
        cx.repo.delete_ref(name, oid)?;
    }
    let shown = path.display();
    report.push(Done::Made, "state", format!("{REFS} deleted; all of it is in {shown}"));
    report.due(format!("git fetch {} 'refs/orch/*:refs/orch/*'   # brings it back", quoted(&path)));
    Ok(())
}

fn quoted(path: &Path) -> String {
    crate::sys::process::quote(&path.display().to_string())
}

fn bundle_path(cx: &Ctx) -> PathBuf {
    let stamp: String = cx.clock.now().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    cx.repo.common_dir().join(format!("git-orch-{stamp}.bundle"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worktrees_are_told_apart_by_name() {
        let of = |name: &str| Kind::of(Path::new(name));
        assert_eq!(of("gate-3"), Kind::Gate("3".into()));
        assert_eq!(of("7k3fabcd"), Kind::Task);
        assert_eq!(of("gate-x"), Kind::Foreign);
        assert_eq!(of("mine/deep"), Kind::Foreign);
    }
}
