//! `git orch status`.

use crate::cli::args::JsonArg;
use crate::cli::command_error::CommandError;
use crate::cli::commands::ralph_more;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::Ctx;
use crate::ops::status::{self, Hooks, Status};
use crate::report;
use crate::view::{Counts, HooksState, HooksView, StatusView};

/// Show where the repository stands
///
/// Trunk, the hooks, the queue, what you hold, what is next.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StatusArgs {
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &StatusArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let status = status::status(&cx)?;
    let view = view(&cx, status);
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::status(&view, out.page()));
        if view.counts.blocked > 0 {
            out.hint(wire::BLOCKED_HINT);
        }
        if !view.breakers.is_empty() {
            out.hint("once that is mended, `git orch ralph reset` has it tried at once");
        }
        if view.counts.review > 0 {
            out.hint(wire::REVIEW_HINT);
        }
    }
    Ok(Exit::Done)
}

fn view(cx: &Ctx, status: Status) -> StatusView {
    let mut problems = status.problems;
    problems.extend(status.tamper.map(|tamper| tamper.to_string()));
    StatusView {
        schema: crate::view::SCHEMA,
        mode: status.control.mode.as_str(),
        reason: status.control.reason,
        trunk: status.trunk.name,
        gate: status.gate,
        verdict: status.verdict,
        remote: status.trunk.remote,
        counts: Counts::of(&status.counts),
        ready: status.ready,
        next: status.next.map(|task| wire::view_ready(cx, &task, true)),
        yours: status.yours.iter().map(|task| wire::view_ready(cx, task, false)).collect(),
        worktrees: status.worktrees.into_iter().map(wire::worktree).collect(),
        hooks: hooks(status.hooks),
        problems,
        breakers: status
            .breakers
            .into_iter()
            .filter_map(|(step, circuit)| ralph_more::breaker(step, circuit, cx.clock.now()))
            .collect(),
    }
}

fn hooks(hooks: Hooks) -> HooksView {
    let (state, detail) = match hooks {
        Hooks::Enforced => (HooksState::Enforced, None),
        Hooks::NotInstalled => (HooksState::NotInstalled, Some("git orch init".to_owned())),
        Hooks::Partial(missing) => (HooksState::Partial, Some(missing.join(", "))),
        Hooks::NotEnforced(why) => (HooksState::NotEnforced, Some(why)),
        Hooks::Off => (HooksState::Off, None),
    };
    HooksView { state, detail }
}
