//! Letting the old history go, here and on the remote.
//!
//! The remote is asked first, so that what others did is in the history whose audit is kept, and told afterwards, by a
//! push with a lease. Who pushed in between is joined by content, see `store`. With `orch.sync = manual` nothing travels:
//! the next `git orch sync` tells the remote.

use crate::domain::time::Timestamp;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::people;
use crate::ops::sync::{self, Options};
use crate::policy::grant::{self, Action};
use crate::store::{Squashed, TransactError, Young};

fn floor(cx: &Ctx) -> Timestamp {
    let offline = i64::try_from(cx.local.max_offline.millis()).unwrap_or(i64::MAX);
    cx.clock.now().plus_millis(offline.saturating_neg())
}

fn too_young(cx: &Ctx, Young(newest): Young) -> OpError {
    let fact = format!(
        "the newest change of the state is of {newest}; a clone that was offline for up to {} may not know it",
        cx.local.max_offline
    );
    Refused::new(Because::Policy, "squash.young", fact)
        .next("git orch sync   (in every clone)")
        .next("git config orch.maxOffline 0s   (when no clone has been offline since)")
        .into()
}

/// How many commits would go.
pub(super) fn look(cx: &Ctx) -> Result<usize, OpError> {
    cx.store().squashable(floor(cx))?.map_err(|young| too_young(cx, young))
}

/// Lets them go.
pub(super) fn squash(cx: &Ctx) -> Result<Squashed, OpError> {
    people::refuse_agents(cx, "let the state's history go")?;
    let mode = cx.snapshot()?.control()?.mode;
    grant::permit(mode, Action::Queue).map_err(TransactError::<OpError>::Mode)?;
    let travels = sync::arbiter(cx).is_some();
    if travels {
        sync::sync(cx, None, Options::default())?;
    }
    let squashed = cx.store().squash(&cx.author(), floor(cx))?.map_err(|young| too_young(cx, young))?;
    if travels {
        sync::sync(cx, None, Options::default())?;
    }
    Ok(squashed)
}
