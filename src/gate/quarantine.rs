//! Failures that do not count: those of tests that `[[ralph.quarantine]]` names. Pure.
//!
//! A step is let through only if its report names each failed test and each of these is in quarantine. What can't be told
//! test by test counts: a failure without a report, more failures than the report names, too few tests that ran.

use crate::config::{Quarantine, Step};
use crate::domain::finding::{Finding, Severity};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{StepReport, Word};
use crate::gate::outcome::{Named, rule};
use crate::gate::step::Finished;

/// How many tests a reason names.
const NAMED: usize = 3;

/// The result of `step` with what the quarantine makes of it at `now`.
pub(super) fn weigh(
    quarantine: &[Quarantine],
    step: &Step,
    now: Timestamp,
    mut finished: Finished,
) -> Finished {
    let result = &mut finished.result;
    if result.word != Word::Fail || finished.stopped {
        return finished;
    }
    let Some(report) = result.report.as_mut() else { return finished };
    let failed: Vec<&Finding> = report.findings.iter().filter(|f| f.severity == Severity::Error).collect();
    let entry = |finding: &Finding| {
        let mut all = quarantine.iter().filter(|entry| entry.covers(&step.name, &finding.rule));
        let first = all.clone().next();
        all.find(|entry| !entry.expired(now)).or(first)
    };
    let entries: Vec<Option<&Quarantine>> = failed.iter().map(|finding| entry(finding)).collect();
    let ended: Vec<String> = entries.iter().flatten().filter(|e| e.expired(now)).map(|e| said(e)).collect();
    if !ended.is_empty() {
        let note = format!("quarantine over: {}", shown(&ended));
        result.reason = Some(result.reason.take().map_or(note.clone(), |reason| format!("{reason}; {note}")));
        finished.rule = Some(rule::QUARANTINE);
        return finished;
    }
    let held: Vec<&Quarantine> = entries.iter().copied().flatten().collect();
    if held.is_empty() || held.len() < failed.len() || !told_apart(report, failed.len(), step) {
        return finished;
    }
    let lines: Vec<String> = held.iter().map(|entry| said(entry)).collect();
    report.quarantined = held.iter().map(|entry| entry.test.clone()).collect();
    report.quarantined.sort();
    report.quarantined.dedup();
    result.word = Word::Pass;
    result.reason = Some(format!("quarantined: {}", shown(&lines)));
    finished
}

/// Whether the report names everything that failed, and enough ran besides.
fn told_apart(report: &StepReport, failed: usize, step: &Step) -> bool {
    let whole = report.findings.len() as u64 == report.found;
    let enough = |ran| step.min_tests.is_none_or(|min| ran >= min);
    whole && report.tests.is_some_and(|tests| tests.failed <= failed as u64 && enough(tests.ran))
}

/// A line for each entry that is about none of the tests that ran. `reporting`: the steps of the whole gate that have a
/// report. Nothing is said of what some other test may be, that did not run now, or whose name is not known.
pub fn unmatched(quarantine: &[Quarantine], reporting: &[String], ran: &Named) -> Vec<String> {
    let is_missed = |entry: &&Quarantine| match &entry.step {
        Some(step) => ran.get(step).is_some_and(|names| !names.contains(&entry.test)),
        None => {
            let all = !reporting.is_empty() && reporting.iter().all(|step| ran.contains_key(step));
            all && !ran.values().any(|names| names.contains(&entry.test))
        }
    };
    let line = |entry: &Quarantine| {
        let of = entry.step.as_ref().map_or_else(String::new, |step| format!(" of {step}"));
        format!("no test{of} is called `{}`, which [[ralph.quarantine]] names ({})", entry.test, entry.owner)
    };
    quarantine.iter().filter(is_missed).map(line).collect()
}

fn said(entry: &Quarantine) -> String {
    format!("{} ({}, until {})", entry.test, entry.owner, entry.until.as_str())
}

fn shown(lines: &[String]) -> String {
    let first = lines.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if lines.len() > NAMED { format!("{first} and {} more", lines.len() - NAMED) } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Run, StepKind, parse};
    use crate::domain::finding::Tests;
    use crate::domain::verdict::StepResult;

    fn finding(test: &str) -> Finding {
        Finding {
            rule: test.into(),
            path: None,
            span: None,
            message: String::new(),
            severity: Severity::Error,
            fingerprint: test.into(),
        }
    }

    fn failing(tests: &[&str], found: u64, failed: u64) -> Finished {
        let report = StepReport {
            findings: tests.iter().map(|test| finding(test)).collect(),
            found,
            tests: Some(Tests { ran: 9, failed, skipped: 0 }),
            ..StepReport::default()
        };
        let result = StepResult {
            name: "unit".into(),
            kind: "test".into(),
            word: Word::Fail,
            reason: Some("exit 1".into()),
            millis: 0,
            exit: Some(1),
            tail: String::new(),
            report: Some(report),
            key: None,
            cached: None,
        };
        Finished { result, rule: None, stopped: false, names: None }
    }

    fn weighed(now: &str, step: &Step, finished: Finished) -> String {
        let toml = "[[ralph.step]]\nname='unit'\nkind='test'\nrun='x'\n\
            [[ralph.quarantine]]\ntest='a'\nowner='ann'\nuntil=2026-01-31\n\
            [[ralph.quarantine]]\ntest='b'\nstep='unit'\nowner='bob'\nuntil=2026-03-31\n";
        let list = parse(toml, "orch.toml").unwrap().ralph.quarantine;
        let now = Timestamp::parse(&format!("{now}T12:00:00Z")).unwrap();
        let Finished { result, rule, .. } = weigh(&list, step, now, finished);
        format!("{} {} {:?}", result.word.as_str(), result.reason.unwrap_or_default(), rule)
    }

    #[test]
    fn a_step_is_let_through_only_if_all_that_failed_is_in_quarantine() {
        let step = Step::new("unit", StepKind::Test, Run::Shell("x".into()));
        let many = Step { min_tests: Some(10), ..step.clone() };
        let other = Step { name: "other".into(), ..step.clone() };
        let bare = Finished {
            result: StepResult { report: None, ..failing(&[], 0, 0).result },
            ..failing(&[], 0, 0)
        };
        let rows = [
            weighed("2026-01-31", &step, failing(&["a", "b"], 2, 2)),
            weighed("2026-01-31", &step, failing(&["a", "c"], 2, 2)),
            weighed("2026-01-31", &step, failing(&["a"], 2, 2)),
            weighed("2026-01-31", &step, failing(&["a"], 1, 2)),
            weighed("2026-01-31", &step, failing(&[], 0, 0)),
            weighed("2026-01-31", &step, bare),
            weighed("2026-01-31", &many, failing(&["a"], 1, 1)),
            weighed("2026-01-31", &other, failing(&["b"], 1, 1)),
            weighed("2026-02-01", &step, failing(&["b"], 1, 1)),
            weighed("2026-02-01", &step, failing(&["a", "b"], 2, 2)),
        ];
        insta::assert_snapshot!(rows.join("\n"), @r#"
        PASS quarantined: a (ann, until 2026-01-31), b (bob, until 2026-03-31) None
        FAIL exit 1 None
        FAIL exit 1 None
        FAIL exit 1 None
        FAIL exit 1 None
        FAIL exit 1 None
        FAIL exit 1 None
        FAIL exit 1 None
        PASS quarantined: b (bob, until 2026-03-31) None
        FAIL exit 1; quarantine over: a (ann, until 2026-01-31) Some("ralph.quarantine_expired")
        "#);
    }
}
