//! The state: every file of it can be read; the index says the same.

use std::time::Duration;

use crate::index::{self, Index, IndexError};
use crate::ops::context::Ctx;
use crate::ops::doctor::check::{Check, FIX, Mend};
use crate::ops::doctor::derived;
use crate::ops::error::OpError;
use crate::ops::ready;
use crate::policy::grant::Action;
use crate::store::{Change, Damage, STATE_REF, StoreError};
use crate::sys::fs;

const NAME: &str = "state";

pub(super) fn check(cx: &Ctx, mend: Mend) -> Result<Vec<Check>, OpError> {
    if cx.store().tip()?.is_none() {
        let check = Check::problem(NAME, "git-orch is not set up here").at(STATE_REF);
        return Ok(vec![check.next("git orch init")]);
    }
    let snapshot = cx.store().snapshot()?;
    if let Err(error @ StoreError::TooNew { .. }) = snapshot.meta() {
        return Ok(vec![Check::problem(NAME, error.to_string()).next("install a newer git-orch")]);
    }
    let damage = snapshot.damage()?;
    if damage.is_empty() {
        let tasks = snapshot.task_ids()?.len();
        return Ok(vec![Check::ok(NAME, format!("every file can be read; {tasks} tasks")).at(STATE_REF)]);
    }
    if mend == Mend::Repair {
        return repair(cx);
    }
    let problem = |damage: &Damage| {
        Check::problem(NAME, damage.what.clone()).at(format!("{STATE_REF}:{}", damage.path)).next(FIX)
    };
    Ok(damage.iter().map(problem).collect())
}

/// Writes back what each damaged file last was; one that never was anything is removed. The damaged version
/// stays in the history.
fn repair(cx: &Ctx) -> Result<Vec<Check>, OpError> {
    let (checks, _) = cx.store().transact(&cx.author(), Action::Repair, |edit| {
        let mut checks = Vec::new();
        for damage in edit.snapshot().damage()? {
            let bytes = edit.snapshot().last_readable(&damage.path)?;
            let what = match &bytes {
                Some(_) => format!("{}; written back as it last was", damage.what),
                None => format!("{}; removed, since no version of it was ever readable", damage.what),
            };
            let change = Change {
                action: "repair",
                subject: damage.path.clone(),
                cause: "doctor".into(),
                note: Some(what.clone()),
            };
            edit.restore(&damage.path, bytes, change);
            checks.push(Check::fixed(NAME, what).at(format!("{STATE_REF}:{}", damage.path)));
        }
        Ok::<_, OpError>(checks)
    })?;
    Ok(checks)
}

/// Asks again while another process works on the index, for about a second.
fn patiently<T>(cx: &Ctx, ask: impl Fn() -> Result<T, IndexError>) -> Result<T, IndexError> {
    for _ in 0..20 {
        match ask() {
            Err(IndexError::Busy) => cx.clock.wait(Duration::from_millis(50)),
            other => return other,
        }
    }
    ask()
}

/// The derived index. It is never needed; a broken one only costs time.
pub(super) fn index(cx: &Ctx, mend: Mend) -> Result<Vec<Check>, OpError> {
    const NAME: &str = "index";
    let dir = cx.repo.orch_dir();
    let file = index::file(&dir);
    if !fs::exists(&file) {
        return Ok(vec![Check::ok(NAME, "not made yet; the next command makes it")]);
    }
    let error = match patiently(cx, || Index::open(&dir).and_then(|index| index.check())) {
        Ok(()) => match derived::difference(cx)? {
            Ok(None) => return Ok(vec![Check::ok(NAME, "says what git says").at_path(&file)]),
            Ok(Some(what)) => IndexError::Corrupt(what),
            Err(error) => error,
        },
        Err(error) => error,
    };
    if !error.wants_rebuild() {
        return Ok(vec![Check::note(NAME, format!("could not be looked at: {error}")).at_path(&file)]);
    }
    if mend == Mend::Look {
        return Ok(vec![Check::problem(NAME, error.to_string()).at_path(&file).next(FIX)]);
    }
    let snapshot = cx.store().snapshot()?;
    let found = snapshot.tasks()?;
    let damaged = ready::named(&found.damaged);
    let all = || found.tasks.values().cloned().map(Ok).chain(damaged.iter().cloned().map(Err));
    let again = || Index::rebuild(&dir, snapshot.commit(), all());
    let check = match patiently(cx, again) {
        Ok(_) => Check::fixed(NAME, format!("{error}; made anew")),
        Err(again) => Check::problem(NAME, format!("{error}; and it can't be made anew: {again}")),
    };
    Ok(vec![check.at_path(&file)])
}
