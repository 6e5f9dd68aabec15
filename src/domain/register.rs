//! Who holds a task and where it stands: status, owner and fence as one register, and the rules by which it changes.
//!
//! A register changes only by the functions here. Each returns a new register or a `Refusal`; none reads a clock.
//! Whether a task is *ready* is derived, never stored: see `ops::needs::is_ready`.
//!
//! # Order
//!
//! Of two registers of one task, `Register::standing` says which one holds; they are never mixed. The order is
//! (epoch, anchor, fence, clock, change). `anchor` is the fence of the last ownership that the remote
//! confirmed on the way to this register: what a clone did alone, however often, never outranks what the remote
//! gave to somebody meanwhile. `clock` puts changes that leave the fence as it is (blocking, merging) after the ones
//! that they change.

use crate::domain::id::{ChangeId, SessionId, TaskId};
use crate::domain::oid::Oid;
use crate::domain::stamp::Hlc;
use crate::domain::time::Timestamp;

/// Who holds a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The actor as `person:ann@example.com` or `agent:autofix`.
    pub actor: String,
    /// The session that holds it: one per process for a worker, one per clone for a person.
    pub session: SessionId,
    /// A worker's claim ends with its process; a person's needs none.
    pub worker: bool,
}

/// How sure a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// Recorded in this clone only.
    Local,
    /// The remote arbitrated it.
    Confirmed,
    /// Another clone won.
    Lost,
}

impl Claim {
    /// Its word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Confirmed => "confirmed",
            Self::Lost => "lost",
        }
    }

    /// The claim for a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Local, Self::Confirmed, Self::Lost].into_iter().find(|c| c.as_str() == word)
    }
}

/// The time-bounded right that a claim gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Who holds it.
    pub owner: Owner,
    /// How sure it is.
    pub claim: Claim,
    /// When it ends unless renewed.
    pub expires: Timestamp,
}

/// Why a task counts as done: machine-written, for a tree that trunk contains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// The commit that trunk was moved to.
    pub commit: Oid,
    /// Its tree, the one that was judged.
    pub tree: Oid,
    /// The key of the verdict, or the reason of the override that stood in for it.
    pub verdict: String,
    /// Whether only one clone's trunk was moved, and not yet the remote's.
    pub local: bool,
}

/// Where a task stands, with what belongs to that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// In the queue.
    Open,
    /// Somebody works on it.
    Claimed(Lease),
    /// Waits for something outside the queue; why.
    Blocked(String),
    /// Passed; waits for a person to merge it.
    Review,
    /// The merge gate has it; the lease of the caller.
    Merging(Lease),
    /// Merged.
    Done(Evidence),
    /// Given up or not needed; why.
    Closed(String),
}

impl State {
    /// Its status word (contract.md).
    pub fn status(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claimed(_) => "claimed",
            Self::Blocked(_) => "blocked",
            Self::Review => "review",
            Self::Merging(_) => "merging",
            Self::Done(_) => "done",
            Self::Closed(_) => "closed",
        }
    }

    /// Every status word, in the order of a task's life.
    pub const STATUSES: [&'static str; 7] =
        ["open", "claimed", "blocked", "review", "merging", "done", "closed"];

    /// The lease, while there is one.
    pub fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Claimed(lease) | Self::Merging(lease) => Some(lease),
            Self::Open | Self::Blocked(_) | Self::Review | Self::Done(_) | Self::Closed(_) => None,
        }
    }
}

/// Where a task's work is. Outlives its owner: a branch is handed to the next one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Work {
    /// The short name of the branch.
    pub branch: String,
    /// The commit of trunk that the branch was cut from.
    pub base: Oid,
}

/// Status, owner and fence: one register, never merged field by field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Register {
    /// Where the task stands.
    pub state: State,
    /// Rises on every change of ownership. Falls only where a join prefers what the remote confirmed; then `top`
    /// remembers, so that no fence is given twice to this clone.
    pub fence: u64,
    /// The greatest fence that any register had which was joined into this one, itself included.
    pub top: u64,
    /// The fence of the last ownership on the way here that the remote confirmed; 0: none.
    pub anchor: u64,
    /// The state's epoch when this was written.
    pub epoch: u64,
    /// The change that wrote it.
    pub change: ChangeId,
    /// The hybrid clock of that change; always after that of the register before.
    pub clock: Hlc,
    /// When it was written, by the writer's clock.
    pub since: Timestamp,
    /// Branch and base, once there are any.
    pub work: Option<Work>,
}

