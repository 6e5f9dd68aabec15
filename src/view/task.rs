//! A task as `show`, `list`, `add` and `next` print it with `--json` (contract.md, "Ids and tasks").

use std::path::Path;

use serde::Serialize;

use crate::domain::task::{State, Task};
use crate::index::Row;
use crate::view::SCHEMA;

/// A task with all that belongs to it. The order of the fields is the order in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskView {
    /// The version of this object.
    pub schema: u32,
    /// The full id.
    pub id: String,
    /// What sort of work.
    pub kind: &'static str,
    /// One line.
    pub title: String,
    /// The rest, Markdown; may be empty.
    pub body: String,
    /// `P0` to `P4`.
    pub priority: &'static str,
    /// The status word.
    pub status: &'static str,
    /// Open, unclaimed, every dependency merged.
    pub ready: bool,
    /// The role that it names; null if the kind decides.
    pub role: Option<&'static str>,
    /// Free words, sorted.
    pub labels: Vec<String>,
    /// Ids of the tasks that must be merged first, sorted.
    pub needs: Vec<String>,
    /// Globs, sorted.
    pub files: Vec<String>,
    /// What must hold when it is done, in order.
    pub acceptance: Vec<String>,
    /// Who holds it.
    pub owner: Option<String>,
    /// The number that rises on every change of ownership.
    pub fence: u64,
    /// `none`, `local`, `confirmed` or `lost`.
    pub claim: &'static str,
    /// Its branch, once there is one.
    pub branch: Option<String>,
    /// Its worktree in this clone, if there is one.
    pub path: Option<String>,
    /// When it was added, RFC 3339.
    pub created: String,
    /// When anything in it last changed, RFC 3339.
    pub updated: String,
    /// Why a person sent its work back last; null if nobody did.
    pub rejected: Option<String>,
    /// Why it is blocked or closed. For people only: contract.md lists the fields that programs see.
    #[serde(skip)]
    pub reason: Option<String>,
    /// The commit that brought it into trunk. For people only, as `reason`.
    #[serde(skip)]
    pub merged: Option<String>,
}

impl TaskView {
    /// The view of `task`; whether it is ready and where its worktree is are facts that others know.
    pub fn new(task: &Task, ready: bool, path: Option<&Path>) -> Self {
        let lease = task.register.state.lease();
        Self {
            schema: SCHEMA,
            id: task.id.to_string(),
            kind: task.kind.value.as_str(),
            title: task.title.value.clone(),
            body: task.body.value.clone(),
            priority: task.priority.value.as_str(),
            status: task.register.state.status(),
            ready,
            role: task.role.value.map(crate::domain::role::Role::as_str),
            labels: task.labels.iter().cloned().collect(),
            needs: task.needs.iter().map(ToString::to_string).collect(),
            files: task.files.iter().cloned().collect(),
            acceptance: task.acceptance.value.clone(),
            owner: lease.map(|l| l.owner.actor.clone()),
            fence: task.register.fence,
            claim: lease.map_or("none", |l| l.claim.as_str()),
            branch: task.register.work.as_ref().map(|w| w.branch.clone()),
            path: path.map(|p| p.display().to_string()),
            created: task.created.to_string(),
            updated: task.updated.to_string(),
            rejected: task.rejected.as_ref().map(|rejected| rejected.value.reason.clone()),
            reason: reason(&task.register.state),
            merged: merged(&task.register.state),
        }
    }
}

fn reason(state: &State) -> Option<String> {
    match state {
        State::Blocked(why) | State::Closed(why) => Some(why.clone()),
        State::Open | State::Claimed(_) | State::Review | State::Merging(_) | State::Done(_) => None,
    }
}

fn merged(state: &State) -> Option<String> {
    match state {
        State::Done(evidence) => Some(evidence.commit.to_string()),
        State::Open
        | State::Claimed(_)
        | State::Blocked(_)
        | State::Review
        | State::Merging(_)
        | State::Closed(_) => None,
    }
}

/// A task as one line of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskLine<'a> {
    /// The full id.
    pub id: &'a str,
    /// `P0` to `P4`.
    pub priority: &'static str,
    /// What sort of work.
    pub kind: &'static str,
    /// The status word.
    pub status: &'static str,
    /// Whether it can be taken.
    pub ready: bool,
    /// Who holds it.
    pub owner: Option<&'a str>,
    /// One line.
    pub title: &'a str,
}

impl<'a> From<&'a TaskView> for TaskLine<'a> {
    fn from(task: &'a TaskView) -> Self {
        Self {
            id: &task.id,
            priority: task.priority,
            kind: task.kind,
            status: task.status,
            ready: task.ready,
            owner: task.owner.as_deref(),
            title: &task.title,
        }
    }
}

