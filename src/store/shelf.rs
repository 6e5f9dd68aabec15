//! The archive in a state's tree: looking for a task in it, putting tasks there, and joining two.
//!
//! Called by `snapshot` where `tasks/` has no answer, by `transaction` before a change is written, by `joining`. Its form
//! and the law of its join are in `archive`. Invariant: a task is in `tasks/` or in the archive; where a state that
//! somebody else wrote has it in both, `tasks/` is what is read.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use toml::Table;

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::domain::task::Task;
use crate::git::{Entry, EntryKind};
use crate::store::archive::{self, Copy, Holds, Place, Tasks};
use crate::store::codec::{decode_task, encode_task};
use crate::store::error::StoreError;
use crate::store::layout;
use crate::store::snapshot::{Found, Snapshot};

/// Files that a change writes: path to bytes, None to remove.
pub(super) type Files = BTreeMap<String, Option<Vec<u8>>>;

/// What becomes of tasks in an archive: what is stored of each; None: it is not there any more.
pub(super) type Moves = BTreeMap<TaskId, Option<Table>>;

/// A file that can't be read: its path and what is wrong with it.
type Damaged = (String, String);

/// One file of archived tasks.
struct Shelf {
    quarter: String,
    path: String,
    holds: Holds,
    entry: Entry,
}

/// A task that is stored in a table.
fn decode(id: &TaskId, table: &Table) -> Result<Task, String> {
    let task = decode_task(&table.to_string())?;
    if task.id == *id { Ok(task) } else { Err(format!("it says it is {}", task.id)) }
}

fn table_of(text: &str) -> Option<Table> {
    text.parse().ok()
}

