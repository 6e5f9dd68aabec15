//! `git orch sync`.

use crate::cli::args::JsonArg;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::sync::{self, Options, Report};
use crate::report;
use crate::view::{ConflictView, LostView, SyncView};

/// Share the queue with the other clones
///
/// Brings what other clones did here, joins it, and sends what this clone did. Nothing is lost on either side: texts that
/// two clones changed at the same time are kept in the log. `next`, `start`, `merge` and `run` do it by themselves
/// (`git config orch.sync manual` stops that).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch sync
  git orch sync upstream
  git orch sync origin --restore")]
pub struct SyncArgs {
    /// The remote [default: orch.remote, else origin]
    pub remote: Option<String>,
    /// Put the remote's state back, where somebody deleted or rewound it
    #[arg(long)]
    pub restore: bool,
    /// Make this clone's tasks a part of the remote's state, which is another repository's
    #[arg(long)]
    pub adopt: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &SyncArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let options = Options { restore: args.restore, adopt: args.adopt };
    let view = view(sync::sync(&cx, args.remote.as_deref(), options)?);
    if args.output.json {
        out.json(&view);
    } else {
        out.status(&report::sync(&view));
    }
    for (fact, next) in report::sync_warnings(&view) {
        out.warn(&fact);
        if let Some(next) = next {
            out.hint(&next);
        }
    }
    Ok(if view.refused.is_some() { Exit::Environment } else { Exit::Done })
}

fn view(report: Report) -> SyncView {
    let words = |ids: Vec<crate::domain::id::TaskId>| ids.iter().map(ToString::to_string).collect();
    let lost = |l: sync::Lost| LostView { task: l.id.to_string(), holder: l.holder };
    let conflict = |c: crate::store::Conflict| ConflictView {
        task: c.task.to_string(),
        field: c.field.to_owned(),
        lost: c.lost,
        by: c.by,
    };
    SyncView {
        schema: crate::view::SCHEMA,
        remote: report.remote,
        received: words(report.received),
        sent: report.sent,
        confirmed: words(report.confirmed),
        kept: words(report.kept),
        lost: report.lost.into_iter().map(lost).collect(),
        conflicts: report.conflicts.into_iter().map(conflict).collect(),
        ahead: words(report.ahead),
        stale: report.stale,
        squashed: report.squashed,
        refused: report.refused,
    }
}
