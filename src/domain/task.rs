//! A task: its description, and with the register who holds it.

use crate::domain::id::TaskId;
use crate::domain::kind::{Kind, Priority};
use crate::domain::oid::Oid;
pub use crate::domain::register::{Claim, Evidence, Lease, Move, Owner, Refusal, Register, State, Work};
use crate::domain::role::Role;
use crate::domain::stamp::{Field, TagSet};
use crate::domain::time::Timestamp;
use crate::domain::unknown::Unknown;

/// A unit of work in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// When it was added.
    pub created: Timestamp,
    /// Who added it, as `Actor` prints.
    pub creator: String,
    /// When anything in it last changed.
    pub updated: Timestamp,
    /// What sort of work.
    pub kind: Field<Kind>,
    /// One line.
    pub title: Field<String>,
    /// The rest of the description, Markdown.
    pub body: Field<String>,
    /// How urgent.
    pub priority: Field<Priority>,
    /// The role that should do it, if not the kind's own.
    pub role: Field<Option<Role>>,
    /// What must hold when it is done, in order.
    pub acceptance: Field<Vec<String>>,
    /// Free words to filter by.
    pub labels: TagSet<String>,
    /// Tasks that must be merged first.
    pub needs: TagSet<TaskId>,
    /// Globs of the files it is about.
    pub files: TagSet<String>,
    /// What a person said last who sent its work back.
    pub rejected: Option<Field<Rejection>>,
    /// Status, owner, fence.
    pub register: Register,
    /// What a newer program knows of it.
    pub unknown: Unknown,
}

/// Why a person sent a task's work back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// What is wrong with it.
    pub reason: String,
    /// The tree of the branch that was looked at; None if the branch was not there.
    pub tree: Option<Oid>,
}

impl Task {
    /// Whether `tree` is what a person sent back.
    pub fn rejects(&self, tree: &Oid) -> bool {
        self.rejected.as_ref().is_some_and(|rejected| rejected.value.tree.as_ref() == Some(tree))
    }

    /// The role that works on it.
    pub fn effective_role(&self) -> Role {
        self.role.value.unwrap_or_else(|| Role::for_kind(self.kind.value))
    }

    /// The key by which `next` orders: P0 before P4, then the oldest, then the id.
    pub fn order(&self) -> (Priority, Timestamp, &TaskId) {
        (self.priority.value, self.created, &self.id)
    }

    /// Joins what two clones have of the same task: text by stamp, sets by tags, the register as a whole (`text`: what
    /// is stored of one). Commutative, associative, idempotent; needs no common ancestor.
    #[must_use]
    pub fn join(self, other: Self, text: impl Fn(&Register) -> String) -> Self {
        let (created, creator) = (self.created, self.creator).min((other.created, other.creator));
        Self {
            id: self.id,
            created,
            creator,
            updated: self.updated.max(other.updated),
            kind: self.kind.join(other.kind),
            title: self.title.join(other.title),
            body: self.body.join(other.body),
            priority: self.priority.join(other.priority),
            role: self.role.join(other.role),
            acceptance: self.acceptance.join(other.acceptance),
            labels: self.labels.join(other.labels),
            needs: self.needs.join(other.needs),
            files: self.files.join(other.files),
            rejected: match (self.rejected, other.rejected) {
                (Some(one), Some(two)) => Some(one.join(two)),
                (one, two) => one.or(two),
            },
            register: self.register.join(other.register, text),
            unknown: self.unknown.join(other.unknown),
        }
    }
}
