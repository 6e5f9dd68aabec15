//! `git orch approve`.

use clap_complete::engine::ArgValueCandidates;

use crate::cli::complete;

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
    #[arg(value_name = "TASK|BRANCH|REV", add = ArgValueCandidates::new(complete::tasks))]
    pub target: String,
    /// Why it is right
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
}
