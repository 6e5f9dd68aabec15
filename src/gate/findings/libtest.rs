//! What `cargo test` prints.
//!
//! Every suite says how many tests it runs and ends with its result; a suite without one broke off, unless cargo says how its
//! process ended. Names come from the list before the result, which is there whatever else is printed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::findings::report::{ReportError, Tests};
use crate::gate::text::{plain, regex};

static RUNNING: LazyLock<Regex> = LazyLock::new(|| regex(r"^running \d+ tests?$"));
static RESULT: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; (\d+) measured; ")
});
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^test (.+?)(?: - should panic)? \.\.\. (?:ok|FAILED|ignored|bench:)(?:[ ,].*)?$")
});
static OUTPUT: LazyLock<Regex> = LazyLock::new(|| regex(r"^---- (.+) stdout ----$"));
static PANIC: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^thread '.*' (?:\(\d+\) )?panicked at (.+):(\d+):(\d+):$"));
static ENDED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^\s*process didn't exit successfully: `(?:\S*/)?([^/`\s]+?)(?:-[0-9a-f]{16})?(?:`|\s.*`) \((.+)\)$",
    )
});
static NOT_COMPILED: LazyLock<Regex> = LazyLock::new(|| regex(r"^error: (could not compile `[^`]+`)"));
/// A test of documentation is named by its file and line.
static DOCUMENTED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?P<file>\S.*?) - (?P<name>.*?) ?\(line (?P<line>\d+)\)(?P<rest>.*)$"));

/// The suite that is being read.
#[derive(Default)]
struct Suite {
    /// What failed tests printed, in order.
    outputs: Vec<(String, Vec<String>)>,
    /// The names below the last `failures:`.
    names: Vec<String>,
    listing: bool,
}

/// Reads it for the format of that name.
pub(super) fn read(text: &str, format: &'static str) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    if add(text, format, &mut gathered)? { Ok(gathered) } else { Err(ReportError::Missing { format }) }
}

/// Adds what the text says, and says whether it says anything.
pub(super) fn add(text: &str, format: &'static str, gathered: &mut Gathered) -> Result<bool, ReportError> {
    let (mut started, mut ended, mut stopped, mut refused) = (0_u64, 0_u64, 0_u64, BTreeSet::new());
    let mut suite = Suite::default();
    for line in text.lines().map(plain) {
        if suite.in_output() {
            suite.line(line);
        } else if let Some(found) = NAMED.captures(&line) {
            gathered.name(&found[1]);
        } else if RUNNING.is_match(&line) {
            started += 1;
            suite = Suite::default();
        } else if let Some(found) = RESULT.captures(&line) {
            ended += 1;
            let numbers = found.extract::<4>().1.map(|n| n.parse::<u64>().unwrap_or(u64::MAX));
            suite.end(numbers, format, gathered)?;
            suite = Suite::default();
        } else if let Some(found) = ENDED.captures(&line) {
            stopped += 1;
            gathered.add(Problem::new(&found[1], format!("the process ended: {}", &found[2])));
        } else if let Some(found) = NOT_COMPILED.captures(&line) {
            // How many of its targets are tried is a matter of time.
            if refused.insert(found[1].to_owned()) {
                gathered.add(Problem::new("compile", &found[1]));
            }
        } else {
            suite.line(line);
        }
    }
    // A process that ended may have done so before its suite started.
    if started > ended.saturating_add(stopped) {
        return Err(ReportError::BrokenOff { format });
    }
    Ok(ended > 0 || stopped > 0 || !refused.is_empty())
}

impl Suite {
    /// Whether the lines are what a failed test printed: whatever they look like, they are of no suite.
    fn in_output(&self) -> bool {
        !self.outputs.is_empty() && !self.listing
    }

    fn line(&mut self, line: String) {
        if line == "failures:" {
            (self.listing, self.names) = (true, Vec::new());
        } else if let Some(found) = OUTPUT.captures(&line) {
            self.listing = false;
            self.outputs.push((found[1].to_owned(), Vec::new()));
        } else if self.listing
            && let Some(name) = line.strip_prefix("    ").filter(|name| !name.starts_with(' '))
        {
            self.names.push(name.to_owned());
        } else if let Some((_, lines)) = self.outputs.last_mut() {
            lines.push(line);
        }
    }

    /// What the suite's result adds: passed, failed, ignored, measured.
    fn end(
        self,
        numbers: [u64; 4],
        format: &'static str,
        gathered: &mut Gathered,
    ) -> Result<(), ReportError> {
        let [passed, failed, ignored, measured] = numbers;
        let ran = passed.saturating_add(failed).saturating_add(measured);
        gathered.ran(Tests { ran, failed, skipped: ignored });
        let named = self.names.len() as u64;
        if named < failed {
            return Err(ReportError::Unnamed { format, said: failed, named });
        }
        for name in self.names {
            let output = self.outputs.iter().find(|(test, _)| *test == name);
            gathered.add(problem(&name, output.map_or(&[], |(_, lines)| lines)));
        }
        Ok(())
    }
}

fn problem(name: &str, output: &[String]) -> Problem {
    let panic = output.iter().position(|line| PANIC.is_match(line));
    let message = panic.map_or(0, |at| at + 1);
    let lines = output[message.min(output.len())..].iter().map(String::as_str);
    let of_test = lines
        .skip_while(|l| l.is_empty())
        .take_while(|l| !l.is_empty() && *l != "stack backtrace:" && !l.starts_with("note: run with"));
    let message = of_test.collect::<Vec<_>>().join("\n");
    if let Some(found) = DOCUMENTED.captures(name) {
        let identity = format!("{}{}", &found["name"], &found["rest"]);
        let place = Place::parse(&found["line"], None);
        let problem = Problem::test(identity.trim(), message).at(&found["file"], place);
        return Problem { rule: name.to_owned(), ..problem };
    }
    let problem = Problem::test(name, message);
    match panic.and_then(|at| PANIC.captures(&output[at])) {
        Some(found) => {
            let place = Place::parse(&found[2], Column::parse(Column::Chars, &found[3]));
            problem.at(&found[1], place)
        }
        None => problem,
    }
}
