//! Needs: the name of a sibling in the same input, else the id of a task in the queue.

use std::collections::BTreeMap;

use crate::domain::draft::{Draft, Need};
use crate::domain::id::IdPrefix;
use crate::view::intake::{Found, Intake, Problem};

/// The drafts with their needs resolved; problems are added to `intake`.
pub(super) fn resolve(intake: &mut Intake) -> Vec<Draft> {
    let names = names(&intake.found, &mut intake.problems);
    let found = std::mem::take(&mut intake.found);
    let mut drafts = Vec::with_capacity(found.len());
    for (position, mut found) in found.into_iter().enumerate() {
        for text in &found.needs {
            match need(text, &names) {
                Ok(Need::Sibling(of)) if of == position => {
                    intake.problem(found.line, format!("`{text}` needs itself"));
                }
                Ok(need) => found.draft.needs.push(need),
                Err(what) => intake.problem(found.line, what),
            }
        }
        drafts.push(Draft { line: Some(found.line), ..found.draft });
    }
    drafts
}

fn names(found: &[Found], problems: &mut Vec<Problem>) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for (position, found) in found.iter().enumerate() {
        let Some(name) = &found.name else { continue };
        if names.insert(name.clone(), position).is_some() {
            problems.push(Problem { line: found.line, what: format!("the id `{name}` is used twice") });
        }
    }
    names
}

fn need(text: &str, names: &BTreeMap<String, usize>) -> Result<Need, String> {
    if let Some(&position) = names.get(text) {
        return Ok(Need::Sibling(position));
    }
    IdPrefix::parse(text).map(Need::Task).map_err(|_| {
        format!("`{text}` is neither the id of another task here nor one that the queue could have")
    })
}
