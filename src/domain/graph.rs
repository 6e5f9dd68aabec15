//! Dependencies: cycles, and what keeps a task from being ready.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::domain::id::TaskId;
use crate::domain::task::Task;

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
    let ids: Vec<&TaskId> = edges.keys().collect();
    let place = |id: &TaskId| ids.binary_search(&id).ok();
    let needs: Vec<Vec<usize>> =
        edges.values().map(|needs| needs.iter().filter_map(place).collect()).collect();
    let left = peel(&needs);
    ids.into_iter().zip(left).filter(|(_, left)| *left).map(|(id, _)| id.clone()).collect()
}

/// One task needing another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge<'a> {
    /// The tag of the change that added it: what tells the earlier of two edges from the later one. Tags have no
    /// time in them, but they are the same in every clone.
    pub tag: &'a str,
    /// The task that needs the other.
    pub task: &'a TaskId,
    /// The task that is needed.
    pub needed: &'a TaskId,
}

/// What `task` needs; where several clones added the same, under the least of the tags.
pub fn edges_of(task: &Task) -> impl Iterator<Item = Edge<'_>> {
    let adds = task.needs.adds().iter();
    adds.map(|(needed, tags)| Edge { tag: tags.first().map_or("", String::as_str), task: &task.id, needed })
}

