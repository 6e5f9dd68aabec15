//! In which order steps run, and which at the same time. Pure.
//!
//! A *stage* is a set of steps that may run at the same time; stages run one after the other. A step without
//! `group` is a stage of its own. Steps of one `group` share a stage, which runs where the first of them
//! stands in the file. `needs` outranks both: what needs a later step waits for it, and a group is split where
//! a member needs something outside that in turn needs another member. Within a stage at most `jobs` steps
//! run at once, never two that name the same resource, and none before what it needs.

use std::collections::BTreeSet;

use crate::config::Step;
use crate::domain::verdict::Word;

/// Indices of steps that may run at the same time, in the order of the file.
pub type Stage = Vec<usize>;

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not begun.
    Waiting,
    /// Begun.
    Running,
    /// Ended with this word.
    Ended(Word),
}

/// What is to be done with a step now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Begin it.
    Start(usize),
    /// It can't run: this step, which it needs, did not pass.
    Skip(usize, String),
}

/// The stages. Every step is in exactly one, whatever is wrong with `needs`.
pub fn stages(steps: &[Step]) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut left: Vec<usize> = (0..steps.len()).collect();
    while !left.is_empty() {
        let met = |index: usize, done: &BTreeSet<&str>| {
            steps[index].needs.iter().all(|need| done.contains(need.as_str()))
        };
        // A cycle or an unknown need, which `config::parse` excludes: these steps end up skipped.
        let Some(first) = left.iter().copied().find(|&index| met(index, &done)) else {
            stages.push(left);
            break;
        };
        let mut stage = vec![first];
        done.insert(&steps[first].name);
        let mut grown = steps[first].group.is_some();
        while grown {
            grown = false;
            for &index in &left {
                let member = steps[index].group == steps[first].group && !stage.contains(&index);
                if member && met(index, &done) {
                    stage.push(index);
                    done.insert(&steps[index].name);
                    grown = true;
                }
            }
        }
        stage.sort_unstable();
        left.retain(|index| !stage.contains(index));
        stages.push(stage);
    }
    stages
}

/// What to do next in `stage`, given how far all steps are. Empty and nothing running: the stage is over.
pub fn next(steps: &[Step], stage: &[usize], progress: &[Progress], jobs: usize) -> Vec<Next> {
    let running = |index: &usize| progress[*index] == Progress::Running;
    let mut busy: Vec<usize> = (0..steps.len()).filter(running).collect();
    let mut list = Vec::new();
    for &index in stage.iter().filter(|&&index| progress[index] == Progress::Waiting) {
        let step = &steps[index];
        match needs(steps, step, progress, stage) {
            Needs::Failed(need) => list.push(Next::Skip(index, need)),
            Needs::Open => {}
            Needs::Met => {
                let clash =
                    busy.iter().any(|&b| steps[b].resources.iter().any(|r| step.resources.contains(r)));
                if busy.len() < jobs.max(1) && !clash {
                    busy.push(index);
                    list.push(Next::Start(index));
                }
            }
        }
    }
    list
}

enum Needs {
    Met,
    Open,
    Failed(String),
}

fn needs(steps: &[Step], step: &Step, progress: &[Progress], stage: &[usize]) -> Needs {
    let mut result = Needs::Met;
    for need in &step.needs {
        let at = steps.iter().position(|s| s.name == *need);
        match at.map(|at| (at, progress[at])) {
            Some((_, Progress::Ended(Word::Pass))) => {}
            Some((_, Progress::Running)) => result = Needs::Open,
            // In a sound definition what waits is in this stage and comes; what isn't never will.
            Some((at, Progress::Waiting)) if stage.contains(&at) && !stuck(steps, stage, progress) => {
                result = Needs::Open;
            }
            None | Some(_) => return Needs::Failed(need.clone()),
        }
    }
    result
}

