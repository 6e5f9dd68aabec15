//! JUnit's XML, which most test runners can write.

use crate::gate::findings::problem::{Gathered, Place, Problem};
use crate::gate::findings::report::{ReportError, Tests};
use crate::gate::findings::xml::{Step, Tag, walk};

/// How much of a failure's text is looked at.
const TEXT: usize = 4_096;

#[derive(Default)]
struct Case {
    name: String,
    class: String,
    file: Option<String>,
    line: Option<i64>,
    failure: Option<Failure>,
    skipped: bool,
}

#[derive(Default)]
struct Failure {
    message: Option<String>,
    text: String,
    sort: Option<String>,
}

#[derive(Default)]
struct Walker {
    gathered: Gathered,
    /// The names of the suites around, each with its file.
    suites: Vec<(String, Option<String>)>,
    case: Option<Case>,
    /// The failure that is being read.
    failure: Option<Failure>,
}

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut walker = Walker::default();
    walker.gathered.ran(Tests::default());
    walk(text, &["testsuites", "testsuite"], "junit", &mut |step| match step {
        Step::Open(tag) => walker.open(tag),
        Step::Close(name) => walker.close(name),
        Step::Text(text) => {
            if let Some(failure) = &mut walker.failure
                && failure.text.len() < TEXT
            {
                failure.text.push_str(text);
            }
        }
    })?;
    Ok(walker.gathered)
}

impl Walker {
    fn open(&mut self, tag: &Tag) {
        let text = |name: &str| tag.get(name).unwrap_or_default().to_owned();
        match tag.name.as_str() {
            "testsuite" => self.suites.push((text("name"), tag.get("file").map(str::to_owned))),
            "testcase" => {
                let not_run = |status: &str| ["notrun", "disabled", "ignored", "skipped"].contains(&status);
                self.case = Some(Case {
                    name: text("name"),
                    class: text("classname"),
                    file: tag.get("file").map(str::to_owned),
                    line: tag.number("line").and_then(|line| i64::try_from(line).ok()),
                    failure: None,
                    skipped: tag.get("status").is_some_and(not_run),
                });
            }
            "failure" | "error" => {
                let [message, sort] =
                    [tag.get("message"), tag.get("type")].map(|text| text.map(str::to_owned));
                self.failure = Some(Failure { message, text: String::new(), sort });
            }
            "skipped" => {
                if let Some(case) = &mut self.case {
                    case.skipped = true;
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "testsuite" => drop(self.suites.pop()),
            "failure" | "error" => match (self.failure.take(), &mut self.case) {
                (Some(failure), Some(case)) => drop(case.failure.get_or_insert(failure)),
                (Some(failure), None) => self.gathered.add(Problem::new("suite", failure.said())),
                (None, _) => {}
            },
            "testcase" => {
                if let Some(case) = self.case.take() {
                    self.end(case);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, mut case: Case) {
        let title = case.title();
        if let Some(title) = &title {
            self.gathered.name(title);
        }
        let Some(failure) = case.failure.take() else {
            let skipped = u64::from(case.skipped);
            self.gathered.ran(Tests { ran: 1 - skipped, failed: 0, skipped });
            return;
        };
        self.gathered.ran(Tests { ran: 1, failed: 1, skipped: 0 });
        let suite = self.suites.last().cloned().unwrap_or_default();
        let problem = match title {
            Some(title) => Problem::test(title, failure.said()),
            None => Problem::new("suite", failure.said()),
        };
        let guesses = [case.class, suite.0].into_iter().filter(|text| in_path(text));
        let paths = case.file.into_iter().chain(suite.1).chain(guesses).collect();
        let place = Place::new(case.line, None, None);
        self.gathered.add(Problem { paths, place, ..problem });
    }
}

fn in_path(text: &str) -> bool {
    text.contains(['/', '\\'])
}

impl Case {
    /// The test's name with its class; None for a file that could not be loaded.
    fn title(&self) -> Option<String> {
        match self.class.as_str() {
            class if in_path(&self.name) && self.name == class => None,
            class if class.is_empty() || in_path(class) || class == self.name => Some(self.name.clone()),
            class => Some(format!("{class}::{}", self.name)),
        }
    }
}

impl Failure {
    fn said(self) -> String {
        let text = Some(self.text).filter(|text| !text.trim().is_empty());
        self.message.or(text).or(self.sort).unwrap_or_default()
    }
}
