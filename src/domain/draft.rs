//! What a person or a file asks to be added to the queue, before it has an id.

use crate::domain::id::IdPrefix;
use crate::domain::kind::{Kind, Priority};
use crate::domain::role::Role;

/// A title can't be stored: it is what lists, branches and commit subjects show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TitleError {
    /// Nothing but white space.
    #[error("a title can't be empty")]
    Empty,
    /// More than one line, or characters that would control a terminal.
    #[error("a title is one line without control characters")]
    NotOneLine,
    /// Longer than `TITLE_CHARS`.
    #[error("a title has at most {TITLE_CHARS} characters, this one has {0}; put the rest into the body")]
    TooLong(usize),
}

/// The most characters that a title may have.
pub const TITLE_CHARS: usize = 200;

/// Checks a title and takes the white space around it off.
pub fn title(text: &str) -> Result<String, TitleError> {
    let text = text.trim();
    let chars = text.chars().count();
    if text.is_empty() {
        return Err(TitleError::Empty);
    }
    if text.chars().any(char::is_control) {
        return Err(TitleError::NotOneLine);
    }
    if chars > TITLE_CHARS { Err(TitleError::TooLong(chars)) } else { Ok(text.to_owned()) }
}

/// A task that another one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// One of the queue, as a person abbreviates it.
    Task(IdPrefix),
    /// One of the same batch: its position, from 0.
    Sibling(usize),
}

/// A task to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What sort of work.
    pub kind: Kind,
    /// One line, checked by `title`.
    pub title: String,
    /// The rest of the description, Markdown; may be empty.
    pub body: String,
    /// How urgent.
    pub priority: Priority,
    /// The role that should do it, if not the kind's own.
    pub role: Option<Role>,
    /// Free words to filter by.
    pub labels: Vec<String>,
    /// Tasks that must be merged first.
    pub needs: Vec<Need>,
    /// Globs of the files it is about.
    pub files: Vec<String>,
    /// What must hold when it is done, in order.
    pub acceptance: Vec<String>,
    /// The line that it was read from, if it was in a file.
    pub line: Option<usize>,
}

impl Draft {
    /// A bug of the default priority with nothing but a title, which must have been checked.
    pub fn new(title: String) -> Self {
        Self {
            kind: Kind::Bug,
            title,
            body: String::new(),
            priority: Priority::default(),
            role: None,
            labels: Vec::new(),
            needs: Vec::new(),
            files: Vec::new(),
            acceptance: Vec::new(),
            line: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_printable_line() {
        assert_eq!(title("  Fix it "), Ok("Fix it".to_owned()));
        assert_eq!(title(" \t"), Err(TitleError::Empty));
        assert_eq!(title("a\nb"), Err(TitleError::NotOneLine));
        assert_eq!(title("a\u{1b}[2J"), Err(TitleError::NotOneLine));
        assert_eq!(title(&"x".repeat(201)), Err(TitleError::TooLong(201)));
        assert_eq!(title(&"ü".repeat(200)).map(|t| t.chars().count()), Ok(200));
    }
}
