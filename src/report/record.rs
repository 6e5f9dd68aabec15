//! The verdicts on record: as a list, or each with its steps.

use crate::domain::verdict::Word;
use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::palette::{self, DIM, PLAIN, paint};
use crate::report::table::Table;
use crate::report::verdict::step;
use crate::report::words::{actor, harmless, indent, relative, short};
use crate::view::{RecordView, RecordsView};

/// What is said of a verdict that is not by the gate in force as a whole.
const PART: &str = "another gate or a part";

/// A line for each verdict.
pub fn record_list(view: &RecordsView, page: Page) -> String {
    if view.verdicts.is_empty() {
        return "no verdict is on record yet\n".to_owned();
    }
    let mut table = Table::new(["WHEN", "VERDICT", "TREE", "STEPS", "TRUST", "FROM", "BY"]);
    for record in &view.verdicts {
        let cached = record.steps.iter().filter(|step| step.cached).count();
        let steps = match (record.steps.len(), cached) {
            (all, 0) => all.to_string(),
            (all, cached) => format!("{all} ({cached} cached)"),
        };
        let steps = if record.part { format!("{steps}, {PART}") } else { steps };
        table.row([
            (&relative(page.now, &record.made), DIM),
            (record.verdict.as_str(), palette::verdict(record.verdict)),
            (short(&record.tree), PLAIN),
            (&steps, PLAIN),
            (record.trust, PLAIN),
            (&origin(record), PLAIN),
            (actor(&record.by), PLAIN),
        ]);
    }
    table.render(page)
}

/// Each verdict with its steps.
pub fn records(view: &RecordsView, page: Page) -> String {
    let mut out = String::new();
    for record in &view.verdicts {
        let word = paint(palette::verdict(record.verdict), record.verdict.as_str());
        let when = relative(page.now, &record.made);
        let dot = page.dot();
        let scope = if record.scope == "absolute" { String::new() } else { format!("{dot}{}", record.scope) };
        let by = harmless(actor(&record.by)).replace('\n', " ");
        out.line(&format!("{word}  {when} by {by}{dot}{}", origin(record)));
        let width = record.steps.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
        for each in &record.steps {
            out.line(&indent(step(each, width, page).trim_end(), 2));
        }
        if let Some(rule) = &record.rule {
            let fact = harmless(record.fact.as_deref().unwrap_or(""));
            out.line(&format!("  rule {}: {fact}", harmless(rule)).replace('\n', " "));
        }
        let part = if record.part { format!(" ({PART})") } else { String::new() };
        let about = format!(
            "  tree {}{dot}gate {}{part}{dot}{}{scope}{dot}key {}",
            short(&record.tree),
            short(&record.gate),
            record.trust,
            short(&record.key),
        );
        out.line(&paint(DIM, &about));
    }
    out
}

fn origin(record: &RecordView) -> String {
    match (record.origin, &record.signer) {
        ("here", _) => "this machine".to_owned(),
        ("signed", Some(name)) => format!("signed by {}", harmless(name)),
        _ if record.verdict == Word::Pass => "a hint, counts for nothing".to_owned(),
        _ => "a hint".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{file, plain};
    use crate::view::verdict::tests::{sample, step as result};

    #[test]
    fn each_says_what_it_is_worth() {
        let mut cached = result("fmt", Word::Pass, None, "");
        cached.cached = Some(crate::domain::time::Timestamp::from_millis(0));
        let pass = sample(Word::Pass, vec![cached, result("test", Word::Pass, None, "")]);
        let mut blocked = sample(Word::Blocked, vec![]);
        blocked.rule = Some("ralph.setup".into());
        blocked.fact = Some("exit 1".into());
        let verdicts = vec![
            RecordView::new(&pass, "here", None, "gggggggg"),
            RecordView::new(&pass, "signed", Some("ann@example.com".into()), "gggggggg"),
            RecordView::new(&pass, "hint", None, "gggggggg"),
            RecordView::new(&blocked, "here", None, "other"),
        ];
        let view = RecordsView { schema: 1, verdicts };
        insta::assert_snapshot!(plain(&record_list(&view, file())), @r"
        WHEN       VERDICT  TREE          STEPS                      TRUST        FROM                        BY
        1 min ago  PASS     cccccccccccc  2 (1 cached)               unsandboxed  this machine                ann@example.com
        1 min ago  PASS     cccccccccccc  2 (1 cached)               unsandboxed  signed by ann@example.com   ann@example.com
        1 min ago  PASS     cccccccccccc  2 (1 cached)               unsandboxed  a hint, counts for nothing  ann@example.com
        1 min ago  BLOCKED  cccccccccccc  0, another gate or a part  unsandboxed  this machine                ann@example.com
        ");
        insta::assert_snapshot!(plain(&records(&view, file())), @r"
        PASS  1 min ago by ann@example.com - this machine
          + fmt   cached
          + test   1.2 s
          tree cccccccccccc - gate gggggggg - unsandboxed - key kkkkkkkk
        PASS  1 min ago by ann@example.com - signed by ann@example.com
          + fmt   cached
          + test   1.2 s
          tree cccccccccccc - gate gggggggg - unsandboxed - key kkkkkkkk
        PASS  1 min ago by ann@example.com - a hint, counts for nothing
          + fmt   cached
          + test   1.2 s
          tree cccccccccccc - gate gggggggg - unsandboxed - key kkkkkkkk
        BLOCKED  1 min ago by ann@example.com - this machine
          rule ralph.setup: exit 1
          tree cccccccccccc - gate gggggggg (another gate or a part) - unsandboxed - key kkkkkkkk
        ");
        let none = RecordsView { schema: 1, verdicts: vec![] };
        assert_eq!(plain(&record_list(&none, file())), "no verdict is on record yet\n");
    }
}
