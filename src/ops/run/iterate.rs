//! One task from its claim to its end: agent, commit, Ralph, decision, again.

use std::path::PathBuf;
use std::time::Duration;

use crate::agent::driver::{self, Driver, Ending, Job, Prompts};
use crate::agent::environment::AgentEnv;
use crate::agent::failing::Failing;
use crate::agent::prompt::Prompt;
use crate::agent::prompt_file;
use crate::agent::render::{TaskText, one_line};
use crate::agent::secrets;
use crate::agent::wiggum::{self, Decision, Facts, Feedback, IterationFacts, counted};
use crate::config::Moment;
use crate::domain::branch;
use crate::domain::oid::Oid;
use crate::domain::role::Team;
use crate::domain::session::Outcome;
use crate::domain::task::{Task, Work};
use crate::domain::verdict::Word;
use crate::gate::environment;
use crate::git::Worktree;
use crate::ops::commit::{self, Committed, Skipped};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::progress::Event;
use crate::ops::ralph::{self, Judged, Recorded, Request};
use crate::ops::run::desk::Desk;
use crate::ops::run::{spent, tell, waiting};
use crate::ops::said::Said;
use crate::ops::sandbox::Room;
use crate::ops::{making, merge, worktrees};
use crate::sys::process::Limits;

/// An agent that takes longer is stopped. Silence is no limit: several print only at their end.
const AGENT_WALL: Duration = Duration::from_secs(2 * 3600);

/// What a task came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) note: Option<String>,
}

impl End {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self { outcome, note: None }
    }

    pub(super) fn noted(outcome: Outcome, note: impl Into<String>) -> Self {
        Self { outcome, note: Some(note.into()) }
    }

    pub(super) fn interrupted() -> Self {
        Self::noted(Outcome::Interrupted, "`git orch run` goes on with it")
    }
}

/// How a task came to this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the queue.
    Queue,
    /// From a session that died.
    Dead,
}

/// What ended a task that nobody worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// What the agent runs in.
    Surroundings,
    /// The agent: it says each time that it failed, and changes nothing.
    Agent,
}

/// A task while it is worked on.
pub(super) struct TaskRun<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) task: Task,
    pub(super) work: Work,
    pub(super) worktree: Worktree,
    driver: Box<dyn Driver>,
    base_tree: Oid,
    /// Where the branch is.
    pub(super) tip: Oid,
    /// The tree of what the worktree has, without what may not be committed.
    pub(super) tree: Oid,
    pub(super) history: Vec<IterationFacts>,
    /// How many iterations sessions that died used.
    spent: u32,
    feedback: Option<Feedback>,
    failing: Failing,
    /// The last tree that was judged.
    judged: Option<(Oid, wiggum::Judged)>,
    /// What was not committed.
    skipped: Vec<Skipped>,
}

/// What Ralph's part of an iteration gave.
enum Ralphed {
    Judged(Option<wiggum::Judged>),
    Stopped,
}

impl<'a> TaskRun<'a> {
    /// Makes everything ready for the first iteration.
    pub(super) fn new(desk: &'a Desk<'a>, task: Task, driver: Box<dyn Driver>) -> Result<Self, OpError> {
        let cx = desk.cx;
        let work = task.register.work.clone();
        let work =
            work.ok_or_else(|| OpError::Bug(format!("task {} was claimed without a branch", task.id)))?;
        let path = making::ensure(cx, &task.id, &work)?;
        let worktree = cx.repo.worktree_at(&path)?.ok_or_else(|| tell::not_ours(&path))?;
        commit::refuse_tampered(cx, &worktree)?;
        let base_tree = cx.repo.tree_of(&work.base)?;
        let name = format!("refs/heads/{}", work.branch);
        let tip = cx.repo.ref_target(&name)?.unwrap_or_else(|| work.base.clone());
        // Nobody works here now: a lock in the way is a killed git's.
        crate::sys::fs::remove_file_if_there(&worktree.git_dir.join("index.lock"))?;
        commit::settle_index(cx, &worktree, &tip)?;
        let mut run = Self {
            desk,
            task,
            work,
            worktree,
            driver,
            base_tree,
            tree: tip.clone(),
            tip,
            history: Vec::new(),
            spent: 0,
            feedback: None,
            failing: Failing::default(),
            judged: None,
            skipped: Vec::new(),
        };
        run.tree = commit::left(cx, &run.commit_work())?;
        run.heed_rejection()?;
        Ok(run)
    }

