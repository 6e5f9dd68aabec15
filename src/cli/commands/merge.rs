//! `git orch merge`.

use crate::cli::blocked::{self, Asking, Case, Settled};
use crate::cli::command_error::CommandError;
use crate::cli::events;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::progress::{Events, Progress};
use crate::cli::wire;
use crate::domain::verdict::Word;
use crate::gate::rule;
use crate::ops::merge::{self, Landing, Merged, Options, Outcome, Past, Target};
use crate::ops::ralph::{Judged, Recorded};
use crate::ops::{Ctx, OpError, approvals, ralph};
use crate::report;
use crate::sys::process::quote;
use crate::view::SCHEMA;
use clap_complete::engine::ArgValueCandidates;

use crate::cli::args::JsonArg;
use crate::cli::candidates;

/// Merge a task into trunk, once Ralph passes on the result
///
/// Builds the merge without touching anybody's checkout, judges exactly that tree, and moves trunk to exactly
/// the commit that passed; then the task is done. With a remote, its trunk moves first. If trunk moved
/// meanwhile, everything is built and judged again. A conflict names the files, and nothing was changed. On a
/// terminal a person is asked what becomes of a BLOCKED merge: revert, override or abort.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch merge                   this checkout's task
  git orch merge 7k3f --no-push    a certain one, in this clone only")]
pub struct MergeArgs {
    /// The task or the branch [default: this checkout's task]
    #[arg(value_name = "TASK|BRANCH", add = ArgValueCandidates::new(candidates::tasks))]
    pub target: Option<String>,
    /// Move trunk in this clone only
    #[arg(long)]
    pub no_push: bool,
    /// Merge in spite of FAIL or BLOCKED; recorded under your name, refused to agents
    #[arg(long = "override", requires = "reason")]
    pub override_verdict: bool,
    /// Why the verdict is overridden
    #[arg(short = 'm', long, value_name = "TEXT", requires = "override_verdict")]
    pub reason: Option<String>,
    /// Ask nothing, also on a terminal: what is BLOCKED is left, or `policy.blocked` decides
    #[arg(long)]
    pub unattended: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &MergeArgs) -> Result<Exit, CommandError> {
    let cx = wire::open_long(cx, out)?;
    let mut options = Options {
        landing: if args.no_push { Landing::Local } else { Landing::Shared },
        override_reason: args.reason.clone().filter(|_| args.override_verdict),
        past: None,
        recorded: Recorded::Counts,
    };
    loop {
        // Past an override no refusal follows that would name what failed.
        let events = if options.override_reason.is_some() { Events::Words } else { Events::Refused };
        let mut progress = Progress::new(out, events);
        let outcome = merge::merge(&cx, args.target.as_deref(), &options, &mut |event| {
            progress.on(out, &events::event(event));
        });
        progress.finish();
        let (target, judged) = match outcome? {
            Outcome::Merged(merged) => {
                show(&cx, out, args, &merged)?;
                return Ok(Exit::Done);
            }
            Outcome::Rejected { target, judged } => (target, judged),
            Outcome::Conflict { target, files } => return Err(conflict(&cx, &target, &files)?),
        };
        match settle(&cx, out, args, (&target, &judged))? {
            Ok(Settled::PastAll(reason)) => options.past = Some(Past { tree: judged.tree.clone(), reason }),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
}

/// What becomes of a merge that was rejected: the error that ends it, or that it is tried again.
fn settle(
    cx: &Ctx,
    out: &mut Out,
    args: &MergeArgs,
    (target, judged): (&Target, &Judged),
) -> Result<Result<Settled, CommandError>, CommandError> {
    let error = rejected(cx, out, target, judged);
    if judged.word != Word::Blocked || judged.stop.is_some() {
        return Ok(Err(error));
    }
    let asking = if args.unattended || args.output.json { Asking::Never } else { Asking::Allowed };
    let (branch, task) = (Some((target.branch.as_str(), &target.tip)), target.task.as_ref());
    let case = Case { judged, branch, task, past_all: true, asking };
    let question = blocked::question(cx, out, &case)?;
    if question.is_asked() {
        out.error(&error);
    }
    let ended =
        |fact: &str| CommandError::new(Exit::Blocked, fact).rule(judged.rule().unwrap_or("ralph.verdict"));
    Ok(match question.settle(cx, out)? {
        Settled::Left => Err(error),
        Settled::Aborted => Err(ended("nothing was merged")),
        Settled::Reverted => {
            let name = target.task.as_ref().map_or(target.branch.as_str(), |task| task.id.as_str());
            Err(ended("nothing was merged: what is left is judged by the next merge")
                .next(format!("git orch merge {}", quote(name))))
        }
        settled @ (Settled::Overridden | Settled::PastAll(_)) => Ok(settled),
    })
}

fn show(cx: &Ctx, out: &mut Out, args: &MergeArgs, merged: &Merged) -> Result<(), CommandError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    if args.output.json {
        match &merged.target.task {
            Some(task) => out.json(&wire::view_ready(cx, task, false)),
            None => out.json(&branch_view(merged)),
        }
        wire::tell_left(out, &merged.checkouts);
        return Ok(());
    }
    let short = cx.repo.abbreviate(&merged.commit);
    let what = match &merged.target.task {
        Some(task) => format!("{} {}: {}", task.kind.value.as_str(), task.id, task.title.value),
        None => merged.target.branch.clone(),
    };
    out.status(&format!("Merged {what}"));
    let moved = match (merged.landing, &trunk.remote) {
        (Landing::Shared, Some(remote)) => format!("{} on {remote} is at {short}", trunk.name),
        (Landing::Shared | Landing::Local, _) => format!("{} is at {short}", trunk.name),
    };
    let verdict = match &merged.judged {
        Some(judged) if judged.recorded => format!(", {} (recorded)", judged.word.as_str()),
        Some(judged) => format!(", {}", judged.word.as_str()),
        None => String::new(),
    };
    out.status(&format!("{moved}{verdict}"));
    for line in merged.judged.iter().flat_map(|judged| judged.guarded.notes()) {
        out.status(&report::words::harmless(&line));
    }
    if let (Landing::Local, Some(remote)) = (merged.landing, &trunk.remote) {
        out.hint(&format!("{remote} has not got it: `git orch push {remote} {}`", trunk.name));
    }
    if let Some(why) = &merged.kept {
        out.hint(&format!("the worktree was kept: {why}; `git orch worktree prune` removes it later"));
    } else if is_checked_out_here(cx, &merged.target.branch)? {
        let go = match checkout_of(cx, &trunk.name)? {
            Some(path) => format!("cd {}", quote(&path)),
            None => format!("git switch {}", trunk.name),
        };
        out.hint(&format!("this checkout is still on {}: `{go}`", merged.target.branch));
    }
    wire::tell_left(out, &merged.checkouts);
    Ok(())
}

/// What was merged, where no task was.
#[derive(Debug, serde::Serialize)]
struct BranchView<'a> {
    schema: u32,
    branch: &'a str,
    commit: &'a str,
}

