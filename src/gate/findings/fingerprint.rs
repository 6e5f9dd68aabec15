//! The fingerprint of a finding.
//!
//! The first 32 digits of the SHA-256 of the encoding in `gate::canon`, with the domain word `git-orch finding v1` and the
//! fields: the family of the format; a word for the kind; and
//!
//! - kind `code`: the rule, the first 24 characters of the source from the finding's start that are no white space,
//!   and the message, normalised;
//! - kind `message`, where the source can't be read: the rule and the message, normalised;
//! - kind `test`: the test's name.
//!
//! Never the path or a line. Frozen: baselines are compared by it.

use std::sync::LazyLock;

use regex::Regex;

use crate::gate::canon::Canon;
use crate::gate::text::regex;

/// How many characters of the source count.
pub(super) const CONTENT: usize = 24;
/// How many bytes of a message are normalised.
const READ: usize = 2_000;
/// How many characters of the normalised message count.
const MESSAGE: usize = 300;

/// What a finding is about.
pub(super) enum About<'a> {
    /// A place in a file that can be read.
    Code { rule: &'a str, content: &'a str, message: &'a str },
    /// Something whose source is not known.
    Message { rule: &'a str, message: &'a str },
    /// A failed test.
    Test { name: &'a str },
}

pub(super) fn fingerprint(family: &str, about: &About<'_>) -> String {
    let canon = Canon::new("git-orch finding v1").text(family);
    let canon = match about {
        About::Code { rule, content, message } => {
            canon.text("code").text(rule).text(content).text(&normalised(message))
        }
        About::Message { rule, message } => canon.text("message").text(rule).text(&normalised(message)),
        About::Test { name } => canon.text("test").text(name),
    };
    let mut digest = canon.sha256();
    digest.truncate(32);
    digest
}

static PATHS: LazyLock<Regex> = LazyLock::new(|| regex(r#"["'`](?:file://|/|[A-Za-z]:[\\/])[^"'`]*["'`]"#));
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| regex(r"0x[0-9a-fA-F]+|[0-9]+"));

/// The message without what changes while the problem stays: numbers, absolute paths in quotes, white space.
fn normalised(message: &str) -> String {
    let mut end = message.len().min(READ);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let message = PATHS.replace_all(&message[..end], "");
    let message = NUMBERS.replace_all(&message, "0");
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").chars().take(MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_by_itself_goes() {
        for (message, expected) in [
            ("found 12 of 345\n  things", "found 0 of 0 things"),
            ("cannot read '/tmp/x1/a.rs': no", "cannot read : no"),
            ("cannot read \"C:\\x\\a.rs\"", "cannot read"),
            ("at 0x7fD0a7 and `a/b`", "at 0 and `a/b`"),
        ] {
            assert_eq!(normalised(message), expected);
        }
        assert!(normalised(&"\u{e4}".repeat(3_000)).chars().count() <= MESSAGE);
    }

    #[test]
    fn fingerprints_are_frozen() {
        let all = [
            About::Code { rule: "E0308", content: "letx=1;", message: "mismatched types" },
            About::Message { rule: "E0308", message: "mismatched types" },
            About::Test { name: "tests::works" },
        ];
        let all: Vec<String> = all.iter().map(|about| fingerprint("cargo", about)).collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        b45b53c656959acea136a31941d09bb9
        b529b7eaae7a0e6775b5c764bd9f0b71
        8e972e654af0ac78763208e87f544795
        ");
    }
}
