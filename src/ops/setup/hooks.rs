//! Installing hooks in every worktree's effective hooks directory.

use std::path::{Path, PathBuf};

use crate::git::Worktree;
use crate::hook::install::{self, Input, InstallError, MARKER};
use crate::hook::name::Hook;
use crate::hook::settings::{self, PROTOCOL, Settings};
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::setup::report::{Done, Report};
use crate::sys::{env, fs};

/// The dispatcher's file name.
const DISPATCHER: &str = "git-orch-hook";

/// The two programs that hooks are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// The main binary, absolute.
    pub main: PathBuf,
    /// The dispatcher, absolute.
    pub dispatcher: PathBuf,
}

impl Programs {
    /// The running program, and the dispatcher beside it.
    pub fn running() -> Result<Self, OpError> {
        let main = env::current_program().map_err(|source| fs::FsError {
            action: "find",
            path: PathBuf::from("the running program"),
            source,
        })?;
        Ok(Self { dispatcher: main.with_file_name(DISPATCHER), main })
    }

    /// Refuses unless the dispatcher is there.
    pub(super) fn refuse_missing(&self) -> Result<(), OpError> {
        if self.dispatcher.is_file() {
            return Ok(());
        }
        Err(no_dispatcher(&self.dispatcher).into())
    }

    /// The dispatcher's build.
    pub(crate) fn build(&self) -> String {
        install::build_id(&self.dispatcher)
    }
}

fn no_dispatcher(path: &Path) -> Refused {
    let fact = format!("hooks are copies of {DISPATCHER}, which is not at {}", path.display());
    Refused::new(Because::Environment, "hooks.dispatcher", fact)
        .next("cargo install --locked --path .   # in git-orch's source: installs both programs side by side")
}

/// Makes installed hooks those of the running program, if they are of another build. For every command: one small
/// file is read where there is nothing to do.
pub fn refresh(cx: &Ctx) -> Result<(), OpError> {
    let Programs { main, dispatcher } = Programs::running()?;
    let build = install::build_id(&dispatcher);
    let wanted = install::Dispatcher { path: dispatcher, main, build };
    install::refresh_if_stale(&cx.repo.orch_dir(), &wanted).map_err(failed)?;
    Ok(())
}

/// An installation's failure as an operation's.
pub(super) fn failed(error: InstallError) -> OpError {
    match error {
        InstallError::NoDispatcher(path) => no_dispatcher(&path).into(),
        InstallError::Fs(e) => e.into(),
        InstallError::Lock(e) => e.into(),
        other => {
            let cause = std::error::Error::source(&other).map_or(String::new(), |c| format!(": {c}"));
            Refused::new(Because::Environment, "hooks.record", format!("{other}{cause}"))
                .next("git orch doctor")
                .into()
        }
    }
}

/// A directory that git runs hooks from, for at least one worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The directory, without links as far as it exists.
    pub(crate) dir: PathBuf,
    /// The worktrees that it serves; none in a bare repository. For a relative path they are one each.
    pub(crate) worktrees: Vec<Worktree>,
    /// Whether git tracks anything in it.
    pub(crate) tracked: bool,
}

impl Place {
    fn new(cx: &Ctx, dir: &Path, worktree: Option<Worktree>) -> Result<Self, OpError> {
        let dir = install::real_dir(dir);
        let tracked = match &worktree {
            Some(worktree) if dir.starts_with(install::real_dir(&worktree.path)) => {
                let listed = cx.repo.git_in(worktree, ["ls-files", "-z", "--"]).args([&dir]).run()?;
                listed.status.success() && !listed.stdout.is_empty()
            }
            Some(_) | None => false,
        };
        Ok(Self { dir, worktrees: worktree.into_iter().collect(), tracked })
    }

    /// Whether the directory is in the worktree or the repository, and not tracked: whether we may write there.
    pub(crate) fn is_ours_to_use(&self, cx: &Ctx) -> bool {
        let inside = |top: &Path| self.dir.starts_with(install::real_dir(top));
        !self.tracked && (inside(cx.repo.common_dir()) || self.worktrees.iter().any(|w| inside(&w.path)))
    }
}

impl Place {
    /// Why nothing is written there, where that is so.
    pub(crate) fn why_not(&self) -> String {
        let why = if self.tracked { "is under version control" } else { "is outside this repository" };
        format!("{} {why}, so git-orch does not write there", self.dir.display())
    }
}

/// The place of the present worktree's hooks; in a bare repository, that of the repository.
pub(crate) fn place_here(cx: &Ctx) -> Result<Place, OpError> {
    match cx.repo.here()? {
        Some(here) => place_of(cx, &here),
        None => Place::new(cx, &cx.repo.hooks_dir()?, None),
    }
}

/// The place of one worktree's hooks.
pub(crate) fn place_of(cx: &Ctx, worktree: &Worktree) -> Result<Place, OpError> {
    Place::new(cx, &cx.repo.hooks_dir_of(worktree)?, Some(worktree.clone()))
}

