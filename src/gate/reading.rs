//! Reading a step's report: from what it printed, or from the file that it wrote.
//!
//! A report counts only if the step itself made it: one that was there before and was not written anew says nothing about
//! this run.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::{Run, Step};
use crate::domain::finding::Severity;
use crate::domain::verdict::{StepReport, Word};
use crate::gate::classify::Judgement;
use crate::gate::findings::{Format, Report, Sources, read};
use crate::gate::outcome::rule;
use crate::sys::fs;

/// The most bytes of a report that are read.
pub(super) const REPORT: u64 = 64 << 20;
/// The most bytes of a source file that are read for fingerprints.
const SOURCE: u64 = 4 << 20;

/// A report that is about to be made.
pub(super) struct Reading<'a> {
    format: Format,
    checkout: &'a Path,
    /// Where in the checkout the tool runs, if the step says so.
    dir: Option<&'a str>,
    /// Where what the step prints is kept, if that is the report.
    printed: PathBuf,
    before: Option<Seen>,
}

/// What a file was; it changes whenever somebody writes it.
type Seen = (u64, i64, i64);

fn seen(path: &Path) -> Option<Seen> {
    path.metadata().ok().map(|meta| (meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

impl<'a> Reading<'a> {
    /// For a step that has a `report`. The error is a fact of `ralph.report`.
    pub(super) fn begin(
        step: &'a Step,
        checkout: &'a Path,
        printed: PathBuf,
    ) -> Result<Option<Self>, String> {
        let Some(text) = &step.report else { return Ok(None) };
        let format = Format::parse(text).map_err(|error| error.to_string())?;
        let before = format.path().and_then(|path| seen(&checkout.join(path)));
        Ok(Some(Self { format, checkout, dir: directory(&step.run), printed, before }))
    }

    /// Where to keep what the step prints; None: the report is a file of its own.
    pub(super) fn printed(&self) -> Option<&Path> {
        self.format.path().is_none().then_some(&self.printed)
    }

    /// The report. `complete`: whether all that was printed is kept.
    pub(super) fn end(&self, complete: bool) -> Result<Report, String> {
        let text = match self.format.path() {
            Some(path) => self.written(path)?,
            None if complete => self.text_of(&self.printed, "what it printed")?,
            None => {
                return Err(format!("it printed more than {} MiB, or not all could be kept", REPORT >> 20));
            }
        };
        let root = fs::canonical(self.checkout).map_err(|error| error.to_string())?;
        let root = root.to_string_lossy();
        read(&self.format, &text, &root, &Checkout { root: self.checkout, dir: self.dir }).map_err(|error| {
            let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
            format!("{error}{cause}")
        })
    }

    fn written(&self, path: &str) -> Result<String, String> {
        let file = self.checkout.join(path);
        match seen(&file) {
            None => Err(format!("it wrote no {path}")),
            now if now == self.before => {
                Err(format!("{path} was there before, and it did not write it anew"))
            }
            Some(_) => self.text_of(&file, path),
        }
    }

    fn text_of(&self, file: &Path, name: &str) -> Result<String, String> {
        let inside = fs::canonical(file).map_err(|error| error.to_string())?;
        let own = fs::canonical(self.checkout).map_err(|error| error.to_string())?;
        // A link could lead to what the step itself may not read, or to a file of the tree, which is older than the run.
        let way = file.strip_prefix(self.checkout);
        if way.is_ok_and(|way| own.join(way) != inside) {
            return Err(format!("{name} is a link, or behind one"));
        }
        // A pipe would be waited for without end.
        if !inside.is_file() {
            return Err(format!("{name} is no file"));
        }
        if fs::size(&inside).is_none_or(|size| size > REPORT) {
            return Err(format!("{name} has more than {} MiB", REPORT >> 20));
        }
        let bytes = fs::read(&inside).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The files of a checkout, which hostile links don't lead out of.
struct Checkout<'a> {
    root: &'a Path,
    dir: Option<&'a str>,
}

impl Sources for Checkout<'_> {
    fn text(&self, path: &str) -> Option<String> {
        let file = fs::canonical(&self.root.join(path)).ok()?;
        let is_ours = file.starts_with(fs::canonical(self.root).ok()?);
        let is_ours = is_ours && file.is_file() && fs::size(&file)? <= SOURCE;
        if is_ours { fs::read_string(&file).ok() } else { None }
    }

    fn dir(&self) -> Option<&str> {
        self.dir
    }
}

/// Where a line that begins with `cd DIR &&` runs its tool, which names files from there.
fn directory(run: &Run) -> Option<&str> {
    let Run::Shell(line) = run else { return None };
    let (dir, _) = line.trim_start().strip_prefix("cd ")?.split_once("&&")?;
    let dir = dir.trim().trim_matches(['\'', '"']);
    let is_plain = |c: char| c.is_alphanumeric() || " ./_-+@".contains(c);
    (!dir.is_empty() && !dir.starts_with('/') && dir.chars().all(is_plain)).then_some(dir)
}

/// What a report makes of the judgement by the exit status.
pub(super) fn weigh(report: &Report, judgement: &mut Judgement) {
    let errors = report.findings.iter().filter(|f| f.severity == Severity::Error).count() as u64;
    let failed = report.tests.map_or(0, |tests| tests.failed);
    match judgement.word {
        // Findings, not exit codes: a runner that says so and exits with 0 found them all the same.
        Word::Pass if errors + report.truncated > 0 || failed > 0 => {
            let found = (errors + report.truncated).max(failed);
            judgement.word = Word::Fail;
            judgement.reason = Some(format!("exit 0 with {}", problems(found)));
        }
        Word::Fail if !report.findings.is_empty() => {
            let found = report.findings.len() as u64 + report.truncated;
            judgement.note(problems(found));
        }
        Word::Pass | Word::Fail | Word::Blocked => {}
    }
}

fn problems(count: u64) -> String {
    if count == 1 { "1 finding".to_owned() } else { format!("{count} findings") }
}

/// A step whose report can't be read could not be judged.
pub(super) fn unread(why: &str, judgement: &mut Judgement) -> &'static str {
    *judgement = Judgement::blocked(format!("report: {why}"), judgement.exit);
    rule::REPORT
}

/// The report as a result has it: the worst first.
pub(super) fn settled(mut report: Report) -> StepReport {
    let mut findings = std::mem::take(&mut report.findings);
    findings.sort_by_key(|finding| finding.severity);
    let found = findings.len() as u64 + report.truncated;
    let Report { tests, coverage, partial, .. } = report;
    StepReport { findings, found, tests, coverage, quarantined: Vec::new(), partial }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_its_tool_runs() {
        for (line, dir) in [
            ("cd core && cargo test", Some("core")),
            (" cd 'a b/c' && make", Some("a b/c")),
            ("cd core; cargo test", None),
            ("cd $DIR && cargo test", None),
            ("cd /tmp && make", None),
            ("cargo test && cd core && make", None),
        ] {
            assert_eq!(directory(&Run::Shell(line.into())), dir, "{line}");
        }
    }
}
