//! Agents: how one is started, watched and told what to do, and what is decided after each iteration.
//!
//! Called by `ops`, which owns the loop around it. May start processes in a task's worktree and write prompt
//! files; never touches git or the state. Invariants: an agent's exit status and promises are recorded and
//! never a verdict; nothing that an agent started outlives its run in its process group; the decision after
//! an iteration (`wiggum`) and the choice of what may be committed (`commit_filter`) are pure.
//! Deliberately absent: the gate, the queue, worktrees, commits (`ops` wires them), and the sandbox.

pub mod autofix;
pub mod command;
pub mod commit_filter;
pub mod driver;
pub mod environment;
pub mod failing;
pub mod letters;
pub mod prompt;
pub mod prompt_file;
pub mod render;
pub(crate) mod secrets;
pub mod wiggum;
