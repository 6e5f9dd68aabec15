//! The loop: takes ready tasks, lets agents iterate against Ralph, and hands what passes to the merge gate or to
//! review.
//!
//! Called by `git orch run`. Wires queue, worktrees, agents, the orchestrator's commit, Ralph and the merge gate;
//! decides nothing of its own about work: that is `agent::wiggum`'s. One thread a task, each with a repository
//! handle of its own; the caller's thread hands events on and watches interrupts and the mode.
//!
//! # Invariants
//!
//! - A task is this run's from its claim to its end (merged, review, blocked), or the claim stays in the state with
//!   this session's name. A session is alive as long as its process holds `live/<session>`: whatever a killed run
//!   held is taken over by the next one, with its branch and worktree.
//! - What is in a worktree that changes hands is kept first (`refs/orch/backup/wip/<id>`).
//! - A failure of one task's own ends that task; a failure of what all tasks share ends the run, and tasks keep
//!   their claims, so that the same command goes on when it is mended.
//! - Nothing that an agent prints or returns changes a task's state.
//!
//! Deliberately absent: words for the terminal, exit codes, claims across clones, cost.

mod agents;
mod board;
mod desk;
mod finish;
mod iterate;
mod options;
mod program;
mod record;
mod resume;
mod session;
mod shared;
mod spent;
mod tell;
mod trouble;
mod waiting;
mod worker;

pub use finish::out_of_conflict;
pub use options::{Ended, RunOptions, RunReport, Stopped};
pub use session::run;
