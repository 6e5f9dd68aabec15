//! What a run is given besides its checkout.

use std::path::Path;

use crate::domain::verdict::StepResult;
use crate::gate::environment::environment;
use crate::gate::outcome::Stop;
use crate::sys::clock::Clock;
use crate::sys::env::{Env, var};
use crate::sys::held::Held;
use crate::sys::process::{Cmd, Limits};
use crate::sys::sandbox::Network;

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
    /// For each step, by its place: what an earlier run found, if it need not run. Empty: all of them run.
    pub known: &'a [Option<StepResult>],
    /// What commands are held to; None: they run with the user's rights.
    pub held: Option<Held<'a>>,
}

impl RunContext<'_> {
    /// The environment of a command in `checkout` that is given `declared` besides.
    pub(super) fn environment<'a>(
        &self,
        declared: impl IntoIterator<Item = &'a str>,
        checkout: &Path,
    ) -> Env {
        let env = environment(self.env, declared, checkout);
        match self.held {
            // A sandbox has a `/tmp` of its own, and nothing where the user's is.
            Some(_) => Env::from_pairs(env.iter().filter(|(name, _)| *name != var::TMPDIR)),
            None => env,
        }
    }

    /// Holds a command.
    pub(super) fn hold(&self, cmd: Cmd, network: Network) -> Cmd {
        match &self.held {
            Some(held) => cmd.within(&held.sandbox(network, self.env), held.launcher),
            None => cmd,
        }
    }

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
