//! `git orch mode`.

use crate::cli::args::{JsonArg, mode};
use crate::domain::control::Mode;

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
