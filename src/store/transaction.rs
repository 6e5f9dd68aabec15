//! Changing the state (design.md §4): kernel lock, intent evaluated on the tip, objects durable before the ref,
//! compare-and-swap, read-back.
//!
//! The lock is for throughput, the compare-and-swap for correctness: a writer that ignores the lock (an older
//! program, plain git) costs a retry, never an update. Every commit carries a nonce (the change's id), so that
//! two identical intents never make the same commit and both believe they won.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Table;

use crate::domain::actor::Actor;
use crate::domain::control::Control;
use crate::domain::id::{ChangeId, SessionId, TaskId};
use crate::domain::oid::Oid;
use crate::domain::pass::StepPass;
use crate::domain::session::Session;
use crate::domain::stamp::Stamp;
use crate::domain::task::{Move, Task};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::git::{Batch, NewCommit, Object, Packing, Pending, Repo};
use crate::policy::grant::{self, Action, Grant};
use crate::store::codec::encode_task;
use crate::store::error::{StoreError, TransactError};
use crate::store::group::{End, Group, Open, Passed};
use crate::store::history::{self, AuditEntry, clock_of};
use crate::store::layout::{self, STATE_REF};
use crate::store::passes::encode_pass;
use crate::store::records::{self, Approval, FORMAT};
use crate::store::snapshot::Snapshot;
use crate::sys::clock::Clock;
use crate::sys::failpoint::{self, Point};
use crate::sys::fs::Durability;
use crate::sys::random;

pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const TRIES: u32 = 20;

/// Who makes state commits, and when.
#[derive(Clone, Debug)]
pub struct Author {
    /// For git's author and committer line.
    pub name: String,
    /// For git's author and committer line.
    pub email: String,
    /// Recorded in the audit trail.
    pub actor: Actor,
}

/// One change, for the audit trail and the commit's first line.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is done, e.g. `task.claim`.
    pub action: &'static str,
    /// To what, e.g. `task/7k3fabcd`.
    pub subject: String,
    /// By what it came about: the command or hook.
    pub cause: String,
    /// Facts that belong to it.
    pub note: Option<String>,
}

/// Who makes a commit, when, and what it says.
pub(super) struct Signed<'a> {
    pub(super) author: &'a Author,
    pub(super) now: Timestamp,
    pub(super) message: String,
    /// What it comes after, which need not be the state that it changes.
    pub(super) parents: Vec<Oid>,
}

/// The state of one clone.
#[derive(Clone, Debug)]
pub struct Store<'r> {
    pub(super) repo: &'r Repo,
    pub(super) durability: Durability,
}

/// A change of state in the making. Exists only with a grant.
pub struct Edit<'s, 'r> {
    snapshot: &'s Snapshot<'r>,
    grant: Grant,
    actor: &'s Actor,
    change: ChangeId,
    stamp: Stamp,
    now: Timestamp,
    epoch: u64,
    files: BTreeMap<String, Option<Vec<u8>>>,
    tasks: BTreeMap<TaskId, Task>,
    changes: Vec<Change>,
}

impl<'s, 'r> Edit<'s, 'r> {
    /// The state before the change.
    pub fn snapshot(&self) -> &'s Snapshot<'r> {
        self.snapshot
    }

