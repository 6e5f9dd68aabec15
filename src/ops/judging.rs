//! A run of the gate for a verdict, and its record.
//!
//! Steps whose PASS is on record under the same key are not run (`reuse`); where that holds for all of them, there is no
//! checkout, no sandbox and no setup either.

use std::collections::BTreeMap;

use crate::config::{Accept, Config};
use crate::domain::oid::Oid;
use crate::domain::pass::StepPass;
use crate::domain::verdict::{Scope, StepResult, Trust, Verdict, Word};
use crate::gate::{self, Base, Definition, Outcome, RunContext, Subject, rule};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::logs;
use crate::ops::observed::{self, Watch};
use crate::ops::people;
use crate::ops::progress::{Event, Sink};
use crate::ops::regress;
use crate::ops::request::{Recorded, Request};
use crate::ops::reuse::{self, Reuse};
use crate::ops::sandbox::{self, Site};
use crate::ops::seal::verifier;
use crate::ops::sign::{self, Signers};
use crate::policy::grant::Action;
use crate::store::{Change, Snapshot};
use crate::sys::process::Limits;

/// Of the verdicts for a key that this machine's key sealed or an allowed signer signed, the one of the last run; of
/// those of the same run, made by clones that did not know of each other, one that is not PASS.
pub(super) fn counting(cx: &Ctx, snapshot: &Snapshot<'_>, key: &str) -> Result<Option<Verdict>, OpError> {
    // A damaged verdict is no verdict; `doctor` names it.
    let verdicts = snapshot.verdicts(key)?;
    if verdicts.is_empty() {
        return Ok(None);
    }
    let verifier = verifier(cx)?;
    let mut signers = Signers::new(cx, snapshot);
    let mut counting = Vec::new();
    for verdict in verdicts.into_iter().filter(|verdict| verdict.key == key) {
        if verifier.verify(&verdict) || signers.of(&verdict)?.is_some() {
            counting.push(verdict);
        }
    }
    Ok(counting.into_iter().max_by_key(|verdict| (verdict.run, verdict.word != Word::Pass, verdict.made)))
}

/// A verdict that is only told, never recorded.
pub(super) fn unsealed(cx: &Ctx, outcome: &Outcome, tree: &Oid, definition: &Definition) -> Verdict {
    let gate = definition.hash();
    Verdict {
        key: gate::key(tree, &gate, Base::Absolute),
        tree: tree.clone(),
        gate,
        word: outcome.word,
        scope: Scope::Absolute,
        rule: outcome.rule.clone(),
        fact: outcome.fact.clone(),
        trust: Trust::Unsandboxed,
        steps: outcome.steps.clone(),
        made: cx.clock.now(),
        run: 1,
        by: cx.actor.to_string(),
        tools: BTreeMap::new(),
        mac: String::new(),
        signature: None,
    }
}

/// What is judged, for whom, and under which configuration.
pub(super) struct Case<'a> {
    pub(super) request: &'a Request,
    pub(super) tree: &'a Oid,
    pub(super) config: &'a Config,
}

/// Judges a tree by running what has to run, and records that unless an agent runs it. With `Some`, it was stopped before
/// its end, and the verdict is only told.
pub(super) fn run(
    cx: &Ctx,
    case: &Case<'_>,
    definition: &Definition,
    sink: &mut Sink<'_>,
) -> Result<(Verdict, Option<gate::Stop>), OpError> {
    let Case { request, tree, config } = case;
    let counts = request.recorded == Recorded::Counts;
    let reuse = reuse::reuse(cx, (request, config), tree, definition, counts)?;
    let ran = if reuse.due.contains(&true) {
        run_due(cx, case, (definition, &reuse), sink)?
    } else {
        let mut forward = |event| sink(Event::Gate { task: request.task.clone(), event });
        let steps: Vec<StepResult> = reuse.results(definition).into_iter().flatten().collect();
        for result in &steps {
            forward(gate::Event::StepFinished { result: Box::new(result.clone()) });
        }
        let outcome =
            Outcome { word: Word::Pass, rule: None, fact: None, steps, named: BTreeMap::new(), stop: None };
        Ran { outcome, trust: Trust::Sandboxed, site: None, logs: None, is_judged: true }
    };
    if !ran.is_judged {
        return Ok((unsealed(cx, &ran.outcome, tree, definition), None));
    }
    conclude(cx, case, (definition, &reuse), ran, sink)
}

/// What a run came to.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    trust: Trust,
    /// Where it ran, if anything did: ours until what it left is kept.
    site: Option<Site>,
    /// Where its logs are.
    pub(super) logs: Option<logs::Place>,
    /// Whether it is worth a verdict: not where there is less of a sandbox than has to be.
    is_judged: bool,
}

