//! `git config orch.*`: choices of this machine, never policy.

use std::path::PathBuf;

use crate::config::period::{Period, PeriodError};
use crate::config::problem::nearest;
use crate::sys::fs::Durability;

/// What `git config orch.*` says, over the built-in defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// `orch.remote`: the remote that trunk and state are shared through; None: not chosen here.
    pub remote: Option<String>,
    /// `orch.jobs`: how many tasks or steps at the same time; None: as many as the machine suggests.
    pub jobs: Option<u32>,
    /// `orch.worktrees`: the directory for worktrees, as written (`~/` is the caller's to expand); None: beside
    /// the repository.
    pub worktrees: Option<PathBuf>,
    /// `orch.durability`: whether a change of state survives a power cut.
    pub durability: Durability,
    /// `orch.hooks`: whether our part of the hooks works in this clone.
    pub hooks: bool,
    /// `orch.sync`: when state travels.
    pub sync: StateSync,
    /// `orch.ref`: what the state's ref is called on the remote.
    pub state_ref: String,
    /// `orch.claims`: how the remote arbitrates claims.
    pub claims: Claims,
    /// `orch.personLease`: how long a person's claim lasts without activity.
    pub person_lease: Period,
    /// `orch.workerLease`: how long a worker's claim lasts in the eyes of other clones, which can't see its process.
    pub worker_lease: Period,
    /// `orch.takeoverGrace`: how long another clone's owner has to object before its task is taken over.
    pub takeover_grace: Period,
    /// `orch.networkTimeout`: how long a remote may take to answer; zero: for ever.
    pub network_timeout: Period,
    /// `orch.archiveAfter`: how long a finished task stays as it was before `maintain` archives it.
    pub archive_after: Period,
    /// `orch.maxOffline`: how old the newest change must be before `maintain --squash` lets the history go.
    pub max_offline: Period,
    /// `orch.sandbox`: whether the gate, setup and fixers are held in a sandbox.
    pub sandbox: SandboxUse,
    /// `orch.signingKey`: the SSH key that verdicts are signed with.
    pub signing_key: Option<PathBuf>,
    /// `orch.sandboxWrites`, as often as it is set: directories that may be written in there besides.
    pub sandbox_writes: Vec<PathBuf>,
}

/// `orch.sandbox`: whether what the gate runs is held in a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxUse {
    /// As far as this machine can.
    Auto,
    /// Not at all. Verdicts say so.
    Off,
    /// All of it, or nothing runs.
    Required,
}

/// `orch.sync`: when state travels to and from the remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateSync {
    /// Around claims and merges.
    Auto,
    /// Only when asked.
    Manual,
}

/// `orch.claims`: how the remote arbitrates claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// By a ref for each claim: claims of different tasks never meet.
    Refs,
    /// By the state's ref: for hosts that take only branches. One claim at a time in all clones.
    Batched,
}

impl SandboxUse {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "off" => Some(Self::Off),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

impl StateSync {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "manual" => Some(Self::Manual),
            _ => None,
        }
    }
}

impl Claims {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "refs" => Some(Self::Refs),
            "batched" => Some(Self::Batched),
            _ => None,
        }
    }
}

impl Default for Local {
    fn default() -> Self {
        Self {
            remote: None,
            jobs: None,
            worktrees: None,
            durability: Durability::Commit,
            hooks: true,
            sync: StateSync::Auto,
            state_ref: "refs/orch/state".to_owned(),
            claims: Claims::Refs,
            person_lease: Period::from_secs(7 * 24 * 3600),
            worker_lease: Period::from_secs(30 * 60),
            takeover_grace: Period::from_secs(2 * 60),
            network_timeout: Period::from_secs(5 * 60),
            archive_after: Period::from_secs(90 * 24 * 3600),
            max_offline: Period::from_secs(30 * 24 * 3600),
            sandbox: SandboxUse::Auto,
            signing_key: None,
            sandbox_writes: Vec::new(),
        }
    }
}

