//! The outside world: clock, environment, files, locks, processes, signals, randomness.
//!
//! Called by everything above `domain`. The only module that reads ambient state (the lints ban it
//! elsewhere) and the only durable writer. Errors carry the path or the command line, so that call sites
//! can't forget. Deliberately absent: anything that knows git or tasks.

pub mod ancestry;
pub mod beside;
pub mod clock;
pub mod env;
pub mod failpoint;
pub mod fs;
pub mod held;
pub mod holder;
pub mod lock;
pub mod mount;
pub mod panic;
pub mod probe;
pub mod process;
pub mod random;
mod removal;
pub mod sandbox;
mod search;
pub mod signal;
mod stream;
pub mod term;
pub mod terminal;
mod timed;
