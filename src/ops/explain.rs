//! Why a step would run, or not: its key beside that of an earlier PASS.

use crate::config::{Config, Moment};
use crate::domain::oid::Oid;
use crate::domain::pass::{Difference, StepPass};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Word;
use crate::gate::{self, Covers, Definition};
use crate::git::{GitError, TreeChange};
use crate::ops::asked;
use crate::ops::compared::Compared;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::ralph::{self, Request, Whose};
use crate::ops::reuse::{self, Objection, Picked};
use crate::ops::seal::verifier;
use crate::store::Snapshot;

/// What would become of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The verdict on record that answers without any step, with the time that it was made.
    pub recorded: Option<(Word, Timestamp)>,
    /// The rule that decides before any step runs, and its fact.
    pub blocked: Option<(String, String)>,
    /// The steps.
    pub steps: Vec<Explained>,
}

/// What would become of a step, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Whose gate has it, where both would judge.
    pub gate: Option<Whose>,
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

/// Explains what the gates that would judge a commit would do, with all steps or these of them.
pub fn explain(cx: &Ctx, commit: &Oid, steps: &[String]) -> Result<Explanation, OpError> {
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let config = ralph::config_in_force(cx, &trunk, commit)?;
    let request = Request::new(commit.clone(), Moment::Always);
    let changes_gate = !Compared::of(cx, &trunk, commit)?.gate_files(cx)?.is_empty();
    // One that can't be read is told when it is to judge.
    let own = if changes_gate { cx.config_at(commit).ok() } else { None };
    let gates = ralph::parts(&request, &config, own.as_ref());
    if let Some((_, first)) = gates.first() {
        let is_any = |name: &String| gates.iter().any(|(_, gate)| gate.steps.iter().any(|s| s.name == *name));
        steps.iter().filter(|name| !is_any(name)).try_for_each(|name| asked::has_step(first, name))?;
    }
    let (recorded, blocked) = on_record(cx, &Request { steps: steps.to_vec(), ..request.clone() })?;
    let earlier = earlier(cx, &snapshot)?;
    let mut explained = Vec::new();
    for (whose, definition) in &gates {
        let gate = (gates.len() > 1).then_some(*whose);
        let all = of_gate(cx, (&request, &config), definition, &earlier)?;
        let asked = all.into_iter().filter(|one| steps.is_empty() || steps.contains(&one.step));
        explained.extend(asked.map(|one| Explained { gate, ..one }));
    }
    Ok(Explanation { recorded, blocked, steps: explained })
}

/// A verdict on record, with its time.
type OnRecord = Option<(Word, Timestamp)>;

/// What answers without any step: a verdict on record, or a rule with its fact.
fn on_record(cx: &Ctx, request: &Request) -> Result<(OnRecord, Option<(String, String)>), OpError> {
    let Some(judged) = ralph::recorded(cx, request)? else { return Ok((None, None)) };
    let Some(deciding) = judged.deciding() else { return Ok((None, None)) };
    if judged.recorded && !deciding.mac.is_empty() {
        return Ok((Some((judged.word, deciding.made)), None));
    }
    let rule = deciding.rule.clone().map(|rule| (rule, deciding.fact.clone().unwrap_or_default()));
    Ok((None, rule))
}

/// The PASSes of steps that this machine's key sealed, the latest first.
fn earlier(cx: &Ctx, snapshot: &Snapshot<'_>) -> Result<Vec<StepPass>, OpError> {
    let key = verifier(cx)?;
    let mut earlier = snapshot.all_step_passes()?;
    earlier.retain(|pass| !pass.refuted && key.verify_bytes(&pass.signed_bytes(), &pass.mac));
    earlier.sort_by_key(|pass| std::cmp::Reverse(pass.made));
    Ok(earlier)
}

/// The steps of one gate.
fn of_gate(
    cx: &Ctx,
    (request, config): (&Request, &Config),
    definition: &Definition,
    earlier: &[StepPass],
) -> Result<Vec<Explained>, OpError> {
    let tree = cx.repo.tree_of(&request.commit)?;
    let reuse = reuse::reuse(cx, (request, config), &tree, definition, true)?;
    let mut explained = Vec::new();
    for (index, keyed) in reuse.keyed.iter().enumerate() {
        let last = || earlier.iter().find(|pass| pass.step == keyed.step);
        let fate = match (&reuse.known[index], reuse.due[index]) {
            (Some(pass), false) => Fate::Taken(pass.clone()),
            (Some(_), true) => Fate::RunsFor(users(definition, &reuse.due, index)),
            (None, _) => match (&reuse.declined[index], last()) {
                (Some((pass, objection)), _) => Fate::DoesNotCount(pass.clone(), *objection),
                (None, None) => Fate::New,
                (None, Some(pass)) => {
                    let changed = changes(cx, &tree, pass, (definition, index), keyed)?;
                    Fate::Differs(pass.clone(), changed)
                }
            },
        };
        explained.push(Explained { gate: None, step: keyed.step.clone(), key: keyed.key.clone(), fate });
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
