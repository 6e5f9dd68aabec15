//! `git orch ralph`, also called `gate`.

use std::path::{Path, PathBuf};

use crate::cli::args::JsonArg;
use crate::cli::blocked::Asking;
use crate::cli::command_error::CommandError;
use crate::cli::commands::ralph_more::{self, RalphFlakesArgs, RalphOverrideArgs, RalphResetArgs};
use crate::cli::commands::reuse::{self, CacheArgs, ExplainArgs};
use crate::cli::commands::verdicts::{self, ExportArgs, RalphLogArgs, RalphShowArgs};
use crate::cli::events;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::progress::{Events, Progress};
use crate::cli::wire;
use crate::config::{Moment, Run, Step};
use crate::domain::oid::Oid;
use crate::domain::verdict::Word;
use crate::gate::rule;
use crate::ops::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::ralph::{self, Judged, Recorded, Request};
use crate::ops::staged;
use crate::report;
use crate::report::words::duration;
use crate::sys::fs;
use crate::sys::process::quote;
use crate::view::{Event, GateStepView, GateStepsView, RangeView, SCHEMA, VerdictView};

/// Judge a commit: PASS, FAIL or BLOCKED
///
/// Runs the steps of trunk's `orch.toml` on a clean checkout of exactly that tree, never on the files that
/// lie around. The verdict is kept: the same tree under the same gate is answered at once. The last line of
/// stdout is the word.
///
/// PASS: exit 0. FAIL, something is wrong with the tree: exit 1. BLOCKED, it could not be judged (a missing
/// tool, a timeout, no steps): exit 3; on a terminal a person is asked what becomes of it: revert, override or
/// abort.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(disable_help_subcommand = true)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  git orch ralph                   judge HEAD
  git orch ralph main --fresh      judge main again
  git orch ralph --staged          judge what the next commit would be
  git orch ralph --range main..    judge each commit that is not on main
  git orch ralph --step test       only `test`, and what it needs
  git orch ralph steps             what would be run
  git orch ralph explain           which steps would run, and why
  git orch ralph steps --detect    what `init` would propose for this repository
  git orch ralph flakes            tests that failed and then passed on the same tree
  git orch ralph reset             try steps that were BLOCKED again and again at once")]
pub struct RalphArgs {
    /// The commit to judge [default: HEAD]
    #[arg(value_name = "REV")]
    pub rev: Option<String>,
    /// Judge what is staged: the tree that the next commit would have
    #[arg(long, conflicts_with = "rev")]
    pub staged: bool,
    /// Judge each commit of A..B, parents first
    #[arg(long, value_name = "A..B", conflicts_with_all = ["rev", "staged", "json_events", "sarif", "junit", "annotations"])]
    pub range: Option<String>,
    /// Only this step and what it needs; may be given more than once
    #[arg(long = "step", value_name = "NAME")]
    pub steps: Vec<String>,
    /// Run nothing: show which steps would run, and why (the same as `ralph explain`)
    #[arg(long, conflicts_with_all = ["staged", "range", "json_events", "sarif", "junit", "annotations", "fresh"])]
    pub explain: bool,
    /// Run all steps, whatever is on record
    #[arg(long, visible_alias = "no-cache")]
    pub fresh: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
    /// Print one JSON object a line for everything that happens
    #[arg(long, conflicts_with = "json")]
    pub json_events: bool,
    /// Ask nothing, also on a terminal: what is BLOCKED is left, or `policy.blocked` decides
    #[arg(long)]
    pub unattended: bool,
    /// Also write what was found to FILE, as SARIF
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Also write what came of each step to FILE, as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Also print what was found in a form that a build server shows beside the lines
    #[arg(long, value_name = "FOR", conflicts_with_all = ["json", "json_events"])]
    pub annotations: Option<Annotations>,
    /// Something else than judging.
    #[command(subcommand)]
    pub action: Option<RalphAction>,
}

/// Whose form annotations have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Annotations {
    /// GitHub's workflow commands
    Github,
}

impl RalphArgs {
    fn explained(&self) -> ExplainArgs {
        ExplainArgs { rev: self.rev.clone(), steps: self.steps.clone(), output: self.output }
    }
}