/// A `git config orch.*` value that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalError {
    /// Not one of the words that the key takes.
    #[error("git config {key}: `{value}` is not {wanted}")]
    Value {
        /// The key, as documented.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// Not a length of time.
    #[error("git config {key}: {source}")]
    Period {
        /// The key, as documented.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        source: PeriodError,
    },
}

impl LocalError {
    /// The key, as documented.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Value { key, .. } | Self::Period { key, .. } => key,
        }
    }
}

const KEYS: [&str; 17] = [
    "orch.remote",
    "orch.jobs",
    "orch.worktrees",
    "orch.durability",
    "orch.hooks",
    "orch.sync",
    "orch.ref",
    "orch.claims",
    "orch.personLease",
    "orch.workerLease",
    "orch.takeoverGrace",
    "orch.networkTimeout",
    "orch.archiveAfter",
    "orch.maxOffline",
    "orch.sandbox",
    "orch.sandboxWrites",
    "orch.signingKey",
];

impl Local {
    /// From pairs as `git config --list` gives them, in git's order (a later one outranks); other sections are
    /// skipped. Returns warnings too: a line for every unknown `orch.*` key, which a newer version may know.
    ///
    /// # Errors
    /// Every value that can't be used.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(Self, Vec<String>), Vec<LocalError>> {
        let mut local = Self::default();
        let mut warnings = Vec::new();
        let mut errors = Vec::new();
        for (key, value) in pairs {
            let (key, value) = (key.as_ref(), value.as_ref());
            if !key.get(..5).is_some_and(|section| section.eq_ignore_ascii_case("orch.")) {
                continue;
            }
            match KEYS.iter().find(|known| known.eq_ignore_ascii_case(key)) {
                Some(known) => errors.extend(local.set(known, value.trim()).err()),
                None => warnings.push(unknown(key)),
            }
        }
        warnings.dedup();
        if errors.is_empty() { Ok((local, warnings)) } else { Err(errors) }
    }

    fn set(&mut self, key: &'static str, value: &str) -> Result<(), LocalError> {
        let wrong = |wanted| LocalError::Value { key, value: value.to_owned(), wanted };
        match key {
            "orch.remote" => self.remote = Some(nonempty(value).ok_or_else(|| wrong("a remote's name"))?),
            "orch.jobs" => {
                let jobs = value.parse().ok().filter(|jobs| (1..=1024).contains(jobs));
                self.jobs = Some(jobs.ok_or_else(|| wrong("a number from 1 to 1024"))?);
            }
            "orch.worktrees" => {
                self.worktrees = Some(nonempty(value).ok_or_else(|| wrong("a directory"))?.into());
            }
            "orch.durability" => {
                self.durability = match value {
                    "commit" => Durability::Commit,
                    "none" => Durability::None,
                    _ => return Err(wrong("`commit` or `none`")),
                }
            }
            "orch.hooks" => self.hooks = boolean(value).ok_or_else(|| wrong("`on` or `off`"))?,
            "orch.sync" => {
                self.sync = StateSync::parse(value).ok_or_else(|| wrong("`auto` or `manual`"))?;
            }
            "orch.ref" => {
                let full = value.starts_with("refs/") && crate::domain::branch::is_name(value);
                self.state_ref =
                    full.then(|| value.to_owned()).ok_or_else(|| wrong("the full name of a ref (refs/…)"))?;
            }
            "orch.claims" => {
                self.claims = Claims::parse(value).ok_or_else(|| wrong("`refs` or `batched`"))?;
            }
            "orch.personLease" | "orch.workerLease" => {
                let lease = Period::parse(value).map_err(|source| LocalError::Period { key, source })?;
                let lease = Some(lease).filter(|l| !l.is_zero()).ok_or_else(|| wrong("longer than zero"))?;
                if key == "orch.workerLease" {
                    self.worker_lease = lease;
                } else {
                    self.person_lease = lease;
                }
            }
            "orch.networkTimeout" | "orch.takeoverGrace" | "orch.archiveAfter" | "orch.maxOffline" => {
                *self.period(key) =
                    Period::parse(value).map_err(|source| LocalError::Period { key, source })?;
            }
            "orch.sandbox" => {
                self.sandbox =
                    SandboxUse::parse(value).ok_or_else(|| wrong("`auto`, `off` or `required`"))?;
            }
            "orch.sandboxWrites" => {
                let path = Some(PathBuf::from(value)).filter(|path| path.is_absolute());
                self.sandbox_writes.push(path.ok_or_else(|| wrong("the full path of a directory"))?);
            }
            "orch.signingKey" => {
                let path = Some(value).filter(|path| path.starts_with('/') || path.starts_with("~/"));
                self.signing_key = Some(path.ok_or_else(|| wrong("the full path of an SSH key"))?.into());
            }
            _ => {}
        }
        Ok(())
    }

    fn period(&mut self, key: &str) -> &mut Period {
        match key {
            "orch.networkTimeout" => &mut self.network_timeout,
            "orch.takeoverGrace" => &mut self.takeover_grace,
            "orch.archiveAfter" => &mut self.archive_after,
            _ => &mut self.max_offline,
        }
    }
}

