//! What a reader takes from a report, in the words of the tool.
//!
//! Readers add problems here; `settle` makes findings of them, which needs the checkout and its sources.

use std::collections::BTreeSet;

use crate::domain::finding::Severity;
use crate::gate::findings::report::{Coverage, Tests};

/// The most findings of one report that are kept.
pub const FINDINGS: usize = 10_000;

/// One problem as the tool says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The tool's name for it; of a failed test its name, as it is shown.
    pub(super) rule: String,
    /// The file, as the tool names it; several where that is a guess, the likeliest first.
    pub(super) paths: Vec<String>,
    pub(super) place: Option<Place>,
    pub(super) message: String,
    pub(super) severity: Severity,
    pub(super) sort: Sort,
}

impl Problem {
    /// An error without a file.
    pub(super) fn new(rule: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            paths: Vec::new(),
            place: None,
            message: message.into(),
            severity: Severity::Error,
            sort: Sort::Code,
        }
    }

    /// A failed test whose name has no path in it.
    pub(super) fn test(name: impl Into<String>, message: impl Into<String>) -> Self {
        let name = name.into();
        Self { sort: Sort::Test(name.clone()), ..Self::new(name, message) }
    }

    pub(super) fn at(mut self, path: impl Into<String>, place: Option<Place>) -> Self {
        self.paths = vec![path.into()];
        self.place = place;
        self
    }

    pub(super) fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// What makes two problems the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// What stands in the source there.
    Code,
    /// The test's name, without paths and lines.
    Test(String),
}

/// Where, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) column: Option<Column>,
    pub(super) end_line: Option<u32>,
}

impl Place {
    /// The place for numbers of a report; None where they say none.
    pub(super) fn new(line: Option<i64>, column: Option<Column>, end_line: Option<i64>) -> Option<Self> {
        Some(Self { line: line.and_then(natural)?, column, end_line: end_line.and_then(natural) })
    }

    /// The place for digits of a text.
    pub(super) fn parse(line: &str, column: Option<Column>) -> Option<Self> {
        Self::new(line.parse().ok(), column, None)
    }
}

/// A column in the unit of its tool, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    /// Characters.
    Chars(u32),
    /// Units of UTF-16, which JavaScript counts.
    Utf16(u32),
    /// Bytes of UTF-8.
    Bytes(u32),
    /// Right where the line is ASCII; anything elsewhere.
    Ascii(u32),
}

impl Column {
    /// The column for a number of a report.
    pub(super) fn new(unit: fn(u32) -> Self, number: Option<i64>) -> Option<Self> {
        number.and_then(natural).map(unit)
    }

    /// The column for digits of a text.
    pub(super) fn parse(unit: fn(u32) -> Self, digits: &str) -> Option<Self> {
        Self::new(unit, digits.parse().ok())
    }

    /// The number, in whatever unit.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Chars(n) | Self::Utf16(n) | Self::Bytes(n) | Self::Ascii(n) => n,
        }
    }
}

fn natural(number: i64) -> Option<u32> {
    u32::try_from(number).ok().filter(|n| *n > 0)
}

/// The most names of tests that are kept.
pub(super) const NAMES: usize = 100_000;

/// What a reader has found so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) problems: Vec<Problem>,
    pub(super) truncated: u64,
    pub(super) tests: Option<Tests>,
    pub(super) coverage: Option<Coverage>,
    /// Whether the tool stopped before it had looked at everything.
    pub(super) partial: bool,
    /// Tests that the report names, whatever became of them; bounded.
    pub(super) names: BTreeSet<String>,
    /// How many times it named one.
    pub(super) named: u64,
    placed: BTreeSet<(String, Vec<String>, Place, String)>,
}

impl Gathered {
    /// A report of coverage.
    pub(super) fn covered(coverage: Coverage) -> Self {
        Self { coverage: Some(coverage), ..Self::default() }
    }

    /// Adds a problem. What was said before of the same place is the same problem: compilers say it once for each target
    /// that contains the file. Tests of the same name are as many tests.
    pub(super) fn add(&mut self, problem: Problem) {
        if let (Sort::Code, Some(place)) = (&problem.sort, problem.place) {
            let key = (problem.rule.clone(), problem.paths.clone(), place, problem.message.clone());
            if self.problems.len() < FINDINGS && !self.placed.insert(key) {
                return;
            }
        }
        if self.problems.len() < FINDINGS {
            self.problems.push(problem);
        } else {
            self.truncated += 1;
        }
    }

    /// Adds counts of tests.
    pub(super) fn ran(&mut self, tests: Tests) {
        self.tests = Some(self.tests.unwrap_or_default().and(tests));
    }

    /// Notes the name of a test, as a problem of it would have it for its rule.
    pub(super) fn name(&mut self, test: impl Into<String>) {
        self.named += 1;
        if self.names.len() < NAMES {
            self.names.insert(test.into());
        }
    }

    /// How many problems were added.
    pub(super) fn count(&self) -> u64 {
        self.truncated.saturating_add(self.problems.len() as u64)
    }
}
