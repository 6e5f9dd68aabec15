//! What a gate is: setup, carried paths and steps; its hash; the key of a verdict.

use crate::config::{Config, Moment, Quarantine, Run, Step};
use crate::domain::oid::Oid;
use crate::domain::role::Team;
use crate::domain::time::Timestamp;
use crate::gate::canon::Canon;
use crate::sys::sandbox::Network;

/// A gate. Whatever is in here is part of its hash: another definition is another gate, and verdicts of one
/// say nothing about the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// Lines for `sh -c`, run in order before the steps.
    pub setup: Vec<String>,
    /// Paths that a gate worktree keeps from one run to the next.
    pub carry: Vec<String>,
    /// The steps, in the order of `orch.toml`.
    pub steps: Vec<Step>,
    /// The tests whose failure does not count for a while.
    pub quarantine: Vec<Quarantine>,
    /// The steps of the whole gate that have a report, where this is a part of it. No part of the hash.
    pub reporting: Vec<String>,
}

/// What a verdict is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base<'a> {
    /// Nothing: the tree by itself.
    Absolute,
    /// The tree of the merge base.
    Tree(&'a Oid),
}

impl Definition {
    /// The whole gate of a configuration. `ralph.accept` and `ralph.max_age` are no part of it: they say what
    /// is done with a verdict, not how it comes about.
    pub fn of(config: &Config) -> Self {
        let ralph = &config.ralph;
        Self {
            setup: ralph.setup.clone(),
            carry: ralph.carry.clone(),
            steps: ralph.steps.clone(),
            quarantine: ralph.quarantine.clone(),
            reporting: ralph.steps.iter().filter(|s| s.report.is_some()).map(|s| s.name.clone()).collect(),
        }
    }

    /// The part of the gate that applies at `moment` (`Always`: whenever) for branches of `team` (None:
    /// everybody's steps), with all that these steps need.
    ///
    /// Select first and hash the result: a PASS of a part must never stand for the whole. Where no step uses
    /// `when` or `teams`, the part is the whole and has its hash.
    #[must_use]
    pub fn select(&self, moment: Moment, team: Option<Team>) -> Self {
        let applies = |step: &Step| {
            let now = moment == Moment::Always
                || step.when.contains(&Moment::Always)
                || step.when.contains(&moment);
            let ours = team.is_none_or(|team| step.teams.is_empty() || step.teams.contains(&team));
            now && ours
        };
        self.with_needs(applies)
    }

    /// The part with the steps of these names, and all that they need.
    #[must_use]
    pub fn only(&self, names: &[String]) -> Self {
        self.with_needs(|step| names.contains(&step.name))
    }

    fn with_needs(&self, applies: impl Fn(&Step) -> bool) -> Self {
        let mut taken: Vec<bool> = self.steps.iter().map(applies).collect();
        let mut more = true;
        while more {
            more = false;
            for (index, step) in self.steps.iter().enumerate() {
                let needed =
                    || self.steps.iter().zip(&taken).any(|(s, &taken)| taken && s.needs.contains(&step.name));
                if !taken[index] && needed() {
                    taken[index] = true;
                    more = true;
                }
            }
        }
        let steps = self.steps.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(s, _)| s.clone());
        Self {
            setup: self.setup.clone(),
            carry: self.carry.clone(),
            steps: steps.collect(),
            quarantine: self.quarantine.clone(),
            reporting: self.reporting.clone(),
        }
    }

    /// The bytes that the hash is taken over (encoding: `canon`).
    pub fn canonical(&self) -> Vec<u8> {
        self.canon().bytes()
    }

    /// Lower-case hexadecimal SHA-256 of the definition.
    pub fn hash(&self) -> String {
        self.canon().sha256()
    }

    fn canon(&self) -> Canon {
        let canon = Canon::new("git-orch gate definition v1")
            .list(self.setup.iter().map(String::as_str))
            .list(self.carry.iter().map(String::as_str))
            .number(self.steps.len() as u64);
        let canon = self.steps.iter().fold(canon, canonical_step);
        // Only where it is less than all, so that gates from before there was a choice keep their hashes.
        let limited = self.steps.iter().filter(|step| step.network != Network::On);
        let limited: Vec<String> =
            limited.map(|step| format!("{}={}", step.name, step.network.as_str())).collect();
        let canon = if limited.is_empty() {
            canon
        } else {
            canon.text("network").list(limited.iter().map(String::as_str))
        };
        self.quarantine.iter().fold(canon, quarantined)
    }

    /// Whether an entry of the quarantine ended between two moments: a verdict made at the first says nothing about the
    /// second.
    pub fn ended_between(&self, made: Timestamp, now: Timestamp) -> bool {
        self.quarantine.iter().any(|entry| !entry.expired(made) && entry.expired(now))
    }
}

fn quarantined(canon: Canon, entry: &Quarantine) -> Canon {
    canon
        .text("quarantine")
        .text(&entry.test)
        .option(entry.step.as_deref())
        .text(&entry.owner)
        .text(entry.until.as_str())
        .option(entry.reason.as_deref())
}

/// A step's fields but its network, which came later.
pub(super) fn canonical_step(canon: Canon, step: &Step) -> Canon {
    let canon = canon.text(&step.name).text(step.kind.as_str());
    let canon = match &step.run {
        Run::Shell(line) => canon.text("sh").text(line),
        Run::Argv(words) => canon.text("argv").list(words.iter().map(String::as_str)),
    };
    let min_tests = step.min_tests.map(|n| n.to_string());
    let when: Vec<&str> = step.when.iter().map(|m| m.as_str()).collect();
    let teams: Vec<&str> = step.teams.iter().map(|t| t.as_str()).collect();
    canon
        .list(step.inputs.iter().map(String::as_str))
        .list(step.env.iter().map(String::as_str))
        .number(step.timeout.millis())
        .list(step.needs.iter().map(String::as_str))
        .option(step.group.as_deref())
        .list(step.resources.iter().map(String::as_str))
        .option(step.report.as_deref())
        .number(u64::from(step.retries))
        .list(when.into_iter())
        .list(teams.into_iter())
        .option(min_tests.as_deref())
}

