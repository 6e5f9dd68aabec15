//! Where the repository stands: mode, trunk, queue, yours, worktrees, hooks.

use serde::Serialize;

use crate::domain::task::State;
use crate::domain::verdict::Word;
use crate::view::{BreakerView, TaskView, WorktreeView, words};

/// How many tasks have each status. The order of the fields is that of a task's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// In the queue.
    pub open: usize,
    /// Somebody works on them.
    pub claimed: usize,
    /// Wait for something outside the queue.
    pub blocked: usize,
    /// Passed; wait for a person.
    pub review: usize,
    /// At the merge gate.
    pub merging: usize,
    /// Merged.
    pub done: usize,
    /// Given up.
    pub closed: usize,
}

impl Counts {
    /// Counts one more task in `state`.
    pub fn add(&mut self, state: &State) {
        let count = match state {
            State::Open => &mut self.open,
            State::Claimed(_) => &mut self.claimed,
            State::Blocked(_) => &mut self.blocked,
            State::Review => &mut self.review,
            State::Merging(_) => &mut self.merging,
            State::Done(_) => &mut self.done,
            State::Closed(_) => &mut self.closed,
        };
        *count += 1;
    }

    /// From each status word with its count; other words are ignored.
    pub fn of(pairs: &[(&str, usize)]) -> Self {
        let count = |word: &str| pairs.iter().find(|(name, _)| *name == word).map_or(0, |(_, n)| *n);
        Self {
            open: count("open"),
            claimed: count("claimed"),
            blocked: count("blocked"),
            review: count("review"),
            merging: count("merging"),
            done: count("done"),
            closed: count("closed"),
        }
    }

    /// Each status word with its count, in the order of a task's life.
    pub fn pairs(&self) -> [(&'static str, usize); 7] {
        [
            ("open", self.open),
            ("claimed", self.claimed),
            ("blocked", self.blocked),
            ("review", self.review),
            ("merging", self.merging),
            ("done", self.done),
            ("closed", self.closed),
        ]
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.pairs().iter().map(|(_, n)| n).sum()
    }
}

/// Whether git asks us before it commits, pushes and moves trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HooksState {
    /// All hooks are there and ours.
    Enforced,
    /// There are none of ours.
    NotInstalled,
    /// Some are missing or were overwritten.
    Partial,
    /// A manager's tracked hooks directory is in force, which we never write.
    NotEnforced,
    /// Switched off in this clone by `git config orch.hooks off`.
    Off,
}

/// The hooks' state with the fact behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HooksView {
    /// The state.
    pub state: HooksState,
    /// What is missing, or who owns the directory.
    pub detail: Option<String>,
}

/// All that `git orch status` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// The version of this object.
    pub schema: u32,
    /// `NORMAL`, `PAUSED`, `SAFE` or `OFF`.
    pub mode: &'static str,
    /// Why the mode was set, if it was.
    pub reason: Option<String>,
    /// The protected branch's short name.
    pub trunk: String,
    /// Whether trunk has a gate to judge by.
    pub gate: bool,
    /// The verdict on trunk's tree under its own gate; null when there is none yet.
    #[serde(serialize_with = "words::optional_verdict")]
    pub verdict: Option<Word>,
    /// The remote that arbitrates; null without one.
    pub remote: Option<String>,
    /// How many tasks have each status.
    pub counts: Counts,
    /// How many of the open ones are ready.
    pub ready: usize,
    /// The task that `next` would take.
    pub next: Option<TaskView>,
    /// The tasks that this clone's user holds.
    pub yours: Vec<TaskView>,
    /// Worktrees of tasks.
    pub worktrees: Vec<WorktreeView>,
    /// The hooks.
    pub hooks: HooksView,
    /// What is wrong, one line each.
    pub problems: Vec<String>,
    /// Steps that `git orch run` waits for, because they were BLOCKED again and again.
    pub breakers: Vec<BreakerView>,
}
