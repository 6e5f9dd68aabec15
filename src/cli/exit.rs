//! Exit codes: public, and the same table in code, in docs/exit-codes.md and in the man page.

use crate::domain::verdict::Word;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Done,
    /// What was judged or merged is not good.
    Failed,
    /// The command line can't be understood, or names nothing or too much.
    Usage,
    /// It could not be judged.
    Blocked,
    /// A rule, the policy or the mode forbids it.
    Refused,
    /// There is no task to take.
    NothingReady,
    /// Somebody else has it.
    Held,
    /// The remote could not be asked and had to be.
    Offline,
    /// The machine, the repository or the configuration is not as it has to be.
    Environment,
    /// We have a bug.
    Bug,
    /// Ctrl-C.
    Interrupted,
    /// The status of a command that was run for the user (`override`).
    Child(u8),
}

impl Exit {
    /// Every code of ours, in ascending order. `Child` is none of ours.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Blocked,
        Self::Refused,
        Self::NothingReady,
        Self::Held,
        Self::Offline,
        Self::Environment,
        Self::Bug,
        Self::Interrupted,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Blocked => 3,
            Self::Refused => 4,
            Self::NothingReady => 5,
            Self::Held => 6,
            Self::Offline => 7,
            Self::Environment => 8,
            Self::Bug => 70,
            Self::Interrupted => 130,
            Self::Child(status) => status,
        }
    }

    /// What it means, as the docs say it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; PASS",
            Self::Failed => {
                "FAIL; a merge conflict (`merge.conflict`); `doctor` found problems; a step failed"
            }
            Self::Usage => "usage; unknown or ambiguous id",
            Self::Blocked => "BLOCKED; could not be judged",
            Self::Refused => "refused by policy, mode (PAUSED, OFF) or rule; a dependency cycle",
            Self::NothingReady => "nothing ready",
            Self::Held => "held by another; claim lost; stale fence",
            Self::Offline => "offline and unconfirmed (only with `--require-confirmed`, or for `sync`)",
            Self::Environment => "environment or configuration; git failed for its own reason",
            Self::Bug => "our bug",
            Self::Interrupted => "interrupted",
            Self::Child(_) => "the status of the command that was run",
        }
    }

    /// The exit for a verdict.
    pub fn of_verdict(word: Word) -> Self {
        match word {
            Word::Pass => Self::Done,
            Word::Fail => Self::Failed,
            Word::Blocked => Self::Blocked,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_used_once() {
        let codes = Exit::ALL.map(Exit::code);
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    }
}
