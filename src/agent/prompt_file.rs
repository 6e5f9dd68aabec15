//! Where prompts are kept: `<common dir>/orch/prompts/<session>/<task>-<n>.md`, read-only, outside every
//! worktree, so that no agent commits or edits what it was told.

use std::path::{Path, PathBuf};

use crate::domain::id::{SessionId, TaskId};
use crate::sys::fs::{self, Durability, FsError};

/// The path of the prompt for iteration `n` (from 1) of `task` in `session`.
pub fn path(common_dir: &Path, session: &SessionId, task: &TaskId, n: u32) -> PathBuf {
    common_dir.join("orch/prompts").join(session.as_str()).join(format!("{task}-{n}.md"))
}

/// Writes a prompt at `path`, for its owner to read only. One that is there already is replaced: an
/// iteration that is repeated after a crash is told what holds now.
pub fn write(path: &Path, text: &str) -> Result<(), FsError> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write_atomic(path, text.as_bytes(), 0o400, Durability::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_prompt_is_read_only_and_can_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path(), &SessionId::from_bits(1), &TaskId::from_bits(2), 3);
        assert!(path.ends_with("orch/prompts/00000001/00000002-3.md"));
        write(&path, "one").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(fs::read_string(&path).unwrap(), "two");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o400);
    }
}
