//! How a clone comes to a state: it makes one, or adopts a remote's.

use std::collections::BTreeMap;

use crate::domain::control::Control;
use crate::domain::id::ChangeId;
use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::stamp::Hlc;
use crate::domain::time::Timestamp;
use crate::git::{Cas, GitError, RefChange};
use crate::store::admit;
use crate::store::error::StoreError;
use crate::store::history::{self, AuditEntry, clock_of};
use crate::store::layout::{self, STATE_REF};
use crate::store::records::{self, Meta};
use crate::store::snapshot::Snapshot;
use crate::store::transaction::{Author, Signed, Store};
use crate::sys::random;

/// The action by which a claim becomes confirmed.
const CONFIRM: &str = "task.confirm";

impl Store<'_> {
    /// Makes the state. Fails with `Contended` if it exists already.
    pub fn create(&self, author: &Author, now: Timestamp, meta: &Meta) -> Result<Oid, StoreError> {
        let _alone = self.alone()?;
        let change = ChangeId::from_bits(random::bits40());
        let entry = AuditEntry {
            action: "state.create".into(),
            actor: author.actor.to_string(),
            cause: "init".into(),
            id: change.to_string(),
            subject: "state".into(),
            note: None,
        };
        let files = BTreeMap::from([
            (layout::META.to_owned(), Some(meta.encode().to_string().into_bytes())),
            (
                layout::CONTROL.to_owned(),
                Some(records::encode_control(&Control::default()).to_string().into_bytes()),
            ),
        ]);
        let message = history::message(&[entry], Hlc { ms: now.millis(), seq: 0 })?;
        let signed = Signed { author, now, message, parents: Vec::new() };
        let (commit, written) = self.write(None, &files, signed)?;
        self.repo.persist(&[written], self.durability)?;
        let change = RefChange { name: STATE_REF.into(), old: MaybeOid::Zero, new: commit.clone() };
        match self.repo.cas(&change, self.durability)? {
            Cas::Moved => Ok(commit),
            Cas::Lost(_) => Err(StoreError::Contended { tries: 1 }),
        }
    }

    /// Adopts a state that was fetched: this clone has none of its own.
    pub fn adopt(&self, tip: &Oid) -> Result<(), StoreError> {
        let _alone = self.alone()?;
        let theirs = Snapshot::at(self.repo, tip.clone())?;
        theirs.meta()?;
        admit::changes(None, &theirs)?;
        let change = RefChange { name: STATE_REF.into(), old: MaybeOid::Zero, new: tip.clone() };
        match self.repo.cas(&change, self.durability)? {
            Cas::Moved => Ok(()),
            Cas::Lost(_) => Err(StoreError::Contended { tries: 1 }),
        }
    }

    /// The latest state that lies in this repository although its ref is gone: of what our other refs lead to, and of what
    /// none leads to. Reads which commits there are, as `git fsck` does.
    pub fn lost_tip(&self) -> Result<Option<Oid>, StoreError> {
        let fsck = ["fsck", "--connectivity-only", "--no-reflogs", "--no-progress"];
        // What else it finds wrong is not asked.
        let said = self.repo.git(fsck).env("LC_ALL", "C").run().map_err(GitError::from)?.text();
        let dangling =
            said.lines().filter_map(|line| Oid::parse(line.strip_prefix("dangling commit ")?).ok());
        let known = self.repo.refs_below("refs/orch/")?.into_iter().map(|(_, oid)| oid);
        let mut latest = None;
        for mut oid in dangling.chain(known) {
            let Ok(mut commit) = self.repo.commit(&oid) else { continue };
            // It may be a proposal that the remote never took (`propose`): the next sync asks again.
            while history::is_only(&commit.message, CONFIRM)
                && let Some(parent) = commit.parents.first().cloned()
            {
                commit = self.repo.commit(&parent)?;
                oid = parent;
            }
            if Snapshot::at(self.repo, oid.clone()).and_then(|snapshot| snapshot.meta()).is_ok() {
                latest = latest.max(Some((clock_of(&commit.message), oid)));
            }
        }
        Ok(latest.map(|(_, oid)| oid))
    }
}
