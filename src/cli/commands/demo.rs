//! `git orch demo`.

use std::path::PathBuf;

use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::ops::demo::{self, Event};
use crate::report;
use crate::sys::signal::Interrupts;
use crate::view::DemoView;

/// See all of it at work on a small repository
///
/// Makes a real Rust project with real faults in a temporary directory and runs the real commands on it, each
/// printed before it runs: a commit to trunk that is refused, a push that is refused, a task taken and fixed,
/// the loop finishing the rest. Needs git and cargo, and less than a minute.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Make it in DIR, which must be new or empty, and leave it there
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &DemoArgs) -> Result<Exit, CommandError> {
    let interrupts = Interrupts::install()
        .map_err(|e| CommandError::new(Exit::Environment, format!("signals can't be handled: {e}")))?;
    let place = match &args.keep {
        Some(dir) => cx.cwd.join(dir),
        None => temporary()?,
    };
    let shown =
        demo::run(&place, cx.env, &interrupts, &mut |event| out.data(&report::demo(&event_view(event))))?;
    out.data(&report::demo(&DemoView::End {
        root: shown.root.display().to_string(),
        millis: shown.millis,
        fixers: shown.fixers,
    }));
    Ok(Exit::Done)
}

/// A new directory that stays: there is something to look at afterwards, and the system clears it some day.
fn temporary() -> Result<PathBuf, CommandError> {
    let dir = tempfile::Builder::new().prefix("git-orch-demo-").tempdir().map_err(|e| {
        CommandError::new(Exit::Environment, format!("no temporary directory can be made: {e}"))
            .next("git orch demo --keep DIR")
    })?;
    Ok(dir.keep())
}

fn event_view(event: Event) -> DemoView {
    match event {
        Event::Part(text) => DemoView::Part(text),
        Event::Says(text) => DemoView::Says(text),
        Event::Runs { dir, line } => DemoView::Runs { dir, line },
        Event::Line(text) => DemoView::Line(text),
        Event::Refused { exit } => DemoView::Refused { exit },
    }
}
