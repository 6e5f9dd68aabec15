//! Installs, refreshes, repairs and removes the hooks.
//!
//! `inspect` looks, `plan` and `plan_removal` decide (pure), `execute` acts; `refresh_if_stale` and `repair` do
//! all three for what is installed already. Invariants: `core.hooksPath` is never set; a tracked directory, or
//! one outside the repository, is never written; every change is recorded in `installed.toml` before it is
//! made; no byte of a hook that was there before is lost. Hooks are copies of the dispatcher, not links to
//! one file: a tool that rewrites its own hook in place would otherwise rewrite all of ours.

mod error;
mod execute;
mod facts;
mod manager;
mod plan;
mod record;
mod removal;
mod upkeep;

pub use error::InstallError;
pub use execute::execute;
pub use facts::{Facts, FileFact, HooksDir, Input, Standing, inspect, real_dir};
pub use manager::Manager;
pub use plan::{Plan, Step, plan};
pub use record::{ConfigChange, Installed, InstalledDir};
pub use removal::{inspect_installed, plan_removal};
pub use upkeep::{Dispatcher, Refreshed, build_id, refresh_if_stale, repair};

/// In every build of the dispatcher, and in no text: how a hook file is known to be ours.
pub const MARKER: &str = "git-orch\u{1}dispatcher\u{1}1";

/// The lock around every change of installed hooks, in the local directory.
const LOCK: &str = "install.lock";

/// Where the dispatcher's copy is, in the local directory.
fn copy_of_dispatcher(orch: &std::path::Path) -> std::path::PathBuf {
    orch.join("bin/git-orch-hook")
}

/// Whether these are the bytes of a dispatcher of any build.
fn is_ours(bytes: &[u8]) -> bool {
    // Scripts are small and start with `#!`; only programs are searched.
    !bytes.starts_with(b"#!") && bytes.windows(MARKER.len()).any(|window| window == MARKER.as_bytes())
}
