//! What `pytest` prints: the short summary and the last line.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::gate::findings::problem::{Gathered, Problem};
use crate::gate::findings::report::{ReportError, Tests};
use crate::gate::text::{plain, regex};

const FORMAT: &str = "pytest";

static SUMMARY: LazyLock<Regex> = LazyLock::new(|| regex(r"^=+ short test summary info =+$"));
static FAILED: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?P<how>FAILED|ERROR) (?P<what>\S.*)$"));
static LAST: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:=+ )?(?P<counts>no tests ran|\d+ (?:passed|failed|skipped|deselected|xfailed|xpassed|errors?|warnings?|rerun)\b.*) in \d+(?:\.\d+)?s(?: \(\d.*\))?(?: =+)?$",
    )
});
static STOPPED: LazyLock<Regex> = LazyLock::new(|| regex(r"^!+ (?:Interrupted|stopping after)\b.* !+$"));
static COLLECTING: LazyLock<Regex> = LazyLock::new(|| regex(r"^_+ ERROR collecting (\S+) _+$"));
static RAISED: LazyLock<Regex> = LazyLock::new(|| regex(r"^E   +(\S.*)$"));
static COUNT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(\d+) (passed|failed|skipped|xfailed|xpassed|error)"));

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    // What was raised while files were collected: the summary does not repeat it.
    let mut raised: BTreeMap<String, String> = BTreeMap::new();
    let mut collecting = None;
    // Elsewhere the same words are what tests printed.
    let mut summary = false;
    for line in text.lines().map(plain) {
        if let Some(found) = COLLECTING.captures(&line) {
            collecting = Some(found[1].to_owned());
        } else if let Some(found) = RAISED.captures(&line) {
            raised.extend(collecting.take().map(|file| (file, found[1].to_owned())));
        } else if SUMMARY.is_match(&line) {
            summary = true;
        } else if STOPPED.is_match(&line) {
            gathered.partial = true;
        } else if let Some(found) = LAST.captures(&line) {
            summary = false;
            gathered.ran(tests(&found["counts"]));
        } else if summary
            && let Some(found) = FAILED.captures(&line)
            && let Some(problem) = problem(&found["what"], &found["how"], &raised)
        {
            gathered.add(problem);
        }
    }
    let Some(tests) = gathered.tests else { return Err(ReportError::Missing { format: FORMAT }) };
    match gathered.count() < tests.failed {
        true => Err(ReportError::Unnamed { format: FORMAT, said: tests.failed, named: gathered.count() }),
        false => Ok(gathered),
    }
}

/// An error is a test that could not be set up, or a file that could not be collected.
fn tests(counts: &str) -> Tests {
    let mut tests = Tests::default();
    for found in COUNT.captures_iter(counts) {
        let n: u64 = found[1].parse().unwrap_or(u64::MAX);
        let ran = Tests { ran: n, ..Tests::default() };
        tests = tests.and(match &found[2] {
            "failed" | "error" => Tests { failed: n, ..ran },
            "skipped" => Tests { skipped: n, ..Tests::default() },
            _ => ran,
        });
    }
    tests
}

/// `tests/test_a.py::TestX::test_y[a] - message`; None if there is no file in it.
fn problem(what: &str, how: &str, raised: &BTreeMap<String, String>) -> Option<Problem> {
    let (id, message) = split(what);
    let (path, name) = match id.split_once("::") {
        Some((path, name)) => (path, Some(name)),
        None => (id, None),
    };
    let python = std::path::Path::new(path);
    if name.is_none() && (how == "FAILED" || python.extension().is_none()) {
        return None;
    }
    let problem = match name {
        Some(name) => Problem::test(name, message),
        None if message.is_empty() => Problem::new("collection", raised.get(path).map_or("", String::as_str)),
        None => Problem::new("collection", message),
    };
    Some(problem.at(path, None))
}

/// The test and the message. Parameters, in brackets, may have in them what stands between both.
fn split(what: &str) -> (&str, &str) {
    let plain = what.split_once(" - ");
    let bracket = what.find('[').filter(|at| plain.is_none_or(|(id, _)| *at < id.len()));
    match (bracket.and_then(|_| what.split_once("] - ")), plain) {
        (Some((id, message)), _) => (&what[..=id.len()], message),
        (None, Some(parts)) if bracket.is_none() => parts,
        (None, _) => (what, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_ends_where_its_message_starts() {
        for (what, expected) in [
            ("a.py::t - assert 1", ("a.py::t", "assert 1")),
            ("a.py::t[a - b] - assert 1", ("a.py::t[a - b]", "assert 1")),
            ("a.py::t[a - b]", ("a.py::t[a - b]", "")),
            ("a.py::t - assert [1] - [2]", ("a.py::t", "assert [1] - [2]")),
            ("a.py", ("a.py", "")),
        ] {
            assert_eq!(split(what), expected);
        }
    }
}