/// Every directory that git runs hooks from here, each once: the present worktree's first.
pub(crate) fn places(cx: &Ctx) -> Result<Vec<Place>, OpError> {
    let here = cx.repo.here()?;
    let mut places = Vec::new();
    if here.is_none() {
        places.push(Place::new(cx, &cx.repo.hooks_dir()?, None)?);
    }
    let others = cx.repo.worktrees()?.into_iter().filter(|w| Some(w) != here.as_ref());
    for worktree in here.iter().cloned().chain(others) {
        if !worktree.exists() {
            continue;
        }
        let place = place_of(cx, &worktree)?;
        match places.iter_mut().find(|known: &&mut Place| known.dir == place.dir) {
            Some(known) => known.worktrees.push(worktree),
            None => places.push(place),
        }
    }
    Ok(places)
}

/// What `hook.toml` is to say.
pub(crate) fn settings(cx: &Ctx, trunk: &Trunk, programs: &Programs) -> Settings {
    Settings {
        version: PROTOCOL,
        main: programs.main.clone(),
        build: programs.build(),
        trunk: trunk.local_ref.clone(),
        tracking: trunk.tracking_ref.clone(),
        enabled: cx.local.hooks,
    }
}

/// What `hook.toml` says; None if it is not there or of no use.
pub(crate) fn installed_settings(cx: &Ctx) -> Option<Settings> {
    Settings::read_optional(&cx.repo.orch_dir()).ok().flatten()
}

/// Whether `init` set this clone up and nobody took it back.
pub(crate) fn is_installed(cx: &Ctx) -> bool {
    fs::exists(&cx.file(settings::FILE))
}

fn plan_of(
    cx: &Ctx,
    place: &Place,
    settings: &Settings,
    programs: &Programs,
) -> Result<install::Plan, OpError> {
    let input = Input {
        common_dir: cx.repo.common_dir().to_owned(),
        hooks_dir: place.dir.clone(),
        worktree: place.worktrees.first().map(|w| w.path.clone()),
        tracked: place.tracked,
        dispatcher: programs.dispatcher.clone(),
        settings: settings.clone(),
    };
    Ok(install::plan(&install::inspect(&input).map_err(failed)?))
}

/// Installs in one place whatever is missing there; says whether anything was.
pub(crate) fn install_in(
    cx: &Ctx,
    place: &Place,
    trunk: &Trunk,
    programs: &Programs,
) -> Result<bool, OpError> {
    let plan = plan_of(cx, place, &settings(cx, trunk, programs), programs)?;
    install::execute(&plan).map_err(failed)?;
    Ok(!plan.steps.is_empty())
}

/// Installs the hooks of a new worktree where it has a hooks directory of its own: with a relative
/// `core.hooksPath` (husky) git would silently run none there. Nothing where the hooks are not installed.
pub(crate) fn cover_worktree(cx: &Ctx, path: &Path) -> Result<(), OpError> {
    if cx.settings.hooks_path.is_none() || installed_settings(cx).is_none() {
        return Ok(());
    }
    let Some(worktree) = cx.repo.worktree_at(path)? else { return Ok(()) };
    let place = place_of(cx, &worktree)?;
    if place.is_ours_to_use(cx) {
        let trunk = cx.trunk(&cx.snapshot()?)?;
        install_in(cx, &place, &trunk, &Programs::running()?)?;
    }
    Ok(())
}

/// Whether things are done or only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Do,
    Tell,
}

/// Installs the hooks in every place.
pub(super) fn install_all(
    cx: &Ctx,
    trunk: &Trunk,
    programs: &Programs,
    act: Act,
    report: &mut Report,
) -> Result<(), OpError> {
    let wanted = settings(cx, trunk, programs);
    for place in places(cx)? {
        let plan = plan_of(cx, &place, &wanted, programs)?;
        if act == Act::Tell {
            for step in &plan.steps {
                report.push(Done::Planned, "hooks", step.to_string());
            }
        } else {
            install::execute(&plan).map_err(failed)?;
        }
        let dir = place.dir.display();
        if plan.enforced && plan.steps.is_empty() {
            report.push(Done::Kept, "hooks", format!("installed in {dir}"));
        } else if plan.enforced && act == Act::Do {
            let names = Hook::ALL.map(Hook::as_str).join(", ");
            report.push(Done::Made, "hooks", format!("{names} in {dir}"));
        }
        for note in plan.notes {
            let done = if plan.enforced { Done::Kept } else { Done::Warned };
            report.push(done, "hooks", note);
        }
    }
    if !wanted.enabled {
        let line = "switched off in this clone by `git config orch.hooks off`";
        report.push(Done::Warned, "hooks", line);
    }
    Ok(())
}

/// Whether the file at `path` is a hook of ours, of any build.
pub(crate) fn covers(path: &Path) -> bool {
    let marker = MARKER.as_bytes();
    fs::read(path)
        .is_ok_and(|bytes| !bytes.starts_with(b"#!") && bytes.windows(marker.len()).any(|w| w == marker))
}
