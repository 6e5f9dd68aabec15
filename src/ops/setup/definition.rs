//! `orch.toml`: kept where there is one, else proposed from what the repository is, and committed only where
//! that is nobody else's business (contract.md, "First hour").

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::FILE;
use crate::domain::oid::{MaybeOid, Oid};
use crate::gate::detect::{Facts, Proposal, propose, render, tools};
use crate::git::{Batch, Cas, NewCommit, Object, RefChange, Worktree};
use crate::hook::ticket;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::gateless;
use crate::ops::setup::options::OrchToml;
use crate::ops::setup::report::{Done, Report};
use crate::ops::setup::trunk::{Known, Remote};
use crate::policy::grant::Action;
use crate::store::Change;
use crate::sys::fs::{self, Durability};

/// The file that names the commit whose `orch.toml` is not yet in the checkouts of trunk.
const PLACING: &str = "placing";

/// What is to be done about `orch.toml`.
#[derive(Debug)]
pub(super) enum Plan {
    /// There is one, on the policy tip: it is in force.
    InForce,
    /// There is one here, which the policy tip lacks.
    Kept(Lacking),
    /// One is made in the working directory.
    Write { proposal: Proposal, path: PathBuf, lacking: Lacking },
    /// One is committed on local trunk, on top of this commit.
    Commit { proposal: Proposal, onto: Oid },
    /// There is no place for one.
    Nowhere(&'static str),
}

/// Why init does not commit the file, and so how a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lacking {
    /// There is no commit yet: it goes into the first.
    Unborn,
    /// Trunk is shared: it goes there by a branch.
    Shared,
    /// The user said so, or the file is the user's own.
    Asked,
}

/// Decides, and detects the gate where one is to be written.
pub(super) fn plan(cx: &Ctx, trunk: &Trunk, remote: &Remote, wish: OrchToml) -> Result<Plan, OpError> {
    if let Some(tip) = trunk.tip()
        && cx.repo.file_at(&cx.repo.tree_of(tip)?, FILE)?.is_some()
    {
        return Ok(Plan::InForce);
    }
    let shared = remote.has_branch(cx, &trunk.name)? != Known::No || trunk.tracking.is_some();
    let lacking = match (&trunk.local, shared, wish) {
        (_, true, _) => Some(Lacking::Shared),
        (None, false, _) => Some(Lacking::Unborn),
        (Some(_), false, OrchToml::Write) => Some(Lacking::Asked),
        (Some(_), false, OrchToml::Commit) => None,
    };
    let here = cx.repo.here()?;
    if let Some(here) = &here
        && (fs::exists(&here.path.join(FILE)) || is_staged(cx, here)?)
    {
        return Ok(Plan::Kept(lacking.unwrap_or(Lacking::Asked)));
    }
    match (lacking, &trunk.local, here) {
        (None, Some(onto), _) => Ok(Plan::Commit { proposal: proposal(cx, trunk)?, onto: onto.clone() }),
        (lacking, _, Some(here)) => Ok(Plan::Write {
            proposal: proposal(cx, trunk)?,
            path: here.path.join(FILE),
            lacking: lacking.unwrap_or(Lacking::Asked),
        }),
        (_, _, None) => {
            Ok(Plan::Nowhere("there is no checkout to write it to; run init again in a worktree"))
        }
    }
}

fn is_staged(cx: &Ctx, here: &Worktree) -> Result<bool, OpError> {
    let output = cx.repo.git_in(here, ["ls-files", "-z", "--", FILE]).run()?;
    Ok(output.status.success() && !output.stdout.is_empty())
}

/// The gate that fits the policy tip's tree; before the first commit, the files here.
fn proposal(cx: &Ctx, trunk: &Trunk) -> Result<Proposal, OpError> {
    let main = cx.repo.main_path();
    let dir = cx.repo.work_tree().unwrap_or(&main);
    let tools = tools(dir, &cx.env);
    let Some(tip) = trunk.tip() else { return Ok(propose(&Facts::of_directory(dir, tools))) };
    let tree = cx.repo.tree_of(tip)?;
    let paths = cx.repo.tree_changes(None, Some(&tree))?.into_iter().map(|change| change.path);
    let read = |path: &str| String::from_utf8(cx.repo.file_at(&tree, path).ok()??).ok();
    Ok(propose(&Facts::new(paths, read, tools)))
}

/// Says what would be done.
pub(super) fn tell(plan: &Plan, trunk: &Trunk, report: &mut Report) {
    match plan {
        Plan::Write { proposal, path, .. } => {
            report.push(Done::Planned, FILE, format!("write {}: {}", path.display(), summary(proposal)));
            hints(proposal, report);
        }
        Plan::Commit { proposal, .. } => {
            report.push(Done::Planned, FILE, format!("commit on {}: {}", trunk.name, summary(proposal)));
            hints(proposal, report);
        }
        Plan::InForce | Plan::Kept(_) | Plan::Nowhere(_) => tell_kept(plan, trunk, report),
    }
}

