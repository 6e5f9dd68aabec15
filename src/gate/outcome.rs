//! What a run of the gate tells while it runs, and what it comes to.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::verdict::{StepReport, StepResult, Word};

/// Rules that decide a verdict when no step does.
pub mod rule {
    /// The gate has no step (for this moment and team).
    pub const NO_STEPS: &str = "ralph.no_steps";
    /// A setup command did not succeed.
    pub const SETUP: &str = "ralph.setup";
    /// The checkout was not the tree any more.
    pub const TREE_CHANGED: &str = "ralph.tree_changed";
    /// Fewer tests ran than there have to be.
    pub const ZERO_TESTS: &str = "ralph.zero_tests";
    /// There is less of the sandbox than policy demands.
    pub const SANDBOX: &str = "ralph.sandbox";
    /// Fewer tests ran than on the base.
    pub const FEWER_TESTS: &str = "ralph.fewer_tests";
    /// More tests are skipped than on the base.
    pub const SKIPPED_TESTS: &str = "ralph.skipped_tests";
    /// Less is covered than on the base.
    pub const COVERAGE: &str = "ralph.coverage";
    /// A test failed whose quarantine has ended.
    pub const QUARANTINE: &str = "ralph.quarantine_expired";
    /// A step's report is missing, old, or can't be read.
    pub const REPORT: &str = "ralph.report";
    /// Logs can't be written.
    pub const LOG: &str = "ralph.log";
    /// Somebody interrupted the run. Never recorded.
    pub const INTERRUPTED: &str = "ralph.interrupted";
    /// The caller's deadline came. Never recorded.
    pub const BUDGET: &str = "ralph.budget";
}

/// What happens in a run, in order; lines of steps that run at the same time are interleaved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A setup command begins.
    SetupStarted {
        /// Its line for `sh -c`.
        command: String,
    },
    /// It printed a line (without terminal escapes).
    SetupLine {
        /// The line.
        line: String,
    },
    /// It ended.
    SetupFinished {
        /// Its line for `sh -c`.
        command: String,
        /// PASS, or BLOCKED.
        word: Word,
        /// Wall time in milliseconds.
        millis: u64,
    },
    /// A step begins.
    StepStarted {
        /// Its name.
        name: String,
        /// Its place among the steps, from 1.
        number: usize,
        /// How many steps there are.
        total: usize,
    },
    /// It printed a line (without terminal escapes).
    StepLine {
        /// The step's name.
        name: String,
        /// The line.
        line: String,
    },
    /// It failed and is tried again.
    StepRetried {
        /// The step's name.
        name: String,
        /// Which try begins, from 2.
        attempt: u32,
        /// What the report of the try before says.
        report: StepReport,
    },
    /// It ended, or was skipped.
    StepFinished {
        /// What it came to.
        result: Box<StepResult>,
    },
    /// Somebody interrupted the run once: what runs goes on to its end, and nothing more begins.
    Stopping,
}

/// Why a run ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody interrupted it.
    Interrupted,
    /// The caller's deadline came.
    Deadline,
}

/// Names of tests, by step.
pub(super) type Named = BTreeMap<String, BTreeSet<String>>;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The word.
    pub word: Word,
    /// The rule that decided, when it was not a step's own result.
    pub rule: Option<String>,
    /// The fact behind the rule.
    pub fact: Option<String>,
    /// Setup (if there is one, as `setup`) and the steps, in the order of `orch.toml`.
    pub steps: Vec<StepResult>,
    /// The names of all tests of those steps that ran and whose report names each, by step.
    pub named: Named,
    /// Set if the run was stopped: then it says nothing about the tree, and no verdict is made of it.
    pub stop: Option<Stop>,
}

impl Outcome {
    /// BLOCKED by a rule, without any step.
    pub fn blocked(rule: &str, fact: impl Into<String>) -> Self {
        Self::decided(rule, fact, Vec::new())
    }

    pub(super) fn decided(rule: &str, fact: impl Into<String>, steps: Vec<StepResult>) -> Self {
        let (rule, fact) = (Some(rule.to_owned()), Some(fact.into()));
        Self { word: Word::Blocked, rule, fact, steps, named: Named::new(), stop: None }
    }

    pub(super) fn stopped(stop: Stop, steps: Vec<StepResult>) -> Self {
        let (rule, fact) = match stop {
            Stop::Interrupted => (rule::INTERRUPTED, "the run was interrupted"),
            Stop::Deadline => (rule::BUDGET, "the time for this run was up"),
        };
        Self { stop: Some(stop), ..Self::decided(rule, fact, steps) }
    }
}
