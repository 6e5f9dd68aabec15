//! How much of a task's budget is used up: `<common dir>/orch/spent/<task>`, so that a run that is killed, or stopped
//! again and again, does not give the task its whole budget anew.

use std::path::PathBuf;

use crate::domain::id::TaskId;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::sys::fs;

fn file(cx: &Ctx, id: &TaskId) -> PathBuf {
    cx.file("spent").join(id.as_str())
}

/// How many iterations are used up where the task goes on from a session that died; a task from the queue begins anew.
pub(super) fn begin(cx: &Ctx, id: &TaskId, goes_on: bool) -> Result<u32, OpError> {
    if goes_on {
        let text = fs::read_optional(&file(cx, id))?;
        return Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(0));
    }
    forget(cx, id)?;
    Ok(0)
}

/// Writes down that `used` are.
pub(super) fn keep(cx: &Ctx, id: &TaskId, used: u32) -> Result<(), OpError> {
    fs::create_dir_all(&cx.file("spent"))?;
    Ok(fs::write_atomic(&file(cx, id), format!("{used}\n").as_bytes(), 0o644, cx.durability())?)
}

/// The task came to its end: whoever takes it up again begins anew.
pub(super) fn forget(cx: &Ctx, id: &TaskId) -> Result<(), OpError> {
    fs::remove_file_if_there(&file(cx, id))?;
    Ok(())
}
