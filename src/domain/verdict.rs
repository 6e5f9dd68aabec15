//! Ralph's verdicts: what was judged, by what, with what result.

use std::collections::BTreeMap;

use crate::domain::finding::{Coverage, Finding, Tests};
use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;

/// Ralph's word on a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// Every step passed.
    Pass,
    /// A step found something wrong with the tree.
    Fail,
    /// The tree could not be judged: a missing tool, a timeout, no steps, an unapproved gate.
    Blocked,
}

impl Word {
    /// `PASS`, `FAIL` or `BLOCKED`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Blocked => "BLOCKED",
        }
    }

    /// The verdict for a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pass, Self::Fail, Self::Blocked].into_iter().find(|w| w.as_str() == word)
    }

    /// FAIL or BLOCKED beats PASS, and FAIL beats BLOCKED: the word for several results together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |w: Self| match w {
            Self::Pass => 0,
            Self::Blocked => 1,
            Self::Fail => 2,
        };
        if rank(self) >= rank(other) { self } else { other }
    }
}

/// In what the steps ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// With the rights of the user who ran it.
    Unsandboxed,
    /// In what this machine has of the agents' sandbox.
    Partial,
    /// In the agents' sandbox.
    Sandboxed,
}

impl Trust {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsandboxed => "unsandboxed",
            Self::Partial => "partial",
            Self::Sandboxed => "sandboxed",
        }
    }

    /// The less of two.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        let rank = |trust: Self| match trust {
            Self::Unsandboxed => 0,
            Self::Partial => 1,
            Self::Sandboxed => 2,
        };
        if rank(self) <= rank(other) { self } else { other }
    }

    /// The trust for a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Unsandboxed, Self::Partial, Self::Sandboxed].into_iter().find(|t| t.as_str() == word)
    }
}

/// How far a PASS reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The tree passes by itself.
    Absolute,
    /// The tree is no worse than its base.
    NoRegressions,
}

impl Scope {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absolute => "absolute",
            Self::NoRegressions => "no_regressions",
        }
    }

    /// The scope for a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Absolute, Self::NoRegressions].into_iter().find(|s| s.as_str() == word)
    }
}

/// What one step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepResult {
    /// The step's name.
    pub name: String,
    /// The step's kind, as in `orch.toml`.
    pub kind: String,
    /// Its word.
    pub word: Word,
    /// Why, when it is not PASS: `exit 1`, `timed out after 10m`, `cargo: not found`, `skipped: needs build`.
    pub reason: Option<String>,
    /// Wall time in milliseconds.
    pub millis: u64,
    /// The exit status, if it ran to an end.
    pub exit: Option<i32>,
    /// The last lines of its output, at most 4 KiB; the whole is in the local log.
    pub tail: String,
    /// What its report says, if it has one.
    pub report: Option<StepReport>,
    /// What its result depends on, as one key (`StepInputs`); None for setup, and in verdicts from before there were keys.
    pub key: Option<String>,
    /// When it ran, if that was in an earlier run and its PASS was taken from there; the time is that of then.
    pub cached: Option<Timestamp>,
}

/// How many findings are told of one step.
const TOLD: usize = 20;

impl StepResult {
    /// What the step found, for whoever has to mend it: its findings, one a line, and the end of its output, unless that
    /// is made for machines.
    pub fn said(&self) -> String {
        let Some(report) = self.report.as_ref().filter(|report| report.found > 0) else {
            return self.tail.clone();
        };
        let told = report.findings.iter().take(TOLD);
        let mut lines: Vec<String> = told.map(ToString::to_string).collect();
        let rest = report.found.saturating_sub(lines.len() as u64);
        if rest > 0 {
            lines.push(format!("and {rest} more"));
        }
        let for_machines = |line: &str| line.starts_with(['{', '[', '<', '}', ']']);
        let last = self.tail.lines().rfind(|line| !line.trim().is_empty());
        if last.is_some_and(|line| !for_machines(line.trim_start())) {
            lines.push(self.tail.clone());
        }
        lines.join("\n")
    }
}

/// What a step's report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepReport {
    /// The problems, the worst first. A verdict keeps as many as fit.
    pub findings: Vec<Finding>,
    /// How many there were.
    pub found: u64,
    /// Counts of tests, if it is a report of tests.
    pub tests: Option<Tests>,
    /// Counts of lines, if it is a report of coverage.
    pub coverage: Option<Coverage>,
    /// Failed tests that did not count, because they are in quarantine.
    pub quarantined: Vec<String>,
    /// Whether the tool stopped before it had looked at everything: there may be more.
    pub partial: bool,
}

/// A verdict with all that belongs to it: an attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Lower-case hexadecimal SHA-256 of (tree, gate definition, base tree or `absolute`).
    pub key: String,
    /// The tree that was judged.
    pub tree: Oid,
    /// Lower-case hexadecimal SHA-256 of the gate's definition.
    pub gate: String,
    /// The word.
    pub word: Word,
    /// How far a PASS reaches.
    pub scope: Scope,
    /// The rule that decided, when no step did: `ralph.no_steps`, `gate.changed`, `ralph.tree_changed`.
    pub rule: Option<String>,
    /// The fact behind the rule.
    pub fact: Option<String>,
    /// In what the steps ran.
    pub trust: Trust,
    /// The steps, in the order of `orch.toml`.
    pub steps: Vec<StepResult>,
    /// When it was made.
    pub made: Timestamp,
    /// Which run of this key it comes from, as far as its maker knew of others; from 1. Of verdicts from the same run,
    /// FAIL and BLOCKED beat PASS.
    pub run: u32,
    /// By whom, as `Actor` prints.
    pub by: String,
    /// What tells the programs that were there from others, by name: digests.
    pub tools: BTreeMap<String, String>,
    /// Lower-case hexadecimal HMAC-SHA-256 over all but this and the next, by this machine's verifier key.
    pub mac: String,
    /// An SSH signature over the statement that others read (`gate::statement`), armoured, if its maker signs.
    pub signature: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Word::{Blocked, Fail, Pass};
    use super::{StepReport, StepResult};
    use crate::domain::finding::{Finding, Severity, Span};

    fn step(tail: &str, found: u64) -> StepResult {
        let finding = |n: u64| Finding {
            rule: format!("R{n}"),
            path: Some("a.rs".into()),
            span: Some(Span { line: 3, column: u32::try_from(n).ok(), end_line: 3 }),
            message: "no".into(),
            severity: Severity::Error,
            fingerprint: String::new(),
        };
        let findings = (1..=found.min(30)).map(finding).collect();
        StepResult {
            name: "s".into(),
            kind: "lint".into(),
            word: Fail,
            reason: None,
            millis: 0,
            exit: Some(1),
            tail: tail.into(),
            report: Some(StepReport { findings, found, ..StepReport::default() }),
            key: None,
            cached: None,
        }
    }

    #[test]
    fn findings_are_told_before_output_and_instead_of_what_machines_read() {
        assert_eq!(step("output", 0).said(), "output");
        assert_eq!(step("output\n", 1).said(), "a.rs:3:1: error R1: no\noutput\n");
        assert_eq!(step("x\n{\"a\":1}\n", 1).said(), "a.rs:3:1: error R1: no");
        let many = step("", 31).said();
        assert_eq!((many.lines().count(), many.lines().last()), (21, Some("and 11 more")));
    }

    #[test]
    fn pass_only_if_all_pass() {
        assert_eq!(Pass.and(Pass), Pass);
        assert_eq!(Pass.and(Blocked), Blocked);
        assert_eq!(Blocked.and(Fail), Fail);
        assert_eq!(Fail.and(Pass), Fail);
    }
}
