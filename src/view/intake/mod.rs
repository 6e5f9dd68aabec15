//! Many tasks from one text: `git orch add --from FILE|-`.
//!
//! Two forms, told apart by the first character that is not white space: `{` begins JSON lines, anything
//! else is a Markdown check-list. Pure. Every problem is reported with its line, and one problem is enough
//! for nothing to be added: a file that was read in part can't be read again without doubles.

mod attributes;
mod checklist;
mod json;
mod names;

use std::fmt;

use crate::domain::draft::Draft;

/// One thing that is wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// The input can't be used; nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// There is no task in it.
    #[error("no task found: write one JSON object a line, or a Markdown check-list (`- [ ] title`)")]
    Empty,
    /// Something is wrong with it.
    #[error("{}", Problems(.problems, .allowed.as_deref()))]
    Bad {
        /// Every problem, in the order of lines.
        problems: Vec<Problem>,
        /// What may be in the parentheses of a check-list, where that was a problem.
        allowed: Option<String>,
    },
}

struct Problems<'a>(&'a [Problem], Option<&'a str>);

impl fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}line {}: {}", problem.line, problem.what)?;
        }
        self.1.map_or(Ok(()), |allowed| write!(f, "\n{allowed}"))
    }
}

/// A task as a reader found it: needs are still text, and may name a sibling.
#[derive(Debug)]
struct Found {
    line: usize,
    name: Option<String>,
    needs: Vec<String>,
    draft: Draft,
}

impl Default for Found {
    fn default() -> Self {
        Self { line: 0, name: None, needs: Vec::new(), draft: Draft::new(String::new()) }
    }
}

/// What a reader found, and what it could not read.
#[derive(Debug, Default)]
struct Intake {
    found: Vec<Found>,
    problems: Vec<Problem>,
    allowed: Option<String>,
}

impl Intake {
    fn problem(&mut self, line: usize, what: impl Into<String>) {
        self.problems.push(Problem { line, what: what.into() });
    }

    fn attribute_problem(&mut self, line: usize, what: impl Into<String>) {
        self.problem(line, what);
        self.allowed = Some(attributes::allowed());
    }
}

/// The tasks in `text`, in its order.
pub fn read_tasks(text: &str) -> Result<Vec<Draft>, IntakeError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut intake =
        if text.trim_start().starts_with('{') { json::read(text) } else { checklist::read(text) };
    let drafts = names::resolve(&mut intake);
    if !intake.problems.is_empty() {
        intake.problems.sort_by_key(|p| p.line);
        return Err(IntakeError::Bad { problems: intake.problems, allowed: intake.allowed });
    }
    if drafts.is_empty() { Err(IntakeError::Empty) } else { Ok(drafts) }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(- \\[[ x]\\] |[ \\n{}\"(),:#`a-zé*]|\\PC){0,60}") {
            let _read = read_tasks(&text);
        }

        #[test]
        fn every_open_box_is_one_task(titles in proptest::collection::vec("[a-zA-Z][a-zA-Z0-9 ]{0,30}[a-z]", 1..20)) {
            let text = titles.iter().map(|t| format!("- [ ] {t}\n")).collect::<Vec<_>>().concat();
            let read = read_tasks(&text).unwrap();
            prop_assert_eq!(read.iter().map(|d| d.title.as_str()).collect::<Vec<_>>(), titles);
        }
    }

    #[test]
    fn a_text_without_tasks_is_an_error() {
        assert_eq!(read_tasks(" \n"), Err(IntakeError::Empty));
        assert_eq!(read_tasks("# Plan\n\n- no box\n- [x] done\n"), Err(IntakeError::Empty));
    }
}
