//! Tasks whose worker is gone: not a problem, the next run, or the next person, carries on from there. Tasks that need
//! each other in a circle: a problem that only a person can solve.

use crate::domain::task::State;
use crate::ops::context::Ctx;
use crate::ops::doctor::check::Check;
use crate::ops::error::OpError;
use crate::ops::{lease, needs};

const NAME: &str = "tasks";

pub(super) fn check(cx: &Ctx) -> Result<Vec<Check>, OpError> {
    let tasks = cx.snapshot()?.tasks()?.tasks;
    let mut checks = Vec::new();
    for task in tasks.values() {
        if !lease::is_dead(cx, task)? {
            continue;
        }
        let id = &task.id;
        let owner = task.register.state.lease().map_or("its owner", |lease| lease.owner.actor.as_str());
        let (what, next) = match &task.register.state {
            State::Merging(_) => ("was being merged", format!("git orch merge {id}")),
            _ => ("is claimed", format!("git orch start {id}   # takes it over; git orch run does so too")),
        };
        checks.push(
            Check::note(NAME, format!("{id} {what}, and {owner} is gone"))
                .at(format!("task {id}"))
                .next(next),
        );
    }
    for cycle in needs::cycles(&tasks) {
        if let [task, needed, ..] = cycle.as_slice() {
            let what = format!("{}; that {task} needs {needed} is ignored", needs::shown(&cycle));
            checks.push(
                Check::problem(NAME, what)
                    .at(format!("task {task}"))
                    .next(format!("git orch dep rm {task} {needed}   # or another need of these")),
            );
        }
    }
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "nobody who holds one is gone"));
    }
    Ok(checks)
}
