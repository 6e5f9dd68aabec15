//! Since when this clone knows that somebody wants to take a task over.
//!
//! The grace is counted by the clock of whoever takes over, from when it first saw the announcement: what another clone's
//! clock wrote may be minutes behind or years ahead. One small file for each task in `<common dir>/orch/told/`; without it
//! the grace begins anew.

use std::path::PathBuf;

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::sys::fs::{self, Durability};

fn path(cx: &Ctx, id: &TaskId) -> PathBuf {
    cx.file("told").join(id.as_str())
}

/// When this clone first saw the announcement `commit`: now, if it did not yet.
pub(super) fn seen(cx: &Ctx, id: &TaskId, commit: &Oid) -> Result<Timestamp, OpError> {
    let (path, now) = (path(cx, id), cx.clock.now());
    let text = fs::read_optional(&path)?.unwrap_or_default();
    let known = text.trim().split_once(' ').filter(|(seen, _)| *seen == commit.as_str());
    if let Some(at) = known.and_then(|(_, at)| at.parse().ok()).map(Timestamp::from_millis)
        && at <= now
    {
        return Ok(at);
    }
    fs::create_dir_all(&cx.file("told"))?;
    fs::write_atomic(&path, format!("{commit} {}\n", now.millis()).as_bytes(), 0o644, Durability::None)?;
    Ok(now)
}
