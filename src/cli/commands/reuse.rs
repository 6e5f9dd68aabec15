//! `git orch ralph explain` and `git orch ralph cache`.

use crate::cli::args::JsonArg;
use crate::cli::command_error::CommandError;
use crate::cli::events;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::progress::{Events, Progress};
use crate::cli::wire;
use crate::domain::pass::{Difference, StepPass};
use crate::ops::cache;
use crate::ops::explain::{Changed, Explained, Explanation, Fate, explain};
use crate::ops::ralph::Whose;
use crate::ops::reuse::Objection;
use crate::report;
use crate::view::{
    AgainView, AnswerView, CacheStatsView, CacheVerifyView, ChangedView, ExplainView, ExplainedView,
    PassView, RuleView, SCHEMA, StepStatsView,
};

/// How many recorded steps are run again unless told otherwise.
const SAMPLE: usize = 3;

/// Which steps.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// The commit [default: HEAD]
    #[arg(value_name = "REV")]
    pub rev: Option<String>,
    /// Only this step; may be given more than once
    #[arg(long = "step", value_name = "NAME")]
    pub steps: Vec<String>,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

/// What about recorded steps.
#[derive(Clone, Debug, clap::Args)]
pub struct CacheArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: CacheAction,
}

impl CacheArgs {
    /// Whether JSON was asked for.
    pub fn json(&self) -> bool {
        match &self.action {
            CacheAction::Stats { output } => output.json,
            CacheAction::Verify(verify) => verify.output.json,
        }
    }
}

/// What to do with recorded steps.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum CacheAction {
    /// Show how often each step ran, and how often it was taken from an earlier run
    Stats {
        /// How to print.
        #[command(flatten)]
        output: JsonArg,
    },
    /// Run recorded steps again: what fails now counts no longer, and the exit status is 1
    Verify(VerifyArgs),
}

/// Which recorded steps to run again.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    /// The commit whose steps are taken from earlier runs [default: HEAD]
    #[arg(value_name = "REV")]
    pub rev: Option<String>,
    /// How many, chosen by lot [default: 3]
    #[arg(long, value_name = "N", conflicts_with = "all")]
    pub sample: Option<usize>,
    /// All of them
    #[arg(long)]
    pub all: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run_explain(
    cx: &Invocation<'_>,
    out: &mut Out,
    args: &ExplainArgs,
) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let rev = args.rev.as_deref().unwrap_or("HEAD");
    let commit = wire::commit(&cx, out, rev)?;
    let Explanation { recorded, blocked, steps } = explain(&cx, &commit, &args.steps)?;
    let view = ExplainView {
        schema: SCHEMA,
        rev: rev.to_owned(),
        commit: commit.to_string(),
        recorded: recorded.map(|(verdict, made)| AnswerView { verdict, made: made.to_string() }),
        blocked: blocked.map(|(rule, fact)| RuleView { rule, fact }),
        steps: steps.into_iter().map(explained).collect(),
    };
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::explain(&view, out.page()));
    }
    Ok(Exit::Done)
}

fn explained(explained: Explained) -> ExplainedView {
    let (why, pass, needed_by, changed) = match explained.fate {
        Fate::Taken(pass) => ("cached", Some(pass), Vec::new(), Vec::new()),
        Fate::RunsFor(users) => ("needed", None, users, Vec::new()),
        Fate::Differs(pass, changed) => ("changed", Some(pass), Vec::new(), changed),
        Fate::DoesNotCount(pass, objection) => (objected(objection), Some(pass), Vec::new(), Vec::new()),
        Fate::New => ("new", None, Vec::new(), Vec::new()),
    };
    ExplainedView {
        name: explained.step,
        gate: explained.gate.map(Whose::as_str),
        key: explained.key,
        runs: why != "cached",
        why,
        needed_by,
        pass: pass.as_ref().map(passed),
        changed: changed.into_iter().map(self::changed).collect(),
    }
}

fn objected(objection: Objection) -> &'static str {
    match objection {
        Objection::Age => "too_old",
        Objection::Trust => "trust",
        Objection::Refuted => "refuted",
        Objection::History => "other_tree",
    }
}

fn passed(pass: &StepPass) -> PassView {
    PassView {
        commit: pass.commit.to_string(),
        made: pass.made.to_string(),
        by: pass.by.clone(),
        millis: pass.millis,
    }
}

fn changed(changed: Changed) -> ChangedView {
    let (what, name) = match changed.what {
        Difference::Files => ("file", changed.path),
        Difference::Variable(name) => ("variable", Some(name)),
        Difference::Tool(name) => ("program", Some(name)),
        Difference::Need(name) => ("step", Some(name)),
        Difference::Definition => ("definition", None),
        Difference::Machine => ("machine", None),
    };
    ChangedView { what, name, how: changed.how }
}

pub(super) fn run_cache(cx: &Invocation<'_>, out: &mut Out, args: &CacheArgs) -> Result<Exit, CommandError> {
    match &args.action {
        CacheAction::Stats { output } => stats(cx, out, *output),
        CacheAction::Verify(verify) => self::verify(cx, out, verify),
    }
}

fn stats(cx: &Invocation<'_>, out: &mut Out, output: JsonArg) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let steps = cache::stats(&cx)?.into_iter().map(|(name, stats)| StepStatsView {
        name,
        recorded: stats.recorded,
        ran: stats.ran,
        cached: stats.cached,
        saved_millis: stats.saved,
    });
    let view = CacheStatsView { schema: SCHEMA, steps: steps.collect() };
    if output.json {
        out.json(&view);
    } else {
        out.data(&report::cache_stats(&view, out.page()));
    }
    Ok(Exit::Done)
}

fn verify(cx: &Invocation<'_>, out: &mut Out, args: &VerifyArgs) -> Result<Exit, CommandError> {
    let cx = wire::open_long(cx, out)?;
    let rev = args.rev.as_deref().unwrap_or("HEAD");
    let commit = wire::commit(&cx, out, rev)?;
    let sample = if args.all { None } else { Some(args.sample.unwrap_or(SAMPLE)) };
    let mut progress = Progress::new(out, Events::Words);
    let audit = cache::verify(&cx, &commit, sample, &mut |event| progress.on(out, &events::event(event)))?;
    progress.finish();
    let steps = audit.again.iter().map(|step| AgainView {
        name: step.name.clone(),
        verdict: step.word,
        reason: step.reason.clone(),
    });
    let view = CacheVerifyView {
        schema: SCHEMA,
        rev: rev.to_owned(),
        commit: commit.to_string(),
        known: audit.known,
        steps: steps.collect(),
    };
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::cache_verify(&view, out.page()));
        if let Some(fact) = &audit.blocked {
            out.hint(fact);
        } else if view.known == 0 {
            out.hint("no step of it is on record: git orch ralph explain says why");
        }
    }
    Ok(match () {
        () if audit.stopped => Exit::Interrupted,
        () if audit.lies().next().is_some() => Exit::Failed,
        () if audit.blocked.is_some() => Exit::Blocked,
        () => Exit::Done,
    })
}
