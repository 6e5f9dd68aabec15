//! One project of one ecosystem in a repository that may hold several.

use crate::config::{Period, Run, Step, StepKind};
use crate::gate::detect::facts::join;
use crate::gate::detect::proposal::Proposed;
use crate::sys::process::quote;

/// An ecosystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ecosystem {
    Rust,
    Node,
    Python,
    Go,
}

impl Ecosystem {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Node => "node",
            Self::Python => "python",
            Self::Go => "go",
        }
    }
}

/// What a project contributes to the gate; names are given later, when all projects are known.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) ecosystem: Ecosystem,
    /// Its directory; empty: the root.
    pub(super) dir: String,
    pub(super) setup: Vec<String>,
    pub(super) carry: Vec<String>,
    pub(super) steps: Vec<Proposed>,
    pub(super) hints: Vec<String>,
}

impl Project {
    pub(super) fn new(ecosystem: Ecosystem, dir: &str) -> Self {
        let dir = dir.to_owned();
        Self { ecosystem, dir, setup: Vec::new(), carry: Vec::new(), steps: Vec::new(), hints: Vec::new() }
    }

    /// The line for `sh -c` in the root of the checkout that runs `line` in the project's directory.
    pub(super) fn line(&self, line: &str) -> String {
        if self.dir.is_empty() { line.to_owned() } else { format!("cd {} && {line}", quote(&self.dir)) }
    }

    pub(super) fn set_up(&mut self, line: &str) {
        let line = self.line(line);
        self.setup.push(line);
    }

    pub(super) fn keep(&mut self, path: &str) {
        let path = join(&self.dir, path);
        self.carry.push(path);
    }

    /// Adds a step. Formats, lints and types of all projects may run at the same time; what builds or tests
    /// runs alone.
    pub(super) fn step(
        &mut self,
        name: &str,
        kind: StepKind,
        line: &str,
        why: impl Into<String>,
    ) -> &mut Step {
        let mut step = Step::new(name, kind, Run::Shell(self.line(line)));
        if matches!(kind, StepKind::Format | StepKind::Lint | StepKind::Types) {
            step.group = Some("checks".to_owned());
        }
        self.steps.push(Proposed { step, why: why.into() });
        let last = self.steps.len() - 1;
        &mut self.steps[last].step
    }

    pub(super) fn hint(&mut self, text: impl Into<String>) {
        self.hints.push(text.into());
    }

    /// A path of the project, for people.
    pub(super) fn path(&self, name: &str) -> String {
        join(&self.dir, name)
    }
}

/// Why a step has a report.
pub(super) const NAMED: &str = "its report names each finding";

/// For steps that compile everything.
pub(super) fn long() -> Period {
    Period::from_secs(30 * 60)
}
