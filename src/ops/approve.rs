//! A person's approval of a changed gate, and of what guardrails found.

use std::collections::BTreeSet;

use crate::ops::approvals::{self, GATE, GUARDRAIL};
use crate::ops::asked::Asked;
use crate::ops::compared::Compared;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::guardrails::{self, Guarded};
use crate::ops::seal::verifier;
use crate::ops::{people, ralph};
use crate::policy::grant::Action;
use crate::store::{Approval, Change};

/// What a person approved, and has to be shown.
#[derive(Clone, Debug)]
pub struct Approved {
    /// The record.
    pub approval: Approval,
    /// What was meant by the name.
    pub asked: Asked,
    /// The files of the gate that the commit changes.
    pub gate: Vec<String>,
    /// What guardrails found in it. What nobody may allow is lifted no more than before.
    pub guarded: Guarded,
}

impl Approved {
    /// The rules of what still blocks.
    pub fn left(&self) -> BTreeSet<&str> {
        let left = self.guarded.hits.iter().filter(|hit| !hit.is_lifted(&self.approval.guardrails));
        left.map(|hit| hit.finding.rule.as_str()).collect()
    }
}

/// Approves what a commit changes: lifts `gate.changed`, and the guardrails that found something, for exactly its tree.
pub fn approve(cx: &Ctx, what: &str, reason: &str) -> Result<Approved, OpError> {
    let reason = people::reason_of(reason)?;
    let snapshot = cx.snapshot()?;
    people::refuse_agents(cx, "approve a change of the gate, or what guardrails found")?;
    let asked = ralph::asked(cx, &snapshot, what)?;
    let commit = asked.commit.clone();
    let trunk = cx.trunk(&snapshot)?;
    let config = ralph::config_in_force(cx, &trunk, &commit)?;
    let compared = Compared::of(cx, &trunk, &commit)?;
    let gate = compared.gate_files(cx)?;
    if !gate.is_empty() {
        // It is to judge the commit, beside trunk's: nobody can have read what can't be.
        cx.config_at(&commit)?;
    }
    let guarded = guardrails::look(cx, &compared, &config.policy)?;
    let mut guardrails = guarded.entries_for_a_person();
    if gate.is_empty() && guardrails.is_empty() {
        return Err(nothing(what, &guarded).into());
    }
    let base = compared.before(cx);
    let tree = compared.tree;
    let now_lifted = guardrails.clone();
    // What was let pass by name stays so: there is one record of a tree.
    let earlier = approvals::beside(cx, &snapshot, &tree, &base)?;
    guardrails.extend(earlier.into_iter().filter(|entry| !now_lifted.contains(entry)));
    guardrails.sort();
    // Whoever approves has seen what was approved before, also by a clock that is ahead.
    let before = snapshot.approval(&tree).ok().flatten();
    let now = cx.clock.now();
    let at = before.map_or(now, |before| now.max(before.at.plus_millis(1)));
    let mut approval = Approval {
        rule: if gate.is_empty() { GUARDRAIL } else { GATE }.to_owned(),
        guardrails,
        tree: tree.clone(),
        base: Some(base),
        reason: reason.to_owned(),
        by: cx.actor.to_string(),
        at,
        mac: String::new(),
    };
    approval.mac = verifier(cx)?.sign_bytes(&approval.signed_bytes());
    let rules = guarded.rules_for_a_person();
    let what: Vec<&str> = gate.iter().chain(&rules).map(String::as_str).collect();
    let note = format!("{}: {reason}", what.join(", "));
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        let (subject, note) = (format!("tree/{tree}"), Some(note.clone()));
        edit.put_approval(&approval, Change { action: "approve", subject, cause: "approve".into(), note });
        Ok::<_, OpError>(())
    })?;
    Ok(Approved { approval, asked, gate, guarded })
}

fn nothing(what: &str, guarded: &Guarded) -> Refused {
    let fact = match guarded.fact() {
        Some((rule, fact)) => format!("{rule} has no exceptions: {fact}"),
        None => {
            format!("{what} changes nothing of the gate, and hits no guardrail: there is nothing to approve")
        }
    };
    Refused::new(Because::Usage, "approve.nothing", fact).next(format!("git orch ralph {what}"))
}
