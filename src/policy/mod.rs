//! Decisions: (rules, request, facts) -> decision, with its reason. Pure.

pub mod grant;
