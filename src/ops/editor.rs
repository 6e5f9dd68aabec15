//! git's editor, for titles and bodies.

use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::sys::fs::{self, Durability};
use crate::sys::process::{Cmd, quote};
use crate::sys::random;

/// Opens `text` in the editor that git would use and returns what was saved.
pub fn edit(cx: &Ctx, text: &str) -> Result<String, OpError> {
    let dir = cx.repo.orch_dir();
    fs::create_dir_all(&dir)?;
    // One for each editor: two may be open at once.
    let path = dir.join(format!("EDIT_TASK-{:010x}.md", random::bits40()));
    fs::write_atomic(&path, text.as_bytes(), 0o600, Durability::None)?;
    let editor = cx.repo.git_as_user(&cx.cwd, ["var", "GIT_EDITOR"]).run()?.checked()?.text();
    // As git does: the value is a shell command, the file its argument.
    let line = format!("{editor} {}", quote(&path.display().to_string()));
    let status = Cmd::shell(&line, &cx.cwd, &cx.env).run_attached()?;
    let edited = fs::read_string(&path)?;
    if !status.success() {
        let mut refused =
            Refused::new(Because::Usage, "edit.editor", format!("the editor ended with {status}"))
                .next("git orch edit TASK --title TITLE --body TEXT   (nothing was changed)");
        if edited == text {
            fs::remove_file(&path)?;
        } else {
            refused = refused.next(format!("what you wrote is in {}", path.display()));
        }
        return Err(refused.into());
    }
    fs::remove_file(&path)?;
    Ok(edited)
}
