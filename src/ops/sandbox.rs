//! The sandbox of a gate run, or of fixers: what this machine can do, what the configuration demands, and the
//! directory it needs.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use crate::config::{Config, Minimum, SandboxUse};
use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Trust;
use crate::gate::Definition;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::pool::{self, Checkout};
use crate::ops::warm;
use crate::sys::beside::beside;
use crate::sys::env::{current_program, var};
use crate::sys::fs::{self, FsError};
use crate::sys::held::{self, Held};
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
    /// What it finds of trunk's runs; None: nothing, and nothing is kept of it.
    warm: RefCell<Option<warm::Run>>,
    /// Whether setup's end was seen already.
    is_set_up: Cell<bool>,
}

/// Caches that nothing but setup reads: what it left there is of no use to a step.
const DOWNLOADS: [&str; 3] = [".npm", ".cache/yarn", ".cache/pip"];

/// What is told where `Room::furnish` leaves setup out.
pub(crate) const NO_SETUP: &str = "setup is not run: trunk's last run has the same lock files";

/// A gate worktree that is ours, checked out, with the room of the runs in it. The room goes first: who gets the worktree next
/// has the same places, and would lose them to us.
pub(crate) struct Site {
    pub(crate) room: Room,
    pub(crate) checkout: Checkout,
}

impl Site {
    /// Checks `commit` out in the first gate worktree that is free, while this machine is asked what it has of a sandbox.
    pub(crate) fn new(cx: &Ctx, commit: &Oid) -> Result<Self, OpError> {
        let slot = pool::free_slot(cx)?;
        let name = format!("gate-{}", slot.number);
        let (room, checkout) = Room::named(cx, &name, || slot.check_out(cx, commit))?;
        Ok(Self { room, checkout })
    }

    /// Keeps what the run left in carried paths, for when its tree is trunk's.
    pub(crate) fn keep(self, now: Timestamp) {
        let Self { room, checkout } = self;
        room.keep(now);
        drop(checkout);
    }
}

impl Room {
    /// The room of a task's fixers, with copies of toolchains' caches. Only one run at a time works on a task.
    pub(crate) fn of_fixers(cx: &Ctx, task: &TaskId) -> Result<Self, OpError> {
        let (mut room, ()) = Self::named(cx, &format!("fix-{task}"), || Ok(()))?;
        if room.support.namespaces {
            room.mount(cx, None)?;
        }
        Ok(room)
    }

    fn named<T>(
        cx: &Ctx,
        name: &str,
        meanwhile: impl FnOnce() -> Result<T, OpError>,
    ) -> Result<(Self, T), OpError> {
        let launcher = current_program().map_err(|source| FsError {
            action: "find",
            path: PathBuf::from("this program"),
            source,
        })?;
        let scratch = cx.file("sandbox").join(name);
        // What is there is of a run that was killed.
        clear(&scratch)?;
        fs::create_dir_all(&scratch)?;
        let (support, made) = match cx.local.sandbox {
            SandboxUse::Off => (Support::default(), meanwhile()),
            SandboxUse::Auto | SandboxUse::Required => {
                let env = &cx.env;
                beside(|| probe::sandbox(&launcher, &scratch, env), meanwhile)
            }
        };
        let made = made?;
        let strength = support.strength(Network::On);
        if cx.local.sandbox == SandboxUse::Required && strength != Strength::Full {
            let fact = format!("this machine has not all of the sandbox: {}", missing(&strength));
            return Err(Refused::new(Because::Environment, "sandbox.missing", fact)
                .next("git config orch.sandbox auto   (runs with what there is; verdicts say so)")
                .into());
        }
        let room = Self {
            support,
            strength,
            launcher,
            scratch,
            secret: cx.repo.orch_dir(),
            git_dir: cx.repo.common_dir().to_owned(),
            writes: cx.local.sandbox_writes.clone(),
            placed: Vec::new(),
            holder: None,
            warm: RefCell::new(None),
            is_set_up: Cell::new(false),
        };
        Ok((room, made))
    }

