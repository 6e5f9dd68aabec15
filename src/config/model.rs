//! The values of `orch.toml`. `Default` is the built-in layer: what applies where the file says nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::period::Period;
use crate::config::quarantine::Quarantine;
use crate::domain::role::{Role, Team};
use crate::sys::sandbox::Network;

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[ralph]`.
    pub ralph: Ralph,
    /// `[agents.<name>]`, by name.
    pub agents: BTreeMap<String, Agent>,
    /// `[roles.<role>]`.
    pub roles: BTreeMap<Role, RoleConfig>,
    /// `[merge]`.
    pub merge: Merge,
    /// `[push]`.
    pub push: Push,
    /// `[policy]`.
    pub policy: Policy,
}

/// `[ralph]`: the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ralph {
    /// Lines for `sh -c`, run in order before the steps, in a clean checkout.
    pub setup: Vec<String>,
    /// Paths (relative to the checkout's root, no globs) that a gate worktree keeps from one run to the next.
    pub carry: Vec<String>,
    /// Which scope of PASS may move trunk.
    pub accept: Accept,
    /// How old a verdict may be that is used instead of a run.
    pub max_age: Period,
    /// `[[ralph.step]]`, in the order of the file.
    pub steps: Vec<Step>,
    /// `[[ralph.quarantine]]`, in the order of the file.
    pub quarantine: Vec<Quarantine>,
    /// How often in a row a step is BLOCKED before `git orch run` waits for it; 0: it never does.
    pub breaker: u32,
    /// How long it then waits at first.
    pub breaker_wait: Period,
}

impl Default for Ralph {
    fn default() -> Self {
        Self {
            setup: Vec::new(),
            carry: Vec::new(),
            accept: Accept::Absolute,
            max_age: Period::from_secs(7 * 24 * 3600),
            steps: Vec::new(),
            quarantine: Vec::new(),
            breaker: 3,
            breaker_wait: Period::from_secs(60),
        }
    }
}

/// `ralph.accept`: which scope of PASS may move trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Only a tree that passes by itself.
    Absolute,
    /// Also a tree that is no worse than its base.
    NoRegressions,
}

impl Accept {
    /// All, in the order that messages show.
    pub const ALL: [Self; 2] = [Self::Absolute, Self::NoRegressions];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absolute => "absolute",
            Self::NoRegressions => "no_regressions",
        }
    }
}

/// One `[[ralph.step]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Unique; letters, digits, `.`, `_`, `-`, `:` (it names the step's log).
    pub name: String,
    /// What sort of check it is.
    pub kind: StepKind,
    /// What is run, in the checkout's root.
    pub run: Run,
    /// Globs of the files that it reads; empty: all.
    pub inputs: Vec<String>,
    /// Names of further environment variables that it is given.
    pub env: Vec<String>,
    /// At most this long for one try.
    pub timeout: Period,
    /// Names of steps that must have passed before.
    pub needs: Vec<String>,
    /// Steps of the same group may run at the same time; a step without one runs alone.
    pub group: Option<String>,
    /// Names of things that only one step at a time may use: a port, a database.
    pub resources: Vec<String>,
    /// The format of its output: `cargo`, `pytest`, `junit`, ….
    pub report: Option<String>,
    /// How often a failing test step is tried again.
    pub retries: u32,
    /// When it runs; `Moment::Always` alone: always.
    pub when: BTreeSet<Moment>,
    /// For whose branches it runs; empty: everybody's.
    pub teams: BTreeSet<Team>,
    /// Fewer executed tests than this are BLOCKED.
    pub min_tests: Option<u64>,
    /// What network it has; where the step says nothing, what `ralph.network` says.
    pub network: Network,
}

impl Step {
    /// A step with the built-in defaults.
    pub fn new(name: impl Into<String>, kind: StepKind, run: Run) -> Self {
        Self {
            name: name.into(),
            kind,
            run,
            inputs: Vec::new(),
            env: Vec::new(),
            timeout: Period::from_secs(600),
            needs: Vec::new(),
            group: None,
            resources: Vec::new(),
            report: None,
            retries: 0,
            when: BTreeSet::from([Moment::Always]),
            teams: BTreeSet::new(),
            min_tests: None,
            network: Network::On,
        }
    }
}

/// What sort of check a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// Rules on what a change may contain.
    Guardrail,
    /// Formatting.
    Format,
    /// Lints.
    Lint,
    /// Type checks.
    Types,
    /// Tests.
    Test,
    /// A build.
    Build,
    /// Security checks.
    Security,
    /// Anything else.
    Custom,
}

