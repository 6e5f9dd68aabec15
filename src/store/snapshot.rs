//! One commit of the state, read lazily and without a lock.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::domain::control::Control;
use crate::domain::id::{IdPrefix, SessionId, TaskId};
use crate::domain::oid::Oid;
use crate::domain::pass::StepPass;
use crate::domain::session::Session;
use crate::domain::task::Task;
use crate::domain::verdict::Verdict;
use crate::git::{Entry, EntryKind, GitError, Repo, TreeChange};
use crate::store::archive::{Read, Tasks};
use crate::store::codec::decode_task;
use crate::store::error::StoreError;
use crate::store::layout;
use crate::store::passes::decode_pass;
use crate::store::reader::{Reader, parse};
use crate::store::records::{self, Approval, FORMAT, Meta};

/// Every task that can be read, and what can't.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The tasks, by id.
    pub tasks: BTreeMap<TaskId, Task>,
    /// Damaged files: path and what is wrong.
    pub damaged: Vec<(String, String)>,
}

/// The state at one commit.
#[derive(Clone, Debug)]
pub struct Snapshot<'r> {
    repo: &'r Repo,
    commit: Oid,
    tree: Oid,
    /// Archived tasks are many to a file: each is read once.
    archived: RefCell<Read>,
}

impl<'r> Snapshot<'r> {
    pub(crate) fn at(repo: &'r Repo, commit: Oid) -> Result<Self, StoreError> {
        let tree = repo.tree_of(&commit)?;
        Ok(Self { repo, commit, tree, archived: RefCell::default() })
    }

