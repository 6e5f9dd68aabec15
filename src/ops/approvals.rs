//! What people approved: for exactly one tree, by one or several rules.
//!
//! Called before a change is refused by a rule that a person may lift. Reads only. Invariant: an approval without this
//! machine's seal is none. Deliberately absent: making one (`ops::approve`).

use crate::domain::oid::Oid;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::seal::verifier;
use crate::policy::gate_paths;
use crate::store::{Approval, Snapshot};

/// The rule of a change of gate, policy, hooks or agents.
pub(crate) const GATE: &str = "gate.changed";
/// What the record of an approval names as its rule if it lifts guardrails alone.
pub(crate) const GUARDRAIL: &str = "guardrail";

/// The approval of `tree` that counts.
pub(crate) fn approval(cx: &Ctx, snapshot: &Snapshot<'_>, tree: &Oid) -> Result<Option<Approval>, OpError> {
    let Some(approval) = snapshot.approval(tree)? else { return Ok(None) };
    let sealed = verifier(cx)?.verify_bytes(&approval.signed_bytes(), &approval.mac);
    Ok((sealed && approval.tree == *tree).then_some(approval))
}

/// Whether the change of the gate in `tree` is approved; for a merge result, `branch_tip` is what was merged.
pub(crate) fn of_gate(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    tree: &Oid,
    branch_tip: Option<&Oid>,
) -> Result<bool, OpError> {
    let approved = |tree: &Oid| approval(cx, snapshot, tree).map(|a| a.is_some_and(|a| a.rule == GATE));
    if approved(tree)? {
        return Ok(true);
    }
    // A merge result is approved if its branch's tip is, and it has exactly the approved gate files.
    let Some(tip) = branch_tip else { return Ok(false) };
    let tip_tree = cx.repo.tree_of(tip)?;
    let differs = cx.repo.tree_changes(Some(&tip_tree), Some(tree))?;
    Ok(approved(&tip_tree)? && !differs.iter().any(|c| gate_paths::is_gate(&c.path)))
}

/// The guardrails that are lifted for `tree`.
pub(crate) fn of_guardrails(cx: &Ctx, snapshot: &Snapshot<'_>, tree: &Oid) -> Result<Vec<String>, OpError> {
    Ok(approval(cx, snapshot, tree)?.map_or_else(Vec::new, |approval| approval.guardrails))
}
