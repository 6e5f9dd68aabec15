//! What `git orch edit ID` opens in the editor, and how it is read back: the title, an empty line, the body,
//! and below the scissors line what is only there to be read.

use crate::domain::draft::{self, TitleError};
use crate::view::TaskView;

const SCISSORS: &str = "# ------------------------ >8 ------------------------";

/// What came back from the editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The new title.
    pub title: String,
    /// The new body; may be empty.
    pub body: String,
}

/// What came back can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditTextError {
    /// Everything was deleted, which is how a person gives up.
    #[error("nothing was left in the editor; the task is as it was")]
    Aborted,
    /// The first line is no title.
    #[error("line 1: {0}")]
    Title(#[from] TitleError),
}

/// The text to edit.
pub fn edit_text(task: &TaskView) -> String {
    let body = if task.body.is_empty() { String::new() } else { format!("\n{}\n", task.body.trim_end()) };
    format!(
        "{title}\n{body}\n{SCISSORS}\n\
         # The first line is the title, the rest the body (Markdown). This line and all below it are left\n\
         # out. Delete everything to leave the task as it was. Other fields: git orch edit -h\n\
         #\n# {kind} {id} {priority}\n",
        title = task.title,
        kind = task.kind,
        id = task.id,
        priority = task.priority,
    )
}

/// Reads what the editor left.
pub fn read_edit_text(text: &str) -> Result<Edited, EditTextError> {
    let mut kept =
        text.lines().take_while(|line| line.trim_end() != SCISSORS).skip_while(|l| l.trim().is_empty());
    let first = kept.next().ok_or(EditTextError::Aborted)?;
    let body = kept.collect::<Vec<_>>().join("\n");
    Ok(Edited { title: draft::title(first)?, body: body.trim_matches('\n').trim_end().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::task::tests::sample;

    #[test]
    fn what_was_not_touched_comes_back_as_it_was() {
        for body in ["", "One.", "# A heading\n\n- a\n  - b\n\nEnd."] {
            let mut view = TaskView::new(&sample(7, "Fix it"), true, None);
            view.body = body.to_owned();
            let edited = read_edit_text(&edit_text(&view)).unwrap();
            assert_eq!((edited.title.as_str(), edited.body.as_str()), ("Fix it", body));
        }
    }

    #[test]
    fn an_empty_file_gives_up_and_a_long_title_is_refused() {
        assert_eq!(read_edit_text(&format!("\n\n{SCISSORS}\nx\n")), Err(EditTextError::Aborted));
        assert!(matches!(read_edit_text(&"x".repeat(500)), Err(EditTextError::Title(_))));
    }
}
