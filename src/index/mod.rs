//! The derived index: what is ready, what is listed, what is found by words, without opening git.
//!
//! Called by `ops`, which gives it values that the store has read. May touch two files, `index-3.db` and `events-1.db` in
//! the directory it is given, with what SQLite puts beside them, and the locks `index.lock` and `events.lock`.
//!
//! # Invariants
//!
//! - It is derived. Deleting it at any moment is safe; nothing is written from it to git, and no claim is
//!   decided on it.
//! - It describes exactly one commit of the state, `Index::indexed`. A change is applied by compare-and-set on
//!   that commit in one transaction, so an index is never between two commits.
//! - It says yes, never no. A row that is returned is true for that commit: each carries a checksum, and one
//!   that does not match is `IndexError::Corrupt`. A row that damage *hides* is not always noticed, so before
//!   a caller says "unknown id" or "nothing ready" it looks in git.
//! - Every error is a reason to answer from git, none a reason to stop; `IndexError::wants_rebuild` says
//!   when to build it anew.
//!
//! # Schema
//!
//! `task` has one row per task: `id`; `kind`, `status`, `role` (NULL if none was given), `doer` (the role that
//! works on it), `claim` as their words; `priority` as 0 to 4; `title`, `owner`, `branch`, `reason` as text;
//! `labels`, `needs` as JSON arrays; `expires`, `created`, `updated` in milliseconds; `fence`; `unmet`, how many
//! needed tasks are not done (one that does not exist is not done), and `guard`, its complement; `words_sum`, the
//! checksum of what `words` has of it; `edges_sum`, the one of what `dep` has of it; `sum`, the checksum of the
//! others. `dep` has the edges backwards, for those whose `unmet` changes when a task gets done, with the tag of
//! each. `ignored` has the edges that close a cycle and do not count for `unmet`: `domain::graph` says which; they
//! are looked for only where an edge is new. `words` is a contentless FTS5 table over title and body.
//! `damage` has the tasks whose file can't be read, and why. `meta` has one row: the commit.
//!
//! A task is ready when its status is `open` and `unmet` is 0, at any depth of the graph: what is done stays
//! done whatever it needed. `task_ready` is a partial index over exactly these rows in the order of `next`, so
//! the first is found in one step however many tasks there are.
//!
//! # Locks and files
//!
//! An open index holds `index.lock` shared; a rebuild holds it exclusively while it swaps the new file in.
//! SQLite would replay the write-ahead log of the old file into the new one otherwise. Write-ahead logging is
//! not used on shared file systems, where it is known to corrupt.
//!
//! A change of the schema takes the next number in the file's name; there is no migration.
//!
//! The audit is a table in a file of its own: see `events`.
//!
//! Deliberately absent: git, knowledge, words for people.

mod cycles;
mod error;
mod events;
mod filter;
mod open;
mod query;
mod row;
mod write;

#[cfg(test)]
mod tests;

pub use error::IndexError;
pub use events::{EventFilter, Events, Filling, events_file};
pub use filter::Filter;
pub use open::{Index, file};
pub use query::{Because, Counts, Need, Waiting, says};
pub use row::Row;
pub use write::{Applied, Changes, Damaged};
