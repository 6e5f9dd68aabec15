//! A whole run: from its first record to its last.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use crate::domain::actor::{Actor, ActorKind};
use crate::domain::control::Mode;
use crate::domain::id::SessionId;
use crate::domain::plural::plural;
use crate::domain::session::Session;
use crate::gate::{self, rule};
use crate::index::Row;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::gateless;
use crate::ops::progress::{Event, Sink};
use crate::ops::ready::Queue;
use crate::ops::run::agents::Agents;
use crate::ops::run::board::Board;
use crate::ops::run::options::{RunOptions, RunReport, Stopped};
use crate::ops::run::record::Record;
use crate::ops::run::shared::{Landing, Shared};
use crate::ops::run::{program, resume, worker};
use crate::ops::{contract, lease, said, sync, worktrees};
use crate::sys::env::var;
use crate::sys::fs;
use crate::sys::lock::FileLock;
use crate::sys::random;

/// How far workers may be ahead of whoever watches.
const AHEAD: usize = 1024;
/// Signals only count: somebody has to look.
const TICK: Duration = Duration::from_millis(100);
const MODE_TICK: Duration = Duration::from_secs(1);

/// Works on ready tasks until there are none. What a person has to do first is refused at once.
pub fn run(cx: &Ctx, options: &RunOptions, sink: &mut Sink<'_>) -> Result<RunReport, OpError> {
    let config = check(cx)?;
    let agents = Agents::new(options.agent.clone(), config.clone());
    let id = SessionId::from_bits(random::bits40());
    let actor =
        Actor { kind: ActorKind::Agent, name: agents.actor_name().to_owned(), session: Some(id.clone()) };
    let live = lease::live_path(cx, &id);
    let alive = FileLock::try_acquire(&live)?
        .ok_or_else(|| OpError::Bug(format!("somebody holds the fresh session {id}")))?;
    // Workers have a count of their own, so that a mode or an error can stop them as a person does.
    let own = cx.for_worker(actor, cx.interrupts.part()).open()?;

    if let Some(said) = sync::fetch(&own, &own.trunk(&own.snapshot()?)?)?.offline {
        tracing::debug!(%said, "the queue is as this clone has it");
    }
    said::forget_ended(&own, &own.snapshot()?);
    let dead = resume::find(&own, &options.filter, &agents)?;
    let Ready { rows, without_agent } = ready(&own, options, &agents)?;
    if without_agent > 0 {
        sink(Event::Note { task: None, text: needs_agent(without_agent) });
    }
    let left: Vec<Row> = dead.iter().map(|task| Row::new(task, 0)).collect();
    let ready = rows.len() + left.len();
    match program::look_up(cx, &agents.lines(rows.iter().chain(&left))) {
        Ok(notes) => notes.into_iter().for_each(|text| sink(Event::Note { task: None, text })),
        Err(refused) => {
            fs::remove_file_if_there(&live)?;
            return Err(refused);
        }
    }
    let jobs = options.jobs.max(1);
    sink(Event::RunStarted { session: id.clone(), jobs, ready });
    let session = Session {
        id: id.clone(),
        by: own.actor.to_string(),
        started: own.clock.now(),
        ended: None,
        tasks: vec![],
    };
    if ready == 0 {
        // Nothing happened that a record would tell.
        fs::remove_file_if_there(&live)?;
        let session = Session { ended: Some(own.clock.now()), ..session };
        return Ok(RunReport { session, without_agent, stopped: None, failure: None });
    }
    let shared = Shared {
        options: options.clone(),
        config,
        rules: contract::rules()?,
        agents,
        session: id,
        board: Board::new(options.max_tasks, dead.into_iter().map(|task| task.id).collect()),
        record: Record::begin(&own, session)?,
        landing: Landing::default(),
    };
    let stopped = together(cx, &own, &shared, jobs, sink);
    end(&own, shared, alive, Totals { without_agent, stopped })
}

#[derive(Clone, Copy)]
struct Totals {
    without_agent: usize,
    stopped: Option<Stopped>,
}

fn end(own: &Ctx, shared: Shared, alive: FileLock, totals: Totals) -> Result<RunReport, OpError> {
    let session = shared.record.end(own)?;
    let failure = shared.board.into_failure();
    // Tasks that are still held need the file: it tells the next run that their worker is gone, and not elsewhere.
    let tasks = own.snapshot()?.tasks()?.tasks;
    let mut leases = tasks.values().filter_map(|task| task.register.state.lease());
    if !leases.any(|lease| lease.owner.session == session.id) {
        fs::remove_file_if_there(alive.path())?;
    }
    drop(alive);
    let Totals { without_agent, stopped } = totals;
    Ok(RunReport { session, without_agent, stopped, failure })
}

/// What has to be right before anything is taken. Returns the configuration.
fn check(cx: &Ctx) -> Result<crate::config::Config, OpError> {
    let snapshot = cx.snapshot()?;
    let control = snapshot.control()?;
    if control.mode != Mode::Normal {
        let why = control.reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        let fact = format!("the mode is {}{why}: no task may be taken", control.mode.as_str());
        return Err(Refused::new(Because::Policy, "mode", fact)
            .next("git orch mode   # shows who set it and why")
            .next("git orch mode normal   (a person, once the reason is gone)")
            .into());
    }
    if let Some(task) = cx.env.text(var::ORCH_TASK) {
        let fact = format!("this runs under an agent that works on task {task}: loops don't nest");
        return Err(Refused::new(Because::Policy, "run.nested", fact)
            .next("type it in a terminal of your own")
            .into());
    }
    cx.identity()?;
    let trunk = cx.trunk(&snapshot)?;
    let config = cx.config(&trunk)?;
    if config.ralph.steps.is_empty() {
        let refused = Refused::new(Because::Blocked, rule::NO_STEPS, gateless::fact(cx, &trunk)?);
        return Err(gateless::way_out(cx, &trunk)?.into_iter().fold(refused, Refused::next).into());
    }
    worktrees::make_root(cx)?;
    Ok(config)
}

