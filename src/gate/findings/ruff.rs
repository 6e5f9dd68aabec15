//! `ruff check --output-format json`.

use serde::Deserialize;

use crate::domain::finding::Severity;
use crate::gate::findings::json;
use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::findings::report::ReportError;

#[derive(Deserialize)]
struct Diagnostic {
    /// None: it was a syntax error, until ruff named these too.
    code: Option<String>,
    filename: String,
    message: String,
    location: Option<Location>,
    end_location: Option<Location>,
    severity: Option<String>,
}

#[derive(Deserialize)]
struct Location {
    row: i64,
    column: i64,
}

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    for found in json::documents::<Vec<Diagnostic>>(text, "ruff")?.into_iter().flatten() {
        let severity = found.severity.as_deref().and_then(Severity::parse).unwrap_or(Severity::Error);
        let place = found.location.and_then(|start| {
            let column = Column::new(Column::Chars, Some(start.column));
            Place::new(Some(start.row), column, found.end_location.map(|end| end.row))
        });
        let rule = found.code.unwrap_or_else(|| "invalid-syntax".to_owned());
        gathered.add(Problem::new(rule, found.message).severity(severity).at(found.filename, place));
    }
    Ok(gathered)
}
