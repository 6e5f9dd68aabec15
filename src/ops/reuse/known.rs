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

/// What is said against PASSes under a step's key, by whoever this machine's key speaks for.
fn refutations(snapshot: &Snapshot<'_>, verifier: &VerifierKey, key: &str) -> Result<Vec<StepPass>, OpError> {
    let mut said = snapshot.refutations(key)?;
    said.retain(|said| is_sealed(said, verifier, key) && said.refuted);
    Ok(said)
}

/// Whether what is said speaks of a PASS from `made` in a run of this trust: not where it failed in less of a sandbox.
fn outweighs(said: &StepPass, made: Timestamp, trust: Trust) -> bool {
    said.made >= made && trust.least(said.trust) == trust
}

/// Whether any of that, where it failed counts for whoever asks, speaks of such a PASS.
fn is_outweighed(
    cx: &Ctx,
    history: &mut History,
    said: &[StepPass],
    (made, trust): (Timestamp, Trust),
) -> Result<bool, OpError> {
    for said in said.iter().filter(|said| outweighs(said, made, trust)) {
        if history.has(cx, &said.tree)? {
            return Ok(true);
        }
    }
    Ok(false)
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

/// What the steps that failed in a run of this trust say against earlier PASSes that would have been taken for them.
/// It is said of the tree that they failed on: as with a PASS, what ran beside anything else than what is judged, or
/// what trunk had, counts for nothing.
pub(crate) fn against_earlier(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    (request, verdict): (&Request, &Verdict),
    trust: Trust,
) -> Result<Vec<StepPass>, OpError> {
    let mut failed = verdict.steps.iter().filter(|step| step.word == Word::Fail).peekable();
    if failed.peek().is_none() {
        return Ok(Vec::new());
    }
    let verifier = verifier(cx)?;
    let mut history = History::of_request(cx, snapshot, request)?;
    let mut all = Vec::new();
    for key in failed.filter_map(|step| step.key.as_ref()) {
        let mut last: Option<StepPass> = None;
        for pass in snapshot.step_passes(key)? {
            let counts =
                !pass.refuted && is_sealed(&pass, &verifier, key) && pass.trust.least(trust) == pass.trust;
            if counts
                && last.as_ref().is_none_or(|last| last.made < pass.made)
                && history.has(cx, &pass.tree)?
            {
                last = Some(pass);
            }
        }
        let Some(last) = last else { continue };
        let said = refutations(snapshot, &verifier, key)?;
        if said.iter().any(|said| said.tree == verdict.tree && outweighs(said, last.made, last.trust)) {
            continue;
        }
        let here = StepPass { commit: request.commit.clone(), tree: verdict.tree.clone(), trust, ..last };
        all.push(against(cx, &verifier, &here));
    }
    Ok(all)
}

/// Whether a verdict speaks of a step's PASS that turned out to be none.
pub(crate) fn is_refuted(cx: &Ctx, snapshot: &Snapshot<'_>, verdict: &Verdict) -> Result<bool, OpError> {
    if !snapshot.has_refutations()? {
        return Ok(false);
    }
    let verifier = verifier(cx)?;
    let mut history = History::new(cx, snapshot, BTreeSet::from([verdict.tree.clone()]))?;
    for step in verdict.steps.iter().filter(|step| step.word == Word::Pass) {
        let Some(key) = &step.key else { continue };
        let ran = step.cached.unwrap_or(verdict.made);
        let said = refutations(snapshot, &verifier, key)?;
        if is_outweighed(cx, &mut history, &said, (ran, verdict.trust))? {
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
    history: History,
}

impl<'a> Counting<'a> {
    fn new(
        cx: &'a Ctx,
        snapshot: &Snapshot<'_>,
        request: &Request,
        config: &'a Config,
    ) -> Result<Self, OpError> {
        Ok(Self { cx, config, key: verifier(cx)?, history: History::of_request(cx, snapshot, request)? })
    }

    /// The latest PASS under a key that counts; else the latest that does not, and why.
    fn pass(&mut self, snapshot: &Snapshot<'_>, key: &str) -> Result<Found, OpError> {
        let mut found = snapshot.step_passes(key)?;
        found.retain(|pass| !pass.refuted && is_sealed(pass, &self.key, key));
        if found.is_empty() {
            return Ok((None, None));
        }
        found.sort_by_key(|pass| std::cmp::Reverse(pass.made));
        let said = refutations(snapshot, &self.key, key)?;
        let mut declined = None;
        for pass in found {
            match self.objection(&pass, &said)? {
                None => return Ok((Some(pass), None)),
                Some(objection) => declined = declined.or(Some((pass, objection))),
            }
        }
        Ok((None, declined))
    }

    fn objection(&mut self, pass: &StepPass, said: &[StepPass]) -> Result<Option<Objection>, OpError> {
        let age = self.cx.clock.now().since(pass.made);
        let limit = i64::try_from(self.config.ralph.max_age.millis()).unwrap_or(i64::MAX);
        Ok(if age > limit || age < -AHEAD {
            Some(Objection::Age)
        } else if !sandbox::suffices(pass.trust, self.config.policy.sandbox) {
            Some(Objection::Trust)
        } else if is_outweighed(self.cx, &mut self.history, said, (pass.made, pass.trust))? {
            Some(Objection::Refuted)
        } else if !self.history.has(self.cx, &pass.tree)? {
            Some(Objection::History)
        } else {
            None
        })
    }
}

/// The trees beside which steps may have run whose results count.
struct History {
    /// The tree that is judged, and that of the branch whose merge it is.
    own: BTreeSet<Oid>,
    /// Trees that trunk had, as far as they were looked at.
    trunk: BTreeSet<Oid>,
    /// Where trunk was before those.
    next: Option<Oid>,
}

impl History {
    fn new(cx: &Ctx, snapshot: &Snapshot<'_>, own: BTreeSet<Oid>) -> Result<Self, OpError> {
        let next = cx.trunk(snapshot)?.tip().cloned();
        Ok(Self { own, trunk: BTreeSet::new(), next })
    }

    fn of_request(cx: &Ctx, snapshot: &Snapshot<'_>, request: &Request) -> Result<Self, OpError> {
        let tips = [Some(&request.commit), request.branch_tip.as_ref()].into_iter().flatten();
        let own = tips.map(|tip| cx.repo.tree_of(tip)).collect::<Result<_, _>>()?;
        Self::new(cx, snapshot, own)
    }

    /// Whether what ran beside the step is what is judged, or what trunk was: a run of anything else could have left a
    /// forged tool behind, by which the step passed, or what makes it fail.
    fn has(&mut self, cx: &Ctx, tree: &Oid) -> Result<bool, OpError> {
        if self.own.contains(tree) || self.trunk.contains(tree) {
            return Ok(true);
        }
        let repo = &cx.repo;
        while let Some(commit) = self.next.take().filter(|_| self.trunk.len() < NEAR) {
            let commit = repo.commit(&commit)?;
            // A shallow clone ends somewhere.
            self.next = commit.parents.into_iter().next().filter(|parent| repo.has_object(parent));
            let found = commit.tree == *tree;
            self.trunk.insert(commit.tree);
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pass::StepInputs;

    #[test]
    fn what_failed_in_less_of_a_sandbox_speaks_against_nothing_that_passed_in_more() {
        let pass = |trust: Trust, made: i64| StepPass {
            key: "k".into(),
            step: "t".into(),
            commit: Oid::parse(&"1".repeat(40)).unwrap(),
            tree: Oid::parse(&"2".repeat(40)).unwrap(),
            inputs: StepInputs::default(),
            trust,
            millis: 5,
            report: None,
            refuted: true,
            made: Timestamp::from_millis(made),
            by: "person:ann".into(),
            mac: String::new(),
        };
        let all = [Trust::Unsandboxed, Trust::Partial, Trust::Sandboxed];
        for (rank, failed) in all.into_iter().enumerate() {
            for (passed, trust) in all.into_iter().enumerate() {
                let at = |made: i64| outweighs(&pass(failed, 5), Timestamp::from_millis(made), trust);
                assert_eq!(at(5), rank >= passed, "{failed:?} against {trust:?}");
                assert!(!at(6), "it passed later");
            }
        }
    }
}
