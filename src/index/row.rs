//! One task as the index knows it, and the checksum that makes it believable.

use crate::domain::id::TaskId;
use crate::domain::kind::{Kind, Priority};
use crate::domain::role::Role;
use crate::domain::task::{Claim, State, Task};
use crate::domain::time::Timestamp;
use crate::index::error::IndexError;

/// What lists, tables and `next --peek` show of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: TaskId,
    /// What sort of work.
    pub kind: Kind,
    /// How urgent.
    pub priority: Priority,
    /// Its status word (contract.md).
    pub status: &'static str,
    /// One line.
    pub title: String,
    /// The role that was asked for, if any.
    pub role: Option<Role>,
    /// Free words, in order.
    pub labels: Vec<String>,
    /// Tasks that must be merged first, in order.
    pub needs: Vec<TaskId>,
    /// Who holds it, as the register has it.
    pub owner: Option<String>,
    /// How sure the claim is.
    pub claim: Option<Claim>,
    /// When the lease ends unless renewed.
    pub expires: Option<Timestamp>,
    /// Why it is blocked or closed.
    pub reason: Option<String>,
    /// Rises on every change of ownership.
    pub fence: u64,
    /// The short name of its branch, once there is one.
    pub branch: Option<String>,
    /// When it was added.
    pub created: Timestamp,
    /// When anything in it last changed.
    pub updated: Timestamp,
    /// How many of `needs` are not done.
    pub unmet: u64,
}

/// The columns that `Row::read` reads, in its order.
pub(super) const COLUMNS: &str = "id, kind, priority, status, title, role, labels, needs, owner, claim, \
                                  expires, reason, fence, branch, created, updated, unmet, guard, sum";

impl Row {
    /// The row of a task of whose needs `unmet` are not done.
    pub fn new(task: &Task, unmet: u64) -> Self {
        let lease = task.register.state.lease();
        Self {
            id: task.id.clone(),
            kind: task.kind.value,
            priority: task.priority.value,
            status: task.register.state.status(),
            title: task.title.value.clone(),
            role: task.role.value,
            labels: task.labels.iter().cloned().collect(),
            needs: task.needs.iter().cloned().collect(),
            owner: lease.map(|l| l.owner.actor.clone()),
            claim: lease.map(|l| l.claim),
            expires: lease.map(|l| l.expires),
            reason: reason(&task.register.state),
            // More changes of owner than fit into a column are not going to happen.
            fence: task.register.fence.min(i64::MAX.cast_unsigned()),
            branch: task.register.work.as_ref().map(|w| w.branch.clone()),
            created: task.created,
            updated: task.updated,
            unmet,
        }
    }

    /// Open, and everything it needs is done.
    pub fn ready(&self) -> bool {
        self.status == "open" && self.unmet == 0
    }

    /// The role that works on it.
    pub fn doer(&self) -> Role {
        self.role.unwrap_or_else(|| Role::for_kind(self.kind))
    }

    /// The key by which `next` and lists order: P0 before P4, then the oldest, then the id.
    pub fn order(&self) -> (Priority, Timestamp, &TaskId) {
        (self.priority, self.created, &self.id)
    }

    /// The checksum of everything but `unmet`, which changes without the task.
    pub(super) fn sum(&self) -> i64 {
        let mut sum = Sum::default();
        for text in [self.id.as_str(), self.kind.as_str(), self.priority.as_str(), self.status, &self.title] {
            sum.text(text);
        }
        for text in [self.role.map(Role::as_str), self.owner.as_deref(), self.claim.map(Claim::as_str)] {
            sum.optional(text);
        }
        sum.optional(self.reason.as_deref());
        sum.optional(self.branch.as_deref());
        for label in &self.labels {
            sum.text(label);
        }
        for id in &self.needs {
            sum.text(id.as_str());
        }
        let expires = self.expires.map_or(i64::MIN, Timestamp::millis);
        for number in [expires, self.fence.cast_signed(), self.created.millis(), self.updated.millis()] {
            sum.bytes(&number.to_le_bytes());
        }
        sum.finish()
    }

    /// Reads `COLUMNS` and checks them.
    pub(super) fn read(row: &rusqlite::Row<'_>) -> Result<Self, IndexError> {
        let unmet: i64 = row.get(16)?;
        let read = Self {
            id: word(row, 0, |w| TaskId::parse(w).ok())?,
            kind: word(row, 1, Kind::parse)?,
            priority: priority(row.get(2)?)?,
            status: word(row, 3, |w| State::STATUSES.into_iter().find(|s| *s == w))?,
            title: row.get(4)?,
            role: optional_word(row, 5, Role::parse)?,
            labels: json(row, 6)?,
            needs: ids(&json(row, 7)?)?,
            owner: row.get(8)?,
            claim: optional_word(row, 9, Claim::parse)?,
            expires: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_millis),
            reason: row.get(11)?,
            fence: row.get::<_, i64>(12)?.cast_unsigned(),
            branch: row.get(13)?,
            created: Timestamp::from_millis(row.get(14)?),
            updated: Timestamp::from_millis(row.get(15)?),
            unmet: u64::try_from(unmet).unwrap_or(u64::MAX),
        };
        if unmet != !row.get::<_, i64>(17)? || read.sum() != row.get::<_, i64>(18)? {
            return Err(IndexError::corrupt(format!("the checksum of task {}", read.id)));
        }
        Ok(read)
    }
}

fn reason(state: &State) -> Option<String> {
    match state {
        State::Blocked(why) | State::Closed(why) => Some(why.clone()),
        State::Open | State::Claimed(_) | State::Review | State::Merging(_) | State::Done(_) => None,
    }
}

fn bad(column: usize) -> IndexError {
    IndexError::corrupt(format!("column {column}"))
}

fn word<T>(row: &rusqlite::Row<'_>, at: usize, parse: impl Fn(&str) -> Option<T>) -> Result<T, IndexError> {
    let text: String = row.get(at)?;
    parse(&text).ok_or_else(|| bad(at))
}

fn optional_word<T>(
    row: &rusqlite::Row<'_>,
    at: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, IndexError> {
    let text: Option<String> = row.get(at)?;
    text.map(|text| parse(&text).ok_or_else(|| bad(at))).transpose()
}

fn json(row: &rusqlite::Row<'_>, at: usize) -> Result<Vec<String>, IndexError> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text).map_err(|_| bad(at))
}

pub(super) fn ids(texts: &[String]) -> Result<Vec<TaskId>, IndexError> {
    texts.iter().map(|text| id(text)).collect()
}

pub(super) fn id(text: &str) -> Result<TaskId, IndexError> {
    TaskId::parse(text).map_err(|e| IndexError::corrupt(e.to_string()))
}

fn priority(number: i64) -> Result<Priority, IndexError> {
    let at = usize::try_from(number).map_err(|_| bad(2))?;
    Priority::ALL.get(at).copied().ok_or_else(|| bad(2))
}

/// FNV-1a, 64 bits. Against damage, not against people: who can write the file can write the sum.
pub(super) struct Sum(u64);

impl Default for Sum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sum {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// A text and its end, so that what moves from one field to the next changes the sum.
    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(&[0xff]);
    }

    pub(super) fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.bytes(&[0xfe]),
        }
    }

    pub(super) fn finish(self) -> i64 {
        self.0.cast_signed()
    }
}
