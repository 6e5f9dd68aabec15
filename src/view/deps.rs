//! The tasks that a task needs, all the way down, as rows.
//!
//! Rows and not nested objects: a chain of ten thousand tasks must overflow neither our stack nor that of
//! whoever reads the JSON. A task that was shown with what it needs is marked `repeated` from then on.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::domain::graph::{self, Edges};
use crate::domain::id::TaskId;
use crate::view::TaskView;

/// One row of the tree.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the JSON")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DepRow {
    /// How far below the root, which is 0.
    pub depth: usize,
    /// Whether it is the last one of its parent.
    pub last: bool,
    /// The id.
    pub id: String,
    /// The title; empty for a task that the queue doesn't have.
    pub title: String,
    /// The status; null for a task that the queue doesn't have.
    pub status: Option<&'static str>,
    /// Whether it can be taken.
    pub ready: bool,
    /// What it needs was shown above.
    pub repeated: bool,
    /// That the task it stands below needs it closes a cycle, and does not count.
    pub ignored: bool,
}

/// The tree below one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DepTreeView {
    /// The rows, each before those it needs.
    pub rows: Vec<DepRow>,
}

impl DepTreeView {
    /// The tree of what `root` needs, with the edges that are `ignored`; `look` gives a task's view, None for one
    /// that the queue doesn't have.
    pub fn new(
        root: &TaskId,
        edges: &Edges,
        ignored: &Edges,
        look: &dyn Fn(&TaskId) -> Option<TaskView>,
    ) -> Self {
        let mut rows = Vec::new();
        let mut seen = BTreeSet::new();
        let mut stack = vec![(root, 0, true, false)];
        while let Some((id, depth, last, ignored_here)) = stack.pop() {
            let task = look(id);
            let needs = edges.get(id);
            let repeated = needs.is_some_and(|n| !n.is_empty()) && !seen.insert(id);
            rows.push(DepRow {
                depth,
                last,
                id: id.to_string(),
                title: task.as_ref().map_or_else(String::new, |t| t.title.clone()),
                status: task.as_ref().map(|t| t.status),
                ready: task.as_ref().is_some_and(|t| t.ready),
                repeated,
                ignored: ignored_here,
            });
            if let (Some(needs), false) = (needs, repeated) {
                // The stack gives them back in reverse, so the first one pushed is the last one shown.
                let row = |(i, need)| (need, depth + 1, i == 0, graph::has(ignored, id, need));
                stack.extend(needs.iter().rev().enumerate().map(row));
            }
        }
        Self { rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> TaskId {
        TaskId::from_bits(n)
    }

    fn edges(list: &[(u64, u64)]) -> Edges {
        let mut edges = Edges::new();
        for &(a, b) in list {
            edges.entry(id(a)).or_default().insert(id(b));
        }
        edges
    }

    fn rows(list: &[(u64, u64)], ignored: &[(u64, u64)]) -> String {
        let view = DepTreeView::new(&id(1), &edges(list), &edges(ignored), &|_| None);
        let mark = |is, mark| if is { mark } else { "" };
        let row = |r: &DepRow| {
            format!("{}{}{}{} ", r.depth, &r.id[7..], mark(r.repeated, "*"), mark(r.ignored, "!"))
        };
        view.rows.iter().map(row).collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_shared_need_is_spelled_out_once() {
        assert_eq!(rows(&[(1, 2), (1, 3), (2, 4), (3, 4), (4, 5)], &[]), "01 12 24 35 13 24* ");
        assert_eq!(rows(&[], &[]), "01 ");
    }

    #[test]
    fn a_cycle_that_two_clones_made_ends() {
        assert_eq!(rows(&[(1, 2), (2, 1)], &[(2, 1)]), "01 12 21*! ");
    }

    #[test]
    fn a_long_chain_is_no_stack_overflow() {
        let mut edges = Edges::new();
        for n in 1..50_000 {
            edges.entry(id(n)).or_default().insert(id(n + 1));
        }
        assert_eq!(DepTreeView::new(&id(1), &edges, &Edges::new(), &|_| None).rows.len(), 50_000);
    }
}
