//! `orch.toml` and the machine-local `git config orch.*` keys.
//!
//! Called by `ops` and `gate`. Touches nothing: text and key-value pairs come in, checked values go out; who
//! reads `orch.toml` from the policy tip and asks git for its configuration is `ops`.
//!
//! Layers, each over the one before: `Config::default()` (built in) < `orch.toml` on trunk (`parse`) <
//! `git config orch.*` (`Local`: choices of this machine only, never policy) < environment < flags.
//!
//! Invariants: a `Config` that `parse` returned is whole (names resolve, globs compile, no cycle), so that
//! nobody after it checks again; every problem of a file is reported at once, with its place.
//! Deliberately absent: the meaning of roles and profiles (`policy`), running anything (`gate`, `agent`).

mod check;
mod local;
mod model;
mod parse;
mod period;
mod problem;
mod quarantine;
mod reader;

pub use local::{Claims, Local, LocalError, SandboxUse, StateSync};
pub use model::{
    Accept, Agent, BUILTIN_AGENTS, Config, Guardrails, Merge, Merging, Minimum, Moment, OnBlocked, Policy,
    Profile, Push, Ralph, RoleConfig, Run, Step, StepKind,
};
pub use parse::{FILE, parse};
pub use period::{Period, PeriodError};
pub use problem::ConfigProblem;
pub use quarantine::{Day, Quarantine};

#[cfg(test)]
mod tests;
