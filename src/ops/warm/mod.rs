//! Warm runs of the gate: what trunk's runs left in the `ralph.carry` paths, given to the next run as a copy of its own.
//!
//! Called by `ralph` through the sandbox's room. Places: `<git common dir>/orch/warm/gate-<n>/`, one store for each gate
//! worktree and used only by the run that holds the worktree's lock: build output and virtual environments name the place
//! that they were made at, so that another worktree could not use them, and no two runs ever share a store.
//!
//! `state.toml` names the layers of the present generation, which lie in `layers/`. A run finds them one above the other in
//! each carried path, and what it writes goes to a new layer, which is thrown away unless the tree PASSed. Then it waits in
//! `pending/<tree>` until a later run finds that tree at the policy tip, and becomes the topmost. What a tree leaves
//! behind therefore reaches others when people let that tree into trunk, and not before.
//!
//! Invariants: a layer in `layers/` that `state.toml` names is never written again; the state is written last, after what it
//! names is on disk, so that a run killed at any moment leaves a generation that is whole, and rubbish that the next run
//! removes. Deliberately absent: mounting (`sys::holder`), and anything for runs without namespaces, which are cold.

mod run;
mod sources;
mod state;
mod store;

pub(crate) use run::Run;
