//! A sync in words.

use crate::report::words::{actor, harmless, plural};
use crate::view::SyncView;

/// What came and went, in one line.
pub fn sync(view: &SyncView) -> String {
    let remote = &view.remote;
    match (view.received.len(), view.sent) {
        (0, 0) if view.confirmed.is_empty() => format!("{remote} and this clone have the same state."),
        (0, 0) => format!("{remote} confirmed {}.", plural(view.confirmed.len(), "claim")),
        (0, sent) => format!("{remote} got {}.", plural(sent, "change")),
        (received, 0) => format!("{} from {remote}.", plural(received, "changed task")),
        (received, sent) => {
            format!("{} from {remote}; it got {}.", plural(received, "changed task"), plural(sent, "change"))
        }
    }
}

/// What whoever synced should know, each with what to type next if there is anything.
pub fn sync_warnings(view: &SyncView) -> Vec<(String, Option<String>)> {
    let mut warnings = Vec::new();
    for lost in &view.lost {
        let holder = lost.holder.as_deref().map_or("another clone", actor);
        let fact =
            format!("task {} went to {holder}, who was faster; your work stays where it is", lost.task);
        warnings.push((fact, Some(format!("git orch show {}", lost.task))));
    }
    for id in &view.kept {
        let fact = format!(
            "another clone wanted to take task {id} over, because its lease was over; it stays yours"
        );
        warnings.push((fact, Some(format!("git orch release {id}   (if you are done with it)"))));
    }
    for conflict in &view.conflicts {
        let by = actor(&conflict.by);
        let fact = format!(
            "two clones changed the {} of task {} at the same time; {by}'s was not kept: {}",
            conflict.field,
            conflict.task,
            harmless(conflict.lost.lines().next().unwrap_or_default()),
        );
        warnings.push((fact, Some("git orch log   (has all of it)".to_owned())));
    }
    if !view.ahead.is_empty() {
        let fact = format!(
            "{} changed by a clock that is more than five minutes ahead: {}",
            if view.ahead.len() == 1 {
                "a task was".to_owned()
            } else {
                format!("{} tasks were", view.ahead.len())
            },
            view.ahead.join(", ")
        );
        warnings.push((fact, None));
    }
    if view.stale {
        let fact = format!(
            "the state of {} was from before a squash: a clone that did not know of it pushed; what it had is joined, and \
             the newer history is back there",
            view.remote
        );
        warnings.push((fact, Some("git orch sync   (in the other clones)".to_owned())));
    }
    if view.squashed {
        let fact =
            "another clone let the state's old history go; what this one did since is joined to the new one";
        warnings.push((fact.to_owned(), Some("git orch log   (has all of it)".to_owned())));
    }
    if let Some(said) = &view.refused {
        let fact = format!("{} does not take this: {}", view.remote, harmless(said));
        let next = "git config orch.ref refs/heads/orch/state   (for hosts that take only branches)";
        warnings.push((fact, Some(next.to_owned())));
    }
    warnings
}
