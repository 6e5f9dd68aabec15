//! Tasks' lives: what each change of the state is, for benches that make many.

use std::error::Error;

use git_orch::domain::actor::{Actor, ActorKind};
use git_orch::domain::id::{SessionId, TaskId};
use git_orch::domain::kind::{Kind, Priority};
use git_orch::domain::stamp::{Field, TagSet};
use git_orch::domain::task::{Claim, Lease, Owner, Refusal, Register, Task, Work};
use git_orch::domain::unknown::Unknown;
use git_orch::policy::grant::Action;
use git_orch::store::{Author, Change, Edit, Store, StoreError, TransactError};

/// How many changes a task's life has: 100 000 tasks with 600 000 changes have as many each.
pub(crate) const LIFE: usize = 6;

/// How a life ends.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// Given up.
    Closed,
    /// Given back: the task is ready again.
    Open,
}

impl End {
    /// The end of the life number `n`: of one in ten the task is ready again.
    pub(crate) fn of(n: usize) -> Self {
        if n.is_multiple_of(10) { Self::Open } else { Self::Closed }
    }
}

pub(crate) fn author() -> Author {
    let actor = Actor { kind: ActorKind::Person, name: "ann@example.com".into(), session: None };
    Author { name: "Ann".into(), email: "ann@example.com".into(), actor }
}

/// One task from its beginning to its end, each step a change: added, claimed, released, claimed again, in review, ended.
pub(crate) fn live(
    store: &Store<'_>,
    id: &TaskId,
    priority: Priority,
    end: End,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let subject = format!("task/{id}");
    for step in 0..LIFE {
        let lived = store.transact::<(), StoreError>(&author(), Action::Queue, |edit| {
            let at = edit.at();
            let mut task = match edit.task(id)? {
                Some(task) => task,
                None => new(edit, id, priority),
            };
            let owner =
                Owner { actor: "agent:command".into(), session: SessionId::from_bits(7), worker: true };
            let lease = Lease { owner, claim: Claim::Local, expires: edit.now().plus_millis(1_800_000) };
            let base = edit.snapshot().commit().clone();
            let work = Work { branch: format!("fix/{id}-the-parser-loses-the-last-line"), base };
            let r = &task.register;
            let (action, next) = match (step, end) {
                (0, _) => ("task.add", Ok(r.clone())),
                (1 | 3, _) => ("task.claim", r.claim(id, &at, lease, work)),
                (4, _) => ("task.review", r.review(id, &at)),
                (2, _) | (_, End::Open) => ("task.release", r.release(id, &at)),
                (_, End::Closed) => ("task.close", r.close(id, &at, "done elsewhere".into())),
            };
            let corrupt = |e: Refusal| StoreError::Corrupt { path: subject.clone(), what: e.to_string() };
            task.register = next.map_err(corrupt)?;
            let subject = subject.clone();
            edit.put_task(task, Change { action, subject, cause: "bench".into(), note: None });
            Ok(())
        });
        lived.map_err(|error: TransactError<StoreError>| error.to_string())?;
    }
    Ok(())
}

/// A task as a person writes one.
pub(crate) fn new(edit: &Edit<'_, '_>, id: &TaskId, priority: Priority) -> Task {
    let stamp = edit.stamp();
    Task {
        id: id.clone(),
        created: edit.now(),
        creator: "person:ann@example.com".into(),
        updated: edit.now(),
        kind: Field::new(Kind::Bug, stamp),
        title: Field::new("The parser loses the last line of a file without a newline".into(), stamp),
        body: Field::new("Seen with CRLF, too. The test is in parser/tests.".into(), stamp),
        priority: Field::new(priority, stamp),
        role: Field::new(None, stamp),
        acceptance: Field::new(vec!["the new test passes".into()], stamp),
        labels: TagSet::default(),
        needs: TagSet::default(),
        files: TagSet::default(),
        rejected: None,
        register: Register::new(&edit.at()),
        unknown: Unknown::default(),
    }
}
