//! Ralph: judging a commit's tree, and looking recorded verdicts up.
//!
//! The gate is that of the policy tip. A commit that changes the gate itself is BLOCKED by `gate.changed` until a
//! person approves that tree; then it is judged by trunk's gate and by its own. One that brings in what a guardrail
//! forbids is BLOCKED at once. Both are looked at each time, whatever is recorded: they are about a change, and verdicts
//! about a tree.

use crate::config::{Accept, Config, Moment};
use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Scope, Verdict, Word};
use crate::gate::{self, Base, Definition, Outcome, rule};
use crate::ops::approvals;
pub use crate::ops::asked::{Asked, asked, commit_of, detect, dirty_here, gate_in_force, have_steps};
use crate::ops::compared::Compared;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::ops::gateless;
use crate::ops::guardrails::{self, Guarded, Marks, Question};
pub(crate) use crate::ops::judging::jobs;
use crate::ops::judging::{Case, Said, counting, record, run, unsealed};
use crate::ops::people;
use crate::ops::progress::{Event, Sink};
use crate::ops::regress;
pub use crate::ops::request::{Recorded, Request};
use crate::ops::reuse;
use crate::ops::sandbox;
use crate::ops::sign;
use crate::store::Snapshot;

/// What a commit was judged to be.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The commit.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// The word over all verdicts.
    pub word: Word,
    /// By trunk's gate, and by the commit's own where that differs and was approved.
    pub verdicts: Vec<Verdict>,
    /// Whose gate each of these is by, where both judge; else empty.
    pub gates: Vec<Whose>,
    /// What guardrails say of the change. A hit decides, and then no step was run.
    pub guarded: Guarded,
    /// Whether all of them were looked up.
    pub recorded: bool,
    /// Whether the run was stopped: then nothing is known, and nothing was recorded.
    pub stop: Option<gate::Stop>,
}

/// Whose gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Trunk's.
    Trunk,
    /// That of the commit, which changes it.
    Own,
}

impl Whose {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Own => "own",
        }
    }
}

impl Judged {
    /// The verdict that decided: the first that is not PASS, else the first.
    pub fn deciding(&self) -> Option<&Verdict> {
        self.verdicts.get(self.place())
    }

    /// Whose gate that verdict is by, where both judge.
    pub fn whose(&self) -> Option<Whose> {
        self.gates.get(self.place()).copied()
    }

    fn place(&self) -> usize {
        self.verdicts.iter().position(|v| v.word == self.word).unwrap_or(0)
    }

    /// The rule that decided, if no step did.
    pub fn rule(&self) -> Option<&str> {
        self.deciding()?.rule.as_deref()
    }
}

/// Which gate judges a commit.
enum Gates {
    /// These, each with the part of it that applies; what guardrails let through.
    Judge(Vec<(Whose, Definition)>, Guarded),
    /// None: nobody approved what the commit changes.
    Unapproved(Outcome, Guarded),
}

fn gates(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    trunk: &Trunk,
    request: &Request,
    config: &Config,
) -> Result<Gates, OpError> {
    let compared = Compared::of(cx, trunk, &request.commit)?;
    let branch_tip = request.branch_tip.as_ref();
    let changed = compared.gate_files(cx)?;
    let branch = branch_tip.filter(|_| !changed.is_empty()).map(|tip| Compared::of(cx, trunk, tip));
    let branch = branch.transpose()?;
    if !changed.is_empty() && !approvals::of_gate(cx, snapshot, &compared, branch.as_ref())? {
        return Ok(Gates::Unapproved(gate_changed(&changed), Guarded::default()));
    }
    let marks = if request.recorded == Recorded::Counts { Marks::Count } else { Marks::Ignored };
    let question = Question { compared: &compared, branch_tip, policy: &config.policy, marks };
    let guarded = guardrails::judge(cx, snapshot, trunk, &question)?;
    if let Some((rule, fact)) = guarded.fact() {
        return Ok(Gates::Unapproved(Outcome::blocked(rule, fact), guarded));
    }
    let own = if changed.is_empty() { None } else { Some(cx.config_at(&request.commit)?) };
    Ok(Gates::Judge(parts(request, config, own.as_ref()), guarded))
}

