//! What teams and roles may do: contracts, and the rules that a commit is held against. Pure.
//!
//! Called by the hooks and by the merge gate, with facts that they gather. A contract is only ever tightened:
//! the team's by the role's. Invariants: no file, clock, environment or process is touched; the same rules and
//! facts give the same violations in the same order. Deliberately absent: overrides (the caller asks for one
//! before it refuses), verdicts, and where the definitions come from.

mod commit;
mod contract;
pub mod gate_paths;
pub mod grant;
pub mod guardrail;

pub use commit::{Change, ChangeKind, CommitFacts, Place, TaskFacts, Violation, evaluate};
pub use contract::{Contract, Patterns, Permission, PolicyError, Rules};
