//! Where the repository stands, on one screen.

use crate::report::Page;
use crate::report::breaker;
use crate::report::lines::Lines as _;
use crate::report::palette::{self, BAD, DIM, GOOD, STRONG, WARN, paint};
use crate::report::task::task_table;
use crate::report::words::{harmless, indent, plural};
use crate::report::worktree::worktrees;
use crate::view::{HooksState, HooksView, StatusView, WorktreeUse};

/// The screen.
pub fn status(view: &StatusView, page: Page) -> String {
    let mut out = String::new();
    for (name, value) in [("trunk", trunk(view)), ("hooks", hooks(&view.hooks)), ("queue", queue(view))] {
        out.line(&format!("{} {value}", paint(DIM, &format!("{name:<6}"))));
    }
    if view.mode != "NORMAL" {
        let why = view.reason.as_deref().map_or_else(String::new, |r| format!(": {}", harmless(r)));
        out.line(&format!("{} {}{why}", paint(DIM, "mode  "), paint(WARN, view.mode)));
    }
    for breaker in &view.breakers {
        out.line(&format!("{} {}", paint(DIM, "gate  "), breaker::breaker(breaker)));
    }
    for problem in &view.problems {
        let text = harmless(problem).replace('\n', &format!("\n{}", " ".repeat(7)));
        out.line(&format!("{} {text}", paint(BAD, "wrong ")));
    }
    let inner = Page { width: page.width.map(|w| w.saturating_sub(2)), ..page };
    let mut section = |title: &str, text: String| {
        if !text.is_empty() {
            out.line(&format!("\n{}\n{}", paint(STRONG, title), indent(&text, 2)));
        }
    };
    section("Yours", task_table(&view.yours, inner));
    section(
        "Next",
        view.next.as_ref().map_or_else(String::new, |t| task_table(std::slice::from_ref(t), inner)),
    );
    let tasks: Vec<_> = view.worktrees.iter().filter(|w| w.usage == WorktreeUse::Task).cloned().collect();
    section("Worktrees", worktrees(&tasks, inner));
    out
}

fn trunk(view: &StatusView) -> String {
    let remote = view.remote.as_deref().map_or("no remote".to_owned(), |r| format!("remote {r}"));
    let verdict = match view.verdict {
        Some(word) => paint(palette::verdict(word), word.as_str()),
        None if !view.gate => paint(BAD, "no gate"),
        None => paint(DIM, "not judged yet"),
    };
    format!("{} ({remote}), {verdict}", view.trunk)
}

fn hooks(hooks: &HooksView) -> String {
    let (style, word) = match hooks.state {
        HooksState::Enforced => (GOOD, "enforced"),
        HooksState::NotInstalled => (WARN, "not installed"),
        HooksState::Partial => (WARN, "partly enforced"),
        HooksState::NotEnforced => (BAD, "NOT ENFORCED"),
        HooksState::Off => (BAD, "switched off in this clone"),
    };
    let detail = hooks.detail.as_deref().map_or_else(String::new, |d| format!(": {}", harmless(d)));
    paint(style, word) + &detail
}

fn queue(view: &StatusView) -> String {
    if view.counts.total() == 0 {
        return "empty".to_owned();
    }
    let counts: Vec<String> =
        view.counts.pairs().iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{n} {word}")).collect();
    format!("{}: {}; {} ready", plural(view.counts.total(), "task"), counts.join(", "), view.ready)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::Word;
    use crate::report::page::tests::{plain, terminal};
    use crate::view::task::tests::{claimed, sample};
    use crate::view::{BreakerView, Counts, TaskView};

    fn breaker() -> BreakerView {
        let (step, reason) = ("test".to_owned(), "cargo: not found".to_owned());
        BreakerView { step, state: "half_open", in_a_row: 3, reason, until: String::new() }
    }

    #[test]
    fn the_screen() {
        let (mine, next) = (claimed(1, "Dark mode"), sample(2, "Race"));
        let mut counts = Counts::default();
        counts.add(&mine.register.state);
        counts.add(&next.register.state);
        let mut view = StatusView {
            schema: 1,
            mode: "PAUSED",
            reason: Some("release".into()),
            trunk: "main".into(),
            gate: true,
            verdict: Some(Word::Pass),
            remote: Some("origin".into()),
            counts,
            ready: 1,
            next: Some(TaskView::new(&next, true, None)),
            yours: vec![TaskView::new(&mine, false, None)],
            worktrees: vec![],
            hooks: HooksView { state: HooksState::Partial, detail: Some("pre-push is missing".into()) },
            problems: Vec::new(),
            breakers: Vec::new(),
        };
        insta::assert_snapshot!(plain(&status(&view, terminal(80))), @r"
        trunk  main (remote origin), PASS
        hooks  partly enforced: pre-push is missing
        queue  2 tasks: 1 open, 1 claimed; 1 ready
        mode   PAUSED: release

        Yours
          ID        PRI  KIND  STATE    OWNER            TITLE
          00000001  P2   bug   claimed  ann@example.com  Dark mode

        Next
          ID        PRI  KIND  STATE  TITLE
          00000002  P2   bug   ready  Race
        ");
        view = StatusView {
            mode: "NORMAL",
            counts: Counts::default(),
            next: None,
            yours: vec![],
            remote: None,
            ..view
        };
        view.verdict = None;
        insta::assert_snapshot!(plain(&status(&view, terminal(80))), @r"
        trunk  main (no remote), not judged yet
        hooks  partly enforced: pre-push is missing
        queue  empty
        ");
        view.gate = false;
        view.problems = vec!["one\ntwo".into()];
        view.breakers = vec![breaker()];
        insta::assert_snapshot!(plain(&status(&view, terminal(80))), @r"
        trunk  main (no remote), no gate
        hooks  partly enforced: pre-push is missing
        queue  empty
        gate   test: 3 BLOCKED in a row (cargo: not found); the next `git orch run` tries it on trunk
        wrong  one
               two
        ");
    }
}