/// Runs what is due in a clean checkout.
pub(super) fn run_due(
    cx: &Ctx,
    Case { request, tree, config }: &Case<'_>,
    (definition, reuse): (&Definition, &Reuse),
    sink: &mut Sink<'_>,
) -> Result<Ran, OpError> {
    let mut site = Site::new(cx, &request.commit)?;
    let Site { room, checkout } = &mut site;
    let due = definition.steps.iter().zip(&reuse.due).filter(|(_, due)| **due);
    room.refuse_networks(due.map(|(step, _)| (step.name.as_str(), step.network)))?;
    if let Some(fact) = room.refusal(config) {
        let outcome = Outcome::blocked(rule::SANDBOX, fact);
        return Ok(Ran { outcome, trust: Trust::Unsandboxed, site: None, logs: None, is_judged: false });
    }
    let begun = room.furnish(cx, checkout, definition)?;
    if begun != *definition {
        sink(Event::Note { task: request.task.clone(), text: sandbox::NO_SETUP.to_owned() });
    }
    let mut limits = Limits::wall(None, &cx.interrupts);
    limits.deadline = request.deadline;
    let logs = logs::begin(cx, tree);
    let (held, known) = (room.held(checkout.path()), reuse.results(definition));
    let ctx = RunContext {
        env: &cx.env,
        jobs: jobs(cx),
        log_dir: logs.dir(),
        limits: &limits,
        known: &known,
        held,
    };
    let mut watch = Watch::default();
    let mut forward = |event| {
        watch.event(&event);
        sink(Event::Gate { task: request.task.clone(), event });
    };
    let verify = || {
        room.setup_ended(cx, checkout);
        checkout.verify()
    };
    let outcome = gate::run(checkout.path(), &begun, &ctx, &verify, &mut forward);
    let gate = definition.hash();
    for missed in gate::unmatched(&definition.quarantine, &definition.reporting, &outcome.named) {
        let text = format!("warning: {missed}");
        sink(Event::Note { task: request.task.clone(), text });
    }
    watch.keep(cx, &observed::Judged { tree, gate: &gate, ralph: &config.ralph }, &outcome);
    let trust = site.room.trust();
    Ok(Ran { outcome, trust, site: Some(site), logs: Some(logs), is_judged: true })
}

/// Makes the verdict of what a run came to, and records it.
fn conclude(
    cx: &Ctx,
    Case { request, tree, config }: &Case<'_>,
    (definition, reuse): (&Definition, &Reuse),
    ran: Ran,
    sink: &mut Sink<'_>,
) -> Result<(Verdict, Option<gate::Stop>), OpError> {
    let Ran { mut outcome, trust, site, logs, .. } = ran;
    for result in &mut outcome.steps {
        result.key = reuse.keyed.iter().find(|k| k.step == result.name).map(|k| k.key.clone());
    }
    let gate = definition.hash();
    let by = cx.actor.to_string();
    let last = counting(cx, &cx.snapshot()?, &gate::key(tree, &gate, Base::Absolute))?;
    let run = last.map_or(1, |verdict| verdict.run.saturating_add(1));
    let ran_in = trust;
    let trust = reuse.trust().map_or(trust, |taken| taken.least(trust));
    let made = logs.map_or_else(|| cx.clock.now(), |logs| logs::end(cx, logs, &gate));
    let subject = Subject { tree, gate: &gate, made, run, by: &by, tools: reuse.programs(), trust };
    let Some(mut verdict) = gate::verdict(&outcome, &subject, &verifier(cx)?) else {
        let verdict = Verdict { made, ..unsealed(cx, &outcome, tree, definition) };
        return Ok((verdict, outcome.stop));
    };
    regress::keep(cx, &verdict, &outcome.steps)?;
    match people::agent_above(cx) {
        None => {
            if let Some(why) = sign::sign(cx, &mut verdict)? {
                let text = format!("the verdict is not signed: {why}");
                sink(Event::Note { task: request.task.clone(), text });
            }
            // Of a run that was not of the tree, or not of one machine, nothing is said of its steps.
            let said = if is_of_the_tree(cx, &verdict, reuse) {
                Said { passes: passes(cx, request, &verdict, reuse)?, failed_in: Some(ran_in) }
            } else {
                Said::default()
            };
            record(cx, request, &verdict, &said)?;
            if let Some(site) = site.filter(|_| may_be_trunk(&verdict, config)) {
                site.keep(cx.clock.now());
            }
        }
        Some(task) => {
            let text = format!("not recorded: it was run by the agent of task {task}");
            sink(Event::Note { task: request.task.clone(), text });
        }
    }
    Ok((verdict, None))
}

