//! How many tests ran, read from the summary lines of well-known test runners.
//!
//! A lower bound for `go test` without `-v`, which names packages only. Reports have readers of their own
//! (`gate::findings`); these lines are what runners print whatever the report.

use std::sync::LazyLock;

use regex::Regex;

use crate::gate::text::regex;

/// A runner's summary: `line` recognises it, and every match of `number` in it adds its first group.
struct Summary {
    line: Regex,
    number: Regex,
}

static SUMMARIES: LazyLock<Vec<Summary>> = LazyLock::new(|| {
    [
        // Rust: libtest, nextest.
        (r"^test result: (?:ok|FAILED)\. ", r"(\d+) (?:passed|failed|measured)"),
        (r"^\s*Summary \[", r"(\d+)(?:/\d+)? tests? run"),
        // Python: pytest, unittest.
        (
            r"^(?:=+ )?(?:no tests ran|\d+ (?:passed|failed|skipped|deselected|xfailed|xpassed|errors?|warnings?)\b.*) in \d+(?:\.\d+)?s",
            r"(\d+) (?:passed|failed|xfailed|xpassed|errors?)",
        ),
        (r"^Ran \d+ tests? in ", r"^Ran (\d+)"),
        // JavaScript: jest, vitest, node:test, mocha.
        (r"^Tests:\s.*\d+ total", r"(\d+) (?:failed|passed)"),
        (r"^\s*Tests\s+(?:\d+ (?:failed|passed|skipped|todo)|no tests)", r"(\d+) (?:failed|passed)"),
        (r"^(?:#|ℹ) (?:pass|fail) \d+$", r"(\d+)$"),
        (r"^\s+\d+ (?:passing|failing)\b", r"(\d+) (?:passing|failing)"),
    ]
    .into_iter()
    .map(|(line, number)| Summary { line: regex(line), number: regex(number) })
    .collect()
});

static GO_TEST: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*--- (?:PASS|FAIL): "));
static GO_PACKAGE: LazyLock<Regex> = LazyLock::new(|| regex(r"^(ok|\?)\s+\S+\s+(.*)$"));
static NONE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:=+ )?no tests ran in |^No tests found, exiting with code|^No test files found, exiting with code",
    )
});
/// What monorepo runners put before each line: `web:test: `, `packages/web test: `.
static PREFIX: LazyLock<Regex> = LazyLock::new(|| regex(r"^@?[\w./-]+(?::| )[\w:-]+: "));

/// Counts while lines pass by.
#[derive(Debug, Default)]
pub(super) struct Counter {
    executed: Option<u64>,
    go_tests: u64,
    go_packages: Option<u64>,
    none_found: bool,
}

impl Counter {
    /// Takes a line without terminal escapes.
    pub(super) fn line(&mut self, line: &str) {
        if !self.take(line)
            && let Some(prefix) = PREFIX.find(line)
        {
            self.take(&line[prefix.end()..]);
        }
    }

    /// The number of executed tests, if a runner said it.
    pub(super) fn executed(&self) -> Option<u64> {
        let go = self.go_packages.map(|packages| packages.max(self.go_tests));
        match (self.executed, go) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        }
    }

    /// Whether a runner failed because there was nothing to run.
    pub(super) fn found_none(&self) -> bool {
        self.none_found && self.executed().unwrap_or(0) == 0
    }

    fn take(&mut self, line: &str) -> bool {
        if NONE.is_match(line) {
            self.none_found = true;
            self.executed.get_or_insert(0);
            return true;
        }
        if let Some(summary) = SUMMARIES.iter().find(|s| s.line.is_match(line)) {
            let numbers = summary.number.captures_iter(line).filter_map(|c| c[1].parse::<u64>().ok());
            let sum = numbers.fold(0, u64::saturating_add);
            self.executed = Some(self.executed.unwrap_or(0).saturating_add(sum));
            return true;
        }
        if GO_TEST.is_match(line) {
            self.go_tests += 1;
            return true;
        }
        let Some(package) = GO_PACKAGE.captures(line) else { return false };
        let rest = &package[2];
        let ran = &package[1] == "ok" && !rest.contains("[no tests to run]");
        let is_go =
            rest.starts_with('(') || rest.starts_with('[') || rest.starts_with(|c: char| c.is_ascii_digit());
        if is_go {
            self.go_packages = Some(self.go_packages.unwrap_or(0) + u64::from(ran));
        }
        is_go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Option<u64> {
        let mut counter = Counter::default();
        text.lines().for_each(|line| counter.line(line));
        counter.executed()
    }

    #[test]
    fn what_runners_print() {
        for (expected, text) in [
            (None, ""),
            (None, "make: Nothing to be done for 'test'.\nchecked 5 files in 0.2s\nok then"),
            (
                Some(7),
                "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\
                 test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
            ),
            (Some(0), "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"),
            (Some(3), "     Summary [   0.120s] 3 tests run: 3 passed, 2 skipped"),
            (Some(3), "     Summary [   0.120s] 3/5 tests run: 2 passed, 1 failed, 0 skipped"),
            (Some(5), "=========== 2 failed, 3 passed, 4 skipped, 1 warning in 0.12s ==========="),
            (Some(3), "3 passed in 61.01s (0:01:01)"),
            (Some(0), "============ no tests ran in 0.01s ============"),
            (Some(0), "2 skipped in 0.01s"),
            (Some(4), "Ran 4 tests in 0.001s"),
            (Some(12), "Tests:       2 failed, 1 skipped, 10 passed, 13 total"),
            (Some(0), "No tests found, exiting with code 1"),
            (Some(6), "      Tests  1 failed | 5 passed | 2 skipped (8)"),
            (Some(0), "No test files found, exiting with code 1"),
            (Some(5), "# tests 6\n# pass 4\n# fail 1\n# skipped 1"),
            (Some(5), "ℹ tests 5\nℹ pass 5\nℹ fail 0"),
            (Some(4), "  3 passing (12ms)\n  1 failing"),
            (
                Some(2),
                "ok  \texample.com/a\t0.003s\nok  \texample.com/b\t(cached)\n?   \texample.com/c\t[no test files]",
            ),
            (Some(0), "ok  \texample.com/a\t0.003s [no tests to run]\n?   \texample.com/c\t[no test files]"),
            (
                Some(3),
                "--- PASS: TestA (0.00s)\n    --- PASS: TestA/x (0.00s)\n--- FAIL: TestB\nok  \tm\t0.1s",
            ),
            (Some(3), "web:test: Tests:       3 passed, 3 total"),
            (Some(2), "packages/web test:       Tests  2 passed (2)"),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_found_is_only_said_when_nothing_ran() {
        let mut counter = Counter::default();
        counter.line("no tests ran in 0.01s");
        assert!(counter.found_none());
        counter.line("3 passed in 0.01s");
        assert!(!counter.found_none());
    }
}
