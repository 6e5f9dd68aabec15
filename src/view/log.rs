//! The audit: who changed what, as the state's history tells it.

use serde::Serialize;

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// When, RFC 3339.
    pub at: String,
    /// The change's id.
    pub change: String,
    /// Who, as `person:ann@example.com`.
    pub actor: String,
    /// What was done: `task.claim`, ….
    pub action: String,
    /// To what.
    pub subject: String,
    /// Why, if a reason was given.
    pub cause: Option<String>,
    /// The commit of the state's history that records it.
    pub commit: String,
}

/// Changes, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogView {
    /// The changes.
    pub entries: Vec<LogEntry>,
}
