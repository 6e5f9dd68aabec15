//! What a report says, and why one can't be read.

use std::collections::BTreeSet;
use std::error::Error;

use crate::domain::finding::Finding;
pub use crate::domain::finding::{Coverage, Tests};

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The problems, in the order of the report.
    pub findings: Vec<Finding>,
    /// How many more there were than are kept.
    pub truncated: u64,
    /// How many tests there were; None: it is no report of tests.
    pub tests: Option<Tests>,
    /// How much was covered; None: it is no report of coverage.
    pub coverage: Option<Coverage>,
    /// Whether the tool stopped before it had looked at everything.
    pub partial: bool,
    /// The names of all tests, as a finding of one has it for its rule; None where the report does not name each.
    pub names: Option<BTreeSet<String>>,
}

/// Why there is no report: the tree could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Nothing in the text is of the format.
    #[error("cannot find a report of the format `{format}`")]
    Missing {
        /// The format's name.
        format: &'static str,
    },
    /// It starts and does not end.
    #[error("cannot find the end of the report (format `{format}`)")]
    BrokenOff {
        /// The format's name.
        format: &'static str,
    },
    /// It is not as the format wants it.
    #[error("cannot read the report (format `{format}`)")]
    Unreadable {
        /// The format's name.
        format: &'static str,
        /// What is wrong with it.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Its summary counts more problems than it names.
    #[error(
        "cannot find every problem that the report counts (format `{format}`): {said} counted, {named} named"
    )]
    Unnamed {
        /// The format's name.
        format: &'static str,
        /// The number in the summary.
        said: u64,
        /// How many were found.
        named: u64,
    },
}
