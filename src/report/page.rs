//! What a report is written on.

use crate::domain::time::Timestamp;

/// How wide the page is, in which characters, and what time it is for "3 min ago".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Columns; None where nothing may be cut off.
    pub width: Option<usize>,
    /// Whether characters beyond ASCII can be shown.
    pub unicode: bool,
    /// Now.
    pub now: Timestamp,
}

/// What is put in front of a line to say how something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// It could not be told, or needs a look.
    Warn,
    /// Left as it was, or left out.
    Idle,
}

impl Page {
    /// One character in its colour.
    pub(crate) fn mark(self, mark: Mark) -> String {
        use crate::report::palette::{BAD, DIM, GOOD, WARN, paint};
        let (style, unicode, ascii) = match mark {
            Mark::Good => (GOOD, "✓", "+"),
            Mark::Bad => (BAD, "✗", "x"),
            Mark::Warn => (WARN, "!", "!"),
            Mark::Idle => (DIM, "·", "-"),
        };
        paint(style, if self.unicode { unicode } else { ascii })
    }

    /// Separates things on one line.
    pub(crate) fn dot(self) -> &'static str {
        if self.unicode { " · " } else { " - " }
    }

    /// Points at what comes next.
    pub(crate) fn arrow(self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }

    /// Stands for what was cut off.
    pub(crate) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A terminal of `width` columns, a minute after the sample tasks were made.
    pub(crate) fn terminal(width: usize) -> Page {
        Page { width: Some(width), unicode: true, now: Timestamp::from_millis(1_000_000_060_000) }
    }

    /// A file.
    pub(crate) fn file() -> Page {
        Page { width: None, unicode: false, now: Timestamp::from_millis(1_000_000_060_000) }
    }

    /// What a reader without colours sees. Fails on white space at an end of a line.
    pub(crate) fn plain(text: &str) -> String {
        let plain = anstream::adapter::strip_str(text).to_string();
        assert!(plain.lines().all(|l| l.trim_end() == l), "a line ends in white space:\n{plain}");
        plain
    }
}
