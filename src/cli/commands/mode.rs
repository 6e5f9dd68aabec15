//! `git orch mode`.

use crate::cli::args::{JsonArg, mode};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::control::Control;
use crate::domain::control::Mode;
use crate::ops::mode as control;
use serde::Serialize;

/// Show or set the kill switch
///
/// NORMAL: everything works. PAUSED: what is begun is finished, nothing new is taken. SAFE: reading only.
/// OFF: stop now. The mode is part of the state and holds in every clone that has it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch mode
  git orch mode paused --reason \"release on Friday\"
  git orch mode normal")]
pub struct ModeArgs {
    /// The new mode; without it, the mode is shown
    #[arg(value_name = "MODE", value_parser = mode(), ignore_case = true)]
    pub mode: Option<Mode>,
    /// Why
    #[arg(short = 'm', long, value_name = "TEXT", requires = "mode")]
    pub reason: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

/// The mode as `--json` prints it.
#[derive(Serialize)]
struct ModeView {
    schema: u32,
    mode: &'static str,
    reason: Option<String>,
    by: Option<String>,
    at: Option<String>,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &ModeArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let now = match args.mode {
        Some(mode) => control::set(&cx, mode, args.reason.as_deref())?.1,
        None => control::get(&cx)?,
    };
    if args.output.json {
        out.json(&view(&now));
        return Ok(Exit::Done);
    }
    let by = now.by.as_deref().map(|by| format!(", set by {by}")).unwrap_or_default();
    let why = now.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    out.data(&format!("{}{by}{why}\n", now.mode.as_str()));
    Ok(Exit::Done)
}

fn view(control: &Control) -> ModeView {
    ModeView {
        schema: crate::view::SCHEMA,
        mode: control.mode.as_str(),
        reason: control.reason.clone(),
        by: control.by.clone(),
        at: control.at.map(|at| at.to_string()),
    }
}
