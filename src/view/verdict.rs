//! Ralph's verdict, and the steps that make one.

use serde::Serialize;

use crate::domain::finding::Finding;
use crate::domain::verdict::{StepReport, StepResult, Verdict, Word};
use crate::view::guardrail::{AllowedView, HitView};
use crate::view::{SCHEMA, words};

/// One step's part in a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// Its kind, as in `orch.toml`.
    pub kind: String,
    /// Ralph's word.
    #[serde(serialize_with = "words::verdict")]
    pub verdict: Word,
    /// Why, when it is not PASS.
    pub reason: Option<String>,
    /// Wall time.
    pub millis: u64,
    /// Whether it did not run: its PASS is that of an earlier run, and so is the time.
    pub cached: bool,
    /// The key of what its result depends on; null where that was not asked.
    pub key: Option<String>,
    /// Its exit status, if it ran to an end.
    pub exit: Option<i32>,
    /// The last lines of its output.
    pub tail: String,
    /// What its report says, if it has one.
    pub report: Option<ReportView>,
    /// What is shown of it where it did not pass: its findings, and the end of its output.
    #[serde(skip)]
    pub said: String,
    /// The file with all of its output, if it is on this machine.
    pub log: Option<String>,
}

impl StepView {
    /// The view of a result whose whole output is in `log`.
    pub fn new(step: &StepResult, log: Option<String>) -> Self {
        Self {
            name: step.name.clone(),
            kind: step.kind.clone(),
            verdict: step.word,
            reason: step.reason.clone(),
            millis: step.millis,
            cached: step.cached.is_some(),
            key: step.key.clone(),
            exit: step.exit,
            tail: step.tail.clone(),
            report: step.report.as_ref().map(ReportView::new),
            said: step.said(),
            log,
        }
    }

    /// Whether it was left out because a step that it needs did not pass.
    pub fn skipped(&self) -> bool {
        self.reason.as_deref().is_some_and(|r| r.starts_with("skipped"))
    }
}

/// What a step's report says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportView {
    /// How many problems there are.
    pub found: u64,
    /// As many of them as a verdict keeps, the worst first.
    pub findings: Vec<FindingView>,
    /// How many tests were executed; null where the report is not one of tests, like the next two.
    pub tests_ran: Option<u64>,
    /// How many of these failed.
    pub tests_failed: Option<u64>,
    /// How many were known and not executed.
    pub tests_skipped: Option<u64>,
    /// How many lines tests executed; null where the report is not one of coverage, like the next one.
    pub lines_covered: Option<u64>,
    /// How many lines can be executed.
    pub lines: Option<u64>,
    /// Failed tests that did not count, because they are in quarantine.
    pub quarantined: Vec<String>,
}

