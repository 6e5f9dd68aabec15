//! `git orch ralph flakes|reset|override`, and what becomes of a commit that is BLOCKED.

use crate::cli::args::JsonArg;
use crate::cli::blocked::{self, Asking, Case, Settled};
use crate::cli::candidates;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::time::Timestamp;
use crate::gate::breaker::{Admission, Circuit};
use crate::gate::rule;
use crate::ops::ralph::Judged;
use crate::ops::{Ctx, allow, approvals, observed, ralph, revert};
use crate::report;
use crate::sys::process::quote;
use crate::view::{BreakerView, FlakeView, FlakesView, SCHEMA};
use clap_complete::engine::ArgValueCandidates;

/// List tests that failed and then passed on the same tree
///
/// Within one run, by `retries` of their step, or in another run of the same gate. Tests are known by the step's
/// `report`; what was looked up instead of run counts nothing. Kept in this clone only, some hundred tests.
#[derive(Clone, Debug, clap::Args)]
pub struct RalphFlakesArgs {
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

/// Close breakers: steps that were BLOCKED again and again are tried at once
///
/// For a person who has mended what kept a step from being judged. Without STEP, all of them.
#[derive(Clone, Debug, clap::Args)]
pub struct RalphResetArgs {
    /// The step, as `git orch status` names it
    #[arg(value_name = "STEP")]
    pub step: Option<String>,
}

/// Let findings of a commit pass, for its tree alone
///
/// For what blocks a commit and is right for once: what guardrails found (rules `guardrail.…`), a change of the gate
/// (`gate.changed`), what the tree lost against its base (`ralph.fewer_tests`, `ralph.skipped_tests`, `ralph.coverage`).
/// Recorded finding by finding, under your name; another tree is asked about again. What could not be judged (a missing
/// tool, a timeout) has no finding: `git orch merge --override` is the only way past that. Refused to agents, and
/// in task worktrees.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Example:
  git orch ralph override 7k3f --finding guardrail.sql.drop --reason \"agreed with Ann\"")]
pub struct RalphOverrideArgs {
    /// The task, the branch or the commit [default: HEAD]
    #[arg(value_name = "TASK|REV", add = ArgValueCandidates::new(candidates::tasks))]
    pub target: Option<String>,
    /// A rule, or a fingerprint (the beginning of one will do) as `git orch ralph --json` has it; several times
    #[arg(long, value_name = "FINGERPRINT|RULE", required = true)]
    pub finding: Vec<String>,
    /// Why it is right
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: String,
}

pub(super) fn override_(
    cx: &Invocation<'_>,
    out: &mut Out,
    args: &RalphOverrideArgs,
) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let target = args.target.as_deref().unwrap_or("HEAD");
    let commit = wire::commit(&cx, out, target)?;
    let done = allow::override_in(&cx, &commit, &args.finding, &args.reason)?;
    blocked::tell_overridden(out, &done);
    Ok(Exit::Done)
}

/// What becomes of a commit that was shown to be BLOCKED.
pub(super) fn settle(
    cx: &Ctx,
    out: &mut Out,
    (rev, judged): (&str, &Judged),
    asking: Asking,
) -> Result<Exit, CommandError> {
    let (branch, task) = revert::branch_of(cx, rev, &judged.commit)?;
    let at = branch.as_deref().map(|branch| (branch, &judged.commit));
    let case = Case { judged, branch: at, task: task.as_ref(), past_all: false, asking };
    match blocked::question(cx, out, &case)?.settle(cx, out)? {
        Settled::Overridden | Settled::Reverted => {
            out.hint(&format!("`git orch ralph {}` judges it as it is now", quote(rev)));
        }
        Settled::Left => {
            let name = task.as_ref().map(|task| task.id.as_str()).or(branch.as_deref());
            for line in ways_past(judged, rev, name) {
                out.hint(&line);
            }
        }
        Settled::Aborted | Settled::PastAll(_) => {}
    }
    Ok(Exit::Blocked)
}

/// What a person types whom nobody asked. `name`: under which the commit can be merged.
fn ways_past(judged: &Judged, rev: &str, name: Option<&str>) -> Vec<String> {
    // What trunk has to have was said.
    if judged.rule() == Some(rule::NO_STEPS) {
        return Vec::new();
    }
    match (name, judged.rule().filter(|rule| allow::LOST.contains(rule))) {
        (name, Some(lost)) => {
            let name = quote(name.unwrap_or(rev));
            vec![format!(
                "git orch ralph override {name} --finding {lost} --reason TEXT   (a person, recorded)"
            )]
        }
        (Some(name), None) => wire::past(judged, name),
        // What is on no branch can't be merged, whatever one says.
        (None, None) if judged.rule() == Some(approvals::GATE) => wire::past(judged, rev),
        (None, None) => wire::approval(&judged.guarded, rev).into_iter().collect(),
    }
}

pub(super) fn flakes(
    cx: &Invocation<'_>,
    out: &mut Out,
    args: &RalphFlakesArgs,
) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let now = cx.clock.now();
    // A configuration that can't be read says nothing about quarantine.
    let quarantine = ralph::gate_in_force(&cx).map(|(gate, _)| gate.quarantine).unwrap_or_default();
    let held = |step: &str, test: &str| quarantine.iter().any(|q| q.covers(step, test) && !q.expired(now));
    let all = observed::flakes(&cx)?;
    let flakes = all.into_iter().map(|flake| FlakeView {
        quarantined: held(&flake.step, &flake.test),
        last_seen: Timestamp::from_millis(flake.seen).to_string(),
        test: flake.test,
        step: flake.step,
        runs: flake.runs,
        failures: flake.failures,
        flaked: flake.flaked,
    });
    let view = FlakesView { schema: SCHEMA, flakes: flakes.collect() };
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::flakes(&view, out.page()));
        if view.flakes.iter().any(|flake| !flake.quarantined) {
            out.hint("mend them; until then a [[ralph.quarantine]] in orch.toml, with an owner and a day, lets a failure pass");
        }
    }
    Ok(Exit::Done)
}

pub(super) fn reset(cx: &Invocation<'_>, out: &mut Out, args: &RalphResetArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let closed = observed::reset(&cx, args.step.as_deref())?;
    match closed.as_slice() {
        [] => out.status("No breaker is open"),
        steps => out.status(&format!("Closed the breaker of {}", steps.join(", "))),
    }
    Ok(Exit::Done)
}

/// The view of a breaker that is open.
pub(super) fn breaker(step: String, circuit: Circuit, now: Timestamp) -> Option<BreakerView> {
    let open = circuit.open?;
    let state = if circuit.admission(now) == Admission::Probe { "half_open" } else { "open" };
    let until = Timestamp::from_millis(open.until).to_string();
    Some(BreakerView { step, state, in_a_row: circuit.in_a_row, reason: circuit.reason, until })
}
