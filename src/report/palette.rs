//! The one place that names colours. Sixteen-colour ANSI only: the terminal's own theme decides how they look.

use anstyle::{AnsiColor, Style};

use crate::domain::verdict::Word;

/// Went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Went wrong.
pub const BAD: Style = AnsiColor::Red.on_default();
/// Needs a look.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// What can be left unread.
pub const DIM: Style = Style::new().dimmed();
/// What is read first.
pub const STRONG: Style = Style::new().bold();
/// Ids, commands, paths: what can be typed.
pub const LITERAL: Style = AnsiColor::Cyan.on_default();
/// Words of a person's own, and everything else.
pub const PLAIN: Style = Style::new();
/// `error:`
pub const ERROR_LABEL: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
pub const WARN_LABEL: Style = AnsiColor::Yellow.on_default().bold();
/// `hint:`, `next:`
pub const HINT_LABEL: Style = AnsiColor::Cyan.on_default().bold();

/// `text` in `style`.
pub fn paint(style: Style, text: &str) -> String {
    if text.is_empty() || style == PLAIN {
        return text.to_owned();
    }
    format!("{style}{text}{style:#}")
}

/// The colour of a verdict or of a step.
pub fn verdict(word: Word) -> Style {
    match word {
        Word::Pass => GOOD,
        Word::Fail => BAD,
        Word::Blocked => WARN,
    }
}

/// The colour of a task's state as lists show it (`ready`, `waiting` and the status words).
pub fn state(word: &str) -> Style {
    match word {
        "ready" | "done" => GOOD,
        "claimed" | "merging" | "review" => LITERAL,
        "blocked" => WARN,
        "waiting" | "closed" => DIM,
        _ => PLAIN,
    }
}

/// The colour of a priority.
pub fn priority(word: &str) -> Style {
    match word {
        "P0" => BAD,
        "P1" => WARN,
        "P4" => DIM,
        _ => PLAIN,
    }
}