fn branch_view(merged: &Merged) -> BranchView<'_> {
    BranchView { schema: SCHEMA, branch: &merged.target.branch, commit: merged.commit.as_str() }
}

fn is_checked_out_here(cx: &Ctx, branch: &str) -> Result<bool, CommandError> {
    let here = cx.repo.here().map_err(OpError::from)?;
    Ok(here.is_some_and(|here| here.head.branch() == Some(branch)))
}

/// Where `branch` is checked out: git lets no second checkout have it.
fn checkout_of(cx: &Ctx, branch: &str) -> Result<Option<String>, CommandError> {
    let worktrees = cx.repo.worktrees().map_err(OpError::from)?;
    let there = worktrees.iter().find(|w| w.exists() && w.head.branch() == Some(branch));
    Ok(there.map(|w| w.path.display().to_string()))
}

fn rejected(cx: &Ctx, out: &Out, target: &Target, judged: &Judged) -> CommandError {
    let name = target.task.as_ref().map_or(target.branch.as_str(), |task| task.id.as_str());
    if judged.stop.is_some() {
        return CommandError::new(Exit::Interrupted, "interrupted; nothing was merged")
            .rule("ralph.interrupted")
            .next(format!("git orch merge {}", quote(name)));
    }
    let exit = if judged.word == Word::Fail { Exit::Failed } else { Exit::Blocked };
    let view = wire::verdict(cx, judged, &target.branch, Vec::new());
    let fact = match view.as_ref().and_then(|v| v.fact.clone()) {
        Some(fact) => format!("the merge of {} is {}: {fact}", target.branch, judged.word.as_str()),
        None => format!("the merge of {} is {}", target.branch, judged.word.as_str()),
    };
    let trunk_too = trunk_fails(cx, judged);
    let fact = trunk_too.iter().fold(fact, |fact, (too, _)| format!("{fact}; {too}"));
    let decided = judged.rule().unwrap_or("ralph.verdict").to_owned();
    let mut error = CommandError::new(exit, fact).rule(decided.clone());
    if let Some(view) = view.filter(|view| !(view.steps.is_empty() && view.findings.is_empty())) {
        error = error.detail(report::refused(&view, out.page()));
    }
    match decided.as_str() {
        approvals::GATE => wire::past(judged, name).into_iter().fold(error, CommandError::next),
        rule::NO_STEPS => wire::gateless(cx).into_iter().fold(error, CommandError::next),
        _ => {
            let error = trunk_too.into_iter().fold(error, |error, (_, next)| error.next(next));
            let error = error.next("fix it on the branch, commit, and merge again");
            wire::past(judged, name).into_iter().fold(error, CommandError::next)
        }
    }
}

/// That trunk fails by itself, and what shows it. What can't be found out is no reason to hide the refusal.
fn trunk_fails(cx: &Ctx, judged: &Judged) -> Option<(String, String)> {
    let (trunk, steps) = ralph::failing_on_trunk(cx, judged).ok()??;
    let fact = format!("{trunk} fails as well, without this branch: {}", steps.join(", "));
    Some((fact, format!("git orch ralph {}   (to be mended first, on a branch of its own)", quote(&trunk))))
}

fn conflict(cx: &Ctx, target: &Target, files: &[String]) -> Result<CommandError, CommandError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let fact = format!(
        "{} and {} conflict in {}",
        target.branch,
        trunk.name,
        report::words::plural(files.len(), "file")
    );
    let tip = trunk.tip_name();
    Ok(CommandError::new(Exit::Failed, fact)
        .rule("merge.conflict")
        .detail(report::words::indent(&files.join("\n"), 2))
        .next(format!("git rebase {tip}   (in the task's worktree), then git orch merge")))
}
