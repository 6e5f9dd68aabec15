//! `git orch maintain`.

use crate::cli::args::JsonArg;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::maintain::{self, Options};
use crate::report;
use crate::view::MaintainView;

/// Keep the state small: archive what is long finished, pack what lies loose
///
/// Tasks that are done or closed and were not changed for `orch.archiveAfter` (90 days) go to the archive, many to a
/// file: `show`, `list --all`, `log` and `reopen` find them there as before. Records of steps that passed that long ago are
/// removed, in every clone. Objects of the state that lie loose are packed if there are many.
///
/// With --squash the state's history begins anew: its audit goes to the archive, where `log` reads it; the commits go,
/// here and on the remote. Every clone's next `sync` goes on from there and loses nothing. Refused to agents, and while a
/// commit is younger than `orch.maxOffline` (30 days).
///
/// With --json one object: schema, dry_run, archived (ids), pruned (number of records), packed and loose (numbers of objects),
/// let_go (number of commits, null without --squash), backup (a ref or null), epoch.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch maintain --dry-run
  git orch maintain
  git orch maintain --squash")]
pub struct MaintainArgs {
    /// Only say what would be done
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Let the state's history go; what it says stays in the log
    #[arg(long)]
    pub squash: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &MaintainArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let done = maintain::maintain(&cx, Options { dry_run: args.dry_run, squash: args.squash })?;
    let view = MaintainView {
        schema: 1,
        dry_run: done.dry_run,
        archived: done.archived.iter().map(ToString::to_string).collect(),
        pruned: done.pruned,
        packed: done.packed,
        loose: done.loose,
        let_go: done.let_go,
        backup: done.squashed.map(|squashed| squashed.backup),
        epoch: done.epoch,
    };
    if args.output.json {
        out.json(&view);
    } else {
        for line in report::maintain(&view) {
            out.status(&line);
        }
    }
    Ok(Exit::Done)
}