/// The key of a verdict: lower-case hexadecimal SHA-256 over the domain word `git-orch verdict key v1`, the
/// tree, the gate's hash, and `absolute` or `base` with the base tree; each with its length before it (`canon`).
pub fn key(tree: &Oid, gate: &str, base: Base<'_>) -> String {
    let canon = Canon::new("git-orch verdict key v1").text(tree.as_str()).text(gate);
    match base {
        Base::Absolute => canon.text("absolute"),
        Base::Tree(base) => canon.text("base").text(base.as_str()),
    }
    .sha256()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{StepKind, parse};

    fn definition(text: &str) -> Definition {
        Definition::of(&parse(text, "orch.toml").unwrap())
    }

    fn names(definition: &Definition) -> Vec<&str> {
        definition.steps.iter().map(|s| s.name.as_str()).collect()
    }

    const GATE: &str = r#"
        [ralph]
        setup = ["a", "b"]
        [[ralph.step]]
        name = "build"
        run = "make"
        when = "merge"
        [[ralph.step]]
        name = "lint"
        run = "make lint"
        teams = "qa"
        [[ralph.step]]
        name = "test"
        run = "make test"
        needs = ["build"]
        when = ["push", "merge"]
    "#;

    #[test]
    fn the_hashes_are_frozen() {
        // Stored verdicts are found by these: a change here makes every recorded verdict unreachable.
        insta::assert_snapshot!(definition(GATE).hash(), @"107ccf64a231a583a2775ae1e75d2a015d36eae9bbd031aa08f69e7264803d88");
        let tree = Oid::parse(&"1".repeat(40)).unwrap();
        insta::assert_snapshot!(key(&tree, "gate", Base::Absolute), @"92efed402e239ced68ceab5bba1885f392ea75baffc359d53ecc975e97d5f15d");
        insta::assert_snapshot!(key(&tree, "gate", Base::Tree(&tree)), @"a878384fb7fca91905949badfc80f54998a556134ba7d7c1babeb64a2e77b715");
    }

    #[test]
    fn every_field_is_part_of_the_hash() {
        let base = definition(GATE);
        let mut hashes = std::collections::BTreeSet::from([base.hash()]);
        let changes: Vec<fn(&mut Step)> = vec![
            |s| s.name.push('x'),
            |s| s.kind = StepKind::Lint,
            |s| s.run = Run::Argv(vec!["make".into()]),
            |s| s.run = Run::Argv(vec!["ma".into(), "ke".into()]),
            |s| s.run = Run::Shell("make x".into()),
            |s| s.inputs.push("x".into()),
            |s| s.env.push("x".into()),
            |s| s.timeout = crate::config::Period::from_secs(1),
            |s| s.needs.push("x".into()),
            |s| s.group = Some(String::new()),
            |s| s.group = Some("x".into()),
            |s| s.resources.push("x".into()),
            |s| s.report = Some("x".into()),
            |s| s.retries = 1,
            |s| s.when.clear(),
            |s| s.teams.extend([Team::Dev]),
            |s| s.min_tests = Some(0),
            |s| s.network = Network::Off,
            |s| s.network = Network::Loopback,
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut other = base.clone();
            change(&mut other.steps[0]);
            assert!(hashes.insert(other.hash()), "change {index} is not seen");
        }
        let mut other = base.clone();
        other.setup = vec!["ab".into()];
        assert!(hashes.insert(other.hash()));
        other.carry = vec!["target".into()];
        assert!(hashes.insert(other.hash()));
        let entry = |change: &str| {
            let toml = format!("{GATE}[[ralph.quarantine]]\ntest='t'\nowner='o'\nuntil=2026-01-02\n{change}");
            definition(&toml).hash()
        };
        let one = entry("");
        for other in [one, entry("step='lint'"), entry("reason='r'")] {
            assert!(hashes.insert(other));
        }
        other.steps.swap(0, 1);
        assert!(hashes.insert(other.hash()));
    }

    #[test]
    fn a_verdict_from_before_a_quarantine_ended_is_over() {
        let gate = definition(&format!("{GATE}[[ralph.quarantine]]\ntest='t'\nowner='o'\nuntil=2026-01-02"));
        let between = |made: &str, now: &str| {
            let at = |text: &str| Timestamp::parse(&format!("2026-01-{text}:00:00Z")).unwrap();
            gate.ended_between(at(made), at(now))
        };
        assert!(between("02T23", "03T00"));
        assert!(!between("01T00", "02T23"), "it still holds");
        assert!(!between("03T00", "04T00"), "it was over when it was made");
    }

    #[test]
    fn a_part_has_what_its_steps_need() {
        let gate = definition(GATE);
        assert_eq!(names(&gate.select(Moment::Push, Some(Team::Dev))), ["build", "test"]);
        assert_eq!(names(&gate.select(Moment::Commit, Some(Team::Qa))), ["lint"]);
        assert_eq!(gate.select(Moment::Always, None), gate);
        assert_ne!(gate.select(Moment::Push, Some(Team::Dev)).hash(), gate.hash());
    }

    #[test]
    fn what_is_done_with_a_verdict_is_no_part_of_the_gate() {
        let other = GATE.replace("[ralph]", "[ralph]\naccept = \"no_regressions\"\nmax_age = \"1h\"");
        assert_eq!(definition(&other).hash(), definition(GATE).hash());
    }
}
