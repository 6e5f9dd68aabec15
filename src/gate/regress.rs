//! What a tree makes worse than its base. Pure.
//!
//! A step that failed before and fails now hides nothing: its findings are compared one by one. What can't be compared is
//! worse: a failure without findings, a step that did not run, more findings than were kept.

use crate::domain::finding::{Coverage, new_ones};
use crate::domain::verdict::{StepReport, StepResult, Word};
use crate::gate::outcome::rule;

/// What a tree comes to beside its base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Why its failures are not all old ones: a line for each step.
    pub worse: Vec<String>,
    /// How many findings the base has, too.
    pub old: u64,
    /// What it lost though every step may have passed: the rule, and the fact, each.
    pub lost: Vec<(&'static str, String)>,
}

/// Compares the results of a tree with those of its base, by the same gate.
pub fn compare(candidate: &[StepResult], base: &[StepResult]) -> Compared {
    let mut compared = Compared::default();
    for step in candidate {
        let before = base.iter().find(|before| before.name == step.name);
        match step.word {
            Word::Pass => {}
            Word::Blocked => compared.worse.push(format!("{} could not be judged", step.name)),
            Word::Fail => match old_findings(step, before) {
                Ok(old) => compared.old += old,
                Err(why) => compared.worse.push(format!("{}: {why}", step.name)),
            },
        }
        let reports = step.report.as_ref().zip(before.and_then(|before| before.report.as_ref()));
        if let Some((now, before)) = reports
            && step.word != Word::Blocked
        {
            let lost = lost(now, before).into_iter();
            compared.lost.extend(lost.map(|(rule, fact)| (rule, format!("{}: {fact}", step.name))));
        }
    }
    compared
}

/// How many findings of a failing step are old; all of them have to be.
fn old_findings(step: &StepResult, before: Option<&StepResult>) -> Result<u64, String> {
    let Some(now) = &step.report else {
        return Err("it has no report, so that old failures can't be told from new ones".to_owned());
    };
    if now.found == 0 {
        return Err("it failed without a finding".to_owned());
    }
    let Some(then) = before.filter(|before| before.word != Word::Blocked).and_then(|b| b.report.as_ref())
    else {
        return Err("there is no report of the base to compare with".to_owned());
    };
    if !is_whole(now) || !is_whole(then) {
        return Err("there are more findings than were kept to compare".to_owned());
    }
    match new_ones(&now.findings, &then.findings).as_slice() {
        [] if now.partial => {
            Err("it stopped before it had looked at everything: old failures may hide new ones".to_owned())
        }
        [] => Ok(now.found),
        [one] => Err(format!("new: {one}")),
        [first, ..] => Err(format!("{} new: {first}", new_ones(&now.findings, &then.findings).len())),
    }
}

fn is_whole(report: &StepReport) -> bool {
    report.findings.len() as u64 == report.found
}

/// What a report has less of than that of the base.
fn lost(now: &StepReport, then: &StepReport) -> Vec<(&'static str, String)> {
    let mut lost = Vec::new();
    if let Some((now, then)) = now.tests.zip(then.tests) {
        if now.ran < then.ran {
            lost.push((rule::FEWER_TESTS, format!("{} tests ran, {} on the base", now.ran, then.ran)));
        }
        if now.skipped > then.skipped {
            let fact = format!("{} tests are skipped, {} on the base", now.skipped, then.skipped);
            lost.push((rule::SKIPPED_TESTS, fact));
        }
    }
    let percents = now.coverage.and_then(per_mille).zip(then.coverage.and_then(per_mille));
    // Tenths of a percent: what rounding and moved lines make is no loss.
    if let Some((after, before)) = percents.filter(|(after, before)| after < before) {
        let percent = |tenths: u64| format!("{}.{} %", tenths / 10, tenths % 10);
        let fact = format!("{} of the lines are covered, {} on the base", percent(after), percent(before));
        lost.push((rule::COVERAGE, fact));
    }
    lost
}

