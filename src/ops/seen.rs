//! The verdicts on record, and what each of them is worth here.

use crate::domain::oid::Oid;
use crate::domain::verdict::{Verdict, Word};
use crate::gate::{self, Definition};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::seal::verifier;
use crate::ops::sign::Signers;
use crate::store::Snapshot;
use crate::sys::process::quote;

/// Why a verdict counts, or that it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This machine made it.
    Here,
    /// A signer whom trunk names signed it.
    Signed(String),
    /// Neither: it is hearsay, and decides nothing.
    Hint,
}

/// The verdicts on a tree, the latest first.
pub fn of_tree(cx: &Ctx, tree: &Oid) -> Result<Vec<(Verdict, Origin)>, OpError> {
    let snapshot = cx.snapshot()?;
    let all = snapshot.verdicts_on(tree)?;
    weighed(cx, &snapshot, all)
}

/// The last verdicts, the latest first; at most `limit`.
pub fn last(cx: &Ctx, limit: usize) -> Result<Vec<(Verdict, Origin)>, OpError> {
    let snapshot = cx.snapshot()?;
    let all = snapshot.last_verdicts(limit)?;
    weighed(cx, &snapshot, all)
}

/// What each of them is worth.
fn weighed(cx: &Ctx, snapshot: &Snapshot<'_>, all: Vec<Verdict>) -> Result<Vec<(Verdict, Origin)>, OpError> {
    let key = verifier(cx)?;
    let mut signers = Signers::new(cx, snapshot);
    let mut seen = Vec::new();
    for verdict in all {
        let origin = if key.verify(&verdict) {
            Origin::Here
        } else {
            signers.of(&verdict)?.map_or(Origin::Hint, Origin::Signed)
        };
        seen.push((verdict, origin));
    }
    Ok(seen)
}

/// The form of a verdict that others read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The in-toto statement.
    Statement,
    /// A DSSE envelope, with the signature.
    Envelope,
}

/// The verdict on a tree that counts here, for others to read, as JSON: that of the whole gate in force. Of several, the one
/// that would be looked up: the last run, and of two at once the one that is not PASS.
pub fn export(cx: &Ctx, rev: &str, tree: &Oid, form: Form) -> Result<serde_json::Value, OpError> {
    let gate = whole_gate(cx)?;
    let snapshot = cx.snapshot()?;
    let mut all = snapshot.verdicts_on(tree)?;
    all.retain(|verdict| verdict.gate == gate);
    let mut seen = weighed(cx, &snapshot, all)?;
    seen.retain(|(_, origin)| *origin != Origin::Hint);
    let last = seen.first().map(|(verdict, _)| verdict.key.clone());
    let of_key = seen.into_iter().map(|(verdict, _)| verdict).filter(|v| last.as_ref() == Some(&v.key));
    let Some(verdict) = of_key.max_by_key(|v| (v.run, v.word != Word::Pass, v.made)) else {
        let fact = format!("no verdict on {rev} by the whole gate counts here");
        return Err(Refused::new(Because::Failed, "verdict.none", fact)
            .next(format!("git orch ralph {}", quote(rev)))
            .into());
    };
    let statement = gate::statement(&verdict);
    match (form, &verdict.signature) {
        (Form::Envelope, Some(signature)) => Ok(gate::envelope(&statement, signature)),
        (Form::Envelope, None) => {
            let fact = format!("the verdict on {rev} is not signed");
            let refused = Refused::new(Because::Failed, "verdict.unsigned", fact);
            let refused = match cx.local.signing_key {
                Some(_) => refused,
                None => refused.next("git config orch.signingKey ~/.ssh/KEY"),
            };
            Err(refused.next(format!("git orch ralph --fresh {rev}")).into())
        }
        (Form::Statement, _) => serde_json::from_slice(&statement)
            .map_err(|e| OpError::Bug(format!("a statement is no JSON: {e}"))),
    }
}

/// The hash of the gate in force, all of it. Where that can't be read, there is none.
pub fn whole_gate(cx: &Ctx) -> Result<String, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    match cx.config(&trunk) {
        Ok(config) => Ok(Definition::of(&config).hash()),
        Err(OpError::Config { .. }) => Ok(String::new()),
        Err(error) => Err(error),
    }
}
