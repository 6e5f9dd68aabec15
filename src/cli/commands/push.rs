//! `git orch push`.

use std::ffi::OsString;

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
