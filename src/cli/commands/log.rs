//! `git orch log`.

use clap_complete::engine::ArgValueCandidates;

use crate::cli::args::JsonArg;
use crate::cli::candidates;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::config::Period;
use crate::domain::time::Timestamp;
use crate::index::EventFilter;
use crate::ops::audit::{self, Logged};
use crate::ops::tasks;
use crate::report;
use crate::view::{LogEntry, LogView};

/// Show who changed what
///
/// Every change of state, newest first. The same can be read with plain git: `git log refs/orch/state`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch log 7k3f                         what happened to a task
  git orch log --actor ann@example.com --since 7d
  git orch log --action verdict --json")]
pub struct LogArgs {
    /// Only changes of this task
    #[arg(value_name = "TASK", add = ArgValueCandidates::new(candidates::tasks))]
    pub task: Option<String>,
    /// Only changes by this actor: person:ann@example.com, or what follows the colon
    #[arg(long, value_name = "ACTOR", help_heading = "Filters")]
    pub actor: Option<String>,
    /// Only this action, or all of its group: task.claim, task
    #[arg(long, value_name = "ACTION", help_heading = "Filters")]
    pub action: Option<String>,
    /// Only the changes of the last PERIOD: 2h, 7d
    #[arg(long, value_name = "PERIOD", value_parser = Period::parse, help_heading = "Filters")]
    pub since: Option<Period>,
    /// Stop after N changes
    #[arg(short = 'n', long, value_name = "N", default_value = "50")]
    pub limit: usize,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &LogArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let snapshot = cx.snapshot()?;
    let task = args.task.as_deref().map(|text| tasks::resolve(&snapshot, text)).transpose()?;
    let since = args.since.map(|period| wire::ago(&cx, period));
    let filter = EventFilter {
        task,
        actor: args.actor.clone(),
        action: args.action.clone(),
        since: since.map(Timestamp::seconds),
    };
    let entries = audit::log(&cx, args.limit, &filter)?.into_iter().map(entry).collect();
    let view = LogView { entries };
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::log(&view, out.page()));
    }
    Ok(Exit::Done)
}

fn entry(logged: Logged) -> LogEntry {
    let entry = logged.entry;
    LogEntry {
        at: logged.at.to_string(),
        change: entry.id,
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        cause: entry.note.or(Some(entry.cause)),
        commit: logged.commit.to_string(),
    }
}
