//! The circuit breaker of a step: whether it is worth trying, after it could not be judged again and again. Pure.
//!
//! Closed, it counts BLOCKED in a row, whatever the trees. Open, nobody tries the step until a time; then one may (it is
//! half open), and what comes of that closes it, or opens it again for twice as long.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// The longest that a breaker keeps others waiting, in milliseconds.
pub const LONGEST: i64 = 3_600_000;

/// How many characters of a reason are kept.
const REASON: usize = 200;

/// When a breaker opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// After how many BLOCKED in a row; 0: never.
    pub after: u32,
    /// For how long at first, in milliseconds.
    pub wait: i64,
}

/// What came of a step that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came<'a> {
    /// PASS or FAIL: it could be judged.
    Judged,
    /// BLOCKED, and why.
    Blocked(&'a str),
}

/// Whether a step may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Like any other.
    Go,
    /// By one, to see whether it works again.
    Probe,
    /// Not before this time.
    Wait(Timestamp),
}

/// A step's breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// How many BLOCKED there were in a row.
    pub in_a_row: u32,
    /// Why the last one was.
    pub reason: String,
    /// Set while it is open.
    pub open: Option<Open>,
}

/// How long a breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Since when, in milliseconds since 1970.
    pub since: i64,
    /// Until when nobody tries, likewise.
    pub until: i64,
    /// How long that is, in milliseconds.
    pub wait: i64,
}

impl Circuit {
    /// What it is after the step was run.
    #[must_use]
    pub fn after(&self, came: Came<'_>, limits: Limits, now: Timestamp) -> Self {
        let Came::Blocked(reason) = came else { return Self::default() };
        let in_a_row = self.in_a_row.saturating_add(1);
        let opened = |since: i64, wait: i64| {
            let wait = wait.clamp(1, LONGEST);
            Open { since, until: now.millis().saturating_add(wait), wait }
        };
        let open = match self.open {
            _ if limits.after == 0 => None,
            // Those that were under way when it opened say nothing new.
            Some(open) if self.admission(now) != Admission::Probe => Some(open),
            Some(open) => Some(opened(open.since, open.wait.saturating_mul(2))),
            None if in_a_row >= limits.after => Some(opened(now.millis(), limits.wait)),
            None => None,
        };
        Self { in_a_row, reason: reason.chars().take(REASON).collect(), open }
    }

    /// Whether the step may be tried at `now`.
    pub fn admission(&self, now: Timestamp) -> Admission {
        match self.open {
            None => Admission::Go,
            // A clock that was set back must not keep anybody waiting for longer than was meant.
            Some(open) if now.millis() >= open.until || open.until - now.millis() > LONGEST => {
                Admission::Probe
            }
            Some(open) => Admission::Wait(Timestamp::from_millis(open.until)),
        }
    }

    /// What it is after a try that never came to the step: closed, but the next BLOCKED opens it.
    #[must_use]
    pub fn unreached(&self, limits: Limits) -> Self {
        let in_a_row = limits.after.saturating_sub(1);
        Self { in_a_row, reason: self.reason.clone(), open: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    const LIMITS: Limits = Limits { after: 3, wait: 60_000 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000_000 + seconds * 1000)
    }

    fn blocked(circuit: &Circuit, seconds: i64) -> Circuit {
        circuit.after(Came::Blocked("no such tool"), LIMITS, at(seconds))
    }

    #[test]
    fn it_opens_after_three_in_a_row_and_waits_longer_each_time() {
        let two = blocked(&blocked(&Circuit::default(), 0), 1);
        assert_eq!(two.admission(at(2)), Admission::Go);
        assert_eq!(two.after(Came::Judged, LIMITS, at(2)), Circuit::default(), "FAIL and PASS end the row");
        let open = blocked(&two, 2);
        assert_eq!(open.admission(at(3)), Admission::Wait(at(62)));
        assert_eq!(blocked(&open, 5).open, open.open, "who was under way changes nothing");
        assert_eq!(open.admission(at(62)), Admission::Probe);
        let again = blocked(&open, 70);
        assert_eq!(again.admission(at(71)), Admission::Wait(at(190)));
        assert_eq!(again.after(Came::Judged, LIMITS, at(200)), Circuit::default());
        assert_eq!(again.unreached(LIMITS).admission(at(71)), Admission::Go);
        assert!(blocked(&again.unreached(LIMITS), 72).open.is_some());
    }

    #[test]
    fn none_opens_where_it_is_switched_off() {
        let off = Limits { after: 0, ..LIMITS };
        let many = (0..9).fold(Circuit::default(), |c, n| c.after(Came::Blocked("x"), off, at(n)));
        assert_eq!(many.admission(at(9)), Admission::Go);
    }

    proptest! {
        #[test]
        fn it_is_open_only_after_a_row_and_never_for_longer_than_the_longest(
            steps in vec((proptest::bool::weighted(0.8), 0_i64..4000), 0..60),
            after in 0_u32..5,
        ) {
            let limits = Limits { after, wait: 60_000 };
            let (mut circuit, mut now, mut row) = (Circuit::default(), 0, 0_u32);
            for (is_blocked, pause) in steps {
                now += pause;
                let came = if is_blocked { Came::Blocked("x") } else { Came::Judged };
                let before = circuit.clone();
                circuit = circuit.after(came, limits, at(now));
                row = if is_blocked { row + 1 } else { 0 };
                prop_assert_eq!(circuit.open.is_some(), after > 0 && row >= after);
                if let Some(open) = circuit.open {
                    prop_assert!(open.until - at(now).millis() <= LONGEST);
                    prop_assert!(before.open.is_none_or(|before| before.wait <= open.wait));
                    prop_assert_eq!(circuit.admission(Timestamp::from_millis(open.until)), Admission::Probe);
                }
            }
        }

        #[test]
        fn a_judged_step_closes_whatever_was(row in 0_u32..9, now in 0_i64..9999) {
            let circuit = (0..row).fold(Circuit::default(), |c, n| blocked(&c, i64::from(n)));
            prop_assert_eq!(circuit.after(Came::Judged, LIMITS, at(now)), Circuit::default());
        }
    }
}
