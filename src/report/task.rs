//! Tasks: the list, one in full, and the one that was just taken.

use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::palette::{self, DIM, LITERAL, PLAIN, STRONG, paint};
use crate::report::table::Table;
use crate::report::words::{actor, harmless, indent, minute, relative, short};
use crate::sys::process::quote;
use crate::view::{NextView, TaskLine, TaskView};

/// The word that lists show: a status, where `open` is told apart into `ready` and `waiting`.
pub fn state<'a>(task: impl Into<TaskLine<'a>>) -> &'static str {
    let task = task.into();
    match (task.status, task.ready) {
        ("open", true) => "ready",
        ("open", false) => "waiting",
        (status, _) => status,
    }
}

/// One task a line, in the order given: whole tasks, or rows of the index.
pub fn task_table<'a>(tasks: impl IntoIterator<Item = impl Into<TaskLine<'a>>>, page: Page) -> String {
    let mut table = Table::new(["ID", "PRI", "KIND", "STATE", "OWNER", "TITLE"]);
    for task in tasks {
        let task = task.into();
        let state = state(task);
        table.row([
            (task.id, LITERAL),
            (task.priority, palette::priority(task.priority)),
            (task.kind, PLAIN),
            (state, palette::state(state)),
            (task.owner.map_or("", actor), DIM),
            (task.title, PLAIN),
        ]);
    }
    table.render(page)
}

/// A task with everything that is set.
pub fn task(task: &TaskView, page: Page) -> String {
    let body = match harmless(&task.body).trim_end() {
        "" => String::new(),
        body => format!("\n{}\n", indent(body, 2)),
    };
    format!("{}{body}\n{}", head(task, page), facts(task, page))
}

fn head(task: &TaskView, page: Page) -> String {
    let dot = page.dot();
    let state = state(task);
    format!(
        "{}\n{} {}{dot}{}{dot}{}\n",
        paint(STRONG, &harmless(&task.title)),
        task.kind,
        paint(LITERAL, &task.id),
        paint(palette::priority(task.priority), task.priority),
        paint(palette::state(state), state),
    )
}

fn facts(task: &TaskView, page: Page) -> String {
    let when = |time: &str| format!("{} ({})", minute(time), relative(page.now, time));
    let owner = |o: &String| format!("{} ({}, fence {})", actor(o), task.claim, task.fence);
    let rows: [(&str, Vec<String>); 12] = [
        ("reason", task.reason.iter().cloned().collect()),
        ("rejected", task.rejected.iter().filter(|_| !is_finished(task)).cloned().collect()),
        ("role", task.role.iter().map(ToString::to_string).collect()),
        ("labels", one(task.labels.join(", "))),
        ("needs", one(task.needs.join(", "))),
        ("files", one(task.files.join(", "))),
        ("accept", task.acceptance.iter().map(|a| format!("- {a}")).collect()),
        ("owner", task.owner.iter().map(owner).collect()),
        ("branch", task.branch.iter().cloned().collect()),
        ("merged", task.merged.iter().map(|commit| format!("as {}", short(commit))).collect()),
        ("path", task.path.iter().cloned().collect()),
        ("added", vec![when(&task.created)]),
    ];
    let changed = ("changed", if task.updated == task.created { vec![] } else { vec![when(&task.updated)] });
    rows.iter().chain(std::iter::once(&changed)).map(|(name, lines)| fact(name, lines)).collect()
}

fn is_finished(task: &TaskView) -> bool {
    matches!(task.status, "done" | "closed")
}

fn one(text: String) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text] }
}

/// `name    first line`, the others below it.
fn fact(name: &str, lines: &[String]) -> String {
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        let label = paint(DIM, &format!("{:<8}", if i == 0 { name } else { "" }));
        let label = if i == 0 { label } else { " ".repeat(8) };
        out.push_str(&format!("{label} {}", harmless(line)).replace('\n', "\n         "));
        out.push('\n');
    }
    out
}

/// What `next` and `start` print: the brief, where the work is, and how to go there.
pub fn taken(next: &NextView, page: Page) -> String {
    let mut out = task(&next.task, page);
    if let Some(note) = &next.note {
        out.push_str(&fact("note", std::slice::from_ref(note)));
    }
    if let Some(expires) = &next.expires {
        out.push_str(&fact("lease", &[format!("ends {} unless renewed", relative(page.now, expires))]));
    }
    if !next.lessons.is_empty() {
        out.line(&format!("\n{}", paint(STRONG, "Lessons")));
        for lesson in &next.lessons {
            out.line(&format!("  - {}", harmless(lesson)));
        }
    }
    if let Some(path) = &next.task.path {
        out.line(&format!("\n  {}", paint(LITERAL, &format!("cd {}", quote(path)))));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::report::page::tests::{file, plain, terminal};
    use crate::view::task::tests::{claimed, sample};

    fn tasks() -> Vec<TaskView> {
        let mut urgent =
            TaskView::new(&sample(1, "Race in the index when two processes open it at once"), true, None);
        urgent.priority = "P0";
        let held = TaskView::new(&claimed(2, "Dark mode"), false, None);
        let waiting = TaskView::new(&sample(3, "Say why"), false, None);
        vec![urgent, held, waiting]
    }

    #[test]
    fn a_list_fits_the_terminal() {
        insta::assert_snapshot!(plain(&task_table(&tasks(), terminal(64))), @r"
        ID        PRI  KIND  STATE    OWNER            TITLE
        00000001  P0   bug   ready                     Race in the inde…
        00000002  P2   bug   claimed  ann@example.com  Dark mode
        00000003  P2   bug   waiting                   Say why
        ");
        insta::assert_snapshot!(plain(&task_table(&tasks()[..1], file())), @r"
        ID        PRI  KIND  STATE  TITLE
        00000001  P0   bug   ready  Race in the index when two processes open it at once
        ");
    }

    #[test]
    fn a_task_in_full() {
        let mut view =
            TaskView::new(&claimed(2, "Dark mode"), false, Some(Path::new("/w/my app.orch/00000002")));
        view.body = "It is too bright.\n\n- at night\n".into();
        view.acceptance = vec!["it is dark".into(), "tests pass".into()];
        view.needs = vec!["00000001".into()];
        insta::assert_snapshot!(plain(&super::task(&view, terminal(80))), @r"
        Dark mode
        bug 00000002 · P2 · claimed

          It is too bright.

          - at night

        labels   ui
        needs    00000001
        accept   - it is dark
                 - tests pass
        owner    ann@example.com (local, fence 1)
        branch   fix/00000002-dark-mode
        path     /w/my app.orch/00000002
        added    2001-09-09 01:46 UTC (1 min ago)
        ");
    }

    #[test]
    fn a_taken_task_says_where_to_go() {
        let mut next =
            NextView::new(&claimed(2, "Dark mode"), false, Some(Path::new("/w/my app.orch/00000002")));
        next.lessons = vec!["Flush before rename.".into()];
        insta::assert_snapshot!(plain(&taken(&next, file())), @r"
        Dark mode
        bug 00000002 - P2 - claimed

        labels   ui
        owner    ann@example.com (local, fence 1)
        branch   fix/00000002-dark-mode
        path     /w/my app.orch/00000002
        added    2001-09-09 01:46 UTC (1 min ago)
        lease    ends in 7 d unless renewed

        Lessons
          - Flush before rename.

          cd '/w/my app.orch/00000002'
        ");
    }
}
