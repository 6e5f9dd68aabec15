//! Why nothing is ready.

use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::palette::{DIM, LITERAL, paint};
use crate::report::words::{actor, are, harmless, plural};
use crate::view::{Held, IdleView};

/// More than this of one sort are counted, not listed.
const SHOWN: usize = 5;

/// The fact in one line.
pub fn idle_fact(view: &IdleView) -> String {
    if view.finished() {
        return "nothing is ready: the queue is empty".to_owned();
    }
    let waits = |n: usize| if n == 1 { "waits" } else { "wait" };
    let (waiting, review) = (view.waiting.len(), view.review.len());
    let parts = [
        (view.filtered, format!("{} left out by the filter", plural(view.filtered, "task"))),
        (waiting, format!("{} {} for others", plural(waiting, "task"), waits(waiting))),
        (view.held.len(), format!("{} {} held", plural(view.held.len(), "task"), are(view.held.len()))),
        (
            view.blocked.len(),
            format!("{} {} blocked", plural(view.blocked.len(), "task"), are(view.blocked.len())),
        ),
        (review, format!("{} {} for review", plural(review, "task"), waits(review))),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect();
    format!("nothing is ready: {}", parts.join(", "))
}

/// The tasks behind the fact.
pub fn idle(view: &IdleView, page: Page) -> String {
    let mut out = String::new();
    for task in view.waiting.iter().take(SHOWN) {
        out.push_str(&line(&task.id, &task.title, &format!("needs {}", task.needs.join(", ")), page));
    }
    let lists: [(&[Held], &str); 3] =
        [(&view.held, "held by "), (&view.blocked, "blocked: "), (&view.review, "in review")];
    let mut hidden = view.waiting.len().saturating_sub(SHOWN);
    for (list, word) in lists {
        hidden += list.len().saturating_sub(SHOWN);
        for task in list.iter().take(SHOWN) {
            out.push_str(&line(&task.id, &task.title, &format!("{word}{}", actor(&task.by)), page));
        }
    }
    if hidden > 0 {
        out.line(&format!("  {}", paint(DIM, &format!("and {hidden} more: git orch list --all"))));
    }
    out
}

fn line(id: &str, title: &str, why: &str, page: Page) -> String {
    format!("  {} {}{}{}\n", paint(LITERAL, id), harmless(title), page.dot(), paint(DIM, &harmless(why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{plain, terminal};
    use crate::view::Waiting;

    #[test]
    fn says_what_waits_for_what_and_who_holds_the_rest() {
        let held =
            |n: usize| Held { id: format!("0000000{n}"), title: format!("T{n}"), by: "person:ann".into() };
        let view = IdleView {
            waiting: vec![Waiting {
                id: "00000009".into(),
                title: "Late".into(),
                needs: vec!["00000001".into()],
            }],
            held: (1..8).map(held).collect(),
            filtered: 1,
            ..IdleView::default()
        };
        insta::assert_snapshot!(format!("{}\n{}", idle_fact(&view), plain(&idle(&view, terminal(80)))), @r"
        nothing is ready: 1 task left out by the filter, 1 task waits for others, 7 tasks are held
          00000009 Late · needs 00000001
          00000001 T1 · held by ann
          00000002 T2 · held by ann
          00000003 T3 · held by ann
          00000004 T4 · held by ann
          00000005 T5 · held by ann
          and 2 more: git orch list --all
        ");
        assert_eq!(idle_fact(&IdleView::default()), "nothing is ready: the queue is empty");
    }
}
