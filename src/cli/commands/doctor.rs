//! `git orch doctor`.

use crate::cli::args::JsonArg;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::doctor::{self, Check, Found, Mend};
use crate::report;
use crate::view::{CheckState, CheckView, DoctorView};

/// Look for what is wrong, and repair it
///
/// Checks the state, the hooks, the worktrees and what surrounds them; for each problem it says where it is
/// and what to type. Exit 1 if there are problems. With `-q` only the problems are shown.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorArgs {
    /// Repair what can be repaired without losing anything
    #[arg(long)]
    pub fix: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &DoctorArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let mend = if args.fix { Mend::Repair } else { Mend::Look };
    let checks = doctor::doctor(&cx, mend)?.into_iter().map(check).collect();
    let view = DoctorView { checks };
    let problems = view.count(CheckState::Problem);
    if args.output.json {
        out.json(&view);
    } else if out.is_quiet() {
        out.data(&report::problems(&view, out.page()));
    } else {
        out.data(&report::doctor(&view, out.page()));
    }
    Ok(if problems == 0 { Exit::Done } else { Exit::Failed })
}

fn check(check: Check) -> CheckView {
    CheckView {
        name: check.name.to_owned(),
        state: match check.found {
            Found::Ok => CheckState::Ok,
            Found::Note => CheckState::Note,
            Found::Problem => CheckState::Problem,
            Found::Fixed => CheckState::Fixed,
        },
        what: check.what,
        place: check.place,
        next: check.next,
    }
}