/// The edges that count for nothing, because each closes a cycle.
///
/// No command makes a cycle; two clones that add one edge each do. All who have the same edges must ignore the same
/// ones, without asking each other: edges are taken in the order of their tags, and one that would close a cycle
/// with those taken before is left out, as `dep add` would have refused it. What is left has no cycle, and no edge
/// that is in no cycle is ever left out.
///
/// O((tasks + edges) log tasks) where there is no cycle; else also the incremental order of Pearce and Kelly ("A
/// dynamic topological sort algorithm for directed acyclic graphs", 2007) over what is between cycles.
pub fn ignored(edges: &[Edge<'_>]) -> Edges {
    let mut ids: Vec<Key<'_>> = edges.iter().map(|edge| key(edge.task)).collect();
    ids.sort_unstable();
    ids.dedup();
    // A task that needs nothing is in no cycle.
    let place = |id: &TaskId| ids.binary_search(&key(id)).ok();
    let placed: Vec<(usize, usize, &Edge<'_>)> =
        edges.iter().filter_map(|edge| Some((place(edge.task)?, place(edge.needed)?, edge))).collect();
    let mut needs = vec![Vec::new(); ids.len()];
    for &(task, needed, _) in &placed {
        needs[task].push(needed);
    }
    let into = peel(&needs);
    if !into.contains(&true) {
        return Edges::new();
    }
    let mut needed_by = vec![Vec::new(); ids.len()];
    for &(task, needed, _) in &placed {
        needed_by[needed].push(task);
    }
    let out_of = peel(&needed_by);
    let tangled = |at: usize| into[at] && out_of[at];
    let mut left: Vec<(&Edge<'_>, (usize, usize))> = placed
        .into_iter()
        .filter(|(task, needed, _)| tangled(*task) && tangled(*needed))
        .map(|(task, needed, edge)| (edge, (task, needed)))
        .collect();
    left.sort_unstable();
    let mut found = Edges::new();
    let mut order = Order::new(ids.len());
    for (edge, (task, needed)) in left {
        if !order.take(task, needed) {
            found.entry(edge.task.clone()).or_default().insert(edge.needed.clone());
        }
    }
    found
}

/// An id, and its beginning as a number: most of two ids are told apart by that, without a look at their text.
type Key<'a> = (u64, &'a TaskId);

fn key(id: &TaskId) -> Key<'_> {
    (id.as_str().bytes().take(8).fold(0, |sum, byte| sum << 8 | u64::from(byte)), id)
}

/// For each edge that is ignored, the cycle that it closes: `task, needed, …, task`.
pub fn cycles(edges: &[Edge<'_>]) -> Vec<Vec<TaskId>> {
    let ignored = ignored(edges);
    if ignored.is_empty() {
        return Vec::new();
    }
    let mut kept = Edges::new();
    for edge in edges.iter().filter(|edge| !has(&ignored, edge.task, edge.needed)) {
        kept.entry(edge.task.clone()).or_default().insert(edge.needed.clone());
    }
    let closed = ignored.iter().flat_map(|(task, needed)| needed.iter().map(move |needed| (task, needed)));
    closed.filter_map(|(task, needed)| cycle(&kept, task, needed)).collect()
}

/// Whether `task` needing `needed` is among `edges`.
pub fn has(edges: &Edges, task: &TaskId, needed: &TaskId) -> bool {
    edges.get(task).is_some_and(|needs| needs.contains(needed))
}

/// Which places lead into a cycle: what is left once all that lead only to ends are taken away, ends first.
fn peel(out: &[Vec<usize>]) -> Vec<bool> {
    let mut open: Vec<usize> = out.iter().map(Vec::len).collect();
    let mut back = vec![Vec::new(); out.len()];
    for (from, to) in out.iter().enumerate().flat_map(|(from, to)| to.iter().map(move |to| (from, *to))) {
        back[to].push(from);
    }
    let mut free: Vec<usize> = (0..out.len()).filter(|at| open[*at] == 0).collect();
    while let Some(at) = free.pop() {
        for &from in &back[at] {
            open[from] -= 1;
            if open[from] == 0 {
                free.push(from);
            }
        }
    }
    open.into_iter().map(|left| left > 0).collect()
}

/// An order in which what is needed comes first, kept while edges are added.
struct Order {
    /// Where each is; a permutation.
    at: Vec<usize>,
    needs: Vec<Vec<usize>>,
    needed_by: Vec<Vec<usize>>,
    /// The search that each was last seen in.
    seen: Vec<usize>,
    searches: usize,
}

impl Order {
    fn new(count: usize) -> Self {
        let none = vec![Vec::new(); count];
        Self {
            at: (0..count).collect(),
            needs: none.clone(),
            needed_by: none,
            seen: vec![0; count],
            searches: 0,
        }
    }

    /// Adds an edge, unless it closes a cycle; says whether it did.
    fn take(&mut self, task: usize, needed: usize) -> bool {
        let (low, high) = (self.at[task], self.at[needed]);
        if low <= high {
            let first = self.search(needed, Way::Down, low..=high);
            if first.contains(&task) {
                return false;
            }
            let then = self.search(task, Way::Up, low..=high);
            self.reorder(first, then);
        }
        self.needs[task].push(needed);
        self.needed_by[needed].push(task);
        true
    }

    /// What `from` leads to among those within `range`, itself included.
    fn search(&mut self, from: usize, way: Way, range: RangeInclusive<usize>) -> Vec<usize> {
        let edges = match way {
            Way::Down => &self.needs,
            Way::Up => &self.needed_by,
        };
        self.searches += 1;
        self.seen[from] = self.searches;
        let mut found = vec![from];
        let mut next = 0;
        while let Some(&at) = found.get(next) {
            next += 1;
            for &to in &edges[at] {
                if range.contains(&self.at[to]) && self.seen[to] != self.searches {
                    self.seen[to] = self.searches;
                    found.push(to);
                }
            }
        }
        found
    }

    /// Gives `first` and then `then` the places that they have together, each in the order that it had.
    fn reorder(&mut self, mut first: Vec<usize>, mut then: Vec<usize>) {
        first.sort_unstable_by_key(|one| self.at[*one]);
        then.sort_unstable_by_key(|one| self.at[*one]);
        first.append(&mut then);
        let mut places: Vec<usize> = first.iter().map(|one| self.at[*one]).collect();
        places.sort_unstable();
        for (one, place) in first.into_iter().zip(places) {
            self.at[one] = place;
        }
    }
}

/// Along the edges, or against them.
#[derive(Clone, Copy)]
enum Way {
    Down,
    Up,
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

    /// The edges of `list`, the first one added first.
    fn tagged(list: &[(u64, u64)]) -> Vec<(String, TaskId, TaskId)> {
        let mut seen = BTreeSet::new();
        let new = list.iter().filter(|edge| seen.insert(**edge));
        new.enumerate().map(|(n, &(a, b))| (format!("{n:06}"), id(a), id(b))).collect()
    }

    fn borrowed(tagged: &[(String, TaskId, TaskId)]) -> Vec<Edge<'_>> {
        tagged.iter().map(|(tag, task, needed)| Edge { tag, task, needed }).collect()
    }

    #[test]
    fn of_a_cycle_the_later_edge_is_ignored() {
        let look = |list: &[(u64, u64)]| ignored(&borrowed(&tagged(list)));
        assert_eq!(look(&[(1, 2), (2, 1)]), edges(&[(2, 1)]));
        assert_eq!(look(&[(2, 1), (1, 2)]), edges(&[(1, 2)]));
        assert_eq!(look(&[(3, 1), (1, 2), (2, 3), (2, 4), (5, 1)]), edges(&[(2, 3)]));
        assert_eq!(look(&[(1, 1)]), edges(&[(1, 1)]), "a task that needs itself waits for nothing");
        assert_eq!(look(&[(1, 2), (2, 3), (3, 4)]), Edges::new());
        let shown = cycles(&borrowed(&tagged(&[(3, 1), (1, 2), (2, 3)])));
        assert_eq!(shown, [[id(2), id(3), id(1), id(2)]]);
    }

    proptest::proptest! {
        #[test]
        fn an_edge_is_ignored_if_it_closes_a_cycle_with_earlier_ones(
            list in proptest::collection::vec((0_u64..9, 0_u64..9), 0..30),
            turn in 0_usize..30,
        ) {
            let tagged = tagged(&list);
            let (mut kept, mut expected) = (Edges::new(), Edges::new());
            for (_, task, needed) in &tagged {
                let to = if cycle(&kept, task, needed).is_some() { &mut expected } else { &mut kept };
                to.entry(task.clone()).or_default().insert(needed.clone());
            }
            let mut given = borrowed(&tagged);
            proptest::prop_assert_eq!(&ignored(&given), &expected);
            proptest::prop_assert_eq!(cycles(&given).len(), expected.values().map(BTreeSet::len).sum::<usize>());
            // In whatever order they are read.
            let turn = turn.min(given.len());
            given.rotate_left(turn);
            proptest::prop_assert_eq!(&ignored(&given), &expected);
        }
    }

    #[test]
    fn a_cycle_of_a_hundred_thousand_loses_one_edge() {
        let count = 100_000;
        // Neither along the cycle nor against it.
        let list: Vec<(u64, u64)> =
            (0..count).map(|n| n * 7919 % count).map(|n| (n, (n + 1) % count)).collect();
        let tagged = tagged(&list);
        let found = ignored(&borrowed(&tagged));
        let (_, task, needed) = tagged.last().expect("there are some");
        assert_eq!(found, Edges::from([(task.clone(), BTreeSet::from([needed.clone()]))]));
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_is_no_stack_overflow() {
        let list: Vec<(u64, u64)> = (0..100_000).map(|n| (n, n + 1)).collect();
        assert_eq!(entangled(&edges(&list)), BTreeSet::new());
        let path = cycle(&edges(&list), &id(100_000), &id(0)).expect("cycle");
        assert_eq!(path.len(), 100_002);
    }
}
