//! What a command is given.

use std::path::PathBuf;

use crate::sys::env::Env;

/// What a command is given besides its arguments.
#[derive(Clone, Debug)]
pub struct Invocation<'a> {
    /// The environment.
    pub env: &'a Env,
    /// The directory that it works in, `-C` included.
    pub cwd: PathBuf,
}
