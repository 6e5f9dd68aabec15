//! Which output of failing steps an agent is shown, and how much of it. Pure.

use serde::Serialize;

use crate::agent::render::plain;
use crate::domain::verdict::{StepResult, Word};

/// How much output goes into one prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes in all.
    pub total: usize,
    /// Bytes for one step.
    pub per_step: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { total: 10_000, per_step: 4_000 }
    }
}

/// Less than this of a step's output says nothing.
const WORTH_SHOWING: usize = 160;

/// What an agent is shown of the steps that did not pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// Steps with output, most useful first.
    pub shown: Vec<Shown>,
    /// Names of the other steps that did not pass, with the reason.
    pub hidden: Vec<String>,
}

/// One step's output as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The step's name.
    pub name: String,
    /// Why it did not pass.
    pub reason: Option<String>,
    /// The last lines of what it printed, without colours.
    pub text: String,
    /// How many bytes before `text` are left out.
    pub cut: usize,
    /// A Markdown fence that `text` does not contain.
    pub fence: String,
}

/// Chooses from `steps` those that did not pass: what found something before what could not run, and the
/// cause (build, types) before what follows from it (tests, lints, format).
pub fn select(steps: &[StepResult], room: Room) -> Failing {
    let mut candidates: Vec<&StepResult> = steps.iter().filter(|step| step.word != Word::Pass).collect();
    candidates.sort_by_key(|step| (step.word != Word::Fail, rank(&step.kind)));
    let mut failing = Failing::default();
    let mut left = room.total;
    for step in candidates {
        let text = plain(&step.said());
        let size = text.len().min(room.per_step);
        if text.is_empty() || (size > left && left < WORTH_SHOWING) {
            let reason = step.reason.as_ref().map(|reason| format!(" ({reason})"));
            failing.hidden.push(format!("{}{}", step.name, reason.unwrap_or_default()));
            continue;
        }
        let kept = end_of(&text, size.min(left));
        left -= kept.len();
        failing.shown.push(Shown {
            name: step.name.clone(),
            reason: step.reason.clone(),
            cut: text.len() - kept.len(),
            fence: fence(kept),
            text: kept.to_owned(),
        });
    }
    failing
}

fn rank(kind: &str) -> u8 {
    match kind {
        "build" | "compile" | "check" => 0,
        "typecheck" | "types" => 1,
        "test" => 2,
        "lint" => 3,
        "format" | "fmt" => 5,
        _ => 4,
    }
}

/// The last whole lines of `text` that fit into `bytes`; the end of the last line if not even that fits.
fn end_of(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut start = text.len() - bytes;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let at_line = text[..start].ends_with('\n');
    match text[start..].find('\n') {
        Some(end) if !at_line && end + 1 < text.len() - start => &text[start + end + 1..],
        Some(_) | None => &text[start..],
    }
}

fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn step(name: &str, kind: &str, word: Word, tail: &str) -> StepResult {
        StepResult {
            name: name.to_owned(),
            kind: kind.to_owned(),
            word,
            reason: Some("exit 1".to_owned()),
            millis: 0,
            exit: Some(1),
            tail: tail.to_owned(),
            report: None,
            key: None,
            cached: None,
        }
    }

    #[test]
    fn causes_come_before_consequences_and_empty_output_is_only_named() {
        let steps = [
            step("fmt", "format", Word::Fail, "bad"),
            step("audit", "lint", Word::Blocked, "cargo-audit: not found"),
            step("tests", "test", Word::Fail, "a\n\u{1b}[31mred\u{1b}[0m\r\n"),
            step("docs", "docs", Word::Blocked, ""),
            step("build", "build", Word::Pass, "fine"),
        ];
        let failing = select(&steps, Room::default());
        let shown: Vec<_> = failing.shown.iter().map(|s| (s.name.as_str(), s.text.as_str())).collect();
        assert_eq!(shown, [("tests", "a\nred"), ("fmt", "bad"), ("audit", "cargo-audit: not found")]);
        assert_eq!(failing.hidden, ["docs (exit 1)"]);
    }

    #[test]
    fn the_end_is_kept_in_whole_lines() {
        assert_eq!(end_of("one\ntwo\nthree", 9), "two\nthree");
        assert_eq!(end_of("one\ntwo\nthree", 8), "three");
        assert_eq!(end_of("one\ntwo\nthree", 3), "ree");
        assert_eq!(end_of("aé", 1), "");
    }

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        assert_eq!(fence("x"), "```");
        assert_eq!(fence("a ``` b ```` c"), "`````");
    }

    proptest! {
        #[test]
        fn room_is_never_exceeded_and_no_step_is_lost(
            tails in proptest::collection::vec("(.|\n){0,300}", 0..8),
            total in 0_usize..600,
            per_step in 0_usize..300,
        ) {
            let steps: Vec<_> = tails.iter().map(|tail| step("s", "test", Word::Fail, tail)).collect();
            let failing = select(&steps, Room { total, per_step });
            prop_assert!(failing.shown.iter().map(|s| s.text.len()).sum::<usize>() <= total);
            prop_assert!(failing.shown.iter().all(|s| s.text.len() <= per_step));
            prop_assert!(failing.shown.iter().all(|s| !s.text.contains(&s.fence)));
            prop_assert_eq!(failing.shown.len() + failing.hidden.len(), steps.len());
        }
    }
}