impl ReportView {
    fn new(report: &StepReport) -> Self {
        Self {
            found: report.found,
            findings: report.findings.iter().map(FindingView::new).collect(),
            tests_ran: report.tests.map(|tests| tests.ran),
            tests_failed: report.tests.map(|tests| tests.failed),
            tests_skipped: report.tests.map(|tests| tests.skipped),
            lines_covered: report.coverage.map(|coverage| coverage.covered),
            lines: report.coverage.map(|coverage| coverage.total),
            quarantined: report.quarantined.clone(),
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingView {
    /// The tool's name for it, or the name of the failed test.
    pub rule: String,
    /// The file, from the checkout's root; null: of no single file.
    pub path: Option<String>,
    /// The first line, from 1.
    pub line: Option<u32>,
    /// The first column in characters, from 1.
    pub column: Option<u32>,
    /// What the tool says.
    pub message: String,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// The same for the same problem wherever it moved to.
    pub fingerprint: String,
}

impl FindingView {
    fn new(finding: &Finding) -> Self {
        Self {
            rule: finding.rule.clone(),
            path: finding.path.clone(),
            line: finding.span.map(|span| span.line),
            column: finding.span.and_then(|span| span.column),
            message: finding.message.clone(),
            severity: finding.severity.as_str(),
            fingerprint: finding.fingerprint.clone(),
        }
    }
}

/// A verdict on a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictView {
    /// The version of this object.
    pub schema: u32,
    /// Ralph's word.
    #[serde(serialize_with = "words::verdict")]
    pub verdict: Word,
    /// What was asked for, as typed (`HEAD`).
    pub rev: String,
    /// The commit it named.
    pub commit: String,
    /// The tree that was judged.
    pub tree: String,
    /// The key that the verdict is kept under.
    pub key: String,
    /// The gate's definition that judged.
    pub gate: String,
    /// Whose gate that is, where trunk's and the commit's own judged: `trunk` or `own`; else null.
    pub judged_by: Option<&'static str>,
    /// `absolute` or `no_regressions`.
    pub scope: &'static str,
    /// `unsandboxed`, `partial` or `sandboxed`.
    pub trust: &'static str,
    /// The rule that decided, when no step did.
    pub rule: Option<String>,
    /// The fact behind the rule.
    pub fact: Option<String>,
    /// Whether it had been recorded before and nothing was run.
    pub recorded: bool,
    /// The steps, in the order of `orch.toml`.
    pub steps: Vec<StepView>,
    /// What guardrails found in the change: then no step was run.
    pub findings: Vec<HitView>,
    /// What they would have found, were it not allowed.
    pub allowed: Vec<AllowedView>,
    /// What a person should know though it decides nothing.
    pub warnings: Vec<String>,
    /// When it was made, RFC 3339.
    pub made: String,
    /// By whom.
    pub by: String,
}

/// What was asked and how the answer was found: what a verdict itself doesn't know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What was asked for, as typed.
    pub rev: String,
    /// The commit it named.
    pub commit: String,
    /// Whether the verdict had been recorded before.
    pub recorded: bool,
    /// Whose gate decided, where both judged: `trunk` or `own`.
    pub judged_by: Option<&'static str>,
    /// What guardrails found in the change.
    pub findings: Vec<HitView>,
    /// What they would have found, were it not allowed.
    pub allowed: Vec<AllowedView>,
    /// What a person should know though it decides nothing.
    pub warnings: Vec<String>,
}

impl VerdictView {
    /// The view of `verdict`; `log` gives the path of a step's whole output by the step's name.
    pub fn new(verdict: &Verdict, asked: Asked, log: &dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            schema: SCHEMA,
            verdict: verdict.word,
            rev: asked.rev,
            commit: asked.commit,
            tree: verdict.tree.to_string(),
            key: verdict.key.clone(),
            gate: verdict.gate.clone(),
            judged_by: asked.judged_by,
            scope: verdict.scope.as_str(),
            trust: verdict.trust.as_str(),
            rule: verdict.rule.clone(),
            fact: verdict.fact.clone(),
            recorded: asked.recorded,
            steps: verdict.steps.iter().map(|s| StepView::new(s, log(&s.name))).collect(),
            findings: asked.findings,
            allowed: asked.allowed,
            warnings: asked.warnings,
            made: verdict.made.to_string(),
            by: verdict.by.clone(),
        }
    }
}

/// The verdicts on the commits of a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RangeView {
    /// The version of this object.
    pub schema: u32,
    /// What was asked for, as typed.
    pub range: String,
    /// Ralph's word over all of them.
    #[serde(serialize_with = "words::verdict")]
    pub verdict: Word,
    /// The verdicts, parents before children.
    pub commits: Vec<VerdictView>,
}

/// A step as it stands in `orch.toml` or was detected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GateStepView {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its command line, as a shell would read it.
    pub run: String,
    /// The steps that it waits for.
    pub needs: Vec<String>,
    /// How long it may take, as written (`10m`).
    pub timeout: Option<String>,
    /// What it says about its findings (`cargo`), if anything.
    pub report: Option<String>,
    /// Why it was detected (`Cargo.toml is a package`), if it was.
    pub from: Option<String>,
}