/// What to do instead of judging.
#[derive(Clone, Debug, clap::Subcommand)]
#[expect(missing_docs, reason = "the words are on the arguments: here they would replace them in the help")]
pub enum RalphAction {
    /// Show the steps of the gate
    Steps(RalphStepsArgs),
    /// Show for each step whether it would run, and what changed since it last passed
    Explain(ExplainArgs),
    /// Show the recorded verdicts on a commit, and what each is worth here
    Show(RalphShowArgs),
    /// List the recorded verdicts, newest first
    Log(RalphLogArgs),
    /// Print a verdict as an in-toto statement, for others to read
    Export(ExportArgs),
    /// Show what recorded steps saved, or run them again
    Cache(CacheArgs),
    Flakes(RalphFlakesArgs),
    Reset(RalphResetArgs),
    Override(RalphOverrideArgs),
}

impl RalphAction {
    /// Whether JSON was asked for.
    pub fn json(&self) -> bool {
        match self {
            Self::Steps(steps) => steps.output.json,
            Self::Explain(explain) => explain.output.json,
            Self::Cache(cache) => cache.json(),
            Self::Show(show) => show.output.json,
            Self::Log(log) => log.output.json,
            Self::Flakes(flakes) => flakes.output.json,
            Self::Export(_) | Self::Reset(_) | Self::Override(_) => false,
        }
    }
}

/// Which steps.
#[derive(Clone, Debug, clap::Args)]
pub struct RalphStepsArgs {
    /// Those that would be proposed for this repository, instead of those of trunk
    #[arg(long)]
    pub detect: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &RalphArgs) -> Result<Exit, CommandError> {
    match &args.action {
        Some(RalphAction::Steps(steps)) => return show_steps(cx, out, steps),
        Some(RalphAction::Explain(explain)) => return reuse::run_explain(cx, out, explain),
        Some(RalphAction::Cache(cache)) => return reuse::run_cache(cx, out, cache),
        Some(RalphAction::Show(show)) => return verdicts::show(cx, out, show),
        Some(RalphAction::Log(log)) => return verdicts::log(cx, out, log),
        Some(RalphAction::Export(export)) => return verdicts::export(cx, out, export),
        Some(RalphAction::Flakes(flakes)) => return ralph_more::flakes(cx, out, flakes),
        Some(RalphAction::Reset(reset)) => return ralph_more::reset(cx, out, reset),
        Some(RalphAction::Override(over)) => return ralph_more::override_(cx, out, over),
        None => {}
    }
    if args.explain {
        return reuse::run_explain(cx, out, &args.explained());
    }
    let cx = wire::open_long(cx, out)?;
    ralph::have_steps(&cx, &args.steps)?;
    if let Some(range) = &args.range {
        return judge_range(&cx, out, args, range);
    }
    for file in [&args.sarif, &args.junit].into_iter().flatten() {
        has_place(file)?;
    }
    let (rev, commit) = asked(&cx, out, args)?;
    let mut progress = Progress::new(out, if args.json_events { Events::Json } else { Events::Reported });
    let mut judge = || judge(&cx, out, args, &commit, &mut progress);
    let is_here = args.rev.is_none() && !args.staged;
    let (warnings, judged) = if is_here { ralph::dirty_here(&cx, judge)? } else { (Vec::new(), judge()?) };
    let interrupted = judged.stop.is_some();
    if let Some(view) = wire::verdict(&cx, &judged, &rev, warnings) {
        write(args.sarif.as_deref(), &report::sarif(&view))?;
        write(args.junit.as_deref(), &report::junit(&view))?;
        if args.json_events {
            progress.on(out, &Event::Verdict { result: Box::new(view) });
        } else {
            progress.finish();
            show(out, args, &view);
            if judged.rule() == Some(rule::NO_STEPS) && !args.output.json {
                for line in wire::gateless(&cx) {
                    out.hint(&line);
                }
            }
        }
    }
    if judged.word == Word::Blocked && !interrupted && !args.staged {
        let asking = !args.unattended && !args.output.json && !args.json_events;
        let asking = if asking { Asking::Allowed } else { Asking::Never };
        return ralph_more::settle(&cx, out, (&rev, &judged), asking);
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::of_verdict(judged.word) })
}

