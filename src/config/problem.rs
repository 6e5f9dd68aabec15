//! What is wrong in a configuration file, and where.

use std::fmt;

/// One thing that is wrong in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigProblem {
    /// What was read: `orch.toml`, or `orch.toml at 1a2b3c4d5e6f`.
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The nearest word that would have been right.
    pub suggestion: Option<String>,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.origin, self.line, self.column, self.message)?;
        match &self.suggestion {
            Some(word) => write!(f, "; did you mean `{word}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigProblem {}

/// Line and column (from 1, in characters) of a byte offset. An offset past the end is the end.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The word among `known` that somebody who typed `word` most likely meant: the one with the fewest slips of
/// the finger, if these are fewer than half of its letters.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter_map(|candidate| {
            let slips = strsim::osa_distance(&lower, &candidate.to_lowercase());
            let likely = slips * 2 < candidate.len().max(word.len());
            likely.then_some((slips, candidate.len().abs_diff(word.len()), candidate))
        })
        .min_by_key(|&(slips, longer, _)| (slips, longer))
        .map(|(_, _, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters() {
        assert_eq!(position("a\nüb", 4), (2, 2));
        assert_eq!(position("", 9), (1, 1));
        assert_eq!(position("ü", 1), (1, 1));
    }

    #[test]
    fn only_likely_words_are_suggested() {
        let keys = ["name", "kind", "run", "timeout", "command"];
        assert_eq!(nearest("nmae", keys), Some("name"));
        assert_eq!(nearest("Timeout_s", keys), Some("timeout"));
        assert_eq!(nearest("steup", ["step", "setup"]), Some("setup"));
        assert_eq!(nearest("xyz", keys), None);
    }
}
