//! The files of the judged tree: what stands at a place.

use crate::gate::findings::problem::{Column, Place};

/// The most characters that are looked at for the text at a place.
const LOOKED_AT: usize = 4_096;

/// The last column that is looked for: a line that is longer was made by a machine, and may have thousands of findings.
const COLUMNS: u32 = 20_000;

/// Gives files of the judged tree.
pub trait Sources {
    /// The text of the file at `path`, from the checkout's root with `/`; None if there is none, or it is no text.
    fn text(&self, path: &str) -> Option<String>;

    /// The directory, from the checkout's root, in which the tool ran; None: the root.
    fn dir(&self) -> Option<&str> {
        None
    }
}

/// One file with its lines.
#[derive(Debug)]
pub(super) struct Source {
    text: String,
    /// Where each line starts.
    lines: Vec<usize>,
}

impl Source {
    pub(super) fn new(text: String) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(after).collect();
        Self { text, lines }
    }

    /// The column in characters, from 1; None where it can't be known.
    pub(super) fn column(&self, place: Place) -> Option<u32> {
        let line = self.line(place.line).unwrap_or("");
        match place.column.filter(|column| column.number() <= COLUMNS)? {
            Column::Chars(n) => Some(n),
            Column::Ascii(n) => line.is_ascii().then_some(n),
            Column::Utf16(n) => Some(chars_before(line, n, char::len_utf16)),
            Column::Bytes(n) => Some(chars_before(line, n, char::len_utf8)),
        }
    }

    /// The first `count` characters from the place on that are no white space; fewer at the end of the file.
    pub(super) fn from(&self, place: Place, count: usize) -> String {
        let Some(start) = self.start(place.line) else { return String::new() };
        let line = self.line(place.line).unwrap_or("");
        let before = self.column(place).map_or(0, |column| column as usize - 1);
        // A column behind the line's end is its end: what follows is on the next line.
        let inside = line.char_indices().nth(before).map_or(line.len(), |(at, _)| at);
        let rest = self.text[start + inside..].chars().take(LOOKED_AT);
        rest.filter(|c| !c.is_whitespace()).take(count).collect()
    }

    fn start(&self, line: u32) -> Option<usize> {
        self.lines.get((line as usize).checked_sub(1)?).copied()
    }

    /// The line without its end.
    fn line(&self, line: u32) -> Option<&str> {
        let start = self.start(line)?;
        let end = self.lines.get(line as usize).map_or(self.text.len(), |next| next - 1);
        Some(self.text[start..end].trim_end_matches('\r'))
    }
}

/// The column in characters for column `n` in units of which a character has `units`. Behind the end: one behind the end.
fn chars_before(line: &str, n: u32, units: fn(char) -> usize) -> u32 {
    let (mut used, mut chars) = (0, 1_u32);
    for c in line.chars() {
        used += units(c);
        if used >= n as usize {
            break;
        }
        chars = chars.saturating_add(1);
    }
    chars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(column: Option<Column>) -> Place {
        Place { line: 2, column, end_line: None }
    }

    #[test]
    fn columns_become_characters() {
        let source = Source::new("first\r\n  \u{e4}\u{1f600}b\n\n   next line".to_owned());
        for (column, expected, text) in [
            (None, None, "\u{e4}\u{1f600}bnextline"),
            (Some(Column::Chars(4)), Some(4), "\u{1f600}bnextline"),
            (Some(Column::Utf16(4)), Some(4), "\u{1f600}bnextline"),
            (Some(Column::Utf16(5)), Some(4), "\u{1f600}bnextline"),
            (Some(Column::Utf16(6)), Some(5), "bnextline"),
            (Some(Column::Bytes(3)), Some(3), "\u{e4}\u{1f600}bnextline"),
            (Some(Column::Bytes(5)), Some(4), "\u{1f600}bnextline"),
            (Some(Column::Bytes(9)), Some(5), "bnextline"),
            (Some(Column::Ascii(5)), None, "\u{e4}\u{1f600}bnextline"),
            (Some(Column::Bytes(10)), Some(6), "nextline"),
            (Some(Column::Utf16(COLUMNS)), Some(6), "nextline"),
            (Some(Column::Chars(COLUMNS)), Some(COLUMNS), "nextline"),
            (Some(Column::Chars(COLUMNS + 1)), None, "\u{e4}\u{1f600}bnextline"),
        ] {
            assert_eq!(source.column(at(column)), expected, "{column:?}");
            assert_eq!(source.from(at(column), 99), text, "{column:?}");
        }
    }

    #[test]
    fn lines_that_are_not_there_have_no_text() {
        let source = Source::new("one\n".to_owned());
        for line in [2, 3, u32::MAX] {
            assert_eq!(source.from(Place { line, column: Some(Column::Bytes(7)), end_line: None }, 9), "");
        }
    }
}
