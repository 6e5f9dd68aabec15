//! The state: an orphan history under `refs/orch/state`, its layout, codec, snapshots and transactions.
//!
//! Called by `ops` only. A `Snapshot` is one commit, read without a lock. A change is an *intent*, a closure
//! that is evaluated on the tip under the write lock and again when the compare-and-swap loses. What is read
//! from the tree is hostile input: paths, modes, sizes and UTF-8 are checked, and what can't be read is named.
//! Deliberately absent: rules about tasks (`domain::task`), queries (`index`), words for people.
//!
//! Evolution of stored formats: each file has `schema`. Readers ignore keys they don't know. A new key or a new
//! meaning raises `format` in `meta.toml`, and with it `min_writer`: an older program reads on and writes no
//! more. Every format ever written has a frozen fixture in `tests/corpus/store/`.

mod admit;
mod archive;
#[cfg(test)]
mod archive_tests;
mod begin;
mod check;
mod claim;
mod codec;
mod epoch;
mod error;
mod findings;
mod flush;
#[cfg(test)]
mod fuzz_tests;
mod group;
mod history;
mod join;
#[cfg(test)]
mod join_tests;
mod joining;
mod layout;
mod ledger;
mod looked;
mod passes;
mod pruned;
#[cfg(test)]
mod pruned_tests;
mod reader;
mod records;
mod shelf;
mod snapshot;
mod transaction;

pub use check::Damage;
pub use claim::{ClaimRecord, Revocation};
pub use codec::{decode_task, encode_task};
pub use epoch::{Squashed, Young};
pub use error::{StoreError, TransactError};
pub use findings::{report_from_text, report_to_text};
pub use history::{At, AuditEntry, Go, Recorded};
pub use joining::{Conflict, Epochs, Joined};
pub(crate) use layout::task_of as task_of_path;
pub use layout::{
    CLAIMS, STATE_REF, claim as claim_place, fetched_state_ref, remote_claims, remote_state_ref,
    task_of_claim,
};
pub use ledger::{audit, audit_where, walk};
pub use records::{Approval, Meta};
pub use snapshot::{Found, Listing, Snapshot, TaskChanges};
pub use transaction::{Author, Change, Edit, Store};
