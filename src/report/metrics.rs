//! Figures: a line for the queue, a table of who did what.

use crate::domain::work::Work;
use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::palette::{DIM, PLAIN};
use crate::report::table::Table;
use crate::report::words::{actor, duration, minute};
use crate::view::MetricsView;

/// The queue as it is, then the work of each actor and of all.
pub fn metrics(view: &MetricsView, page: Page) -> String {
    let mut out = String::new();
    let some = |counts: &std::collections::BTreeMap<String, u64>| {
        let shown: Vec<String> =
            counts.iter().filter(|(_, n)| **n > 0).map(|(word, n)| format!("{n} {word}")).collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    };
    out.line(&format!("tasks    {} ({} ready)", some(&view.by_status), view.ready));
    out.line(&format!("kinds    {}", some(&view.by_kind)));
    out.line(&format!("since    {}\n", view.since.as_deref().map_or("the beginning".to_owned(), minute)));
    let mut table =
        Table::new(["WHO", "CLAIMS", "MERGES", "PASS", "FAIL", "BLOCKED", "LEAD P50", "LEAD P95"]);
    let mut row = |who: &str, work: &Work| {
        let lead =
            |seconds: Option<u64>| seconds.map_or_else(String::new, |s| duration(s.saturating_mul(1000)));
        table.row([
            (who, PLAIN),
            (&work.claims.to_string(), PLAIN),
            (&work.merges.to_string(), PLAIN),
            (&work.pass.to_string(), PLAIN),
            (&work.fail.to_string(), PLAIN),
            (&work.blocked.to_string(), PLAIN),
            (&lead(work.lead_p50), DIM),
            (&lead(work.lead_p95), DIM),
        ]);
    };
    for (who, work) in &view.actors {
        row(actor(who), work);
    }
    row("all", &view.total);
    out + &table.render(page)
}
