//! Problems in the words of tools, as findings of a checkout: paths, columns, bounds, fingerprints.

use crate::domain::finding::{Finding, Span};
use crate::gate::findings::fingerprint::{About, CONTENT, fingerprint};
use crate::gate::findings::place::relative;
use crate::gate::findings::problem::{Column, Gathered, NAMES, Problem, Sort};
use crate::gate::findings::report::Report;
use crate::gate::findings::source::{Source, Sources};
use crate::gate::text::plain;

/// The most bytes of a rule that are kept.
const RULE: usize = 300;

/// The report of what was gathered from the checkout at `root`, by a format of the family.
pub(super) fn settle(gathered: &Gathered, family: &str, root: &str, sources: &dyn Sources) -> Report {
    let mut files = Files { root, sources, last: None };
    let Gathered { truncated, tests, coverage, partial, .. } = *gathered;
    let findings = gathered.problems.iter().map(|problem| finding(problem, family, &mut files)).collect();
    // Tests of the same name are as many tests.
    let all = tests.is_some_and(|tests| gathered.named >= tests.ran.saturating_add(tests.skipped));
    let names = (all && gathered.names.len() < NAMES)
        .then(|| gathered.names.iter().map(|name| cut(one_line(name), RULE)).collect());
    Report { findings, truncated, tests, coverage, partial, names }
}

fn finding(problem: &Problem, family: &str, files: &mut Files<'_>) -> Finding {
    let path = files.choose(&problem.paths);
    let rule = one_line(&problem.rule);
    let message = files.without_root(&one_line(&problem.message));
    let source =
        path.as_deref().zip(problem.place).and_then(|(path, place)| Some((files.open(path)?, place)));
    let content = source.map_or_else(String::new, |(source, place)| source.from(place, CONTENT));
    let about = match &problem.sort {
        Sort::Test(name) => About::Test { name },
        Sort::Code if content.is_empty() => About::Message { rule: &rule, message: &message },
        Sort::Code => About::Code { rule: &rule, content: &content, message: &message },
    };
    let fingerprint = fingerprint(family, &about);
    let span = path.as_ref().and(problem.place).map(|place| Span {
        line: place.line,
        column: match (source, place.column) {
            (Some((source, _)), Some(_)) => source.column(place),
            (_, column) => column.map(Column::number),
        },
        end_line: place.end_line.unwrap_or(place.line).max(place.line),
    });
    Finding {
        rule: cut(rule, RULE),
        path,
        span,
        message: cut(message, Finding::MESSAGE),
        severity: problem.severity,
        fingerprint,
    }
}

/// All lines as one, without escapes.
fn one_line(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(plain).collect();
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
    words.join(" ")
}

/// At most `limit` bytes of whole characters.
fn cut(mut text: String, limit: usize) -> String {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// The files of the checkout; the last one stays open, because tools report file by file.
struct Files<'a> {
    root: &'a str,
    sources: &'a dyn Sources,
    last: Option<(String, Option<Source>)>,
}

impl Files<'_> {
    /// Which of the paths it is: the first that is there, or else the first.
    fn choose(&mut self, paths: &[String]) -> Option<String> {
        let below = self.sources.dir();
        let from = |path: &String| match below {
            // What is named from where the tool ran; some name it from the root all the same.
            Some(dir) => [relative(&format!("{dir}/{path}"), self.root), relative(path, self.root)],
            None => [relative(path, self.root), None],
        };
        let mut paths: Vec<String> = paths.iter().flat_map(from).flatten().collect();
        if paths.len() > 1
            && let Some(at) = paths.iter().position(|path| self.open(path).is_some())
        {
            return Some(paths.swap_remove(at));
        }
        paths.into_iter().next()
    }

    fn open(&mut self, path: &str) -> Option<&Source> {
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            self.last = Some((path.to_owned(), self.sources.text(path).map(Source::new)));
        }
        self.last.as_ref().and_then(|(_, source)| source.as_ref())
    }

    /// The message with paths from the root: the checkout of the base is elsewhere.
    fn without_root(&self, message: &str) -> String {
        match self.root.trim_end_matches('/') {
            "" => message.to_owned(),
            root => message.replace(&format!("{root}/"), ""),
        }
    }
}
