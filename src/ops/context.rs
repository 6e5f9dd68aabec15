//! What every operation needs, opened once: the repository, who acts, and this clone's settings.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::{Config, FILE, Local};
use crate::domain::actor::{Actor, ActorKind};
use crate::domain::id::{IdError, SessionId};
use crate::domain::oid::Oid;
use crate::git::{Repo, Settings};
use crate::index;
use crate::ops::error::{Because, OpError, Refused};
use crate::store::{Author, Snapshot, Store, StoreError, fetched_state_ref, remote_state_ref};
use crate::sys::clock::Clock;
use crate::sys::env::{Env, var};
use crate::sys::fs::{self, Durability};
use crate::sys::random;
use crate::sys::signal::Interrupts;

/// What every operation needs.
#[derive(Debug)]
pub struct Ctx {
    /// The repository, seen from the worktree that the command was typed in.
    pub repo: Repo,
    /// The user's environment.
    pub env: Env,
    /// The directory that the command was typed in.
    pub cwd: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// git's configuration.
    pub settings: Settings,
    /// `git config orch.*`.
    pub local: Local,
    /// Lines about unknown `orch.*` keys, for the surface to show.
    pub warnings: Vec<String>,
    /// Ctrl-C.
    pub interrupts: Interrupts,
    /// Who acts.
    pub actor: Actor,
    /// Signatures that were looked at.
    pub(super) signed: Signed,
}

/// Who made a signature that was looked at: by the lines of those who are believed with the signature, and by what is signed.
pub(super) type Signed = RefCell<BTreeMap<(String, Vec<u8>), Option<String>>>;

/// A context that is not open yet: it can go to another thread, which an open repository can't.
#[derive(Clone, Debug)]
pub struct Seed {
    git_dir: PathBuf,
    work_tree: Option<PathBuf>,
    env: Env,
    cwd: PathBuf,
    settings: Settings,
    local: Local,
    interrupts: Interrupts,
    actor: Actor,
}

impl Seed {
    /// Opens the repository.
    pub fn open(self) -> Result<Ctx, OpError> {
        Ok(Ctx {
            repo: Repo::open(&self.git_dir, self.work_tree.as_deref(), &self.env)?,
            env: self.env,
            cwd: self.cwd,
            clock: Clock,
            settings: self.settings,
            local: self.local,
            warnings: Vec::new(),
            interrupts: self.interrupts,
            actor: self.actor,
            signed: Signed::default(),
        })
    }
}

/// The protected branch, and where it is judged from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Its short name.
    pub name: String,
    /// `refs/heads/<name>`.
    pub local_ref: String,
    /// The remote that it is shared through, if there is one.
    pub remote: Option<String>,
    /// `refs/remotes/<remote>/<name>`.
    pub tracking_ref: Option<String>,
    /// Where the local branch is; None while unborn.
    pub local: Option<Oid>,
    /// Where the tracking ref is.
    pub tracking: Option<Oid>,
}

impl Trunk {
    /// The policy tip: the tracking ref where there is one, else the local branch. Configuration, policy and gate
    /// are read there, branches are cut there, merges are built there.
    pub fn tip(&self) -> Option<&Oid> {
        self.tracking.as_ref().or(self.local.as_ref())
    }

    /// The ref that `tip` was read from, as people type it: `main`, `origin/main`.
    pub fn tip_name(&self) -> &str {
        let full = self.tip_ref();
        full.strip_prefix("refs/heads/").or_else(|| full.strip_prefix("refs/remotes/")).unwrap_or(full)
    }

    /// The ref that `tip` was read from.
    pub fn tip_ref(&self) -> &str {
        match (&self.tracking, &self.tracking_ref) {
            (Some(_), Some(name)) => name,
            (_, _) => &self.local_ref,
        }
    }
}