fn nonempty(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// As git reads booleans.
fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn unknown(key: &str) -> String {
    // Without the section, which would make every key look like every other.
    let name = |key: &'static str| key.strip_prefix("orch.").unwrap_or(key);
    let near = nearest(key.get(5..).unwrap_or_default(), KEYS.map(name));
    let near = near.map(|known| format!("; did you mean `orch.{known}`?"));
    format!("git config {key}: unknown key, ignored{}", near.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_values_outrank_and_other_sections_are_skipped() {
        let (local, warnings) = Local::from_pairs([
            ("user.name", "x"),
            ("orch.jobs", "2"),
            ("orch.jobs", "3"),
            ("orch.personlease", "3d"),
            ("orch.networkTimeout", "0s"),
            ("orch.hooks", "off"),
            ("orch.durability", "none"),
            ("orch.worktrees", "~/trees"),
            ("orchard.jobs", "0"),
        ])
        .unwrap();
        assert_eq!(warnings, [""; 0]);
        assert_eq!(local.jobs, Some(3));
        assert_eq!(local.person_lease, Period::from_secs(3 * 86_400));
        assert!(local.network_timeout.is_zero());
        assert!(!local.hooks);
        assert_eq!(local.durability, Durability::None);
        assert_eq!(local.worktrees, Some(PathBuf::from("~/trees")));
        assert_eq!(local.sync, StateSync::Auto);
    }

    #[test]
    fn every_bad_value_names_its_key() {
        let errors = Local::from_pairs([
            ("orch.jobs", "0"),
            ("orch.durability", "maybe"),
            ("orch.hooks", "perhaps"),
            ("orch.sync", ""),
            ("orch.personLease", "0s"),
            ("orch.personLease", "soon"),
            ("orch.networkTimeout", "-1s"),
            ("orch.remote", ""),
        ])
        .expect_err("all bad");
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        git config orch.jobs: `0` is not a number from 1 to 1024
        git config orch.durability: `maybe` is not `commit` or `none`
        git config orch.hooks: `perhaps` is not `on` or `off`
        git config orch.sync: `` is not `auto` or `manual`
        git config orch.personLease: `0s` is not longer than zero
        git config orch.personLease: `soon` is not a length of time (write `60s`, `10m`, `1h 30m` or `7d`, at most 3650d)
        git config orch.networkTimeout: `-1s` is not a length of time (write `60s`, `10m`, `1h 30m` or `7d`, at most 3650d)
        git config orch.remote: `` is not a remote's name
        ");
    }

    #[test]
    fn an_unknown_key_is_a_warning_with_the_nearest() {
        let (_, warnings) = Local::from_pairs([("orch.job", "2"), ("orch.x.y", "z")]).unwrap();
        insta::assert_snapshot!(warnings.join("\n"), @r"
        git config orch.job: unknown key, ignored; did you mean `orch.jobs`?
        git config orch.x.y: unknown key, ignored
        ");
    }
}
