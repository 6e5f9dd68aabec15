//! From a run's outcome to a sealed verdict.

use std::collections::BTreeMap;

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Scope, StepReport, StepResult, Trust, Verdict, Word};
use crate::gate::definition::{Base, key};
use crate::gate::mac::VerifierKey;
use crate::gate::outcome::Outcome;
use crate::gate::text::{TAIL_BYTES, tail};

/// What was judged, and by whom.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The tree.
    pub tree: &'a Oid,
    /// `Definition::hash` of the (selected) gate.
    pub gate: &'a str,
    /// When.
    pub made: Timestamp,
    /// Which run of the key it is, from 1.
    pub run: u32,
    /// By whom, as `Actor` prints.
    pub by: &'a str,
    /// What tells the programs of the machine from others, by name.
    pub tools: BTreeMap<String, String>,
    /// What the steps were held by.
    pub trust: Trust,
}

/// All tails of a verdict together: a file of the state has at most 64 KiB.
const ALL_TAILS: usize = 32 * 1024;
/// What is kept of the findings of all steps together, in bytes.
const ALL_FINDINGS: usize = 16 * 1024;
/// What a finding takes besides its texts.
const FINDING: usize = 160;
/// The tail of a step that passed.
const PASS_TAIL: usize = 256;

/// The verdict, sealed; None if the run was stopped, because then nothing is known about the tree.
pub fn verdict(outcome: &Outcome, subject: &Subject<'_>, verifier: &VerifierKey) -> Option<Verdict> {
    if outcome.stop.is_some() {
        return None;
    }
    let mut verdict = Verdict {
        key: key(subject.tree, subject.gate, Base::Absolute),
        tree: subject.tree.clone(),
        gate: subject.gate.to_owned(),
        word: outcome.word,
        scope: Scope::Absolute,
        rule: outcome.rule.clone(),
        fact: outcome.fact.as_deref().map(|fact| tail(fact, TAIL_BYTES)),
        trust: subject.trust,
        steps: with_short_tails(&outcome.steps),
        made: subject.made,
        run: subject.run,
        by: subject.by.to_owned(),
        tools: subject.tools.clone(),
        mac: String::new(),
        signature: None,
    };
    verdict.mac = verifier.sign(&verdict);
    Some(verdict)
}

/// The steps with tails that fit together: what did not pass has the most to say.
fn with_short_tails(steps: &[StepResult]) -> Vec<StepResult> {
    let reports = steps.iter().filter(|step| step.report.as_ref().is_some_and(|r| r.found > 0)).count();
    let findings = ALL_FINDINGS / reports.max(1);
    let pass = steps.iter().filter(|step| step.word == Word::Pass).count();
    let rest = (steps.len() - pass).max(1);
    let pass_limit = PASS_TAIL.min(ALL_TAILS / 4 / pass.max(1));
    let limit = TAIL_BYTES.min((ALL_TAILS - pass_limit * pass) / rest);
    steps
        .iter()
        .map(|step| {
            let limit = if step.word == Word::Pass { pass_limit } else { limit };
            StepResult {
                tail: tail(&step.tail, limit),
                report: step.report.as_ref().map(|report| bounded(report, findings)),
                ..step.clone()
            }
        })
        .collect()
}

/// The report with as many findings as fit: the worst come first.
fn bounded(report: &StepReport, bytes: usize) -> StepReport {
    let mut left = bytes;
    let findings = report.findings.iter().take_while(|finding| {
        let size = FINDING
            + finding.rule.len()
            + finding.message.len()
            + finding.path.as_deref().unwrap_or("").len();
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    });
    StepReport { findings: findings.cloned().collect(), ..report.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::outcome::Stop;

    fn step(word: Word) -> StepResult {
        StepResult {
            name: "x".into(),
            kind: "custom".into(),
            word,
            reason: None,
            millis: 1,
            exit: None,
            tail: "0123456789\n".repeat(1000),
            report: None,
            key: None,
            cached: None,
        }
    }

    fn outcome(steps: Vec<StepResult>) -> Outcome {
        Outcome { word: Word::Fail, rule: None, fact: None, steps, named: BTreeMap::new(), stop: None }
    }

    fn make(outcome: &Outcome) -> Option<(Verdict, VerifierKey)> {
        let dir = tempfile::tempdir().unwrap();
        let verifier = VerifierKey::load_or_create(dir.path()).unwrap();
        let tree = Oid::parse(&"1".repeat(40)).unwrap();
        let made = Timestamp::from_millis(5);
        let subject = Subject {
            tree: &tree,
            gate: "g",
            made,
            run: 1,
            by: "person:ann",
            tools: BTreeMap::new(),
            trust: Trust::Partial,
        };
        verdict(outcome, &subject, &verifier).map(|v| (v, verifier))
    }

    #[test]
    fn a_verdict_is_keyed_sealed_and_honest() {
        let (verdict, verifier) = make(&outcome(vec![step(Word::Fail)])).unwrap();
        assert!(verifier.verify(&verdict));
        assert_eq!(verdict.key, key(&verdict.tree, "g", Base::Absolute));
        assert_eq!((verdict.word, verdict.trust), (Word::Fail, Trust::Partial));
    }

    #[test]
    fn a_stopped_run_gives_no_verdict() {
        assert!(make(&Outcome::stopped(Stop::Interrupted, vec![])).is_none());
        assert!(make(&Outcome::stopped(Stop::Deadline, vec![])).is_none());
    }

    #[test]
    fn tails_fit_into_a_file_of_the_state() {
        for (pass, fail) in [(0, 1), (1, 0), (100, 1), (3, 100), (300, 300)] {
            let mut steps = vec![step(Word::Pass); pass];
            steps.extend(vec![step(Word::Fail); fail]);
            let (verdict, _) = make(&outcome(steps)).unwrap();
            let sum: usize = verdict.steps.iter().map(|s| s.tail.len()).sum();
            assert!(sum <= ALL_TAILS, "{pass} {fail}: {sum}");
            assert!(verdict.steps.iter().all(|s| s.tail.len() <= TAIL_BYTES));
        }
    }
}
