//! `git-orch`: argv in, exit code out.

use std::ffi::OsString;
use std::process::ExitCode;

use git_orch::cli::{self, Exit};
use git_orch::sys::env::{self, Env};
use git_orch::sys::sandbox;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // Before anything else: these processes are not ours any more.
    if let Some(status) = sandbox::take_over(&args) {
        return status.into();
    }
    git_orch::sys::panic::exit_with(i32::from(Exit::Bug.code()), cli::bug);
    let env = Env::capture();
    cli::start(&env, env::working_directory(), args).into()
}
