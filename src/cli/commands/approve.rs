//! `git orch approve`.

use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::approve::{self, Approved};
use crate::ops::ralph::Asked;
use crate::report;
use clap_complete::engine::ArgValueCandidates;

use crate::cli::candidates;

/// Approve a change of the gate, or what a guardrail found
///
/// A branch that changes what it is judged by (gate, policy, hooks, agents) is BLOCKED (rule `gate.changed`) until
/// a person has looked at it; so is one in which a guardrail found something (rules `guardrail.…`). The approval
/// holds for exactly that tree, and for what is shown here (`git orch ralph override` takes single findings). The tree is then judged by trunk's gate, and by its own
/// if it has another.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  git diff main...fix/7k3fabcd-slug -- orch.toml
  git orch approve 7k3f --reason \"the new step is what we agreed on\"")]
pub struct ApproveArgs {
    /// The task, the branch or the commit
    #[arg(value_name = "TASK|BRANCH|REV", add = ArgValueCandidates::new(candidates::tasks))]
    pub target: String,
    /// Why it is right
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &ApproveArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let approved = approve::approve(&cx, &args.target, &args.reason)?;
    show(out, &approved, &args.target);
    Ok(Exit::Done)
}

fn show(out: &mut Out, approved: &Approved, target: &str) {
    let tree = approved.approval.tree.short();
    approved.asked.notes.iter().for_each(|note| out.warn(note));
    if !approved.guarded.hits.is_empty() {
        out.data(&report::hits(&wire::hits(&approved.guarded), out.page()));
    }
    out.status(&meant(&approved.asked));
    if !approved.gate.is_empty() {
        out.status(&format!("Approved the gate of tree {tree} for {target}"));
        out.hint("it is judged by trunk's gate and by its own; another tree needs another approval");
    }
    let rules = approved.guarded.rules_for_a_person();
    if !rules.is_empty() {
        out.status(&format!("Approved {} in tree {tree} for {target}", rules.join(", ")));
        out.hint("another tree needs another approval");
    }
    for rule in approved.left() {
        out.warn(&format!("{rule} has no exceptions: it still blocks"));
    }
}

/// What was looked at: a tree's id alone says nothing to whoever approves it.
fn meant(asked: &Asked) -> String {
    let branch = asked.branch.as_ref().map_or(String::new(), |branch| format!(", {branch}"));
    let task = asked.task.as_ref().map(|task| format!(", task {}: {}", task.id, task.title.value));
    format!("Read: commit {}{branch}{}", asked.commit.short(), task.unwrap_or_default())
}
