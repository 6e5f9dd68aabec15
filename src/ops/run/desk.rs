//! What a worker gives to the task that it works on.

use std::sync::mpsc::SyncSender;

use crate::ops::context::Ctx;
use crate::ops::progress::Event;
use crate::ops::run::shared::Shared;

/// What a worker gives to the task that it works on.
pub(super) struct Desk<'a> {
    pub(super) cx: &'a Ctx,
    pub(super) shared: &'a Shared,
    pub(super) events: &'a SyncSender<Event>,
    /// The first port of the range that is this worker's own.
    pub(super) port_base: u16,
}

impl Desk<'_> {
    pub(super) fn send(&self, event: Event) {
        // The receiver outlives every worker; without it nobody is left to tell.
        drop(self.events.send(event));
    }
}
