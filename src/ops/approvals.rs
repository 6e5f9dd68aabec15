//! What people approved: for exactly one tree, beside what it was compared with, by one or several rules.
//!
//! Called before a change is refused by a rule that a person may lift. Reads only. Invariant: an approval without this
//! machine's seal is none, and none lifts what its maker was not shown. Deliberately absent: making one (`ops::approve`).

use crate::domain::oid::Oid;
use crate::ops::compared::Compared;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::seal::verifier;
use crate::policy::gate_paths;
use crate::store::{Approval, Snapshot};

/// The rule of a change of gate, policy, hooks or agents.
pub(crate) const GATE: &str = "gate.changed";
/// What the record of an approval names as its rule if it lifts guardrails alone.
pub(crate) const GUARDRAIL: &str = "guardrail";

/// An approval that counts, and the tree that was read beside its own.
pub(crate) struct Sealed {
    pub(crate) approval: Approval,
    pub(crate) base: Oid,
}

/// The approval of `tree`, whatever it was compared with.
pub(crate) fn of_tree(cx: &Ctx, snapshot: &Snapshot<'_>, tree: &Oid) -> Result<Option<Sealed>, OpError> {
    let Some(approval) = snapshot.approval(tree)? else { return Ok(None) };
    let sealed = verifier(cx)?.verify_bytes(&approval.signed_bytes(), &approval.mac);
    // One of an older program does not say what was read.
    let base = approval.base.clone().filter(|_| sealed && approval.tree == *tree);
    Ok(base.map(|base| Sealed { approval, base }))
}

/// Whether the change of the gate in `compared` is approved; for a merge result, `branch` is what was merged.
pub(crate) fn of_gate(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    compared: &Compared,
    branch: Option<&Compared>,
) -> Result<bool, OpError> {
    if is_approved(cx, snapshot, compared)? {
        return Ok(true);
    }
    // A merge result is approved if its branch's tip is, and it has exactly the approved gate files.
    let Some(branch) = branch else { return Ok(false) };
    Ok(is_approved(cx, snapshot, branch)? && same_gate(cx, &branch.tree, &compared.tree)?)
}

/// Whether somebody read this very change of the gate: trunk's may be another one since, and the same tree undo that.
fn is_approved(cx: &Ctx, snapshot: &Snapshot<'_>, compared: &Compared) -> Result<bool, OpError> {
    match of_tree(cx, snapshot, &compared.tree)?.filter(|sealed| sealed.approval.rule == GATE) {
        Some(Sealed { base, .. }) => same_gate(cx, &base, &compared.before(cx)),
        None => Ok(false),
    }
}

/// Whether two trees have the same files of the gate.
fn same_gate(cx: &Ctx, one: &Oid, two: &Oid) -> Result<bool, OpError> {
    if one == two {
        return Ok(true);
    }
    let empty = cx.repo.empty_tree();
    let trees = [one, two].map(|oid| Some(oid).filter(|oid| **oid != empty));
    // What is gone can't be compared with: a history that was rewritten.
    if trees.into_iter().flatten().any(|oid| !cx.repo.has_object(oid)) {
        return Ok(false);
    }
    let differs = cx.repo.tree_changes(trees[0], trees[1])?;
    Ok(!differs.iter().any(|change| gate_paths::is_gate(&change.path)))
}

/// The rules and findings that are lifted for `tree` beside exactly `base`.
pub(crate) fn beside(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    tree: &Oid,
    base: &Oid,
) -> Result<Vec<String>, OpError> {
    let sealed = of_tree(cx, snapshot, tree)?.filter(|sealed| sealed.base == *base);
    Ok(sealed.map_or_else(Vec::new, |sealed| sealed.approval.guardrails))
}
