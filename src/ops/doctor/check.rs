//! One thing that was looked at.

use std::path::Path;

use crate::ops::error::OpError;

/// Whether things are repaired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mend {
    /// Only looked at.
    #[default]
    Look,
    /// Repaired where nothing is lost by it.
    Repair,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing to do.
    Ok,
    /// Worth knowing; nothing is broken.
    Note,
    /// Something is wrong.
    Problem,
    /// Something was wrong and was repaired.
    Fixed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: `state`, `hooks`, `worktrees`, ….
    pub name: &'static str,
    /// How it ended.
    pub found: Found,
    /// What is the case.
    pub what: String,
    /// Where: a path, a ref, an object.
    pub place: Option<String>,
    /// What to type.
    pub next: Option<String>,
}

impl Check {
    fn new(name: &'static str, found: Found, what: impl Into<String>) -> Self {
        Self { name, found, what: what.into(), place: None, next: None }
    }

    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Found::Ok, what)
    }

    pub(super) fn note(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Found::Note, what)
    }

    pub(super) fn problem(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Found::Problem, what)
    }

    pub(super) fn fixed(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Found::Fixed, what)
    }

    /// What could not be looked at.
    pub(super) fn failed(name: &'static str, error: &OpError) -> Self {
        let mut what = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            let text = inner.to_string();
            // A transparent error repeats its cause.
            if !what.ends_with(&text) {
                what = format!("{what}: {text}");
            }
            cause = inner.source();
        }
        Self::problem(name, what)
    }

    #[must_use]
    pub(super) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    #[must_use]
    pub(super) fn at_path(self, path: &Path) -> Self {
        self.at(path.display().to_string())
    }

    #[must_use]
    pub(super) fn next(mut self, line: impl Into<String>) -> Self {
        self.next = Some(line.into());
        self
    }
}

/// What every problem that `--fix` repairs says.
pub(super) const FIX: &str = "git orch doctor --fix";
