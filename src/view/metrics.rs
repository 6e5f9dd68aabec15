//! What was done in a length of time, as `git orch metrics` shows it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::work::Work;

/// All figures. The order of the fields is the order in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MetricsView {
    /// The version of this object.
    pub schema: u32,
    /// From when on work is counted, RFC 3339; null: from the beginning.
    pub since: Option<String>,
    /// How many tasks have each status now.
    pub by_status: BTreeMap<String, u64>,
    /// How many tasks are of each kind now.
    pub by_kind: BTreeMap<String, u64>,
    /// How many could be taken now.
    pub ready: u64,
    /// The work of all.
    pub total: Work,
    /// The work of each actor, as `person:ann@example.com`.
    pub actors: BTreeMap<String, Work>,
}
