//! Breakers of steps, a line each, and tests that flake, as a table.

use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::palette::{DIM, LITERAL, PLAIN, WARN, paint};
use crate::report::table::Table;
use crate::report::words::{harmless, minute, relative};
use crate::view::{BreakerView, FlakesView};

/// What is said of a breaker.
pub(super) fn breaker(view: &BreakerView) -> String {
    let next = if view.state == "open" {
        format!("`git orch run` waits until {}", minute(&view.until))
    } else {
        "the next `git orch run` tries it on trunk".to_owned()
    };
    let (step, reason) = (harmless(&view.step), harmless(&view.reason));
    format!("{}: {} BLOCKED in a row ({reason}); {next}", paint(WARN, &step), view.in_a_row)
}

/// The tests that flake.
pub fn flakes(view: &FlakesView, page: Page) -> String {
    if view.flakes.is_empty() {
        let mut out = String::new();
        out.line("no test flaked in this clone");
        return out;
    }
    let mut table =
        Table::new(["TEST", "STEP", "RUNS", "FAILURES", "FLAKED", "LAST SEEN", "QUARANTINE"]).cut("TEST");
    for flake in &view.flakes {
        table.row([
            (&flake.test, LITERAL),
            (&flake.step, PLAIN),
            (&flake.runs.to_string(), PLAIN),
            (&flake.failures.to_string(), PLAIN),
            (&flake.flaked.to_string(), PLAIN),
            (&relative(page.now, &flake.last_seen), DIM),
            (if flake.quarantined { "yes" } else { "" }, PLAIN),
        ]);
    }
    table.render(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{plain, terminal};
    use crate::view::FlakeView;

    #[test]
    fn a_breaker_says_what_comes_next() {
        let view = BreakerView {
            step: "test".into(),
            state: "open",
            in_a_row: 3,
            reason: "timed out after 10m".into(),
            until: "2026-01-02T03:04:05.000Z".into(),
        };
        let half = BreakerView { state: "half_open", ..view.clone() };
        insta::assert_snapshot!(plain(&[breaker(&view), breaker(&half)].join("\n")), @r"
        test: 3 BLOCKED in a row (timed out after 10m); `git orch run` waits until 2026-01-02 03:04 UTC
        test: 3 BLOCKED in a row (timed out after 10m); the next `git orch run` tries it on trunk
        ");
    }

    #[test]
    fn flakes_as_a_table() {
        let flake = FlakeView {
            test: "queue::tests::two_workers".into(),
            step: "test".into(),
            runs: 12,
            failures: 3,
            flaked: 2,
            last_seen: "2001-09-09T01:46:40.000Z".into(),
            quarantined: true,
        };
        let view = FlakesView { schema: 1, flakes: vec![flake] };
        insta::assert_snapshot!(plain(&flakes(&view, terminal(100))), @r"
        TEST                       STEP  RUNS  FAILURES  FLAKED  LAST SEEN  QUARANTINE
        queue::tests::two_workers  test  12    3         2       1 min ago  yes
        ");
        let none = FlakesView { schema: 1, flakes: Vec::new() };
        assert_eq!(flakes(&none, terminal(100)), "no test flaked in this clone\n");
    }
}
