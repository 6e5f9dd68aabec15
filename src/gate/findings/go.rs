//! `go test -json`, and what `go vet`, `go build` and `go test` print.
//!
//! Of tests that are printed only failures can be seen, so only events count tests. `go vet` prints nothing where it finds
//! nothing, so an empty text is a report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use crate::gate::findings::json;
use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::findings::report::{ReportError, Tests};
use crate::gate::text::{plain, regex};

const FORMAT: &str = "go";
/// How much of what a test prints is looked at.
const OUTPUT: usize = 4_096;
/// How many places are tried for a file of a package.
const GUESSES: usize = 8;

static DIAGNOSTIC: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^(?:vet: )?(?P<file>\S[^:]*\.go):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<message>.+)$")
});
static LOGGED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^\s+(?P<file>[^\s:/]+\.go):(?P<line>\d+): (?P<message>.*)$"));
static FAILED: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*--- FAIL: (\S+) \("));
static PACKAGE: LazyLock<Regex> = LazyLock::new(|| regex(r"^(ok|FAIL|\?) *\t(\S+)(?:\s+(.*))?$"));
/// The command itself could not do it.
static COMMAND: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^go: (?:downloading|finding|extracting|added|upgraded)?"));

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    import_path: String,
    test: Option<String>,
    #[serde(default)]
    output: String,
    failed_build: Option<String>,
    /// `frame`: not the test's own.
    #[serde(default)]
    output_type: String,
}

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut events = Events::default();
    for event in json::lines::<Event>(text, &["{\"Time\":", "{\"Action\":", "{\"ImportPath\":"], FORMAT)? {
        events.seen = true;
        events.take(event);
    }
    if !events.open.is_empty() {
        return Err(ReportError::BrokenOff { format: FORMAT });
    }
    let mut printed = Printed { gathered: events.gathered, ..Printed::default() };
    let lines: Vec<String> = text.lines().filter(|line| !line.starts_with('{')).map(plain).collect();
    for line in &lines {
        printed.line(line);
    }
    printed.end_test();
    // The command failed before it looked at any package.
    match printed.stopped && !events.seen && printed.packages == 0 && printed.gathered.count() == 0 {
        true => Err(ReportError::Missing { format: FORMAT }),
        false => Ok(printed.gathered),
    }
}

/// Whether an event's output is the runner's, which older versions of Go do not say.
fn frames(event: &Event) -> bool {
    let output = event.output.trim_start();
    event.output_type == "frame" || output.starts_with("=== ") || output.starts_with("--- ")
}

/// What a compiler or vet says in a line.
fn diagnostic(line: &str) -> Option<Problem> {
    let found = DIAGNOSTIC.captures(line)?;
    let column = found.name("column").and_then(|digits| Column::parse(Column::Bytes, digits.as_str()));
    Some(Problem::new("go", &found["message"]).at(&found["file"], Place::parse(&found["line"], column)))
}

/// A failed test, from what it printed. Its files are named without their directory.
fn test(name: &str, output: &str, package: &str) -> Problem {
    let logged = output.lines().find_map(|line| LOGGED.captures(line));
    let Some(found) = logged else {
        let message = output.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        return Problem::test(name, message);
    };
    let file = &found["file"];
    // The package's path is the module's, of unknown length, and the directory's.
    let parts: Vec<&str> = package.split('/').collect();
    let from = parts.len().saturating_sub(GUESSES);
    let directories = (from..=parts.len()).map(|start| parts[start..].join("/"));
    let paths = directories.map(|directory| format!("{directory}/{file}").trim_start_matches('/').to_owned());
    let place = Place::parse(&found["line"], None);
    Problem { paths: paths.collect(), place, ..Problem::test(name, &found["message"]) }
}

/// Events of `go test -json`.
#[derive(Default)]
struct Events {
    gathered: Gathered,
    seen: bool,
    /// Packages that have started and not ended.
    open: BTreeSet<String>,
    /// What tests printed, and packages outside of tests.
    outputs: BTreeMap<(String, Option<String>), String>,
    /// Packages with a failed test.
    failed: BTreeSet<String>,
    /// Packages of which the compiler said something.
    refused: BTreeSet<String>,
}

impl Events {
    fn take(&mut self, event: Event) {
        if !event.package.is_empty() {
            self.open.insert(event.package.clone());
        }
        match event.action.as_str() {
            "build-output" => {
                if let Some(problem) = diagnostic(event.output.trim_end()) {
                    self.refused.insert(event.import_path);
                    self.gathered.add(problem);
                }
            }
            "output" if !frames(&event) => {
                let output = self.outputs.entry((event.package, event.test)).or_default();
                if output.len() < OUTPUT {
                    output.push_str(&event.output);
                }
            }
            "pass" | "fail" | "skip" => self.end(event),
            _ => {}
        }
    }

    fn end(&mut self, event: Event) {
        let key = (event.package, event.test);
        let output = self.outputs.remove(&key).unwrap_or_default();
        let (package, failed) = (key.0, event.action == "fail");
        if let Some(name) = key.1 {
            let skipped = u64::from(event.action == "skip");
            self.gathered.name(&name);
            self.gathered.ran(Tests { ran: 1 - skipped, failed: u64::from(failed), skipped });
            if failed {
                self.gathered.add(test(&name, &output, &package));
                self.failed.insert(package);
            }
            return;
        }
        self.open.remove(&package);
        self.gathered.ran(Tests::default());
        let explained = match event.failed_build {
            Some(build) => self.refused.contains(&build),
            None => self.failed.contains(&package),
        };
        if failed && !explained {
            self.gathered.add(Problem::test(package, output));
        }
    }
}

/// What is printed as text.
#[derive(Default)]
struct Printed {
    gathered: Gathered,
    /// The failed test that is being read, and what it printed.
    test: Option<(String, String)>,
    /// Whether a test of the present package failed.
    failed: bool,
    /// Whether a compiler or vet said something.
    refused: bool,
    /// How many packages were named.
    packages: u64,
    /// Whether the command itself failed.
    stopped: bool,
}

impl Printed {
    fn line(&mut self, line: &str) {
        if let Some(found) = FAILED.captures(line) {
            self.end_test();
            self.test = Some((found[1].to_owned(), String::new()));
        } else if let Some(problem) = diagnostic(line) {
            self.refused = true;
            self.gathered.add(problem);
        } else if let Some(found) = PACKAGE.captures(line) {
            self.end_test();
            self.packages += 1;
            let reason = found.get(3).map_or("", |m| m.as_str());
            // Compilers speak before every package.
            let explained = self.failed || (self.refused && reason == "[build failed]");
            if &found[1] == "FAIL" && !explained {
                self.gathered.add(Problem::test(&found[2], reason));
            }
            self.failed = false;
        } else if let Some((_, output)) = self.test.as_mut().filter(|(_, output)| output.len() < OUTPUT) {
            output.push_str(line);
            output.push('\n');
        } else {
            self.stopped |= COMMAND.captures(line).is_some_and(|found| found[0].len() == "go: ".len());
        }
    }

    fn end_test(&mut self) {
        if let Some((name, output)) = self.test.take() {
            self.failed = true;
            self.gathered.add(test(&name, &output, ""));
        }
    }
}
