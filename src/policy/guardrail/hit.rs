//! Findings of rules.

use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::domain::finding::{Finding, Severity, Span};
use crate::policy::guardrail::change::{Change, Line};
use crate::policy::guardrail::rule::Rule;
use crate::policy::guardrail::secret;

/// What a rule found.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) finding: Finding,
    /// The rule and the line that it is in, secrets included: never kept, and never shown. None: it is in no line.
    pub(super) raw: Option<String>,
}

/// How many characters of a line are shown, and how many of them before what was found.
const SHOWN: usize = 160;
const BEFORE: usize = 60;

/// `text` for a terminal and a page: what has no shape of its own, or turns the text around, is named.
pub(super) fn plain(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
    };
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '\t' => shown.push(' '),
            c if hidden(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// As much of `text` around byte `focus` as is shown.
fn window(text: &str, focus: usize) -> String {
    let before = text.get(..focus).unwrap_or_default().chars().count();
    let length = text.chars().count();
    if length <= SHOWN {
        return plain(text.trim());
    }
    let start = before.saturating_sub(BEFORE);
    let part: String = text.chars().skip(start).take(SHOWN).collect();
    let (left, right) = (if start > 0 { "…" } else { "" }, if start + SHOWN < length { "…" } else { "" });
    format!("{left}{}{right}", plain(part.trim()))
}

/// A hash of the rule and the text without its white space: indenting or breaking a line makes no new problem.
fn fingerprint(rule: &Rule, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(rule.id.as_bytes());
    hash.update([0]);
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    hash.update(bare.as_bytes());
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing into a String can't fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

fn finding(rule: &Rule, path: &str, span: Option<Span>, message: String, content: &str) -> Finding {
    Finding {
        rule: rule.id.clone(),
        path: Some(path.to_owned()),
        span,
        message: cut(message),
        severity: Severity::Error,
        fingerprint: fingerprint(rule, content),
    }
}

/// `message` as far as findings keep it.
pub(super) fn cut(mut message: String) -> String {
    if message.len() > Finding::MESSAGE {
        let end = (0..=Finding::MESSAGE - 3).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

/// What `rule` found at byte `at` of a line, in which `secrets` are not to be shown.
pub(super) fn in_line(rule: &Rule, path: &str, line: &Line, at: usize, secrets: Vec<Range<usize>>) -> Hit {
    let (text, focus) = secret::redacted(&line.text, secrets, at);
    let column = line.text.get(..at).map(|before| before.chars().count() + 1);
    let span = Span {
        line: line.number,
        column: column.and_then(|column| u32::try_from(column).ok()),
        end_line: line.number,
    };
    let message = format!("{}: `{}`", rule.about, window(&text, focus));
    let finding = finding(rule, path, Some(span), message, &text);
    Hit { finding, raw: Some(fingerprint(rule, &line.text)) }
}

/// What `rule` found of a whole file, or of what is gone from it: `fact` says what, and `content` is what makes it the
/// same problem elsewhere.
pub(super) fn of_file(rule: &Rule, change: &Change, fact: &str, content: &str) -> Hit {
    let message = format!("{}: {}", rule.about, plain(fact));
    Hit { finding: finding(rule, &change.path, None, message, content), raw: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_shown_around_what_was_found() {
        let text = format!("{}HERE{}", "a".repeat(300), "b".repeat(300));
        let shown = window(&text, 300);
        assert!(shown.starts_with("…a") && shown.contains("HERE") && shown.ends_with("b…"), "{shown}");
        assert_eq!(shown.chars().count(), SHOWN + 2);
        assert_eq!(window("\tshort\t", 1), "short");
    }

    #[test]
    fn a_line_can_neither_steer_a_terminal_nor_turn_around() {
        assert_eq!(plain("a\u{1b}[2J\u{202e}b\tc"), "a\\u{1b}[2J\\u{202e}b c");
    }

    #[test]
    fn messages_are_cut_between_characters() {
        let message = cut("é".repeat(400));
        assert!(message.len() <= Finding::MESSAGE && message.ends_with('…'));
    }
}
