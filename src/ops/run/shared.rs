//! What all workers of a run see.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::domain::id::SessionId;
use crate::ops::run::agents::Agents;
use crate::ops::run::board::Board;
use crate::ops::run::options::RunOptions;
use crate::ops::run::record::Record;
use crate::policy::Rules;

/// What all workers of a run see.
pub(super) struct Shared {
    pub(super) options: RunOptions,
    pub(super) config: Config,
    pub(super) rules: Rules,
    pub(super) agents: Agents,
    pub(super) session: SessionId,
    pub(super) board: Board,
    pub(super) record: Record,
    /// Held while a task is handed to the merge gate.
    pub(super) landing: Landing,
}

/// A lock between the workers of this run.
#[derive(Default)]
pub(super) struct Landing(Mutex<()>);

impl Landing {
    pub(super) fn lock(&self) -> MutexGuard<'_, ()> {
        // It guards nothing that a panic could leave half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
