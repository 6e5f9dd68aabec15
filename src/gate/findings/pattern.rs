//! Lines of a tool that has no reader, by the project's own pattern.

use regex::{Captures, Regex};

use crate::domain::finding::Severity;
use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::text::plain;

/// The groups that have a meaning.
pub(super) const GROUPS: [&str; 6] = ["file", "line", "col", "rule", "message", "severity"];

/// A pattern whose matches are findings. That a text has none is no error: tools that find nothing print nothing.
pub(super) fn read(pattern: &Regex, text: &str) -> Gathered {
    let mut gathered = Gathered::default();
    for line in text.lines().map(plain) {
        for found in pattern.captures_iter(&line) {
            gathered.add(problem(&found));
        }
    }
    gathered
}

fn problem(found: &Captures<'_>) -> Problem {
    let text = |name: &str| found.name(name).map(|m| m.as_str().trim()).filter(|text| !text.is_empty());
    let message = text("message").unwrap_or_else(|| found[0].trim());
    let severity = text("severity").map_or(Severity::Error, severity);
    let problem = Problem::new(text("rule").unwrap_or("regex"), message).severity(severity);
    let Some(file) = text("file") else { return problem };
    let column = text("col").and_then(|digits| Column::parse(Column::Chars, digits));
    problem.at(file, text("line").and_then(|line| Place::parse(line, column)))
}

/// What the usual words and letters mean; an unknown one is an error.
fn severity(word: &str) -> Severity {
    match word.to_ascii_lowercase().as_str() {
        "warning" | "warn" | "w" => Severity::Warning,
        "note" | "info" | "information" | "hint" | "help" | "style" | "convention" | "refactor" | "i" => {
            Severity::Note
        }
        _ => Severity::Error,
    }
}
