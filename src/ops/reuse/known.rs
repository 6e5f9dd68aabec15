//! The PASSes that count for a tree, and what is left to run.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::domain::oid::Oid;
use crate::domain::pass::StepPass;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{StepResult, Trust, Verdict, Word};
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
    /// Where none counts: the latest under the same key, and why it does not.
    pub(crate) declined: Vec<Option<(StepPass, Objection)>>,
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

/// The PASS that counts; else the latest that does not, and why.
type Found = (Option<StepPass>, Option<(StepPass, Objection)>);

/// Why a PASS under the same key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// It is older than `ralph.max_age`, or made by a clock that is ahead.
    Age,
    /// It ran in less of a sandbox than `policy.sandbox` demands.
    Trust,
    /// A later run with the same key failed.
    Refuted,
    /// It ran on another tree than the one that is judged, and on none that trunk had.
    History,
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
    let mut known = vec![None; keyed.len()];
    let mut declined = vec![None; keyed.len()];
    if counts {
        let snapshot = cx.snapshot()?;
        let mut found = Counting::new(cx, &snapshot, request, config)?;
        for (index, keyed) in keyed.iter().enumerate() {
            (known[index], declined[index]) = found.pass(&snapshot, &keyed.key)?;
        }
    }
    let there: Vec<bool> = known.iter().map(Option::is_some).collect();
    Ok(Reuse { due: gate::due(&definition.steps, &there), keyed, known, declined })
}

/// When a step's key was refuted last, by whoever this machine's key speaks for.
fn refuted(snapshot: &Snapshot<'_>, verifier: &VerifierKey, key: &str) -> Result<Option<Timestamp>, OpError> {
    let said = snapshot.refutations(key)?;
    let ours = said.iter().filter(|said| is_sealed(said, verifier, key) && said.refuted);
    Ok(ours.map(|said| said.made).max())
}

fn is_sealed(pass: &StepPass, verifier: &VerifierKey, key: &str) -> bool {
    pass.key == key && verifier.verify_bytes(&pass.signed_bytes(), &pass.mac)
}

/// What says of a PASS that it is none: whoever recorded it, and by whatever clock.
pub(crate) fn against(cx: &Ctx, verifier: &VerifierKey, pass: &StepPass) -> StepPass {
    let made = cx.clock.now().max(pass.made.plus_millis(1));
    let mut against = StepPass { refuted: true, made, by: cx.actor.to_string(), ..pass.clone() };
    against.mac = verifier.sign_bytes(&against.signed_bytes());
    against
}

/// What is to be said against a step's key that failed: nothing where no PASS under it counts.
pub(crate) fn against_key(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    verifier: &VerifierKey,
    key: &str,
) -> Result<Option<StepPass>, OpError> {
    let said = snapshot.step_passes(key)?;
    let ours = said.iter().filter(|pass| !pass.refuted && is_sealed(pass, verifier, key));
    let Some(last) = ours.max_by_key(|pass| pass.made) else { return Ok(None) };
    let is_known = refuted(snapshot, verifier, key)?.is_some_and(|at| at >= last.made);
    Ok((!is_known).then(|| against(cx, verifier, last)))
}

/// Whether a verdict speaks of a step's PASS that turned out to be none.
pub(crate) fn is_refuted(cx: &Ctx, snapshot: &Snapshot<'_>, verdict: &Verdict) -> Result<bool, OpError> {
    if !snapshot.has_refutations()? {
        return Ok(false);
    }
    let verifier = verifier(cx)?;
    for step in verdict.steps.iter().filter(|step| step.word == Word::Pass) {
        let Some(key) = &step.key else { continue };
        let ran = step.cached.unwrap_or(verdict.made);
        if refuted(snapshot, &verifier, key)?.is_some_and(|at| at >= ran) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Clocks of one machine's clones may be so far apart, in milliseconds.
const AHEAD: i64 = 5 * 60 * 1000;
/// So many of trunk's last commits are looked at.
const NEAR: usize = 512;

/// Which PASSes count for a request.
struct Counting<'a> {
    cx: &'a Ctx,
    config: &'a Config,
    key: VerifierKey,
    /// The tree that is judged, and that of the branch whose merge it is.
    own: BTreeSet<Oid>,
    /// Trees that trunk had, as far as they were looked at.
    trunk: BTreeSet<Oid>,
    /// Where trunk was before those.
    next: Option<Oid>,
}

impl<'a> Counting<'a> {
    fn new(
        cx: &'a Ctx,
        snapshot: &Snapshot<'_>,
        request: &Request,
        config: &'a Config,
    ) -> Result<Self, OpError> {
        let tips = [Some(&request.commit), request.branch_tip.as_ref()].into_iter().flatten();
        let own = tips.map(|tip| cx.repo.tree_of(tip)).collect::<Result<_, _>>()?;
        let next = cx.trunk(snapshot)?.tip().cloned();
        Ok(Self { cx, config, key: verifier(cx)?, own, trunk: BTreeSet::new(), next })
    }

    /// The latest PASS under a key that counts; else the latest that does not, and why.
    fn pass(&mut self, snapshot: &Snapshot<'_>, key: &str) -> Result<Found, OpError> {
        let mut found = snapshot.step_passes(key)?;
        found.retain(|pass| !pass.refuted && is_sealed(pass, &self.key, key));
        if found.is_empty() {
            return Ok((None, None));
        }
        found.sort_by_key(|pass| std::cmp::Reverse(pass.made));
        let refuted = refuted(snapshot, &self.key, key)?;
        let mut declined = None;
        for pass in found {
            match self.objection(&pass, refuted)? {
                None => return Ok((Some(pass), None)),
                Some(objection) => declined = declined.or(Some((pass, objection))),
            }
        }
        Ok((None, declined))
    }

    fn objection(
        &mut self,
        pass: &StepPass,
        refuted: Option<Timestamp>,
    ) -> Result<Option<Objection>, OpError> {
        let age = self.cx.clock.now().since(pass.made);
        let limit = i64::try_from(self.config.ralph.max_age.millis()).unwrap_or(i64::MAX);
        Ok(if age > limit || age < -AHEAD {
            Some(Objection::Age)
        } else if !sandbox::suffices(pass.trust, self.config.policy.sandbox) {
            Some(Objection::Trust)
        } else if refuted.is_some_and(|at| at >= pass.made) {
            Some(Objection::Refuted)
        } else if !self.is_of_this_history(pass)? {
            Some(Objection::History)
        } else {
            None
        })
    }

    /// Whether what ran beside the step is what is judged, or what trunk was: a run of anything else could have left a
    /// forged tool behind, by which the step passed.
    fn is_of_this_history(&mut self, pass: &StepPass) -> Result<bool, OpError> {
        if self.own.contains(&pass.tree) || self.trunk.contains(&pass.tree) {
            return Ok(true);
        }
        let repo = &self.cx.repo;
        while let Some(commit) = self.next.take().filter(|_| self.trunk.len() < NEAR) {
            let commit = repo.commit(&commit)?;
            // A shallow clone ends somewhere.
            self.next = commit.parents.into_iter().next().filter(|parent| repo.has_object(parent));
            let found = commit.tree == pass.tree;
            self.trunk.insert(commit.tree);
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
