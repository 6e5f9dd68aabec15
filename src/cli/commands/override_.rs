//! `git orch override`.

use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::overrides;
use std::ffi::OsString;

/// Run one git command past the rules
///
/// For a person who knows better, once: the command may do what the hooks refuse, within a minute, to trunk, to
/// this checkout's branch and to the branches that it names; and that you did it and why is recorded. Agents and
/// task worktrees can't use it. The exit status is the command's.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  git orch override --reason \"hotfix, agreed with Ann\" -- git commit -m \"Stop the bleeding\"
  git orch override --reason \"hotfix, agreed with Ann\" -- git push origin hotfix:main")]
pub struct OverrideArgs {
    /// Why the rules don't fit here
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
    /// The git command, beginning with `git`
    #[arg(value_name = "GIT COMMAND", last = true, required = true)]
    pub command: Vec<OsString>,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &OverrideArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let words: Vec<String> = args.command.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    let status = overrides::once(&cx, &args.reason, &words)?;
    Ok(Exit::Child(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
