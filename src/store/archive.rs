//! The form of the archive: finished tasks, many to a file, below `archive/<year>-q<n>/`.
//!
//! Called by `shelf`, which reads and writes it, and by `check`. Touches nothing: values in, values out.
//!
//! # Form
//!
//! A task is in the quarter in which its register last changed. `tasks.toml` of a quarter has `schema` and one table for
//! each task, `[tasks.<id>]`, with exactly what its file had. Where that would be larger than a file of the state may be,
//! there is `tasks-<c>.toml` for each first character `c` of the ids instead, and so on with the next character. A task
//! that is alone in such a file and still too large for it has one of its own, `task-<id>.toml`, of the same form as in
//! `tasks/`.
//!
//! So which files there are, and what is in them, is a function of the set of archived tasks, however it came about: two
//! clones that have the same tasks have the same trees. There is no list of what is where; a task is looked for in each
//! quarter, in the one file that its id can be in.
//!
//! # Join
//!
//! A task is a pair of what is known of it and of where it is. The first is joined as ever (`join`). Of two places that
//! of the register which holds is the task's; if the two stand alike, the archive. Both are orders without exception, so
//! the join of the pairs is a least upper bound: commutative, associative, idempotent. It follows that an archived task
//! whose text somebody edits stays archived (its register did not change), and that one which is reopened comes back in
//! every clone. A task that can't be read is never archived: in `tasks/` it is found and named.
//!
//! Deliberately absent: trees and blobs (`shelf`), when a task is archived (`ops`).

use std::collections::BTreeMap;
use std::rc::Rc;

use toml::{Table, Value};

use crate::domain::id::TaskId;
use crate::domain::oid::Oid;
use crate::store::codec::{decode_task, put};
use crate::store::join::join_task;
use crate::store::layout;

/// Archived tasks, each as its file has it.
pub(super) type Tasks = BTreeMap<TaskId, Table>;

/// Archived tasks that were read, by the id of their blob.
pub(super) type Read = BTreeMap<Oid, Rc<Tasks>>;

const MANY: &str = "tasks";
const ONE: &str = "task-";
const END: &str = ".toml";

/// What an archive's file holds, by its path; None if it is of another sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// The tasks whose ids begin so.
    Many(String),
    /// One task.
    One(TaskId),
}

impl Holds {
    /// What the file called `name` in a quarter holds.
    pub(super) fn of(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(END)?;
        if let Some(id) = stem.strip_prefix(ONE) {
            return TaskId::parse(id).ok().map(Self::One);
        }
        match stem.strip_prefix(MANY)? {
            "" => Some(Self::Many(String::new())),
            rest => rest.strip_prefix('-').map(|prefix| Self::Many(prefix.to_owned())),
        }
    }

    /// Whether it may hold tasks whose ids begin with `prefix`.
    pub(super) fn any(&self, prefix: &str) -> bool {
        match self {
            Self::One(id) => id.as_str().starts_with(prefix),
            Self::Many(own) => own.starts_with(prefix) || prefix.starts_with(own.as_str()),
        }
    }
}

/// What the file at `path` holds, if it is one of archived tasks.
pub(super) fn holds(path: &str) -> Option<Holds> {
    let (_, name) = path.strip_prefix(layout::ARCHIVE)?.strip_prefix('/')?.split_once('/')?;
    Holds::of(name)
}

/// Reads an archive's file.
pub(super) fn parse(holds: &Holds, text: &str) -> Result<Tasks, String> {
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| e.message().to_owned())?;
    match holds {
        Holds::One(id) => Ok(Tasks::from([(id.clone(), table)])),
        Holds::Many(prefix) => {
            let Some(Value::Table(tasks)) = table.remove(MANY) else {
                return Err("it has no tasks".to_owned());
            };
            let entry = |(key, value): (String, Value)| {
                let id = TaskId::parse(&key).map_err(|e| e.to_string())?;
                let Value::Table(task) = value else { return Err(format!("task {id} is no table")) };
                let in_place = id.as_str().starts_with(prefix.as_str());
                if in_place { Ok((id, task)) } else { Err(format!("task {id} is in the wrong file")) }
            };
            tasks.into_iter().map(entry).collect()
        }
    }
}

/// The files of a quarter that has these tasks: path to text.
pub(super) fn files(quarter: &str, tasks: &Tasks) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    if !tasks.is_empty() {
        let all: Vec<(&TaskId, &Table)> = tasks.iter().collect();
        spread(&format!("{}/{quarter}/", layout::ARCHIVE), "", &all, &mut files);
    }
    files
}

fn spread(dir: &str, prefix: &str, tasks: &[(&TaskId, &Table)], files: &mut BTreeMap<String, String>) {
    let text = many(tasks);
    if text.len() <= layout::MAX_FILE {
        let dash = if prefix.is_empty() { "" } else { "-" };
        files.insert(format!("{dir}{MANY}{dash}{prefix}{END}"), text);
        return;
    }
    if let [(id, table)] = tasks {
        files.insert(format!("{dir}{ONE}{id}{END}"), table.to_string());
        return;
    }
    let mut parts: BTreeMap<&str, Vec<(&TaskId, &Table)>> = BTreeMap::new();
    for task in tasks {
        // An id that ends here is a part by itself: another one may begin with it.
        let next = prefix.len() + 1;
        parts.entry(task.0.as_str().get(..next).unwrap_or(prefix)).or_default().push(*task);
    }
    for (part, tasks) in parts {
        if part == prefix {
            for (id, table) in tasks {
                files.insert(format!("{dir}{ONE}{id}{END}"), table.to_string());
            }
        } else {
            spread(dir, part, &tasks, files);
        }
    }
}

fn many(tasks: &[(&TaskId, &Table)]) -> String {
    let tasks: Table =
        tasks.iter().map(|(id, task)| (id.to_string(), Value::Table((*task).clone()))).collect();
    let mut table = Table::new();
    put(&mut table, "schema", 1);
    put(&mut table, MANY, tasks);
    table.to_string()
}

/// Where a task is. The archive is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// In `tasks/`.
    Live,
    /// In `archive/`.
    Archived,
}

/// What a state has of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    /// Where.
    pub(super) place: Place,
    /// Its file's text.
    pub(super) text: String,
}

impl Copy {
    /// What two states have of one task, together.
    pub(super) fn join(&self, other: &Self) -> Self {
        let (one, two) = (decode_task(&self.text).ok(), decode_task(&other.text).ok());
        let place = match (&one, &two) {
            (None, None) => Place::Live,
            (Some(_), None) => self.place,
            (None, Some(_)) => other.place,
            (Some(a), Some(b)) => {
                let (a, b) = (a.register.standing(), b.register.standing());
                match a.cmp(&b) {
                    std::cmp::Ordering::Less => other.place,
                    std::cmp::Ordering::Greater => self.place,
                    std::cmp::Ordering::Equal => self.place.max(other.place),
                }
            }
        };
        let text = join_task(&self.text, &other.text);
        Self { place, text }
    }
}