/// The parts of trunk's gate, and of the commit's own where it has one, that apply.
pub(crate) fn parts(request: &Request, config: &Config, own: Option<&Config>) -> Vec<(Whose, Definition)> {
    let part = |config: &Config| {
        let part = Definition::of(config).select(request.moment, request.team);
        if request.steps.is_empty() { part } else { part.only(&request.steps) }
    };
    let mut list = vec![(Whose::Trunk, part(config))];
    if let Some(own) = own {
        list.push((Whose::Own, part(own)));
        // A trunk without a gate can't judge; an own gate that is empty adds nothing.
        if list.iter().any(|(_, d)| !d.steps.is_empty()) {
            list.retain(|(_, d)| !d.steps.is_empty());
        }
        list.dedup_by(|(_, own), (_, trunk)| own.hash() == trunk.hash());
    }
    list
}

/// Whose gates these are, where there are two.
fn both(list: &[(Whose, Definition)]) -> Vec<Whose> {
    if list.len() < 2 { Vec::new() } else { list.iter().map(|(whose, _)| *whose).collect() }
}

fn gate_changed(paths: &[String]) -> Outcome {
    let shown = paths.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    let more = if paths.len() > 3 { format!(" and {} more", paths.len() - 3) } else { String::new() };
    Outcome::blocked(approvals::GATE, format!("it changes {shown}{more}"))
}

/// Trunk's configuration. Where that can't be used, a commit that changes the gate is judged all the same: by its own
/// gate once a person approved it. Nothing else could mend trunk.
pub(crate) fn config_in_force(cx: &Ctx, trunk: &Trunk, commit: &Oid) -> Result<Config, OpError> {
    match cx.config(trunk) {
        Err(OpError::Config { .. }) if !Compared::of(cx, trunk, commit)?.gate_files(cx)?.is_empty() => {
            Ok(Config::default())
        }
        other => other,
    }
}

/// A recorded verdict of this clone for a tree under a gate, not older than `ralph.max_age`.
fn look_up(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    tree: &Oid,
    definition: &Definition,
    config: &Config,
) -> Result<Option<Verdict>, OpError> {
    let gate = definition.hash();
    let key = gate::key(tree, &gate, Base::Absolute);
    let Some(verdict) = counting(cx, snapshot, &key)? else { return Ok(None) };
    // A verdict is as old as the oldest run that it speaks of.
    let ran = verdict.steps.iter().filter_map(|step| step.cached).fold(verdict.made, Timestamp::min);
    let age = cx.clock.now().since(ran);
    let limit = i64::try_from(config.ralph.max_age.millis()).unwrap_or(i64::MAX);
    let held = sandbox::suffices(verdict.trust, config.policy.sandbox);
    let lapsed = definition.ended_between(verdict.made, cx.clock.now());
    let matches = verdict.tree == *tree && verdict.gate == gate && age <= limit && held && !lapsed;
    if !matches || reuse::is_refuted(cx, snapshot, &verdict)? {
        return Ok(None);
    }
    Ok(Some(verdict))
}

/// Judges a commit without running anything: recorded verdicts, or None where a step would have to run.
pub fn recorded(cx: &Ctx, request: &Request) -> Result<Option<Judged>, OpError> {
    // BLOCKED says that nothing was judged: it is no reason not to try again.
    let in_vain = |verdict: &Verdict| verdict.word == Word::Blocked && !verdict.mac.is_empty();
    Ok(last(cx, request)?.filter(|judged| !judged.verdicts.iter().any(in_vain)))
}

/// What is on record about a commit, a BLOCKED that the next run would try to better included.
pub fn last(cx: &Ctx, request: &Request) -> Result<Option<Judged>, OpError> {
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let config = config_in_force(cx, &trunk, &request.commit)?;
    let tree = cx.repo.tree_of(&request.commit)?;
    let (definitions, guarded) = match gates(cx, &snapshot, &trunk, request, &config)? {
        Gates::Judge(list, guarded) => (list, guarded),
        Gates::Unapproved(why, guarded) => return Ok(Some(unapproved(cx, request, &why, guarded)?)),
    };
    let mut verdicts = Vec::new();
    let base = regress::base_of(cx, &trunk, &request.commit)?;
    for (_, definition) in &definitions {
        if definition.steps.is_empty() {
            let outcome = Outcome::blocked(rule::NO_STEPS, gateless::fact(cx, &trunk)?);
            verdicts.push(unsealed(cx, &outcome, &tree, definition));
            continue;
        }
        let Some(verdict) = look_up(cx, &snapshot, &tree, definition, &config)? else { return Ok(None) };
        verdicts.push(match base_verdict(cx, &snapshot, base.as_ref(), definition)? {
            Some(base) => regress::beside(cx, &config, verdict, &base)?,
            None => verdict,
        });
    }
    Ok(Some(Judged { gates: both(&definitions), guarded, ..judged(request, tree, verdicts, true) }))
}

