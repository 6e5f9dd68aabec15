//! The one trait that every driver implements, what it is given and what it gives back.
//!
//! A driver classifies how the agent's process ended, never whether the work is good: that is Ralph's part.

use std::path::PathBuf;

use crate::agent::environment::AgentEnv;
use crate::domain::id::{SessionId, TaskId};
use crate::domain::oid::Oid;
use crate::sys::fs::FsError;
use crate::sys::held::Held;
use crate::sys::process::{Limits, ProcessError};

/// Runs an agent once on a task. One file a driver.
pub trait Driver: Send + Sync {
    /// What it is called in `orch.toml`, events and records.
    fn name(&self) -> &str;

    /// Whether it acts on what the prompt says. For one that does not, the same state gives the same result,
    /// and a retry with other words is pointless.
    fn prompts(&self) -> Prompts;

    /// Runs the agent to its end, or stops it at a limit with everything it started.
    fn run(
        &self,
        job: &Job<'_>,
        limits: &Limits,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Ending, AgentError>;
}

/// Whether a driver acts on what the prompt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompts {
    /// It does.
    Heeded,
    /// It does the same whatever the prompt says.
    Ignored,
}

/// One iteration's work for an agent.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The task.
    pub task: TaskId,
    /// The session it runs under.
    pub session: SessionId,
    /// Which iteration this is, from 1.
    pub iteration: u32,
    /// The task's worktree: absolute, and the agent's working directory.
    pub worktree: PathBuf,
    /// The task's branch, short.
    pub branch: String,
    /// The commit of trunk that the branch was cut from.
    pub base: Oid,
    /// The first port of the range that is the worktree's own.
    pub port_base: u16,
    /// Globs of the files that the task is about, relative to the worktree; empty when it names none.
    pub files: Vec<String>,
    /// The prompt's file: absolute, outside the worktree, read-only. See `prompt_file::write`.
    pub prompt_file: PathBuf,
    /// What the agent's environment starts from.
    pub env: AgentEnv,
    /// What the driver's programs are held to, if it runs the project's own; None: nothing holds them.
    pub held: Option<Held<'a>>,
}

/// How an agent's run ended. Its exit status is recorded, and is never a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status.
    Finished {
        /// The exit status.
        exit: i32,
    },
    /// By itself, without anything it could have done; why.
    NothingToDo(String),
    /// By a signal that was not ours.
    Crashed {
        /// The signal's number.
        signal: i32,
    },
    /// We stopped it at a limit.
    Stalled(Limit),
    /// We stopped it because somebody interrupted us.
    Interrupted,
    /// The program is not there or can't be executed; its name, or what the shell said.
    MissingProgram(String),
}

/// Which limit an agent ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// It printed nothing for too long.
    Idle,
    /// It took too long in all.
    Wall,
}

impl Ending {
    /// Whether the agent's surroundings are to blame, not its work: such an end, when nothing was changed,
    /// does not consume an iteration.
    pub fn is_infrastructure(&self) -> bool {
        match self {
            Self::Crashed { .. } | Self::Stalled(_) | Self::MissingProgram(_) | Self::Interrupted => true,
            Self::Finished { .. } | Self::NothingToDo(_) => false,
        }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Finished { exit } => write!(f, "finished (exit {exit})"),
            Self::NothingToDo(why) => write!(f, "had nothing to do: {why}"),
            Self::Crashed { signal } => write!(f, "killed by signal {signal}"),
            Self::Stalled(Limit::Idle) => f.write_str("stopped: it printed nothing for too long"),
            Self::Stalled(Limit::Wall) => f.write_str("stopped: it took too long"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::MissingProgram(what) => write!(f, "could not start: {what}"),
        }
    }
}

/// What happens while an agent runs, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A line that the agent printed on either stream.
    Line(String),
    /// Something that the driver has to say: what it runs, what it left out.
    Note(String),
    /// What the agent promised between `<promise>` and `</promise>`. Recorded, never trusted.
    Promise(String),
}

/// An agent could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The task's worktree is gone.
    #[error("the worktree {} is not there", .0.display())]
    NoWorktree(PathBuf),
    /// The prompt or a file that a driver looks at could not be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// A process could not be started or watched, for another reason than a missing program.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A glob in the task's `files` can't be read.
    #[error("`{glob}` in the task's files is not a glob")]
    Glob {
        /// The text.
        glob: String,
        /// What is wrong with it.
        #[source]
        source: globset::Error,
    },
}

/// The promises in a line of output, in order.
pub(crate) fn promises(line: &str) -> impl Iterator<Item = &str> {
    line.split("<promise>").skip(1).filter_map(|rest| Some(rest.split_once("</promise>")?.0.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_found_wherever_they_stand() {
        let all = |line| promises(line).collect::<Vec<_>>();
        assert_eq!(
            all("so: <promise>DONE</promise> and <promise> two words </promise>."),
            ["DONE", "two words"]
        );
        assert_eq!(all("<promise>half"), Vec::<&str>::new());
        assert_eq!(all("half</promise>"), Vec::<&str>::new());
    }
}