fn tell_kept(plan: &Plan, trunk: &Trunk, report: &mut Report) {
    match plan {
        Plan::InForce => report.push(Done::Kept, FILE, format!("is on {}", trunk.tip_name())),
        Plan::Kept(_) => {
            report.push(Done::Kept, FILE, format!("is here; it is in force once {} has it", trunk.name));
        }
        Plan::Nowhere(why) => report.push(Done::Warned, FILE, *why),
        Plan::Write { .. } | Plan::Commit { .. } => {}
    }
}

fn summary(proposal: &Proposal) -> String {
    let names: Vec<&str> = proposal.steps.iter().map(|p| p.step.name.as_str()).collect();
    match names.as_slice() {
        [] => "a gate without steps".to_owned(),
        names => format!("a gate of {}", names.join(", ")),
    }
}

fn hints(proposal: &Proposal, report: &mut Report) {
    for hint in &proposal.hints {
        report.push(Done::Warned, "gate", hint.clone());
    }
}

/// Does it.
pub(super) fn perform(cx: &Ctx, plan: &Plan, trunk: &Trunk, report: &mut Report) -> Result<(), OpError> {
    match plan {
        Plan::Write { proposal, path, lacking } => {
            let made = fs::publish_new(path, render(proposal).as_bytes(), 0o644)?;
            let why = match lacking {
                Lacking::Unborn => "it belongs into the first commit",
                Lacking::Shared => "not committed: trunk is shared, so it goes there by a branch",
                Lacking::Asked => "not committed",
            };
            let done = if made { Done::Made } else { Done::Kept };
            report.push(done, FILE, format!("{}, {}; {why}", path.display(), summary(proposal)));
            hints(proposal, report);
        }
        Plan::Commit { proposal, onto } => {
            commit(cx, trunk, onto, proposal, report)?;
            hints(proposal, report);
        }
        Plan::InForce | Plan::Kept(_) | Plan::Nowhere(_) => {
            tell_kept(plan, trunk, report);
            resume(cx, trunk, report)?;
        }
    }
    Ok(())
}

/// Carries on from an init that was killed between its commit and the checkouts: they would show the file as
/// deleted, and the next commit there would delete it.
fn resume(cx: &Ctx, trunk: &Trunk, report: &mut Report) -> Result<(), OpError> {
    let mark = cx.file(PLACING);
    let Some(text) = fs::read_optional(&mark)? else { return Ok(()) };
    if let Some(tip) = &trunk.local
        && tip.as_str() == text.trim()
        && let Some(entry) = cx.repo.entry_at(&cx.repo.tree_of(tip)?, FILE)?
    {
        let bytes = cx.repo.blob(&entry.oid)?;
        place(cx, trunk, &entry.oid, &String::from_utf8_lossy(&bytes), report)?;
        report.push(Done::Made, FILE, "placed where trunk is checked out");
    }
    fs::remove_file_if_there(&mark)?;
    Ok(())
}

/// Commits only the new file on trunk, from trunk's own tree: no index of anybody is read.
fn commit(
    cx: &Ctx,
    trunk: &Trunk,
    onto: &Oid,
    proposal: &Proposal,
    report: &mut Report,
) -> Result<(), OpError> {
    let (name, email) = cx.identity()?;
    let text = render(proposal);
    let mut batch = Batch::new(&cx.repo);
    let blob = batch.add(Object::Blob, text.as_bytes())?;
    let edits = BTreeMap::from([(FILE.to_owned(), Some(blob.clone()))]);
    let tree = batch.edit_tree(Some(&cx.repo.tree_of(onto)?), &edits)?;
    let message = "Add orch.toml\n\nWritten by `git orch init`: the gate that changes must pass.".to_owned();
    let new = batch.commit(&NewCommit {
        tree,
        parents: vec![onto.clone()],
        name,
        email,
        time: cx.clock.now(),
        message,
    })?;
    batch.persist(Durability::Commit)?;
    let old = MaybeOid::Id(onto.clone());
    let change = RefChange { name: trunk.local_ref.clone(), old: old.clone(), new: new.clone() };
    fs::create_dir_all(&cx.repo.orch_dir())?;
    fs::write_atomic(&cx.file(PLACING), format!("{new}\n").as_bytes(), 0o644, Durability::Commit)?;
    let ticket = ticket::issue(&cx.repo.orch_dir(), &trunk.local_ref, &old, &new)?;
    let moved = cx.repo.move_user_ref(&change, "git-orch: init")?;
    drop(ticket);
    if moved != Cas::Moved {
        fs::remove_file_if_there(&cx.file(PLACING))?;
        report.push(
            Done::Warned,
            FILE,
            format!("{} moved meanwhile; type `git orch init` again", trunk.name),
        );
        return Ok(());
    }
    record(cx, trunk, &new)?;
    let short = cx.repo.abbreviate(&new);
    report.push(Done::Made, FILE, format!("committed on {} as {short}: {}", trunk.name, summary(proposal)));
    place(cx, trunk, &blob, &text, report).map_err(|error| unplaced(trunk, &short, &error))?;
    fs::remove_file_if_there(&cx.file(PLACING))?;
    Ok(())
}