    pub(super) fn commit_work(&self) -> commit::Work<'_> {
        commit::Work { task: &self.task, worktree: &self.worktree, since: &self.tip }
    }

    pub(super) fn team(&self) -> Team {
        branch::team(&self.work.branch).unwrap_or_else(|| self.task.effective_role().team())
    }

    pub(super) fn budget(&self) -> u32 {
        self.task.effective_role().iterations()
    }

    /// How many iterations of the budget are used up.
    pub(super) fn used(&self) -> u32 {
        counted(&self.history).saturating_add(self.spent)
    }

    pub(super) fn note(&self, text: String) {
        self.desk.send(Event::Note { task: Some(self.task.id.clone()), text });
    }

    /// Whether somebody asked this run to stop.
    pub(super) fn halted(&self) -> bool {
        self.desk.cx.interrupts.soft()
    }

    /// What is to blame for how it ended, if it is not the work: the next task would not fare better.
    pub(super) fn outside(&self) -> Option<Outside> {
        let last = self.history.last()?;
        if !last.counts() && last.ending != Ending::Interrupted {
            return Some(Outside::Surroundings);
        }
        self.history.iter().all(IterationFacts::failed).then_some(Outside::Agent)
    }

    /// Works on the task until something is decided.
    pub(super) fn run(&mut self, origin: Origin) -> Result<End, OpError> {
        self.spent = spent::begin(self.desk.cx, &self.task.id, origin == Origin::Dead)?;
        if let Some(end) = self.go_on(origin)? {
            return Ok(end);
        }
        if self.used() >= self.budget() {
            let why = format!("gave up: {} of {} iterations used", self.used(), self.budget());
            return self.block(&why, Outcome::Failed);
        }
        loop {
            if self.halted() {
                return Ok(End::interrupted());
            }
            if !waiting::pass(self.desk)? {
                return Ok(End::interrupted());
            }
            self.recheck()?;
            let decided = match self.iterate()? {
                Decision::Allow if self.is_sent_back()? => {
                    self.base_tree = self.tree.clone();
                    None
                }
                Decision::Allow => self.finish()?,
                Decision::Retry(feedback) => {
                    self.feedback = Some(feedback);
                    None
                }
                Decision::Ask(why) => Some(self.block(&why, Outcome::Blocked)?),
                Decision::GiveUp(why) => Some(self.block(&format!("gave up: {why}"), Outcome::Failed)?),
                Decision::Stop => Some(End::interrupted()),
            };
            if let Some(end) = decided {
                return Ok(end);
            }
        }
    }

    /// What an earlier session left: a merge that landed without a record, or work that nobody judged.
    fn go_on(&mut self, origin: Origin) -> Result<Option<End>, OpError> {
        let cx = self.desk.cx;
        let tip_tree = cx.repo.tree_of(&self.tip)?;
        let settled = self.tree == tip_tree;
        if origin == Origin::Dead && self.tip != self.work.base && settled {
            if merge::is_landed(cx, &self.tip)? {
                return self.land();
            }
            if tip_tree != self.base_tree {
                return match self.judge(&tip_tree)? {
                    Ralphed::Stopped => Ok(Some(End::interrupted())),
                    Ralphed::Judged(Some(judged)) if judged.word == Word::Pass => self.finish(),
                    Ralphed::Judged(_) => Ok(None),
                };
            }
        }
        if settled {
            self.look_up(&tip_tree)?;
        }
        Ok(None)
    }

    /// The task as it is now; refused if it is not ours any more, or the mode forbids to go on.
    fn recheck(&mut self) -> Result<(), OpError> {
        let snapshot = self.desk.cx.snapshot()?;
        let mode = snapshot.control()?.mode;
        if !mode.allows_writes() {
            let fact = format!("the mode is {}", mode.as_str());
            return Err(Refused::new(Because::Policy, "mode", fact).into());
        }
        let id = &self.task.id;
        let now = snapshot.task(id)?.ok_or_else(|| OpError::Bug(format!("task {id} is gone")))?;
        now.register.check_fence(id, self.task.register.fence)?;
        self.task = now;
        self.heed_rejection()
    }

    /// What a person sent back is where the work begins: an agent that leaves it so has done nothing.
    fn heed_rejection(&mut self) -> Result<(), OpError> {
        let tip_tree = self.desk.cx.repo.tree_of(&self.tip)?;
        if self.task.rejects(&tip_tree) {
            self.base_tree = tip_tree;
        }
        Ok(())
    }

    /// Whether a person sent the work back while an agent was at it: the agent has to be told first.
    fn is_sent_back(&self) -> Result<bool, OpError> {
        let now = self.desk.cx.snapshot()?.task(&self.task.id)?;
        Ok(now.is_some_and(|now| now.rejected != self.task.rejected))
    }

    fn iterate(&mut self) -> Result<Decision, OpError> {
        let cx = self.desk.cx;
        let start = cx.clock.monotonic();
        let iteration = self.used() + 1;
        let task = self.task.id.clone();
        let limit = self.budget();
        self.desk.send(Event::IterationStarted { task: task.clone(), iteration, limit });
        let before = self.tree.clone();
        let (ending, said, last_line) = self.run_agent()?;
        let failed = !matches!(ending, Ending::Finished { exit: 0 } | Ending::Interrupted);
        let end = ending.to_string();
        let (decision, word) = if ending == Ending::Interrupted {
            if worktrees::back_up(cx, &self.worktree, &self.task.id)?.is_some() {
                self.note(format!("its uncommitted work is kept under refs/orch/backup/wip/{task}"));
            }
            (Decision::Stop, None)
        } else {
            let since = self.tip.clone();
            let committed = self.commit()?;
            let idle = self.tree == before && self.tip == since;
            let ralphed = self.ralph(&committed, idle)?;
            let decided = self.decide(before, ending, ralphed);
            spent::keep(cx, &self.task.id, self.used())?;
            decided
        };
        let decision = match decision {
            Decision::Ask(why) if self.history.last().is_some_and(IterationFacts::failed) => {
                Decision::Ask(why + &last_words(&last_line))
            }
            decision => decision,
        };
        let over = matches!(decision, Decision::Ask(_) | Decision::GiveUp(_));
        if let (true, Some(path)) = (failed || over, said) {
            self.note(format!("the agent {end}; what it said is in {}", path.display()));
        }
        let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let event = Event::IterationFinished { task, iteration, word, decision: decision.clone(), millis };
        self.desk.send(event);
        Ok(decision)
    }

    fn decide(&mut self, before: Oid, ending: Ending, ralphed: Ralphed) -> (Decision, Option<Word>) {
        let (judged, stopped) = match ralphed {
            Ralphed::Judged(judged) => (judged, false),
            Ralphed::Stopped => (None, true),
        };
        let now = IterationFacts { before, after: self.tree.clone(), judged, ending };
        // An agent that did not get to work has no part in what is known of the tree that it was given.
        let word = now.judged.as_ref().map(|judged| judged.word).filter(|_| now.counts());
        let decision = if stopped {
            Decision::Stop
        } else {
            wiggum::decide(&Facts {
                base: &self.base_tree,
                budget: self.budget(),
                spent: self.spent,
                prompts: self.driver.prompts(),
                now: &now,
                history: &self.history,
            })
        };
        self.history.push(now);
        (decision, word)
    }

    /// Runs the agent; also where its last words are, and the very last.
    fn run_agent(&mut self) -> Result<(Ending, Option<PathBuf>, String), OpError> {
        let cx = self.desk.cx;
        let is_fixers = self.driver.prompts() == Prompts::Ignored;
        let room = is_fixers.then(|| Room::of_fixers(cx, &self.task.id)).transpose()?;
        if let Some(fact) = room.as_ref().and_then(|room| room.refusal(&self.desk.shared.config)) {
            return Ok((Ending::MissingProgram(fact), None, String::new()));
        }
        let held = room.as_ref().and_then(|room| room.held(&self.worktree.path));
        let job = Job { held, ..self.job()? };
        let limits = Limits::wall(Some(AGENT_WALL), &cx.interrupts);
        let (desk, id) = (self.desk, &self.task.id);
        let (mut said, mut last_line) = (Said::default(), String::new());
        let mut on_event = |event| {
            if let driver::Event::Line(line) = &event {
                said.line(line);
                if !line.trim().is_empty() {
                    last_line.clone_from(line);
                }
            }
            desk.send(Event::Agent { task: id.clone(), event });
        };
        let ran = self.driver.run(&job, &limits, &mut on_event);
        let ending = ran.map_err(|error| tell::not_run(error, id))?;
        // A full disk must not lose the iteration.
        let kept = said.keep(cx, id).unwrap_or_else(|error| {
            self.note(format!("what the agent said is not kept: {error}"));
            None
        });
        Ok((ending, kept, last_line))
    }

    /// What the agent is given, with its prompt written.
    fn job(&self) -> Result<Job<'static>, OpError> {
        let (cx, shared) = (self.desk.cx, self.desk.shared);
        // Also those that do not count: every prompt has a file of its own.
        let here = u32::try_from(self.history.len()).unwrap_or(u32::MAX);
        let iteration = here.saturating_add(self.spent).saturating_add(1);
        let (session, task) = (shared.session.clone(), self.task.id.clone());
        let prompt_file = prompt_file::path(cx.repo.common_dir(), &session, &task, iteration);
        let mut rules = tell::contract(shared.rules.contract(self.task.effective_role()));
        rules.extend(commit::left_out(&self.skipped).into_iter().map(|line| format!("Last time {line}.")));
        let text = Prompt {
            task: &TaskText::of(&self.task),
            worktree: &self.worktree.path,
            branch: &self.work.branch,
            base: &self.work.base,
            port_base: self.desk.port_base,
            attempt: self.used() + 1,
            budget: self.budget(),
            contract: &rules,
            checks: &tell::checks(&shared.config, Some(self.team())),
            feedback: self.feedback,
            failing: &self.failing,
        };
        let text = text.render().map_err(|e| OpError::Bug(format!("{e}: {}", e.source)))?;
        prompt_file::write(&prompt_file, &text)?;
        Ok(Job {
            task,
            session,
            iteration,
            worktree: self.worktree.path.clone(),
            branch: self.work.branch.clone(),
            base: self.work.base.clone(),
            port_base: self.desk.port_base,
            files: self.task.files.iter().cloned().collect(),
            prompt_file,
            env: match self.driver.prompts() {
                Prompts::Heeded => AgentEnv::scrubbed(&cx.env),
                Prompts::Ignored => AgentEnv::scrubbed(&environment(&cx.env, [], &self.worktree.path)),
            },
            held: None,
        })
    }

    fn commit(&mut self) -> Result<Committed, OpError> {
        let message = commit::message(&self.task)?;
        let mut sink = |event| self.desk.send(event);
        let committed = commit::commit_all(self.desk.cx, &self.commit_work(), &message, &mut sink)?;
        self.tip = committed.tip.clone();
        self.tree = committed.tree.clone();
        if committed.skipped != self.skipped {
            for line in commit::left_out(&committed.skipped) {
                self.note(line);
            }
            self.skipped.clone_from(&committed.skipped);
        }
        Ok(committed)
    }

    /// Ralph on what was committed. What nobody changed is looked up, not run.
    fn ralph(&mut self, committed: &Committed, idle: bool) -> Result<Ralphed, OpError> {
        if !committed.violations.is_empty() {
            let (judged, failing) = tell::broken(&committed.violations);
            self.note(format!("not committed: {}", judged.summary));
            self.failing = failing;
            return Ok(Ralphed::Judged(Some(judged)));
        }
        let tree = self.tree.clone();
        // An agent that would do the same again gets no second try: why it had nothing to do is worth a run.
        let last = idle && self.driver.prompts() == Prompts::Ignored;
        if !last && (idle || tree == self.base_tree) {
            return Ok(Ralphed::Judged(self.look_up(&tree)?));
        }
        // "After the current step": the agent was one, Ralph is the next.
        if self.halted() { Ok(Ralphed::Stopped) } else { self.judge(&tree) }
    }

    fn request(&self) -> Request {
        let mut request = Request::new(self.tip.clone(), Moment::Merge);
        request.team = branch::team(&self.work.branch);
        request.task = Some(self.task.id.clone());
        request
    }

    /// What is known of the tree at the branch's tip.
    fn look_up(&mut self, tree: &Oid) -> Result<Option<wiggum::Judged>, OpError> {
        if let Some((of, judged)) = &self.judged
            && of == tree
        {
            return Ok(Some(judged.clone()));
        }
        let known = ralph::recorded(self.desk.cx, &self.request())?;
        Ok(known.and_then(|judged| self.remember(&judged)))
    }

    fn judge(&mut self, tree: &Oid) -> Result<Ralphed, OpError> {
        if let Some((of, judged)) = &self.judged
            && of == tree
        {
            return Ok(Ralphed::Judged(Some(judged.clone())));
        }
        let mut sink = |event| self.desk.send(event);
        // What is on record may be what a process of the agent's has left there.
        let request = Request { recorded: Recorded::Ignored, ..self.request() };
        let judged = ralph::judge(self.desk.cx, &request, &mut sink)?;
        if judged.stop.is_some() {
            return Ok(Ralphed::Stopped);
        }
        if judged.tree != *tree {
            return Err(OpError::Bug(format!("{} was judged instead of {tree}", judged.tree)));
        }
        Ok(Ralphed::Judged(self.remember(&judged)))
    }

    /// Keeps a verdict for the decision and for the next prompt.
    pub(super) fn remember(&mut self, judged: &Judged) -> Option<wiggum::Judged> {
        let verdict = judged.deciding()?;
        let (word, failing) = tell::judged(judged, verdict);
        self.failing = failing;
        self.judged = Some((judged.tree.clone(), word.clone()));
        Some(word)
    }

    /// The next iteration is told what fails.
    pub(super) fn fails(&mut self) {
        self.feedback = Some(Feedback::Failing);
    }
}

/// What an agent that failed printed last, as part of a reason. A reason is shared, so nothing that looks like a secret.
fn last_words(line: &str) -> String {
    let line = one_line(line);
    if line.is_empty() || secrets::find_new(std::ffi::OsStr::new(""), line.as_bytes(), &[]).is_some() {
        return String::new();
    }
    format!("; it printed last: {line}")
}
