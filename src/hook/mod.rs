//! The git hook protocol: decode what git says, guard trunk, dispatch, install.
//!
//! Called by the dispatcher binary (`dispatch::main`), by `ops` (install, uninstall, refresh, tickets) and by
//! the main binary's `hook` command (`decode`). Reads the repository's files directly and spawns git only
//! where a ref store or an ancestry leaves no choice, because the dispatcher runs five to seven times a commit.
//! Invariants: a hook never fails on what it does not know; a hook that was there before keeps running with
//! its own status; nothing here moves a ref. Deliberately absent: policy, verdicts, the state (the main binary
//! has them), and any import of `git`, `config` or `store`.

mod chain;
pub mod decode;
pub mod dispatch;
mod facts;
pub mod guard;
mod hint;
pub mod install;
pub mod name;
pub mod place;
pub mod refs;
pub mod settings;
pub mod ticket;
pub mod whose;