/// An error with all that caused it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| (*error).source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What was committed all the same.
fn unplaced(trunk: &Trunk, short: &str, error: &OpError) -> OpError {
    let fact = format!(
        "{FILE} was committed on {} as {short}, and is in no checkout of it: {}",
        trunk.name,
        with_causes(error)
    );
    Refused::new(Because::Environment, "init.checkout", fact)
        .next("git orch init   (again, when it can be written: it goes on from there)")
        .into()
}

fn record(cx: &Ctx, trunk: &Trunk, new: &Oid) -> Result<(), OpError> {
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        edit.note(Change {
            action: "trunk.init",
            subject: trunk.local_ref.clone(),
            cause: "init".into(),
            note: Some(format!("{new} adds {FILE} and nothing else")),
        });
        Ok::<_, OpError>(())
    })?;
    Ok(())
}

/// Puts the file where trunk is checked out; everything else in those checkouts stays as it is.
fn place(cx: &Ctx, trunk: &Trunk, blob: &Oid, text: &str, report: &mut Report) -> Result<(), OpError> {
    for worktree in cx.repo.worktrees()? {
        let on_trunk = worktree.head.branch() == Some(trunk.name.as_str());
        if !on_trunk || !worktree.exists() {
            continue;
        }
        if let Some(why) = put(cx, &worktree, blob, text)? {
            let shown = worktree.path.display();
            report.push(Done::Warned, FILE, format!("{shown} shows it as changed: {why}"));
        }
    }
    Ok(())
}

/// None if the checkout now has the file; else why not.
fn put(cx: &Ctx, worktree: &Worktree, blob: &Oid, text: &str) -> Result<Option<String>, OpError> {
    let path: &Path = &worktree.path.join(FILE);
    let staged = cx.repo.git_in(worktree, ["ls-files", "--stage", "-z", "--", FILE]).run()?.checked()?;
    // Ours may be staged by an init that did not get further.
    if !staged.stdout.is_empty() && staged.stdout != format!("100644 {blob} 0\t{FILE}\0").as_bytes() {
        return Ok(Some("another one is staged there".to_owned()));
    }
    let entry = format!("100644,{blob},{FILE}");
    let output = cx.repo.git_in(worktree, ["update-index", "--add", "--cacheinfo", &entry]).run()?;
    if !output.status.success() {
        return Ok(Some(output.stderr.trim().to_owned()));
    }
    let made = fs::publish_new(path, text.as_bytes(), 0o644)?;
    if !made && fs::read(path)? != text.as_bytes() {
        return Ok(Some("another one was there already".to_owned()));
    }
    Ok(None)
}

/// What a person types next so that the file comes into force; nothing where it is.
pub(super) fn next(cx: &Ctx, plan: &Plan, trunk: &Trunk, report: &mut Report) -> Result<(), OpError> {
    if let (Plan::Kept(_), Some(lines)) = (plan, gateless::committed(cx, trunk)?) {
        for line in lines {
            report.due(line);
        }
        return Ok(());
    }
    let lacking = match plan {
        Plan::Kept(lacking) | Plan::Write { lacking, .. } => *lacking,
        Plan::InForce | Plan::Commit { .. } | Plan::Nowhere(_) => return Ok(()),
    };
    if lacking == Lacking::Unborn {
        // Tasks are cut from this commit: with the definition alone they would have nothing to work on.
        report.due("git add --all   # the project, too; or name what belongs into it");
        report.due("git commit -m \"First commit\"");
        return Ok(());
    }
    report.due("git switch -c orch-setup");
    report.due(format!("git add {FILE}"));
    report.due(format!("git commit -m \"Add {FILE}\" -- {FILE}"));
    report.due("git orch approve orch-setup --reason \"the first gate\"");
    match &trunk.remote {
        Some(remote) => {
            report.due(format!("git orch push -u {remote} orch-setup   # for a review there; or:"));
            report.due("git orch merge orch-setup");
        }
        None => report.due("git orch merge orch-setup"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Self>>);

    #[test]
    fn every_cause_is_told() {
        let root = Layer("disk full", None);
        let error = Layer("placing", Some(Box::new(Layer("writing", Some(Box::new(root))))));
        assert_eq!(with_causes(&error), "placing: writing: disk full");
    }
}
