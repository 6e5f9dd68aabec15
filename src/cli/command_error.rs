//! The one translation from what went wrong to words and a number.

use std::error::Error;
use std::io::ErrorKind;

use crate::cli::exit::Exit;
use crate::domain::draft::TitleError;
use crate::domain::id::IdError;
use crate::domain::task::Refusal;
use crate::report::palette::{DIM, ERROR_LABEL, HINT_LABEL, LITERAL, paint};
use crate::report::words::indent;
use crate::sys::fs::FsError;
use crate::sys::process::ProcessError;
use crate::view::{EditTextError, IntakeError, RefusalBody, RefusalView};

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct CommandError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    exit: Exit,
    rule: Option<String>,
    fact: String,
    causes: Vec<String>,
    problems: Vec<String>,
    detail: String,
    next: Vec<String>,
}

impl CommandError {
    /// An error with its exit and the fact, a sentence fragment in lower case.
    pub fn new(exit: Exit, fact: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            exit,
            rule: None,
            fact: fact.into(),
            causes: Vec::new(),
            problems: Vec::new(),
            detail: String::new(),
            next: Vec::new(),
        }))
    }

    /// An error from below: its message is the fact, the chain of its sources the causes.
    pub fn from_error(exit: Exit, error: &dyn Error) -> Self {
        let sources = std::iter::successors(error.source(), |e| (*e).source());
        let mut this = Self::new(exit, error.to_string());
        this.0.causes = sources.map(ToString::to_string).collect();
        this
    }

    /// Where the system did not let us write: says so, as no message of the system does.
    #[must_use]
    pub fn or_read_only(self, error: &(dyn Error + 'static)) -> Self {
        let sources = std::iter::successors(Some(error), |e| (*e).source());
        let kinds = sources.filter_map(|e| e.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
        let denied = |kind| matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
        if kinds.into_iter().any(denied) {
            return self.rule("environment.read_only").next("work in a clone that you may write");
        }
        self
    }

    /// Names the rule that refused.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.0.rule = Some(rule.into());
        self
    }

    /// Adds what to type next, or how to go on.
    #[must_use]
    pub fn next(mut self, line: impl Into<String>) -> Self {
        self.0.next.push(line.into());
        self
    }

    /// Adds the single things that are wrong, a line each, for people and for programs.
    #[must_use]
    pub fn problems(mut self, lines: impl IntoIterator<Item = impl ToString>) -> Self {
        self.0.problems.extend(lines.into_iter().map(|line| line.to_string()));
        self
    }

    /// Adds lines that people see below the fact, and programs don't: findings, a list of problems.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.0.detail = text.into();
        self
    }

    /// The same error with another exit: a hook refuses, whatever the verdict is.
    #[must_use]
    pub fn exits(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// The exit.
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// For people, on stderr.
    pub fn render(&self) -> String {
        let mut lines = vec![format!("{} {}", paint(ERROR_LABEL, "error:"), hang(&self.0.fact, 7))];
        for cause in &self.0.causes {
            lines.push(format!("{} {}", paint(DIM, "caused by:"), hang(cause, 11)));
        }
        if let Some(rule) = &self.0.rule {
            lines.push(format!("{} {}", paint(DIM, "rule:"), paint(LITERAL, rule)));
        }
        lines.extend(self.0.problems.iter().map(|problem| indent(problem, 2)));
        if !self.0.detail.is_empty() {
            lines.push(self.0.detail.trim_end().to_owned());
        }
        for (i, next) in self.0.next.iter().enumerate() {
            let label = if i == 0 { paint(HINT_LABEL, "next:") } else { "     ".to_owned() };
            lines.push(format!("{label} {}", hang(next, 6)));
        }
        lines.join("\n") + "\n"
    }

    /// For programs, on stdout (contract.md, "Ids and tasks").
    pub fn view(&self) -> RefusalView {
        let parts = std::iter::once(self.0.fact.clone()).chain(self.0.causes.iter().cloned());
        let problems = (!self.0.problems.is_empty()).then(|| self.0.problems.join("; "));
        let fact = parts.chain(problems).collect::<Vec<_>>().join(": ");
        RefusalView {
            error: RefusalBody {
                code: i32::from(self.0.exit.code()),
                rule: self.0.rule.clone(),
                fact,
                next: self.0.next.clone(),
            },
        }
    }
}

