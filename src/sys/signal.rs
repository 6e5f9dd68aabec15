//! Ctrl-C, counted: once means "stop after the current step", twice "stop now".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many interrupts came. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// Starts to count SIGINT and SIGTERM instead of dying of them. Call once per process.
    pub fn install() -> std::io::Result<Self> {
        let this = Self::default();
        let mut signals = signal_hook::iterator::Signals::new([
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGTERM,
            signal_hook::consts::SIGHUP,
        ])?;
        let count = Arc::clone(&this.0);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in &mut signals {
                // A terminal that went away or a `kill` can't be asked twice: it counts as "now".
                let step = if signal == signal_hook::consts::SIGINT { 1 } else { 2 };
                count.fetch_add(step, Ordering::SeqCst);
            }
        })?;
        Ok(this)
    }

    /// Counts one more, as a test or a surface without signals would.
    pub fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Asked to stop after the current step.
    pub fn soft(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= 1
    }

    /// Asked to stop now.
    pub fn hard(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= 2
    }
}
