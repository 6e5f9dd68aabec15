//! The hooks that git-orch installs, and in what order each runs with what was there before.

use std::path::Path;

/// A hook that git-orch installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Before a commit is made; skipped by `--no-verify`.
    PreCommit,
    /// Before a commit is made, by whatever makes it; not skipped by `--no-verify`.
    PrepareCommitMsg,
    /// After the user has written the message; skipped by `--no-verify`.
    CommitMsg,
    /// Before a push, after git has opened the connection.
    PrePush,
    /// Around every change of a ref.
    ReferenceTransaction,
}

/// When our part runs, seen from the hook that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// After it.
    After,
    /// Before it: ours is a look-up in milliseconds, the other may run for minutes.
    Before,
}

/// What follows the name of a hook that was there before us.
pub const PREVIOUS: &str = ".orch-prev";

impl Hook {
    /// All of them, in the order of installation. `reference-transaction` is last, and goes first.
    pub const ALL: [Self; 5] =
        [Self::PreCommit, Self::PrepareCommitMsg, Self::CommitMsg, Self::PrePush, Self::ReferenceTransaction];

    /// Its name, as git spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PrepareCommitMsg => "prepare-commit-msg",
            Self::CommitMsg => "commit-msg",
            Self::PrePush => "pre-push",
            Self::ReferenceTransaction => "reference-transaction",
        }
    }

    /// The hook for a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.as_str() == name)
    }

    /// When our part runs.
    pub fn order(self) -> Order {
        match self {
            Self::PreCommit | Self::PrepareCommitMsg | Self::CommitMsg => Order::After,
            Self::PrePush | Self::ReferenceTransaction => Order::Before,
        }
    }
}

/// The name of the hook that a program was started as: the file's name up to its first dot.
///
/// Managers keep an older hook as `pre-commit.legacy` or `pre-commit.old` and call it under that name.
pub fn of_program(program: &Path) -> Option<String> {
    let name = program.file_name()?.to_str()?;
    let stem = name.split('.').next().unwrap_or(name);
    (!stem.is_empty()).then(|| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for hook in Hook::ALL {
            assert_eq!(Hook::parse(hook.as_str()), Some(hook));
        }
        assert_eq!(Hook::parse("post-commit"), None);
    }

    #[test]
    fn a_backup_name_is_still_the_hook() {
        assert_eq!(of_program(Path::new(".git/hooks/pre-commit.legacy")).as_deref(), Some("pre-commit"));
        assert_eq!(of_program(Path::new("pre-push")).as_deref(), Some("pre-push"));
        assert_eq!(of_program(Path::new("/")), None);
    }
}
