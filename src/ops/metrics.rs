//! Figures: how many tasks there are, and what was done in a length of time.
//!
//! Called by the surface. Derived from the queue and the audit; nothing is kept for it.

use std::collections::BTreeMap;

use crate::domain::time::Timestamp;
use crate::domain::work::Work;
use crate::index::EventFilter;
use crate::ops::audit::{self, Logged};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::ready::Queue;

/// All figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// From when on work is counted; None: from the beginning.
    pub since: Option<Timestamp>,
    /// How many tasks have each status now.
    pub by_status: Vec<(&'static str, u64)>,
    /// How many tasks are of each kind now.
    pub by_kind: Vec<(&'static str, u64)>,
    /// How many could be taken now.
    pub ready: u64,
    /// The work of all.
    pub total: Work,
    /// The work of each actor.
    pub actors: BTreeMap<String, Work>,
}

/// What was done since `since` (None: ever), and how many tasks there are now.
pub fn metrics(cx: &Ctx, since: Option<Timestamp>) -> Result<Metrics, OpError> {
    let snapshot = cx.snapshot()?;
    let queue = Queue::open(cx, &snapshot)?;
    let counts = queue.counts()?;
    let by_kind = queue.kinds()?;
    drop(queue);
    // What was merged may have been claimed before; a filter makes that a question to the table.
    let filter = EventFilter { since: Some(i64::MIN), ..EventFilter::default() };
    let tally = audit::fold(cx, &filter, || Tally::new(since), |tally, logged| tally.add(&logged))?;
    let (total, actors) = tally.finish();
    Ok(Metrics { since, by_status: counts.by_status, by_kind, ready: counts.ready, total, actors })
}

/// What was done, counted while it is read, oldest first.
#[derive(Default)]
struct Tally {
    since: Option<Timestamp>,
    /// Who claimed a task first since it was last open, and when.
    claimed: BTreeMap<String, (String, Timestamp)>,
    actors: BTreeMap<String, Work>,
    /// Seconds from the first claim to the merge, by who claimed.
    leads: BTreeMap<String, Vec<u64>>,
}

impl Tally {
    fn new(since: Option<Timestamp>) -> Self {
        Self { since, ..Self::default() }
    }

    fn add(&mut self, Logged { at, entry, .. }: &Logged) {
        let Self { since, claimed, actors, leads } = self;
        let counts = since.is_none_or(|since| *at >= since);
        let mut count = |what: fn(&mut Work) -> &mut u64| {
            if counts {
                *what(actors.entry(entry.actor.clone()).or_default()) += 1;
            }
        };
        match entry.action.as_str() {
            "task.claim" | "task.takeover" => {
                if !claimed.contains_key(&entry.subject) {
                    claimed.insert(entry.subject.clone(), (entry.actor.clone(), *at));
                }
                count(|work| &mut work.claims);
            }
            "task.done" => {
                count(|work| &mut work.merges);
                if let Some((who, from)) = claimed.remove(&entry.subject)
                    && counts
                {
                    leads.entry(who).or_default().push(u64::try_from(at.since(from) / 1000).unwrap_or(0));
                }
            }
            "task.release" | "task.close" | "task.reopen" => drop(claimed.remove(&entry.subject)),
            "verdict" => match entry.note.as_deref().and_then(|note| note.split(' ').next()) {
                Some("PASS") => count(|work| &mut work.pass),
                Some("FAIL") => count(|work| &mut work.fail),
                Some("BLOCKED") => count(|work| &mut work.blocked),
                Some(_) | None => {}
            },
            _ => {}
        }
    }

    /// The work of all, and of each actor.
    fn finish(self) -> (Work, BTreeMap<String, Work>) {
        let Self { mut actors, leads, .. } = self;
        let mut total = Work::default();
        for work in actors.values() {
            total.claims += work.claims;
            total.merges += work.merges;
            total.pass += work.pass;
            total.fail += work.fail;
            total.blocked += work.blocked;
        }
        set_leads(&mut total, leads.values().flatten().copied());
        for (who, leads) in leads {
            set_leads(actors.entry(who).or_default(), leads.into_iter());
        }
        (total, actors)
    }
}

fn set_leads(work: &mut Work, leads: impl Iterator<Item = u64>) {
    let mut leads: Vec<u64> = leads.collect();
    leads.sort_unstable();
    // The nearest rank: the first that is not below as many of a hundred.
    let rank = |percent: usize| leads.get((leads.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    (work.lead_p50, work.lead_p95) = (rank(50), rank(95));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oid::Oid;
    use crate::store::AuditEntry;

    fn work(events: &[Logged], since: Option<Timestamp>) -> (Work, BTreeMap<String, Work>) {
        let mut tally = Tally::new(since);
        for logged in events {
            tally.add(logged);
        }
        tally.finish()
    }

    fn event(minute: i64, actor: &str, action: &str, subject: &str, note: &str) -> Logged {
        let entry = AuditEntry {
            action: action.into(),
            actor: actor.into(),
            cause: "test".into(),
            id: minute.to_string(),
            subject: subject.into(),
            note: Some(note.into()),
        };
        let commit = Oid::parse(&"1".repeat(40)).unwrap();
        Logged { commit, at: Timestamp::from_millis(minute * 60_000), entry }
    }

    #[test]
    fn work_is_counted_for_who_did_it() {
        let events = [
            event(1, "ann", "task.claim", "task/a", ""),
            event(2, "bob", "task.claim", "task/b", ""),
            event(3, "ann", "task.release", "task/a", ""),
            event(4, "bob", "verdict", "tree/1", "FAIL for x"),
            event(5, "bob", "verdict", "tree/2", "PASS for x"),
            event(6, "ann", "task.claim", "task/a", ""),
            event(7, "queue", "task.done", "task/b", ""),
            event(9, "ann", "verdict", "tree/3", "BLOCKED for x"),
            event(10, "queue", "task.done", "task/a", ""),
        ];
        let (total, actors) = work(&events, None);
        assert_eq!((total.claims, total.merges, total.pass, total.fail, total.blocked), (3, 2, 1, 1, 1));
        assert_eq!((total.lead_p50, total.lead_p95), (Some(240), Some(300)));
        assert_eq!((actors["ann"].claims, actors["ann"].lead_p50), (2, Some(240)), "since the last claim");
        assert_eq!((actors["bob"].fail, actors["bob"].lead_p50), (1, Some(300)));
        assert_eq!((actors["queue"].merges, actors["queue"].lead_p50), (2, None));
        let (total, actors) = work(&events, Some(Timestamp::from_millis(8 * 60_000)));
        assert_eq!((total.claims, total.merges, total.lead_p50), (0, 1, Some(240)), "claimed before");
        assert!(!actors.contains_key("bob"));
        assert_eq!(work(&[], None), (Work::default(), BTreeMap::new()));
    }
}
