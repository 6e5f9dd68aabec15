//! `git orch run`.

use std::num::NonZeroUsize;

use crate::cli::args::PickArgs;
use crate::cli::command_error::CommandError;
use crate::cli::events;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::progress::{Events, Progress};
use crate::cli::wire;
use crate::config::Merging;
use crate::domain::session::SessionTask;
use crate::ops::run::{self, Ended, RunOptions, RunReport, Stopped};
use crate::ops::{Ctx, OpError, ralph, take};
use crate::report;
use crate::view::{Event, RunSummary};

/// What happens to a task that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum MergeChoice {
    /// It is merged at once.
    Auto,
    /// It waits for a person.
    Review,
}

/// Work through the queue by itself
///
/// Takes a ready task, lets an agent work on it in its worktree, commits what it did, asks Ralph, and hands
/// the agent what failed until it passes or the budget is spent; then the task is merged or left for review
/// (`[merge]` in `orch.toml`). An agent's own word never counts.
///
/// Ctrl-C stops after the current step, twice at once. The same command goes on where it stopped.
///
/// Exit 0: all that was taken is done or in review. 1: something failed. 3: something is blocked or asks for
/// a person. 5: nothing was ready.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch run --kind quality                        fix what the project's own fixers can fix
  git orch run --jobs 4 --until-empty --agent './agent.sh'
  git orch run --max-tasks 1 --merge review --label parser

An agent is any program: it gets its prompt on stdin and in $ORCH_PROMPT_FILE, and runs in the task's
worktree ($ORCH_WORKTREE) with $ORCH_TASK, $ORCH_SESSION and $ORCH_ITERATION set. A relative path is looked
up there, too: ./agent.sh has to be in trunk.")]
pub struct RunArgs {
    /// How many tasks at once [default: `git config orch.jobs`, else 1]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Stop after N tasks
    #[arg(long, value_name = "N")]
    pub max_tasks: Option<NonZeroUsize>,
    /// Go on until nothing is ready, also with what becomes ready meanwhile
    #[arg(long)]
    pub until_empty: bool,
    /// The agent: a shell command; outranks `orch.toml`
    #[arg(long, value_name = "CMD")]
    pub agent: Option<String>,
    /// What happens to a task that passed; outranks `orch.toml`
    #[arg(long, value_name = "WHAT", value_enum)]
    pub merge: Option<MergeChoice>,
    /// Which tasks.
    #[command(flatten)]
    pub pick: PickArgs,
    /// Print one JSON object a line for everything that happens
    #[arg(long)]
    pub json_events: bool,
}

impl RunArgs {
    fn options(&self, cx: &Ctx) -> RunOptions {
        RunOptions {
            jobs: self.jobs.map_or_else(|| cx.local.jobs.map_or(1, |_| ralph::jobs(cx)), usize::from),
            max_tasks: self.max_tasks.map(usize::from),
            until_empty: self.until_empty,
            agent: self.agent.clone(),
            merge: self.merge.map(|choice| match choice {
                MergeChoice::Auto => Merging::Auto,
                MergeChoice::Review => Merging::Review,
            }),
            filter: wire::filter(&self.pick),
        }
    }
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &RunArgs) -> Result<Exit, CommandError> {
    let cx = wire::open_long(cx, out)?;
    let mut progress = Progress::new(out, if args.json_events { Events::Json } else { Events::Words });
    let result = run::run(&cx, &args.options(&cx), &mut |event| progress.on(out, &events::event(event)));
    let report = match result {
        Ok(report) => report,
        Err(error) => {
            progress.finish();
            return Err(error.into());
        }
    };
    let view = summary(&cx, &report)?;
    if args.json_events {
        progress.on(out, &Event::RunFinished { summary: view });
    } else {
        progress.finish();
        out.data(&report::run_summary(&view, out.page()));
        after(out, &report);
        if report.session.tasks.is_empty()
            && report.without_agent == 0
            && report.failure.is_none()
            && let Err(error) = nothing(&cx, out, args)
        {
            // The run has ended, and its exit code says how.
            out.warn(&format!("why nothing was ready can't be told: {error}"));
        }
    }
    finish(report)
}

fn summary(cx: &Ctx, report: &RunReport) -> Result<RunSummary, CommandError> {
    let snapshot = cx.snapshot()?;
    let title = |task: &SessionTask| match snapshot.task(&task.id) {
        Ok(Some(task)) => task.title.value,
        Ok(None) | Err(_) => String::new(),
    };
    Ok(RunSummary::new(&report.session, &title))
}

/// What a person should know besides the table.
fn after(out: &mut Out, report: &RunReport) {
    match report.stopped {
        Some(Stopped::Interrupted) => out.hint("`git orch run` goes on where this one stopped"),
        Some(Stopped::Mode(mode)) => out.warn(&format!("stopped: the mode is {}", mode.as_str())),
        None => {}
    }
    if report.without_agent > 0 {
        let tasks = report::words::plural(report.without_agent, "ready task");
        out.hint(&format!("{tasks} left alone, no agent is set: --agent CMD, or [agents] in orch.toml"));
    }
}

/// Why there was nothing to do, and what to type.
fn nothing(cx: &Ctx, out: &mut Out, args: &RunArgs) -> Result<(), OpError> {
    let filter = wire::filter(&args.pick);
    if let Err(idle) = take::peek(cx, &filter)? {
        let idle = wire::idle(&idle);
        let fact = report::idle_fact(&idle);
        out.status(&format!("{}.", fact.replacen('n', "N", 1)));
        let tasks = report::idle(&idle, out.page());
        if !tasks.is_empty() {
            out.status(tasks.trim_end());
        }
        for hint in wire::idle_hints(&idle) {
            out.hint(&hint);
        }
    }
    Ok(())
}

fn finish(report: RunReport) -> Result<Exit, CommandError> {
    let ended = report.ended();
    if let Some(failure) = report.failure {
        return Err(failure.into());
    }
    Ok(match ended {
        Ended::Done => Exit::Done,
        Ended::Failed => Exit::Failed,
        Ended::Blocked => Exit::Blocked,
        Ended::Nothing => Exit::NothingReady,
        Ended::Interrupted => Exit::Interrupted,
    })
}
