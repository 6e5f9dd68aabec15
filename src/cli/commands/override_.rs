//! `git orch override`.

use std::ffi::OsString;

/// Run one git command past the rules
///
/// For a person who knows better, once: the command may do on trunk what the hooks refuse, within a minute,
/// and that you did it and why is recorded. Agents and task worktrees can't use it. The exit status is the
/// command's.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  git orch override --reason \"hotfix, agreed with Ann\" -- git commit -m \"Stop the bleeding\"")]
pub struct OverrideArgs {
    /// Why the rules don't fit here
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
    /// The git command, beginning with `git`
    #[arg(value_name = "GIT COMMAND", last = true, required = true)]
    pub command: Vec<OsString>,
}
