//! What `git orch doctor` looked at and found.

use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Nothing to do.
    Ok,
    /// Worth knowing; nothing is broken.
    Note,
    /// Something is wrong.
    Problem,
    /// Something was wrong and `--fix` repaired it.
    Fixed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckView {
    /// What was looked at: `state`, `hooks`, `worktrees`, ….
    pub name: String,
    /// How it ended.
    pub state: CheckState,
    /// What is the case.
    pub what: String,
    /// Where: a path, a ref, an object.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// What to type.
    pub next: Option<String>,
}

/// All checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DoctorView {
    /// The checks, in the order they were made.
    pub checks: Vec<CheckView>,
}

impl DoctorView {
    /// How many checks ended in `state`.
    pub fn count(&self, state: CheckState) -> usize {
        self.checks.iter().filter(|c| c.state == state).count()
    }
}
