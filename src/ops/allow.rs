//! `git orch ralph override`: a person lets single findings of a tree pass.
//!
//! Called by the command, and by what asks on a terminal. What is let through is recorded as an approval of exactly that
//! tree, finding by finding, with a change of the audit for each: another tree is asked about again. What was not judged at
//! all (a missing tool, a timeout) has no finding: only `merge --override` gets past that.

use std::collections::BTreeSet;

use crate::config::Moment;
use crate::domain::oid::Oid;
use crate::domain::role::Team;
use crate::gate::rule;
use crate::ops::approvals::{self, GATE, GUARDRAIL};
use crate::ops::compared::Compared;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::guardrails::{self, Guarded};
use crate::ops::people;
use crate::ops::ralph::{self, Judged, Request};
use crate::ops::seal::verifier;
use crate::policy::grant::Action;
use crate::policy::guardrail::Allow;
use crate::store::{Approval, Change, Snapshot};

/// Rules of what a tree lost, which say nothing about whether its steps pass.
pub const LOST: [&str; 3] = [rule::FEWER_TESTS, rule::SKIPPED_TESTS, rule::COVERAGE];
/// A shorter beginning of a fingerprint is a slip.
const LEAST: usize = 6;

/// What a person let through.
#[derive(Clone, Debug)]
pub struct Overridden {
    /// The tree, which alone it holds for.
    pub tree: Oid,
    /// A line for each finding: its rule, and where it is.
    pub findings: Vec<String>,
}

/// Something that may be let through.
struct Candidate {
    /// As it is recorded: a rule, or a fingerprint.
    entry: String,
    rule: String,
    place: String,
    never: bool,
}

impl Candidate {
    fn line(&self) -> String {
        if self.place.is_empty() { self.rule.clone() } else { format!("{} at {}", self.rule, self.place) }
    }

    fn is_named(&self, finding: &str) -> bool {
        let beginning = finding.len() >= LEAST && self.entry.starts_with(finding);
        self.rule == finding || beginning
    }
}

/// The findings that block `judged` and that a person may let through, as `override_in` takes them; None if there is
/// something besides that nobody may.
pub fn overridable(judged: &Judged) -> Option<Vec<String>> {
    if judged.guarded.hits.is_empty() {
        let rule = judged.rule().filter(|rule| *rule == GATE || LOST.contains(rule))?;
        return Some(vec![rule.to_owned()]);
    }
    let hits = &judged.guarded.hits;
    let all_may = hits.iter().all(|hit| hit.allow != Allow::Never);
    all_may.then(|| hits.iter().map(|hit| hit.finding.fingerprint.clone()).collect())
}

/// Lets `findings` (rules, or fingerprints) of a commit pass.
pub fn override_in(cx: &Ctx, commit: &Oid, findings: &[String], reason: &str) -> Result<Overridden, OpError> {
    let reason = people::reason_of(reason)?;
    people::refuse_agents(cx, "let a finding pass")?;
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let compared = Compared::of(cx, &trunk, commit)?;
    let config = ralph::config_in_force(cx, &trunk, commit)?;
    let guarded = guardrails::look(cx, &compared, &config.policy)?;
    let candidates = candidates(cx, commit, &compared, guarded)?;
    let chosen = choose(&candidates, findings)?;
    let approval = approval(cx, &snapshot, &compared, &chosen, reason)?;
    let lines: Vec<String> = chosen.iter().map(|one| one.line()).collect();
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        let change = |note: String| Change {
            action: "override",
            subject: format!("tree/{}", compared.tree),
            cause: "ralph override".into(),
            note: Some(note),
        };
        let mut notes = lines.iter().map(|line| format!("{line}: {reason}"));
        edit.put_approval(&approval, change(notes.next().unwrap_or_default()));
        notes.for_each(|note| edit.note(change(note)));
        Ok::<_, OpError>(())
    })?;
    Ok(Overridden { tree: compared.tree, findings: lines })
}