impl<'a> From<&'a Row> for TaskLine<'a> {
    fn from(row: &'a Row) -> Self {
        Self {
            id: row.id.as_str(),
            priority: row.priority.as_str(),
            kind: row.kind.as_str(),
            status: row.status,
            ready: row.ready(),
            owner: row.owner.as_deref(),
            title: &row.title,
        }
    }
}

/// What `next` and `start` came to. With `--json` only `task` is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextView {
    /// The task, with `path` and `branch` where it was really taken.
    pub task: TaskView,
    /// What whoever had it before left to say, if anything.
    pub note: Option<String>,
    /// When the lease ends unless renewed, RFC 3339; None for `--peek`.
    pub expires: Option<String>,
    /// Lessons that apply, one line each.
    pub lessons: Vec<String>,
}

impl NextView {
    /// The view of a task that was taken, or that would be.
    pub fn new(task: &Task, ready: bool, path: Option<&Path>) -> Self {
        Self {
            task: TaskView::new(task, ready, path),
            note: None,
            expires: task.register.state.lease().map(|l| l.expires.to_string()),
            lessons: Vec::new(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {

    use super::*;
    use crate::domain::id::{ChangeId, SessionId, TaskId};
    use crate::domain::kind::{Kind, Priority};
    use crate::domain::oid::Oid;
    use crate::domain::stamp::{Field, Hlc, Stamp, TagSet};
    use crate::domain::task::{Claim, Lease, Move, Owner, Register, Work};
    use crate::domain::time::Timestamp;
    use crate::domain::unknown::Unknown;

    /// A task for tests, number `n`.
    pub(crate) fn sample(n: u64, title: &str) -> Task {
        let change = ChangeId::from_bits(n);
        let now = Timestamp::from_millis(1_000_000_000_000);
        let at = Move { change: &change, now, clock: Hlc::default(), epoch: 0 };
        let stamp = Stamp { ms: 0, seq: 0, actor: "ann".into(), change: change.clone() };
        let mut labels = TagSet::default();
        labels.insert("ui".to_owned(), &change, 0);
        Task {
            id: TaskId::from_bits(n),
            created: now,
            creator: "person:ann@example.com".into(),
            updated: now,
            kind: Field::new(Kind::Bug, &stamp),
            title: Field::new(title.to_owned(), &stamp),
            body: Field::new(String::new(), &stamp),
            priority: Field::new(Priority::P2, &stamp),
            role: Field::new(None, &stamp),
            acceptance: Field::new(Vec::new(), &stamp),
            labels,
            needs: TagSet::default(),
            files: TagSet::default(),
            rejected: None,
            register: Register::new(&at),
            unknown: Unknown::default(),
        }
    }

    /// The same, claimed by ann.
    pub(crate) fn claimed(n: u64, title: &str) -> Task {
        let mut task = sample(n, title);
        let change = ChangeId::from_bits(n + 1);
        let at = Move { change: &change, now: task.created, clock: Hlc::default(), epoch: 0 };
        let owner =
            Owner { actor: "person:ann@example.com".into(), session: SessionId::from_bits(1), worker: false };
        let lease = Lease { owner, claim: Claim::Local, expires: task.created.plus_millis(604_800_000) };
        let work = Work {
            branch: crate::domain::branch::name(&task.id, title, Kind::Bug, None),
            base: Oid::parse(&"a".repeat(40)).unwrap(),
        };
        task.register = task.register.claim(&task.id, &at, lease, work).unwrap();
        task
    }

    #[test]
    fn json_has_the_contract_s_fields_in_its_order() {
        let json = serde_json::to_string_pretty(&TaskView::new(&sample(7, "Fix it"), true, None)).unwrap();
        insta::assert_snapshot!(json, @r#"
        {
          "schema": 1,
          "id": "00000007",
          "kind": "bug",
          "title": "Fix it",
          "body": "",
          "priority": "P2",
          "status": "open",
          "ready": true,
          "role": null,
          "labels": [
            "ui"
          ],
          "needs": [],
          "files": [],
          "acceptance": [],
          "owner": null,
          "fence": 0,
          "claim": "none",
          "branch": null,
          "path": null,
          "created": "2001-09-09T01:46:40.000Z",
          "updated": "2001-09-09T01:46:40.000Z",
          "rejected": null
        }
        "#);
        let held = TaskView::new(&claimed(7, "Fix it"), false, Some(Path::new("/w/app.orch/00000007")));
        insta::assert_snapshot!(serde_json::to_string(&held).unwrap(), @r#"{"schema":1,"id":"00000007","kind":"bug","title":"Fix it","body":"","priority":"P2","status":"claimed","ready":false,"role":null,"labels":["ui"],"needs":[],"files":[],"acceptance":[],"owner":"person:ann@example.com","fence":1,"claim":"local","branch":"fix/00000007-fix-it","path":"/w/app.orch/00000007","created":"2001-09-09T01:46:40.000Z","updated":"2001-09-09T01:46:40.000Z","rejected":null}"#);
    }
}