/// The gate: what runs before the steps, and the steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GateStepsView {
    /// The version of this object.
    pub schema: u32,
    /// Where it was read: a commit's `orch.toml`, or `detected`.
    pub origin: String,
    /// Commands that make a clean checkout ready.
    pub setup: Vec<String>,
    /// Paths that stay between runs.
    pub carry: Vec<String>,
    /// The steps, in order.
    pub steps: Vec<GateStepView>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::finding::{Severity, Span};
    use crate::domain::oid::Oid;
    use crate::domain::time::Timestamp;
    use crate::domain::verdict::{Scope, Trust};

    /// A step's result for tests.
    /// A step with two findings.
    pub(crate) fn reported() -> StepResult {
        let finding = Finding {
            rule: "E501".into(),
            path: Some("src/\u{fc} a.py".into()),
            span: Some(Span { line: 3, column: Some(5), end_line: 3 }),
            message: "line <too> long".into(),
            severity: Severity::Error,
            fingerprint: "0f".into(),
        };
        let bare = Finding { path: None, span: None, severity: Severity::Warning, ..finding.clone() };
        let report = StepReport { findings: vec![finding, bare], found: 2, ..StepReport::default() };
        StepResult { report: Some(report), ..step("lint", Word::Fail, Some("exit 1"), "") }
    }

    pub(crate) fn step(name: &str, word: Word, reason: Option<&str>, tail: &str) -> StepResult {
        StepResult {
            name: name.into(),
            kind: name.into(),
            word,
            reason: reason.map(str::to_owned),
            millis: 1_234,
            exit: Some(0),
            tail: tail.into(),
            report: None,
            key: None,
            cached: None,
        }
    }

    /// A verdict for tests.
    pub(crate) fn sample(word: Word, steps: Vec<StepResult>) -> Verdict {
        Verdict {
            key: "k".repeat(8),
            tree: Oid::parse(&"c".repeat(40)).unwrap(),
            gate: "g".repeat(8),
            word,
            scope: Scope::Absolute,
            rule: None,
            fact: None,
            trust: Trust::Unsandboxed,
            steps,
            made: Timestamp::from_millis(1_000_000_000_000),
            run: 1,
            by: "person:ann@example.com".into(),
            tools: std::collections::BTreeMap::new(),
            mac: "m".into(),
            signature: None,
        }
    }

    #[test]
    fn json_of_a_verdict() {
        let verdict = sample(Word::Fail, vec![step("test", Word::Fail, Some("exit 1"), "boom")]);
        let asked = Asked { rev: "HEAD".into(), commit: "a".repeat(40), ..Asked::default() };
        let view = VerdictView::new(&verdict, asked, &|name| Some(format!("/logs/{name}.log")));
        assert_eq!(view.verdict, Word::Fail);
        insta::assert_snapshot!(serde_json::to_string_pretty(&view).unwrap(), @r#"
        {
          "schema": 1,
          "verdict": "FAIL",
          "rev": "HEAD",
          "commit": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "tree": "cccccccccccccccccccccccccccccccccccccccc",
          "key": "kkkkkkkk",
          "gate": "gggggggg",
          "judged_by": null,
          "scope": "absolute",
          "trust": "unsandboxed",
          "rule": null,
          "fact": null,
          "recorded": false,
          "steps": [
            {
              "name": "test",
              "kind": "test",
              "verdict": "FAIL",
              "reason": "exit 1",
              "millis": 1234,
              "cached": false,
              "key": null,
              "exit": 0,
              "tail": "boom",
              "report": null,
              "log": "/logs/test.log"
            }
          ],
          "findings": [],
          "allowed": [],
          "warnings": [],
          "made": "2001-09-09T01:46:40.000Z",
          "by": "person:ann@example.com"
        }
        "#);
    }
}
