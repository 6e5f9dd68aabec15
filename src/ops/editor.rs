//! git's editor, for titles and bodies.

use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::sys::fs::{self, Durability};
use crate::sys::process::{Cmd, quote};

/// Opens `text` in the editor that git would use and returns what was saved.
pub fn edit(cx: &Ctx, text: &str) -> Result<String, OpError> {
    let dir = cx.repo.orch_dir();
    fs::create_dir_all(&dir)?;
    let path = dir.join("EDIT_TASK.md");
    fs::write_atomic(&path, text.as_bytes(), 0o600, Durability::None)?;
    let editor = cx.repo.git_as_user(&cx.cwd, ["var", "GIT_EDITOR"]).run()?.checked()?.text();
    // As git does: the value is a shell command, the file its argument.
    let line = format!("{editor} {}", quote(&path.display().to_string()));
    let status = Cmd::shell(&line, &cx.cwd, &cx.env).run_attached()?;
    let edited = fs::read_string(&path)?;
    fs::remove_file(&path)?;
    if !status.success() {
        return Err(Refused::new(Because::Usage, "edit.editor", format!("the editor ended with {status}"))
            .next("nothing was changed; give --title and --body instead")
            .into());
    }
    Ok(edited)
}
