//! The one rule of what a command's end means: PASS, FAIL (the tree is at fault) or BLOCKED (it could not be
//! judged). Pure.

use std::io::ErrorKind;
use std::sync::LazyLock;

use regex::Regex;

use crate::config::{Period, Run};
use crate::domain::verdict::Word;
use crate::gate::text::regex;
use crate::sys::process::{End, Ended, ProcessError};
use crate::sys::sandbox;

/// What a command's end means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) word: Word,
    /// Why, when it is not PASS.
    pub(super) reason: Option<String>,
    /// The exit status, if it ran to an end.
    pub(super) exit: Option<i32>,
}

impl Judgement {
    pub(super) fn blocked(reason: String, exit: Option<i32>) -> Self {
        Self { word: Word::Blocked, reason: Some(reason), exit }
    }

    /// Adds to the reason.
    pub(super) fn note(&mut self, note: String) {
        self.reason = Some(match self.reason.take() {
            Some(reason) => format!("{reason}; {note}"),
            None => note,
        });
    }
}

/// A command that has ended, as far as judging it needs.
pub(super) struct Facts<'a> {
    pub(super) run: &'a Run,
    /// How it ended.
    pub(super) end: &'a Result<Ended, ProcessError>,
    /// How many lines it printed.
    pub(super) lines: u64,
    /// Its limits, for the words.
    pub(super) wall: Period,
}

/// A tool that says it isn't there says so at once; a long output with such a line in it is something else.
const MISSING_TOOL_LINES: u64 = 20;

pub(super) fn judge(facts: &Facts<'_>) -> Judgement {
    let ended = match facts.end {
        Ok(ended) => ended,
        Err(error) => return Judgement::blocked(spawn_reason(facts.run, error), None),
    };
    match ended.end {
        End::Exit(0) => Judgement { word: Word::Pass, reason: None, exit: Some(0) },
        End::Exit(code @ (126 | 127)) => {
            Judgement::blocked(no_program(facts.run, code, &ended.tail), Some(code))
        }
        End::Exit(code) if code == sandbox::STATUS && unbuilt(&ended.tail).is_some() => {
            let why = unbuilt(&ended.tail).unwrap_or_default();
            Judgement::blocked(format!("the sandbox could not be built: {why}"), Some(code))
        }
        End::Exit(code) => {
            if let Some(signal) = shell_signal(facts.run, code) {
                return Judgement::blocked(killed_by(signal), Some(code));
            }
            match missing_tool(&ended.tail).filter(|_| facts.lines <= MISSING_TOOL_LINES) {
                Some(tool) => Judgement::blocked(format!("{tool}: not installed"), Some(code)),
                None if is_disk_full(&ended.tail) => {
                    Judgement::blocked("the disk is full".to_owned(), Some(code))
                }
                None => {
                    Judgement { word: Word::Fail, reason: Some(format!("exit {code}")), exit: Some(code) }
                }
            }
        }
        End::Signal(signal) => Judgement::blocked(killed_by(signal), None),
        End::WallLimit => Judgement::blocked(format!("timed out after {}", facts.wall), None),
        End::IdleLimit => Judgement::blocked("no output for too long".to_owned(), None),
        End::Interrupted => Judgement::blocked("interrupted".to_owned(), None),
    }
}

/// Why the sandbox could not be built, if that is how it ended.
fn unbuilt(tail: &str) -> Option<&str> {
    tail.lines().next_back()?.strip_prefix(sandbox::FAILED)
}

fn spawn_reason(run: &Run, error: &ProcessError) -> String {
    match error {
        ProcessError::Spawn { source, .. } => match source.kind() {
            ErrorKind::NotFound => format!("{}: not found", first_word(run)),
            ErrorKind::PermissionDenied => format!("{}: not executable", first_word(run)),
            _ => format!("could not be started: {source}"),
        },
        ProcessError::Failed { .. } => error.to_string(),
    }
}

fn first_word(run: &Run) -> &str {
    match run {
        // The shell itself: that a program in the line is missing shows in its exit status instead.
        Run::Shell(_) => "sh",
        Run::Argv(words) => words.first().map_or("", String::as_str),
    }
}

