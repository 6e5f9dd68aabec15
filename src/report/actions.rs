//! What `init`, `uninstall` and their like did.

use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::page::Mark;
use crate::report::palette::{LITERAL, paint};
use crate::report::words::harmless;
use crate::view::{ActionsView, Done};

/// A line a thing.
pub fn actions(view: &ActionsView, page: Page) -> String {
    let name = view.actions.iter().map(|a| a.what.chars().count()).max().unwrap_or(0);
    let line = |action: &crate::view::Action| {
        let mark = match action.done {
            Done::Made => Mark::Good,
            Done::Kept | Done::Planned => Mark::Idle,
            Done::Warned => Mark::Warn,
        };
        let below = format!("\n{}", " ".repeat(name + 4));
        let detail = harmless(&action.detail).replace('\n', &below);
        format!("{} {:<name$}  {detail}", page.mark(mark), action.what).trim_end().to_owned() + "\n"
    };
    view.actions.iter().map(line).collect()
}

/// The commands to go on with; nothing if there are none.
pub fn next_commands(next: &[String]) -> String {
    if next.is_empty() {
        return String::new();
    }
    let mut out = "Next:\n".to_owned();
    for command in next {
        out.line(&format!("  {}", paint(LITERAL, command)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{plain, terminal};

    #[test]
    fn what_was_done_is_aligned() {
        let mut view = ActionsView::default();
        view.push(Done::Made, "state", "refs/orch/state");
        view.push(Done::Kept, "orch.toml", "is there already");
        view.push(Done::Warned, "hooks", "husky owns .husky\nthey are NOT ENFORCED");
        view.next = vec!["git orch add \"…\"".into()];
        insta::assert_snapshot!(plain(&(actions(&view, terminal(80)) + "\n" + &next_commands(&view.next))), @r#"
        ✓ state      refs/orch/state
        · orch.toml  is there already
        ! hooks      husky owns .husky
                     they are NOT ENFORCED

        Next:
          git orch add "…"
        "#);
    }
}
