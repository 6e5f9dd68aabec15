//! The audit trail: who changed what, newest first.

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::store::{self, AuditEntry};

/// One recorded change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The commit of the state's history that it is in.
    pub commit: Oid,
    /// When.
    pub at: Timestamp,
    /// What, by whom, to what, why.
    pub entry: AuditEntry,
}

/// The last `limit` changes; with `task`, those of its own and those made on its behalf.
pub fn log(cx: &Ctx, limit: usize, task: Option<&TaskId>) -> Result<Vec<Logged>, OpError> {
    let tip = cx.snapshot()?.commit().clone();
    let subject = task.map(|id| format!("task/{id}"));
    let wanted = |entry: &AuditEntry| match &subject {
        Some(subject) => entry.subject == *subject || entry.cause == *subject,
        None => true,
    };
    let found = store::audit_where(&cx.repo, &tip, limit, wanted)?;
    let logged = |(commit, seconds, entry): (Oid, i64, AuditEntry)| Logged {
        commit,
        at: Timestamp::from_millis(seconds.saturating_mul(1000)),
        entry,
    };
    Ok(found.into_iter().map(logged).collect())
}