    /// Gives a run its own copies of toolchains' caches and of what trunk's runs left. Where that can't be had, caches may
    /// only be read, and it begins with nothing. Returns what is to be run: without the setup whose result is there.
    pub(crate) fn furnish(
        &mut self,
        cx: &Ctx,
        checkout: &Checkout,
        definition: &Definition,
    ) -> Result<Definition, OpError> {
        if self.support.namespaces {
            let warm = warm::Run::begin(cx, checkout, definition, &self.scratch)?;
            self.mount(cx, warm)?;
        }
        let mut begun = definition.clone();
        if self.warm.borrow().as_ref().is_some_and(warm::Run::is_set_up) {
            begun.setup.clear();
        }
        Ok(begun)
    }

    fn mount(&mut self, cx: &Ctx, warm: Option<warm::Run>) -> Result<(), OpError> {
        let (mut overlays, mut placed) = self.caches(cx);
        let caches = overlays.len();
        if let Some(warm) = &warm {
            overlays.extend(warm.overlays()?);
            placed.extend(warm.placed());
        }
        if overlays.is_empty() {
            return Ok(());
        }
        let holder = match Holder::start(&self.launcher, &overlays, &cx.env) {
            Ok(holder) => holder,
            Err(error) => {
                tracing::warn!(%error, "no copies for this run");
                return Ok(());
            }
        };
        // Half of what a run left would be none of its states.
        let is_whole = (caches..overlays.len()).all(|n| holder.has(n));
        let is_there = |n: usize| holder.has(n) && (n < caches || is_whole);
        self.placed = placed.into_iter().enumerate().filter(|(n, _)| is_there(*n)).map(|(_, p)| p).collect();
        self.warm = RefCell::new(warm.filter(|_| is_whole));
        self.holder = Some(holder);
        Ok(())
    }

    /// Copies of the toolchains' caches that are there.
    fn caches(&self, cx: &Ctx) -> (Vec<Overlay>, Vec<Placed>) {
        let found = held::caches(&cx.env).into_iter().filter(|place| place.is_dir()).enumerate();
        let copy = |(n, place): (usize, PathBuf)| {
            let dir = self.scratch.join("caches").join(n.to_string());
            let [upper, work, at] = ["upper", "work", "at"].map(|name| dir.join(name));
            let overlay = Overlay { lower: vec![place.clone()], upper, work, at: at.clone() };
            (overlay, Placed { source: at, place })
        };
        found.map(copy).unzip()
    }

    /// To be called when setup has ended, and harmless after that.
    pub(crate) fn setup_ended(&self, cx: &Ctx, checkout: &Checkout) {
        if let Some(warm) = self.warm.borrow_mut().as_mut()
            && !self.is_set_up.replace(true)
            && !warm.is_set_up()
        {
            warm.set_up(self.left_nothing_else(cx, checkout).unwrap_or(false));
        }
    }

    /// Whether what ran so far wrote into carried paths only, as far as later commands can tell.
    fn left_nothing_else(&self, cx: &Ctx, checkout: &Checkout) -> Result<bool, OpError> {
        let home = cx.env.get(var::HOME).map(Path::new);
        let is_download =
            |place: &Path| home.is_some_and(|home| DOWNLOADS.iter().any(|name| place == home.join(name)));
        let caches =
            self.placed.iter().filter(|placed| placed.source.starts_with(self.scratch.join("caches")));
        for cache in caches.filter(|cache| !is_download(&cache.place)) {
            if !is_empty(&cache.source.with_file_name("upper"))? {
                return Ok(false);
            }
        }
        Ok(is_empty(&self.scratch.join("home"))?
            && is_empty(&self.scratch.join("tmp"))?
            && checkout.is_bare(cx)?)
    }

    /// Keeps what the run left in carried paths, for when its tree is trunk's. Nothing runs in here after that.
    fn keep(mut self, now: Timestamp) {
        drop(self.holder.take());
        if let Some(warm) = self.warm.take()
            && let Err(error) = warm.keep(now)
        {
            tracing::warn!(%error, "what was built is not kept");
        }
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

/// Whether there is no file in a directory, nor in those below; one that is not there is empty. Links are ours: they lead
/// to what may be read.
fn is_empty(dir: &Path) -> Result<bool, OpError> {
    for path in fs::list(dir)? {
        let Ok(found) = path.symlink_metadata() else { return Ok(false) };
        if found.is_file() || (found.is_dir() && !is_empty(&path)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a room, with directories that the kernel or a command made unreadable.
fn clear(dir: &Path) -> Result<(), OpError> {
    if fs::exists(dir) {
        fs::remove_tree(dir)?;
    }
    Ok(())
}