fn per_mille(coverage: Coverage) -> Option<u64> {
    coverage.covered.saturating_mul(1000).checked_div(coverage.total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::{Finding, Severity, Tests};

    fn finding(fingerprint: &str) -> Finding {
        Finding {
            rule: "R".into(),
            path: Some("a".into()),
            span: None,
            message: fingerprint.into(),
            severity: Severity::Error,
            fingerprint: fingerprint.into(),
        }
    }

    fn with(findings: &[&str], found: u64) -> StepReport {
        let findings = findings.iter().map(|f| finding(f)).collect();
        StepReport { findings, found, ..StepReport::default() }
    }

    fn step(word: Word, report: Option<StepReport>) -> StepResult {
        StepResult {
            name: "s".into(),
            kind: "lint".into(),
            word,
            reason: None,
            millis: 0,
            exit: None,
            tail: String::new(),
            report,
            key: None,
            cached: None,
        }
    }

    fn said(now: StepResult, then: Option<StepResult>) -> String {
        let compared = compare(&[now], &then.into_iter().collect::<Vec<_>>());
        let lost = compared.lost.into_iter().map(|(rule, fact)| format!("{rule} ({fact})"));
        let all: Vec<String> = compared.worse.into_iter().chain(lost).collect();
        if all.is_empty() { format!("{} old", compared.old) } else { all.join("; ") }
    }

    #[test]
    fn only_old_findings_are_excused() {
        use Word::{Blocked, Fail, Pass};
        let of = |findings: &[&str]| Some(with(findings, findings.len() as u64));
        let rows = [
            said(step(Fail, of(&["1", "2"])), Some(step(Fail, of(&["2", "1", "3"])))),
            said(step(Fail, of(&["1", "2"])), Some(step(Fail, of(&["1"])))),
            said(step(Fail, of(&["1", "2", "3"])), Some(step(Pass, of(&[])))),
            said(step(Fail, of(&["1"])), None),
            said(step(Fail, of(&["1"])), Some(step(Blocked, of(&["1"])))),
            said(step(Fail, None), Some(step(Fail, None))),
            said(step(Fail, of(&[])), Some(step(Fail, of(&[])))),
            said(step(Fail, Some(with(&["1"], 2))), Some(step(Fail, of(&["1"])))),
            said(step(Fail, of(&["1"])), Some(step(Fail, Some(with(&["1"], 2))))),
            said(step(Blocked, None), Some(step(Blocked, None))),
            said(step(Pass, None), None),
            said(
                step(Fail, Some(StepReport { partial: true, ..with(&["1"], 1) })),
                Some(step(Fail, of(&["1"]))),
            ),
        ];
        insta::assert_snapshot!(rows.join("\n"), @r"
        2 old
        s: new: a: error R: 2
        s: 3 new: a: error R: 1
        s: there is no report of the base to compare with
        s: there is no report of the base to compare with
        s: it has no report, so that old failures can't be told from new ones
        s: it failed without a finding
        s: there are more findings than were kept to compare
        s: there are more findings than were kept to compare
        s could not be judged
        0 old
        s: it stopped before it had looked at everything: old failures may hide new ones
        ");
    }

    #[test]
    fn what_is_lost_has_a_rule() {
        let tests = |ran, skipped| {
            let tests = Some(Tests { ran, failed: 0, skipped });
            Some(step(Word::Pass, Some(StepReport { tests, ..StepReport::default() })))
        };
        let covered = |covered, total| {
            let coverage = Some(Coverage { covered, total });
            Some(step(Word::Pass, Some(StepReport { coverage, ..StepReport::default() })))
        };
        let rows = [
            (tests(5, 1), tests(5, 1)),
            (tests(6, 0), tests(5, 1)),
            (tests(4, 1), tests(5, 1)),
            (tests(0, 2), tests(5, 1)),
            (tests(5, 2), tests(5, 1)),
            (covered(899, 1000), covered(900, 1000)),
            (covered(8999, 10_000), covered(90, 100)),
            (covered(0, 0), covered(90, 100)),
        ];
        let said: Vec<String> = rows.into_iter().map(|(now, then)| said(now.unwrap(), then)).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        0 old
        0 old
        ralph.fewer_tests (s: 4 tests ran, 5 on the base)
        ralph.fewer_tests (s: 0 tests ran, 5 on the base); ralph.skipped_tests (s: 2 tests are skipped, 1 on the base)
        ralph.skipped_tests (s: 2 tests are skipped, 1 on the base)
        ralph.coverage (s: 89.9 % of the lines are covered, 90.0 % on the base)
        ralph.coverage (s: 89.9 % of the lines are covered, 90.0 % on the base)
        0 old
        ");
    }
}
