//! Maintenance in words.

use crate::report::words::plural;
use crate::view::MaintainView;

/// A sentence for each thing that was done; one if there was nothing to do.
pub fn maintain(view: &MaintainView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(commits) = view.let_go {
        let commits = plural(commits, "commit");
        lines.push(match &view.backup {
            Some(backup) => {
                format!("Let {commits} go (epoch {}); for a while they are at {backup}", view.epoch)
            }
            None => format!("Would let {commits} go."),
        });
    }
    let (archived, pruned, packed) = (view.archived.len(), view.pruned, view.packed);
    if archived > 0 {
        let tasks = plural(archived, "finished task");
        lines.push(if view.dry_run {
            format!("Would archive {tasks}.")
        } else {
            format!("Archived {tasks}.")
        });
    }
    if pruned > 0 {
        let records =
            if pruned == 1 { "1 record of a step".to_owned() } else { format!("{pruned} records of steps") };
        lines.push(if view.dry_run {
            format!("Would remove {records}.")
        } else {
            format!("Removed {records}.")
        });
    }
    if packed > 0 {
        let objects = plural(packed, "loose object");
        lines.push(if view.dry_run {
            format!("Would pack {objects}.")
        } else {
            format!("Packed {objects}.")
        });
    }
    if lines.is_empty() {
        lines.push("Nothing to do.".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_done_is_not_said_to_be_done() {
        let done =
            MaintainView { archived: vec!["a".into()], pruned: 2, packed: 2, ..MaintainView::default() };
        assert_eq!(
            maintain(&done),
            ["Archived 1 finished task.", "Removed 2 records of steps.", "Packed 2 loose objects."]
        );
        let would = MaintainView { dry_run: true, ..done };
        assert_eq!(
            maintain(&would),
            [
                "Would archive 1 finished task.",
                "Would remove 2 records of steps.",
                "Would pack 2 loose objects."
            ]
        );
        assert_eq!(maintain(&MaintainView::default()), ["Nothing to do."]);
    }
}
