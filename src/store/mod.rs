//! The state: an orphan history under `refs/orch/state`, its layout, codec, snapshots and transactions.
//!
//! Called by `ops` only. A `Snapshot` is one commit, read without a lock. A change is an *intent*, a closure
//! that is evaluated on the tip under the write lock and again when the compare-and-swap loses. What is read
//! from the tree is hostile input: paths, modes, sizes and UTF-8 are checked, and what can't be read is named.
//! Deliberately absent: rules about tasks (`domain::task`), queries (`index`), words for people.
//!
//! Evolution of stored formats: each file has `schema`. Readers ignore keys they don't know. A new key or a new
//! meaning raises `format` in `meta.toml`, and with it `min_writer`: an older program reads on and writes no
//! more. Every format ever written has a frozen fixture in `tests/corpus/state/`.

mod check;
mod codec;
mod error;
mod group;
mod history;
mod layout;
mod records;
mod snapshot;
mod transaction;

pub use check::Damage;
pub use codec::{decode_task, encode_task};
pub use error::{StoreError, TransactError};
pub use history::{AuditEntry, audit, audit_where};
pub(crate) use layout::task_of as task_of_path;
pub use layout::{STATE_REF, remote_state_ref};
pub use records::{Approval, Meta};
pub use snapshot::{Listing, Snapshot, TaskChanges};
pub use transaction::{Author, Change, Edit, Store};
