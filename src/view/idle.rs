//! Why nothing is ready: what waits for what, and who holds the rest.

use serde::Serialize;

/// A task that waits for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The unmerged tasks that it needs; with a word where nobody will merge one as things are.
    pub needs: Vec<String>,
}

/// A task that somebody has, or that waits for something outside the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Who holds it, what it waits for.
    pub by: String,
}

/// The answer of `next` when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IdleView {
    /// Open, but something that they need is not merged.
    pub waiting: Vec<Waiting>,
    /// Claimed, or at the merge gate.
    pub held: Vec<Held>,
    /// Blocked by something outside the queue.
    pub blocked: Vec<Held>,
    /// Passed, and wait for a person to merge them.
    pub review: Vec<Held>,
    /// Ready, but left out by the filters that were given.
    pub filtered: usize,
}

impl IdleView {
    /// Whether there is nothing left to do at all.
    pub fn finished(&self) -> bool {
        self.waiting.is_empty()
            && self.held.is_empty()
            && self.blocked.is_empty()
            && self.review.is_empty()
            && self.filtered == 0
    }
}
