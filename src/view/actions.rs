//! What `init`, `uninstall` and `merge` did, one line each; or would do, with `--dry-run`.

use serde::Serialize;

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It was made, changed or removed.
    Made,
    /// It was right already, or was left as it is on purpose.
    Kept,
    /// It would be made, changed or removed.
    Planned,
    /// It could not be done, or needs a person's eye.
    Warned,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// What became of it.
    pub done: Done,
    /// The thing: `orch.toml`, `hooks`, `state`, ….
    pub what: String,
    /// In one line: what was done, or why not.
    pub detail: String,
}

/// All that was done, and what to type next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ActionsView {
    /// The things, in the order they were done.
    pub actions: Vec<Action>,
    /// Commands to go on with, most useful first.
    pub next: Vec<String>,
    /// Whether it is not complete without them.
    pub due: bool,
}

impl ActionsView {
    /// Adds one line.
    pub fn push(&mut self, done: Done, what: impl Into<String>, detail: impl Into<String>) {
        self.actions.push(Action { done, what: what.into(), detail: detail.into() });
    }
}
