//! Decisions: (rules, request, facts) -> decision, with its reason. Pure.

pub mod gate_paths;
pub mod grant;
