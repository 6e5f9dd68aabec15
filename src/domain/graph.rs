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

/// The tasks that are in a cycle or need one that is; empty without a cycle. O((tasks + edges) log tasks).
pub fn entangled(edges: &Edges) -> BTreeSet<TaskId> {
    let mut open: BTreeMap<&TaskId, usize> = BTreeMap::new();
    let mut needed_by: BTreeMap<&TaskId, Vec<&TaskId>> = BTreeMap::new();
    for (id, needs) in edges {
        let known = needs.iter().filter(|need| edges.contains_key(*need));
        open.insert(id, known.clone().count());
        known.for_each(|need| needed_by.entry(need).or_default().push(id));
    }
    let mut free: Vec<&TaskId> = open.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop() {
        open.remove(id);
        for dependent in needed_by.get(id).into_iter().flatten() {
            if let Some(count) = open.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    free.push(dependent);
                }
            }
        }
    }
    open.into_keys().cloned().collect()
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

    proptest::proptest! {
        #[test]
        fn entangled_is_what_leads_into_a_cycle(list in proptest::collection::vec((0_u64..9, 0_u64..9), 0..14)) {
            let edges = edges(&list);
            let in_cycle = |n: &TaskId| edges[n].iter().any(|need| cycle(&edges, n, need).is_some());
            let reach = |n: &TaskId, m: &TaskId| reaches(&edges, n, m, &mut BTreeSet::new(), &mut Vec::new());
            let leads = |n: &TaskId| edges.keys().any(|m| in_cycle(m) && reach(n, m));
            let expected: BTreeSet<TaskId> = edges.keys().filter(|n| leads(n)).cloned().collect();
            proptest::prop_assert_eq!(entangled(&edges), expected);
        }
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_is_no_stack_overflow() {
        let list: Vec<(u64, u64)> = (0..100_000).map(|n| (n, n + 1)).collect();
        assert_eq!(entangled(&edges(&list)), BTreeSet::new());
        let path = cycle(&edges(&list), &id(100_000), &id(0)).expect("cycle");
        assert_eq!(path.len(), 100_002);
    }
}
