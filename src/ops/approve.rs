//! A person's approval of a changed gate.

use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::{people, ralph, verifier};
use crate::policy::grant::Action;
use crate::store::{Approval, Change};

/// Approves that a commit changes the gate: lifts `gate.changed` for exactly its tree.
pub fn approve(cx: &Ctx, what: &str, reason: &str) -> Result<Approval, OpError> {
    let reason = people::reason_of(reason)?;
    let snapshot = cx.snapshot()?;
    people::refuse_agents(cx, "approve a change of the gate")?;
    let commit = ralph::commit_of(cx, &snapshot, what)?;
    let trunk = cx.trunk(&snapshot)?;
    let changed = ralph::gate_changes(cx, &trunk, &commit)?;
    if changed.is_empty() {
        let fact = format!("{what} changes nothing of the gate: there is nothing to approve");
        return Err(Refused::new(Because::Usage, "approve.nothing", fact)
            .next(format!("git orch ralph {what}"))
            .into());
    }
    let tree = cx.repo.tree_of(&commit)?;
    // Whoever approves has seen what was approved before, also by a clock that is ahead.
    let before = snapshot.approval(&tree).ok().flatten();
    let now = cx.clock.now();
    let at = before.map_or(now, |before| now.max(before.at.plus_millis(1)));
    let mut approval = Approval {
        rule: "gate.changed".into(),
        tree: tree.clone(),
        reason: reason.to_owned(),
        by: cx.actor.to_string(),
        at,
        mac: String::new(),
    };
    approval.mac = verifier::key(cx)?.sign_bytes(&approval.signed_bytes());
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        let change = Change {
            action: "approve",
            subject: format!("tree/{tree}"),
            cause: "approve".into(),
            note: Some(format!("{}: {reason}", changed.join(", "))),
        };
        edit.put_approval(&approval, change);
        Ok::<_, OpError>(())
    })?;
    Ok(approval)
}