/// Nothing runs and every waiting step of the stage waits for another: a circle.
fn stuck(steps: &[Step], stage: &[usize], progress: &[Progress]) -> bool {
    let waits = |index: &usize| {
        steps[*index].needs.iter().any(|need| {
            steps.iter().position(|s| s.name == *need).is_some_and(|at| progress[at] == Progress::Waiting)
        })
    };
    !progress.contains(&Progress::Running)
        && stage.iter().filter(|&&index| progress[index] == Progress::Waiting).all(waits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Run, StepKind};
    use proptest::prelude::*;

    /// `name@group<need,need!resource`.
    fn step(text: &str) -> Step {
        let (text, resource) = text.split_once('!').map_or((text, None), |(t, r)| (t, Some(r)));
        let (text, needs) = text.split_once('<').map_or((text, ""), |(t, n)| (t, n));
        let (name, group) = text.split_once('@').map_or((text, None), |(n, g)| (n, Some(g)));
        let mut step = Step::new(name, StepKind::Custom, Run::Shell("true".into()));
        step.group = group.map(str::to_owned);
        step.needs = needs.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect();
        step.resources = resource.map(str::to_owned).into_iter().collect();
        step
    }

    fn steps(text: &str) -> Vec<Step> {
        text.split_whitespace().map(step).collect()
    }

    fn shown(text: &str) -> String {
        let steps = steps(text);
        let stage =
            |stage: &Stage| stage.iter().map(|&i| steps[i].name.clone()).collect::<Vec<_>>().join("+");
        stages(&steps).iter().map(stage).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn order_groups_and_needs() {
        for (gate, expected) in [
            ("a b c", "a b c"),
            ("a@x b c@x", "a+c b"),
            ("a<c b c", "b c a"),
            ("a@x b<a c@x<b d@x", "a+d b c"),
            ("a@x b@x<a c@y d@y", "a+b c+d"),
            ("a<b b<a c", "c a+b"),
            ("a<zzz b", "b a"),
            ("", ""),
        ] {
            assert_eq!(shown(gate), expected, "{gate}");
        }
    }

    const WAIT: Progress = Progress::Waiting;
    const PASS: Progress = Progress::Ended(Word::Pass);
    const FAIL: Progress = Progress::Ended(Word::Fail);

    #[test]
    fn within_a_stage() {
        use Next::{Skip, Start};
        let all = steps("a@x b@x<a c@x!db d@x!db");
        let stage = [0, 1, 2, 3];
        assert_eq!(next(&all, &stage, &[WAIT; 4], 8), [Start(0), Start(2)]);
        assert_eq!(next(&all, &stage, &[WAIT; 4], 1), [Start(0)]);
        assert_eq!(next(&all, &stage, &[PASS, WAIT, FAIL, WAIT], 8), [Start(1), Start(3)]);
        assert_eq!(next(&all, &stage, &[FAIL, WAIT, PASS, PASS], 8), [Skip(1, "a".into())]);
        assert_eq!(next(&all, &stage, &[PASS; 4], 8), []);
        assert_eq!(next(&all, &stage, &[WAIT; 4], 0), [Start(0)], "no jobs at all is one");
    }

    #[test]
    fn a_circle_and_an_unknown_need_are_skipped_not_waited_for() {
        let circle = steps("a<b b<a");
        assert_eq!(next(&circle, &[0, 1], &[WAIT; 2], 1).len(), 2);
        let unknown = steps("a<zzz");
        assert_eq!(next(&unknown, &[0], &[WAIT], 1), [Next::Skip(0, "zzz".into())]);
    }

    proptest! {
        #[test]
        fn every_gate_comes_to_an_end(
            shape in prop::collection::vec((0..3_usize, prop::collection::vec(0..8_usize, 0..3)), 0..8),
            jobs in 0..4_usize,
            fails in any::<u8>(),
        ) {
            let all: Vec<Step> = shape.iter().enumerate().map(|(n, (group, needs))| {
                let needs: Vec<String> = needs.iter().map(|need| format!("s{need}")).collect();
                let group = if *group == 0 { String::new() } else { format!("@g{group}") };
                step(&format!("s{n}{group}<{}", needs.join(",")))
            }).collect();
            let stages = stages(&all);
            let mut seen: Vec<usize> = stages.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..all.len()).collect::<Vec<_>>());
            let mut progress = vec![WAIT; all.len()];
            for stage in &stages {
                loop {
                    let list = next(&all, stage, &progress, jobs);
                    if list.is_empty() { break; }
                    for action in list {
                        match action {
                            Next::Start(index) => {
                                let needs_passed = all[index].needs.iter().all(|need| {
                                    all.iter().position(|s| s.name == *need).is_some_and(|at| progress[at] == PASS)
                                });
                                prop_assert!(needs_passed, "started before what it needs");
                                progress[index] = if fails & (1 << index) == 0 { PASS } else { FAIL };
                            }
                            Next::Skip(index, _) => progress[index] = Progress::Ended(Word::Blocked),
                        }
                    }
                }
                prop_assert!(stage.iter().all(|&index| matches!(progress[index], Progress::Ended(_))));
            }
        }
    }
}
