//! One commit of the state, read lazily and without a lock.

use std::collections::BTreeMap;

use toml::Table;

use crate::domain::control::Control;
use crate::domain::id::{IdPrefix, SessionId, TaskId};
use crate::domain::oid::Oid;
use crate::domain::session::Session;
use crate::domain::task::Task;
use crate::domain::verdict::Verdict;
use crate::git::{Entry, EntryKind, GitError, Repo};
use crate::store::codec::{Reader, decode_task};
use crate::store::error::StoreError;
use crate::store::layout;
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
}

impl<'r> Snapshot<'r> {
    pub(crate) fn at(repo: &'r Repo, commit: Oid) -> Result<Self, StoreError> {
        let tree = repo.tree_of(&commit)?;
        Ok(Self { repo, commit, tree })
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
        let text = text_of(&entry, || self.repo.blob_kept(&entry.oid)).map_err(corrupt)?;
        let table: Table = text.parse().map_err(|e: toml::de::Error| corrupt(e.message().to_owned()))?;
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

    /// A task.
    pub fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        let path = layout::task(id);
        let Some(text) = self.file(&path)? else { return Ok(None) };
        let task = decode_task(&text).and_then(|task| {
            if task.id == *id { Ok(task) } else { Err(format!("it says it is {}", task.id)) }
        });
        task.map(Some).map_err(|what| StoreError::Corrupt { path, what })
    }

    /// A session's record.
    pub fn session(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        self.record(&layout::session(id), records::decode_session)
    }

    /// A verdict by its key. Whether it counts is for the gate to say: see its MAC.
    pub fn verdict(&self, key: &str) -> Result<Option<Verdict>, StoreError> {
        self.record(&layout::verdict(key), records::decode_verdict)
    }

    /// The approval of a tree, if there is one.
    pub fn approval(&self, tree: &Oid) -> Result<Option<Approval>, StoreError> {
        self.record(&layout::approval(tree), Approval::decode)
    }

    /// The ids of all tasks, in order, without reading their files.
    pub fn task_ids(&self) -> Result<Vec<TaskId>, StoreError> {
        let mut ids = Vec::new();
        for path in self.task_paths("")? {
            if let Some(id) = layout::task_of(&path) {
                ids.push(id);
            }
        }
        Ok(ids)
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
        let changes = self.changes_since(None)?;
        let mut listing = Listing { damaged: changes.damaged, ..Listing::default() };
        listing.tasks.extend(changes.upserts.into_iter().map(|task| (task.id.clone(), task)));
        Ok(listing)
    }

    /// The tasks that differ from those at `base` (None: all).
    pub fn changes_since(&self, base: Option<&Oid>) -> Result<TaskChanges, StoreError> {
        let subtree = |root: &Oid| -> Result<Option<Oid>, StoreError> {
            Ok(self.repo.entry_at(root, "tasks")?.filter(|e| e.kind == EntryKind::Tree).map(|e| e.oid))
        };
        let old = match base {
            Some(commit) => subtree(&self.repo.tree_of(commit)?)?,
            None => None,
        };
        let new = subtree(&self.tree)?;
        let mut changes = TaskChanges::default();
        for change in self.repo.tree_changes(old.as_ref(), new.as_ref())? {
            let path = format!("tasks/{}", change.path);
            let Some(id) = layout::task_of(&path) else {
                changes.damaged.push((path, "it is in the wrong place or has the wrong name".into()));
                continue;
            };
            let Some(entry) = change.new else {
                changes.removed.push(id);
                continue;
            };
            let decoded = self.text_at(&entry).and_then(|text| decode_task(&text));
            match decoded {
                Ok(task) if task.id == id => changes.upserts.push(task),
                Ok(task) => {
                    changes.removed.push(id);
                    changes.damaged.push((path, format!("it says it is {}", task.id)));
                }
                Err(what) => {
                    changes.removed.push(id);
                    changes.damaged.push((path, what));
                }
            }
        }
        Ok(changes)
    }

    /// The text of an entry of the state's tree; what is wrong with it otherwise, a damaged object included.
    fn text_at(&self, entry: &Entry) -> Result<String, String> {
        text_of(entry, || self.repo.blob(&entry.oid))
    }

    /// Tasks whose id starts with what a person typed, in order.
    pub fn resolve(&self, prefix: &IdPrefix) -> Result<Vec<TaskId>, StoreError> {
        if let Ok(id) = TaskId::parse(&prefix.prefix)
            && self.repo.entry_at(&self.tree, &layout::task(&id))?.is_some()
        {
            return Ok(vec![id]);
        }
        let shard = prefix.prefix.get(..2).unwrap_or("");
        let ids = self.task_paths(shard)?.iter().filter_map(|path| layout::task_of(path)).collect::<Vec<_>>();
        Ok(ids.into_iter().filter(|id| id.as_str().starts_with(&prefix.prefix)).collect())
    }
}

/// The text of an entry whose blob `read` reads.
fn text_of(entry: &Entry, read: impl FnOnce() -> Result<Vec<u8>, GitError>) -> Result<String, String> {
    if entry.kind != EntryKind::Blob {
        return Err("it is no file".to_owned());
    }
    let bytes = read().map_err(|e| e.to_string())?;
    if bytes.len() > layout::MAX_FILE {
        return Err(format!("it has {} bytes, more than {}", bytes.len(), layout::MAX_FILE));
    }
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
