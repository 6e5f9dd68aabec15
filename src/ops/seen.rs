//! The verdicts on record, and what each of them is worth here.

use crate::domain::oid::Oid;
use crate::domain::verdict::Verdict;
use crate::gate;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::seal::verifier;
use crate::ops::sign::Signers;

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

/// The verdicts on a tree (None: on all), the latest first; at most `limit`.
pub fn verdicts(cx: &Ctx, tree: Option<&Oid>, limit: usize) -> Result<Vec<(Verdict, Origin)>, OpError> {
    let snapshot = cx.snapshot()?;
    let mut all = snapshot.all_verdicts()?;
    all.retain(|verdict| tree.is_none_or(|tree| *tree == verdict.tree));
    all.sort_by(|one, two| (two.made, &two.key).cmp(&(one.made, &one.key)));
    all.truncate(limit);
    let key = verifier(cx)?;
    let mut signers = Signers::new(cx, &snapshot);
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

/// The latest verdict on a tree that counts here, for others to read, as JSON.
pub fn export(cx: &Ctx, rev: &str, tree: &Oid, form: Form) -> Result<serde_json::Value, OpError> {
    let seen = verdicts(cx, Some(tree), usize::MAX)?;
    let Some((verdict, _)) = seen.into_iter().find(|(_, origin)| *origin != Origin::Hint) else {
        let fact = format!("no verdict on {rev} counts here");
        return Err(Refused::new(Because::Failed, "verdict.none", fact)
            .next(format!("git orch ralph {rev}"))
            .into());
    };
    let statement = gate::statement(&verdict);
    match (form, &verdict.signature) {
        (Form::Envelope, Some(signature)) => Ok(gate::envelope(&statement, signature)),
        (Form::Envelope, None) => {
            let fact = format!("the verdict on {rev} is not signed");
            let next =
                format!("git config orch.signingKey ~/.ssh/id_ed25519 && git orch ralph --fresh {rev}");
            Err(Refused::new(Because::Failed, "verdict.unsigned", fact).next(next).into())
        }
        (Form::Statement, _) => serde_json::from_slice(&statement)
            .map_err(|e| OpError::Bug(format!("a statement is no JSON: {e}"))),
    }
}
