//! The PASSes that count for a tree, and what is left to run.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::domain::oid::Oid;
use crate::domain::pass::StepPass;
use crate::domain::verdict::{StepResult, Trust, Word};
use crate::gate::{self, Definition, VerifierKey};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::request::Request;
use crate::ops::reuse::keys::{Keyed, keys};
use crate::ops::sandbox;
use crate::ops::seal::verifier;
use crate::store::Snapshot;
use crate::sys::env::var;

/// What of a gate has to run on a tree.
#[derive(Clone, Debug)]
pub(crate) struct Reuse {
    /// The steps' keys, in the definition's order.
    pub(crate) keyed: Vec<Keyed>,
    /// Their recorded PASSes.
    pub(crate) known: Vec<Option<StepPass>>,
    /// Which of them have to run all the same.
    pub(crate) due: Vec<bool>,
}

impl Reuse {
    /// For each step, what it came to where it need not run.
    pub(crate) fn results(&self, definition: &Definition) -> Vec<Option<StepResult>> {
        let steps = definition.steps.iter().zip(&self.known).zip(&self.due);
        steps
            .map(|((step, known), due)| {
                known.as_ref().filter(|_| !due).map(|pass| result_of(pass, step.kind.as_str()))
            })
            .collect()
    }

    /// The programs that steps find, by name.
    pub(crate) fn programs(&self) -> BTreeMap<String, String> {
        let all = self.keyed.iter().flat_map(|keyed| &keyed.inputs.tools);
        let is_program = |name: &str| !name.contains('/') && name != var::PATH;
        all.filter(|(name, _)| is_program(name)).map(|(name, what)| (name.clone(), what.clone())).collect()
    }

    /// The least that a step whose result is taken ran in; None if none is taken.
    pub(crate) fn trust(&self) -> Option<Trust> {
        let taken = self.known.iter().zip(&self.due).filter(|(_, due)| !**due);
        taken.filter_map(|(known, _)| known.as_ref()).map(|pass| pass.trust).reduce(Trust::least)
    }
}

/// A step's result, taken from its recorded PASS.
pub(crate) fn result_of(pass: &StepPass, kind: &str) -> StepResult {
    StepResult {
        name: pass.step.clone(),
        kind: kind.to_owned(),
        word: Word::Pass,
        reason: None,
        millis: pass.millis,
        exit: Some(0),
        tail: String::new(),
        report: pass.report.clone(),
        key: Some(pass.key.clone()),
        cached: Some(pass.made),
    }
}

/// What of `definition` has to run for `request` on `tree`. With `counts` false: all.
pub(crate) fn reuse(
    cx: &Ctx,
    (request, config): (&Request, &Config),
    tree: &Oid,
    definition: &Definition,
    counts: bool,
) -> Result<Reuse, OpError> {
    let keyed = keys(cx, tree, definition)?;
    let known = if counts {
        let mut found = Counting { cx, request, config, key: verifier(cx)?, part_of: BTreeMap::new() };
        let snapshot = cx.snapshot()?;
        keyed.iter().map(|keyed| found.pass(&snapshot, &keyed.key)).collect::<Result<_, _>>()?
    } else {
        vec![None; keyed.len()]
    };
    let there: Vec<bool> = known.iter().map(Option::is_some).collect();
    Ok(Reuse { due: gate::due(&definition.steps, &there), keyed, known })
}

/// Which PASSes count for a request.
struct Counting<'a> {
    cx: &'a Ctx,
    request: &'a Request,
    config: &'a Config,
    key: VerifierKey,
    /// Whether commits are part of the history that is judged.
    part_of: BTreeMap<Oid, bool>,
}

impl Counting<'_> {
    /// The latest PASS under a key that counts.
    fn pass(&mut self, snapshot: &Snapshot<'_>, key: &str) -> Result<Option<StepPass>, OpError> {
        let mut latest: Option<StepPass> = None;
        let mut found = snapshot.step_passes(key)?;
        found.retain(|pass| pass.key == key && self.key.verify_bytes(&pass.signed_bytes(), &pass.mac));
        let refuted = found.iter().filter(|pass| pass.refuted).map(|pass| pass.made).max();
        for pass in found.into_iter().filter(|pass| !pass.refuted && refuted.is_none_or(|at| at < pass.made))
        {
            let age = self.cx.clock.now().since(pass.made);
            let limit = i64::try_from(self.config.ralph.max_age.millis()).unwrap_or(i64::MAX);
            let held = sandbox::suffices(pass.trust, self.config.policy.sandbox);
            let later = latest.as_ref().is_none_or(|latest| latest.made < pass.made);
            if age <= limit && held && later && self.is_of_this_history(&pass)? {
                latest = Some(pass);
            }
        }
        Ok(latest)
    }

    fn is_of_this_history(&mut self, pass: &StepPass) -> Result<bool, OpError> {
        if pass.task.is_some() && pass.task == self.request.task {
            return Ok(true);
        }
        if let Some(&known) = self.part_of.get(&pass.commit) {
            return Ok(known);
        }
        let repo = &self.cx.repo;
        let mut is_part = false;
        // A commit of another clone may not be here, and then is no part of what is.
        if repo.has_object(&pass.commit) {
            for tip in [Some(&self.request.commit), self.request.branch_tip.as_ref()].into_iter().flatten() {
                is_part = is_part || repo.is_ancestor(&pass.commit, tip)?;
            }
        }
        self.part_of.insert(pass.commit.clone(), is_part);
        Ok(is_part)
    }
}
