//! One clone: what it has written, what its running command has in mind, and what the command does by itself.

use std::sync::Arc;

use crate::domain::id::{ChangeId, SessionId, TaskId};
use crate::domain::oid::Oid;
use crate::domain::stamp::Hlc;
use crate::domain::task::{Claim, Lease, Move, Owner, Register, State, Work};
use crate::domain::time::Timestamp;
use crate::ops::sync::rules::{after, is_renewal, is_same_right, may_replace};
use crate::store::{ClaimRecord, Revocation};

/// A claim as the remote has it. The number stands for the commit: two are never the same.
pub(super) type Commit = Arc<(ClaimRecord, u64)>;

/// Why a claim is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Goal {
    Claim,
    Merge,
    Tell,
    Sync,
}

/// What a command does next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Do {
    Fetch,
    JoinState,
    JoinClaim,
    Renew,
    PublishAll,
    Share,
    Start { offline: bool },
    Remember,
    Confirm,
    Publish(Goal),
    Push(Goal, Option<Commit>, Option<Commit>),
    Look(Goal, Commit),
    Arrived(Goal, Commit),
    Land,
    Done,
    GiveBack,
}

/// One clone: what it has written, and what its running command has in mind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) register: Register,
    pub(super) held: Option<u64>,
    pub(super) notes: Vec<Commit>,
    pub(super) tracking: Option<Commit>,
    pub(super) fetched: Register,
    pub(super) todo: Vec<Do>,
    /// What is being published, as it was written.
    pub(super) ours: Option<Register>,
    pub(super) merging: Option<(u64, State)>,
    pub(super) made: u64,
    /// The claim that is being taken over.
    pub(super) over: Option<Commit>,
    /// Whether it looked at the remote's state not long ago.
    pub(super) fresh: bool,
    /// The fence that it was told to be confirmed, and has not given up.
    pub(super) told: Option<u64>,
}
pub(super) fn id() -> TaskId {
    TaskId::from_bits(7)
}

pub(super) fn session(n: usize) -> SessionId {
    SessionId::from_bits(1 + n as u64)
}

pub(super) fn lease(n: usize) -> Lease {
    let owner = Owner { actor: format!("person:c{n}"), session: session(n), worker: false };
    Lease { owner, claim: Claim::Local, expires: Timestamp::from_millis(0) }
}

pub(super) fn oid() -> Oid {
    Oid::parse(&"a".repeat(40)).expect("valid")
}

pub(super) fn holds(register: &Register, n: usize) -> bool {
    register.state.lease().is_some_and(|lease| lease.owner.session == session(n))
}

pub(super) fn join(one: &Register, two: &Register) -> Register {
    one.clone().join(two.clone(), |r| format!("{r:?}"))
}

impl Node {
    pub(super) fn new() -> Self {
        let change = ChangeId::from_bits(0);
        let at = Move { change: &change, now: Timestamp::from_millis(0), clock: Hlc::default(), epoch: 0 };
        let register = Register::new(&at);
        Self {
            fetched: register.clone(),
            register,
            held: None,
            notes: Vec::new(),
            tracking: None,
            todo: Vec::new(),
            ours: None,
            merging: None,
            made: 0,
            over: None,
            fresh: false,
            told: None,
        }
    }

    pub(super) fn number(&mut self, n: usize) -> u64 {
        self.made += 1;
        self.made * 8 + n as u64
    }

    /// A change of the register by this clone, whose clock is the further ahead the greater its number.
    pub(super) fn change<T>(&mut self, n: usize, rule: impl FnOnce(&Register, &Move<'_>) -> T) -> T {
        let change = ChangeId::from_bits(self.number(n));
        let clock = Hlc { ms: i64::try_from(1_000 * n).expect("few"), seq: 0 };
        rule(&self.register, &Move { change: &change, now: Timestamp::from_millis(0), clock, epoch: 0 })
    }

    /// Puts steps before what is still to be done.
    pub(super) fn first<const N: usize>(&mut self, steps: [Do; N]) {
        self.todo.extend(steps.into_iter().rev());
    }

    pub(super) fn record(&mut self, n: usize, register: Register, revoked: Option<usize>) -> Commit {
        let revoked = revoked.map(|by| Revocation { by: format!("c{by}"), at: Timestamp::from_millis(0) });
        let number = self.number(n);
        Arc::new((ClaimRecord { repository: String::new(), task: id(), register, revoked }, number))
    }

    /// As `claims::prepare`: the push of our register, unless what the remote has outranks it.
    pub(super) fn prepare(&mut self, n: usize, goal: Goal) -> Option<Do> {
        let is_taken_over = self.over.is_some() && self.tracking == self.over;
        if !may_replace(self.tracking.as_ref().map(|there| &there.0), &self.register, is_taken_over) {
            return None;
        }
        let new = self.record(n, self.register.confirmed(), None);
        self.notes.push(new.clone());
        Some(Do::Push(goal, self.tracking.clone(), Some(new)))
    }

    /// Its command ends, or what stands in for that.
    pub(super) fn fail(&mut self, goal: Goal) {
        match goal {
            Goal::Merge => {
                self.todo.clear();
                self.first([Do::GiveBack]);
            }
            Goal::Claim | Goal::Tell | Goal::Sync => self.todo.clear(),
        }
    }

    pub(super) fn forget_command(&mut self) {
        self.todo.clear();
        (self.ours, self.merging, self.over) = (None, None, None);
    }

    pub(super) fn is_own(&self, n: usize) -> bool {
        holds(&self.register, n) && self.held.is_none_or(|fence| fence == self.register.fence)
    }
}
impl Node {
    pub(super) fn take(&mut self, n: usize) {
        let work = Work { branch: format!("fix/{n}"), base: oid() };
        if let Ok(next) = self.change(n, |r, at| r.claim(&id(), at, lease(n), work)) {
            self.register = next;
            self.ours = Some(self.register.clone());
            self.todo.clear();
            self.first([Do::Publish(Goal::Claim)]);
        }
    }

