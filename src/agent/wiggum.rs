//! Wiggum: what to do after an iteration, as a pure decision over trees, verdicts and endings.
//!
//! Work is accepted on Ralph's PASS alone, however the agent's process ended; an agent's words are no input.
//! Progress is a tree that changes, not time and not claims. An iteration in which the surroundings failed
//! before the agent changed anything is free, but there are at most `FREE_REPEATS` of those.

use sha2::{Digest as _, Sha256};

use crate::agent::driver::{Ending, Prompts};
use crate::domain::oid::Oid;
use crate::domain::verdict::{StepReport, Verdict, Word};

/// How often an iteration that failed for its surroundings is repeated, per task and session.
pub const FREE_REPEATS: usize = 3;

/// What Ralph said after an iteration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The word.
    pub word: Word,
    /// A digest of what failed and how; equal when two runs failed alike, whatever their timings.
    pub failure: String,
    /// One line for people: which steps, or which rule, and why. Empty for PASS.
    pub summary: String,
}

/// One iteration, as far as the decision needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IterationFacts {
    /// The tree that the agent was given.
    pub before: Oid,
    /// The tree of what it left, without what may not be committed.
    pub after: Oid,
    /// What Ralph said about `after`; None if it was not judged, as an unchanged tree need not be.
    pub judged: Option<Judged>,
    /// How the agent's run ended.
    pub ending: Ending,
}

/// All that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The tree of the commit that the branch was cut from.
    pub base: &'a Oid,
    /// How many iterations the role may use on the task.
    pub budget: u32,
    /// How many of them earlier sessions used, which were interrupted.
    pub spent: u32,
    /// Whether the agent acts on what it is told.
    pub prompts: Prompts,
    /// The iteration that just ended.
    pub now: &'a IterationFacts,
    /// The task's earlier iterations in this session, oldest first.
    pub history: &'a [IterationFacts],
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The work passed: hand it to the merge gate or to review.
    Allow,
    /// One more iteration.
    Retry(Feedback),
    /// A person has to look; why.
    Ask(String),
    /// The budget is spent; why.
    GiveUp(String),
    /// Somebody interrupted: nothing is decided, the next run goes on from here.
    Stop,
}

/// What the next iteration is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// What failed.
    Failing,
    /// That nothing was changed, and to go about it differently.
    Unchanged,
    /// The same as before: this iteration failed for its surroundings and is not counted.
    Repeat,
}

impl Judged {
    /// The part of a verdict that the decision needs.
    pub fn of(verdict: &Verdict) -> Self {
        let failing = || verdict.steps.iter().filter(|step| step.word != Word::Pass);
        let mut hash = Sha256::new();
        let mut parts = Vec::new();
        for text in [&verdict.rule, &verdict.fact].into_iter().flatten() {
            hash.update(normalised(text));
            hash.update([0]);
            parts.push(text.clone());
        }
        for step in failing() {
            let reason = step.reason.as_deref().unwrap_or_default();
            for text in [&step.name, reason, &step.said()] {
                hash.update(normalised(text));
                hash.update([0]);
            }
            let found = step
                .report
                .as_ref()
                .and_then(first)
                .map(|finding| format!(": {finding}"))
                .unwrap_or_default();
            parts.push(format!("{} ({reason}{found})", step.name));
        }
        let failure = hash.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Self { word: verdict.word, failure, summary: parts.join(", ") }
    }
}

/// The first finding, which is the worst one, as far as one line has it.
fn first(report: &StepReport) -> Option<String> {
    Some(report.findings.first()?.to_string().lines().next()?.to_owned())
}

/// Without what differs between two runs that fail alike: durations, process ids, addresses, temporary
/// names, and the order in which parallel workers printed.
fn normalised(text: &str) -> String {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| {
            let mut out = String::with_capacity(line.len());
            for c in line.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }) {
                if !(c == '#' && out.ends_with('#')) {
                    out.push(c);
                }
            }
            out
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

impl IterationFacts {
    /// Whether the agent left what it was given.
    pub fn idle(&self) -> bool {
        self.before == self.after
    }

    /// Whether it counts against the budget.
    pub fn counts(&self) -> bool {
        !(self.idle() && self.ending.is_infrastructure())
    }