static NOT_FOUND: LazyLock<Regex> = LazyLock::new(|| {
    // sh: 1: foo: not found | sh: line 1: foo: command not found | env: 'foo': No such file or directory
    regex(r#"(?:^|: )['‘"]?([^\s:'’‘"]+)['’"]?: (?:not found|command not found|No such file or directory)$"#)
});
static NOT_EXECUTABLE: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?:^|: )['‘"]?([^\s:'’‘"]+)['’"]?: (?:Permission denied|cannot execute.*)$"#));

fn no_program(run: &Run, code: i32, tail: &str) -> String {
    let (pattern, what) =
        if code == 127 { (&*NOT_FOUND, "not found") } else { (&*NOT_EXECUTABLE, "not executable") };
    let named = tail.lines().rev().find_map(|line| Some(pattern.captures(line.trim_end())?[1].to_owned()));
    match (named, run) {
        (Some(program), _) => format!("{program}: {what}"),
        (None, Run::Argv(words)) => format!("{}: {what} (exit {code})", words.join(" ")),
        (None, Run::Shell(line)) => {
            format!("a program in `{}`: {what} (exit {code})", line.lines().next().unwrap_or_default())
        }
    }
}

static MISSING: LazyLock<[Regex; 8]> = LazyLock::new(|| {
    [
        regex(r"(?m)^error: '([\w-]+)' is not installed for the toolchain"),
        regex(r"(?m)^error: no such command: `([\w-]+)`"),
        regex(r"(?m)^error: toolchain '([^']+)' is not installed"),
        regex(r"(?m)^\S*python[\d.]*(?:\.exe)?: No module named '?([\w.]+)'?\s*\z"),
        // uv, poetry, pnpm, npx: the project's environment hasn't got it.
        regex(r"(?m)^error: Failed to spawn: `([^`]+)`"),
        regex(r"(?m)^Command not found: (\S+)$"),
        regex(r#"(?m)ERR_PNPM\w*\s+Command "([^"]+)" not found"#),
        regex(r#"npx canceled due to missing packages and no YES option: \["?([^@"\]]+)"#),
    ]
});

/// The tool that a launcher says isn't there, with another status than 127.
fn missing_tool(tail: &str) -> Option<String> {
    MISSING.iter().find_map(|pattern| Some(pattern.captures(tail)?[1].to_owned()))
}

static DISK_FULL: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\bNo space left on device\b|\bDisk quota exceeded\b|\bENOSPC\b"));
/// A program that can't go on says why last; what stands further up may be the text of a test.
const LAST_LINES: usize = 20;

/// Whether it ended because nothing more could be written: another machine would say something else of the tree.
fn is_disk_full(tail: &str) -> bool {
    tail.lines().rev().take(LAST_LINES).any(|line| DISK_FULL.is_match(line))
}

/// The signal that a shell reports in its status. Only those that no program uses as a status of its own.
fn shell_signal(run: &Run, code: i32) -> Option<i32> {
    let signal = code - 128;
    (matches!(run, Run::Shell(_)) && [2, 4, 6, 7, 8, 9, 11, 15].contains(&signal)).then_some(signal)
}

fn killed_by(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL (out of memory?)",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return format!("killed by signal {signal}"),
    };
    format!("killed by {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn judged(run: &Run, end: End, tail: &str) -> String {
        let end = Ok(Ended { end, tail: tail.to_owned(), took: Duration::ZERO, kept: false });
        let wall = Period::from_secs(600);
        let j = judge(&Facts { run, end: &end, lines: tail.lines().count() as u64, wall });
        format!("{} {}", j.word.as_str(), j.reason.unwrap_or_default())
    }

    fn shell() -> Run {
        Run::Shell("foo --check".into())
    }

    #[test]
    fn every_end_has_one_meaning() {
        let argv = Run::Argv(vec!["foo".into(), "x".into()]);
        let rows = [
            judged(&shell(), End::Exit(0), "error: no such command: `x`"),
            judged(&shell(), End::Exit(1), "boom"),
            judged(&shell(), End::Exit(127), "sh: 1: foo: not found"),
            judged(&shell(), End::Exit(127), "sh: line 1: foo: command not found\nnpm error code 127"),
            judged(&shell(), End::Exit(127), "/usr/bin/env: ‘node’: No such file or directory"),
            judged(&shell(), End::Exit(127), ""),
            judged(&argv, End::Exit(127), ""),
            judged(&shell(), End::Exit(126), "sh: 1: ./x.sh: Permission denied"),
            judged(&shell(), End::Exit(137), ""),
            judged(&argv, End::Exit(137), ""),
            judged(&shell(), End::Exit(129), ""),
            judged(
                &shell(),
                End::Exit(101),
                "error: failed to write x.rmeta: No space left on device (os error 28)\n",
            ),
            judged(&shell(), End::Exit(101), &format!("ENOSPC\n{}", "line\n".repeat(20))),
            judged(&shell(), End::Signal(11), ""),
            judged(&shell(), End::Signal(64), ""),
            judged(&shell(), End::WallLimit, ""),
            judged(&shell(), End::IdleLimit, ""),
            judged(&shell(), End::Interrupted, ""),
        ];
        insta::assert_snapshot!(rows.join("\n"), @r"
        PASS 
        FAIL exit 1
        BLOCKED foo: not found
        BLOCKED foo: not found
        BLOCKED node: not found
        BLOCKED a program in `foo --check`: not found (exit 127)
        BLOCKED foo x: not found (exit 127)
        BLOCKED ./x.sh: not executable
        BLOCKED killed by SIGKILL (out of memory?)
        FAIL exit 137
        FAIL exit 129
        BLOCKED the disk is full
        FAIL exit 101
        BLOCKED killed by SIGSEGV
        BLOCKED killed by signal 64
        BLOCKED timed out after 10m
        BLOCKED no output for too long
        BLOCKED interrupted
        ");
    }

    #[test]
    fn launchers_say_it_in_their_own_way() {
        let rows = [
            judged(
                &shell(),
                End::Exit(1),
                "error: 'cargo-clippy' is not installed for the toolchain '1.90'.",
            ),
            judged(&shell(), End::Exit(101), "error: no such command: `nextest`\n\nhelp: view all"),
            judged(&shell(), End::Exit(1), "/usr/bin/python3: No module named pytest\n"),
            judged(&shell(), End::Exit(2), "error: Failed to spawn: `ruff`\n  Caused by: No such file"),
            judged(&shell(), End::Exit(1), "Command not found: ruff"),
            judged(
                &shell(),
                End::Exit(254),
                " ERR_PNPM_RECURSIVE_EXEC_FIRST_FAIL  Command \"tsc\" not found",
            ),
            judged(
                &shell(),
                End::Exit(1),
                "npm error npx canceled due to missing packages and no YES option: [\"tsc@2.0.4\"]",
            ),
            judged(&shell(), End::Exit(1), &format!("{}error: no such command: `x`", "line\n".repeat(30))),
        ];
        insta::assert_snapshot!(rows.join("\n"), @r"
        BLOCKED cargo-clippy: not installed
        BLOCKED nextest: not installed
        BLOCKED pytest: not installed
        BLOCKED ruff: not installed
        BLOCKED ruff: not installed
        BLOCKED tsc: not installed
        BLOCKED tsc: not installed
        FAIL exit 1
        ");
    }

    #[test]
    fn what_could_not_be_started_is_named() {
        let run = Run::Argv(vec!["foo".into()]);
        for (kind, reason) in [
            (ErrorKind::NotFound, "foo: not found"),
            (ErrorKind::PermissionDenied, "foo: not executable"),
            (ErrorKind::OutOfMemory, "could not be started: out of memory"),
        ] {
            let end = Err(ProcessError::Spawn { line: "foo".into(), source: kind.into() });
            let j = judge(&Facts { run: &run, end: &end, lines: 0, wall: Period::from_secs(1) });
            assert_eq!((j.word, j.reason.as_deref()), (Word::Blocked, Some(reason)));
        }
    }
}
