//! The tree of what a task needs.

use crate::report::Page;
use crate::report::palette::{self, DIM, LITERAL, paint};
use crate::report::words::harmless;
use crate::view::{DepRow, DepTreeView};

/// Deeper than this, rows are no longer moved to the right: the depth is written out.
const DEEPEST: usize = 20;

/// One task a line, below and to the right of what needs it.
pub fn tree(view: &DepTreeView, page: Page) -> String {
    let mut lasts: Vec<bool> = Vec::new();
    let mut out = String::new();
    for row in &view.rows {
        lasts.truncate(row.depth);
        lasts.resize(row.depth, true);
        lasts.push(row.last);
        out.push_str(&paint(DIM, &branch(row, &lasts, page)));
        out.push_str(&line(row, page));
        out.push('\n');
    }
    out
}

fn branch(row: &DepRow, lasts: &[bool], page: Page) -> String {
    if row.depth == 0 {
        return String::new();
    }
    if row.depth > DEEPEST {
        return format!("{}({}) ", "  ".repeat(DEEPEST), row.depth);
    }
    let (down, tee, end) = if page.unicode { ("│  ", "├─ ", "└─ ") } else { ("|  ", "|- ", "`- ") };
    let above: String = lasts[1..row.depth].iter().map(|&last| if last { "   " } else { down }).collect();
    above + if row.last { end } else { tee }
}

fn line(row: &DepRow, page: Page) -> String {
    let id = paint(LITERAL, &row.id);
    let state = match row.status {
        None => return format!("{id}  {}", paint(palette::WARN, "not in the queue")),
        Some("open") if row.ready => "ready",
        Some("open") => "waiting",
        Some(status) => status,
    };
    let again =
        if row.repeated { paint(DIM, &format!(" ({} above)", page.ellipsis())) } else { String::new() };
    let ignored =
        if row.ignored { paint(palette::WARN, " (closes a cycle, ignored)") } else { String::new() };
    format!("{id}  {}  {}{again}{ignored}", paint(palette::state(state), state), harmless(&row.title))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::graph::Edges;
    use crate::domain::id::TaskId;
    use crate::report::page::tests::{file, plain, terminal};
    use crate::view::TaskView;
    use crate::view::task::tests::sample;

    fn view(list: &[(u64, u64)], ignored: (u64, u64)) -> DepTreeView {
        let mut edges = Edges::new();
        for &(a, b) in list {
            edges.entry(TaskId::from_bits(a)).or_default().insert(TaskId::from_bits(b));
        }
        let look = |id: &TaskId| {
            let n: u64 = id.as_str().parse().ok()?;
            (n < 6).then(|| TaskView::new(&sample(n, &format!("Task {n}")), n == 4, None))
        };
        let (task, needed) = (TaskId::from_bits(ignored.0), TaskId::from_bits(ignored.1));
        let ignored = Edges::from([(task, [needed].into())]);
        DepTreeView::new(&TaskId::from_bits(1), &edges, &ignored, &look)
    }

    #[test]
    fn what_is_needed_is_below() {
        let view = view(&[(1, 2), (1, 3), (2, 4), (3, 4), (3, 6), (4, 5), (5, 2)], (5, 2));
        insta::assert_snapshot!(plain(&tree(&view, terminal(80))), @r"
        00000001  waiting  Task 1
        ├─ 00000002  waiting  Task 2
        │  └─ 00000004  ready  Task 4
        │     └─ 00000005  waiting  Task 5
        │        └─ 00000002  waiting  Task 2 (… above) (closes a cycle, ignored)
        └─ 00000003  waiting  Task 3
           ├─ 00000004  ready  Task 4 (… above)
           └─ 00000006  not in the queue
        ");
        insta::assert_snapshot!(plain(&tree(&view, file())), @r"
        00000001  waiting  Task 1
        |- 00000002  waiting  Task 2
        |  `- 00000004  ready  Task 4
        |     `- 00000005  waiting  Task 5
        |        `- 00000002  waiting  Task 2 (... above) (closes a cycle, ignored)
        `- 00000003  waiting  Task 3
           |- 00000004  ready  Task 4 (... above)
           `- 00000006  not in the queue
        ");
    }
}