    /// What the change was allowed as.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// A task as it is with what this change did to it so far.
    pub fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        match self.tasks.get(id) {
            Some(task) => Ok(Some(task.clone())),
            None => self.snapshot.task(id),
        }
    }

    /// What the register's rules need.
    pub fn at(&self) -> Move<'_> {
        Move { change: &self.change, now: self.now, clock: self.stamp.clock(), epoch: self.epoch }
    }

    /// The stamp of fields that this change writes.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The change's id: tags of set members are made of it.
    pub fn change(&self) -> &ChangeId {
        &self.change
    }

    /// When the change is made.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Writes a task; `updated` is set. Returns it as it was written.
    pub fn put_task(&mut self, mut task: Task, change: Change) -> Task {
        task.updated = self.now;
        self.files.insert(layout::task(&task.id), Some(encode_task(&task).into_bytes()));
        self.tasks.insert(task.id.clone(), task.clone());
        self.changes.push(change);
        task
    }

    /// Writes the mode.
    pub fn put_control(&mut self, control: &Control, change: Change) {
        let known = ["reason", "by", "at"];
        self.put_over(layout::CONTROL.to_owned(), &records::encode_control(control), &known, change);
    }

    /// Writes a verdict that the clone `maker` made.
    pub fn put_verdict(&mut self, verdict: &Verdict, maker: &SessionId, change: Change) {
        self.put(layout::verdict(&verdict.key, maker), records::encode_verdict(verdict).to_string(), change);
    }

    /// Writes a step's PASS that the clone `maker` made.
    pub fn put_step_pass(&mut self, pass: &StepPass, maker: &SessionId) {
        let bytes = encode_pass(pass).to_string().into_bytes();
        let place = layout::step_pass(&pass.key, maker, &pass.tree);
        let place = if pass.refuted { layout::refuted(&pass.key, maker, &pass.tree) } else { place };
        self.files.insert(place, Some(bytes));
    }

    /// Writes an approval.
    pub fn put_approval(&mut self, approval: &Approval, change: Change) {
        self.put(layout::approval(&approval.tree), approval.encode().to_string(), change);
    }

    /// Writes a session's record.
    pub fn put_session(&mut self, session: &Session, change: Change) {
        self.put_over(layout::session(&session.id), &records::encode_session(session), &["ended"], change);
    }

    /// Writes a session's handoff, Markdown.
    pub fn put_handoff(&mut self, id: &SessionId, text: &str, change: Change) {
        self.put(layout::handoff(id), text.to_owned(), change);
    }

    /// Writes back a file of the state as it once was, or removes it: `doctor`'s repair.
    pub fn restore(&mut self, path: &str, bytes: Option<Vec<u8>>, change: Change) {
        self.files.insert(path.to_owned(), bytes);
        self.changes.push(change);
    }

    /// Moves finished tasks to the archive as they are.
    pub fn archive(&mut self, ids: &[TaskId], change: Change) -> Result<(), StoreError> {
        self.put_files(self.snapshot.put_away(ids)?, change);
        Ok(())
    }

    /// Writes files, or removes them, as one change.
    pub(super) fn put_files(
        &mut self,
        files: impl IntoIterator<Item = (String, Option<Vec<u8>>)>,
        change: Change,
    ) {
        self.files.extend(files);
        self.changes.push(change);
    }

    /// Records something that changes no file, e.g. an override.
    pub fn note(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Writes a record over an older version: what a newer program wrote there stays. `known` are the keys that the
    /// record may leave out.
    fn put_over(&mut self, path: String, record: &Table, known: &[&str], change: Change) {
        // One that can't be read has nothing that could be carried along.
        let old = self.snapshot.file(&path).ok().flatten();
        self.put(path, records::over(record, known, old.as_deref()), change);
    }

    fn put(&mut self, path: String, text: String, change: Change) {
        self.files.insert(path, Some(text.into_bytes()));
        self.changes.push(change);
    }

    fn entries(&self) -> Vec<AuditEntry> {
        let entry = |c: &Change| AuditEntry {
            action: c.action.to_owned(),
            actor: self.actor.to_string(),
            cause: c.cause.clone(),
            id: self.change.to_string(),
            subject: c.subject.clone(),
            note: c.note.clone(),
        };
        self.changes.iter().map(entry).collect()
    }

    fn message(&self) -> Result<String, StoreError> {
        history::message(&self.entries(), self.stamp.clock())
    }
}

impl<'r> Store<'r> {
    /// The state of `repo`; it may not exist yet.
    pub fn new(repo: &'r Repo, durability: Durability) -> Self {
        Self { repo, durability }
    }

