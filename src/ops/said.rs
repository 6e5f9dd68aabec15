//! What an agent printed in its last iteration on a task: `<common dir>/orch/said/<task>.log`, the end of it.
//!
//! Called by the loop, and by whoever shows a task: an agent that fails says why nowhere else. One file a task, for
//! its owner alone to read, which goes with the merge; that of a task that was closed, or merged elsewhere, when the
//! next run begins and with `worktree prune`. Bounded, because an agent may print without end. A record for people:
//! that it can't be removed stops nobody.

use std::collections::VecDeque;
use std::path::PathBuf;

use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::ops::context::Ctx;
use crate::store::Snapshot;
use crate::sys::fs::{self, Durability, FsError};

const BYTES: usize = 256 * 1024;
/// Of one line: the end of the whole should be more than one.
const LINE_BYTES: usize = 16 * 1024;

/// The last lines of an agent.
#[derive(Debug, Default)]
pub(crate) struct Said {
    lines: VecDeque<String>,
    bytes: usize,
    cut: bool,
}

impl Said {
    pub(crate) fn line(&mut self, line: &str) {
        let mut kept = line.to_owned();
        if kept.len() > LINE_BYTES {
            let end = (0..=LINE_BYTES).rev().find(|end| kept.is_char_boundary(*end));
            kept.truncate(end.unwrap_or_default());
            kept.push('…');
        }
        self.bytes += kept.len() + 1;
        self.lines.push_back(kept);
        while self.bytes > BYTES {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len() + 1);
            self.cut = true;
        }
    }

    /// Writes it down, instead of what the iteration before said. None if it said nothing.
    pub(crate) fn keep(&self, cx: &Ctx, id: &TaskId) -> Result<Option<PathBuf>, FsError> {
        if self.lines.is_empty() {
            fs::remove_file_if_there(&file(cx, id))?;
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

/// Nobody asks any more what the task's agent said.
pub(crate) fn forget(cx: &Ctx, id: &TaskId) {
    if let Err(error) = fs::remove_file_if_there(&file(cx, id)) {
        tracing::debug!(%error, "an agent's last words are left behind");
    }
}

/// Forgets what was said about tasks that are done, closed or gone.
pub(crate) fn forget_ended(cx: &Ctx, snapshot: &Snapshot<'_>) {
    let files = fs::list(&cx.file("said")).unwrap_or_default();
    let ids =
        files.iter().filter_map(|path| TaskId::parse(path.file_name()?.to_str()?.strip_suffix(".log")?).ok());
    for id in ids {
        let ended = snapshot.task(&id).is_ok_and(|task| {
            task.is_none_or(|task| matches!(task.register.state, State::Done(_) | State::Closed(_)))
        });
        if ended {
            forget(cx, &id);
        }
    }
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

    #[test]
    fn a_long_line_leaves_room_for_others() {
        let mut said = Said::default();
        said.line("why");
        said.line(&"ü".repeat(BYTES));
        assert_eq!(said.lines.front().map(String::as_str), Some("why"));
        assert!(!said.cut && said.lines[1].ends_with("ü…") && said.bytes < 2 * LINE_BYTES, "{}", said.bytes);
    }
}
