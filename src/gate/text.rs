//! What a step's output looks like once it is kept.

use std::sync::LazyLock;

use regex::Regex;

/// How much of a step's output a verdict keeps.
pub const TAIL_BYTES: usize = 4 * 1024;

pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants that the tests use")
}

static ESCAPES: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"));

/// The line without terminal escapes and other control characters (tabs stay). Of what a progress bar wrote
/// over itself with carriage returns the last state is kept.
pub(super) fn plain(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let last = line.rsplit('\r').next().unwrap_or(line);
    ESCAPES.replace_all(last, "").chars().filter(|&c| c == '\t' || !c.is_control()).collect()
}

/// The last whole lines of `text` that fit into `limit` bytes, without escapes; a last line that is longer is
/// cut at its front.
pub(super) fn tail(text: &str, limit: usize) -> String {
    let lines: Vec<String> = text.lines().map(plain).collect();
    let text = lines.join("\n");
    let text = text.trim_end();
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut start = text.len() - limit;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let cut = &text[start..];
    match cut.find('\n') {
        // The cut fell into the middle of a line, unless it fell right behind one.
        Some(end) if !text[..start].ends_with('\n') => cut[end + 1..].to_owned(),
        Some(_) | None => cut.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_and_overwritten_progress_go() {
        assert_eq!(plain("\x1b[1;31merror\x1b[0m: x\ty\r"), "error: x\ty");
        assert_eq!(plain("10%\r50%\r100%"), "100%");
        assert_eq!(plain("\x1b]0;title\x07a\0b"), "ab");
    }

    #[test]
    fn a_tail_has_whole_lines() {
        assert_eq!(tail("one\ntwo\nthree\n", 9), "two\nthree");
        assert_eq!(tail("one\ntwo\nthree", 8), "three");
        assert_eq!(tail("äöü", 5), "öü");
        assert_eq!(tail("", 5), "");
    }

    proptest! {
        #[test]
        fn a_tail_never_exceeds_its_limit(text in any::<String>(), limit in 0..40_usize) {
            prop_assert!(tail(&text, limit).len() <= limit);
        }
    }
}
