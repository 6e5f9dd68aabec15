//! `git orch approve`.

use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::approve;
use clap_complete::engine::ArgValueCandidates;

use crate::cli::candidates;

/// Approve a change of the gate, the policy, the hooks or the agents
///
/// A branch that changes what it is judged by is BLOCKED (rule `gate.changed`) until a person has looked at
/// it. The approval holds for exactly that tree. It is then judged by trunk's gate and by its own.
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
    let approval = approve::approve(&cx, &args.target, &args.reason)?;
    out.status(&format!("Approved the gate of tree {} for {}", approval.tree.short(), args.target));
    out.hint("it is judged by trunk's gate and by its own; another tree needs another approval");
    Ok(Exit::Done)
}
