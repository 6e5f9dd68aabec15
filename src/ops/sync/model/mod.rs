//! All that clones can do with one task through one remote, in every order, with every fault, up to a stated bound.
//!
//! The registers, the join, and what a clone decides are the real ones (`domain::register`, `rules`); the remote is two
//! values moved by compare-and-swap, and a command is the list of steps that the command takes: between any two of
//! them everybody else may act, the process may be killed, the remote may be out of reach, or its answer may get lost.
//! No clock is trusted: whoever wants to may hold another for dead at any moment, and one clone's clock is far ahead.

mod explore;
mod node;
mod world;
