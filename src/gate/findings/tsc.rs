//! `tsc`, with and without `--pretty`.
//!
//! It prints nothing where it finds nothing, so an empty text is a report. With `--pretty` it counts what it found.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::domain::finding::Severity;
use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::findings::report::ReportError;
use crate::gate::text::{plain, regex};

static DIAGNOSTIC: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:(?P<file>\S.*?)(?:\((?P<line>\d+),(?P<column>\d+)\): |:(?P<line2>\d+):(?P<column2>\d+) - ))?(?P<severity>error|warning|message) (?P<rule>TS\d+): (?P<message>.*)$",
    )
});
static FOUND: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^Found (\d+) errors?(?: in (?:the same file, starting at: )?\S.*|\. Watching for file changes\.|\.)?$",
    )
});

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    let (mut said, mut named) = (0_u64, 0_u64);
    for line in text.lines().map(plain) {
        if let Some(found) = DIAGNOSTIC.captures(&line) {
            named += 1;
            gathered.add(problem(&found));
        } else if let Some(found) = FOUND.captures(&line) {
            said = said.saturating_add(found[1].parse().unwrap_or(u64::MAX));
        }
    }
    match said > named {
        true => Err(ReportError::Unnamed { format: "tsc", said, named }),
        false => Ok(gathered),
    }
}

fn problem(found: &Captures<'_>) -> Problem {
    let severity = match &found["severity"] {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        _ => Severity::Note,
    };
    let problem = Problem::new(&found["rule"], &found["message"]).severity(severity);
    let one = |names: [&str; 2]| names.iter().find_map(|name| found.name(name)).map_or("", |m| m.as_str());
    let column = Column::parse(Column::Utf16, one(["column", "column2"]));
    match found.name("file") {
        Some(file) => problem.at(file.as_str(), Place::parse(one(["line", "line2"]), column)),
        None => problem,
    }
}
