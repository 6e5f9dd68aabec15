//! The clock: one wall-clock reading for most commands, a port for what waits.

use std::time::{Duration, Instant};

use crate::domain::time::Timestamp;

/// Reads time. `Copy`, so that long-running engines take it by value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

#[expect(clippy::unused_self, reason = "a port: who has it may read the time")]
impl Clock {
    /// The wall clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now(self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(ahead()))
    }

    /// A clock that never goes back, for durations.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn monotonic(self) -> Instant {
        Instant::now()
    }

    /// Blocks for `time`. For back-off between tries at something outside our control, never to synchronise.
    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    pub fn wait(self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// How far a test wants the wall clock of this process to be ahead, in milliseconds: `ORCH_TEST_CLOCK`. Clones on one
/// machine have clocks that disagree by it. Read only where there are debug assertions, as what `failpoint` reads.
#[cfg(debug_assertions)]
fn ahead() -> i64 {
    static AHEAD: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *AHEAD.get_or_init(|| {
        let env = crate::sys::env::Env::capture();
        env.text("ORCH_TEST_CLOCK").map_or(0, |text| text.parse().expect("ORCH_TEST_CLOCK is a number"))
    })
}

#[cfg(not(debug_assertions))]
fn ahead() -> i64 {
    0
}
