//! A run of the gate on a checkout: setup, then the steps by stage, each in a thread of its own; events come
//! back through a channel to the caller's thread.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Scope;
use std::time::Duration;

use crate::config::{Quarantine, Step};
use crate::domain::verdict::{StepResult, Word};
use crate::gate::context::RunContext;
use crate::gate::definition::Definition;
use crate::gate::log::no_log;
use crate::gate::outcome::{Event, Outcome, Stop, rule};
use crate::gate::plan::{self, Next, Progress};
use crate::gate::quarantine;
use crate::gate::setup;
use crate::gate::step::{self, Finished};
use crate::sys::clock::Clock;
use crate::sys::fs;

/// Messages that may wait for the caller before a step has to.
const BACKLOG: usize = 1024;
/// How often somebody who waits for a command looks whether the run was interrupted.
const TICK: Duration = Duration::from_millis(50);

/// Runs `definition` on `checkout`, which is exactly the tree to be judged.
///
/// `verify_checkout` says whether the checkout is still that tree; it is asked after setup and after the
/// steps, and its error is the fact of `ralph.tree_changed`. The first interrupt lets running steps end and
/// begins no other, the second stops them.
pub fn run(
    checkout: &Path,
    definition: &Definition,
    ctx: &RunContext<'_>,
    verify_checkout: &dyn Fn() -> Result<(), String>,
    on_event: &mut dyn FnMut(Event),
) -> Outcome {
    if definition.steps.is_empty() {
        return Outcome::blocked(rule::NO_STEPS, "the gate has no step");
    }
    if let Err(error) = fs::create_dir_all(ctx.log_dir) {
        return Outcome::blocked(rule::LOG, no_log(&error));
    }
    let mut results = Vec::new();
    if !definition.setup.is_empty() {
        results.push(set_up(checkout, definition, ctx, on_event));
        if let Some(outcome) = after_setup(&results, ctx, verify_checkout) {
            return outcome;
        }
    }
    let mut runner = Runner::new(checkout, definition, ctx, on_event);
    runner.take_known();
    for stage in plan::stages(&definition.steps) {
        runner.stage(&stage);
    }
    let outcome = runner.outcome(results);
    match verify_checkout() {
        Err(fact) if outcome.stop.is_none() => Outcome::decided(rule::TREE_CHANGED, fact, outcome.steps),
        Ok(()) | Err(_) => outcome,
    }
}

