//! Trunk: where git-orch left it?

use crate::ops::context::{Ctx, Trunk};
use crate::ops::doctor::check::{Check, FIX, Mend};
use crate::ops::error::OpError;
use crate::ops::people;
use crate::ops::{accounted, attested};
use crate::policy::grant::Action;
use crate::store::Change;

const NAME: &str = "trunk";

pub(super) fn check(cx: &Ctx, trunk: &Trunk, mend: Mend) -> Result<Vec<Check>, OpError> {
    let Some(tamper) = attested::tamper(cx, trunk)? else {
        let at = trunk.local.as_ref().map_or_else(|| "unborn".to_owned(), |oid| cx.repo.abbreviate(oid));
        let left = attested::last(cx)? == trunk.local;
        let why = if left { "where it was left" } else { "in the history that is known of it" };
        return Ok(vec![Check::ok(NAME, format!("{} is {why}: {at}", trunk.name))]);
    };
    if mend == Mend::Look {
        let line = format!("{FIX}   # a person who has looked at it accepts and records it");
        return Ok(vec![Check::problem(NAME, tamper.to_string()).at(&*trunk.local_ref).next(line)]);
    }
    people::refuse_agents(cx, "accept a move of trunk past the hooks")?;
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        edit.note(Change {
            action: accounted::EXTERNAL,
            subject: trunk.local_ref.clone(),
            cause: "doctor".into(),
            note: Some(tamper.to_string()),
        });
        Ok::<_, OpError>(())
    })?;
    attested::attest(cx)?;
    if let Some(local) = &trunk.local {
        accounted::add(cx, local)?;
    }
    Ok(vec![Check::fixed(NAME, format!("{tamper}; accepted and recorded")).at(&*trunk.local_ref)])
}
