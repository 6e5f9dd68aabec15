//! One worker: takes tasks, one after the other, until there is none.

use std::sync::mpsc::SyncSender;

use crate::config::StateSync;
use crate::domain::control::Mode;
use crate::domain::session::{Outcome, SessionTask};
use crate::domain::task::Task;
use crate::ops::context::{Ctx, Seed};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::observed;
use crate::ops::progress::Event;
use crate::ops::ready::Queue;
use crate::ops::run::desk::Desk;
use crate::ops::run::finish;
use crate::ops::run::iterate::{End, Origin, Outside, TaskRun};
use crate::ops::run::shared::Shared;
use crate::ops::run::trouble::{Trouble, classify};
use crate::ops::run::{resume, spent, waiting};
use crate::ops::sync;
use crate::ops::take::{self, Checkout, Next};
use crate::ops::takeover;
use crate::sys::lock::FileLock;

/// One worker.
struct Worker<'a> {
    cx: Ctx,
    shared: &'a Shared,
    events: SyncSender<Event>,
    ports: Ports,
}

/// A range of ports that no other worker in this clone uses, held by a lock.
struct Ports {
    base: u16,
    _lock: FileLock,
}

const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 20;
/// As many ranges as there are below the ports that systems hand out by themselves.
const RANGES: u16 = 600;

impl Ports {
    fn take(cx: &Ctx) -> Result<Self, OpError> {
        for slot in 0..RANGES {
            if let Some(lock) = FileLock::try_acquire(&cx.file("slots").join(slot.to_string()))? {
                return Ok(Self { base: FIRST_PORT + slot * PORTS, _lock: lock });
            }
        }
        Err(OpError::Bug(format!("more than {RANGES} workers in one clone")))
    }
}

/// A worker's thread.
pub(super) fn start(seed: Seed, shared: &Shared, events: SyncSender<Event>) {
    let worker = seed.open().and_then(|cx| {
        let ports = Ports::take(&cx)?;
        Ok(Worker { cx, shared, events, ports })
    });
    match worker {
        Ok(worker) => worker.work(),
        Err(error) => shared.board.fail(error),
    }
}

