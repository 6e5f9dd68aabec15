//! What the processes of a sandbox are given, and how they say that it could not be built.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};

use crate::sys::fs::FsError;
use crate::sys::sandbox::spec::{FAILED, STATUS, Sandbox};

/// Why a sandbox could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The kernel did not let us.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What it said.
        source: io::Error,
    },
    /// A file could not be made or read.
    #[error("{0}: {cause}", cause = .0.source)]
    Fs(#[from] FsError),
    /// Landlock refused.
    #[error("Landlock: {0}")]
    Landlock(String),
    /// We were called otherwise than we call ourselves.
    #[error("{0}")]
    Usage(String),
}

/// Names what was tried in an error of the system.
pub(super) fn tried<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Failure {
    |source| Failure::System { what: what.into(), source: source.into() }
}

/// The specification and the command, as both processes are given them.
pub(super) fn read_args(args: &[OsString]) -> Result<(Sandbox, &OsStr, &[OsString]), Failure> {
    let usage = |what: &str| Failure::Usage(what.to_owned());
    let (spec, rest) = args.split_first().ok_or_else(|| usage("no specification"))?;
    let (program, rest) = rest.split_first().ok_or_else(|| usage("no program"))?;
    let text = spec.to_str().ok_or_else(|| usage("the specification is not UTF-8"))?;
    let sandbox = serde_json::from_str(text).map_err(|error| usage(&error.to_string()))?;
    Ok((sandbox, program, rest))
}

/// Says why the sandbox could not be built, and with which status to end.
pub(super) fn failed(failure: &Failure) -> u8 {
    let line = format!("{FAILED}{}\n", failure.to_string().replace('\n', " "));
    // Without anybody to listen the status still says it.
    drop(io::stderr().write_all(line.as_bytes()));
    u8::try_from(STATUS).unwrap_or(u8::MAX)
}
