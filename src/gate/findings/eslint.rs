//! `eslint -f json`.

use serde::Deserialize;

use crate::domain::finding::Severity;
use crate::gate::findings::json;
use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::findings::report::ReportError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    file_path: String,
    messages: Vec<Found>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    /// None: the file can't be parsed, or is ignored.
    rule_id: Option<String>,
    severity: u8,
    message: String,
    line: Option<i64>,
    column: Option<i64>,
    end_line: Option<i64>,
}

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    for file in json::documents::<Vec<File>>(text, "eslint")?.into_iter().flatten() {
        for found in file.messages {
            let severity = if found.severity >= 2 { Severity::Error } else { Severity::Warning };
            let column = Column::new(Column::Utf16, found.column);
            let rule = found.rule_id.unwrap_or_else(|| "eslint".to_owned());
            let problem = Problem::new(rule, found.message).severity(severity);
            let place = Place::new(found.line, column, found.end_line);
            gathered.add(problem.at(file.file_path.clone(), place));
        }
    }
    Ok(gathered)
}
