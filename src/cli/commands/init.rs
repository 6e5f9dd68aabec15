//! `git orch init`.

use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::setup::{self, InitOptions, OrchToml};

/// Set up git-orch in this repository
///
/// Creates the state (`refs/orch/state`), installs the hooks beside those that are there already, and writes
/// an `orch.toml` whose gate was detected from what the repository is. What exists is kept: running it again
/// is safe and repairs what is missing. If the remote has the state already, this clone joins it.
///
/// Commits nothing but `orch.toml`, and that only where no remote has trunk; your staged and unstaged changes
/// are not touched. `git orch uninstall` takes everything back.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch init --dry-run     show what would be done
  git orch init               do it
  git orch init --trunk dev   protect `dev` instead of the remote's default branch")]
pub struct InitArgs {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// The protected branch [default: the remote's default branch, else the current one]
    #[arg(long, value_name = "BRANCH")]
    pub trunk: Option<String>,
    /// The remote to coordinate through [default: origin, or the only one]
    #[arg(long, value_name = "REMOTE")]
    pub remote: Option<String>,
    /// Write `orch.toml` but do not commit it
    #[arg(long)]
    pub no_commit: bool,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &InitArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let options = InitOptions {
        trunk: args.trunk.clone(),
        remote: args.remote.clone(),
        dry_run: args.dry_run,
        orch_toml: if args.no_commit { OrchToml::Write } else { OrchToml::Commit },
    };
    let view = wire::actions(setup::init(&cx, &options)?);
    wire::account(out, &view);
    Ok(Exit::Done)
}
