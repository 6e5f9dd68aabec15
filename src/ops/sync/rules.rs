//! What this clone makes of what the remote has of a task, and what it may put there: decisions about values.

use crate::domain::id::SessionId;
use crate::domain::task::{Register, State};
use crate::domain::time::Timestamp;
use crate::store::ClaimRecord;

/// What a register becomes by what the remote has; None: what it was.
pub(super) fn after(register: &Register, record: &Register, is_ours: bool) -> Option<Register> {
    if is_ours {
        return (register.anchor < record.fence).then(|| register.confirmed_at(record.fence));
    }
    (record.standing() > register.standing() && !is_renewal(register, record))
        .then(|| register.clone().join(record.clone(), |_| String::new()))
}

/// Whether the one differs from the other only by how long it lasts: no change of state.
pub(super) fn is_renewal(register: &Register, record: &Register) -> bool {
    is_same_right(register, record) && register.state.status() == record.state.status()
}

/// Whether both are the same owner's right, whatever it does with it.
pub(super) fn is_same_right(one: &Register, two: &Register) -> bool {
    one.fence == two.fence && one.anchor == two.anchor && holder(one).is_some() && holder(one) == holder(two)
}

fn holder(register: &Register) -> Option<&SessionId> {
    register.state.lease().map(|lease| &lease.owner.session)
}

/// Whether a register may be put where the remote has `there` (None: nothing). What outranks it has to be joined
/// first, unless it is the very claim that is taken over: its owner was told, and has not objected since.
pub(super) fn may_replace(there: Option<&ClaimRecord>, register: &Register, is_taken_over: bool) -> bool {
    is_taken_over || there.is_none_or(|there| there.register.standing() < register.standing())
}

/// Whether the remote has a register's right already, from this clone or on its behalf.
pub(super) fn is_settled(there: &ClaimRecord, register: &Register) -> bool {
    let is_same = is_same_right(&there.register, register) || there.register.change == register.change;
    is_same && register.anchor >= register.fence
}

/// Whether a register that a clone wrote is another's by now.
pub(super) fn has_gone(before: &Register, now: &Register) -> bool {
    before.change != now.change && (holder(before).is_none() || holder(before) != holder(now))
}

/// How long, in milliseconds, the claim of a finished task is kept. Who has not heard yet that it is finished takes it
/// for free: the claim stops that, for longer than anybody goes without looking (`mod.rs`, `ALONG`).
const KEPT: i64 = 3_600_000;

/// Whether nothing needs a task's claim any more, by the register that the remote's state has of it.
pub(super) fn is_over(shared: &Register, now: Timestamp) -> bool {
    let finished = matches!(shared.state, State::Done(_) | State::Closed(_));
    finished && now > shared.since.plus_millis(KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{ChangeId, TaskId};
    use crate::domain::oid::Oid;
    use crate::domain::stamp::Hlc;
    use crate::domain::task::{Claim, Lease, Move, Owner, Work};

    fn id() -> TaskId {
        TaskId::from_bits(7)
    }

    fn lease(n: u64) -> Lease {
        let owner = Owner { actor: format!("person:c{n}"), session: SessionId::from_bits(n), worker: false };
        Lease { owner, claim: Claim::Local, expires: Timestamp::from_millis(9) }
    }

    /// The `n`th change of all, at that time.
    fn at<T>(n: u32, rule: impl FnOnce(&Move<'_>) -> T) -> T {
        let change = ChangeId::from_bits(n.into());
        let now = Timestamp::from_millis(n.into());
        rule(&Move { change: &change, now, clock: Hlc { ms: n.into(), seq: 0 }, epoch: 0 })
    }

    fn open() -> Register {
        at(1, Register::new)
    }

    fn claimed(by: u64, n: u32) -> Register {
        let work = Work { branch: "fix/x".into(), base: Oid::parse(&"a".repeat(40)).expect("valid") };
        at(n, |at| open().claim(&id(), at, lease(by), work)).expect("open")
    }

    fn record(register: &Register) -> ClaimRecord {
        ClaimRecord { repository: "r".into(), task: id(), register: register.confirmed(), revoked: None }
    }

    fn join(one: &Register, two: &Register) -> Register {
        one.clone().join(two.clone(), |_| String::new())
    }

    #[test]
    fn a_takeover_that_the_remote_has_not_confirmed_takes_nothing_from_the_owner() {
        let owner = claimed(1, 2).confirmed();
        let taken = at(3, |at| owner.take_from(&id(), at, lease(2))).expect("held");
        assert_eq!(join(&owner, &taken).state, owner.state);
        assert!(!may_replace(Some(&record(&owner)), &taken, false), "its owner may have objected");
        assert!(may_replace(Some(&record(&owner)), &taken, true));
        assert_eq!(join(&owner, &taken.confirmed()).fence, taken.fence, "once it is confirmed, it holds");
        // Of an owner that the remote never confirmed, the later one holds.
        let alone = claimed(1, 2);
        let taken = at(3, |at| alone.take_from(&id(), at, lease(2))).expect("held");
        assert_eq!(join(&alone, &taken).fence, 2);
        // The next process of the same clone goes on with its right.
        let next = at(3, |at| owner.take_over(&id(), at, lease(3))).expect("held");
        assert!(may_replace(Some(&record(&owner)), &next, false));
    }

    #[test]
    fn an_owner_that_merges_renews_its_right() {
        let owner = claimed(1, 2).confirmed();
        let merging = at(3, |at| owner.begin_merge(&id(), at, lease(1))).expect("claimed");
        assert!(is_same_right(&owner, &merging));
        assert!(!is_renewal(&owner, &merging), "but it is a change");
        let back = at(4, |at| claimed(1, 2).begin_merge(&id(), at, lease(1)).map(|r| r.confirmed()))
            .and_then(|merging| at(5, |at| merging.abort_merge(&id(), at, State::Claimed(lease(1)))));
        let back = back.expect("merging");
        assert_eq!(back.state.lease().map(|lease| lease.claim), Some(Claim::Confirmed));
    }

    #[test]
    fn what_is_there_already_is_confirmed() {
        let owner = claimed(1, 2).confirmed();
        assert!(is_settled(&record(&owner), &owner));
        let later = ClaimRecord { register: owner.renewed(Timestamp::from_millis(99)), ..record(&owner) };
        assert!(is_settled(&later, &owner), "and has been renewed since");
        assert!(!is_settled(&record(&claimed(2, 3)), &owner));
        let released = at(4, |at| owner.release(&id(), at)).expect("claimed");
        assert!(is_settled(&record(&released), &released.confirmed()), "nobody's, too");
        assert!(!is_settled(&record(&owner), &released));
    }

    #[test]
    fn the_claim_of_a_finished_task_is_kept_while_somebody_may_not_know() {
        let closed = at(4, |at| open().close(&id(), at, "why".into())).expect("open");
        let after = |ms: i64| closed.since.plus_millis(ms);
        assert!(!is_over(&closed, after(KEPT)) && is_over(&closed, after(KEPT + 1)));
        assert!(!is_over(&open(), after(KEPT + 1)));
    }
}
