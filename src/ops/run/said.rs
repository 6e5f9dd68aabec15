//! What an agent printed in its last iteration on a task: `<common dir>/orch/said/<task>.log`, the end of it.
//!
//! Called by the loop, and by whoever shows a task: an agent that fails says why nowhere else. One file a task, for
//! its owner alone to read, which goes when the task is merged. Bounded, because an agent may print without end.

use std::collections::VecDeque;
use std::path::PathBuf;

use crate::domain::id::TaskId;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::sys::fs::{self, Durability};

const BYTES: usize = 256 * 1024;

/// The last lines of an agent.
#[derive(Debug, Default)]
pub(super) struct Said {
    lines: VecDeque<String>,
    bytes: usize,
    cut: bool,
}

impl Said {
    pub(super) fn line(&mut self, line: &str) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.bytes > BYTES && self.lines.len() > 1 {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len() + 1);
            self.cut = true;
        }
    }

    /// Writes it down, instead of what the iteration before said. None if it said nothing.
    pub(super) fn keep(&self, cx: &Ctx, id: &TaskId) -> Result<Option<PathBuf>, OpError> {
        if self.lines.is_empty() {
            forget(cx, id)?;
            return Ok(None);
        }
        let head = if self.cut { "[what came before is left out]\n" } else { "" };
        let text = self.lines.iter().fold(head.to_owned(), |text, line| text + line + "\n");
        fs::create_dir_all(&cx.file("said"))?;
        fs::write_atomic(&file(cx, id), text.as_bytes(), 0o600, Durability::None)?;
        Ok(Some(file(cx, id)))
    }
}

fn file(cx: &Ctx, id: &TaskId) -> PathBuf {
    cx.file("said").join(format!("{id}.log"))
}

/// Where the last words of a task's agent are, if there are any.
pub fn said(cx: &Ctx, id: &TaskId) -> Option<PathBuf> {
    Some(file(cx, id)).filter(|path| fs::exists(path))
}

/// The task is merged: nobody asks what its agent said.
pub(super) fn forget(cx: &Ctx, id: &TaskId) -> Result<(), OpError> {
    fs::remove_file_if_there(&file(cx, id))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let mut said = Said::default();
        for n in 0..BYTES {
            said.line(&format!("line {n}"));
        }
        assert!(said.cut && said.bytes <= BYTES, "{}", said.bytes);
        assert_eq!(said.lines.back().map(String::as_str), Some("line 262143"));
    }
}
