//! Which tests flake: they failed, and then passed on the same tree under the same gate. Pure.
//!
//! Reports name the tests that failed. One that failed before passed if the step was judged again, its report names all
//! that failed, and no fewer tests ran. What was looked up instead of run is never shown here: it says nothing new.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::finding::Severity;
use crate::domain::time::Timestamp;
use crate::domain::verdict::StepReport;

/// How many tests are kept, those that flaked and were seen last before others.
pub const TESTS: usize = 500;
/// How many steps of trees are remembered with what failed.
pub const PLACES: usize = 128;
/// How many failed tests of one run are looked at: where more fail it is no matter of flakes.
const FAILED: usize = 100;
/// The most bytes of a test's name.
const NAME: usize = 300;

/// What is known of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flake {
    /// The test's name, as the report has it.
    pub test: String,
    /// The step.
    pub step: String,
    /// How often the step ran since the test failed first.
    pub runs: u64,
    /// How often the test failed.
    pub failures: u64,
    /// How often it passed after it had failed on the same tree.
    pub flaked: u64,
    /// When the step ran last, in milliseconds since 1970.
    pub seen: i64,
}

/// Where a step ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The step.
    pub step: String,
    /// The gate's hash.
    pub gate: String,
    /// The tree.
    pub tree: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Failed {
    place: Place,
    ran: u64,
    tests: BTreeSet<String>,
}

/// One try of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try {
    failed: BTreeSet<String>,
    ran: u64,
}

impl Try {
    /// The try with this report; None if it does not say which tests failed.
    pub fn of(report: &StepReport) -> Option<Self> {
        let ran = report.tests?.ran;
        if report.findings.len() as u64 != report.found || report.findings.len() > FAILED {
            return None;
        }
        let failed = report.findings.iter().filter(|f| f.severity == Severity::Error);
        Some(Self { failed: failed.map(|f| cut(&f.rule)).collect(), ran })
    }
}

fn cut(name: &str) -> String {
    let end = (0..=NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    name[..end.unwrap_or_default()].to_owned()
}

/// The statistics of a clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flakes {
    tests: Vec<Flake>,
    places: Vec<Failed>,
}

impl Flakes {
    /// The tests that flaked, the most often first.
    pub fn list(&self) -> Vec<&Flake> {
        let mut all: Vec<&Flake> = self.tests.iter().filter(|flake| flake.flaked > 0).collect();
        all.sort_by_key(|flake| (std::cmp::Reverse(flake.flaked), &flake.step, &flake.test));
        all
    }

    /// Takes in the tries of a step, in order.
    pub fn observe(&mut self, place: &Place, tries: &[Try], now: Timestamp) {
        let known = self.places.iter().position(|failed| failed.place == *place);
        let mut before = known.map_or_else(
            || Failed { place: place.clone(), ran: 0, tests: BTreeSet::new() },
            |at| self.places.remove(at),
        );
        for this in tries {
            self.count(place, this, now);
            if this.ran >= before.ran {
                for test in before.tests.difference(&this.failed) {
                    self.flaked(&place.step, test);
                }
                before.tests.clone_from(&this.failed);
                before.ran = this.ran;
            } else {
                before.tests.extend(this.failed.iter().cloned());
            }
        }
        if !before.tests.is_empty() {
            self.places.push(before);
        }
        self.bound();
    }

    fn count(&mut self, place: &Place, this: &Try, now: Timestamp) {
        for flake in self.tests.iter_mut().filter(|flake| flake.step == place.step) {
            flake.runs = flake.runs.saturating_add(1);
            flake.failures = flake.failures.saturating_add(u64::from(this.failed.contains(&flake.test)));
            flake.seen = now.millis();
        }
        for test in &this.failed {
            let known = self.tests.iter().any(|flake| flake.step == place.step && flake.test == *test);
            if !known {
                let (test, step) = (test.clone(), place.step.clone());
                self.tests.push(Flake { test, step, runs: 1, failures: 1, flaked: 0, seen: now.millis() });
            }
        }
    }

