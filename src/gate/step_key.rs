//! The key of a step: what its result is kept under, and which steps have to run where some results are there. Pure.
//!
//! A step that passed is not run again where nothing that it depends on is different: its definition and that of setup,
//! the files that it names as its `inputs` (all, where it names none), its variables, the programs of this machine, and the
//! same of the steps that it needs. What a step reads besides is not seen: `inputs` is a promise, and `ralph cache verify`
//! tests it.

use std::collections::BTreeMap;

use crate::config::Step;
use crate::domain::pass::StepInputs;
use crate::gate::canon::Canon;
use crate::gate::definition::{Definition, canonical_step};
use crate::gate::plan;

/// The key of a step's inputs: lower-case hexadecimal SHA-256 over the domain word `git-orch step key v1` and all fields
/// in the order of the struct (encoding: `canon`).
pub fn step_key(inputs: &StepInputs) -> String {
    let map = |canon: Canon, map: &BTreeMap<String, String>| {
        let canon = canon.number(map.len() as u64);
        map.iter().fold(canon, |canon, (name, value)| canon.text(name).text(value))
    };
    let canon = Canon::new("git-orch step key v1").text(&inputs.definition).text(&inputs.files);
    let canon = map(map(map(canon, &inputs.environment), &inputs.tools), &inputs.needs);
    canon.text(&inputs.machine).sha256()
}

/// The digest of a step's definition together with setup and carried paths, which every step finds done.
pub fn step_definition(definition: &Definition, step: &Step) -> String {
    let canon = Canon::new("git-orch step definition v1")
        .list(definition.setup.iter().map(String::as_str))
        .list(definition.carry.iter().map(String::as_str));
    canonical_step(canon, step).text(step.network.as_str()).sha256()
}

/// The digest of named things, each with what it is: files with mode and blob, for example.
pub fn digest_of<'a>(domain: &str, things: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> String {
    let canon = Canon::new(domain).number(things.len() as u64);
    things.fold(canon, |canon, (name, what)| canon.text(name).text(what)).sha256()
}

/// The indices of the steps whose outcome and traces a step finds: those that it needs, and for one that says neither what
/// it needs nor what it reads, all that run before it.
pub fn builds_on(steps: &[Step], index: usize) -> Vec<usize> {
    let step = &steps[index];
    if step.needs.is_empty() && step.inputs.is_empty() {
        return plan::stages(steps).concat().into_iter().take_while(|&other| other != index).collect();
    }
    let needed = |need: &String| steps.iter().position(|other| other.name == *need);
    step.needs.iter().filter_map(needed).collect()
}

/// Which steps have to run where the PASS of some is `known`: those that are not known, and what they build on, for what
/// it leaves behind.
pub fn due(steps: &[Step], known: &[bool]) -> Vec<bool> {
    let mut due: Vec<bool> = known.iter().map(|known| !known).collect();
    let mut wanted: Vec<usize> = (0..steps.len()).filter(|&index| due[index]).collect();
    while let Some(index) = wanted.pop() {
        for below in builds_on(steps, index) {
            if !std::mem::replace(&mut due[below], true) {
                wanted.push(below);
            }
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Run, StepKind};
    use proptest::prelude::*;

    /// `name:inputs<need,need`.
    fn step(text: &str) -> Step {
        let (text, needs) = text.split_once('<').unwrap_or((text, ""));
        let (name, inputs) = text.split_once(':').unwrap_or((text, ""));
        let mut step = Step::new(name, StepKind::Custom, Run::Shell("true".into()));
        step.inputs = inputs.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        step.needs = needs.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        step
    }

    fn shown(gate: &str, known: &str) -> String {
        let steps: Vec<Step> = gate.split_whitespace().map(step).collect();
        let known: Vec<bool> = steps.iter().map(|s| known.split_whitespace().any(|k| k == s.name)).collect();
        let due = due(&steps, &known);
        let names = steps.iter().zip(&due).filter(|(_, due)| **due).map(|(s, _)| s.name.as_str());
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_a_step_builds_on_runs_for_what_it_leaves() {
        for (gate, known, expected) in [
            ("a:x b:y", "a b", ""),
            ("a:x b:y", "a", "b"),
            ("a:x b:y<a c:z", "a c", "a b"),
            ("a:x b<a c:z", "a c", "a b"),
            ("a:x b c:z", "a c", "a b"),
            ("a:x b c:z", "a b", "c"),
            ("a:x b:y<a c:z<b", "a b", "a b c"),
            ("b:y<a a:x", "a", "b a"),
            ("a:x<zzz", "", "a"),
        ] {
            assert_eq!(shown(gate, known), expected, "{gate} where {known} is known");
        }
    }

    #[test]
    fn the_keys_are_frozen_and_have_everything_in_them() {
        let map = |v: &str| BTreeMap::from([("n".to_owned(), v.to_owned())]);
        let one = StepInputs::default();
        insta::assert_snapshot!(step_key(&one), @"757a77ca285048877915f5a6f07df5e7d1a617c3af9c7309910177e2a9f09cf0");
        let keys = [
            one.clone(),
            StepInputs { definition: "x".into(), ..one.clone() },
            StepInputs { files: "x".into(), ..one.clone() },
            StepInputs { environment: map(""), ..one.clone() },
            StepInputs { environment: map("x"), ..one.clone() },
            StepInputs { tools: map("x"), ..one.clone() },
            StepInputs { needs: map("x"), ..one.clone() },
            StepInputs { machine: "x".into(), ..one.clone() },
        ]
        .map(|inputs| step_key(&inputs));
        let different: std::collections::BTreeSet<&String> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());

        let steps = vec![step("a:x")];
        let gate = Definition { setup: vec!["a".into()], steps, ..Definition::default() };
        let frozen = step_definition(&gate, &gate.steps[0]);
        insta::assert_snapshot!(frozen, @"c67800388240efa597cf3e49d61e50f420a03bcb07a338b23d5b16142f8d2ab1");
        let other = Definition { setup: vec![], carry: vec!["a".into()], ..gate.clone() };
        assert_ne!(step_definition(&other, &gate.steps[0]), frozen);
        let mut limited = gate.steps[0].clone();
        limited.network = crate::sys::sandbox::Network::Off;
        assert_ne!(step_definition(&gate, &limited), frozen);
    }

    proptest! {
        #[test]
        fn whatever_runs_finds_what_it_builds_on(
            shape in prop::collection::vec((any::<bool>(), prop::collection::vec(0..6_usize, 0..3)), 0..6),
            known in any::<u8>(),
        ) {
            let line = |(n, (inputs, needs)): (usize, &(bool, Vec<usize>))| {
                let needs: Vec<String> = needs.iter().map(|need| format!("s{need}")).collect();
                step(&format!("s{n}{}<{}", if *inputs { ":x" } else { "" }, needs.join(",")))
            };
            let steps: Vec<Step> = shape.iter().enumerate().map(line).collect();
            let known: Vec<bool> = (0..steps.len()).map(|n| known & (1 << n) != 0).collect();
            let due = due(&steps, &known);
            for index in 0..steps.len() {
                prop_assert!(due[index] || known[index]);
                for below in builds_on(&steps, index) {
                    prop_assert!(!due[index] || due[below]);
                }
            }
        }
    }
}
