//! The end of a run.

use crate::domain::session::Outcome;
use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::page::Mark;
use crate::report::palette::{DIM, LITERAL, STRONG, paint};
use crate::report::words::{duration, harmless, plural};
use crate::view::{RunSummary, RunTask};

/// A line a task, then the counts.
pub fn run_summary(view: &RunSummary, page: Page) -> String {
    let mut out = String::new();
    for task in &view.tasks {
        out.push_str(&self::task(task, page));
    }
    if !view.tasks.is_empty() {
        out.push('\n');
    }
    let counts: Vec<String> = Outcome::ALL
        .into_iter()
        .filter(|&o| view.count(o) > 0)
        .map(|o| format!("{} {}", view.count(o), words(o)))
        .collect();
    let total = plural(view.tasks.len(), "task");
    let took = view.millis.map_or_else(String::new, |ms| format!(" in {}", duration(ms)));
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    out.line(&format!("{}{counts}", paint(STRONG, &format!("{total}{took}"))));
    out.line(&paint(DIM, &format!("session {}", view.session)));
    out
}

/// What is said of several tasks that came to this.
fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Merged => "merged",
        Outcome::Review => "in review",
        Outcome::Failed => "failed",
        Outcome::Blocked => "blocked",
        Outcome::Interrupted => "interrupted",
    }
}

/// The mark of a task that came to this.
pub(crate) fn mark(outcome: Outcome) -> Mark {
    match outcome {
        Outcome::Merged | Outcome::Review => Mark::Good,
        Outcome::Failed => Mark::Bad,
        Outcome::Blocked => Mark::Warn,
        Outcome::Interrupted => Mark::Idle,
    }
}

fn task(task: &RunTask, page: Page) -> String {
    let times = plural(usize::try_from(task.iterations).unwrap_or(usize::MAX), "iteration");
    let head = format!(
        "{} {} {:<11} {}  {}\n",
        page.mark(mark(task.outcome)),
        paint(LITERAL, &task.id),
        words(task.outcome),
        harmless(&task.title),
        paint(DIM, &times),
    );
    let note = task
        .note
        .as_deref()
        .map_or_else(String::new, |n| format!("    {}\n", harmless(n).replace('\n', " ")));
    head + &note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{SessionId, TaskId};
    use crate::domain::session::{Session, SessionTask};
    use crate::domain::time::Timestamp;
    use crate::report::page::tests::{plain, terminal};

    #[test]
    fn a_summary_counts_what_there_was() {
        let task = |n, outcome, iterations, note: Option<&str>| SessionTask {
            id: TaskId::from_bits(n),
            outcome,
            iterations,
            note: note.map(str::to_owned),
        };
        let session = Session {
            id: SessionId::from_bits(9),
            by: "person:ann".into(),
            started: Timestamp::from_millis(0),
            ended: Some(Timestamp::from_millis(192_000)),
            tasks: vec![
                task(1, Outcome::Merged, 2, None),
                task(2, Outcome::Failed, 15, Some("test: exit 1")),
                task(3, Outcome::Merged, 1, None),
            ],
        };
        let view = RunSummary::new(&session, &|t| format!("Task {}", &t.id.as_str()[7..]));
        insta::assert_snapshot!(plain(&run_summary(&view, terminal(80))), @r"
        ✓ 00000001 merged      Task 1  2 iterations
        ✗ 00000002 failed      Task 2  15 iterations
            test: exit 1
        ✓ 00000003 merged      Task 3  1 iteration

        3 tasks in 3 min: 2 merged, 1 failed
        session 00000009
        ");
    }
}
