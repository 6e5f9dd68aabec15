//! Records of steps that nobody takes any more.

use crate::domain::plural::plural;
use crate::domain::time::Timestamp;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::policy::grant::Action;
use crate::store::{Change, Snapshot};

/// Those that were made before go; None: it can't be told, for trunk's `orch.toml` can't be used. What trunk's gate would still
/// take stays, however soon the rest is archived.
fn before(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<Option<Timestamp>, OpError> {
    let config = match cx.config(&cx.trunk(snapshot)?) {
        Err(OpError::Config { .. }) => return Ok(None),
        config => config?,
    };
    let after = cx.local.archive_after.millis().max(config.ralph.max_age.millis());
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    Ok(Some(cx.clock.now().plus_millis(after.saturating_neg())))
}

/// How many could go now.
pub(super) fn due(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<usize, OpError> {
    let Some(before) = before(cx, snapshot)? else { return Ok(0) };
    Ok(snapshot.steps_before(before)?.len())
}

/// Lets them go; says how many.
pub(super) fn prune(cx: &Ctx) -> Result<usize, OpError> {
    let Some(before) = before(cx, &cx.snapshot()?)? else { return Ok(0) };
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