impl Worker<'_> {
    fn send(&self, event: Event) {
        // The receiver outlives every worker; without it nobody is left to tell.
        drop(self.events.send(event));
    }

    /// Works until nothing is left for it.
    fn work(self) {
        let board = &self.shared.board;
        let stop = || self.cx.interrupts.soft();
        while !stop() {
            let Some(mut turn) = board.begin() else { break };
            match self.take() {
                Ok(Some((task, origin))) => {
                    turn.took_one();
                    if let Err(error) = self.one(&task, origin) {
                        self.fail(error);
                    }
                }
                Ok(None) => {
                    let seen = turn.generation;
                    drop(turn);
                    if !(self.shared.options.until_empty && board.wait(seen, &stop)) {
                        break;
                    }
                }
                Err(error) => self.fail(error),
            }
        }
    }

    /// Ends the run: what went wrong concerns every task. The others finish the step that they are at.
    fn fail(&self, error: OpError) {
        self.shared.board.fail(error);
        self.cx.interrupts.at_least(1);
    }

    /// A task to work on: one that a dead session left, else the next ready one.
    fn take(&self) -> Result<Option<(Task, Origin)>, OpError> {
        let taken = self.take_any();
        match taken.map_err(classify) {
            Ok(taken) => Ok(taken),
            Err(Trouble::Mode) => {
                self.close()?;
                Ok(None)
            }
            Err(Trouble::Stopped) => Ok(None),
            Err(Trouble::Halt(error)) => Err(error),
            Err(Trouble::Block(why) | Trouble::Lost(why)) => {
                Err(OpError::Bug(format!("no task was taken: {why}")))
            }
        }
    }

    fn take_any(&self) -> Result<Option<(Task, Origin)>, OpError> {
        while let Some(id) = self.shared.board.next_dead() {
            match resume::take_over(&self.cx, &id) {
                Ok(Some(task)) => return Ok(Some((task, Origin::Dead))),
                Ok(None) => {}
                // That one stays where it is; the others are nobody's.
                Err(OpError::Refused(refused)) if refused.rule == takeover::ORPHAN => {
                    self.send(Event::Note { task: Some(id), text: refused.fact });
                }
                Err(error) => return Err(error),
            }
        }
        self.fetch()?;
        let agents = &self.shared.agents;
        let filter = &self.shared.options.filter;
        // A task that would have to wait is left to whoever needs none of its steps.
        if observed::is_any_open(&self.cx)? && self.is_any_ready()? && !waiting::pass(&self.desk())? {
            return Ok(None);
        }
        match take::next_of(&self.cx, filter, &|row| agents.covers(row), Checkout::None.into(), "run")? {
            Next::Taken(taken) => Ok(Some((taken.task, Origin::Queue))),
            Next::Nothing(_) => Ok(None),
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk { cx: &self.cx, shared: self.shared, events: &self.events, port_base: self.ports.base }
    }

    fn is_any_ready(&self) -> Result<bool, OpError> {
        let snapshot = self.cx.snapshot()?;
        let rows = Queue::open(&self.cx, &snapshot)?.ready(&self.shared.options.filter, usize::MAX)?;
        Ok(rows.iter().any(|row| self.shared.agents.covers(row)))
    }

    /// Branches are cut from trunk as the remote has it now.
    fn fetch(&self) -> Result<(), OpError> {
        let cx = &self.cx;
        if cx.local.sync == StateSync::Manual {
            return Ok(());
        }
        let trunk = cx.trunk(&cx.snapshot()?)?;
        let brought = sync::fetch(cx, &trunk)?;
        if let Some(said) = brought.offline {
            tracing::debug!(%said, "trunk is as this clone has it");
        }
        Ok(())
    }

    /// No new tasks: the mode says so.
    fn close(&self) -> Result<(), OpError> {
        if self.shared.board.close() {
            let mode = self.cx.snapshot()?.control()?.mode;
            if mode != Mode::Normal {
                let text = format!("the mode is {}: no new task is taken", mode.as_str());
                self.send(Event::Note { task: None, text });
            }
        }
        Ok(())
    }

    /// One task from its claim to its end, with its record.
    fn one(&self, task: &Task, origin: Origin) -> Result<(), OpError> {
        let start = self.cx.clock.monotonic();
        let worked = work_on(&self.desk(), task, origin);
        let (end, halt) = match worked.end {
            Ok(end) => {
                let halt = worked.outside.and_then(|outside| self.trouble(outside, end.note.as_deref()));
                if worked.outside.is_none() {
                    self.shared.board.no_trouble();
                }
                (end, halt)
            }
            Err(error) => self.settle(task, error),
        };
        let iterations = worked.iterations;
        let done = SessionTask { id: task.id.clone(), outcome: end.outcome, iterations, note: end.note };
        self.shared.record.add(&self.cx, done.clone())?;
        if done.outcome != Outcome::Interrupted {
            spent::forget(&self.cx, &task.id)?;
        }
        let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.send(Event::TaskFinished { task: done, millis });
        halt.map_or(Ok(()), Err)
    }

    /// Counts a task that its surroundings ended; an error when there are so many in a row that the next one would
    /// not fare better.
    fn trouble(&self, outside: Outside, why: Option<&str>) -> Option<OpError> {
        if !self.shared.board.is_trouble_for_all() {
            return None;
        }
        let why = why.unwrap_or("it could not be worked on");
        let ends = match outside {
            Outside::Surroundings => "ends for its surroundings",
            Outside::Agent => "ends because the agent fails",
        };
        let fact = format!("one task after the other {ends}; the last: {why}");
        let refused = Refused::new(Because::Environment, "run.trouble", fact)
            .next("mend that, `git orch unblock` the tasks, then `git orch run` again");
        Some(match outside {
            Outside::Surroundings => refused.into(),
            Outside::Agent => refused.next("git orch show TASK   (where what its agent said is kept)").into(),
        })
    }

    /// What becomes of a task that an error ended, and of the run.
    fn settle(&self, task: &Task, error: OpError) -> (End, Option<OpError>) {
        let stopped = |note: &str| End::noted(Outcome::Interrupted, finish::reason(note));
        match classify(error) {
            Trouble::Mode => (stopped("the mode does not allow to go on"), None),
            Trouble::Stopped => (End::interrupted(), None),
            Trouble::Lost(what) => {
                let note = finish::reason(&format!("it is not this run's any more: {what}"));
                (End::noted(Outcome::Blocked, note), None)
            }
            Trouble::Halt(error) => (stopped(&error.to_string()), Some(error)),
            Trouble::Block(why) => {
                let why = finish::reason(&why);
                if let Some(all) = self.trouble(Outside::Surroundings, Some(&why)) {
                    return (stopped(&why), Some(all));
                }
                match finish::block(&self.cx, task, &why).map_err(classify) {
                    Ok(()) => (End::noted(Outcome::Blocked, why), None),
                    Err(Trouble::Halt(error)) => (stopped(&why), Some(error)),
                    Err(Trouble::Mode | Trouble::Stopped | Trouble::Lost(_) | Trouble::Block(_)) => {
                        (stopped(&why), None)
                    }
                }
            }
        }
    }
}

/// What working on a task came to.
struct Worked {
    end: Result<End, OpError>,
    iterations: u32,
    /// What is to blame, where it is not the work.
    outside: Option<Outside>,
}

fn work_on(desk: &Desk<'_>, task: &Task, origin: Origin) -> Worked {
    let failed = |error| Worked { end: Err(error), iterations: 0, outside: None };
    let Some(driver) = desk.shared.agents.driver(task) else {
        return failed(OpError::Bug(format!("task {} was taken without an agent for it", task.id)));
    };
    desk.send(Event::TaskStarted { task: Box::new(task.clone()), agent: driver.name().to_owned() });
    if origin == Origin::Queue
        && let Err(error) = takeover::keep(desk.cx, &task.id)
    {
        return failed(error);
    }
    match TaskRun::new(desk, task.clone(), driver) {
        Ok(mut run) => {
            let end = run.run(origin);
            let iterations = u32::try_from(run.history.len()).unwrap_or(u32::MAX);
            let outside = run.outside();
            Worked { end, iterations, outside }
        }
        Err(error) => failed(error),
    }
}
