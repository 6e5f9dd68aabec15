//! The audit, newest first.

use crate::report::Page;
use crate::report::palette::{DIM, LITERAL, PLAIN};
use crate::report::table::Table;
use crate::report::words::{actor, minute};
use crate::view::LogView;

/// One change a line.
pub fn log(view: &LogView, page: Page) -> String {
    let mut table = Table::new(["WHEN", "WHO", "WHAT", "SUBJECT", "WHY"]);
    for entry in &view.entries {
        table.row([
            (&minute(&entry.at), DIM),
            (actor(&entry.actor), PLAIN),
            (&entry.action, PLAIN),
            (&entry.subject, LITERAL),
            (entry.cause.as_deref().unwrap_or(""), PLAIN),
        ]);
    }
    table.render(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{file, plain};
    use crate::view::LogEntry;

    #[test]
    fn a_change_a_line() {
        let entry = LogEntry {
            at: "2001-09-09T01:46:40.000Z".into(),
            change: "0".into(),
            actor: "person:ann@example.com".into(),
            action: "task.claim".into(),
            subject: "00000007".into(),
            cause: None,
            commit: "a".into(),
        };
        insta::assert_snapshot!(plain(&log(&LogView { entries: vec![entry] }, file())), @r"
        WHEN                  WHO              WHAT        SUBJECT
        2001-09-09 01:46 UTC  ann@example.com  task.claim  00000007
        ");
    }
}
