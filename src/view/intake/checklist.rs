//! A Markdown check-list: every open box at the top level of a list is a task.
//!
//! ```markdown
//! - [ ] Parser loses the last line (bug, P1, id: parser, label: io)
//!   What is seen, how to repeat it: everything below the title is the body.
//! - [ ] Print what was parsed (feature, needs: parser 7k3f)
//! - [x] done already, left out
//! ```
//!
//! What parentheses at the end of the title say is in `attributes`.
//! Boxes inside of another item stay in its body.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::domain::draft;
use crate::view::intake::{Found, Intake, attributes};

/// Reads every open box.
pub(super) fn read(text: &str) -> Intake {
    let mut intake = Intake::default();
    for item in open_boxes(text) {
        task(text, &item, &mut intake);
    }
    intake
}

/// Where an item is, and where its text begins (behind the box).
struct Item {
    whole: Range<usize>,
    text: usize,
}

fn open_boxes(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut depth = 0_usize;
    let mut current: Option<Range<usize>> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TASKLISTS).into_offset_iter() {
        match event {
            Event::Start(Tag::Item) => {
                depth += 1;
                if depth == 1 {
                    current = Some(range);
                }
            }
            Event::End(TagEnd::Item) => depth = depth.saturating_sub(1),
            Event::TaskListMarker(false) if depth == 1 => {
                items.extend(current.take().map(|whole| Item { whole, text: range.end }));
            }
            _ => {}
        }
    }
    items
}

fn task(text: &str, item: &Item, intake: &mut Intake) {
    let line = 1 + text[..item.whole.start].matches('\n').count();
    let source = &text[item.text..item.whole.end];
    let (first, rest) = source.split_once('\n').unwrap_or((source, ""));
    let mut found = Found { line, ..Found::default() };
    let title = match attributes::split(first.trim()) {
        Some((title, list)) => match attributes::read(list, &mut found) {
            Ok(()) => title,
            Err(what) => return intake.attribute_problem(line, what),
        },
        None => first.trim(),
    };
    match draft::title(title) {
        Ok(title) => {
            found.draft.title = title;
            found.draft.body = dedent(rest);
            intake.found.push(found);
        }
        Err(e) => intake.problem(line, e.to_string()),
    }
}

/// The body without the indentation that makes it part of the item.
fn dedent(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let common = text.lines().filter(|l| !l.trim().is_empty()).map(indent).min().unwrap_or(0);
    let lines: Vec<&str> = text.lines().map(|l| l.get(common..).unwrap_or("").trim_end()).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use crate::domain::draft::{Draft, Need};
    use crate::domain::kind::{Kind, Priority};
    use crate::domain::role::Role;
    use crate::view::intake::read_tasks;

    fn show(drafts: &[Draft]) -> String {
        let line = |d: &Draft| {
            format!(
                "{} {} [{}] {:?} {:?}\n{}\n",
                d.kind.as_str(),
                d.priority.as_str(),
                d.title,
                d.labels,
                d.needs.len(),
                d.body
            )
        };
        drafts.iter().map(line).collect()
    }

    #[test]
    fn boxes_are_tasks_and_what_is_below_them_their_body() {
        let text = "# Plan\n\nWords.\n\n- [ ] Parser loses the last line (bug, P1, id: parser, label: io ui)\n  \
                    Seen on CRLF.\n\n  ```\n  code\n    deeper\n  ```\n  - [ ] a step\n- [x] done\n- plain\n\
                    * [ ] Say (why) it failed (see the log)\n\n1. [ ] Print it (feature, needs: parser 7k3f)\n";
        let drafts = read_tasks(text).unwrap();
        insta::assert_snapshot!(show(&drafts), @r#"
        bug P1 [Parser loses the last line] ["io", "ui"] 0
        Seen on CRLF.

        ```
        code
          deeper
        ```
        - [ ] a step
        bug P2 [Say (why) it failed (see the log)] [] 0

        feature P2 [Print it] [] 2
        "#);
        assert_eq!(drafts[2].needs[0], Need::Sibling(0));
    }

    #[test]
    fn parentheses_that_begin_as_ours_must_be_ours() {
        let e = read_tasks("- [ ] a\n- [ ] b (bug, soon)\n- [ ] (P1)\n").expect_err("two problems");
        insta::assert_snapshot!(e, @r"
        line 2: `soon` is no kind, priority or role
        line 3: a title can't be empty
        allowed in parentheses at a title's end, with commas or spaces between:
        kinds bug, quality, test, feature, refactor, docs; priorities P0 to P4;
        roles bugfix, codequality, testfixer, featurebuilder, testwriter;
        id: NAME, label: LABEL, needs: TASK, file: GLOB, accept: TEXT
        (for other words there, put a period behind the parentheses)
        ");
        let drafts = read_tasks("- [ ] Do x (testwriter, p0, accept: it is fast)\n- [ ] y (2)\n").unwrap();
        assert_eq!((drafts[0].role, drafts[0].priority), (Some(Role::Testwriter), Priority::P0));
        assert_eq!(drafts[0].acceptance, ["it is fast"]);
        assert_eq!((drafts[1].title.as_str(), drafts[1].kind), ("y (2)", Kind::Bug));
    }
}
