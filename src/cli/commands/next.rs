//! `git orch next`.

use crate::cli::args::{JsonArg, PickArgs};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::index::Filter;
use crate::ops::Ctx;
use crate::ops::sync::{self, Standing};
use crate::ops::take::{self, Checkout, How, Next, Taken};
use crate::report;
use crate::view::{IdleView, NextView};

/// Take the next ready task, in a worktree of its own
///
/// Picks the most urgent ready task (P0 first, then the oldest), claims it for you, makes its branch from
/// trunk and a worktree for it, and prints the brief and the command to go there. However many ask at once,
/// each gets another task.
///
/// Nothing ready: exit 5, with what is in the way.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch next                            take it
  git orch next --peek                     only look
  git orch next --team qa --label parser   the next one of these
  path=$(git orch next --json | jq -er '.path // error(.error.fact)') && cd \"$path\"")]
pub struct NextArgs {
    /// Only show which task it would be
    #[arg(long, conflicts_with_all = ["no_worktree", "require_confirmed"])]
    pub peek: bool,
    /// Which tasks.
    #[command(flatten)]
    pub pick: PickArgs,
    /// Claim it, but make no worktree
    #[arg(long)]
    pub no_worktree: bool,
    /// Fail with exit 7 unless the remote confirms the claim
    #[arg(long)]
    pub require_confirmed: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &NextArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let filter = wire::filter(&args.pick);
    if args.peek {
        return peek(&cx, out, args, &filter);
    }
    refuse_unconfirmed(&cx, args.require_confirmed)?;
    match take::next(&cx, &filter, how(args.no_worktree, args.require_confirmed), "next")? {
        Next::Taken(taken) => Ok(show(&cx, out, &taken, args.output.json)),
        Next::Nothing(idle) => Err(nothing(out, args, &wire::idle(&idle))),
    }
}

fn peek(cx: &Ctx, out: &mut Out, args: &NextArgs, filter: &Filter) -> Result<Exit, CommandError> {
    let task = match take::peek(cx, filter)? {
        Ok(task) => task,
        Err(idle) => return Err(nothing(out, args, &wire::idle(&idle))),
    };
    let view = wire::view_ready(cx, &task, true);
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::task(&view, out.page()));
        out.hint("`git orch next` takes it");
    }
    Ok(Exit::Done)
}

fn nothing(out: &Out, args: &NextArgs, idle: &IdleView) -> CommandError {
    let error = CommandError::new(Exit::NothingReady, report::idle_fact(idle)).rule("queue.empty");
    let error = if args.output.json { error } else { error.detail(report::idle(idle, out.page())) };
    let error = if idle.filtered > 0 { error.next("git orch list --ready") } else { error };
    error.next("git orch add TITLE").next("git orch list")
}

/// How to take a task, as the options say.
pub(super) fn how(no_worktree: bool, confirmed: bool) -> How {
    let checkout = if no_worktree { Checkout::None } else { Checkout::Worktree };
    How { checkout, confirmed }
}

/// Refuses to claim what nobody could confirm.
pub(super) fn refuse_unconfirmed(cx: &Ctx, required: bool) -> Result<(), CommandError> {
    if !required || sync::arbiter(cx).is_some() {
        return Ok(());
    }
    let fact = match cx.remote() {
        Some(remote) => format!("{remote} is not asked about claims: orch.sync is manual"),
        None => "there is no remote that could confirm a claim".to_owned(),
    };
    Err(CommandError::new(Exit::Offline, fact)
        .rule("claim.unconfirmed")
        .next("leave --require-confirmed out"))
}

/// Says what the remote made of a claim, where that is not what one would expect.
fn tell_standing(out: &mut Out, taken: &Taken) {
    if let Some(trouble) = &taken.trouble {
        out.warn(&trouble.to_string());
        for next in trouble.next() {
            out.hint(&next);
        }
    }
    let first = |said: &str| said.lines().next().unwrap_or_default().trim().to_owned();
    match &taken.standing {
        // Where trunk could not be fetched, that was said.
        Some(Standing::Unconfirmed(said)) if taken.offline.is_none() => {
            out.warn(&format!(
                "the claim is this clone's only, until the remote can be asked: {}",
                first(said)
            ));
            out.hint("git orch sync   (asks again)");
        }
        Some(Standing::Unconfirmed(_)) => {
            out.warn("the claim is this clone's only, until the remote can be asked");
        }
        Some(Standing::Refused(said)) => {
            out.warn(&format!("the claim is this clone's only: the remote takes none: {}", first(said)));
            out.hint("git config orch.sync manual   (not to ask it any more)");
        }
        Some(Standing::Alone | Standing::Confirmed) | None => {}
    }
}

/// Shows a task that was taken, and how to go there.
pub(super) fn show(cx: &Ctx, out: &mut Out, taken: &Taken, json: bool) -> Exit {
    if let Some(said) = &taken.offline {
        let said = said.lines().next().unwrap_or_default();
        out.warn(&format!("trunk could not be fetched, so the branch is cut from what is here: {said}"));
    }
    tell_standing(out, taken);
    if taken.kept {
        let id = &taken.task.id;
        out.warn(&format!("what the one before left uncommitted is kept under refs/orch/backup/wip/{id}"));
    }
    wire::warn_of_gateless(cx, out);
    let view = NextView::new(&taken.task, false, taken.path.as_deref());
    if json {
        out.json(&view.task);
        return Exit::Done;
    }
    out.data(&report::taken(&view, out.page()));
    out.hint("commit there; then `git orch merge` asks Ralph, and merges");
    Exit::Done
}
