//! What the recorded steps saved, and whether they say the truth.

use std::collections::BTreeMap;

use crate::config::Moment;
use crate::domain::oid::Oid;
use crate::domain::verdict::{StepResult, Word};
use crate::gate::{self, Definition};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::judging::{self, Case};
use crate::ops::logs;
use crate::ops::people;
use crate::ops::progress::Sink;
use crate::ops::ralph::{self, Request};
use crate::ops::reuse::{self, Reuse};
use crate::ops::seal::verifier;
use crate::policy::grant::Action;
use crate::store::Change;
use crate::sys::random;

/// What is known of one step's results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepStats {
    /// PASSes on record.
    pub recorded: u64,
    /// How often verdicts had it run.
    pub ran: u64,
    /// How often they took it from an earlier run.
    pub cached: u64,
    /// How long those took when they ran, in milliseconds.
    pub saved: u64,
}

/// What is known of each step, by name, from all verdicts and all PASSes in the state.
pub fn stats(cx: &Ctx) -> Result<BTreeMap<String, StepStats>, OpError> {
    let snapshot = cx.snapshot()?;
    let mut stats: BTreeMap<String, StepStats> = BTreeMap::new();
    for pass in snapshot.all_step_passes()?.into_iter().filter(|pass| !pass.refuted) {
        stats.entry(pass.step).or_default().recorded += 1;
    }
    for verdict in snapshot.all_verdicts()? {
        for step in verdict.steps.into_iter().filter(|step| step.key.is_some()) {
            let of_step = stats.entry(step.name).or_default();
            if step.cached.is_some() {
                of_step.cached += 1;
                of_step.saved += step.millis;
            } else {
                of_step.ran += 1;
            }
        }
    }
    Ok(stats)
}

/// What came of running steps again whose PASS is on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Steps whose PASS would be taken.
    pub known: usize,
    /// What those came to that were run again.
    pub again: Vec<StepResult>,
    /// Whether it was stopped.
    pub stopped: bool,
    /// Why nothing could be run.
    pub blocked: Option<String>,
}

impl Audit {
    /// The steps that failed now: their PASS was a lie, and counts no longer.
    pub fn lies(&self) -> impl Iterator<Item = &StepResult> {
        self.again.iter().filter(|step| step.word == Word::Fail)
    }
}

/// Runs up to `sample` of the steps (None: all) again whose PASS would be taken for `commit`, and lets no PASS count that
/// turns out to be none.
pub fn verify(cx: &Ctx, commit: &Oid, sample: Option<usize>, sink: &mut Sink<'_>) -> Result<Audit, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let config = ralph::config_in_force(cx, &trunk, commit)?;
    let definition = Definition::of(&config);
    let tree = cx.repo.tree_of(commit)?;
    let request = Request::new(commit.clone(), Moment::Always);
    let reuse = reuse::reuse(cx, (&request, &config), &tree, &definition, true)?;
    let there: Vec<usize> = (0..reuse.known.len()).filter(|&index| reuse.known[index].is_some()).collect();
    let chosen = chosen(there.clone(), sample);
    if chosen.is_empty() {
        return Ok(Audit { known: there.len(), ..Audit::default() });
    }
    // Whatever is not chosen is taken for known, whether or not it is: only what the chosen ones build on runs with them.
    let known: Vec<bool> = (0..reuse.known.len()).map(|index| !chosen.contains(&index)).collect();
    let due = gate::due(&definition.steps, &known);
    let mut part = definition.clone();
    let wanted: Vec<usize> = (0..due.len()).filter(|&index| due[index]).collect();
    part.steps = wanted.iter().map(|&index| definition.steps[index].clone()).collect();
    let none = Reuse {
        keyed: wanted.iter().map(|&index| reuse.keyed[index].clone()).collect(),
        known: vec![None; wanted.len()],
        declined: vec![None; wanted.len()],
        due: vec![true; wanted.len()],
    };
    let case = Case { request: &request, tree: &tree, config: &config };
    let ran = judging::run_due(cx, &case, (&part, &none), sink)?;
    if let Some(logs) = ran.logs {
        logs::end(cx, logs, &part.hash());
    }
    let outcome = ran.outcome;
    let names: Vec<&str> = chosen.iter().map(|&index| definition.steps[index].name.as_str()).collect();
    let again: Vec<StepResult> =
        outcome.steps.into_iter().filter(|step| names.contains(&step.name.as_str())).collect();
    let audit = Audit { known: there.len(), stopped: outcome.stop.is_some(), blocked: outcome.fact, again };
    // What an agent ran says nothing to others.
    if !audit.stopped && outcome.rule.is_none() && people::agent_above(cx).is_none() {
        refute(cx, &reuse, &audit)?;
    }
    Ok(audit)
}

/// `sample` of them, by lot.
fn chosen(mut there: Vec<usize>, sample: Option<usize>) -> Vec<usize> {
    let Some(sample) = sample else { return there };
    while there.len() > sample {
        let lot = random::bits40() % (there.len() as u64);
        there.swap_remove(usize::try_from(lot).unwrap_or(0));
    }
    there.sort_unstable();
    there
}

/// Records that PASSes are none: later runs with the same key run the step.
fn refute(cx: &Ctx, reuse: &Reuse, audit: &Audit) -> Result<(), OpError> {
    let lies: Vec<&str> = audit.lies().map(|step| step.name.as_str()).collect();
    if lies.is_empty() {
        return Ok(());
    }
    let key = verifier(cx)?;
    let maker = cx.person_session()?;
    let known = reuse.known.iter().flatten().filter(|pass| lies.contains(&pass.step.as_str()));
    let refuted: Vec<_> = known.map(|pass| reuse::against(cx, &key, pass)).collect();
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        for pass in &refuted {
            edit.put_step_pass(pass, &maker);
        }
        edit.note(Change {
            action: "cache.refuted",
            subject: "state".to_owned(),
            cause: "ralph cache verify".to_owned(),
            note: Some(lies.join(" ")),
        });
        Ok::<_, OpError>(())
    })?;
    Ok(())
}
