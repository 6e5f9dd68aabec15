//! What a run does while a breaker is open: nothing that costs, until the step can be tried again; then one try on trunk.
//!
//! Called before a task is taken and before an agent is started. The breakers are this clone's (`ops::observed`), so that
//! several runs wait for the same step, and one of them tries it: whoever holds the lock, which goes with its process.

use std::time::{Duration, Instant};

use crate::config::Moment;
use crate::domain::control::Mode;
use crate::domain::time::Timestamp;
use crate::gate::breaker::{Admission, Circuit};
use crate::gate::{Definition, SETUP};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::observed;
use crate::ops::progress::Event;
use crate::ops::ralph::{self, Recorded, Request};
use crate::ops::run::desk::Desk;
use crate::sys::lock::FileLock;

/// Time passes, and people interrupt: somebody has to look.
const TICK: Duration = Duration::from_millis(200);
/// How often the mode is looked at meanwhile.
const MODE_TICK: Duration = Duration::from_secs(1);

/// The step that keeps a run waiting.
struct Held {
    step: String,
    circuit: Circuit,
    admission: Admission,
}

/// Waits until every step of the gate may be tried. False: the run is to end. Another mode than NORMAL is a refusal.
pub(super) fn pass(desk: &Desk<'_>) -> Result<bool, OpError> {
    let cx = desk.cx;
    let mut told: Option<Timestamp> = None;
    let mut looked: Option<Instant> = None;
    loop {
        if cx.interrupts.soft() {
            return Ok(false);
        }
        let Some(held) = held(desk)? else {
            if told.is_some() {
                note(desk, "no step is waited for any more: work goes on".to_owned());
            }
            return Ok(true);
        };
        if looked.is_none_or(|looked| looked.elapsed() >= MODE_TICK) {
            looked = Some(cx.clock.monotonic());
            refuse_mode(cx.snapshot()?.control()?.mode)?;
        }
        match held.admission {
            Admission::Go => return Ok(true),
            Admission::Wait(until) if told != Some(until) => {
                told = Some(until);
                note(desk, waits(&held, until));
            }
            Admission::Wait(_) => {}
            Admission::Probe => {
                if let Some(_alone) = FileLock::try_acquire(&cx.file("breaker.probe"))? {
                    // It runs what trunk says, which no mode but NORMAL lets a loop do.
                    refuse_mode(cx.snapshot()?.control()?.mode)?;
                    told.get_or_insert_with(|| cx.clock.now());
                    probe(desk, &held)?;
                    continue;
                }
            }
        }
        cx.clock.wait(TICK);
    }
}

/// Whoever waits has nothing under way that another mode would let it end.
fn refuse_mode(mode: Mode) -> Result<(), OpError> {
    if mode == Mode::Normal {
        return Ok(());
    }
    Err(Refused::new(Because::Policy, "mode", format!("the mode is {}", mode.as_str())).into())
}

/// Of the steps that may not be tried like others, the one that is waited for the longest.
fn held(desk: &Desk<'_>) -> Result<Option<Held>, OpError> {
    let (cx, config) = (desk.cx, &desk.shared.config);
    let breakers = observed::breakers(cx)?;
    if config.ralph.breaker == 0 || breakers.is_empty() {
        return Ok(None);
    }
    let gate = Definition::of(config).select(Moment::Merge, None);
    let now = cx.clock.now();
    let is_ours = |step: &str| step == SETUP || gate.steps.iter().any(|own| own.name == step);
    let open = breakers.into_iter().filter(|(step, circuit)| is_ours(step) && circuit.open.is_some());
    let last = open.max_by_key(|(_, circuit)| circuit.open.map(|open| open.until));
    Ok(last.map(|(step, circuit)| Held { admission: circuit.admission(now), step, circuit }))
}

fn waits(held: &Held, until: Timestamp) -> String {
    let Held { step, circuit, .. } = held;
    format!(
        "{step} was BLOCKED {} times in a row ({}): no agent is started until {until}; then it is tried on trunk",
        circuit.in_a_row, circuit.reason
    )
}

/// Tries the gate on trunk: what comes of it closes the breaker, or opens it again.
fn probe(desk: &Desk<'_>, held: &Held) -> Result<(), OpError> {
    let cx = desk.cx;
    let trunk = cx.trunk(&cx.snapshot()?)?;
    if let Some(tip) = trunk.tip() {
        note(desk, format!("{} is tried on {}, without an agent", held.step, trunk.name));
        let mut request = Request::new(tip.clone(), Moment::Merge);
        request.recorded = Recorded::Ignored;
        if ralph::judge(cx, &request, &mut |event| desk.send(event))?.stop.is_some() {
            return Ok(());
        }
    }
    let (limits, now) = (observed::limits(&desk.shared.config.ralph), cx.clock.now());
    observed::change_breakers(cx, |all| {
        for circuit in all.values_mut().filter(|circuit| circuit.admission(now) == Admission::Probe) {
            *circuit = circuit.unreached(limits);
        }
    })
}

fn note(desk: &Desk<'_>, text: String) {
    desk.send(Event::Note { task: None, text });
}
