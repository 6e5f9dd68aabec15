//! A claim as it travels: the register of one task in a commit of its own, which one small ref points at.
//!
//! The commit has no parents and one file, `claim.toml`. Hosts take commits under any name, and nothing of the state's
//! history has to travel for a claim. What is read is hostile input.

use std::collections::BTreeMap;

use toml::Table;

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::Register;
use crate::domain::time::Timestamp;
use crate::git::{Batch, NewCommit, Object};
use crate::store::admit;
use crate::store::codec::{decode_register, encode_register, put};
use crate::store::error::StoreError;
use crate::store::reader::{Reader, parse};
use crate::store::transaction::{Author, Store};
use crate::sys::clock::Clock;

/// That another clone is about to take over a task whose owner does not seem to live.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revocation {
    /// Who, as the owner of a register is written.
    pub by: String,
    /// Since when, by the clock of who revoked.
    pub at: Timestamp,
}

/// What the remote knows of who holds a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimRecord {
    /// The id of the state that the task is in.
    pub repository: String,
    /// The task.
    pub task: TaskId,
    /// Its register; the remote arbitrated it.
    pub register: Register,
    /// Whether somebody is about to take over.
    pub revoked: Option<Revocation>,
}

const FILE: &str = "claim.toml";

impl ClaimRecord {
    pub(super) fn encode(&self) -> String {
        let mut t = Table::new();
        put(&mut t, "schema", 1);
        put(&mut t, "repository", self.repository.as_str());
        put(&mut t, "task", self.task.as_str());
        put(&mut t, "register", encode_register(&self.register));
        if let Some(revoked) = &self.revoked {
            let mut r = Table::new();
            put(&mut r, "by", revoked.by.as_str());
            put(&mut r, "at", revoked.at.to_string());
            put(&mut t, "revoked", r);
        }
        t.to_string()
    }

    pub(super) fn decode(text: &str) -> Result<Self, String> {
        let table = parse(text)?;
        let r = Reader::new(&table);
        let revoked = match r.sub("revoked")? {
            Some(r) => Some(Revocation { by: r.text("by")?, at: r.time("at")? }),
            None => None,
        };
        Ok(Self {
            repository: r.text("repository")?,
            task: TaskId::parse(&r.text("task")?).map_err(|e| e.to_string())?,
            register: decode_register(&r.required_sub("register")?)?,
            revoked,
        })
    }
}

impl Store<'_> {
    /// Writes a claim's commit; no ref points at it yet.
    pub fn write_claim(
        &self,
        author: &Author,
        now: Timestamp,
        record: &ClaimRecord,
    ) -> Result<Oid, StoreError> {
        let mut batch = Batch::packed(self.repo);
        let blob = batch.add(Object::Blob, record.encode().as_bytes())?;
        let tree = batch.edit_tree(None, &BTreeMap::from([(FILE.to_owned(), Some(blob))]))?;
        let commit = batch.commit(&NewCommit {
            tree,
            parents: Vec::new(),
            name: author.name.clone(),
            email: author.email.clone(),
            time: now,
            message: format!("claim {} {}\n", record.task, record.register.state.status()),
        })?;
        self.persist_alone(batch.pend()?)?;
        Ok(commit)
    }

    /// Reads a claim that was fetched and may be joined.
    pub fn read_claim(&self, commit: &Oid) -> Result<ClaimRecord, StoreError> {
        let record = self.find_claim(commit)?;
        admit::check_register(&record.register, Clock.now()).map_err(|what| hostile(commit, what))?;
        Ok(record)
    }

    /// Reads a claim that was fetched. Its times may be such that it is not joined: it is somebody's for all that.
    pub fn find_claim(&self, commit: &Oid) -> Result<ClaimRecord, StoreError> {
        let read = self.at(commit).and_then(|claim| claim.file(FILE));
        let text = read.map_err(|error| hostile(commit, error.to_string()))?;
        let text = text.ok_or_else(|| hostile(commit, "it is missing".to_owned()))?;
        ClaimRecord::decode(&text).map_err(|what| hostile(commit, what))
    }
}

fn hostile(commit: &Oid, what: String) -> StoreError {
    StoreError::Hostile { path: format!("{FILE} of {}", commit.short()), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{ChangeId, SessionId};
    use crate::domain::stamp::Hlc;
    use crate::domain::task::{Claim, Lease, Move, Owner, Work};

    fn record() -> ClaimRecord {
        let change = ChangeId::from_bits(1);
        let now = Timestamp::from_millis(5);
        let at = Move { change: &change, now, clock: Hlc { ms: 5, seq: 0 }, epoch: 0 };
        let owner = Owner { actor: "person:ann".into(), session: SessionId::from_bits(1), worker: false };
        let lease = Lease { owner, claim: Claim::Local, expires: Timestamp::from_millis(9) };
        let work = Work { branch: "fix/x".into(), base: Oid::parse(&"a".repeat(40)).unwrap() };
        let task = TaskId::from_bits(7);
        let register = Register::new(&at).claim(&task, &at, lease, work).unwrap().confirmed();
        let revoked = Some(Revocation { by: "person:bob".into(), at: now });
        ClaimRecord { repository: "r".into(), task, register, revoked }
    }

    #[test]
    fn a_claim_reads_back() {
        let one = record();
        assert_eq!(ClaimRecord::decode(&one.encode()), Ok(one.clone()));
        let two = ClaimRecord { revoked: None, ..one };
        assert_eq!(ClaimRecord::decode(&two.encode()), Ok(two));
    }

    #[test]
    fn what_is_no_claim_is_refused() {
        let good = record().encode();
        for bad in ["", "x = ", &good.replace("fence = 1", "fence = -1"), &good.replace("task = ", "tusk = ")]
        {
            assert!(ClaimRecord::decode(bad).is_err(), "{bad}");
        }
    }
}
