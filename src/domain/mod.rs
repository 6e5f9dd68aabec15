//! Values and pure rules: tasks, roles, ids, time, verdicts.
//!
//! Called by every other module. Touches nothing: no file, clock, environment, process or randomness;
//! whatever a rule needs is a parameter. Every type here is valid by construction or has one checked
//! conversion. Deliberately absent: serialisation of stored files (`store::codec`), JSON (`view`), words
//! for the terminal (`report`).

pub mod actor;
pub mod branch;
pub mod control;
pub mod draft;
pub mod finding;
pub mod graph;
pub mod id;
pub mod kind;
#[cfg(test)]
pub(crate) mod mutation;
pub mod oid;
pub mod pass;
pub mod plural;
pub mod register;
pub mod role;
pub mod session;
pub mod stamp;
pub mod task;
pub mod time;
pub mod unknown;
pub mod verdict;
pub mod work;
