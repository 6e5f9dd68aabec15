//! Why an operation did not do what it was asked: a refusal with its rule, fact and way out, or a failure of
//! something below.

use crate::config::{ConfigProblem, LocalError};
use crate::domain::id::IdError;
use crate::domain::task::Refusal;
use crate::git::GitError;
use crate::policy::grant::ModeRefusal;
use crate::store::{StoreError, TransactError};
use crate::sys::fs::FsError;
use crate::sys::lock::LockError;
use crate::sys::process::ProcessError;

/// What sort of refusal it is; the surface gives each its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The verdict is FAIL, or the branches conflict.
    Failed,
    /// The request names nothing, or more than one thing.
    Usage,
    /// It could not be judged.
    Blocked,
    /// Policy, the mode or a rule forbids it.
    Policy,
    /// Nothing is ready.
    NothingReady,
    /// Another holds it, or the caller's claim is lost or stale.
    Held,
    /// The remote could not be asked, and was needed.
    Offline,
    /// Somebody stopped it.
    Interrupted,
    /// The environment or the configuration is not as it has to be.
    Environment,
}

/// A refusal: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fact}")]
pub struct Refused {
    /// What sort.
    pub because: Because,
    /// The rule's id, e.g. `task.held`.
    pub rule: &'static str,
    /// What is the case: a sentence fragment in lower case.
    pub fact: String,
    /// What to type next, most likely first; explanations or commands.
    pub next: Vec<String>,
}

impl Refused {
    /// A refusal without a way out yet.
    pub fn new(because: Because, rule: &'static str, fact: impl Into<String>) -> Self {
        Self { because, rule, fact: fact.into(), next: Vec::new() }
    }

    /// Adds a way out.
    #[must_use]
    pub fn next(mut self, line: impl Into<String>) -> Self {
        self.next.push(line.into());
        self
    }
}

/// Why an operation did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// `orch.toml` has problems.
    #[error("{} on {origin} can't be used", crate::config::FILE)]
    Config {
        /// Where it was read.
        origin: String,
        /// All of them.
        problems: Vec<ConfigProblem>,
    },
    /// A `git config orch.*` value can't be used.
    #[error("git's configuration can't be used")]
    Local(Vec<LocalError>),
    /// The state failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The repository failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A child process could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A lock could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Something that must hold does not: our bug.
    #[error("BUG: {0}")]
    Bug(String),
}

impl From<IdError> for Refused {
    fn from(e: IdError) -> Self {
        Self::new(Because::Usage, "id.malformed", e.to_string()).next("git orch list")
    }
}

impl From<IdError> for OpError {
    fn from(e: IdError) -> Self {
        Self::Refused(e.into())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let fact = refusal.to_string();
        match refusal {
            Refusal::Held { id, .. } => {
                Self::new(Because::Held, "task.held", fact).next(format!("git orch show {id}"))
            }
            Refusal::StaleFence { id, .. } => {
                Self::new(Because::Held, "task.fence", fact).next(format!("git orch show {id}"))
            }
            Refusal::WrongState { id, status, verb, .. } => {
                let refused = Self::new(Because::Policy, "task.state", fact);
                match (status, verb) {
                    ("done" | "closed", "claimed" | "blocked") => {
                        refused.next(format!("git orch reopen {id}   (if there is more to do)"))
                    }
                    ("blocked", "claimed") => refused.next(format!("git orch unblock {id}")),
                    _ => refused,
                }
                .next(format!("git orch show {id}"))
            }
        }
    }
}

impl From<Refusal> for OpError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<ModeRefusal> for Refused {
    fn from(refusal: ModeRefusal) -> Self {
        Self::new(Because::Policy, "mode", refusal.to_string())
            .next("git orch mode   # shows who set it and why")
            .next("git orch mode normal   (a person, once the reason is gone)")
    }
}

impl From<TransactError<Self>> for OpError {
    fn from(error: TransactError<Self>) -> Self {
        match error {
            TransactError::Refused(inner) => inner,
            TransactError::Mode(refusal) => Self::Refused(refusal.into()),
            TransactError::Store(error) => Self::Store(error),
        }
    }
}
