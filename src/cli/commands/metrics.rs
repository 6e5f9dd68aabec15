//! `git orch metrics`.

use crate::cli::args::JsonArg;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::config::Period;
use crate::ops::metrics;
use crate::report;
use crate::view::MetricsView;

/// Show what was done, and how long it took
///
/// Tasks by status and kind as they are now; claims, merges, verdicts and the time from a task's claim to its merge,
/// of each actor and of all, from the audit. An actor's times are those of the tasks that the actor claimed.
///
/// With --json one object: schema, since, by_status, by_kind, ready, total, and actors by name. The last two have
/// claims, merges, pass, fail, blocked, and lead_p50 and lead_p95 in seconds, null where nothing was merged.
#[derive(Clone, Debug, clap::Args)]
pub struct MetricsArgs {
    /// Only the work of the last PERIOD: 12h, 7d
    #[arg(long, value_name = "PERIOD", value_parser = Period::parse)]
    pub since: Option<Period>,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &MetricsArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let found = metrics::metrics(&cx, args.since.map(|period| wire::ago(&cx, period)))?;
    let words = |pairs: Vec<(&'static str, u64)>| pairs.into_iter().map(|(w, n)| (w.to_owned(), n)).collect();
    let view = MetricsView {
        schema: 1,
        since: found.since.map(|since| since.to_string()),
        by_status: words(found.by_status),
        by_kind: words(found.by_kind),
        ready: found.ready,
        total: found.total,
        actors: found.actors,
    };
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::metrics(&view, out.page()));
    }
    Ok(Exit::Done)
}