/// All that blocks the commit.
fn candidates(
    cx: &Ctx,
    commit: &Oid,
    compared: &Compared,
    guarded: Guarded,
) -> Result<Vec<Candidate>, OpError> {
    let mut all: Vec<Candidate> = guarded
        .hits
        .into_iter()
        .map(|hit| Candidate {
            place: hit.place(),
            never: hit.allow == Allow::Never,
            entry: hit.finding.fingerprint,
            rule: hit.finding.rule,
        })
        .collect();
    let by_rule = |rule: &str, place: String| Candidate {
        entry: rule.to_owned(),
        rule: rule.to_owned(),
        place,
        never: false,
    };
    let gate = compared.gate_files(cx)?;
    if !gate.is_empty() {
        all.push(by_rule(GATE, gate.join(", ")));
    }
    for (moment, team) in parts() {
        let judged = ralph::last(cx, &Request { team, ..Request::new(commit.clone(), moment) })?;
        let lost = judged.as_ref().and_then(Judged::rule).filter(|rule| LOST.contains(rule));
        if let Some(rule) = lost.filter(|rule| all.iter().all(|known| known.rule != *rule)) {
            all.push(by_rule(rule, String::new()));
        }
    }
    Ok(all)
}

/// The parts of the gate by which a commit may have been judged: `ralph` takes all of it, `merge` that of a team.
fn parts() -> [(Moment, Option<Team>); 4] {
    let merge = |team| (Moment::Merge, team);
    [(Moment::Always, None), merge(None), merge(Some(Team::Qa)), merge(Some(Team::Dev))]
}

fn choose<'a>(candidates: &'a [Candidate], findings: &[String]) -> Result<Vec<&'a Candidate>, OpError> {
    let mut chosen: Vec<&Candidate> = Vec::new();
    for finding in findings {
        let named: Vec<&Candidate> = candidates.iter().filter(|one| one.is_named(finding)).collect();
        if named.is_empty() {
            let known: Vec<String> = candidates.iter().map(Candidate::line).collect();
            let known = if known.is_empty() {
                "nothing that a person may let pass".to_owned()
            } else {
                known.join(", ")
            };
            let fact = format!("`{finding}` does not block it; what does: {known}");
            return Err(Refused::new(Because::Usage, "override.finding", fact)
                .next("git orch ralph --json   (`findings` have rules and fingerprints)")
                .next("git orch merge TASK --override --reason TEXT   (for what could not be judged)")
                .into());
        }
        if let Some(never) = named.iter().find(|one| one.never) {
            let fact = format!("{} has no exceptions: {}", never.rule, never.place);
            return Err(Refused::new(Because::Policy, "override.never", fact)
                .next("take it out of the change")
                .into());
        }
        let new = named.into_iter().filter(|one| chosen.iter().all(|known| !std::ptr::eq(*known, *one)));
        chosen.extend(new.collect::<Vec<_>>());
    }
    Ok(chosen)
}

/// The approval of a change with what is chosen besides what was approved of it before.
fn approval(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    compared: &Compared,
    chosen: &[&Candidate],
    reason: &str,
) -> Result<Approval, OpError> {
    let (tree, base) = (&compared.tree, compared.before(cx));
    let of_gate =
        chosen.iter().any(|one| one.entry == GATE) || approvals::of_gate(cx, snapshot, compared, None)?;
    let entries = chosen.iter().map(|one| one.entry.clone()).filter(|entry| entry != GATE);
    let known = approvals::beside(cx, snapshot, tree, &base)?;
    let guardrails: BTreeSet<String> = known.into_iter().chain(entries).collect();
    // Whoever lets something pass has seen what was approved before, also by a clock that is ahead.
    let last = snapshot.approval(tree).ok().flatten().map(|last| last.at.plus_millis(1));
    let now = cx.clock.now();
    let mut approval = Approval {
        rule: if of_gate { GATE } else { GUARDRAIL }.to_owned(),
        guardrails: guardrails.into_iter().collect(),
        tree: tree.clone(),
        base: Some(base),
        reason: reason.to_owned(),
        by: cx.actor.to_string(),
        at: last.map_or(now, |last| now.max(last)),
        mac: String::new(),
    };
    approval.mac = verifier(cx)?.sign_bytes(&approval.signed_bytes());
    Ok(approval)
}
