//! `git orch init` and `git orch uninstall`: setting a clone up, and taking everything back.
//!
//! Called by the surfaces; `status` and `doctor` use what it knows of hooks. Each part looks first, then says what
//! it would do, then does it, so that `--dry-run` is the same code and every refusal comes before the first
//! change. Invariants: `core.hooksPath` is never set; nothing of the user's but the one new file `orch.toml` is
//! committed, and no staged or unstaged change is touched; what init changed outside `refs/orch/*` is recorded
//! before it is changed, and uninstall takes back exactly that.

mod definition;
mod hooks;
mod init;
mod local;
mod options;
mod report;
mod state;
mod trunk;
mod uninstall;

pub(crate) use hooks::{
    Place, cover_worktree, covers, install_in, installed_settings, is_installed, place_here, places, settings,
};
pub use hooks::{Programs, refresh};
pub use init::{init, init_with};
pub use options::{InitOptions, OrchToml};
pub use report::{Done, Line, Report};
pub use uninstall::{StateRefs, uninstall};
