//! `mypy`, as text and with `-O json`.
//!
//! Its columns are wrong in lines that are not ASCII (it converts some twice), so there they are not used. In JSON they count
//! from 0. Notes belong to an error before them and are left out.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use crate::domain::finding::Severity;
use crate::gate::findings::json;
use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::findings::report::ReportError;
use crate::gate::text::{plain, regex};

const FORMAT: &str = "mypy";
/// How many lines `--pretty` may break a message into.
const BROKEN: usize = 8;

static ERROR: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?P<file>(?:[A-Za-z]:)?[^:]+):(?:(?P<line>\d+):(?:(?P<column>\d+):(?:(?P<end>\d+):\d+:)?)?)? (?P<severity>error|note): (?P<message>.*)$",
    )
});
static CODE: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?P<message>.*?)  \[(?P<code>[a-z][\w-]*)\]$"));
static FOUND: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:Success: no issues found in \d+ source files?|Found (?P<count>\d+) errors? in \d+ files? \(.*\))$",
    )
});

#[derive(Deserialize)]
struct Found {
    file: String,
    line: i64,
    column: i64,
    end_line: Option<i64>,
    message: String,
    code: Option<String>,
    severity: String,
}

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    let (mut said, mut named, mut known) = (0_u64, 0_u64, text.trim().is_empty());
    for found in json::lines::<Found>(text, &["{\"file\":"], FORMAT)? {
        known = true;
        if found.severity == "error" {
            named += 1;
            let column = Column::new(Column::Ascii, found.column.checked_add(1));
            let place = Place::new(Some(found.line), column, found.end_line);
            gathered.add(Problem::new(rule(found.code), found.message).at(found.file, place));
        }
    }
    let lines: Vec<String> = text.lines().map(plain).collect();
    for (at, line) in lines.iter().enumerate() {
        if let Some(found) = FOUND.captures(line) {
            known = true;
            let count = found.name("count").map_or(Ok(0), |count| count.as_str().parse());
            said = said.saturating_add(count.unwrap_or(u64::MAX));
        } else if let Some(problem) = error(line, &lines[at + 1..]) {
            known = true;
            named += u64::from(problem.severity == Severity::Error);
            if problem.severity == Severity::Error {
                gathered.add(problem);
            }
        }
    }
    match (known, said > named) {
        (false, _) => Err(ReportError::Missing { format: FORMAT }),
        (true, true) => Err(ReportError::Unnamed { format: FORMAT, said, named }),
        (true, false) => Ok(gathered),
    }
}

fn rule(code: Option<String>) -> String {
    code.unwrap_or_else(|| FORMAT.to_owned())
}

/// What a line says, if it is of an error or a note. The message may go on in the lines after it.
fn error(line: &str, after: &[String]) -> Option<Problem> {
    // `mypy: error: …` is of its own arguments.
    let found = ERROR.captures(line).filter(|found| &found["file"] != FORMAT)?;
    let text = |name: &str| found.name(name).map_or("", |m| m.as_str());
    let severity = if text("severity") == "error" { Severity::Error } else { Severity::Note };
    let mut message = text("message").to_owned();
    let mut code = None;
    let goes_on =
        |line: &&String| !line.starts_with("    ") && !ERROR.is_match(line) && !FOUND.is_match(line);
    let mut broken = after.iter().take(BROKEN).take_while(goes_on);
    let mut whole = message.clone();
    loop {
        if let Some(parts) = CODE.captures(&whole) {
            code = Some(parts["code"].to_owned());
            parts["message"].clone_into(&mut message);
            break;
        }
        let Some(next) = broken.next() else { break };
        // The space before the code is where the line was broken.
        let space = if next.starts_with('[') { "  " } else { " " };
        whole = format!("{whole}{space}{next}");
    }
    let column = Column::parse(Column::Ascii, text("column"));
    let place = Place::new(text("line").parse().ok(), column, text("end").parse().ok());
    Some(Problem::new(rule(code), message).severity(severity).at(text("file"), place))
}
