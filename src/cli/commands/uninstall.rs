//! `git orch uninstall`.

use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::setup::{self, StateRefs};

/// Take git-orch out of this repository
///
/// Restores every file and configuration key that `init` changed. The queue and its history stay in
/// `refs/orch/*`, worktrees with work in them stay where they are, and `orch.toml` stays because it is yours:
/// it is versioned with the code.
#[derive(Clone, Debug, clap::Args)]
pub struct UninstallArgs {
    /// Also remove `refs/orch/*`: the queue, its history and the verdicts of this clone
    #[arg(long)]
    pub state: bool,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &UninstallArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let refs = if args.state { StateRefs::BundleAndDelete } else { StateRefs::Keep };
    let view = wire::actions(setup::uninstall(&cx, refs)?);
    wire::account(out, &view);
    Ok(Exit::Done)
}
