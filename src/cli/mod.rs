//! The command line: parse, resolve, call one operation, render.
//!
//! Called by `main` only. The one row that knows exit codes and writes to the terminal. Invariants: data goes
//! to stdout and words to stderr, through `out::Out` and nothing else; with `--json` a refusal is an object on
//! stdout; clap gives strings and flags, and reads neither repository nor configuration. Deliberately absent:
//! decisions about tasks, trees and branches (`ops` and what is below it), and layout (`report`).

pub mod app;
pub mod args;
mod blocked;
mod candidates;
pub mod command_error;
pub mod commands;
pub mod complete;
pub mod docs;
mod events;
pub mod exit;
mod invocation;
mod logging;
pub mod out;
pub mod progress;
mod start;
mod wire;

pub use command_error::CommandError;
pub use exit::Exit;
pub use invocation::Invocation;
pub use out::Out;
pub use start::{bug, start};
