//! What was done, or would be: one line a thing.

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was made, changed or removed.
    Made,
    /// It was right already, or was left as it is on purpose.
    Kept,
    /// It would be made, changed or removed (`--dry-run`).
    Planned,
    /// It could not be done, or needs a person's eye.
    Warned,
}

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What became of it.
    pub done: Done,
    /// The thing: `state`, `hooks`, `orch.toml`, ….
    pub what: &'static str,
    /// In one line: what was done, or why not.
    pub detail: String,
}

/// All that was done, and what to type next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The things, in the order they were done.
    pub lines: Vec<Line>,
    /// Commands to go on with, most useful first.
    pub next: Vec<String>,
    /// Whether it is not complete without them.
    pub due: bool,
}

impl Report {
    /// Whether anything was changed, or would be.
    pub fn changes(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.done, Done::Made | Done::Planned))
    }

    pub(crate) fn push(&mut self, done: Done, what: &'static str, detail: impl Into<String>) {
        let line = Line { done, what, detail: detail.into() };
        // Several worktrees share their hooks: each thing is said once.
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    pub(crate) fn next(&mut self, line: impl Into<String>) {
        self.next.push(line.into());
    }

    /// Adds a command that has to be typed, or kept.
    pub(crate) fn due(&mut self, line: impl Into<String>) {
        self.next(line);
        self.due = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_or_planned_is_a_change() {
        let mut report = Report::default();
        report.push(Done::Kept, "state", "there");
        report.push(Done::Warned, "remote", "offline");
        assert!(!report.changes());
        report.push(Done::Planned, "hooks", "install");
        report.push(Done::Planned, "hooks", "install");
        assert!(report.changes());
        assert_eq!(report.lines.len(), 3);
    }
}
