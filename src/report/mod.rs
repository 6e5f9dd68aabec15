//! View to text: tables, trees, verdicts, summaries.
//!
//! Called by surfaces, with a view and a `Page` that says how wide and in which characters. Every function is
//! pure and returns whole lines; colours are ANSI sequences from `palette`, which the surface takes off again
//! where nobody sees them. Invariants: nothing is cut off without a terminal; no line ends in white space; no
//! period follows an id. Deliberately absent: JSON (`view` serialises itself), streams (`cli::out`).

mod actions;
mod annotations;
mod breaker;
mod demo;
mod deps;
mod doctor;
mod event;
mod explain;
mod guardrail;
mod idle;
mod junit;
pub(crate) mod lines;
mod log;
mod maintain;
mod metrics;
mod page;
pub mod palette;
mod record;
mod run;
mod sarif;
mod status;
mod sync;
mod table;
mod task;
mod verdict;
pub mod words;
mod worktree;

pub use actions::{actions, next_commands};
pub use annotations::annotations;
pub use breaker::flakes;
pub use demo::demo;
pub use deps::tree;
pub use doctor::{doctor, problems};
pub use event::line;
pub use explain::{cache_stats, cache_verify, explain};
pub use guardrail::hits;
pub use idle::{idle, idle_fact};
pub use junit::junit;
pub use log::log;
pub use maintain::maintain;
pub use metrics::metrics;
pub use page::Page;
pub use record::{record_list, records};
pub use run::run_summary;
pub use sarif::sarif;
pub use status::status;
pub use sync::{sync, sync_warnings};
pub use task::{state, taken, task, task_table};
pub use verdict::{gate_steps, range, refused, verdict};
pub use worktree::{pruned, worktrees};
