//! Fills the embedded templates. Every context is a struct here or in `prompt`; a name that a template uses
//! and its context lacks is an error, which the tests find.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::domain::task::Task;

/// A template could not be filled. For an embedded template this is our bug.
#[derive(Debug, thiserror::Error)]
#[error("the template `{name}` can't be filled")]
pub struct RenderError {
    /// Which template.
    pub name: &'static str,
    /// What is wrong with it, with its line.
    #[source]
    pub source: minijinja::Error,
}

/// What templates know of a task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskText {
    /// Its id.
    pub id: String,
    /// Its kind's word.
    pub kind: String,
    /// One line.
    pub title: String,
    /// `P0` to `P4`.
    pub priority: String,
    /// Markdown, without empty lines at either end; may be empty.
    pub body: String,
    /// What must hold when it is done.
    pub acceptance: Vec<String>,
    /// Globs of the files it is about.
    pub files: Vec<String>,
    /// Why a person sent the work back; empty if nobody did.
    pub rejected: String,
}

impl TaskText {
    /// A task as templates see it.
    pub fn of(task: &Task) -> Self {
        Self {
            id: task.id.to_string(),
            kind: task.kind.value.as_str().to_owned(),
            title: one_line(&task.title.value),
            priority: task.priority.value.as_str().to_owned(),
            body: plain(&task.body.value),
            acceptance: task.acceptance.value.iter().map(|line| one_line(line)).collect(),
            files: task.files.iter().map(|glob| one_line(glob)).collect(),
            rejected: task.rejected.as_ref().map_or_else(String::new, |own| plain(&own.value.reason)),
        }
    }
}

/// `text` without colours and other control characters, which would reach a person's terminal, and without
/// empty lines at either end.
pub(crate) fn plain(text: &str) -> String {
    let stripped = anstream::adapter::strip_str(text).to_string();
    let kept: String = stripped.chars().filter(|&c| c == '\n' || c == '\t' || !c.is_control()).collect();
    kept.trim_matches('\n').trim_end().to_owned()
}

/// `text` without line ends or runs of spaces.
pub(crate) fn one_line(text: &str) -> String {
    plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fills the template `source`, called `name` in errors.
pub(crate) fn fill(
    name: &'static str,
    source: &str,
    context: &impl Serialize,
) -> Result<String, RenderError> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    let failed = |source| RenderError { name, source };
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(failed)?;
    env.set_syntax(syntax);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.render_named_str(name, source, Serde(context)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_but_text() {
        assert_eq!(plain("\n\u{1b}[31mred\u{1b}[0m\r\n\u{1b}]0;title\u{7}\tx\u{9b}\n"), "red\n\tx");
        assert_eq!(one_line(" a\n\tb \u{1b}[1mc"), "a b c");
    }

    #[test]
    fn a_name_that_is_not_there_is_an_error() {
        let error = fill("x.md", "a\n{{ nope }}", &std::collections::BTreeMap::<String, String>::new());
        assert_eq!(error.expect_err("strict").to_string(), "the template `x.md` can't be filled");
    }
}
