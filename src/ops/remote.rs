//! What goes over the network: bringing trunk up to date.

use std::time::Duration;

use crate::config::StateSync;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::sys::fs::{self, Durability};
use crate::sys::lock::FileLock;

/// How bringing trunk up to date ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// There is nothing to fetch from, or it is switched off.
    NotNeeded,
    /// The tracking ref is what the remote has.
    Fresh,
    /// The remote could not be reached; what git said.
    Offline(String),
}

/// Fetches trunk from its remote, unless another process of this clone did since `started`.
pub(crate) fn fetch_trunk(cx: &Ctx, trunk: &Trunk) -> Result<Fetched, OpError> {
    let (Some(remote), Some(tracking)) = (&trunk.remote, &trunk.tracking_ref) else {
        return Ok(Fetched::NotNeeded);
    };
    if cx.local.sync == StateSync::Manual {
        return Ok(Fetched::NotNeeded);
    }
    let stamp = cx.file("fetched");
    let asked = cx.clock.now();
    let _lock = FileLock::acquire(&cx.file("fetch.lock"), Duration::from_secs(60), cx.clock)?;
    let last = fs::read_optional(&stamp)?.and_then(|text| text.trim().parse::<i64>().ok());
    if last.is_some_and(|last| last >= asked.millis()) {
        return Ok(Fetched::Fresh);
    }
    let began = cx.clock.now();
    let output = cx
        .repo
        .git(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"])
        .args(["--refmap=", remote.as_str(), &format!("+refs/heads/{}:{tracking}", trunk.name)])
        .env("GIT_TERMINAL_PROMPT", "0")
        .run()?;
    if output.status.success() {
        fs::write_atomic(&stamp, format!("{}\n", began.millis()).as_bytes(), 0o644, Durability::None)?;
        return Ok(Fetched::Fresh);
    }
    // An empty remote has no trunk yet: nothing is wrong, and there is nothing to bring.
    if output.stderr.contains("couldn't find remote ref") {
        return Ok(Fetched::Fresh);
    }
    Ok(Fetched::Offline(output.stderr))
}

/// Makes the next `fetch_trunk` fetch: the remote is known to have moved.
pub(crate) fn forget_fetch(cx: &Ctx) -> Result<(), OpError> {
    fs::remove_file_if_there(&cx.file("fetched"))?;
    Ok(())
}
