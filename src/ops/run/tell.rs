//! What an agent is told besides its task: the contract in words, the checks, what fails.

use std::path::Path;

use crate::agent::driver::AgentError;
use crate::agent::failing::{Failing, Room, select};
use crate::agent::prompt::Check;
use crate::agent::wiggum;
use crate::config::{Config, Moment, Run};
use crate::domain::id::TaskId;
use crate::domain::role::Team;
use crate::domain::verdict::{StepResult, Verdict, Word};
use crate::gate::Definition;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::guardrails::Hit;
use crate::ops::ralph::Judged;
use crate::policy::{Contract, Patterns, Permission, Violation};
use crate::sys::process::quote;

/// A contract as imperatives.
pub(super) fn contract(contract: &Contract) -> Vec<String> {
    let texts = |list: &[Patterns]| {
        let texts = list.iter().flat_map(Patterns::texts).map(|text| format!("`{text}`"));
        texts.collect::<Vec<_>>().join(", ")
    };
    let mut lines = Vec::new();
    for allowed in &contract.allowed {
        lines.push(format!("Touch only files that match {}.", texts(std::slice::from_ref(allowed))));
    }
    if !contract.forbidden.is_empty() {
        lines.push(format!("Do not touch {}.", texts(&contract.forbidden)));
    }
    if contract.new_files == Permission::Deny {
        lines.push("Add no files, except lock files that a build makes.".to_owned());
    }
    if contract.deletions == Permission::Deny {
        lines.push("Delete no files.".to_owned());
    }
    if contract.max_files < u64::MAX || contract.max_lines < u64::MAX {
        lines.push(format!(
            "Change at most {} files and {} lines (added and deleted together) on the whole branch.",
            contract.max_files, contract.max_lines
        ));
    }
    lines
}

/// The steps that will judge a task of `team`.
pub(super) fn checks(config: &Config, team: Option<Team>) -> Vec<Check> {
    let gate = Definition::of(config).select(Moment::Merge, team);
    let line = |run: &Run| match run {
        Run::Shell(line) => line.clone(),
        Run::Argv(words) => words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
    };
    gate.steps.iter().map(|step| Check { name: step.name.clone(), run: line(&step.run) }).collect()
}

/// A rule as a check that failed.
fn step(rule: &str, tail: String) -> StepResult {
    StepResult {
        name: rule.to_owned(),
        kind: "guardrail".to_owned(),
        word: Word::Fail,
        reason: None,
        millis: 0,
        exit: None,
        tail,
        report: None,
        key: None,
        cached: None,
    }
}

/// Broken rules as Wiggum and the agent see them: like a check that failed.
pub(super) fn broken(violations: &[Violation]) -> (wiggum::Judged, Failing) {
    let facts: Vec<String> = violations.iter().map(|v| format!("{} ({})", v.rule, v.fact)).collect();
    let undo = "Undo that, or find a way that keeps to the rule: nothing was committed.";
    let text = |violation: &Violation| format!("{}\n({})\n{undo}", violation.fact, violation.reason);
    let steps: Vec<StepResult> =
        violations.iter().map(|violation| step(violation.rule, text(violation))).collect();
    let judged = wiggum::Judged { word: Word::Fail, failure: facts.join("\n"), summary: facts.join(", ") };
    (judged, select(&steps, Room::default()))
}

/// What Ralph said, as Wiggum and the agent see it. What a guardrail found is like a check that failed: whoever made the
/// change can undo it.
pub(super) fn judged(judged: &Judged, verdict: &Verdict) -> (wiggum::Judged, Failing) {
    let word = wiggum::Judged { word: judged.word, ..wiggum::Judged::of(verdict) };
    if judged.guarded.hits.is_empty() {
        return (word, select(&verdict.steps, Room::default()));
    }
    let steps: Vec<StepResult> = judged.guarded.hits.iter().map(hit).collect();
    (wiggum::Judged { word: Word::Fail, ..word }, select(&steps, Room::default()))
}

fn hit(hit: &Hit) -> StepResult {
    let text = format!("{}: {}\nWhy: {}.\nInstead: {}.", hit.place(), hit.finding.message, hit.why, hit.fix);
    step(&hit.finding.rule, text)
}

pub(super) fn not_ours(path: &Path) -> OpError {
    let fact = format!("{} is no worktree of this repository any more", path.display());
    Refused::new(Because::Policy, "worktree.missing", fact).next("git orch worktree list").into()
}

/// Why an agent could not be run at all.
pub(super) fn not_run(error: AgentError, id: &TaskId) -> OpError {
    match error {
        AgentError::NoWorktree(path) => not_ours(&path),
        AgentError::File(error) => error.into(),
        AgentError::Process(error) => error.into(),
        error @ AgentError::Glob { .. } => Refused::new(Because::Policy, "task.files", error.to_string())
            .next(format!("git orch edit {id} --unfile GLOB"))
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets;
    use crate::domain::role::Role;
    use crate::policy::Rules;

    #[test]
    fn a_contract_in_words() {
        let rules = Rules::parse(&assets::TEAM_POLICIES, &assets::ROLE_POLICIES).unwrap();
        let bugfix = contract(rules.contract(Role::Bugfix));
        assert!(bugfix[0].starts_with("Do not touch `**/migrations/**`, "), "{bugfix:?}");
        insta::assert_snapshot!(bugfix[1..].join("\n"), @r"
        Add no files, except lock files that a build makes.
        Delete no files.
        Change at most 5 files and 100 lines (added and deleted together) on the whole branch.
        ");
        let dev = contract(rules.contract(Role::Featurebuilder));
        assert_eq!(dev.len(), 2, "{dev:?}");
    }

    #[test]
    fn checks_are_those_of_a_merge_for_the_team() {
        let toml = "[[ralph.step]]\nname='a'\nkind='test'\nrun='x && y'\n\
            [[ralph.step]]\nname='b'\nkind='lint'\nrun=['z', 'two words']\nteams=['qa']\n\
            [[ralph.step]]\nname='c'\nkind='lint'\nrun='never'\nwhen=['push']";
        let config = crate::config::parse(toml, "orch.toml").unwrap();
        let lines = |team| {
            checks(&config, team).into_iter().map(|c| format!("{}: {}", c.name, c.run)).collect::<Vec<_>>()
        };
        assert_eq!(lines(Some(Team::Qa)), ["a: x && y", "b: z 'two words'"]);
        assert_eq!(lines(Some(Team::Dev)), ["a: x && y"]);
    }

    #[test]
    fn a_broken_rule_is_a_failing_check() {
        let violation = Violation {
            rule: "contract.lines",
            reason: "small".into(),
            fact: "the branch would change 101 lines".into(),
            way_out: vec!["git orch block X".into()],
        };
        let (judged, failing) = broken(std::slice::from_ref(&violation));
        assert_eq!(judged.summary, "contract.lines (the branch would change 101 lines)");
        assert_eq!(failing.shown[0].name, "contract.lines");
        assert!(!failing.shown[0].text.contains("git orch"), "commands for people are not for agents");
    }
}
