//! Building and judging a merge, and what is recorded of it.

use crate::config::Moment;
use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::{Evidence, Task};
use crate::domain::verdict::Word;
use crate::git::{MergeTree, NewCommit};
use crate::ops::checkouts::Refresh;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::contract;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::hooks;
use crate::ops::lease;
use crate::ops::merge::queue;
use crate::ops::merge::target::{self, Target};
use crate::ops::people;
use crate::ops::progress::{Event, Sink};
use crate::ops::ralph::{self, Judged, Recorded, Request};
use crate::ops::sync::{self, Standing};
use crate::ops::tasks::{change, get};
use crate::ops::{accounted, attested, rebranch, worktrees};
use crate::policy::grant::Action;

/// How often a lost race is run again.
const ROUNDS: u32 = 8;

/// Where trunk is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// On the remote, where there is one; then here.
    Shared,
    /// Only in this clone.
    Local,
}

/// How to merge.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where trunk is moved.
    pub landing: Landing,
    /// A person's reason to merge what is not PASS.
    pub override_reason: Option<String>,
    /// What a person who was shown a BLOCKED tree lets pass.
    pub past: Option<Past>,
    /// Whether a recorded verdict for the result is good enough.
    pub recorded: Recorded,
}

/// A tree that may be merged though it could not be judged. Another tree may not, nor the same once it is FAIL: trunk and
/// the branch go on while a person thinks, and nobody has seen what comes of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The tree.
    pub tree: Oid,
    /// The person's reason.
    pub reason: String,
}

/// A merge that happened.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The commit that trunk is at.
    pub commit: Oid,
    /// What it was judged to be; None if trunk contained it already.
    pub judged: Option<Judged>,
    /// What was merged; the task as it is now.
    pub target: Target,
    /// Where trunk was moved.
    pub landing: Landing,
    /// What became of the checkouts of trunk.
    pub checkouts: Vec<Refresh>,
    /// Why the task's worktree was kept, if it was.
    pub kept: Option<String>,
    /// How often the race for trunk was lost before.
    pub lost_races: u32,
}

/// How a merge ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Trunk contains it.
    Merged(Box<Merged>),
    /// The result is not PASS: nothing moved.
    Rejected {
        /// What was to be merged.
        target: Target,
        /// What the result was judged to be.
        judged: Box<Judged>,
    },
    /// Branch and trunk conflict at these files: nothing moved.
    Conflict {
        /// What was to be merged.
        target: Target,
        /// The files.
        files: Vec<String>,
    },
}

/// Merges a task or branch (None: this checkout's task) into trunk. Uncommitted work on the branch is a refusal.
pub fn merge(
    cx: &Ctx,
    text: Option<&str>,
    options: &Options,
    sink: &mut Sink<'_>,
) -> Result<Outcome, OpError> {
    let mut target = checked(cx, text, options)?;
    if let Some(task) = target.task.as_ref().filter(|task| rebranch::is_begun(cx, &task.id)) {
        rebranch::settle(cx, &task.id, &target.branch, &worktrees::lock(cx)?)?;
        target.refresh(cx)?;
    }
    target::refuse_unfinished(cx, &target)?;
    target::refuse_dirty(cx, &target)?;
    run(cx, target, options, sink)
}

/// Merges a task whose worktree may have files that were left uncommitted on purpose; then it is kept.
pub(crate) fn merge_committed(
    cx: &Ctx,
    id: &TaskId,
    options: &Options,
    sink: &mut Sink<'_>,
) -> Result<Outcome, OpError> {
    let target = checked(cx, Some(id.as_str()), options)?;
    run(cx, target, options, sink)
}

/// What is to be merged, if it may be.
fn checked(cx: &Ctx, text: Option<&str>, options: &Options) -> Result<Target, OpError> {
    let snapshot = cx.snapshot()?;
    cx.identity()?;
    if options.override_reason.is_some() || options.past.is_some() {
        people::refuse_agents(cx, "merge what is not verified")?;
    }
    refuse_agent(cx)?;
    let target = Target::find(cx, &snapshot, text)?;
    let trunk = cx.trunk(&snapshot)?;
    if target.branch == trunk.name {
        let fact = format!("{} is trunk itself", trunk.name);
        return Err(Refused::new(Because::Usage, "merge.target", fact).next("git orch list --mine").into());
    }
    Ok(target)
}