/// Lines after the first, below the first.
fn hang(text: &str, by: usize) -> String {
    match text.split_once('\n') {
        Some((first, rest)) => format!("{first}\n{}", indent(rest, by)),
        None => text.to_owned(),
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        let base = |exit, rule: &str| Self::from_error(exit, &refusal).rule(rule);
        match &refusal {
            Refusal::Held { id, .. } => {
                base(Exit::Held, "task.held").next("git orch next").next(format!("git orch show {id}"))
            }
            Refusal::StaleFence { id, .. } => {
                base(Exit::Held, "task.stale_fence").next(format!("git orch show {id}"))
            }
            Refusal::WrongState { id, .. } => {
                base(Exit::Refused, "task.state").next(format!("git orch show {id}"))
            }
        }
    }
}

impl From<IdError> for CommandError {
    fn from(error: IdError) -> Self {
        Self::from_error(Exit::Usage, &error).rule("id.malformed").next("git orch list")
    }
}

impl From<TitleError> for CommandError {
    fn from(error: TitleError) -> Self {
        Self::from_error(Exit::Usage, &error).rule("task.title").next("git orch help add")
    }
}

impl From<IntakeError> for CommandError {
    fn from(error: IntakeError) -> Self {
        Self::from_error(Exit::Usage, &error).rule("add.input").next("git orch help add")
    }
}

impl From<EditTextError> for CommandError {
    fn from(error: EditTextError) -> Self {
        Self::from_error(Exit::Usage, &error)
            .rule("edit.text")
            .next("git orch edit TASK --title TITLE --body TEXT")
    }
}

impl From<FsError> for CommandError {
    fn from(error: FsError) -> Self {
        Self::from_error(Exit::Environment, &error)
    }
}

impl From<ProcessError> for CommandError {
    fn from(error: ProcessError) -> Self {
        Self::from_error(Exit::Environment, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::TaskId;
    use crate::domain::time::Timestamp;
    use crate::report::words::harmless;

    #[test]
    fn a_refusal_names_rule_fact_and_way_out() {
        let held = Refusal::Held {
            id: TaskId::from_bits(7),
            owner: "person:ann".into(),
            until: Timestamp::from_millis(0),
        };
        let error = CommandError::from(held);
        assert_eq!(error.exit().code(), 6);
        insta::assert_snapshot!(harmless(&error.render()), @r"
        error: task 00000007 is held by person:ann until 1970-01-01T00:00:00.000Z
        rule: task.held
        next: git orch next
              git orch show 00000007
        ");
        insta::assert_snapshot!(serde_json::to_string(&error.view()).unwrap(), @r#"{"error":{"code":6,"rule":"task.held","fact":"task 00000007 is held by person:ann until 1970-01-01T00:00:00.000Z","next":["git orch next","git orch show 00000007"]}}"#);
    }

    #[test]
    fn no_error_hides_its_cause() {
        let error = crate::sys::fs::read(std::path::Path::new("/no/such")).expect_err("absent");
        let error = CommandError::from(error).detail("  a detail").next("one").next("two");
        insta::assert_snapshot!(harmless(&error.render()), @r"
        error: cannot read /no/such
        caused by: No such file or directory (os error 2)
          a detail
        next: one
              two
        ");
        insta::assert_snapshot!(serde_json::to_string(&error.view()).unwrap(), @r#"{"error":{"code":8,"rule":null,"fact":"cannot read /no/such: No such file or directory (os error 2)","next":["one","two"]}}"#);
    }

    #[test]
    fn every_line_of_a_long_fact_hangs_below_the_first() {
        let error =
            CommandError::from(crate::view::read_tasks("{\n{\"titel\":1}").expect_err("two problems"));
        insta::assert_snapshot!(harmless(&error.render()), @r"
        error: line 1: column 1: EOF while parsing an object; write each object on one line
               line 2: column 8: unknown field `titel`; did you mean `title`?
        rule: add.input
        next: git orch help add
        ");
    }
}
