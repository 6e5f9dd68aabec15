//! `git orch demo`.

use std::path::PathBuf;

/// See all of it at work on a small repository
///
/// Makes a real Rust project with real faults in a temporary directory and runs the real commands on it, each
/// printed before it runs: a commit to trunk that is refused, a push that is refused, a task taken and fixed,
/// the loop finishing the rest. Needs git and cargo, and less than a minute.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Make it in DIR, which must be new or empty, and leave it there
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}
