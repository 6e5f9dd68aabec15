//! Why a step would run, or not: its key beside that of an earlier PASS.

use crate::config::Moment;
use crate::domain::oid::Oid;
use crate::domain::pass::{Difference, StepPass};
use crate::gate::{self, Covers, Definition};
use crate::git::{GitError, TreeChange};
use crate::ops::asked;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::ralph::{self, Request};
use crate::ops::reuse::{self, Objection, Picked};
use crate::ops::seal::verifier;

/// What would become of a step, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The step's name.
    pub step: String,
    /// Its key.
    pub key: String,
    /// What would become of it.
    pub fate: Fate,
}

/// What would become of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// This PASS would be taken.
    Taken(StepPass),
    /// It would run though it has a PASS, for what it leaves to these steps.
    RunsFor(Vec<String>),
    /// It would run: this is the last PASS of a step of its name, and what is different since.
    Differs(StepPass, Vec<Changed>),
    /// It would run: a PASS under the same key does not count here, and why.
    DoesNotCount(StepPass, Objection),
    /// It would run: no PASS of its name is on record.
    New,
}

/// Something that is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What it is.
    pub what: Difference,
    /// For a file: its path, where both trees are here.
    pub path: Option<String>,
    /// Whether it is `added`, `removed` or `changed`.
    pub how: &'static str,
}

/// Explains the steps of the gate in force on a commit, or these of them.
pub fn explain(cx: &Ctx, commit: &Oid, steps: &[String]) -> Result<Vec<Explained>, OpError> {
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let config = ralph::config_in_force(cx, &trunk, commit)?;
    let definition = Definition::of(&config);
    steps.iter().try_for_each(|name| asked::has_step(&definition, name))?;
    let tree = cx.repo.tree_of(commit)?;
    let request = Request::new(commit.clone(), Moment::Always);
    let reuse = reuse::reuse(cx, (&request, &config), &tree, &definition, true)?;
    let key = verifier(cx)?;
    let mut earlier = snapshot.all_step_passes()?;
    earlier.retain(|pass| !pass.refuted && key.verify_bytes(&pass.signed_bytes(), &pass.mac));
    earlier.sort_by_key(|pass| std::cmp::Reverse(pass.made));
    let mut explained = Vec::new();
    for (index, keyed) in reuse.keyed.iter().enumerate() {
        if !steps.is_empty() && !steps.contains(&keyed.step) {
            continue;
        }
        let last = || earlier.iter().find(|pass| pass.step == keyed.step);
        let fate = match (&reuse.known[index], reuse.due[index]) {
            (Some(pass), false) => Fate::Taken(pass.clone()),
            (Some(_), true) => Fate::RunsFor(users(&definition, &reuse.due, index)),
            (None, _) => match (&reuse.declined[index], last()) {
                (Some((pass, objection)), _) => Fate::DoesNotCount(pass.clone(), *objection),
                (None, None) => Fate::New,
                (None, Some(pass)) => {
                    let changed = changes(cx, &tree, pass, (&definition, index), keyed)?;
                    Fate::Differs(pass.clone(), changed)
                }
            },
        };
        explained.push(Explained { step: keyed.step.clone(), key: keyed.key.clone(), fate });
    }
    Ok(explained)
}

/// The steps that run and find what the step at `index` leaves.
fn users(definition: &Definition, due: &[bool], index: usize) -> Vec<String> {
    let steps = &definition.steps;
    let uses = |other: &usize| due[*other] && gate::builds_on(steps, *other).contains(&index);
    (0..steps.len()).filter(uses).map(|other| steps[other].name.clone()).collect()
}

fn changes(
    cx: &Ctx,
    tree: &Oid,
    pass: &StepPass,
    (definition, index): (&Definition, usize),
    now: &reuse::Keyed,
) -> Result<Vec<Changed>, OpError> {
    let mut changed = Vec::new();
    for what in now.inputs.differences(&pass.inputs) {
        let how = match &what {
            Difference::Variable(name) => how(&now.inputs.environment, &pass.inputs.environment, name),
            Difference::Tool(name) => how(&now.inputs.tools, &pass.inputs.tools, name),
            Difference::Need(name) => how(&now.inputs.needs, &pass.inputs.needs, name),
            Difference::Files => {
                let inputs = &definition.steps[index].inputs;
                changed.extend(files(cx, inputs, &pass.tree, tree)?);
                continue;
            }
            Difference::Definition | Difference::Machine => "changed",
        };
        changed.push(Changed { what, path: None, how });
    }
    Ok(changed)
}

fn how<V>(
    now: &std::collections::BTreeMap<String, V>,
    then: &std::collections::BTreeMap<String, V>,
    name: &str,
) -> &'static str {
    match (now.contains_key(name), then.contains_key(name)) {
        (true, false) => "added",
        (false, true) => "removed",
        _ => "changed",
    }
}

/// The files that a step reads and that are different in two trees; one entry without a path where that can't be told.
fn files(cx: &Ctx, inputs: &[String], then: &Oid, now: &Oid) -> Result<Vec<Changed>, OpError> {
    let unknown = || vec![Changed { what: Difference::Files, path: None, how: "changed" }];
    if !cx.repo.has_object(then) {
        return Ok(unknown());
    }
    let covers = [Covers::new(inputs).map_err(|e| OpError::Bug(e.to_string()))?];
    let picked = |tree: &Oid| -> Result<Vec<Picked>, GitError> {
        Ok(reuse::pick(&cx.repo, tree, &covers)?.into_iter().flatten().collect())
    };
    let (before, after) = (picked(then)?, picked(now)?);
    let is_picked = |list: &[Picked], path: &str| {
        let above =
            |dir: &str| dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
        list.iter()
            .any(|picked| picked.path == path || (picked.what.starts_with("dir ") && above(&picked.path)))
    };
    let all = cx.repo.tree_changes(Some(then), Some(now))?;
    let ours =
        all.iter().filter(|change| is_picked(&before, &change.path) || is_picked(&after, &change.path));
    let found: Vec<Changed> = ours
        .map(|change| Changed {
            what: Difference::Files,
            path: Some(change.path.clone()),
            how: how_file(change),
        })
        .collect();
    // The step's `inputs` themselves may be what is different.
    Ok(if found.is_empty() { unknown() } else { found })
}

fn how_file(change: &TreeChange) -> &'static str {
    match (&change.old, &change.new) {
        (None, Some(_)) => "added",
        (Some(_), None) => "removed",
        _ => "changed",
    }
}