    pub(super) fn tell(&mut self, is_known: bool) {
        self.ours = Some(self.register.clone());
        if is_known {
            self.first([Do::Publish(Goal::Tell)]);
        }
    }

    /// As `take::start`, after the fetch.
    pub(super) fn start(&mut self, n: usize, offline: bool) {
        let held = self.register.state.lease().is_some();
        if !held {
            self.take(n);
        } else if !holds(&self.register, n) {
            let there = self.tracking.clone().filter(|there| there.0.register.fence == self.register.fence);
            match there {
                Some(there) if there.0.revoked.is_none() => {
                    let new = self.record(n, there.0.register.clone(), Some(n));
                    if !offline {
                        self.first([Do::Push(Goal::Sync, Some(there), Some(new))]);
                    }
                    return;
                }
                there => {
                    let next = self.change(n, |r, at| r.take_from(&id(), at, lease(n)));
                    self.register = next.expect("it is held");
                    self.over = there;
                    self.ours = Some(self.register.clone());
                    self.first([Do::Publish(Goal::Claim)]);
                }
            }
        }
        if offline {
            self.todo.clear();
        }
        if holds(&self.register, n) {
            self.first([Do::Remember]);
        }
    }

    pub(super) fn no_fetch(&mut self) {
        let is_start = self.todo.first() == Some(&Do::Start { offline: false });
        let is_merge = self.merging.is_some();
        self.todo.clear();
        if is_merge {
            self.first([Do::GiveBack]);
        } else if is_start {
            self.first([Do::Start { offline: true }]);
        }
    }

    /// As `claims::take_in`.
    pub(super) fn join_claim(&mut self) {
        let Some(there) = self.tracking.clone() else { return };
        let is_ours = self.notes.contains(&there);
        if let Some(next) = after(&self.register, &there.0.register, is_ours) {
            if is_ours {
                self.notes = vec![there];
            } else if next.change != self.register.change && !self.notes.is_empty() {
                self.notes.clear();
                return self.first([Do::JoinClaim]);
            }
            self.register = next;
        }
    }

    /// As `claims::renew`, where somebody is about to take over.
    pub(super) fn renew(&mut self, n: usize) {
        let Some(there) = self.tracking.clone() else { return };
        if self.held.is_none() || !holds(&self.register, n) || there.0.revoked.is_none() {
            return;
        }
        if is_same_right(&there.0.register, &self.register) {
            let new = self.record(n, there.0.register.clone(), None);
            self.notes.push(new.clone());
            self.first([Do::Push(Goal::Sync, Some(there), Some(new))]);
        }
    }

    /// As `claims::publish_all`.
    pub(super) fn publish_all(&mut self, n: usize, is_late: bool) {
        let is_finished = is_late && matches!(self.fetched.state, State::Done(_) | State::Closed(_));
        let push = match self.tracking.clone() {
            Some(there) if is_finished => Some(Do::Push(Goal::Sync, Some(there), None)),
            Some(there) => {
                let newer = self.register.standing() > there.0.register.standing();
                let is_own = match self.register.state.lease() {
                    Some(_) => holds(&self.register, n),
                    None => self.notes.contains(&there),
                };
                let wanted = newer && is_own && !is_renewal(&there.0.register, &self.register);
                if wanted { self.prepare(n, Goal::Sync) } else { None }
            }
            None => {
                let local = self.register.state.lease().is_some_and(|lease| lease.claim == Claim::Local);
                if self.held.is_some() && local { self.prepare(n, Goal::Sync) } else { None }
            }
        };
        self.todo.extend(push);
    }

    /// As `claims::arrived`.
    pub(super) fn arrived(&mut self, n: usize, goal: Goal, commit: Commit) {
        if let Some(next) = after(&self.register, &commit.0.register, true) {
            self.register = next;
        }
        self.notes = vec![commit.clone()];
        self.tracking = Some(commit);
        self.was_told(n, goal);
    }

    /// Its user reads `confirmed`.
    pub(super) fn was_told(&mut self, n: usize, goal: Goal) {
        if goal != Goal::Tell && holds(&self.register, n) {
            self.told = Some(self.register.fence);
        }
    }

    /// The merge did not happen.
    pub(super) fn give_back(&mut self, n: usize) {
        let Some((fence, back)) = self.merging.take() else { return };
        if back.lease().is_none() {
            self.told = None;
        }
        if fence == self.register.fence
            && let Ok(next) = self.change(n, |r, at| r.abort_merge(&id(), at, back))
        {
            self.register = next;
        }
    }

    pub(super) fn again(&mut self, goal: Goal) {
        self.first([Do::Fetch, Do::JoinState, Do::JoinClaim, Do::Publish(goal)]);
    }
}
