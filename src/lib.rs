//! git-orch: a git-native orchestrator for coding agents, driven by hooks.
//!
//! The library exists for the two binaries, the tests and the benches; its Rust interface is not stable.
//! What is stable is in the README: commands, fields, variables, places, exit codes.
//!
//! # The code, in reading order
//!
//! A module imports only from rows above its own; `tests/it/tidy.rs` fails on any other import.
//!
//! | row | modules | what they are |
//! |---|---|---|
//! | 1 | [`domain`] | values and pure rules |
//! | 2 | [`policy`] [`sys`] [`assets`] | decisions; the outside world; what is embedded |
//! | 3 | [`git`] [`config`] | the repository; `orch.toml` |
//! | 4 | [`store`] [`hook`] | the state ref; the hook protocol |
//! | 5 | [`index`] [`gate`] [`agent`] | engines that never import each other |
//! | 6 | [`ops`] [`view`] | one user action, one function; plain structs for screens |
//! | 7 | [`report`] | view to text and JSON |
//! | 8 | [`cli`] | parse, call ops, render |

pub mod domain;

pub mod policy;

pub mod assets;
pub mod sys;

pub mod config;
pub mod git;

pub mod hook;
pub mod store;

pub mod agent;
pub mod gate;
pub mod index;

pub mod ops;
pub mod view;

pub mod report;

pub mod cli;
