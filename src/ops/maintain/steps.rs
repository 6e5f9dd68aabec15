//! Records of steps that nobody takes any more.

use crate::domain::plural::plural;
use crate::domain::time::Timestamp;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::policy::grant::Action;
use crate::store::{Change, Snapshot};

/// Those that were made before go.
fn before(cx: &Ctx) -> Timestamp {
    let after = i64::try_from(cx.local.archive_after.millis()).unwrap_or(i64::MAX);
    cx.clock.now().plus_millis(after.saturating_neg())
}

/// How many could go now.
pub(super) fn due(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<usize, OpError> {
    Ok(snapshot.steps_before(before(cx))?.len())
}

/// Lets them go; says how many.
pub(super) fn prune(cx: &Ctx) -> Result<usize, OpError> {
    let before = before(cx);
    let (count, _) = cx.store().transact(&cx.author(), Action::Queue, |edit| {
        let count = edit.snapshot().steps_before(before)?.len();
        let change = Change {
            action: "state.prune",
            subject: "state".to_owned(),
            cause: "maintain".to_owned(),
            note: Some(format!("{} from before {before}", plural(count, "step record"))),
        };
        edit.prune_steps(before, change)?;
        Ok::<_, OpError>(count)
    })?;
    Ok(count)
}
