//! Whether the index says what git says.

use std::collections::BTreeMap;

use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::index::{Filter, Index, IndexError, Row};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::needs;

/// What the index has differently from the commit that it describes; None if nothing.
pub(super) fn difference(cx: &Ctx) -> Result<Result<Option<String>, IndexError>, OpError> {
    let (indexed, rows) = match read(cx) {
        Ok((Some(indexed), rows)) => (indexed, rows),
        Ok((None, _)) => return Ok(Ok(None)),
        Err(error) => return Ok(Err(error)),
    };
    let listing = cx.store().at(&indexed)?.tasks()?;
    let unmet = needs::unmet(&listing.tasks);
    let mut rows: BTreeMap<TaskId, Row> = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
    for (id, task) in &listing.tasks {
        let Some(row) = rows.remove(id) else { return Ok(Ok(Some(format!("task {id} is missing")))) };
        let ready = task.register.state == State::Open && !unmet.contains_key(id);
        if row != Row::new(task, row.unmet) || row.ready() != ready {
            return Ok(Ok(Some(format!("task {id} is not as git has it"))));
        }
    }
    Ok(Ok(rows.into_keys().next().map(|id| format!("task {id} is not in git"))))
}

fn read(cx: &Ctx) -> Result<(Option<crate::domain::oid::Oid>, Vec<Row>), IndexError> {
    let index = Index::open(&cx.repo.orch_dir())?;
    Ok((index.indexed()?, index.list(&Filter::default(), usize::MAX)?))
}
