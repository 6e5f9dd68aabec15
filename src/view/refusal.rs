//! A refusal or an error under `--json`: `{"error":{"code","rule","fact","next"}}`.

use serde::Serialize;

/// What is printed on stdout instead of the data that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusalView {
    /// All of it.
    pub error: RefusalBody,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusalBody {
    /// The process's exit code.
    pub code: i32,
    /// The rule that refused; null for an error that no rule decided.
    pub rule: Option<String>,
    /// What is the case.
    pub fact: String,
    /// What to type next, most useful first.
    pub next: Vec<String>,
}