/// The failing steps of a verdict that fail on trunk as well, as far as that is on record: nobody's change makes them pass.
pub fn failing_on_trunk(cx: &Ctx, judged: &Judged) -> Result<Option<(String, Vec<String>)>, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let Some(tip) = trunk.tip() else { return Ok(None) };
    let Some(on_trunk) = last(cx, &Request::new(tip.clone(), Moment::Merge))? else { return Ok(None) };
    let failing = |judged: &Judged| -> Vec<String> {
        let steps = judged.verdicts.iter().flat_map(|verdict| &verdict.steps);
        steps.filter(|step| step.word == Word::Fail).map(|step| step.name.clone()).collect()
    };
    let there = failing(&on_trunk);
    let both: Vec<String> = failing(judged).into_iter().filter(|step| there.contains(step)).collect();
    Ok((!both.is_empty()).then(|| (trunk.tip_name().to_owned(), both)))
}

/// The PASS that a merge commit got before it was landed, under the gate that was in force then: that of its first
/// parent, and its own where it changed it. None if one of them is not recorded.
pub(crate) fn passed_when_merged(cx: &Ctx, request: &Request) -> Result<Option<Judged>, OpError> {
    let snapshot = cx.snapshot()?;
    let Some(before) = cx.repo.commit(&request.commit)?.parents.into_iter().next() else { return Ok(None) };
    let tree = cx.repo.tree_of(&request.commit)?;
    let mut verdicts = Vec::new();
    for gate in [&before, &request.commit] {
        let config = cx.config_at(gate)?;
        let definition = Definition::of(&config).select(request.moment, request.team);
        if definition.steps.is_empty() || verdicts.iter().any(|v: &Verdict| v.gate == definition.hash()) {
            continue;
        }
        match look_up(cx, &snapshot, &tree, &definition, &config)? {
            Some(verdict) if verdict.word == Word::Pass => verdicts.push(verdict),
            Some(_) | None => match no_worse(cx, &snapshot, (&tree, &before), &definition, &config)? {
                Some(verdict) => verdicts.push(verdict),
                None => return Ok(None),
            },
        }
    }
    Ok((!verdicts.is_empty()).then(|| judged(request, tree, verdicts, true)))
}

/// The recorded PASS of a tree beside its base, where such a one is accepted.
fn no_worse(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    (tree, base): (&Oid, &Oid),
    definition: &Definition,
    config: &Config,
) -> Result<Option<Verdict>, OpError> {
    if config.ralph.accept != Accept::NoRegressions {
        return Ok(None);
    }
    let base = cx.repo.tree_of(base)?;
    let verdict = counting(cx, snapshot, &gate::key(tree, &definition.hash(), Base::Tree(&base)))?;
    Ok(verdict.filter(|verdict| verdict.word == Word::Pass && verdict.tree == *tree))
}