impl Ctx {
    /// Opens the repository that `cwd` is in.
    pub fn open(env: &Env, cwd: &Path, interrupts: Interrupts) -> Result<Self, OpError> {
        let repo = Repo::discover(cwd, env)?;
        let settings = repo.settings();
        let pairs = settings.orch.iter().map(|(k, v)| (format!("orch.{k}"), v.as_str()));
        let (local, warnings) = Local::from_pairs(pairs).map_err(OpError::Local)?;
        let actor = actor(env, &settings);
        Ok(Self {
            repo,
            env: env.clone(),
            cwd: cwd.to_owned(),
            clock: Clock,
            settings,
            local,
            warnings,
            interrupts,
            actor,
            signed: Signed::default(),
        })
    }

    /// What another thread opens the same context from, under another actor.
    pub fn for_worker(&self, actor: Actor, interrupts: Interrupts) -> Seed {
        Seed {
            git_dir: self.repo.git_dir().to_owned(),
            work_tree: self.repo.work_tree().map(Path::to_owned),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
            settings: self.settings.clone(),
            local: self.local.clone(),
            interrupts,
            actor,
        }
    }

    /// The state.
    pub fn store(&self) -> Store<'_> {
        Store::new(&self.repo, self.durability())
    }

    /// Whether changes of state must survive a power cut.
    pub fn durability(&self) -> Durability {
        self.local.durability
    }

    /// The state as it is now; a refusal that names `init` if there is none.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, OpError> {
        let snapshot = self.store().snapshot().and_then(|snapshot| match snapshot.meta() {
            Err(error @ StoreError::TooNew { .. }) => Err(error),
            // What is damaged is told by whoever needs it.
            Ok(_) | Err(_) => Ok(snapshot),
        });
        snapshot.map_err(|error| match error {
            StoreError::NoState => {
                let fact = match self.had_state() {
                    true => "refs/orch/state is gone: `git orch init` puts it back",
                    false => "git-orch is not set up here",
                };
                Refused::new(Because::Environment, "init.missing", fact).next("git orch init").into()
            }
            other => other.into(),
        })
    }

    /// Whether this clone has or had a state: what is derived from it is here.
    pub fn had_state(&self) -> bool {
        fs::exists(&index::file(&self.repo.orch_dir()))
    }

    /// For git's author and committer lines of state commits.
    pub fn author(&self) -> Author {
        Author {
            name: self.settings.name.clone().unwrap_or_else(|| "git-orch".into()),
            email: self.settings.email.clone().unwrap_or_else(|| "git-orch@localhost".into()),
            actor: self.actor.clone(),
        }
    }

    /// Name and e-mail address for a commit in a person's name.
    pub fn identity(&self) -> Result<(String, String), OpError> {
        match (&self.settings.name, &self.settings.email) {
            (Some(name), Some(email)) => Ok((name.clone(), email.clone())),
            (_, _) => Err(Refused::new(
                Because::Environment,
                "identity.missing",
                "git does not know who you are, and this commit is made in your name",
            )
            .next("git config --global user.name \"Your Name\"")
            .next("git config --global user.email you@example.com")
            .into()),
        }
    }

    /// Where files of this clone are kept: `<common dir>/orch/<name>`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.repo.orch_dir().join(name)
    }

    /// The session that a person's claims in this clone belong to. Made on first use.
    pub fn person_session(&self) -> Result<SessionId, OpError> {
        let (path, new) = (self.file("session"), self.file("session.new"));
        let here = Place(self.repo.common_dir());
        fs::create_dir_all(&self.repo.orch_dir())?;
        for _ in 0..4 {
            if let Some(text) = fs::read_optional(&path)?
                && let Some(session) = here.session_in(&text)
            {
                return Ok(session?);
            }
            let fresh = SessionId::from_bits(random::bits40());
            // If another process was faster, its session is ours.
            fs::publish_new(&new, format!("{fresh}\n{here}\n").as_bytes(), 0o644)?;
            match fs::rename(&new, &path) {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        Err(OpError::Bug(format!("{} is neither there nor absent", path.display())))
    }

    /// The remote that is used: `orch.remote`, else `origin`, else the only one there is.
    pub fn remote(&self) -> Option<&str> {
        if let Some(name) = &self.local.remote {
            return Some(name);
        }
        let remotes = &self.settings.remotes;
        match remotes.as_slice() {
            [only] => Some(only),
            many => many.iter().find(|name| *name == "origin").map(String::as_str),
        }
    }

    /// The ref by which this clone remembers the state that `remote` had when it was last joined.
    pub fn tracked_state(&self, remote: &str) -> String {
        remote_state_ref(remote, &self.local.state_ref)
    }

    /// The ref that the state of `remote` is fetched to before it is looked at.
    pub fn fetched_state(&self, remote: &str) -> String {
        fetched_state_ref(remote, &self.local.state_ref)
    }

    /// Trunk, freshly resolved.
    pub fn trunk(&self, snapshot: &Snapshot<'_>) -> Result<Trunk, OpError> {
        self.trunk_named(&snapshot.meta()?.trunk)
    }

    /// The trunk that is called `name`, freshly resolved.
    pub fn trunk_named(&self, name: &str) -> Result<Trunk, OpError> {
        let local_ref = format!("refs/heads/{name}");
        let remote = self.remote().map(str::to_owned);
        let tracking_ref = remote.as_ref().map(|remote| format!("refs/remotes/{remote}/{name}"));
        let tracking = match &tracking_ref {
            Some(tracking_ref) => self.repo.ref_target(tracking_ref)?,
            None => None,
        };
        let local = self.repo.ref_target(&local_ref)?;
        Ok(Trunk { name: name.to_owned(), local_ref, remote, tracking_ref, local, tracking })
    }

    /// The configuration at a commit; built-in defaults if it has no `orch.toml`.
    pub fn config_at(&self, commit: &Oid) -> Result<Config, OpError> {
        let tree = self.repo.tree_of(commit)?;
        let Some(bytes) = self.repo.file_at(&tree, FILE)? else { return Ok(Config::default()) };
        let text = String::from_utf8_lossy(&bytes);
        let origin = self.repo.abbreviate(commit);
        crate::config::parse(&text, &format!("{FILE} at {origin}"))
            .map_err(|problems| OpError::Config { origin, problems })
    }

    /// The same, or built-in defaults where it can't be used: for what must go on until somebody has mended it.
    pub fn config_or_default(&self, trunk: &Trunk) -> Result<Config, OpError> {
        match self.config(trunk) {
            Err(OpError::Config { .. }) => Ok(Config::default()),
            other => other,
        }
    }

    /// The configuration in force: that of the policy tip.
    pub fn config(&self, trunk: &Trunk) -> Result<Config, OpError> {
        match trunk.tip() {
            Some(tip) => self.config_at(tip),
            None => Ok(Config::default()),
        }
    }
}

/// Who acts: the session named in the environment for what runs under one, else the person at the terminal.
fn actor(env: &Env, settings: &Settings) -> Actor {
    let session = env.text(var::ORCH_SESSION).and_then(|text| SessionId::parse(text).ok());
    match session {
        Some(session) => Actor { kind: ActorKind::Agent, name: "agent".to_owned(), session: Some(session) },
        None => {
            let name = settings.email.as_deref().unwrap_or("unknown");
            let name: String = name.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
            Actor { kind: ActorKind::Person, name, session: None }
        }
    }
}

/// Where a clone is. One that was copied has what its original has, and is another one.
struct Place<'p>(&'p Path);

impl Place<'_> {
    fn directory(&self) -> String {
        fs::identity(self.0).unwrap_or_else(|| "-".to_owned())
    }

    fn path(&self) -> String {
        fs::canonical(self.0).unwrap_or_else(|_| self.0.to_owned()).display().to_string()
    }

    /// The session that a file says is of this place: the same directory, moved or not, or the same path, restored from a
    /// backup. One without a place is of an older program.
    fn session_in(&self, text: &str) -> Option<Result<SessionId, IdError>> {
        let mut lines = text.lines();
        let session = SessionId::parse(lines.next().unwrap_or_default().trim());
        let Some((directory, path)) = lines.next().and_then(|place| place.split_once(' ')) else {
            return Some(session);
        };
        (self.directory() == directory || self.path() == path).then_some(session)
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.directory(), self.path())
    }
}