    /// Whether the agent said that it failed, and has nothing to show.
    pub fn failed(&self) -> bool {
        self.idle() && matches!(self.ending, Ending::Finished { exit } if exit != 0)
    }
}

/// How many of these iterations count against the budget.
pub fn counted(iterations: &[IterationFacts]) -> u32 {
    u32::try_from(iterations.iter().filter(|i| i.counts()).count()).unwrap_or(u32::MAX)
}

/// What to do after `facts.now`.
pub fn decide(facts: &Facts<'_>) -> Decision {
    let now = facts.now;
    let changed = now.after != *facts.base;
    if now.ending == Ending::Interrupted {
        return Decision::Stop;
    }
    match &now.judged {
        Some(judged) if judged.word == Word::Pass && changed => return Decision::Allow,
        _ if !now.counts() => return surroundings(facts),
        Some(judged) if judged.word == Word::Blocked => {
            return Decision::Ask(format!("could not be judged: {}", judged.summary));
        }
        Some(judged) if judged.word == Word::Pass && now.failed() => {
            return Decision::Ask(format!("{}; the tree already passes", nothing_changed(now)));
        }
        Some(judged) if judged.word == Word::Pass => {
            return Decision::Ask(
                "nothing to do: the tree already passes; close the task, or say in it \
                what is missing and which check would show it"
                    .to_owned(),
            );
        }
        None if changed && !now.idle() => return Decision::Ask("the change was not judged".to_owned()),
        Some(_) | None => {}
    }
    if now.idle() || !changed { unchanged(facts) } else { failing(facts) }
}

fn surroundings(facts: &Facts<'_>) -> Decision {
    let ending = &facts.now.ending;
    let before = facts.history.iter().filter(|i| !i.counts()).count();
    if matches!(ending, Ending::MissingProgram(_)) {
        Decision::Ask(format!("the agent {ending}"))
    } else if before >= FREE_REPEATS {
        Decision::Ask(format!("the agent was {ending}; {} of its runs ended so without a change", before + 1))
    } else {
        Decision::Retry(Feedback::Repeat)
    }
}

fn unchanged(facts: &Facts<'_>) -> Decision {
    if let Ending::NothingToDo(why) = &facts.now.ending {
        return Decision::Ask(format!("the agent had nothing to do: {why}"));
    }
    let (nothing, still) = (nothing_changed(facts.now), still_failing(facts.now));
    if facts.prompts == Prompts::Ignored {
        return Decision::Ask(format!("{nothing} and would do the same again{still}"));
    }
    let last = facts.history.iter().rev().find(|i| i.counts());
    if last.is_some_and(|last| last.idle() || last.after == *facts.base) {
        return Decision::Ask(format!("{nothing}, twice in a row{still}"));
    }
    retry(facts, Feedback::Unchanged)
}

fn nothing_changed(now: &IterationFacts) -> String {
    match now.ending {
        Ending::Finished { exit } if now.failed() => {
            format!("the agent failed (exit {exit}) and changed nothing")
        }
        _ => "the agent changed nothing".to_owned(),
    }
}

fn failing(facts: &Facts<'_>) -> Decision {
    let (now, still) = (facts.now, still_failing(facts.now));
    let earlier: Vec<&IterationFacts> = facts.history.iter().filter(|i| i.counts()).collect();
    let alike = |i: &&IterationFacts| i.after == now.after && failure(i) == failure(now);
    if earlier.iter().any(alike) {
        return Decision::Ask(format!("stuck: the same change failed in the same way before{still}"));
    }
    // What an idle iteration left is not a step to or fro.
    let steps: Vec<&Oid> = earlier.iter().filter(|i| !i.idle()).map(|i| &i.after).collect();
    if let [.., a, b, c] = steps[..]
        && a == c
        && *b == now.after
        && a != b
    {
        return Decision::Ask(format!("stuck: the agent goes to and fro between two changes{still}"));
    }
    retry(facts, Feedback::Failing)
}