/// What is ready.
struct Ready {
    /// What an agent works on.
    rows: Vec<Row>,
    /// How many tasks there are that none does.
    without_agent: usize,
}

fn ready(cx: &Ctx, options: &RunOptions, agents: &Agents) -> Result<Ready, OpError> {
    let snapshot = cx.snapshot()?;
    let rows = Queue::open(cx, &snapshot)?.ready(&options.filter, usize::MAX)?;
    let (rows, without): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| agents.covers(row));
    Ok(Ready { rows, without_agent: without.len() })
}

fn needs_agent(count: usize) -> String {
    let need = if count == 1 { "needs" } else { "need" };
    format!(
        "{} {need} an agent: --agent CMD, or [agents] in {}",
        plural(count, "ready task"),
        crate::config::FILE
    )
}

/// Starts the workers, and hands on what they tell until the last one is through.
fn together(cx: &Ctx, own: &Ctx, shared: &Shared, jobs: usize, sink: &mut Sink<'_>) -> Option<Stopped> {
    let (events, incoming) = mpsc::sync_channel(AHEAD);
    let mut watch = Watch::new(cx, own, shared);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let seed = own.for_worker(own.actor.clone(), own.interrupts.clone());
            let events = events.clone();
            scope.spawn(move || worker::start(seed, shared, events));
        }
        drop(events);
        let (going_on, done) = mpsc::channel();
        let seed = own.for_worker(own.actor.clone(), own.interrupts.clone());
        scope.spawn(move || match seed.open() {
            Ok(cx) => sync::heartbeat(&cx, &done),
            Err(error) => tracing::debug!(%error, "claims are not renewed"),
        });
        watch.pump(&incoming, sink);
        drop(going_on);
    });
    watch.stopped
}

/// Hands on what a worker tells. That it is stopping was told for all of them.
fn hand_on(event: Event, sink: &mut Sink<'_>) {
    if !matches!(event, Event::Gate { event: gate::Event::Stopping, .. }) {
        sink(event);
    }
}

/// Watches what may stop a run.
struct Watch<'a> {
    /// The caller's context: its interrupts are the person's.
    cx: &'a Ctx,
    /// The run's.
    own: &'a Ctx,
    shared: &'a Shared,
    stopped: Option<Stopped>,
    /// How far we told the workers: 0, 1 (after the current step), 2 (now).
    told: u8,
    looked: Instant,
}

impl<'a> Watch<'a> {
    fn new(cx: &'a Ctx, own: &'a Ctx, shared: &'a Shared) -> Self {
        Self { cx, own, shared, stopped: None, told: 0, looked: cx.clock.monotonic() }
    }

    fn pump(&mut self, incoming: &Receiver<Event>, sink: &mut Sink<'_>) {
        let mut last = self.cx.clock.monotonic();
        loop {
            match incoming.recv_timeout(TICK) {
                Ok(event) => hand_on(event, sink),
                Err(RecvTimeoutError::Timeout) => {}
                // What ended the workers may be what we have not seen yet. Nobody is left to stop: it is not told.
                Err(RecvTimeoutError::Disconnected) => return self.look(&mut |_| {}),
            }
            // Also while events come without a pause.
            if last.elapsed() >= TICK {
                match incoming.try_recv() {
                    Ok(event) => hand_on(event, sink),
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => return self.look(&mut |_| {}),
                }
                last = self.cx.clock.monotonic();
                self.look(sink);
            }
        }
    }

    fn look(&mut self, sink: &mut Sink<'_>) {
        if self.cx.interrupts.hard() {
            self.stop(2, Stopped::Interrupted, sink);
        } else if self.cx.interrupts.soft() {
            self.stop(1, Stopped::Interrupted, sink);
        }
        if self.looked.elapsed() >= MODE_TICK {
            self.looked = self.cx.clock.monotonic();
            // A state that can't be read stops the workers, with its error.
            let mode = self.own.snapshot().and_then(|snapshot| Ok(snapshot.control()?.mode));
            if let Ok(mode @ (Mode::Off | Mode::Safe)) = mode {
                self.stop(2, Stopped::Mode(mode), sink);
            }
        }
        if self.own.interrupts.soft() {
            self.shared.board.wake();
        }
    }

    fn stop(&mut self, how: u8, why: Stopped, sink: &mut Sink<'_>) {
        if self.told >= how {
            return;
        }
        self.stopped.get_or_insert(why);
        self.own.interrupts.at_least(usize::from(how));
        self.told = how;
        self.shared.board.wake();
        sink(Event::Stopping { now: how > 1 });
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_needs_an_agent_is_said_in_one_line() {
        assert_eq!(
            super::needs_agent(1),
            "1 ready task needs an agent: --agent CMD, or [agents] in orch.toml"
        );
        assert!(super::needs_agent(3).starts_with("3 ready tasks need an agent"));
    }
}
