//! `jest --json` and `vitest --reporter=json`, which are the same.

use serde::Deserialize;

use crate::gate::findings::json;
use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::findings::report::{ReportError, Tests};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    num_failed_tests: u64,
    num_passed_tests: u64,
    num_pending_tests: u64,
    #[serde(default)]
    num_todo_tests: u64,
    test_results: Vec<Suite>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suite {
    /// The file.
    name: String,
    status: String,
    #[serde(default)]
    message: String,
    assertion_results: Vec<Assertion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assertion {
    full_name: String,
    status: String,
    #[serde(default)]
    failure_messages: Option<Vec<String>>,
    location: Option<Location>,
}

#[derive(Deserialize)]
struct Location {
    line: i64,
    column: i64,
}

/// Reads it for the format of that name.
pub(super) fn read(text: &str, format: &'static str) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    for run in json::documents::<Run>(text, format)? {
        gathered.ran(Tests {
            ran: run.num_failed_tests.saturating_add(run.num_passed_tests),
            failed: run.num_failed_tests,
            skipped: run.num_pending_tests.saturating_add(run.num_todo_tests),
        });
        let assertions = run.test_results.iter().flat_map(|suite| &suite.assertion_results);
        let named = assertions.filter(|assertion| failed(assertion)).count() as u64;
        run.test_results.into_iter().for_each(|suite| add(suite, &mut gathered));
        if named < run.num_failed_tests {
            return Err(ReportError::Unnamed { format, said: run.num_failed_tests, named });
        }
    }
    Ok(gathered)
}

fn failed(assertion: &Assertion) -> bool {
    assertion.status == "failed"
}

fn add(suite: Suite, gathered: &mut Gathered) {
    if suite.status == "failed" && !suite.assertion_results.iter().any(failed) {
        gathered.add(Problem::new("suite", paragraph(&suite.message)).at(suite.name.clone(), None));
    }
    suite.assertion_results.iter().for_each(|assertion| gathered.name(&assertion.full_name));
    for assertion in suite.assertion_results.into_iter().filter(failed) {
        let message = assertion.failure_messages.unwrap_or_default().into_iter().next().unwrap_or_default();
        let place = assertion.location.and_then(|location| {
            Place::new(Some(location.line), Column::new(Column::Utf16, Some(location.column)), None)
        });
        let test = Problem::test(assertion.full_name, without_stack(&message));
        gathered.add(test.at(suite.name.clone(), place));
    }
}

/// The message up to the lines that say who called whom.
fn without_stack(message: &str) -> String {
    let lines = message.lines().take_while(|line| !line.trim_start().starts_with("at "));
    lines.collect::<Vec<_>>().join("\n")
}

/// What jest says of a file it can't run, without its title and the excerpt of the source.
fn paragraph(message: &str) -> String {
    let lines =
        message.lines().map(str::trim).skip_while(|line| line.is_empty() || line.starts_with('\u{25cf}'));
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}