/// What every change of a register needs to know: which change, when, under which epoch.
#[derive(Clone, Debug)]
pub struct Move<'a> {
    /// The change that is being made.
    pub change: &'a ChangeId,
    /// Now.
    pub now: Timestamp,
    /// The change's hybrid clock.
    pub clock: Hlc,
    /// The state's epoch.
    pub epoch: u64,
}

/// Why a register may not change as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else holds it.
    #[error("task {id} is held by {owner} until {until}")]
    Held {
        /// The task.
        id: TaskId,
        /// Who holds it.
        owner: String,
        /// Until when.
        until: Timestamp,
    },
    /// The caller's fence is not the register's: the task changed hands since.
    #[error("task {id} has changed hands: your fence is {yours}, the task's is {current}")]
    StaleFence {
        /// The task.
        id: TaskId,
        /// The caller's fence.
        yours: u64,
        /// The register's.
        current: u64,
    },
    /// The task is in a state from which this can't be done.
    #[error("task {id} is {status}; only {allowed} can be {verb}")]
    WrongState {
        /// The task.
        id: TaskId,
        /// What it is.
        status: &'static str,
        /// What it would have to be.
        allowed: &'static str,
        /// What was asked, as a past participle.
        verb: &'static str,
    },
}

/// What a task has to be so that it can be claimed: one that is held is told with its owner instead.
const OPEN: &str = "an open task";

impl Register {
    /// The register of a new task.
    pub fn new(at: &Move<'_>) -> Self {
        Self {
            state: State::Open,
            fence: 0,
            top: 0,
            anchor: 0,
            epoch: at.epoch,
            change: at.change.clone(),
            clock: at.clock,
            since: at.now,
            work: None,
        }
    }

    fn moved(&self, at: &Move<'_>, state: State, fence: u64) -> Self {
        Self {
            state,
            fence,
            top: self.top.max(fence),
            anchor: self.anchor,
            epoch: at.epoch,
            change: at.change.clone(),
            clock: at.clock.after(self.clock),
            since: at.now,
            work: self.work.clone(),
        }
    }

    /// The fence of the next owner: above every one that was ever seen.
    fn next_fence(&self) -> u64 {
        self.top.max(self.fence).saturating_add(1)
    }

