//! All projects of a repository together: names that tell them apart, one gate.

use std::collections::BTreeMap;

use crate::config::StepKind;
use crate::gate::detect::facts::Facts;
use crate::gate::detect::project::Project;
use crate::gate::detect::proposal::{Proposal, Proposed};
use crate::gate::detect::{cargo, go, node, others, python};

/// The gate that fits the repository.
pub fn propose(facts: &Facts<'_>) -> Proposal {
    let mut projects = cargo::projects(facts);
    projects.extend(node::projects(facts));
    projects.extend(python::projects(facts));
    projects.extend(go::projects(facts));
    let mut proposal = Proposal::default();
    let labels = labels(&projects);
    for (project, label) in projects.into_iter().zip(labels) {
        proposal.setup.extend(project.setup);
        proposal.carry.extend(project.carry);
        proposal.hints.extend(project.hints);
        proposal.steps.extend(project.steps.into_iter().map(|proposed| labelled(proposed, &label)));
    }
    // The quick ones first: a wrong format is known before the tests are compiled.
    proposal.steps.sort_by_key(|proposed| match proposed.step.kind {
        StepKind::Format => 0,
        StepKind::Lint | StepKind::Types => 1,
        StepKind::Build => 2,
        _ => 3,
    });
    lone_groups(&mut proposal.steps);
    if proposal.steps.is_empty() {
        proposal.hints.extend(others::hints(facts));
    }
    proposal
}

fn labelled(mut proposed: Proposed, label: &str) -> Proposed {
    if !label.is_empty() {
        proposed.step.name = format!("{label}:{}", proposed.step.name);
    }
    proposed
}

/// What to put before each project's step names: nothing for the only one, else its directory, else (at the
/// root, or where two share a directory) its ecosystem.
fn labels(projects: &[Project]) -> Vec<String> {
    let with_steps = projects.iter().filter(|project| !project.steps.is_empty()).count();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    projects
        .iter()
        .map(|project| {
            if with_steps <= 1 {
                return String::new();
            }
            let shared = projects.iter().filter(|other| other.dir == project.dir).count() > 1;
            let word = project.ecosystem.word();
            let dir = slug(&project.dir);
            let label = match (dir.is_empty(), shared) {
                (true, _) => word.to_owned(),
                (false, false) => dir,
                (false, true) => format!("{dir}-{word}"),
            };
            // Two directories can have one slug.
            let count = taken.entry(label.clone()).or_default();
            *count += 1;
            if *count == 1 { label } else { format!("{label}{count}") }
        })
        .collect()
}

fn slug(dir: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '.' { c } else { '-' };
    let text: String = dir.chars().map(plain).collect();
    text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_lowercase().chars().take(40).collect()
}

/// A group of one is no group.
fn lone_groups(steps: &mut [Proposed]) {
    let grouped = steps.iter().filter(|proposed| proposed.step.group.is_some()).count();
    if grouped == 1 {
        for proposed in steps {
            proposed.step.group = None;
        }
    }
}