/// What is asked for, in words, and its commit.
fn asked(cx: &Ctx, out: &mut Out, args: &RalphArgs) -> Result<(String, Oid), CommandError> {
    if args.staged {
        return Ok(("what is staged".to_owned(), staged::staged(cx)?));
    }
    let rev = args.rev.as_deref().unwrap_or("HEAD");
    Ok((rev.to_owned(), wire::commit(cx, out, rev)?))
}

fn judge(
    cx: &Ctx,
    out: &mut Out,
    args: &RalphArgs,
    commit: &Oid,
    progress: &mut Progress,
) -> Result<Judged, OpError> {
    let mut request = Request::new(commit.clone(), Moment::Always);
    request.recorded = if args.fresh { Recorded::Ignored } else { Recorded::Counts };
    request.steps.clone_from(&args.steps);
    ralph::judge(cx, &request, &mut |event| progress.on(out, &events::event(event)))
}

/// Judges each commit of a range, and stops where somebody interrupts it.
fn judge_range(cx: &Ctx, out: &mut Out, args: &RalphArgs, range: &str) -> Result<Exit, CommandError> {
    let mut view =
        RangeView { schema: SCHEMA, range: range.to_owned(), verdict: Word::Pass, commits: Vec::new() };
    for commit in staged::range(cx, range)? {
        let mut progress = Progress::new(out, Events::Refused);
        let judged = judge(cx, out, args, &commit, &mut progress)?;
        progress.finish();
        if judged.stop.is_some() {
            return Ok(Exit::Interrupted);
        }
        view.verdict = view.verdict.and(judged.word);
        let rev = cx.repo.abbreviate(&commit);
        view.commits.extend(wire::verdict(cx, &judged, &rev, Vec::new()));
    }
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::range(&view, out.page()));
    }
    Ok(Exit::of_verdict(view.verdict))
}

/// Refuses a file whose directory is not there, before minutes are spent.
fn has_place(file: &Path) -> Result<(), CommandError> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if dir.is_dir() {
        return Ok(());
    }
    let fact = format!("{} can't be written: there is no directory {}", file.display(), dir.display());
    Err(OpError::from(Refused::new(Because::Environment, "output.place", fact)).into())
}

fn write(file: Option<&Path>, text: &str) -> Result<(), CommandError> {
    let Some(file) = file else { return Ok(()) };
    Ok(fs::write_named(file, text.as_bytes()).map_err(OpError::from)?)
}

fn show(out: &mut Out, args: &RalphArgs, view: &VerdictView) {
    if args.output.json {
        out.json(view);
        return;
    }
    if args.annotations == Some(Annotations::Github) {
        out.data(&report::annotations(view));
    }
    out.data(&report::verdict(view, out.page()));
}

fn show_steps(cx: &Invocation<'_>, out: &mut Out, args: &RalphStepsArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let view = if args.detect { detected(&cx)? } else { configured(&cx)? };
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::gate_steps(&view, out.page()));
        if view.steps.is_empty() {
            out.hint("a [[ralph.step]] in orch.toml with `name = \"test\"` and `run = \"…\"`, your command, is a gate");
        }
    }
    Ok(Exit::Done)
}

fn configured(cx: &Ctx) -> Result<GateStepsView, CommandError> {
    let (gate, origin) = ralph::gate_in_force(cx)?;
    Ok(GateStepsView {
        schema: SCHEMA,
        origin,
        setup: gate.setup,
        carry: gate.carry,
        steps: gate.steps.iter().map(|step| step_view(step, None)).collect(),
    })
}

fn step_view(step: &Step, from: Option<String>) -> GateStepView {
    GateStepView {
        name: step.name.clone(),
        kind: step.kind.as_str().to_owned(),
        run: match &step.run {
            Run::Shell(line) => line.clone(),
            Run::Argv(words) => words.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" "),
        },
        needs: step.needs.clone(),
        timeout: Some(duration(step.timeout.millis())),
        report: step.report.clone(),
        from,
    }
}

fn detected(cx: &Ctx) -> Result<GateStepsView, CommandError> {
    let proposal = ralph::detect(cx)?;
    Ok(GateStepsView {
        schema: SCHEMA,
        origin: "detected".to_owned(),
        setup: proposal.setup,
        carry: proposal.carry,
        steps: proposal.steps.iter().map(|p| step_view(&p.step, Some(p.why.clone()))).collect(),
    })
}
