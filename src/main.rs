//! `git-orch`: argv in, exit code out.

use std::process::ExitCode;

use git_orch::cli::{self, Exit};
use git_orch::sys::env::{self, Env};

fn main() -> ExitCode {
    git_orch::sys::panic::exit_with(i32::from(Exit::Bug.code()), cli::bug);
    let env = Env::capture();
    cli::start(&env, env::working_directory(), std::env::args_os().collect()).into()
}
