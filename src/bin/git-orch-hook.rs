//! The hook dispatcher: see `git_orch::hook::dispatch`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use git_orch::hook::dispatch;
use git_orch::sys::env::{Env, working_directory};

fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    // A working directory that was removed must not stop git from what it does elsewhere.
    let cwd = working_directory().unwrap_or_else(|_| PathBuf::from("."));
    let status = dispatch::main(&argv, &Env::capture(), &cwd);
    ExitCode::from(u8::try_from(status).unwrap_or(1))
}
