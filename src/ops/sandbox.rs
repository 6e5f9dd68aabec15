//! The sandbox of a gate run: what this machine can do, what the configuration demands, and the directory it needs.

use std::path::{Path, PathBuf};

use crate::config::{Config, Minimum, SandboxUse};
use crate::domain::verdict::Trust;
use crate::gate::{self, Held};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::sys::env::current_program;
use crate::sys::fs::{self, FsError};
use crate::sys::holder::Holder;
use crate::sys::probe;
use crate::sys::sandbox::{Network, Overlay, Placed, Strength, Support};

/// What the commands of one gate run are held by. Its directory goes with it.
pub(crate) struct Room {
    support: Support,
    strength: Strength,
    launcher: PathBuf,
    scratch: PathBuf,
    secret: PathBuf,
    git_dir: PathBuf,
    writes: Vec<PathBuf>,
    /// What its commands find elsewhere, and what holds the mounts of that.
    placed: Vec<Placed>,
    holder: Option<Holder>,
}

impl Room {
    /// The room of the gate worktree `slot`, which the caller holds.
    pub(crate) fn of(cx: &Ctx, slot: usize) -> Result<Self, OpError> {
        let launcher = current_program().map_err(|source| FsError {
            action: "find",
            path: PathBuf::from("this program"),
            source,
        })?;
        let scratch = cx.file("sandbox").join(format!("gate-{slot}"));
        // What is there is of a run that was killed.
        clear(&scratch)?;
        fs::create_dir_all(&scratch)?;
        let support = match cx.local.sandbox {
            SandboxUse::Off => Support::default(),
            SandboxUse::Auto | SandboxUse::Required => probe::sandbox(&launcher, &scratch, &cx.env),
        };
        let strength = support.strength(Network::On);
        if cx.local.sandbox == SandboxUse::Required && strength != Strength::Full {
            let fact = format!("this machine has not all of the sandbox: {}", missing(&strength));
            return Err(Refused::new(Because::Environment, "sandbox.missing", fact)
                .next("git config orch.sandbox auto   (runs with what there is; verdicts say so)")
                .into());
        }
        Ok(Self {
            support,
            strength,
            launcher,
            scratch,
            secret: cx.repo.orch_dir(),
            git_dir: cx.repo.common_dir().to_owned(),
            writes: cx.local.sandbox_writes.clone(),
            placed: Vec::new(),
            holder: None,
        })
    }

    /// Gives a run its own copies of toolchains' caches. Where that can't be had they may only be read.
    pub(crate) fn furnish(&mut self, cx: &Ctx) {
        if !self.support.namespaces {
            return;
        }
        let (overlays, placed) = self.caches(cx);
        match Holder::start(&self.launcher, &overlays, &cx.env) {
            Ok(holder) => {
                let there = placed.into_iter().enumerate().filter(|(n, _)| holder.has(*n));
                self.placed = there.map(|(_, placed)| placed).collect();
                self.holder = Some(holder);
            }
            Err(error) => tracing::warn!(%error, "no copies for this run"),
        }
    }

    /// Copies of the toolchains' caches that are there.
    fn caches(&self, cx: &Ctx) -> (Vec<Overlay>, Vec<Placed>) {
        let found = gate::caches(&cx.env).into_iter().filter(|place| place.is_dir()).enumerate();
        let copy = |(n, place): (usize, PathBuf)| {
            let dir = self.scratch.join("caches").join(n.to_string());
            let [upper, work, at] = ["upper", "work", "at"].map(|name| dir.join(name));
            let overlay = Overlay { lower: vec![place.clone()], upper, work, at: at.clone() };
            (overlay, Placed { source: at, place })
        };
        found.map(copy).unzip()
    }

    /// What a run in `checkout` is held to; None: nothing holds it.
    pub(crate) fn held<'a>(&'a self, checkout: &'a Path) -> Option<Held<'a>> {
        (self.strength != Strength::None).then_some(Held {
            checkout,
            git_dir: &self.git_dir,
            secret: &self.secret,
            writes: &self.writes,
            placed: &self.placed,
            holder: self.holder.as_ref().map(Holder::pid),
            scratch: &self.scratch,
            support: self.support,
            launcher: &self.launcher,
        })
    }

    /// What a verdict says about it.
    pub(crate) fn trust(&self) -> Trust {
        match self.strength {
            Strength::Full => Trust::Sandboxed,
            Strength::Partial(_) => Trust::Partial,
            Strength::None => Trust::Unsandboxed,
        }
    }

    /// Why the configuration does not accept a run here.
    pub(crate) fn refusal(&self, config: &Config) -> Option<String> {
        let wanted = config.policy.sandbox;
        (!suffices(self.trust(), wanted)).then(|| {
            format!("policy.sandbox = \"{}\", and here {}", wanted.as_str(), missing(&self.strength))
        })
    }

    /// Why a step can't have the network that it is to have.
    pub(crate) fn refuse_networks<'a>(
        &self,
        networks: impl IntoIterator<Item = (&'a str, Network)>,
    ) -> Result<(), OpError> {
        let limited = networks.into_iter().find(|(_, network)| *network != Network::On);
        let Some((step, network)) = limited.filter(|_| !self.support.namespaces) else { return Ok(()) };
        let fact = format!(
            "step {step} is to have network = \"{}\", and this machine has no network namespaces for it",
            network.as_str()
        );
        Err(Refused::new(Because::Environment, "sandbox.network", fact)
            .next("sysctl kernel.unprivileged_userns_clone user.max_user_namespaces   (whether they are switched off)")
            .into())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What is mounted can't be removed.
        drop(self.holder.take());
        if let Err(error) = clear(&self.scratch) {
            tracing::debug!(%error, "the next run clears it");
        }
    }
}

/// Whether what held a run is as much as there has to be.
pub(crate) fn suffices(trust: Trust, wanted: Minimum) -> bool {
    match wanted {
        Minimum::Any => true,
        Minimum::Partial => trust != Trust::Unsandboxed,
        Minimum::Full => trust == Trust::Sandboxed,
    }
}

fn missing(strength: &Strength) -> String {
    match strength {
        Strength::Full => "nothing is missing".to_owned(),
        Strength::Partial(missing) => missing.join("; "),
        Strength::None => "there is none of it".to_owned(),
    }
}

/// Removes a room, with directories that the kernel or a command made unreadable.
fn clear(dir: &Path) -> Result<(), OpError> {
    if !fs::exists(dir) {
        return Ok(());
    }
    if fs::remove_dir_all(dir).is_err() {
        fs::open_up(dir)?;
        fs::remove_dir_all(dir)?;
    }
    Ok(())
}
