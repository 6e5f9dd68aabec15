//! The corpus, read and shown.

use std::path::{Path, PathBuf};

use crate::domain::finding::{Finding, new_ones};
use crate::gate::findings::{Format, Report, ReportError, Sources, read};
use crate::sys::fs;

/// Where the tools of the corpus ran.
pub(super) const ROOT: &str = "/checkout";

pub(super) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/reports")
}

/// A tree on disk.
pub(super) struct Tree(pub(super) PathBuf);

impl Sources for Tree {
    fn text(&self, path: &str) -> Option<String> {
        fs::read_string(&self.0.join(path)).ok()
    }
}

/// Files in memory.
pub(super) struct Files<'a>(pub(super) &'a [(&'a str, &'a str)]);

impl Sources for Files<'_> {
    fn text(&self, path: &str) -> Option<String> {
        self.0.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned())
    }
}

pub(super) fn format(text: &str) -> Format {
    Format::parse(text).expect("it is known")
}

/// The report in a directory of the corpus.
pub(super) fn text(dir: &str) -> String {
    let paths = fs::list(&corpus().join(dir)).expect("it is in the corpus");
    let report = paths.iter().find(|path| path.file_stem().is_some_and(|stem| stem == "report"));
    fs::read_string(report.expect("a report")).expect("it is text")
}

pub(super) fn try_read(name: &str, dir: &str) -> Result<Report, ReportError> {
    read(&format(name), &text(dir), ROOT, &Tree(corpus().join(dir).join("tree")))
}

pub(super) fn report(name: &str, dir: &str) -> Report {
    try_read(name, dir).unwrap_or_else(|e| panic!("{dir}: {e}"))
}

/// The tests that a text names, if it names each, and the rules of what it finds.
pub(super) fn named(name: &str, text: &str) -> (Option<Vec<String>>, Vec<String>) {
    let report = read(&format(name), text, ROOT, &Files(&[])).unwrap_or_else(|e| panic!("{name}: {e}"));
    (
        report.names.map(|names| names.into_iter().collect()),
        report.findings.into_iter().map(|f| f.rule).collect(),
    )
}

/// A text with files of its own.
pub(super) fn said(name: &str, text: &str, files: &[(&str, &str)]) -> String {
    match read(&format(name), text, ROOT, &Files(files)) {
        Ok(report) => shown(&report),
        Err(e) => format!("error: {e}"),
    }
}

/// One line each, with the start of the fingerprint.
fn lines<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let span = |finding: &Finding| match finding.span {
        None => String::new(),
        Some(span) => {
            let column = span.column.map(|column| format!(":{column}")).unwrap_or_default();
            format!(":{}{column}-{}", span.line, span.end_line)
        }
    };
    let line = |f: &Finding| {
        let path = f.path.as_deref().unwrap_or("-");
        let severity = f.severity.as_str();
        format!("{} {severity} {path}{} {} | {}\n", &f.fingerprint[..4], span(f), f.rule, f.message)
    };
    findings.into_iter().map(line).collect::<Vec<_>>().concat()
}

pub(super) fn shown(report: &Report) -> String {
    let tests = report.tests.map(|t| format!("ran {}, failed {}, skipped {}\n", t.ran, t.failed, t.skipped));
    let coverage = report.coverage.map(|c| format!("covered {} of {}\n", c.covered, c.total));
    let more = (report.truncated > 0).then(|| format!("and {} more\n", report.truncated));
    let partial = report.partial.then(|| "stopped early\n".to_owned());
    [Some(lines(&report.findings)), tests, coverage, more, partial].into_iter().flatten().collect()
}

/// What a report in the corpus has that another has not.
pub(super) fn new(name: &str, candidate: &str, base: &str) -> String {
    let (candidate, base) = (report(name, candidate), report(name, base));
    lines(new_ones(&candidate.findings, &base.findings))
}