fn retry(facts: &Facts<'_>, feedback: Feedback) -> Decision {
    let used = counted(facts.history).saturating_add(facts.spent).saturating_add(1);
    if used >= facts.budget {
        Decision::GiveUp(format!("{used} of {} iterations used{}", facts.budget, still_failing(facts.now)))
    } else {
        Decision::Retry(feedback)
    }
}

fn failure(i: &IterationFacts) -> Option<&str> {
    i.judged.as_ref().map(|judged| judged.failure.as_str())
}

fn still_failing(i: &IterationFacts) -> String {
    match &i.judged {
        Some(judged) if !judged.summary.is_empty() => format!("; still failing: {}", judged.summary),
        Some(_) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{arbitrary::any, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::agent::driver::Limit;
    use crate::domain::finding::{Finding, Severity};
    use crate::domain::time::Timestamp;
    use crate::domain::verdict::{Scope, StepResult, Trust};

    /// A tree for a letter; `0` is the base.
    fn tree(c: char) -> Oid {
        Oid::parse(&format!("{:02x}", u32::from(c)).repeat(20)).unwrap()
    }

    fn judged(c: char) -> Option<Judged> {
        let (word, summary) = match c {
            'p' => (Word::Pass, ""),
            'f' => (Word::Fail, "test (exit 101)"),
            'g' => (Word::Fail, "clippy (exit 101)"),
            'b' => (Word::Blocked, "clippy (cargo-clippy: not found)"),
            _ => return None,
        };
        Some(Judged { word, failure: c.to_string(), summary: summary.to_owned() })
    }

    fn ending(c: char) -> Ending {
        match c {
            '.' => Ending::Finished { exit: 0 },
            'x' => Ending::Finished { exit: 1 },
            'c' => Ending::Crashed { signal: 9 },
            's' => Ending::Stalled(Limit::Idle),
            'm' => Ending::MissingProgram("sh: 1: gpt: not found".to_owned()),
            'i' => Ending::Interrupted,
            'n' => Ending::NothingToDo("no fixer applies".to_owned()),
            other => panic!("no ending `{other}`"),
        }
    }

    /// A history like `Af. Af. 0-c`: tree, verdict, ending of each iteration.
    fn history(text: &str) -> Vec<IterationFacts> {
        let mut before = tree('0');
        let mut all = Vec::new();
        for word in text.split_whitespace() {
            let c: Vec<char> = word.chars().collect();
            let after = tree(c[0]);
            all.push(IterationFacts {
                before,
                after: after.clone(),
                judged: judged(c[1]),
                ending: ending(c[2]),
            });
            before = after;
        }
        all
    }

    fn after(text: &str, budget: u32, prompts: Prompts) -> Decision {
        let all = history(text);
        let (now, history) = all.split_last().unwrap();
        decide(&Facts { base: &tree('0'), budget, spent: 0, prompts, now, history })
    }

    #[test]
    fn what_interrupted_sessions_used_counts() {
        let now = &history("Af.")[0];
        let base = tree('0');
        let decided = |spent| {
            decide(&Facts { base: &base, budget: 5, spent, prompts: Prompts::Heeded, now, history: &[] })
        };
        assert_eq!(decided(3), Decision::Retry(Feedback::Failing));
        let given_up = "5 of 5 iterations used; still failing: test (exit 101)".to_owned();
        assert_eq!(decided(4), Decision::GiveUp(given_up));
    }

    fn table(rows: &[&str], budget: u32, prompts: Prompts) -> String {
        let line = |row: &&str| format!("{row:<28} {:?}", after(row, budget, prompts));
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_word_decides_and_the_ending_does_not() {
        let rows = [
            "Ap.", "Apc", "Aps", "Apm", "Apx", "Af. Bp.", "0p.", "0px", "Ab.", "0b.", "Af.", "Afc", "A-.",
            "Api",
        ];
        insta::assert_snapshot!(table(&rows, 3, Prompts::Heeded), @r#"
        Ap.                          Allow
        Apc                          Allow
        Aps                          Allow
        Apm                          Allow
        Apx                          Allow
        Af. Bp.                      Allow
        0p.                          Ask("nothing to do: the tree already passes; close the task, or say in it what is missing and which check would show it")
        0px                          Ask("the agent failed (exit 1) and changed nothing; the tree already passes")
        Ab.                          Ask("could not be judged: clippy (cargo-clippy: not found)")
        0b.                          Ask("could not be judged: clippy (cargo-clippy: not found)")
        Af.                          Retry(Failing)
        Afc                          Retry(Failing)
        A-.                          Ask("the change was not judged")
        Api                          Stop
        "#);
    }

    #[test]
    fn no_change_gets_other_words_once() {
        let rows = [
            "0f.",
            "0-.",
            "0f. 0f.",
            "0f. Af.",
            "Af. Af.",
            "Af. Af. Af.",
            "Af. 0f.",
            "0fn",
            "Afn",
            "0pn",
            "0fx 0fx",
        ];
        insta::assert_snapshot!(table(&rows, 9, Prompts::Heeded), @r#"
        0f.                          Retry(Unchanged)
        0-.                          Retry(Unchanged)
        0f. 0f.                      Ask("the agent changed nothing, twice in a row; still failing: test (exit 101)")
        0f. Af.                      Retry(Failing)
        Af. Af.                      Retry(Unchanged)
        Af. Af. Af.                  Ask("the agent changed nothing, twice in a row; still failing: test (exit 101)")
        Af. 0f.                      Retry(Unchanged)
        0fn                          Ask("the agent had nothing to do: no fixer applies")
        Afn                          Retry(Failing)
        0pn                          Ask("nothing to do: the tree already passes; close the task, or say in it what is missing and which check would show it")
        0fx 0fx                      Ask("the agent failed (exit 1) and changed nothing, twice in a row; still failing: test (exit 101)")
        "#);
        insta::assert_snapshot!(table(&["0f.", "Af.", "Af. Af."], 9, Prompts::Ignored), @r#"
        0f.                          Ask("the agent changed nothing and would do the same again; still failing: test (exit 101)")
        Af.                          Retry(Failing)
        Af. Af.                      Ask("the agent changed nothing and would do the same again; still failing: test (exit 101)")
        "#);
    }

    #[test]
    fn standing_still_is_cut_short() {
        let rows = [
            "Af. Bf.",
            "Af. Bf. Af.",
            "Af. Bf. Ag.",
            "Af. Bf. Ag. Bg.",
            "Af. Bf. Cg. Bg.",
            "Af. Bf. Bf. Ag.",
        ];
        insta::assert_snapshot!(table(&rows, 9, Prompts::Heeded), @r#"
        Af. Bf.                      Retry(Failing)
        Af. Bf. Af.                  Ask("stuck: the same change failed in the same way before; still failing: test (exit 101)")
        Af. Bf. Ag.                  Retry(Failing)
        Af. Bf. Ag. Bg.              Ask("stuck: the agent goes to and fro between two changes; still failing: clippy (exit 101)")
        Af. Bf. Cg. Bg.              Retry(Failing)
        Af. Bf. Bf. Ag.              Retry(Failing)
        "#);
    }

    #[test]
    fn surroundings_are_free_three_times() {
        let rows = [
            "0-m",
            "0fm",
            "Afm",
            "0-c",
            "0-c 0-s",
            "0-c 0-c 0-c",
            "0-c 0-c 0-c 0-c",
            "Af. Afc",
            "Af. Afc Afc Bf.",
        ];
        insta::assert_snapshot!(table(&rows, 2, Prompts::Heeded), @r#"
        0-m                          Ask("the agent could not start: sh: 1: gpt: not found")
        0fm                          Ask("the agent could not start: sh: 1: gpt: not found")
        Afm                          Retry(Failing)
        0-c                          Retry(Repeat)
        0-c 0-s                      Retry(Repeat)
        0-c 0-c 0-c                  Retry(Repeat)
        0-c 0-c 0-c 0-c              Ask("the agent was killed by signal 9; 4 of its runs ended so without a change")
        Af. Afc                      Retry(Repeat)
        Af. Afc Afc Bf.              GiveUp("2 of 2 iterations used; still failing: test (exit 101)")
        "#);
    }

    #[test]
    fn the_budget_ends_it() {
        insta::assert_snapshot!(table(&["Af.", "Af. Bf.", "Af. Bf. Cf.", "Af. Bf. Cp."], 3, Prompts::Heeded), @r#"
        Af.                          Retry(Failing)
        Af. Bf.                      Retry(Failing)
        Af. Bf. Cf.                  GiveUp("3 of 3 iterations used; still failing: test (exit 101)")
        Af. Bf. Cp.                  Allow
        "#);
        insta::assert_snapshot!(table(&["Af.", "0f.", "Ap."], 0, Prompts::Heeded), @r#"
        Af.                          GiveUp("1 of 0 iterations used; still failing: test (exit 101)")
        0f.                          GiveUp("1 of 0 iterations used; still failing: test (exit 101)")
        Ap.                          Allow
        "#);
    }

    fn verdict(tail: &str) -> Verdict {
        let step = |name: &str, word, reason: Option<&str>| StepResult {
            name: name.to_owned(),
            kind: "test".to_owned(),
            word,
            reason: reason.map(str::to_owned),
            millis: 1,
            exit: Some(101),
            tail: tail.to_owned(),
            report: None,
            key: None,
            cached: None,
        };
        Verdict {
            key: String::new(),
            tree: tree('A'),
            gate: String::new(),
            word: Word::Fail,
            scope: Scope::Absolute,
            rule: None,
            fact: None,
            trust: Trust::Unsandboxed,
            steps: vec![step("build", Word::Pass, None), step("test", Word::Fail, Some("exit 101"))],
            made: Timestamp::from_millis(0),
            run: 1,
            by: String::new(),
            tools: std::collections::BTreeMap::new(),
            mac: String::new(),
            signature: None,
        }
    }

    #[test]
    fn two_runs_that_fail_alike_have_one_digest() {
        let a = Judged::of(&verdict("test b ... ok\ntest a ... FAILED\nfinished in 0.02s"));
        let b = Judged::of(&verdict("test a ... FAILED\ntest b ... ok\nfinished in 10.13s"));
        let c = Judged::of(&verdict("test b ... FAILED\ntest a ... ok\nfinished in 0.02s"));
        assert_eq!(a, b);
        assert_ne!(a.failure, c.failure);
        assert_eq!((a.word, a.summary.as_str()), (Word::Fail, "test (exit 101)"));
    }

    #[test]
    fn the_summary_names_what_was_found_first() {
        let mut verdict = verdict("");
        let finding = |rule: &str| Finding {
            rule: rule.to_owned(),
            path: Some("src/a.rs".to_owned()),
            span: None,
            message: "left: 1\nright: 2".to_owned(),
            severity: Severity::Error,
            fingerprint: String::new(),
        };
        verdict.steps[1].report = Some(StepReport {
            findings: ["a::works", "b::works"].map(finding).to_vec(),
            found: 2,
            ..StepReport::default()
        });
        let summary = Judged::of(&verdict).summary;
        assert_eq!(summary, "test (exit 101: src/a.rs: error a::works: left: 1)");
    }

    proptest! {
        #[test]
        fn no_agent_is_run_more_often_than_budget_and_free_repeats(
            script in proptest::collection::vec(("[0ABC]", "[-pfgb]", "[.csmn]"), 80),
            budget in 0_u32..20,
            heeded in any::<bool>(),
        ) {
            let prompts = if heeded { Prompts::Heeded } else { Prompts::Ignored };
            let text = script.iter().map(|(t, j, e)| format!("{t}{j}{e}")).collect::<Vec<_>>().join(" ");
            let all = history(&text);
            let base = tree('0');
            for n in 0..all.len() {
                let facts = Facts { base: &base, budget, spent: 0, prompts, now: &all[n], history: &all[..n] };
                let decision = decide(&facts);
                if decision == Decision::Allow {
                    prop_assert_eq!(all[n].judged.as_ref().map(|j| j.word), Some(Word::Pass));
                    prop_assert!(all[n].after != base);
                }
                if !matches!(decision, Decision::Retry(_)) {
                    prop_assert!(counted(&all[..=n]) <= budget.max(1));
                    prop_assert!(n < budget.max(1) as usize + FREE_REPEATS + 1);
                    return Ok(());
                }
            }
            prop_assert!(false, "80 iterations and no end");
        }
    }
}
