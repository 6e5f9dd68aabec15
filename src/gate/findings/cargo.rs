//! `cargo … --message-format=json`, and what `cargo test` prints after it.

use serde::Deserialize;

use crate::domain::finding::Severity;
use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::findings::report::ReportError;
use crate::gate::findings::{json, libtest};

const FORMAT: &str = "cargo";

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line {
    CompilerMessage {
        message: Diagnostic,
    },
    /// The last line of each run of cargo.
    BuildFinished {
        success: bool,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Diagnostic {
    message: String,
    code: Option<Code>,
    level: String,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: i64,
    line_end: i64,
    column_start: i64,
    is_primary: bool,
    expansion: Option<Box<Expansion>>,
}

/// The macro call that the code comes from.
#[derive(Deserialize)]
struct Expansion {
    span: Span,
}

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    let (mut finished, mut unfinished) = (false, false);
    for line in json::lines::<Line>(text, &["{\"reason\":"], FORMAT)? {
        unfinished = !matches!(line, Line::BuildFinished { .. });
        match line {
            Line::CompilerMessage { message } => problem(message).into_iter().for_each(|p| gathered.add(p)),
            Line::BuildFinished { success } => {
                finished = true;
                // What depends on the crate that did not compile was not looked at.
                gathered.partial |= !success;
            }
            Line::Other => {}
        }
    }
    if unfinished {
        return Err(ReportError::BrokenOff { format: FORMAT });
    }
    // That a crate can't be compiled is said by the errors in it, where there are any.
    let explained = gathered.problems.iter().any(|p| p.severity == Severity::Error);
    let known = |line: &str| line.starts_with('{') || (explained && line.contains("could not compile"));
    let rest = text.lines().filter(|line| !known(line)).collect::<Vec<_>>().join("\n");
    match libtest::add(&rest, FORMAT, &mut gathered)? || finished {
        true => Ok(gathered),
        false => Err(ReportError::Missing { format: FORMAT }),
    }
}

/// None for what only sums up others.
fn problem(found: Diagnostic) -> Option<Problem> {
    let sums_up = found.message.starts_with("aborting due to") || found.message.ends_with(" emitted");
    if found.level == "failure-note" || (found.spans.is_empty() && found.code.is_none() && sums_up) {
        return None;
    }
    let severity = match found.level.as_str() {
        "warning" => Severity::Warning,
        level if level.starts_with("error") => Severity::Error,
        _ => Severity::Note,
    };
    let rule = found.code.map_or_else(|| "rustc".to_owned(), |code| code.code);
    let problem = Problem::new(rule, found.message).severity(severity);
    let Some(primary) = found.spans.into_iter().find(|span| span.is_primary) else { return Some(problem) };
    let span = called(primary);
    let column = Column::new(Column::Chars, Some(span.column_start));
    let place = Place::new(Some(span.line_start), column, Some(span.line_end));
    Some(problem.at(span.file_name, place))
}

/// The span itself, or where our code calls the macro of somebody else that it is in. Files of the workspace are named
/// relative to it.
fn called(mut span: Span) -> Span {
    while span.file_name.starts_with(['/', '<']) || span.file_name.contains(":\\") {
        match span.expansion.take() {
            Some(expansion) => span = expansion.span,
            None => break,
        }
    }
    span
}
