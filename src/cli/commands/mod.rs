//! One file a command: its arguments, whose doc comments are its help, and `run`: resolve, call one operation,
//! render. `dispatch` knows them all.

pub mod add;
pub mod approve;
pub mod completions;
pub mod demo;
pub mod dep;
mod dispatch;
pub mod doctor;
pub mod edit;
pub mod hook;
pub mod init;
pub mod list;
pub mod log;
pub mod maintain;
pub mod man;
pub mod merge;
pub mod metrics;
pub mod mode;
pub mod moves;
pub mod next;
pub mod override_;
pub mod push;
pub mod ralph;
pub mod ralph_more;
pub mod reject;
pub mod reuse;
pub mod run;
pub mod show;
pub mod start;
pub mod status;
pub mod sync;
pub mod uninstall;
pub mod verdicts;
pub mod worktree;

pub use dispatch::{Command, run};
