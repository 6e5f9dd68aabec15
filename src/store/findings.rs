//! What a step's report says, as a verdict's file has it.

use toml::de::DeValue;
use toml::{Table, Value};

use crate::domain::finding::{Coverage, Finding, Severity, Span, Tests};
use crate::domain::verdict::{StepReport, StepResult};
use crate::store::codec::{put, put_opt};
use crate::store::reader::{Reader, parse};

/// The reports of steps as a text of its own.
pub fn report_to_text(steps: &[StepResult]) -> String {
    let mut all = Table::new();
    for step in steps {
        if let Some(report) = &step.report {
            all.insert(step.name.clone(), Value::Table(encode_report(report)));
        }
    }
    all.to_string()
}

/// What `report_to_text` wrote: the steps' names and their reports.
///
/// # Errors
/// What is wrong with the text.
pub fn report_from_text(text: &str) -> Result<Vec<(String, StepReport)>, String> {
    let table = parse(text)?;
    let all = Reader::new(&table);
    let names: Vec<&str> = all.items().map(|(name, _)| name).collect();
    let read = |name: &str| {
        let report = all.required_sub(name)?;
        Ok((name.to_owned(), decode_report(&report)?))
    };
    names.into_iter().map(read).collect()
}

fn put_count(t: &mut Table, key: &str, count: u64) {
    put(t, key, i64::try_from(count).unwrap_or(i64::MAX));
}

fn count(r: &Reader<'_>, key: &str) -> Result<u64, String> {
    u64::try_from(r.int(key)?).map_err(|_| format!("`{key}` is negative"))
}

pub(crate) fn encode_report(report: &StepReport) -> Table {
    let mut t = Table::new();
    put_count(&mut t, "found", report.found);
    if let Some(tests) = report.tests {
        put_count(&mut t, "ran", tests.ran);
        put_count(&mut t, "failed", tests.failed);
        put_count(&mut t, "skipped", tests.skipped);
    }
    if let Some(coverage) = report.coverage {
        put_count(&mut t, "covered", coverage.covered);
        put_count(&mut t, "lines", coverage.total);
    }
    if !report.quarantined.is_empty() {
        let tests = report.quarantined.iter().map(|test| Value::String(test.clone()));
        put(&mut t, "quarantined", Value::Array(tests.collect()));
    }
    if report.partial {
        put(&mut t, "partial", true);
    }
    let findings = report.findings.iter().map(|finding| Value::Table(encode(finding)));
    put(&mut t, "finding", Value::Array(findings.collect()));
    t
}

fn encode(finding: &Finding) -> Table {
    let mut t = Table::new();
    put(&mut t, "rule", finding.rule.as_str());
    put_opt(&mut t, "path", finding.path.as_deref());
    if let Some(span) = finding.span {
        put(&mut t, "line", i64::from(span.line));
        put_opt(&mut t, "column", span.column.map(i64::from));
        put(&mut t, "end_line", i64::from(span.end_line));
    }
    put(&mut t, "message", finding.message.as_str());
    put(&mut t, "severity", finding.severity.as_str());
    put(&mut t, "fingerprint", finding.fingerprint.as_str());
    t
}

pub(crate) fn decode_report(r: &Reader<'_>) -> Result<StepReport, String> {
    let tests = if r.has("ran") {
        Some(Tests { ran: count(r, "ran")?, failed: count(r, "failed")?, skipped: count(r, "skipped")? })
    } else {
        None
    };
    let coverage = if r.has("covered") {
        Some(Coverage { covered: count(r, "covered")?, total: count(r, "lines")? })
    } else {
        None
    };
    let findings = r.array("finding")?.map(decode).collect::<Result<_, _>>()?;
    let quarantined =
        r.texts("quarantined")?.map(|test| test.map(str::to_owned)).collect::<Result<_, _>>()?;
    let partial = r.optional("partial", Reader::flag)?.unwrap_or(false);
    Ok(StepReport { findings, found: count(r, "found")?, tests, coverage, quarantined, partial })
}

fn decode(value: &DeValue<'_>) -> Result<Finding, String> {
    let r = Reader::new(value.as_table().ok_or("a finding is no table")?);
    let number = |r: &Reader<'_>, key: &str| {
        u32::try_from(r.int(key)?).map_err(|_| format!("`{key}` is out of range"))
    };
    let span = match r.optional("line", number)? {
        Some(line) => {
            let column = r.optional("column", number)?;
            Some(Span { line, column, end_line: number(&r, "end_line")? })
        }
        None => None,
    };
    Ok(Finding {
        rule: r.text("rule")?,
        path: r.optional_text("path")?,
        span,
        message: r.text("message")?,
        severity: r.word("severity", Severity::parse)?,
        fingerprint: r.text("fingerprint")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_back() {
        let finding = Finding {
            rule: "E501".into(),
            path: Some("a/\u{fc} b.py".into()),
            span: Some(Span { line: 3, column: None, end_line: 4 }),
            message: "too \"long\"".into(),
            severity: Severity::Warning,
            fingerprint: "0f".into(),
        };
        let bare = Finding { path: None, span: None, ..finding.clone() };
        for report in [
            StepReport::default(),
            StepReport {
                findings: vec![finding, bare],
                found: 12,
                tests: Some(Tests { ran: 5, failed: 1, skipped: 2 }),
                coverage: Some(Coverage { covered: 1, total: 3 }),
                quarantined: vec!["a::b".into()],
                partial: true,
            },
        ] {
            let text = toml::to_string(&encode_report(&report)).unwrap();
            let table = parse(&text).unwrap();
            assert_eq!(decode_report(&Reader::new(&table)).unwrap(), report);
        }
    }
}
