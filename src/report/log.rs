//! The audit, newest first.

use crate::report::Page;
use crate::report::palette::{DIM, LITERAL, PLAIN};
use crate::report::table::Table;
use crate::report::words::{actor, minute, relative, short};
use crate::view::LogView;

/// One change a line. A terminal has little room, and its reader wants to know how long ago; a file keeps the time.
pub fn log(view: &LogView, page: Page) -> String {
    let when = |time: &str| if page.width.is_some() { relative(page.now, time) } else { minute(time) };
    let mut table = Table::new(["WHEN", "WHO", "WHAT", "SUBJECT", "WHY"]);
    for entry in &view.entries {
        table.row([
            (&when(&entry.at), DIM),
            (actor(&entry.actor), PLAIN),
            (&entry.action, PLAIN),
            (&subject(&entry.subject), LITERAL),
            (&shortened(entry.cause.as_deref().unwrap_or("")), PLAIN),
        ]);
    }
    table.render(page)
}

/// A tree's id as short as Ralph shows it; anything else as it is.
fn subject(text: &str) -> String {
    text.strip_prefix("tree/").map_or_else(|| text.to_owned(), |tree| format!("tree/{}", short(tree)))
}

/// The text with object ids and keys as short as elsewhere: whole, they fill the line, and nobody reads them.
fn shortened(text: &str) -> String {
    let is_id = |word: &str| word.len() >= 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
    text.split(' ').map(|word| if is_id(word) { short(word) } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{file, plain, terminal};
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
        let verdict = LogEntry { subject: format!("tree/{}", "c".repeat(40)), ..entry.clone() };
        let by = format!("{} by {}", "a".repeat(40), "b".repeat(64));
        let done = LogEntry { cause: Some(by), ..entry.clone() };
        insta::assert_snapshot!(plain(&log(&LogView { entries: vec![done] }, file())), @r"
        WHEN                  WHO              WHAT        SUBJECT   WHY
        2001-09-09 01:46 UTC  ann@example.com  task.claim  00000007  aaaaaaaaaaaa by bbbbbbbbbbbb
        ");
        let why = LogEntry { cause: Some("FAIL for 9a46615 of a task".into()), ..verdict.clone() };
        let wide = plain(&log(&LogView { entries: vec![why] }, terminal(80)));
        insta::assert_snapshot!(wide, @r"
        WHEN       WHO              WHAT        SUBJECT            WHY
        1 min ago  ann@example.com  task.claim  tree/cccccccccccc  FAIL for 9a46615 of …
        ");
        assert!(wide.lines().all(|line| line.chars().count() <= 80), "{wide}");
        insta::assert_snapshot!(plain(&log(&LogView { entries: vec![entry, verdict] }, file())), @r"
        WHEN                  WHO              WHAT        SUBJECT
        2001-09-09 01:46 UTC  ann@example.com  task.claim  00000007
        2001-09-09 01:46 UTC  ann@example.com  task.claim  tree/cccccccccccc
        ");
    }
}