    fn flaked(&mut self, step: &str, test: &str) {
        let flake = self.tests.iter_mut().find(|flake| flake.step == step && flake.test == test);
        if let Some(flake) = flake {
            // One that was forgotten meanwhile counts anew.
            flake.flaked = flake.flaked.saturating_add(1).min(flake.failures);
        }
    }

    fn bound(&mut self) {
        self.places.drain(..self.places.len().saturating_sub(PLACES));
        if self.tests.len() > TESTS {
            self.tests.sort_by_key(|flake| std::cmp::Reverse((flake.flaked > 0, flake.seen)));
            self.tests.truncate(TESTS);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::{prop_assert, proptest};

    use super::*;
    use crate::domain::finding::{Finding, Tests};

    fn place(tree: &str) -> Place {
        Place { step: "unit".into(), gate: "g".into(), tree: tree.into() }
    }

    fn tried(failed: &str, ran: u64) -> Try {
        Try { failed: failed.split_whitespace().map(str::to_owned).collect(), ran }
    }

    fn shown(runs: &[(&str, &[Try])]) -> String {
        let mut flakes = Flakes::default();
        for (tree, tries) in runs {
            flakes.observe(&place(tree), tries, Timestamp::from_millis(7));
        }
        let line = |f: &&Flake| format!("{} {}/{} {}", f.test, f.failures, f.runs, f.flaked);
        flakes.list().iter().map(line).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn what_failed_and_then_passed_on_the_same_tree_flakes() {
        let rows = [
            // A retry within a run; another run.
            shown(&[("t", &[tried("a", 5), tried("", 5)])]),
            shown(&[("t", &[tried("a b", 5)]), ("t", &[tried("b", 5)])]),
            // Another tree mended it; it never passed; it was not run any more.
            shown(&[("t", &[tried("a", 5)]), ("u", &[tried("", 5)])]),
            shown(&[("t", &[tried("a", 5), tried("a", 5)])]),
            shown(&[("t", &[tried("a", 5)]), ("t", &[tried("", 4)])]),
            // Twice; each time anew.
            shown(&[("t", &[tried("a", 5), tried("", 5)]), ("t", &[tried("a", 5), tried("", 5)])]),
            shown(&[("t", &[tried("a", 5), tried("", 5), tried("", 5)])]),
        ];
        insta::assert_snapshot!(rows.join("\n"), @r"
        a 1/2 1
        a 1/2 1



        a 2/4 2
        a 1/3 1
        ");
    }

    #[test]
    fn a_report_that_does_not_name_what_failed_says_nothing() {
        let finding = Finding {
            rule: "é".repeat(NAME),
            path: None,
            span: None,
            message: String::new(),
            severity: Severity::Error,
            fingerprint: String::new(),
        };
        let tests = Some(Tests { ran: 3, failed: 1, skipped: 0 });
        let report = StepReport { findings: vec![finding], found: 1, tests, ..StepReport::default() };
        assert!(Try::of(&report).unwrap().failed.first().unwrap().len() <= NAME);
        assert_eq!(Try::of(&StepReport { found: 2, ..report.clone() }), None);
        assert_eq!(Try::of(&StepReport { tests: None, ..report }), None);
    }

    proptest! {
        #[test]
        fn it_stays_small_and_counts_no_more_flakes_than_failures(
            runs in vec((0_u8..40, vec(btree_set(0_u16..900, 0..30), 1..4)), 0..60)
        ) {
            let mut flakes = Flakes::default();
            for (n, (tree, tries)) in (0_i64..).zip(&runs) {
                let tries: Vec<Try> = tries
                    .iter()
                    .map(|failed| Try { failed: failed.iter().map(ToString::to_string).collect(), ran: 900 })
                    .collect();
                flakes.observe(&place(&tree.to_string()), &tries, Timestamp::from_millis(n));
            }
            prop_assert!(flakes.tests.len() <= TESTS && flakes.places.len() <= PLACES);
            for flake in &flakes.tests {
                prop_assert!(flake.flaked <= flake.failures && flake.failures <= flake.runs);
            }
        }
    }
}
