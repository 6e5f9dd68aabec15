//! The ids that a shell offers when somebody presses Tab.

use clap_complete::engine::CompletionCandidate;

use crate::index::{Filter, Row};
use crate::ops::Ctx;
use crate::ops::ready::Queue;
use crate::report::words::harmless;
use crate::sys::env::{Env, working_directory};
use crate::sys::signal::Interrupts;

/// The most ids that are offered; who has more types a character.
const SHOWN: usize = 500;

/// The ids that could be meant, with their titles; none where there is no queue.
pub(crate) fn tasks() -> Vec<CompletionCandidate> {
    unfinished().unwrap_or_default().iter().map(candidate).collect()
}

fn candidate(row: &Row) -> CompletionCandidate {
    let help = format!("{} {} {}", row.kind.as_str(), crate::report::state(row), harmless(&row.title));
    CompletionCandidate::new(row.id.as_str()).help(Some(help.into()))
}

/// What is not done or closed, as far as a shell can show it. Whatever is wrong, a Tab key is no place to say so.
fn unfinished() -> Option<Vec<Row>> {
    let cx = Ctx::open(&Env::capture(), &working_directory().ok()?, Interrupts::default()).ok()?;
    let snapshot = cx.snapshot().ok()?;
    let filter =
        Filter { statuses: vec!["open", "claimed", "blocked", "review", "merging"], ..Filter::default() };
    Queue::open(&cx, &snapshot).ok()?.list(&filter, SHOWN).ok()
}