    /// What decides which of two registers of a task holds: the greater one.
    pub fn standing(&self) -> impl Ord + '_ {
        (self.epoch, self.anchor, self.fence, self.clock, &self.change)
    }

    /// The one of two registers of a task that holds, knowing of every fence that either knew of.
    ///
    /// The greater by `standing`; of two that stand alike and are not the same, which no two changes can be, the
    /// greater by `text`, what is stored of it. Commutative, associative, idempotent.
    #[must_use]
    pub fn join(self, other: Self, text: impl Fn(&Self) -> String) -> Self {
        let top = self.top.max(other.top);
        // Without `top`, which is joined apart.
        let (one, two) = (Self { top: self.fence, ..self }, Self { top: other.fence, ..other });
        let order = one.standing().cmp(&two.standing()).then_with(|| text(&one).cmp(&text(&two)));
        let winner = if order.is_lt() { two } else { one };
        Self { top: top.max(winner.fence), ..winner }
    }

    /// The same register once the remote has arbitrated its ownership: nothing that a clone did alone outranks it.
    /// Not a change of ownership; the fence stays.
    #[must_use]
    pub fn confirmed(&self) -> Self {
        self.confirmed_at(self.fence)
    }

    /// The same where the remote arbitrated the ownership under `fence`, from which this register came.
    #[must_use]
    pub fn confirmed_at(&self, fence: u64) -> Self {
        let mut next = Self { anchor: self.anchor.max(fence), ..self.clone() };
        if let State::Claimed(lease) | State::Merging(lease) = &mut next.state
            && self.fence == fence
        {
            lease.claim = Claim::Confirmed;
        }
        next
    }

    /// The same with a lease that lasts until `expires`: its holder goes on. Neither fence nor change differ.
    #[must_use]
    pub fn renewed(&self, expires: Timestamp) -> Self {
        let mut next = self.clone();
        if let State::Claimed(lease) | State::Merging(lease) = &mut next.state {
            lease.expires = expires;
        }
        next
    }

    fn refuse<T>(&self, id: &TaskId, allowed: &'static str, verb: &'static str) -> Result<T, Refusal> {
        match self.state.lease() {
            Some(lease) if allowed == OPEN => {
                Err(Refusal::Held { id: id.clone(), owner: lease.owner.actor.clone(), until: lease.expires })
            }
            Some(_) | None => {
                Err(Refusal::WrongState { id: id.clone(), status: self.state.status(), allowed, verb })
            }
        }
    }

    /// Checks a caller's fence against the register.
    pub fn check_fence(&self, id: &TaskId, yours: u64) -> Result<(), Refusal> {
        if yours == self.fence {
            Ok(())
        } else {
            Err(Refusal::StaleFence { id: id.clone(), yours, current: self.fence })
        }
    }

    /// Takes an open task, or a review one that its next worker goes on with. Raises the fence.
    pub fn claim(&self, id: &TaskId, at: &Move<'_>, lease: Lease, work: Work) -> Result<Self, Refusal> {
        match self.state {
            State::Open | State::Review => {
                let mut next = self.moved(at, State::Claimed(lease), self.next_fence());
                next.work = Some(work);
                Ok(next)
            }
            State::Claimed(_) | State::Blocked(_) | State::Merging(_) | State::Done(_) | State::Closed(_) => {
                self.refuse(id, OPEN, "claimed")
            }
        }
    }

    /// Takes a claimed task from an owner whose lease ended (a dead worker, an expiry). Raises the fence.
    pub fn take_over(&self, id: &TaskId, at: &Move<'_>, lease: Lease) -> Result<Self, Refusal> {
        match self.state {
            State::Claimed(_) | State::Merging(_) => {
                Ok(self.moved(at, State::Claimed(lease), self.next_fence()))
            }
            State::Open | State::Blocked(_) | State::Review | State::Done(_) | State::Closed(_) => {
                self.refuse(id, "a claimed task", "taken over")
            }
        }
    }

    /// The same from an owner of another clone. What the remote gave to that one outranks this until the remote gives it
    /// to the new owner: the right of the old one is not inherited.
    pub fn take_from(&self, id: &TaskId, at: &Move<'_>, lease: Lease) -> Result<Self, Refusal> {
        let next = self.take_over(id, at, lease)?;
        Ok(Self { anchor: self.anchor.min(self.fence.saturating_sub(1)), ..next })
    }

    /// Gives a claimed task back to the queue. Raises the fence; branch and worktree stay.
    pub fn release(&self, id: &TaskId, at: &Move<'_>) -> Result<Self, Refusal> {
        match self.state {
            State::Claimed(_) | State::Merging(_) | State::Review => {
                Ok(self.moved(at, State::Open, self.next_fence()))
            }
            State::Open | State::Blocked(_) | State::Done(_) | State::Closed(_) => {
                self.refuse(id, "a claimed task", "released")
            }
        }
    }

    /// Sets a task aside until something outside the queue happens. Raises the fence if it was held.
    pub fn block(&self, id: &TaskId, at: &Move<'_>, reason: String) -> Result<Self, Refusal> {
        match self.state {
            State::Open | State::Blocked(_) => Ok(self.moved(at, State::Blocked(reason), self.fence)),
            State::Claimed(_) | State::Merging(_) | State::Review => {
                Ok(self.moved(at, State::Blocked(reason), self.next_fence()))
            }
            State::Done(_) | State::Closed(_) => self.refuse(id, "an unfinished task", "blocked"),
        }
    }

    /// The same work under another branch's name. Who owns it does not change, nor does the fence.
    #[must_use]
    pub fn rebranch(&self, at: &Move<'_>, branch: String) -> Self {
        let mut next = self.moved(at, self.state.clone(), self.fence);
        next.work = self.work.as_ref().map(|work| Work { branch, base: work.base.clone() });
        next
    }

    /// Puts a blocked task back into the queue.
    pub fn unblock(&self, id: &TaskId, at: &Move<'_>) -> Result<Self, Refusal> {
        match self.state {
            State::Blocked(_) => Ok(self.moved(at, State::Open, self.fence)),
            State::Open
            | State::Claimed(_)
            | State::Merging(_)
            | State::Review
            | State::Done(_)
            | State::Closed(_) => self.refuse(id, "a blocked task", "unblocked"),
        }
    }

    /// The holder's work passed and waits for a person. The lease ends; the fence rises.
    pub fn review(&self, id: &TaskId, at: &Move<'_>) -> Result<Self, Refusal> {
        match self.state {
            State::Claimed(_) | State::Merging(_) => Ok(self.moved(at, State::Review, self.next_fence())),
            State::Open | State::Blocked(_) | State::Review | State::Done(_) | State::Closed(_) => {
                self.refuse(id, "a claimed task", "left for review")
            }
        }
    }

    /// The merge gate takes the task. From `claimed` the fence stays (same owner); from `review` it rises.
    pub fn begin_merge(&self, id: &TaskId, at: &Move<'_>, lease: Lease) -> Result<Self, Refusal> {
        match &self.state {
            // The same owner's: as sure as it was.
            State::Claimed(Lease { claim, .. }) => {
                let lease = Lease { claim: *claim, ..lease };
                Ok(self.moved(at, State::Merging(lease), self.fence))
            }
            State::Review | State::Merging(_) => Ok(self.moved(at, State::Merging(lease), self.next_fence())),
            State::Open | State::Blocked(_) | State::Done(_) | State::Closed(_) => {
                self.refuse(id, "a claimed or reviewed task", "merged")
            }
        }
    }

    /// The merge did not happen: back to the owner as it was, or to review if there was none. What the remote confirmed
    /// meanwhile stays confirmed.
    pub fn abort_merge(&self, id: &TaskId, at: &Move<'_>, back: State) -> Result<Self, Refusal> {
        match &self.state {
            State::Merging(Lease { claim, .. }) => {
                let back = match back {
                    State::Claimed(lease) => State::Claimed(Lease { claim: *claim, ..lease }),
                    other => other,
                };
                Ok(self.moved(at, back, self.fence))
            }
            State::Open
            | State::Claimed(_)
            | State::Blocked(_)
            | State::Review
            | State::Done(_)
            | State::Closed(_) => self.refuse(id, "a merging task", "taken back from the merge gate"),
        }
    }

    /// Trunk contains the work. Only the merge gate, with evidence, makes a task done.
    pub fn merged(&self, id: &TaskId, at: &Move<'_>, evidence: Evidence) -> Result<Self, Refusal> {
        match self.state {
            State::Merging(_) => Ok(self.moved(at, State::Done(evidence), self.next_fence())),
            State::Open
            | State::Claimed(_)
            | State::Blocked(_)
            | State::Review
            | State::Done(_)
            | State::Closed(_) => self.refuse(id, "a merging task", "done"),
        }
    }

    /// Gives up a task. Never yields `done`.
    pub fn close(&self, id: &TaskId, at: &Move<'_>, reason: String) -> Result<Self, Refusal> {
        match self.state {
            State::Open | State::Blocked(_) => Ok(self.moved(at, State::Closed(reason), self.fence)),
            State::Claimed(_) | State::Review => Ok(self.moved(at, State::Closed(reason), self.next_fence())),
            State::Merging(_) | State::Done(_) | State::Closed(_) => {
                self.refuse(id, "an unfinished task", "closed")
            }
        }
    }

    /// Puts a done or closed task back into the queue. Raises the fence and forgets the branch, which trunk has.
    pub fn reopen(&self, id: &TaskId, at: &Move<'_>) -> Result<Self, Refusal> {
        match self.state {
            State::Done(_) => {
                let mut next = self.moved(at, State::Open, self.next_fence());
                next.work = None;
                Ok(next)
            }
            State::Closed(_) => Ok(self.moved(at, State::Open, self.next_fence())),
            State::Open | State::Claimed(_) | State::Blocked(_) | State::Review | State::Merging(_) => {
                self.refuse(id, "a done or closed task", "reopened")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> TaskId {
        TaskId::from_bits(7)
    }

    fn lease(name: &str) -> Lease {
        Lease {
            owner: Owner { actor: format!("person:{name}"), session: SessionId::from_bits(1), worker: false },
            claim: Claim::Local,
            expires: Timestamp::from_millis(1_000),
        }
    }

    fn work() -> Work {
        Work { branch: "fix/x".into(), base: Oid::parse(&"a".repeat(40)).expect("valid") }
    }

    fn every_state() -> Vec<State> {
        let evidence = Evidence {
            commit: Oid::parse(&"b".repeat(40)).expect("valid"),
            tree: Oid::parse(&"c".repeat(40)).expect("valid"),
            verdict: "k".into(),
            local: false,
        };
        vec![
            State::Open,
            State::Claimed(lease("ann")),
            State::Blocked("why".into()),
            State::Review,
            State::Merging(lease("ann")),
            State::Done(evidence),
            State::Closed("why".into()),
        ]
    }

    /// Applies every rule to a task in every state and prints one line a state.
    fn table() -> String {
        let change = ChangeId::from_bits(1);
        let at = Move { change: &change, now: Timestamp::from_millis(0), clock: Hlc::default(), epoch: 0 };
        let mut out = String::new();
        for state in every_state() {
            let mut r = Register::new(&at);
            r.fence = 5;
            let from = state.status();
            r.state = state;
            let show = |name: &str, result: Result<Register, Refusal>| match result {
                Ok(next) => format!(" {name}->{}+{}", next.state.status(), next.fence - 5),
                Err(_) => String::new(),
            };
            let evidence = match every_state().remove(5) {
                State::Done(e) => e,
                other => panic!("BUG: {other:?}"),
            };
            let line = [
                show("claim", r.claim(&id(), &at, lease("bob"), work())),
                show("take_over", r.take_over(&id(), &at, lease("bob"))),
                show("release", r.release(&id(), &at)),
                show("block", r.block(&id(), &at, "w".into())),
                show("unblock", r.unblock(&id(), &at)),
                show("review", r.review(&id(), &at)),
                show("begin_merge", r.begin_merge(&id(), &at, lease("bob"))),
                show("merged", r.merged(&id(), &at, evidence)),
                show("close", r.close(&id(), &at, "w".into())),
                show("reopen", r.reopen(&id(), &at)),
            ]
            .concat();
            out.push_str(from);
            out.push(':');
            out.push_str(&line);
            out.push('\n');
        }
        out
    }

    #[test]
    fn every_rule_in_every_state() {
        insta::assert_snapshot!(table(), @r"
        open: claim->claimed+1 block->blocked+0 close->closed+0
        claimed: take_over->claimed+1 release->open+1 block->blocked+1 review->review+1 begin_merge->merging+0 close->closed+1
        blocked: block->blocked+0 unblock->open+0 close->closed+0
        review: claim->claimed+1 release->open+1 block->blocked+1 begin_merge->merging+1 close->closed+1
        merging: take_over->claimed+1 release->open+1 block->blocked+1 review->review+1 begin_merge->merging+1 merged->done+1
        done: reopen->open+1
        closed: reopen->open+1
        ");
    }

    #[test]
    fn a_held_task_names_its_holder() {
        let change = ChangeId::from_bits(1);
        let at = Move { change: &change, now: Timestamp::from_millis(0), clock: Hlc::default(), epoch: 0 };
        let held = Register::new(&at).claim(&id(), &at, lease("ann"), work()).expect("open");
        let refusal = held.claim(&id(), &at, lease("bob"), work()).expect_err("held");
        assert!(matches!(refusal, Refusal::Held { owner, .. } if owner == "person:ann"));
        assert_eq!(held.check_fence(&id(), 0), Err(Refusal::StaleFence { id: id(), yours: 0, current: 1 }));
    }
}