    /// The state as it is now.
    pub fn snapshot(&self) -> Result<Snapshot<'r>, StoreError> {
        self.tip()?.ok_or(StoreError::NoState).and_then(|tip| Snapshot::at(self.repo, tip))
    }

    /// The commit that the state's ref points at; None before `init`.
    pub fn tip(&self) -> Result<Option<Oid>, StoreError> {
        Ok(self.repo.ref_target(STATE_REF)?)
    }

    /// Changes the state by `intent`, which is evaluated on the tip and again whenever the tip moved.
    ///
    /// An intent that records no change makes no commit. Returns what the intent returned and the tip after it.
    pub fn transact<T, E: std::error::Error + 'static>(
        &self,
        author: &Author,
        action: Action,
        mut intent: impl FnMut(&mut Edit<'_, 'r>) -> Result<T, E>,
    ) -> Result<(T, Oid), TransactError<E>> {
        let group = Group::of(self.repo.common_dir());
        let start = Clock.monotonic();
        for _ in 0..TRIES {
            let left = || LOCK_PATIENCE.saturating_sub(start.elapsed());
            let Some(mut turn) = group.enter(left()) else {
                // Nobody is known to hold the lock itself but this process.
                return Err(StoreError::from(self.busy()).into());
            };
            // It stays with the turn: should the intent panic, those before it are told.
            let open = match &mut turn.open {
                Some(open) => open,
                none => none.insert(self.open(left())?),
            };
            let evaluated = self.evaluate(open, author, action, &mut intent);
            // What others have not published may never be: neither may what was made of it.
            if open.written.is_empty() && open.chain.links.is_empty() {
                return evaluated;
            }
            match turn.pass() {
                Passed::Ended(End::Published) => return evaluated,
                Passed::Ended(End::GivenUp) => {}
                Passed::Ended(End::Unknown) => {
                    let why = "another thread, which made it durable together with its own, could not tell";
                    return Err(StoreError::Unknown { why: why.to_owned(), source: None }.into());
                }
                Passed::Publish(turn) => {
                    if let Some(packing) = self.publish(turn)? {
                        if packing != Packing::NotYet {
                            self.tidy();
                        }
                        return evaluated;
                    }
                }
            }
        }
        Err(StoreError::Contended { tries: TRIES }.into())
    }

    /// Evaluates an intent on what the batch made of the state, and adds what it did. One that fails adds nothing.
    fn evaluate<T, E: std::error::Error + 'static>(
        &self,
        open: &mut Open,
        author: &Author,
        action: Action,
        intent: &mut impl FnMut(&mut Edit<'_, 'r>) -> Result<T, E>,
    ) -> Result<(T, Oid), TransactError<E>> {
        let snapshot = Snapshot::at(self.repo, open.head.clone())?;
        let (value, commit, written) = self.made(&snapshot, author, action, intent)?;
        open.written.extend(written);
        open.head = commit.clone();
        Ok((value, commit))
    }

    /// What an intent makes of a state: what it returned, the commit, and its objects if it changed anything.
    pub(super) fn made<T, E: std::error::Error + 'static>(
        &self,
        snapshot: &Snapshot<'r>,
        author: &Author,
        action: Action,
        intent: impl FnOnce(&mut Edit<'_, 'r>) -> Result<T, E>,
    ) -> Result<(T, Oid, Option<Pending>), TransactError<E>> {
        let mut edit = self.begin(snapshot, author, action)?;
        let value = intent(&mut edit).map_err(TransactError::Refused)?;
        if edit.changes.is_empty() {
            return Ok((value, snapshot.commit().clone(), None));
        }
        let parents = vec![snapshot.commit().clone()];
        let signed = Signed { author, now: edit.now, message: edit.message()?, parents };
        let files = snapshot.settle(&edit.tasks, std::mem::take(&mut edit.files))?;
        refuse_large(snapshot, &files)?;
        let (commit, written) = self.write(Some(snapshot), &files, signed)?;
        Ok((value, commit, Some(written)))
    }

    fn begin<'s, E: std::error::Error + 'static>(
        &self,
        snapshot: &'s Snapshot<'r>,
        author: &'s Author,
        action: Action,
    ) -> Result<Edit<'s, 'r>, TransactError<E>> {
        let meta = match (snapshot.meta(), action) {
            // What is to be mended may be what says who may mend it: then what it said before counts.
            (Err(error @ StoreError::Corrupt { .. }), Action::Repair) => {
                snapshot.last_meta()?.ok_or(error)?
            }
            (meta, _) => meta?,
        };
        if meta.min_writer > FORMAT {
            return Err(StoreError::TooNew { found: meta.min_writer, known: FORMAT }.into());
        }
        let control = match (snapshot.control(), action) {
            (Err(StoreError::Corrupt { .. }), Action::Repair) => Control::default(),
            (control, _) => control?,
        };
        let grant = grant::permit(control.mode, action).map_err(TransactError::Mode)?;
        let now = Clock.now();
        let message = self.repo.commit(snapshot.commit()).map_err(StoreError::from)?.message;
        let clock = history::next_clock(now, clock_of(&message));
        let change = ChangeId::from_bits(random::bits40());
        let stamp =
            Stamp { ms: clock.ms, seq: clock.seq, actor: author.actor.to_string(), change: change.clone() };
        Ok(Edit {
            snapshot,
            grant,
            actor: &author.actor,
            change,
            stamp,
            now,
            epoch: meta.epoch,
            files: BTreeMap::new(),
            tasks: BTreeMap::new(),
            changes: Vec::new(),
        })
    }

    /// A commit of the tree of `base` (None: an empty one) with `files` changed. Durable once its objects are persisted.
    pub(super) fn write(
        &self,
        base: Option<&Snapshot<'_>>,
        files: &BTreeMap<String, Option<Vec<u8>>>,
        signed: Signed<'_>,
    ) -> Result<(Oid, Pending), StoreError> {
        let mut batch = Batch::packed(self.repo);
        let mut edits = BTreeMap::new();
        for (path, bytes) in files {
            let blob = match bytes {
                Some(bytes) if bytes.len() > layout::MAX_READ => {
                    let (bytes, limit) = (bytes.len(), layout::MAX_READ);
                    return Err(StoreError::TooLarge { path: path.clone(), bytes, limit });
                }
                Some(bytes) => Some(batch.add(Object::Blob, bytes)?),
                None => None,
            };
            edits.insert(path.clone(), blob);
        }
        failpoint::at(Point::StoreBlobs);
        let tree = batch.edit_tree(base.map(Snapshot::tree), &edits)?;
        failpoint::at(Point::StoreTree);
        let commit = batch.commit(&NewCommit {
            tree,
            parents: signed.parents,
            name: signed.author.name.clone(),
            email: signed.author.email.clone(),
            time: signed.now,
            message: signed.message,
        })?;
        failpoint::at(Point::StoreCommit);
        Ok((commit, batch.pend()?))
    }
}

/// So much may be added to a file that is too large because two clones' texts were joined.
const SOME_MORE: usize = 2 * 1024;

/// Refuses what makes a file too large.
fn refuse_large(
    snapshot: &Snapshot<'_>,
    files: &BTreeMap<String, Option<Vec<u8>>>,
) -> Result<(), StoreError> {
    for (path, bytes) in files {
        let Some(bytes) = bytes.as_ref().map(Vec::len).filter(|bytes| *bytes > layout::MAX_FILE) else {
            continue;
        };
        let before = snapshot.file(path).ok().flatten().map_or(0, |text| text.len());
        if bytes > before.saturating_add(SOME_MORE).max(layout::MAX_FILE) {
            return Err(StoreError::TooLarge { path: path.clone(), bytes, limit: layout::MAX_FILE });
        }
    }
    Ok(())
}