/// Whether what the run left is of a tree that can come to be trunk, and whole.
fn may_be_trunk(verdict: &Verdict, config: &Config) -> bool {
    let old_failures = verdict.word == Word::Fail && config.ralph.accept == Accept::NoRegressions;
    let is_whole = verdict.rule.is_none() && verdict.steps.iter().all(|step| step.word != Word::Blocked);
    verdict.word == Word::Pass || (old_failures && is_whole)
}

/// What a run says of its steps to those who come later.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Those that passed.
    passes: Vec<StepPass>,
    /// What those ran in that failed, if that counts against earlier PASSes.
    failed_in: Option<Trust>,
}

/// Whether the steps of a run passed and failed because of what their keys say.
fn is_of_the_tree(cx: &Ctx, verdict: &Verdict, reuse: &Reuse) -> bool {
    // A rule that decided is about the run: what came out of it did so in something that was not the tree.
    if verdict.rule.as_deref() == Some(rule::TREE_CHANGED) {
        return false;
    }
    // A program that was replaced meanwhile may be the one that ran.
    let now = reuse::of_machine(&gate::environment(&cx.env, [], cx.repo.common_dir()));
    let is_same =
        |keyed: &reuse::Keyed| now.iter().all(|(name, what)| keyed.inputs.tools.get(name) == Some(what));
    reuse.keyed.iter().all(is_same)
}

/// The steps of a run that passed without anything to say against it, for those who come later.
fn passes(cx: &Ctx, request: &Request, verdict: &Verdict, reuse: &Reuse) -> Result<Vec<StepPass>, OpError> {
    let key = verifier(cx)?;
    let pass = |step: &StepResult| {
        let index = reuse.keyed.iter().position(|keyed| keyed.step == step.name)?;
        let (keyed, taken) = (&reuse.keyed[index], reuse.known[index].as_ref());
        // What a branch's tip recorded is recorded for the merge as well: once that is trunk, others can take it.
        let taken = taken.filter(|pass| step.cached.is_some() && pass.tree != verdict.tree);
        if step.cached.is_some() && (taken.is_none() || request.branch_tip.is_none()) {
            return None;
        }
        let mut pass = StepPass {
            key: keyed.key.clone(),
            step: step.name.clone(),
            commit: request.commit.clone(),
            tree: verdict.tree.clone(),
            inputs: keyed.inputs.clone(),
            trust: taken.map_or(verdict.trust, |pass| pass.trust),
            millis: step.millis,
            report: step.report.clone(),
            refuted: false,
            made: step.cached.unwrap_or(verdict.made),
            by: taken.map_or(&verdict.by, |pass| &pass.by).clone(),
            mac: String::new(),
        };
        pass.mac = key.sign_bytes(&pass.signed_bytes());
        Some(pass)
    };
    let clean = |step: &&StepResult| step.word == Word::Pass && step.reason.is_none();
    Ok(verdict.steps.iter().filter(clean).filter_map(pass).collect())
}

/// How many steps at once.
pub(crate) fn jobs(cx: &Ctx) -> usize {
    let machine = std::thread::available_parallelism().map_or(1, usize::from);
    cx.local.jobs.map_or(machine, |jobs| usize::try_from(jobs).unwrap_or(machine))
}

/// Records a verdict, the steps that passed, and what those that failed say against earlier PASSes: they passed by chance, or
/// fail by chance; whichever it is, the next run shows.
pub(super) fn record(cx: &Ctx, request: &Request, verdict: &Verdict, said: &Said) -> Result<(), OpError> {
    let maker = cx.person_session()?;
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        let note = format!("{} for {}", verdict.word.as_str(), cx.repo.abbreviate(&request.commit));
        let change = Change {
            action: "verdict",
            subject: format!("tree/{}", verdict.tree),
            cause: request.task.as_ref().map_or_else(|| "ralph".to_owned(), |id| format!("task/{id}")),
            note: Some(note),
        };
        edit.put_verdict(verdict, &maker, change);
        // By the state as it is now: another run may have taken the same PASS back.
        let against = match said.failed_in {
            Some(trust) => reuse::against_earlier(cx, edit.snapshot(), (request, verdict), trust)?,
            None => Vec::new(),
        };
        for pass in said.passes.iter().chain(&against) {
            edit.put_step_pass(pass, &maker);
        }
        let lies: Vec<&str> = against.iter().map(|pass| pass.step.as_str()).collect();
        if !lies.is_empty() {
            edit.note(Change {
                action: "cache.refuted",
                subject: "state".to_owned(),
                cause: "ralph".to_owned(),
                note: Some(format!("{} on tree {}", lies.join(" "), cx.repo.abbreviate(&verdict.tree))),
            });
        }
        Ok::<_, OpError>(())
    })?;
    Ok(())
}
