//! How much was done.

use serde::Serialize;

/// How much was done, by one actor or by all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Claims, takeovers included.
    pub claims: u64,
    /// Tasks that were merged.
    pub merges: u64,
    /// Verdicts that were recorded.
    pub pass: u64,
    /// The same.
    pub fail: u64,
    /// The same.
    pub blocked: u64,
    /// Seconds from a task's claim to its merge, the middle one, of the tasks that were merged; null without any.
    /// An actor's are those of the tasks that the actor claimed.
    pub lead_p50: Option<u64>,
    /// The same, below which 95 of 100 are.
    pub lead_p95: Option<u64>,
}