fn run(cx: &Ctx, target: Target, options: &Options, sink: &mut Sink<'_>) -> Result<Outcome, OpError> {
    let taken = match &target.task {
        Some(task) => Some(target::take(cx, &task.id)?),
        None => None,
    };
    if let Some((task, back)) = &taken
        && let Err(error) = confirm(cx, task, options)
    {
        if let Err(error) = target::give_back(cx, &task.id, task.register.fence, back) {
            tracing::debug!(%error, "the task was not given back: it is another's by now");
        }
        return Err(error);
    }
    let mut run = Run { cx, options, target, fence: taken.as_ref().map(|(t, _)| t.register.fence), lost: 0 };
    if let Some((task, _)) = &taken {
        run.target.task = Some(task.clone());
    }
    let outcome = run.rounds(sink);
    let landed = matches!(outcome, Ok(Outcome::Merged(_)));
    if let (false, Some((task, back)), Some(fence)) = (landed, &taken, run.fence)
        && let Err(error) = target::give_back(cx, &task.id, fence, back)
    {
        sink(Event::Note {
            task: Some(task.id.clone()),
            text: format!("the task could not be given back: {error}"),
        });
    }
    outcome
}

/// Only an owner that the remote confirmed merges into the remote's trunk: two clones could both believe that they own
/// the task.
fn confirm(cx: &Ctx, task: &Task, options: &Options) -> Result<(), OpError> {
    let register = &task.register;
    if options.landing == Landing::Local || register.anchor >= register.fence {
        return Ok(());
    }
    match sync::claim(cx, task, None)? {
        Ok(Standing::Unconfirmed(said)) if cx.trunk(&cx.snapshot()?)?.tracking.is_some() => {
            let said = said.lines().next().unwrap_or_default().trim();
            let fact = format!("whether task {} is this clone's can't be asked: {said}", task.id);
            Err(Refused::new(Because::Environment, "merge.offline", fact)
                .next("git orch merge   (again)")
                .next("git orch merge --no-push   (moves only this clone's trunk)")
                .into())
        }
        // No remote arbitrates: there is none, it takes no claims, or this clone does not ask.
        Ok(Standing::Alone | Standing::Confirmed | Standing::Refused(_) | Standing::Unconfirmed(_)) => Ok(()),
        Err(lost) => {
            let holder = lost.holder.unwrap_or_else(|| "another clone".to_owned());
            let fact = format!("task {} is {holder}'s: its claim came first", task.id);
            Err(Refused::new(Because::Held, "claim.lost", fact)
                .next(format!("git orch show {}   (your branch stays as it is)", task.id))
                .into())
        }
    }
}

/// Refuses the agents that the loop started: it merges for them what the policy lets it merge, with an environment
/// that is not theirs.
fn refuse_agent(cx: &Ctx) -> Result<(), OpError> {
    let Some(task) = people::agent_above(cx) else { return Ok(()) };
    let fact = format!("the agent of task {task} does not merge: the loop that started it does, after Ralph");
    Err(Refused::new(Because::Policy, "merge.agent", fact)
        .next("git orch ralph   (what Ralph will say)")
        .into())
}

/// One merge, from build to record.
pub(super) struct Run<'a> {
    pub(super) cx: &'a Ctx,
    pub(super) options: &'a Options,
    pub(super) target: Target,
    /// The task's fence, which is ours.
    pub(super) fence: Option<u64>,
    /// How often the race for trunk was lost.
    pub(super) lost: u32,
}

/// A merge result that may be landed.
pub(super) struct Candidate {
    pub(super) trunk: Trunk,
    /// Where trunk is, and must still be when it is moved.
    pub(super) base: Oid,
    pub(super) commit: Oid,
    pub(super) judged: Judged,
    evidence: String,
}

