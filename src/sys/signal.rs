//! Ctrl-C, counted: once means "stop after the current step", twice "stop now".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::sys::clock::Clock;

/// A git that runs us passes the terminal's Ctrl-C on, although the terminal sends it to us, too. Shorter than anybody
/// types it twice.
const ONE_KEY: Duration = Duration::from_millis(60);

/// How many interrupts came. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Interrupts {
    count: Arc<AtomicUsize>,
    above: Option<Arc<AtomicUsize>>,
}

impl Interrupts {
    /// Starts to count SIGINT and SIGTERM instead of dying of them. Call once per process.
    pub fn install() -> std::io::Result<Self> {
        let this = Self::default();
        let mut signals = signal_hook::iterator::Signals::new([
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGTERM,
            signal_hook::consts::SIGHUP,
        ])?;
        let count = Arc::clone(&this.count);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            let mut last = None;
            for signal in &mut signals {
                // A terminal that went away or a `kill` can't be asked twice: it counts as "now".
                let step = if signal == signal_hook::consts::SIGINT { 1 } else { 2 };
                let now = Clock.monotonic();
                if step == 1 && is_echo(last, now) {
                    continue;
                }
                last = Some(now);
                count.fetch_add(step, Ordering::SeqCst);
            }
        })?;
        Ok(this)
    }

    /// A count that can be raised by itself and is never lower than this one: what stops the whole stops the part
    /// in the same instant, without anybody who hands it on.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { count: Arc::default(), above: Some(Arc::clone(&self.count)) }
    }

    /// Makes it at least `level` (1: after the current step, 2: now). Several who ask for the same ask once.
    pub fn at_least(&self, level: usize) {
        self.count.fetch_max(level, Ordering::SeqCst);
    }

    /// Counts one more, as a test or a surface without signals would.
    pub fn raise(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    /// Asked to stop after the current step.
    pub fn soft(&self) -> bool {
        self.level() >= 1
    }

    /// Asked to stop now.
    pub fn hard(&self) -> bool {
        self.level() >= 2
    }

    fn level(&self) -> usize {
        let above = self.above.as_ref().map_or(0, |above| above.load(Ordering::SeqCst));
        above.max(self.count.load(Ordering::SeqCst))
    }
}

/// Whether an interrupt at `now` is the one that was counted at `last`, come by another way.
fn is_echo(last: Option<Instant>, now: Instant) -> bool {
    last.is_some_and(|last| now.saturating_duration_since(last) < ONE_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_counts_once_by_whatever_ways_it_comes() {
        let at = Clock.monotonic();
        assert!(!is_echo(None, at));
        assert!(is_echo(Some(at), at) && is_echo(Some(at), at + Duration::from_millis(59)));
        assert!(!is_echo(Some(at), at + ONE_KEY));
    }

    #[test]
    fn a_part_stops_with_the_whole_and_also_by_itself() {
        let whole = Interrupts::default();
        let part = whole.part();
        part.at_least(1);
        part.at_least(1);
        assert_eq!((part.soft(), part.hard(), whole.soft()), (true, false, false));
        whole.raise();
        assert_eq!((part.hard(), whole.hard()), (false, false), "the first of each is the same request");
        whole.raise();
        assert!(part.hard());
    }
}
