//! Dependencies: cycles, and what keeps a task from being ready.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::TaskId;

/// Edges from a task to the tasks it needs.
pub type Edges = BTreeMap<TaskId, BTreeSet<TaskId>>;

/// The path of the cycle that `from` needing `to` would close: `from, to, …, from`. None if it closes none.
///
/// Depth-first over `edges` from `to`; O(tasks + edges).
pub fn cycle(edges: &Edges, from: &TaskId, to: &TaskId) -> Option<Vec<TaskId>> {
    let mut seen = BTreeSet::new();
    let mut path = vec![from.clone()];
    if reaches(edges, to, from, &mut seen, &mut path) { Some(path) } else { None }
}

fn reaches(
    edges: &Edges,
    at: &TaskId,
    goal: &TaskId,
    seen: &mut BTreeSet<TaskId>,
    path: &mut Vec<TaskId>,
) -> bool {
    // An explicit stack: a chain of 100 000 tasks must not overflow the thread's.
    let none = BTreeSet::new();
    path.push(at.clone());
    if at == goal {
        return true;
    }
    seen.insert(at.clone());
    let mut stack = vec![edges.get(at).unwrap_or(&none).iter()];
    while let Some(top) = stack.last_mut() {
        match top.next() {
            Some(next) if next == goal => {
                path.push(next.clone());
                return true;
            }
            Some(next) => {
                if seen.insert(next.clone()) {
                    path.push(next.clone());
                    stack.push(edges.get(next).unwrap_or(&none).iter());
                }
            }
            None => {
                stack.pop();
                path.pop();
            }
        }
    }
    false
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

    #[test]
    fn the_path_of_a_cycle_is_shown() {
        let e = edges(&[(1, 2), (2, 3), (2, 4)]);
        assert_eq!(cycle(&e, &id(3), &id(1)), Some(vec![id(3), id(1), id(2), id(3)]));
        assert_eq!(cycle(&e, &id(4), &id(4)), Some(vec![id(4), id(4)]));
        assert_eq!(cycle(&e, &id(1), &id(4)), None);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_is_no_stack_overflow() {
        let list: Vec<(u64, u64)> = (0..100_000).map(|n| (n, n + 1)).collect();
        let path = cycle(&edges(&list), &id(100_000), &id(0)).expect("cycle");
        assert_eq!(path.len(), 100_002);
    }
}
