//! What a run is given besides its checkout.

use std::path::Path;

use crate::gate::outcome::Stop;
use crate::sys::clock::Clock;
use crate::sys::env::Env;
use crate::sys::process::Limits;

/// What a run is given besides its checkout and definition.
#[derive(Clone, Copy, Debug)]
pub struct RunContext<'a> {
    /// The user's environment, of which `environment` passes a part on.
    pub env: &'a Env,
    /// How many steps at the same time, at most.
    pub jobs: usize,
    /// Where logs go: `<step>.log`, and `setup.log`. Made if it is not there.
    pub log_dir: &'a Path,
    /// `wall`: for one setup command (None: 30 minutes; steps have their own `timeout`). `idle` and `grace`: for
    /// every command. `deadline` and `interrupts`: for the run.
    pub limits: &'a Limits,
}

impl RunContext<'_> {
    /// Whether no further command may begin.
    pub(super) fn stop(&self) -> Option<Stop> {
        if self.limits.interrupts.soft() {
            Some(Stop::Interrupted)
        } else {
            self.limits.deadline.filter(|&at| Clock.monotonic() >= at).map(|_| Stop::Deadline)
        }
    }
}

/// Milliseconds since `start`.
pub(super) fn millis_since(start: std::time::Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