    pub(crate) fn repo(&self) -> &'r Repo {
        self.repo
    }

    /// The commit it shows.
    pub fn commit(&self) -> &Oid {
        &self.commit
    }

    /// The commit's tree.
    pub fn tree(&self) -> &Oid {
        &self.tree
    }

    /// The text of a file of the state; None if it is not there.
    pub fn file(&self, path: &str) -> Result<Option<String>, StoreError> {
        let Some(entry) = self.repo.entry_at(&self.tree, path)? else { return Ok(None) };
        let corrupt = |what| StoreError::Corrupt { path: path.to_owned(), what };
        self.text_at(&entry).map(Some).map_err(corrupt)
    }

    fn record<T>(
        &self,
        path: &str,
        decode: impl Fn(&Reader<'_>) -> Result<T, String>,
    ) -> Result<Option<T>, StoreError> {
        let corrupt = |what| StoreError::Corrupt { path: path.to_owned(), what };
        let Some(entry) = self.repo.entry_at(&self.tree, path)? else { return Ok(None) };
        // Records are few, and some are what each change begins with.
        let text = text_of(&entry, || self.repo.blob_kept(&entry.oid, layout::MAX_READ)).map_err(corrupt)?;
        let table = parse(&text).map_err(corrupt)?;
        decode(&Reader::new(&table)).map(Some).map_err(corrupt)
    }

    /// `meta.toml`. A state without one, or of a newer format, is refused.
    pub fn meta(&self) -> Result<Meta, StoreError> {
        let missing =
            || StoreError::Corrupt { path: layout::META.to_owned(), what: "it is missing".to_owned() };
        let meta = self.record(layout::META, Meta::decode)?.ok_or_else(missing)?;
        if meta.min_reader > FORMAT {
            return Err(StoreError::TooNew { found: meta.min_reader, known: FORMAT });
        }
        Ok(meta)
    }

    /// The mode; NORMAL if none was ever set.
    pub fn control(&self) -> Result<Control, StoreError> {
        Ok(self.record(layout::CONTROL, records::decode_control)?.unwrap_or_default())
    }

    /// A task, wherever it is.
    pub fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        let path = layout::task(id);
        let Some(text) = self.file(&path)? else { return self.archived(id) };
        let task = decode_task(&text).and_then(|task| {
            if task.id == *id { Ok(task) } else { Err(format!("it says it is {}", task.id)) }
        });
        task.map(Some).map_err(|what| StoreError::Corrupt { path, what })
    }

    /// A session's record.
    pub fn session(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        self.record(&layout::session(id), records::decode_session)
    }

    /// The verdicts for a key, of every clone that made one. Which of them count is for the gate to say: see their
    /// MACs. One that can't be read is none.
    pub fn verdicts(&self, key: &str) -> Result<Vec<Verdict>, StoreError> {
        self.records_of(layout::verdicts(key), records::decode_verdict)
    }

    /// The PASSes of a step under a key, of every clone that recorded one. Which of them count is for the gate to say.
    pub fn step_passes(&self, key: &str) -> Result<Vec<StepPass>, StoreError> {
        self.records_of(layout::step_passes(key), decode_pass)
    }

    /// All PASSes of steps that can be read.
    pub fn all_step_passes(&self) -> Result<Vec<StepPass>, StoreError> {
        self.all_records("steps", decode_pass)
    }

    /// All verdicts that can be read.
    pub fn all_verdicts(&self) -> Result<Vec<Verdict>, StoreError> {
        self.all_records("verdicts", records::decode_verdict)
    }

    fn all_records<T>(
        &self,
        dir: &str,
        decode: impl Fn(&Reader<'_>) -> Result<T, String>,
    ) -> Result<Vec<T>, StoreError> {
        let texts = self.texts(dir)?;
        Ok(texts.iter().filter_map(|text| decode(&Reader::new(&parse(text).ok()?)).ok()).collect())
    }

    /// The texts of all files below a directory that can be read.
    pub(super) fn texts(&self, dir: &str) -> Result<Vec<String>, StoreError> {
        let top = self.repo.entry_at(&self.tree, dir)?.filter(|e| e.kind == EntryKind::Tree);
        let files = self.repo.tree_changes(None, top.as_ref().map(|entry| &entry.oid))?;
        Ok(files.iter().filter_map(|file| self.text_at(file.new.as_ref()?).ok()).collect())
    }

    /// What is said against a step's key.
    pub fn refutations(&self, key: &str) -> Result<Vec<StepPass>, StoreError> {
        self.records_of(layout::refutations(key), decode_pass)
    }

    /// Whether anything is said against any step.
    pub fn has_refutations(&self) -> Result<bool, StoreError> {
        Ok(self.repo.entry_at(&self.tree, layout::REFUTED)?.is_some())
    }

    /// The records in a directory whose names begin so; one that can't be read is none.
    fn records_of<T>(
        &self,
        (dir, begin): (String, &str),
        decode: impl Fn(&Reader<'_>) -> Result<T, String>,
    ) -> Result<Vec<T>, StoreError> {
        let Some(shard) = self.repo.entry_at(&self.tree, &dir)?.filter(|e| e.kind == EntryKind::Tree) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for entry in self.repo.tree(&shard.oid)?.iter().filter(|e| e.name.starts_with(begin.as_bytes())) {
            let path = format!("{dir}/{}", String::from_utf8_lossy(&entry.name));
            match self.record(&path, &decode) {
                Ok(record) => found.extend(record),
                Err(StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The approval of a tree, if there is one.
    pub fn approval(&self, tree: &Oid) -> Result<Option<Approval>, StoreError> {
        self.record(&layout::approval(tree), Approval::decode)
    }

    /// The ids of all tasks, in order.
    pub fn task_ids(&self) -> Result<Vec<TaskId>, StoreError> {
        let mut ids = self.live_ids("")?;
        ids.extend(self.archived_ids("")?);
        Ok(ids.into_iter().collect())
    }

    /// The ids of the tasks that are not archived, only of the shard `shard` unless it is empty; without reading their
    /// files.
    pub fn live_ids(&self, shard: &str) -> Result<BTreeSet<TaskId>, StoreError> {
        Ok(self.task_paths(shard)?.iter().filter_map(|path| layout::task_of(path)).collect())
    }

    pub(super) fn read_before(&self, blob: &Oid) -> Option<Rc<Tasks>> {
        self.archived.borrow().get(blob).cloned()
    }

    pub(super) fn note_read(&self, blob: &Oid, tasks: &Rc<Tasks>) {
        self.archived.borrow_mut().insert(blob.clone(), Rc::clone(tasks));
    }

    /// Paths of files below `tasks/`, only of the shard `shard` unless it is empty.
    fn task_paths(&self, shard: &str) -> Result<Vec<String>, StoreError> {
        let mut paths = Vec::new();
        let Some(tasks) = self.repo.entry_at(&self.tree, "tasks")? else { return Ok(paths) };
        if tasks.kind != EntryKind::Tree {
            return Ok(paths);
        }
        for dir in self.repo.tree(&tasks.oid)? {
            let name = String::from_utf8_lossy(&dir.name).into_owned();
            if dir.kind != EntryKind::Tree || !(shard.is_empty() || shard == name) {
                continue;
            }
            for file in self.repo.tree(&dir.oid)? {
                paths.push(format!("tasks/{name}/{}", String::from_utf8_lossy(&file.name)));
            }
        }
        Ok(paths)
    }

    /// All tasks; what can't be read is listed, not an error.
    pub fn tasks(&self) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        self.each_task(|found| {
            for found in found {
                match found {
                    Ok(task) => drop(listing.tasks.insert(task.id.clone(), task)),
                    Err(damaged) => listing.damaged.push(damaged),
                }
            }
        })?;
        Ok(listing)
    }

    /// Gives `take` all tasks while they are read, nearly in the order of their ids. Of many, several are read at
    /// once: most of the time goes into unpacking and parsing.
    pub fn each_task<T>(
        &self,
        take: impl FnOnce(&mut dyn Iterator<Item = Found>) -> T,
    ) -> Result<T, StoreError> {
        let tasks = self.tasks_tree(&self.tree)?;
        let files = self.repo.tree_changes(None, tasks.as_ref())?;
        let readers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_READERS);
        let live = files.iter().filter_map(|file| layout::task_of(&path_of(file))).collect();
        let archived = self.all_archived(live)?;
        if files.len() < MANY || readers == 1 {
            return Ok(take(&mut files.iter().filter_map(|file| read(self.repo, file)).chain(archived)));
        }
        let (files, next) = (files.as_slice(), &AtomicUsize::new(0));
        let (git_dir, env) = (self.repo.git_dir(), self.repo.user_env());
        let read_part = |repo: &Repo, part: &[TreeChange]| -> Vec<Found> {
            part.iter().filter_map(|file| read(repo, file)).collect()
        };
        Ok(std::thread::scope(|scope| {
            let (found, all) = mpsc::sync_channel(readers);
            for _ in 0..readers {
                let found = found.clone();
                scope.spawn(move || {
                    let Ok(repo) = Repo::open(git_dir, None, env) else { return };
                    while let Some(part) = part(files, next) {
                        // Nobody wants the rest.
                        if found.send(read_part(&repo, part)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(found);
            // What no thread took, because none could open the repository again, is read here.
            let rest = std::iter::from_fn(|| part(files, next)).map(|part| read_part(self.repo, part));
            take(&mut all.into_iter().chain(rest).flatten().chain(archived))
        }))
    }

    fn tasks_tree(&self, root: &Oid) -> Result<Option<Oid>, StoreError> {
        Ok(self.repo.entry_at(root, "tasks")?.filter(|e| e.kind == EntryKind::Tree).map(|e| e.oid))
    }

    /// The tasks that differ from those at `base` (None: all). One that went to the archive or came from there is one
    /// that differs.
    pub fn changes_since(&self, base: Option<&Oid>) -> Result<TaskChanges, StoreError> {
        let base = base.map(|commit| Snapshot::at(self.repo, commit.clone())).transpose()?;
        let old = base.as_ref().map_or(Ok(None), |base| self.tasks_tree(&base.tree))?;
        let new = self.tasks_tree(&self.tree)?;
        let (mut upserts, mut gone) = (BTreeMap::new(), BTreeSet::new());
        let mut changes = TaskChanges::default();
        for change in self.repo.tree_changes(old.as_ref(), new.as_ref())? {
            let id = layout::task_of(&path_of(&change));
            match read(self.repo, &change) {
                Some(Ok(task)) => drop(upserts.insert(task.id.clone(), task)),
                Some(Err(damaged)) => {
                    changes.removed.extend(id);
                    changes.damaged.push(damaged);
                }
                None => gone.extend(id),
            }
        }
        let (moved, damaged) = self.archive_changes(base.as_ref())?;
        changes.damaged.extend(damaged);
        gone.extend(moved);
        for id in gone.into_iter().filter(|id| !upserts.contains_key(id)).collect::<Vec<_>>() {
            match self.task(&id) {
                Ok(Some(task)) => drop(upserts.insert(id, task)),
                Ok(None) => changes.removed.push(id),
                Err(StoreError::Corrupt { what, .. }) => {
                    changes.damaged.push((layout::task(&id), what));
                    changes.removed.push(id);
                }
                Err(error) => return Err(error),
            }
        }
        changes.upserts = upserts.into_values().collect();
        Ok(changes)
    }

    pub(super) fn text_at(&self, entry: &Entry) -> Result<String, String> {
        text_of(entry, || self.repo.blob_within(&entry.oid, layout::MAX_READ))
    }

    /// Tasks whose id starts with what a person typed, in order.
    pub fn resolve(&self, prefix: &IdPrefix) -> Result<Vec<TaskId>, StoreError> {
        if let Ok(id) = TaskId::parse(&prefix.prefix)
            && (self.repo.entry_at(&self.tree, &layout::task(&id))?.is_some() || self.shelved(&id)?.is_some())
        {
            return Ok(vec![id]);
        }
        let mut ids = self.live_ids(prefix.prefix.get(..2).unwrap_or(""))?;
        ids.extend(self.archived_ids(&prefix.prefix)?);
        ids.retain(|id| id.as_str().starts_with(&prefix.prefix));
        Ok(ids.into_iter().collect())
    }
}

/// The text of an entry whose blob `read` reads.
fn text_of(
    entry: &Entry,
    read: impl FnOnce() -> Result<Result<Vec<u8>, u64>, GitError>,
) -> Result<String, String> {
    if entry.kind != EntryKind::Blob {
        return Err("it is no file".to_owned());
    }
    let bytes = match read().map_err(|e| e.to_string())? {
        Ok(bytes) => bytes,
        Err(size) => return Err(format!("it has {size} bytes, more than {}", layout::MAX_READ)),
    };
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

/// How tasks changed between two commits.
#[derive(Clone, Debug, Default)]
pub struct TaskChanges {
    /// New or changed tasks.
    pub upserts: Vec<Task>,
    /// Tasks whose file is gone or can't be read.
    pub removed: Vec<TaskId>,
    /// Damaged files: path and what is wrong.
    pub damaged: Vec<(String, String)>,
}

/// A task that was read, or the path of its file and what is wrong with it.
pub type Found = Result<Task, (String, String)>;

/// More tasks than this are read by several threads.
const MANY: usize = 2_000;
/// More threads wait for whoever takes the tasks.
const MOST_READERS: usize = 4;
/// How many tasks a thread reads at a time.
const PART: usize = 64;

/// The next files that nobody reads yet.
fn part<'f>(files: &'f [TreeChange], next: &AtomicUsize) -> Option<&'f [TreeChange]> {
    let from = next.fetch_add(PART, Ordering::Relaxed);
    let to = files.len().min(from.saturating_add(PART));
    files.get(from..to).filter(|part| !part.is_empty())
}

fn path_of(file: &TreeChange) -> String {
    format!("tasks/{}", file.path)
}

/// The task in a file below `tasks/`; None if the file is gone.
fn read(repo: &Repo, file: &TreeChange) -> Option<Found> {
    let path = path_of(file);
    let Some(id) = layout::task_of(&path) else {
        return Some(Err((path, "it is in the wrong place or has the wrong name".into())));
    };
    let entry = file.new.as_ref()?;
    let task = text_of(entry, || repo.blob_within(&entry.oid, layout::MAX_READ))
        .and_then(|text| decode_task(&text))
        .and_then(|task| if task.id == id { Ok(task) } else { Err(format!("it says it is {}", task.id)) });
    Some(task.map_err(|what| (path, what)))
}