/// Judges a commit: by a recorded verdict, else by running the steps on a clean checkout of its tree.
pub fn judge(cx: &Ctx, request: &Request, sink: &mut Sink<'_>) -> Result<Judged, OpError> {
    if request.recorded == Recorded::Counts
        && let Some(judged) = recorded(cx, request)?
    {
        return Ok(judged);
    }
    let snapshot = cx.snapshot()?;
    let trunk = cx.trunk(&snapshot)?;
    let config = config_in_force(cx, &trunk, &request.commit)?;
    let tree = cx.repo.tree_of(&request.commit)?;
    let (definitions, guarded) = match gates(cx, &snapshot, &trunk, request, &config)? {
        Gates::Judge(list, guarded) => (list, guarded),
        Gates::Unapproved(why, guarded) => return unapproved(cx, request, &why, guarded),
    };
    let base = regress::base_of(cx, &trunk, &request.commit)?;
    let mut verdicts = Vec::new();
    let gates = both(&definitions);
    for (whose, definition) in &definitions {
        if !gates.is_empty() {
            let text = match whose {
                Whose::Trunk => "judging by trunk's gate",
                Whose::Own => "judging by its own gate",
            };
            sink(Event::Note { task: request.task.clone(), text: text.to_owned() });
        }
        let (verdict, stop) = if definition.steps.is_empty() {
            let outcome = Outcome::blocked(rule::NO_STEPS, gateless::fact(cx, &trunk)?);
            (unsealed(cx, &outcome, &tree, definition), None)
        } else {
            let case = Case { request, tree: &tree, config: &config };
            let (verdict, stop) = run(cx, &case, definition, sink)?;
            match stop {
                None => (compared(cx, &case, base.as_ref(), (definition, verdict), sink)?, None),
                Some(_) => (verdict, stop),
            }
        };
        verdicts.push(verdict);
        if stop.is_some() {
            return Ok(Judged { gates, guarded, stop, ..judged(request, tree, verdicts, false) });
        }
    }
    Ok(Judged { gates, guarded, ..judged(request, tree, verdicts, false) })
}

fn judged(request: &Request, tree: Oid, verdicts: Vec<Verdict>, recorded: bool) -> Judged {
    let word = verdicts.iter().map(|v| v.word).reduce(Word::and).unwrap_or(Word::Blocked);
    let (commit, guarded) = (request.commit.clone(), Guarded::default());
    Judged { commit, tree, word, verdicts, gates: Vec::new(), guarded, recorded, stop: None }
}

fn unapproved(cx: &Ctx, request: &Request, why: &Outcome, guarded: Guarded) -> Result<Judged, OpError> {
    let tree = cx.repo.tree_of(&request.commit)?;
    let verdict = unsealed(cx, why, &tree, &Definition::default());
    Ok(Judged { guarded, ..judged(request, tree, vec![verdict], false) })
}

/// The verdict on the base of a commit that is on record.
fn base_verdict(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    base: Option<&Oid>,
    definition: &Definition,
) -> Result<Option<Verdict>, OpError> {
    let Some(base) = base else { return Ok(None) };
    let tree = cx.repo.tree_of(base)?;
    counting(cx, snapshot, &gate::key(&tree, &definition.hash(), Base::Absolute))
}

/// An event of a run that is made for a task's sake.
fn of_task(event: Event, task: Option<&TaskId>) -> Event {
    match event {
        Event::Gate { task: None, event } => Event::Gate { task: task.cloned(), event },
        Event::Note { task: None, text } => Event::Note { task: task.cloned(), text },
        event => event,
    }
}

/// A verdict that was just made, beside that on its base. Where only old failures may be the difference, a base that was
/// never judged is judged now.
fn compared(
    cx: &Ctx,
    case: &Case<'_>,
    base: Option<&Oid>,
    (definition, verdict): (&Definition, Verdict),
    sink: &mut Sink<'_>,
) -> Result<Verdict, OpError> {
    let Some(commit) = base else { return Ok(verdict) };
    let mut judged = base_verdict(cx, &cx.snapshot()?, base, definition)?;
    let wanted = verdict.word == Word::Fail && case.config.ralph.accept == Accept::NoRegressions;
    if judged.is_none() && wanted {
        let tree = cx.repo.tree_of(commit)?;
        let task = case.request.task.clone();
        // What this task's branch recorded must not decide what is said of trunk, to everybody.
        let request =
            Request { commit: commit.clone(), branch_tip: None, task: None, ..case.request.clone() };
        let text = "judging the base, to tell old failures from new ones".to_owned();
        sink(Event::Note { task: task.clone(), text });
        let mut sink = |event| sink(of_task(event, task.as_ref()));
        let (base, stop) = run(cx, &Case { request: &request, tree: &tree, ..*case }, definition, &mut sink)?;
        judged = stop.is_none().then_some(base);
    }
    let Some(base) = judged else { return Ok(verdict) };
    let mut beside = regress::beside(cx, case.config, verdict, &base)?;
    if beside.scope == Scope::NoRegressions && people::agent_above(cx).is_none() {
        if let Some(why) = sign::sign(cx, &mut beside)? {
            tracing::warn!(%why, "the verdict is not signed");
        }
        record(cx, case.request, &beside, &Said::default())?;
    }
    Ok(beside)
}
