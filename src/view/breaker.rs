//! What runs of the gate left in this clone: breakers of steps, and tests that flake.

use serde::Serialize;

/// A step that nobody tries for a while, because it could not be judged again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BreakerView {
    /// The step's name; `setup` for the commands before the steps.
    pub step: String,
    /// `open`: nobody tries it until `until`. `half_open`: the next run tries it.
    pub state: &'static str,
    /// How often in a row it was BLOCKED.
    pub in_a_row: u32,
    /// Why the last one was.
    pub reason: String,
    /// When it may be tried again, RFC 3339.
    pub until: String,
}

/// A test that failed and then passed on the same tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlakeView {
    /// The test's name, as the step's report has it.
    pub test: String,
    /// The step.
    pub step: String,
    /// How often the step ran since the test failed first; what was looked up is not counted.
    pub runs: u64,
    /// How often the test failed.
    pub failures: u64,
    /// How often it passed after it had failed on the same tree.
    pub flaked: u64,
    /// When the step ran last, RFC 3339.
    pub last_seen: String,
    /// Whether trunk's `orch.toml` has it in quarantine today.
    pub quarantined: bool,
}

/// All that `git orch ralph flakes` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlakesView {
    /// The version of this object.
    pub schema: u32,
    /// The tests, the most often first.
    pub flakes: Vec<FlakeView>,
}
