//! What runs of the gate leave in this clone besides verdicts: breakers of steps, and which tests flake.
//!
//! Called by Ralph for each run that was made, never for what was looked up; what an agent ran counts nothing. Local files,
//! `<common dir>/orch/breakers.json` and `flakes.json`, shared by all runs of the clone: changed under a lock, written
//! whole. Invariant: a file that is damaged, or of another version, begins anew, and none keeps a run from its verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Ralph;
use crate::domain::oid::Oid;
use crate::domain::verdict::{StepReport, Word};
use crate::gate::breaker::{Came, Circuit, Limits};
use crate::gate::flakes::{Flake, Flakes, Place, Try};
use crate::gate::{self, Event, Outcome};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::people;
use crate::sys::fs::{self, Durability};
use crate::sys::lock::FileLock;

const BREAKERS: &str = "breakers.json";
const FLAKES: &str = "flakes.json";
/// Nobody holds them for longer than a file takes to be written.
const PATIENCE: Duration = Duration::from_secs(10);

/// Each step's breaker, by name.
pub(crate) type Breakers = BTreeMap<String, Circuit>;

fn read<T: DeserializeOwned + Default>(cx: &Ctx, file: &str) -> Result<T, OpError> {
    let path = cx.file(file);
    if !fs::exists(&path) {
        return Ok(T::default());
    }
    Ok(serde_json::from_slice(&fs::read(&path)?).unwrap_or_default())
}

fn change<T>(cx: &Ctx, file: &str, edit: impl FnOnce(&mut T)) -> Result<(), OpError>
where
    T: Serialize + DeserializeOwned + Default + PartialEq + Clone,
{
    let _lock = FileLock::acquire(&cx.file(&format!("{file}.lock")), PATIENCE, cx.clock)?;
    let before: T = read(cx, file)?;
    let mut now = before.clone();
    edit(&mut now);
    if now != before {
        let text = serde_json::to_string(&now).map_err(|error| OpError::Bug(format!("{file}: {error}")))?;
        fs::write_atomic(&cx.file(file), (text + "\n").as_bytes(), 0o644, Durability::None)?;
    }
    Ok(())
}

/// When breakers open, as trunk's `orch.toml` says.
pub(crate) fn limits(ralph: &Ralph) -> Limits {
    let wait = i64::try_from(ralph.breaker_wait.millis()).unwrap_or(i64::MAX);
    Limits { after: ralph.breaker, wait }
}

/// The breakers of steps that were BLOCKED when they ran last.
pub(crate) fn breakers(cx: &Ctx) -> Result<Breakers, OpError> {
    read(cx, BREAKERS)
}

/// Whether a step's breaker is open.
pub(crate) fn is_any_open(cx: &Ctx) -> Result<bool, OpError> {
    Ok(breakers(cx)?.values().any(|circuit| circuit.open.is_some()))
}

/// Whether trunk's gate has a step of that name: one that is gone is waited for by nobody.
pub(crate) fn has(ralph: &Ralph, step: &str) -> bool {
    match step {
        gate::SETUP => !ralph.setup.is_empty(),
        step => ralph.steps.iter().any(|own| own.name == step),
    }
}

/// Changes the breakers.
pub(crate) fn change_breakers(cx: &Ctx, edit: impl FnOnce(&mut Breakers)) -> Result<(), OpError> {
    change(cx, BREAKERS, |all: &mut Breakers| {
        edit(all);
        all.retain(|_, circuit| *circuit != Circuit::default());
    })
}

/// Closes the breaker of `step`, or all (None), for a person. Returns the steps whose breaker is closed by it.
pub fn reset(cx: &Ctx, step: Option<&str>) -> Result<Vec<String>, OpError> {
    people::refuse_agents(cx, "close a breaker")?;
    let mut closed = Vec::new();
    change_breakers(cx, |all| {
        all.retain(|name, circuit| {
            let asked = step.is_none_or(|step| step == name);
            closed.extend(Some(name.clone()).filter(|_| asked && circuit.open.is_some()));
            !asked
        });
    })?;
    match step {
        Some(step) if closed.is_empty() => {
            let fact = format!("no breaker of a step `{step}` is open");
            Err(Refused::new(Because::Usage, "breaker.closed", fact).next("git orch status").into())
        }
        Some(_) | None => Ok(closed),
    }
}

/// The tests that flaked in this clone, the most often first.
pub fn flakes(cx: &Ctx) -> Result<Vec<Flake>, OpError> {
    let flakes: Flakes = read(cx, FLAKES)?;
    Ok(flakes.list().into_iter().cloned().collect())
}

/// A run of the gate while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// What was begun: only that was run, whatever else has a result.
    begun: BTreeSet<String>,
    tries: BTreeMap<String, Vec<Try>>,
}

/// Under which gate a tree was judged.
pub(crate) struct Judged<'a> {
    pub(crate) tree: &'a Oid,
    pub(crate) gate: &'a str,
    pub(crate) ralph: &'a Ralph,
}

impl Watch {
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::SetupStarted { .. } => {
                self.begun.insert(gate::SETUP.to_owned());
            }
            Event::StepStarted { name, .. } => {
                self.begun.insert(name.clone());
            }
            Event::StepRetried { name, report, .. } => self.tried(name, report),
            Event::StepFinished { result } if result.word != Word::Blocked => {
                if let Some(report) = &result.report {
                    self.tried(&result.name, report);
                }
            }
            Event::StepFinished { .. }
            | Event::SetupLine { .. }
            | Event::SetupFinished { .. }
            | Event::StepLine { .. }
            | Event::Stopping => {}
        }
    }

    fn tried(&mut self, step: &str, report: &StepReport) {
        if self.begun.contains(step)
            && let Some(this) = Try::of(report)
        {
            self.tries.entry(step.to_owned()).or_default().push(this);
        }
    }

    /// Writes down what the run came to. That it can't be is no reason to have no verdict.
    pub(crate) fn keep(self, cx: &Ctx, judged: &Judged<'_>, outcome: &Outcome) {
        if outcome.stop.is_some() || people::agent_above(cx).is_some() {
            return;
        }
        let kept = self.keep_breakers(cx, judged.ralph, outcome).and_then(|()| self.keep_flakes(cx, judged));
        if let Err(error) = kept {
            tracing::warn!(%error, "breakers and flakes are not kept");
        }
    }

    fn keep_breakers(&self, cx: &Ctx, ralph: &Ralph, outcome: &Outcome) -> Result<(), OpError> {
        let (limits, now) = (limits(ralph), cx.clock.now());
        change_breakers(cx, |all| {
            for step in outcome.steps.iter().filter(|step| self.begun.contains(&step.name)) {
                let came = match step.word {
                    Word::Pass | Word::Fail => Came::Judged,
                    Word::Blocked => Came::Blocked(step.reason.as_deref().unwrap_or_default()),
                };
                let circuit = all.entry(step.name.clone()).or_default();
                *circuit = circuit.after(came, limits, now);
            }
            // Without any step it is one that can't be read.
            all.retain(|step, _| ralph.steps.is_empty() || has(ralph, step));
        })
    }

    fn keep_flakes(&self, cx: &Ctx, judged: &Judged<'_>) -> Result<(), OpError> {
        if self.tries.is_empty() {
            return Ok(());
        }
        let (now, tree, gate) = (cx.clock.now(), judged.tree.to_string(), judged.gate.to_owned());
        change(cx, FLAKES, |flakes: &mut Flakes| {
            for (step, tries) in &self.tries {
                let place = Place { step: step.clone(), gate: gate.clone(), tree: tree.clone() };
                flakes.observe(&place, tries, now);
            }
        })
    }
}
