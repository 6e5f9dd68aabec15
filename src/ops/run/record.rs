//! The session's record in the state, and what it leaves to the next one.

use std::sync::Mutex;

use crate::agent::letters;
use crate::domain::session::{Session, SessionTask};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::policy::grant::Action;
use crate::store::Change;

/// The state keeps files small: of a long session the record has the newest tasks, and the audit all.
const TASKS: usize = 200;
const NOTE_CHARS: usize = 120;
const HANDOFF_BYTES: usize = 48 * 1024;

/// A session, written to the state as it goes.
pub(super) struct Record(Mutex<Session>);

impl Record {
    /// Writes the first record.
    pub(super) fn begin(cx: &Ctx, session: Session) -> Result<Self, OpError> {
        put(cx, &session, "session.start", None)?;
        Ok(Self(Mutex::new(session)))
    }

    /// Adds a task that came to its end in this session. Held while it is written, so that a later record never
    /// has less than an earlier one.
    pub(super) fn add(&self, cx: &Ctx, task: SessionTask) -> Result<(), OpError> {
        let mut session = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        session.tasks.push(task);
        put(cx, &session, "session.task", None)
    }

    /// Writes the last record and the handoff.
    pub(super) fn end(self, cx: &Ctx) -> Result<Session, OpError> {
        let mut session = self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        session.ended = Some(cx.clock.now());
        let short = shortened(&session);
        let handoff = handoff(cx, &short)?;
        put(cx, &session, "session.end", Some(&handoff))?;
        Ok(session)
    }
}

fn put(cx: &Ctx, session: &Session, action: &'static str, handoff: Option<&str>) -> Result<(), OpError> {
    let short = shortened(session);
    let change = |action, note: Option<String>| Change {
        action,
        subject: format!("session/{}", session.id),
        cause: "run".to_owned(),
        note,
    };
    let note = session.tasks.last().map(|task| format!("{} {}", task.id, task.outcome.as_str()));
    cx.store().transact(&cx.author(), Action::Record, |edit| {
        edit.put_session(&short, change(action, note.clone()));
        if let Some(text) = handoff {
            edit.put_handoff(&session.id, text, change("session.handoff", None));
        }
        Ok::<_, OpError>(())
    })?;
    Ok(())
}

fn shortened(session: &Session) -> Session {
    let skip = session.tasks.len().saturating_sub(TASKS);
    let short = |task: &SessionTask| SessionTask { note: task.note.as_deref().map(note), ..task.clone() };
    Session { tasks: session.tasks.iter().skip(skip).map(short).collect(), ..session.clone() }
}

fn note(text: &str) -> String {
    let short: String = text.chars().take(NOTE_CHARS).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

fn handoff(cx: &Ctx, session: &Session) -> Result<String, OpError> {
    let snapshot = cx.snapshot()?;
    let describe = |n: usize| {
        let task = session.tasks.get(n).and_then(|task| snapshot.task(&task.id).ok().flatten());
        match task {
            Some(task) => (task.title.value.clone(), task.register.work.map(|work| work.branch)),
            None => ("(its file in the state can't be read)".to_owned(), None),
        }
    };
    let mut text =
        letters::handoff(session, &describe).map_err(|e| OpError::Bug(format!("{e}: {}", e.source)))?;
    if text.len() > HANDOFF_BYTES {
        let end = (0..=HANDOFF_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("…\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{SessionId, TaskId};
    use crate::domain::session::Outcome;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_record_of_a_thousand_tasks_stays_small() {
        let task = |n| SessionTask {
            id: TaskId::from_bits(n),
            outcome: Outcome::Failed,
            iterations: 1,
            note: Some("ü".repeat(4000)),
        };
        let session = Session {
            id: SessionId::from_bits(1),
            by: "agent:loop".into(),
            started: Timestamp::from_millis(0),
            ended: None,
            tasks: (0..1000).map(task).collect(),
        };
        let short = shortened(&session);
        assert_eq!(short.tasks.len(), TASKS);
        assert_eq!(short.tasks.last().unwrap().id, TaskId::from_bits(999));
        let bytes: usize = short.tasks.iter().map(|t| t.note.as_ref().unwrap().len()).sum();
        assert!(bytes < 60 * 1024, "{bytes}");
    }
}
