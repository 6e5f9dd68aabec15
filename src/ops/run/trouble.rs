//! What an error means for a run. Pure.

use crate::git::GitError;
use crate::ops::error::{Because, OpError};
use crate::sys::process::ProcessError;

/// What an error means.
pub(super) enum Trouble {
    /// This task can't go on: a person has to look; why.
    Block(String),
    /// The task is somebody else's by now; what is known.
    Lost(String),
    /// The mode stops us.
    Mode,
    /// Somebody stopped it: nothing is wrong with the task.
    Stopped,
    /// It concerns every task: the run ends.
    Halt(OpError),
}

/// What `error`, which came up while one task was worked on, means.
pub(super) fn classify(error: OpError) -> Trouble {
    match error {
        OpError::Refused(refused) => match refused.because {
            _ if refused.rule == "mode" => Trouble::Mode,
            Because::Held if matches!(refused.rule, "task.fence" | "task.held") => {
                Trouble::Lost(refused.fact)
            }
            Because::Interrupted => Trouble::Stopped,
            Because::Environment | Because::Offline => Trouble::Halt(refused.into()),
            Because::Failed
            | Because::Held
            | Because::Usage
            | Because::Blocked
            | Because::Policy
            | Because::NothingReady => Trouble::Block(format!("{} ({})", refused.fact, refused.rule)),
        },
        // git said no: to something about this task, most likely. See `Board::is_trouble_for_all`.
        OpError::Process(error @ ProcessError::Failed { .. })
        | OpError::Git(GitError::Program(error @ ProcessError::Failed { .. })) => {
            Trouble::Block(error.to_string())
        }
        OpError::Git(error @ (GitError::RefLocked { .. } | GitError::Missing { .. })) => {
            Trouble::Block(error.to_string())
        }
        error @ (OpError::Config { .. }
        | OpError::Local(_)
        | OpError::Store(_)
        | OpError::Git(_)
        | OpError::Fs(_)
        | OpError::Process(ProcessError::Spawn { .. })
        | OpError::Lock(_)
        | OpError::Bug(_)) => Trouble::Halt(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::error::Refused;

    fn word(error: OpError) -> &'static str {
        match classify(error) {
            Trouble::Block(_) => "block",
            Trouble::Lost(_) => "lost",
            Trouble::Mode => "mode",
            Trouble::Stopped => "stopped",
            Trouble::Halt(_) => "halt",
        }
    }

    #[test]
    fn what_concerns_one_task_ends_that_task() {
        let refused = |because, rule| OpError::from(Refused::new(because, rule, "x"));
        assert_eq!(word(refused(Because::Policy, "worktree.tampered")), "block");
        assert_eq!(word(refused(Because::Held, "task.fence")), "lost");
        assert_eq!(word(refused(Because::Held, "branch.moved")), "block");
        assert_eq!(word(refused(Because::Policy, "mode")), "mode");
        assert_eq!(word(refused(Because::Environment, "merge.offline")), "halt");
        assert_eq!(word(refused(Because::Interrupted, "remote.interrupted")), "stopped");
        assert_eq!(word(OpError::Bug("x".into())), "halt");
        let locked = GitError::RefLocked { path: "x".into() };
        assert_eq!(word(locked.into()), "block");
    }
}
