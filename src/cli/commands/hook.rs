//! `git orch hook`: what the dispatcher calls. Not for people, and hidden from help.

use std::ffi::OsString;

/// Run a hook's rules; git's hooks call it
#[derive(Clone, Debug, clap::Args)]
pub struct HookArgs {
    /// The hook's name, as git calls it
    #[arg(value_name = "HOOK")]
    pub name: String,
    /// What git gave the hook
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,
}
