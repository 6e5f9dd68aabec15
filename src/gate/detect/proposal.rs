//! A proposed gate.

use crate::config::Step;
use crate::gate::definition::Definition;

/// A step with the reason why it is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The step.
    pub step: Step,
    /// What in the repository speaks for it; a fragment in lower case.
    pub why: String,
}

/// A proposed gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// As `ralph.setup`.
    pub setup: Vec<String>,
    /// As `ralph.carry`.
    pub carry: Vec<String>,
    /// The steps, in order.
    pub steps: Vec<Proposed>,
    /// What a person should know or do; whole sentences.
    pub hints: Vec<String>,
}

impl Proposal {
    /// The gate that it proposes.
    pub fn definition(&self) -> Definition {
        Definition {
            setup: self.setup.clone(),
            carry: self.carry.clone(),
            steps: self.steps.iter().map(|proposed| proposed.step.clone()).collect(),
            quarantine: Vec::new(),
            reporting: self
                .steps
                .iter()
                .filter(|p| p.step.report.is_some())
                .map(|p| p.step.name.clone())
                .collect(),
        }
    }
}