/// Setup, in a thread of its own: who waits for a command that says nothing can't tell that it is to be the last.
fn set_up(
    checkout: &Path,
    definition: &Definition,
    ctx: &RunContext<'_>,
    on_event: &mut dyn FnMut(Event),
) -> StepResult {
    let (sender, receiver) = sync_channel(BACKLOG);
    let mut told = false;
    std::thread::scope(|scope| {
        let setup = scope.spawn(move || {
            setup::run(checkout, definition, ctx, &mut |event| {
                if sender.send(event).is_err() {
                    tracing::error!("BUG: nobody listens to setup");
                }
            })
        });
        while let Some(event) = heard(&receiver, ctx, &mut told, on_event) {
            on_event(event);
        }
        setup.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The next message; None once nobody can send one. Tells meanwhile, once in a run, that it was interrupted.
fn heard<T>(
    receiver: &Receiver<T>,
    ctx: &RunContext<'_>,
    told: &mut bool,
    on_event: &mut dyn FnMut(Event),
) -> Option<T> {
    loop {
        let message = receiver.recv_timeout(TICK);
        let interrupts = &ctx.limits.interrupts;
        if !*told && interrupts.soft() && !interrupts.hard() {
            *told = true;
            on_event(Event::Stopping);
        }
        match message {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Why the steps can't run after this setup.
fn after_setup(
    results: &[StepResult],
    ctx: &RunContext<'_>,
    verify_checkout: &dyn Fn() -> Result<(), String>,
) -> Option<Outcome> {
    if let Some(stop) = ctx.stop() {
        return Some(Outcome::stopped(stop, results.to_vec()));
    }
    if let Some(failed) = results.iter().find(|result| result.word != Word::Pass) {
        let fact = failed.reason.clone().unwrap_or_default();
        return Some(Outcome::decided(rule::SETUP, fact, results.to_vec()));
    }
    let fact = verify_checkout().err()?;
    Some(Outcome::decided(rule::TREE_CHANGED, format!("after setup: {fact}"), results.to_vec()))
}

struct Runner<'a> {
    checkout: &'a Path,
    steps: &'a [Step],
    quarantine: &'a [Quarantine],
    ctx: &'a RunContext<'a>,
    on_event: &'a mut dyn FnMut(Event),
    progress: Vec<Progress>,
    results: Vec<Option<Finished>>,
    stop: Option<Stop>,
    /// Whether it was told that the run was interrupted.
    told: bool,
}

/// What a step's thread tells the caller's.
enum Message {
    Tell(Event),
    Done(usize, Box<Finished>),
}

impl<'a> Runner<'a> {
    fn new(
        checkout: &'a Path,
        definition: &'a Definition,
        ctx: &'a RunContext<'a>,
        on_event: &'a mut dyn FnMut(Event),
    ) -> Self {
        let steps = definition.steps.as_slice();
        let results = steps.iter().map(|_| None).collect();
        Self {
            checkout,
            steps,
            quarantine: &definition.quarantine,
            ctx,
            on_event,
            progress: vec![Progress::Waiting; steps.len()],
            results,
            stop: None,
            told: false,
        }
    }

    /// Ends the steps that an earlier run has the results of.
    fn take_known(&mut self) {
        for (index, known) in self.ctx.known.iter().enumerate().take(self.steps.len()) {
            if let Some(result) = known {
                self.end(index, Finished { result: result.clone(), rule: None, stopped: false, names: None });
            }
        }
    }

    /// Runs one stage to its end, or to the end of what runs once the run is to be stopped.
    fn stage(&mut self, stage: &[usize]) {
        let (sender, receiver) = sync_channel(BACKLOG);
        std::thread::scope(|scope| {
            loop {
                let more = self.begin(stage, scope, &sender);
                if more {
                    continue;
                }
                if !self.progress.contains(&Progress::Running) {
                    return;
                }
                // We hold a sender ourselves: the channel can't be closed.
                while let Some(message) = heard(&receiver, self.ctx, &mut self.told, self.on_event) {
                    match message {
                        Message::Tell(event) => (self.on_event)(event),
                        Message::Done(index, finished) => {
                            self.end(index, *finished);
                            break;
                        }
                    }
                }
            }
        });
    }

    /// Begins and skips what can be begun or skipped now. Says whether skipping may have made room for more.
    fn begin<'scope>(
        &mut self,
        stage: &[usize],
        scope: &'scope Scope<'scope, '_>,
        sender: &SyncSender<Message>,
    ) -> bool
    where
        'a: 'scope,
    {
        let list = plan::next(self.steps, stage, &self.progress, self.ctx.jobs);
        if list.is_empty() {
            return false;
        }
        self.stop = self.stop.or_else(|| self.ctx.stop());
        if self.stop.is_some() {
            return false;
        }
        let mut skipped = false;
        for next in list {
            match next {
                Next::Skip(index, need) => {
                    skipped = true;
                    let reason = format!("skipped: needs {need}");
                    self.end(index, step::not_run(&self.steps[index], reason));
                }
                Next::Start(index) => {
                    self.progress[index] = Progress::Running;
                    let step = &self.steps[index];
                    let (name, total) = (step.name.clone(), self.steps.len());
                    (self.on_event)(Event::StepStarted { name, number: index + 1, total });
                    let mut report = Report { index, step, sender: sender.clone(), finished: None };
                    let (checkout, ctx) = (self.checkout, self.ctx);
                    scope.spawn(move || {
                        let finished = step::run(step, checkout, ctx, &mut |event| report.tell(event));
                        report.finish(finished);
                    });
                }
            }
        }
        skipped
    }

    fn end(&mut self, index: usize, finished: Finished) {
        let finished = quarantine::weigh(self.quarantine, &self.steps[index], Clock.now(), finished);
        self.progress[index] = Progress::Ended(finished.result.word);
        (self.on_event)(Event::StepFinished { result: Box::new(finished.result.clone()) });
        if finished.stopped {
            // A deadline stops running steps at once, an interrupt only when it comes twice.
            self.stop = self.stop.or_else(|| self.ctx.stop()).or(Some(Stop::Interrupted));
        }
        self.results[index] = Some(finished);
    }

    fn outcome(self, mut before: Vec<StepResult>) -> Outcome {
        let all: Vec<Finished> = self.results.into_iter().flatten().collect();
        let word = all.iter().fold(Word::Pass, |word, f| word.and(f.result.word));
        let decisive = all.iter().find(|f| f.rule.is_some() && f.result.word == word);
        let rule = decisive.and_then(|f| f.rule).map(str::to_owned);
        let fact = decisive
            .map(|f| format!("{}: {}", f.result.name, f.result.reason.as_deref().unwrap_or_default()));
        let named = all.iter().filter_map(|f| Some((f.result.name.clone(), f.names.clone()?))).collect();
        before.extend(all.into_iter().map(|f| f.result));
        match self.stop {
            Some(stop) => Outcome::stopped(stop, before),
            None => Outcome { word, rule, fact, steps: before, named, stop: None },
        }
    }
}

/// Reports a step's end even if its thread panics: the caller waits for it.
struct Report<'a> {
    index: usize,
    step: &'a Step,
    sender: SyncSender<Message>,
    finished: Option<Finished>,
}

impl Report<'_> {
    fn tell(&self, event: Event) {
        self.send(Message::Tell(event));
    }

    /// What `drop` reports.
    fn finish(&mut self, finished: Finished) {
        self.finished = Some(finished);
    }

    fn send(&self, message: Message) {
        if self.sender.send(message).is_err() {
            tracing::error!(step = %self.step.name, "BUG: nobody listens to a running step");
        }
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let finished = self.finished.take().unwrap_or_else(|| {
            tracing::error!(step = %self.step.name, "BUG: the step's thread panicked");
            step::not_run(self.step, "a bug of ours stopped it".to_owned())
        });
        self.send(Message::Done(self.index, Box::new(finished)));
    }
}