impl Snapshot<'_> {
    fn archive_tree(&self) -> Result<Option<Oid>, StoreError> {
        let entry = self.repo().entry_at(self.tree(), layout::ARCHIVE)?;
        Ok(entry.filter(|entry| entry.kind == EntryKind::Tree).map(|entry| entry.oid))
    }

    /// The quarters of the archive with their trees, the latest first.
    pub(super) fn quarters(&self) -> Result<Vec<(String, Oid)>, StoreError> {
        let Some(archive) = self.archive_tree()? else { return Ok(Vec::new()) };
        let mut quarters = Vec::new();
        for entry in self.repo().tree(&archive)? {
            if let (EntryKind::Tree, Ok(name)) = (entry.kind, String::from_utf8(entry.name)) {
                quarters.push((name, entry.oid));
            }
        }
        quarters.sort();
        quarters.reverse();
        Ok(quarters)
    }

    fn shelves_in(&self, quarter: &str, tree: &Oid) -> Result<Vec<Shelf>, StoreError> {
        let mut shelves = Vec::new();
        for entry in self.repo().tree(tree)? {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            if let Some(holds) = Holds::of(&name) {
                let path = format!("{}/{quarter}/{name}", layout::ARCHIVE);
                shelves.push(Shelf { quarter: quarter.to_owned(), path, holds, entry });
            }
        }
        Ok(shelves)
    }

    /// The files of archived tasks, the latest quarter first.
    fn shelves(&self) -> Result<Vec<Shelf>, StoreError> {
        let mut shelves = Vec::new();
        for (quarter, tree) in self.quarters()? {
            shelves.extend(self.shelves_in(&quarter, &tree)?);
        }
        Ok(shelves)
    }

    fn on(&self, file: &Shelf) -> Result<Rc<Tasks>, StoreError> {
        if let Some(tasks) = self.read_before(&file.entry.oid) {
            return Ok(tasks);
        }
        let corrupt = |what| StoreError::Corrupt { path: file.path.clone(), what };
        let text = self.text_at(&file.entry).map_err(corrupt)?;
        let tasks = Rc::new(archive::parse(&file.holds, &text).map_err(corrupt)?);
        self.note_read(&file.entry.oid, &tasks);
        Ok(tasks)
    }

    /// What the archive has of a task, and the quarter that has it.
    pub(super) fn shelved(&self, id: &TaskId) -> Result<Option<(String, Table)>, StoreError> {
        for file in self.shelves()?.into_iter().filter(|file| file.holds.any(id.as_str())) {
            if let Some(table) = self.on(&file)?.get(id) {
                return Ok(Some((file.quarter, table.clone())));
            }
        }
        Ok(None)
    }

    /// An archived task.
    pub(super) fn archived(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        let Some((quarter, table)) = self.shelved(id)? else { return Ok(None) };
        let corrupt = |what| StoreError::Corrupt {
            path: format!("{}/{quarter}", layout::ARCHIVE),
            what: format!("task {id}: {what}"),
        };
        decode(id, &table).map(Some).map_err(corrupt)
    }

    /// The ids of archived tasks that begin with `prefix`.
    pub(super) fn archived_ids(&self, prefix: &str) -> Result<Vec<TaskId>, StoreError> {
        let mut ids = Vec::new();
        for file in self.shelves()?.into_iter().filter(|file| file.holds.any(prefix)) {
            // What else can't be read is named by who reads all.
            let Ok(tasks) = self.on(&file) else { continue };
            ids.extend(tasks.keys().filter(|id| id.as_str().starts_with(prefix)).cloned());
        }
        Ok(ids)
    }

    /// All archived tasks but those in `seen`, and what can't be read.
    pub(super) fn all_archived(&self, mut seen: BTreeSet<TaskId>) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        for file in self.shelves()? {
            match self.on(&file) {
                Ok(tasks) => {
                    for (id, table) in tasks.iter().filter(|(id, _)| seen.insert((*id).clone())) {
                        found.push(decode(id, table).map_err(|what| (layout::task(id), what)));
                    }
                }
                Err(StoreError::Corrupt { path, what }) => found.push(Err((path, what))),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The ids of tasks that the archive has otherwise than that at `base` (None: than none), or no longer; and the files
    /// that can't be read.
    pub(super) fn archive_changes(
        &self,
        base: Option<&Snapshot<'_>>,
    ) -> Result<(BTreeSet<TaskId>, Vec<Damaged>), StoreError> {
        let old = base.map_or(Ok(None), Snapshot::archive_tree)?;
        let (mut before, mut after) = (Tasks::new(), Tasks::new());
        let mut damaged = Vec::new();
        for change in self.repo().tree_changes(old.as_ref(), self.archive_tree()?.as_ref())? {
            let path = format!("{}/{}", layout::ARCHIVE, change.path);
            let Some(holds) = archive::holds(&path) else { continue };
            let read = |entry: &Entry| self.text_at(entry).and_then(|text| archive::parse(&holds, &text));
            if let Some(Ok(tasks)) = change.old.as_ref().map(read) {
                before.extend(tasks);
            }
            match change.new.as_ref().map(read) {
                Some(Ok(tasks)) => after.extend(tasks),
                Some(Err(what)) => damaged.push((path, what)),
                None => {}
            }
        }
        let differs = |id: &&TaskId| before.get(*id) != after.get(*id);
        let ids = before.keys().chain(after.keys()).filter(differs).cloned().collect();
        Ok((ids, damaged))
    }

    /// The files that change when `moves` happen to the archive.
    pub(super) fn shelve(&self, moves: &Moves) -> Result<Files, StoreError> {
        let mut quarters: BTreeMap<String, Tasks> = BTreeMap::new();
        for (id, table) in moves {
            if let Some(table) = table {
                let corrupt = |what| StoreError::Corrupt { path: layout::task(id), what };
                let quarter = decode(id, table).map_err(corrupt)?.register.since.quarter();
                quarters.entry(quarter).or_default().insert(id.clone(), table.clone());
            }
        }
        let mut old: BTreeMap<String, Tasks> = BTreeMap::new();
        let mut present: BTreeMap<String, Shelf> = BTreeMap::new();
        for (quarter, tree) in self.quarters()? {
            let shelves = self.shelves_in(&quarter, &tree)?;
            let concerned = |id: &TaskId| {
                shelves
                    .iter()
                    .filter(|file| file.holds.any(id.as_str()))
                    .map(|file| self.on(file))
                    .any(|tasks| tasks.is_ok_and(|tasks| tasks.contains_key(id)))
            };
            if quarters.contains_key(&quarter) || moves.keys().any(concerned) {
                let tasks = old.entry(quarter).or_default();
                for file in shelves {
                    let here = self.on(&file)?;
                    tasks.extend(here.iter().map(|(id, table)| (id.clone(), table.clone())));
                    present.insert(file.path.clone(), file);
                }
            }
        }
        let mut files = Files::new();
        for quarter in old.keys().chain(quarters.keys()).collect::<BTreeSet<_>>() {
            let mut tasks = old.get(quarter).cloned().unwrap_or_default();
            tasks.retain(|id, _| !moves.contains_key(id));
            tasks.extend(quarters.get(quarter).cloned().unwrap_or_default());
            for (path, text) in archive::files(quarter, &tasks) {
                let same = match present.remove(&path) {
                    Some(file) => self.text_at(&file.entry).is_ok_and(|old| old == text),
                    None => false,
                };
                if !same {
                    files.insert(path, Some(text.into_bytes()));
                }
            }
        }
        files.extend(present.into_keys().map(|path| (path, None)));
        Ok(files)
    }

    /// Has what a change did to archived tasks written where it belongs: one whose register is as it was stays in the
    /// archive, another one leaves it.
    pub(super) fn settle(
        &self,
        tasks: &BTreeMap<TaskId, Task>,
        mut files: Files,
    ) -> Result<Files, StoreError> {
        if tasks.is_empty() || self.archive_tree()?.is_none() {
            return Ok(files);
        }
        let mut moves = Moves::new();
        for (id, task) in tasks {
            if self.repo().entry_at(self.tree(), &layout::task(id))?.is_some() {
                continue;
            }
            let Some((_, table)) = self.shelved(id)? else { continue };
            let before = decode(id, &table);
            let stays = before.is_ok_and(|b| b.register.standing() == task.register.standing());
            let stored = if stays { table_of(&encode_task(task)) } else { None };
            if stored.is_some() {
                files.remove(&layout::task(id));
            }
            moves.insert(id.clone(), stored);
        }
        files.extend(self.shelve(&moves)?);
        Ok(files)
    }

    /// The files that change when the tasks `ids`, which are in `tasks/`, go to the archive as they are.
    pub(super) fn put_away(&self, ids: &[TaskId]) -> Result<Files, StoreError> {
        let (mut moves, mut files) = (Moves::new(), Files::new());
        for id in ids {
            let path = layout::task(id);
            if let Some(table) = self.file(&path)?.as_deref().and_then(table_of) {
                moves.insert(id.clone(), Some(table));
                files.insert(path, None);
            }
        }
        files.extend(self.shelve(&moves)?);
        Ok(files)
    }
}

/// A task that the archive of one of two states has: what each state has of it, and what becomes of it.
pub(super) struct Joint {
    pub(super) id: TaskId,
    pub(super) ours: Option<String>,
    pub(super) theirs: Option<String>,
    pub(super) text: String,
}

/// What becomes of archived tasks when two states are joined.
#[derive(Default)]
pub(super) struct Shelves {
    /// The tasks, wherever they are now.
    pub(super) joints: Vec<Joint>,
    /// What changes in our tree.
    pub(super) files: Files,
    /// Whether the other state has all of it as it is now.
    pub(super) all_theirs: bool,
}

/// Joins the archives of two states, with what of their tasks is in `tasks/`.
pub(super) fn join(ours: &Snapshot<'_>, theirs: &Snapshot<'_>) -> Result<Shelves, StoreError> {
    let mut shelves = Shelves { all_theirs: true, ..Shelves::default() };
    let (own, other) = (ours.apart(theirs)?, theirs.apart(ours)?);
    let mut moves = Moves::new();
    let ids: BTreeSet<&TaskId> = own.keys().chain(other.keys()).collect();
    for id in ids {
        let (mine, yours) = (ours.copies(id, &own)?, theirs.copies(id, &other)?);
        let both = mine.iter().chain(&yours).cloned().reduce(|one, two| one.join(&two));
        let Some(joined) = both else { continue };
        shelves.all_theirs &= yours == [joined.clone()];
        let path = layout::task(id);
        let lives = mine.iter().find(|copy| copy.place == Place::Live);
        match joined.place {
            Place::Live => {
                if lives.is_none_or(|copy| copy.text != joined.text) {
                    shelves.files.insert(path, Some(joined.text.clone().into_bytes()));
                }
                if own.contains_key(id) {
                    moves.insert(id.clone(), None);
                }
            }
            Place::Archived => {
                if lives.is_some() {
                    shelves.files.insert(path, None);
                }
                let table = table_of(&joined.text);
                if own.get(id) != table.as_ref() {
                    moves.insert(id.clone(), table);
                }
            }
        }
        let text =
            |copies: Vec<Copy>| copies.into_iter().reduce(|one, two| one.join(&two)).map(|copy| copy.text);
        shelves.joints.push(Joint {
            id: id.clone(),
            ours: text(mine),
            theirs: text(yours),
            text: joined.text,
        });
    }
    shelves.files.extend(ours.shelve(&moves)?);
    Ok(shelves)
}

impl Snapshot<'_> {
    /// The archived tasks in quarters that the other state has not, or has otherwise.
    fn apart(&self, other: &Snapshot<'_>) -> Result<Tasks, StoreError> {
        let same: BTreeSet<(String, Oid)> = other.quarters()?.into_iter().collect();
        let mut tasks = Tasks::new();
        for (quarter, tree) in self.quarters()?.into_iter().filter(|quarter| !same.contains(quarter)) {
            for file in self.shelves_in(&quarter, &tree)? {
                for (id, table) in self.on(&file)?.iter() {
                    tasks.entry(id.clone()).or_insert_with(|| table.clone());
                }
            }
        }
        Ok(tasks)
    }

    /// What this state has of a task: in `tasks/`, and in its archive.
    fn copies(&self, id: &TaskId, archived: &Tasks) -> Result<Vec<Copy>, StoreError> {
        let live = match self.file(&layout::task(id)) {
            Ok(text) => text,
            // What can't be read counts for nothing.
            Err(StoreError::Corrupt { .. }) => None,
            Err(error) => return Err(error),
        };
        let live = live.map(|text| Copy { place: Place::Live, text });
        let archived = archived.get(id).map(|table| Copy { place: Place::Archived, text: table.to_string() });
        Ok(live.into_iter().chain(archived).collect())
    }
}
