//! What a change does to a file, line by line.

use crate::policy::commit::ChangeKind;

/// A line that is added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1: in the new file if it is added, in the old one if it is removed.
    pub number: u32,
    /// Its text without the line's end; perhaps cut, if it is very long.
    pub text: String,
}

/// What a change does to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file's path after the change (before it, for deletions), with `/`.
    pub path: String,
    /// What happens to it.
    pub kind: ChangeKind,
    /// The lines added, in order; none of a binary file.
    pub added: Vec<Line>,
    /// The lines removed, in order; none of a binary file.
    pub removed: Vec<Line>,
    /// Whether it has new content that is no text.
    pub binary: bool,
    /// How many bytes it has after the change; 0 if it is deleted.
    pub size: u64,
    /// How many bytes it had before; 0 if it is new.
    pub old_size: u64,
}

impl Change {
    /// Its path before the change; for a new file the one that it gets.
    pub fn old_path(&self) -> &str {
        match &self.kind {
            ChangeKind::Renamed { from } => from,
            ChangeKind::Added | ChangeKind::Modified | ChangeKind::Deleted => &self.path,
        }
    }
}

/// The lines in runs without a gap.
pub(super) fn runs(lines: &[Line]) -> impl Iterator<Item = &[Line]> {
    lines.chunk_by(|one, next| one.number.checked_add(1) == Some(next.number))
}