impl StepKind {
    /// All, in the order that messages show.
    pub const ALL: [Self; 8] = [
        Self::Guardrail,
        Self::Format,
        Self::Lint,
        Self::Types,
        Self::Test,
        Self::Build,
        Self::Security,
        Self::Custom,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guardrail => "guardrail",
            Self::Format => "format",
            Self::Lint => "lint",
            Self::Types => "types",
            Self::Test => "test",
            Self::Build => "build",
            Self::Security => "security",
            Self::Custom => "custom",
        }
    }
}

/// What a step runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// A line for `sh -c`.
    Shell(String),
    /// A program with its arguments; never empty.
    Argv(Vec<String>),
}

/// When a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// At a commit.
    Commit,
    /// Before a push.
    Push,
    /// Before a merge.
    Merge,
    /// At each of them.
    Always,
}

impl Moment {
    /// All, in the order that messages show.
    pub const ALL: [Self; 4] = [Self::Commit, Self::Push, Self::Merge, Self::Always];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Push => "push",
            Self::Merge => "merge",
            Self::Always => "always",
        }
    }
}

/// The agents that exist without an `[agents.<name>]`.
pub const BUILTIN_AGENTS: [&str; 1] = ["autofix"];

/// `[agents.<name>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// A line for `sh -c`, run in the task's worktree.
    pub command: String,
}

/// `[roles.<role>]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleConfig {
    /// The agent that works in this role: a name under `[agents]`, or one of `BUILTIN_AGENTS`.
    pub agent: Option<String>,
}

/// What happens to a task that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// It is merged.
    Auto,
    /// It waits for a person.
    Review,
}

impl Merging {
    /// All, in the order that messages show.
    pub const ALL: [Self; 2] = [Self::Auto, Self::Review];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Review => "review",
        }
    }
}

/// `[merge]`: what happens to a task that passed, by team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// For tasks of team `qa`.
    pub qa: Merging,
    /// For tasks of team `dev`.
    pub dev: Merging,
}

impl Default for Merge {
    fn default() -> Self {
        Self { qa: Merging::Auto, dev: Merging::Review }
    }
}

impl Merge {
    /// For tasks of `team`.
    pub fn of(self, team: Team) -> Merging {
        match team {
            Team::Qa => self.qa,
            Team::Dev => self.dev,
        }
    }
}

/// `[push]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// How long the pre-push hook may run Ralph; zero: it only looks verdicts up.
    pub budget: Period,
    /// Globs of branches (without `refs/heads/`) that are pushed unjudged.
    pub exempt: Vec<String>,
}

impl Default for Push {
    fn default() -> Self {
        Self { budget: Period::from_secs(60), exempt: vec!["wip/*".to_owned()] }
    }
}

/// `[policy]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The set of built-in rules.
    pub profile: Profile,
    /// Guardrails that are on besides the usual ones.
    pub guardrails: BTreeSet<Guardrails>,
    /// `policy.signers`: whose signed verdicts count, a line of OpenSSH's allowed signers each: names, and a public key.
    pub signers: Vec<String>,
    /// How much of the sandbox there has to be where Ralph judges.
    pub sandbox: Minimum,
    /// What becomes of a change that is BLOCKED where nobody can be asked.
    pub blocked: OnBlocked,
}

/// `policy.blocked`: what becomes of a BLOCKED change where nobody can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBlocked {
    /// It stays as it is.
    #[default]
    Leave,
    /// It is put back, and kept aside.
    Revert,
}

impl OnBlocked {
    /// All, in the order that messages show.
    pub const ALL: [Self; 2] = [Self::Leave, Self::Revert];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Revert => "revert",
        }
    }
}

/// `policy.sandbox`: how much of the sandbox there has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Minimum {
    /// None: the verdict says what there was.
    #[default]
    Any,
    /// Some of it.
    Partial,
    /// All of it.
    Full,
}

impl Minimum {
    /// All, in the order that messages show.
    pub const ALL: [Self; 3] = [Self::Any, Self::Partial, Self::Full];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Partial => "partial",
            Self::Full => "full",
        }
    }
}

/// `policy.guardrails`: rules that only some projects want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guardrails {
    /// Protected health information.
    Health,
}

impl Guardrails {
    /// All, in the order that messages show.
    pub const ALL: [Self; 1] = [Self::Health];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
        }
    }
}

/// A set of built-in rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The usual one.
    #[default]
    Standard,
}

impl Profile {
    /// All, in the order that messages show.
    pub const ALL: [Self; 1] = [Self::Standard];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
        }
    }
}
