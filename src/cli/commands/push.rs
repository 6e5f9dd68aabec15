//! `git orch push`.

use std::ffi::OsString;

use crate::cli::command_error::CommandError;
use crate::cli::commands::hook;
use crate::cli::events;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::progress::{Events, Progress};
use crate::cli::wire;
use crate::ops::push::{self, Pushed};

/// Judge what would be pushed, then push it
///
/// A plain `git push` opens its connection before our hook runs, and hosts drop connections that are idle
/// while a gate takes its time. This judges first and pushes then. All arguments are `git push`'s own.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch push
  git orch push -u origin HEAD")]
pub struct PushArgs {
    /// What `git push` is given
    #[arg(value_name = "GIT PUSH ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &PushArgs) -> Result<Exit, CommandError> {
    let cx = wire::open_long(cx, out)?;
    let words: Vec<String> = args.args.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    let mut progress = Progress::new(out, Events::Words);
    let pushed = push::push(&cx, &words, &mut |event| progress.on(out, &events::event(event)));
    progress.finish();
    match pushed? {
        Pushed::Unverified(tips) => Err(hook::unverified(&cx, out, &tips)),
        Pushed::Ran(status) => {
            Ok(Exit::Child(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
        }
    }
}