impl Run<'_> {
    fn rounds(&mut self, sink: &mut Sink<'_>) -> Result<Outcome, OpError> {
        while self.lost < ROUNDS {
            let trunk = self.fresh_trunk(sink)?;
            self.target.refresh(self.cx)?;
            let base = self.base(&trunk)?;
            self.record_outside(&trunk, &base, sink)?;
            if self.cx.repo.is_ancestor(&self.target.tip, &base)? {
                return self.already(&trunk, &base, sink);
            }
            let candidate = match self.build(trunk, base, sink)? {
                Ok(candidate) => candidate,
                Err(outcome) => return Ok(outcome),
            };
            match self.land(&candidate, sink)? {
                Some(checkouts) => return self.finish(candidate, checkouts),
                None => {
                    self.lost += 1;
                    sink(self.note(format!("{} moved meanwhile: building again", candidate.trunk.name)));
                }
            }
        }
        let fact = format!("trunk moved {ROUNDS} times while this was judged");
        Err(Refused::new(Because::Held, "merge.race", fact).next("git orch merge   (again)").into())
    }

    pub(super) fn note(&self, text: String) -> Event {
        Event::Note { task: self.target.task.as_ref().map(|t| t.id.clone()), text }
    }

    fn fresh_trunk(&self, sink: &mut Sink<'_>) -> Result<Trunk, OpError> {
        let cx = self.cx;
        let trunk = cx.trunk(&cx.snapshot()?)?;
        if let Some(said) = sync::fetch(cx, &trunk)?.offline {
            if self.options.landing == Landing::Shared {
                let fact =
                    format!("{} can't be reached: {said}", trunk.remote.as_deref().unwrap_or("the remote"));
                return Err(Refused::new(Because::Environment, "merge.offline", fact)
                    .next("git orch merge --no-push   (moves only this clone's trunk)")
                    .into());
            }
            sink(self.note(format!("trunk is as this clone has it: {said}")));
        }
        cx.trunk_named(&trunk.name)
    }

    /// Where the result is built: the policy tip, or for a local landing this clone's trunk if that is ahead.
    pub(super) fn base(&self, trunk: &Trunk) -> Result<Oid, OpError> {
        let unborn = || {
            Refused::new(Because::Environment, "trunk.unborn", format!("{} has no commit yet", trunk.name))
                .next(format!("make the first commit on {}", trunk.name))
        };
        let tip = trunk.tip().ok_or_else(unborn)?;
        if let (Landing::Local, Some(local)) = (self.landing(trunk), &trunk.local)
            && self.cx.repo.is_ancestor(tip, local)?
        {
            self.refuse_tampered(trunk)?;
            return Ok(local.clone());
        }
        Ok(tip.clone())
    }

    /// Records commits that came to trunk from outside. The result that is judged contains them.
    fn record_outside(&self, trunk: &Trunk, base: &Oid, sink: &mut Sink<'_>) -> Result<(), OpError> {
        let cx = self.cx;
        if !accounted::has_news(cx, base)? {
            return Ok(());
        }
        let queue = queue::take(cx, &mut |text| sink(self.note(text)))?;
        accounted::record(cx, trunk, base, &queue)
    }

    /// What is not known to be verified is not built on: its gate would judge, and the mark that shows it would go.
    fn refuse_tampered(&self, trunk: &Trunk) -> Result<(), OpError> {
        let Some(tamper) = attested::tamper(self.cx, trunk)? else { return Ok(()) };
        let (command, what) = tamper.look();
        Err(Refused::new(Because::Policy, "trunk.tampered", tamper.to_string())
            .next(format!("{command}   ({what})"))
            .next("git orch doctor --fix   (a person who has looked at it accepts and records it)")
            .into())
    }

    pub(super) fn landing(&self, trunk: &Trunk) -> Landing {
        if trunk.remote.is_none() || trunk.tracking.is_none() { Landing::Local } else { self.options.landing }
    }

    fn build(
        &self,
        trunk: Trunk,
        base: Oid,
        sink: &mut Sink<'_>,
    ) -> Result<Result<Candidate, Outcome>, OpError> {
        let cx = self.cx;
        self.hold_contract(&trunk, &base)?;
        let tree = match cx.repo.merge_tree(&base, &self.target.tip)? {
            MergeTree::Clean(tree) => tree,
            MergeTree::Conflict(files) => {
                return Ok(Err(Outcome::Conflict { target: self.target.clone(), files }));
            }
        };
        let commit = self.commit(&base, tree)?;
        let mut request = Request::new(commit.clone(), Moment::Merge);
        request.branch_tip = Some(self.target.tip.clone());
        request.team = crate::domain::branch::team(&self.target.branch);
        request.task = self.target.task.as_ref().map(|t| t.id.clone());
        request.recorded = self.options.recorded;
        let judged = ralph::judge(cx, &request, sink)?;
        let evidence = match (self.excuse(&judged), judged.word) {
            (_, Word::Pass) => judged.deciding().map(|v| v.key.clone()).unwrap_or_default(),
            (Some(reason), Word::Fail | Word::Blocked) => {
                let subject = format!("tree/{}", judged.tree);
                let note = format!("{reason} -- merge {} ({})", self.target.branch, judged.word.as_str());
                people::record_override(cx, &subject, &note)?;
                format!("override: {reason}")
            }
            (None, Word::Fail | Word::Blocked) => {
                let target = self.target.clone();
                return Ok(Err(Outcome::Rejected { target, judged: Box::new(judged) }));
            }
        };
        Ok(Ok(Candidate { trunk, base, commit, judged, evidence }))
    }

    /// Why a tree that is not PASS is merged all the same.
    fn excuse(&self, judged: &Judged) -> Option<&str> {
        let shown = |past: &&Past| past.tree == judged.tree && judged.word == Word::Blocked;
        let past = || self.options.past.as_ref().filter(shown).map(|past| past.reason.as_str());
        self.options.override_reason.as_deref().or_else(past)
    }

    /// The contract once more, over the whole branch: not every commit ran a hook.
    fn hold_contract(&self, trunk: &Trunk, base: &Oid) -> Result<(), OpError> {
        let Some(task) = &self.target.task else { return Ok(()) };
        let cx = self.cx;
        let Some(fork) = cx.repo.merge_base(base, &self.target.tip)? else { return Ok(()) };
        let violations = contract::judge_branch(cx, trunk, task, &fork, &self.target.tip)?;
        let Some(first) = violations.into_iter().next() else { return Ok(()) };
        if let Some(reason) = &self.options.override_reason {
            if self.lost == 0 {
                let note = format!(
                    "{reason} -- merge {} in spite of {}: {}",
                    self.target.branch, first.rule, first.fact
                );
                people::record_override(cx, &format!("task/{}", task.id), &note)?;
            }
            return Ok(());
        }
        let fact = format!("{} ({})", first.fact, first.reason);
        let refused = Refused::new(Because::Policy, first.rule, fact);
        Err(first.way_out.into_iter().fold(refused, Refused::next).into())
    }

    fn commit(&self, base: &Oid, tree: Oid) -> Result<Oid, OpError> {
        let (name, email) = self.cx.identity()?;
        let trailers = self.target.task.as_ref().map(hooks::trailers).unwrap_or_default();
        let message = format!("{}\n\n{trailers}", self.target.title());
        Ok(self.cx.repo.write_commit(&NewCommit {
            tree,
            parents: vec![base.clone(), self.target.tip.clone()],
            name,
            email,
            time: self.cx.clock.now(),
            message,
        })?)
    }

    fn finish(&self, candidate: Candidate, checkouts: Vec<Refresh>) -> Result<Outcome, OpError> {
        let evidence = Evidence {
            commit: candidate.commit.clone(),
            tree: candidate.judged.tree.clone(),
            verdict: candidate.evidence,
            local: self.landing(&candidate.trunk) == Landing::Local && candidate.trunk.remote.is_some(),
        };
        let landing = self.landing(&candidate.trunk);
        let mut target = self.target.clone();
        let mut kept = None;
        if let (Some(task), Some(fence)) = (&self.target.task, self.fence) {
            let done = self.done(task, fence, &evidence)?;
            let trunk = self.cx.trunk_named(&candidate.trunk.name)?;
            kept = target::retire(self.cx, &trunk, &done)?;
            if landing == Landing::Shared {
                sync::after_merge(self.cx);
            }
            target.task = Some(done);
        }
        Ok(Outcome::Merged(Box::new(Merged {
            commit: candidate.commit,
            judged: Some(candidate.judged),
            target,
            landing,
            checkouts,
            kept,
            lost_races: self.lost,
        })))
    }

    pub(super) fn done(&self, task: &Task, fence: u64, evidence: &Evidence) -> Result<Task, OpError> {
        let cx = self.cx;
        let (done, _) = cx.store().transact(&cx.author(), Action::Record, |edit| {
            let mut now = get(edit, &task.id)?;
            now.register.check_fence(&task.id, fence)?;
            now.register = now.register.merged(&task.id, &edit.at(), evidence.clone())?;
            let note = format!("{} by {}", evidence.commit, evidence.verdict);
            edit.put_task(now.clone(), change("task.done", &task.id, "merge", Some(note)));
            Ok::<_, OpError>(now)
        })?;
        lease::forget(cx, &task.id)?;
        Ok(done)
    }
}
