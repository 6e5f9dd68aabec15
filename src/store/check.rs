//! What in the state can't be read, and what of it could be read before.

use toml::Table;

use crate::domain::id::TaskId;
use crate::git::{Entry, EntryKind};
use crate::store::archive;
use crate::store::codec::decode_task;
use crate::store::error::StoreError;
use crate::store::passes::{decode_pass, decode_pruned};
use crate::store::reader::{Reader, parse};
use crate::store::records::{self, Approval, Meta};
use crate::store::snapshot::Snapshot;
use crate::store::{layout, ledger};

/// A file of the state that can't be read as what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its path in the state's tree.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

/// Why these bytes can't be what belongs at `path`; None if they can, or if this program knows no such file.
pub(super) fn problem(path: &str, bytes: &[u8]) -> Option<String> {
    if bytes.len() > layout::MAX_READ {
        return Some(format!("it has {} bytes, more than {}", bytes.len(), layout::MAX_READ));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Some("it is not UTF-8".to_owned()) };
    let record = |decode: &dyn Fn(&Reader<'_>) -> Option<String>| match parse(text) {
        Ok(table) => decode(&Reader::new(&table)),
        Err(what) => Some(what),
    };
    let (dir, name) = path.split_once('/').unwrap_or(("", path));
    let toml = has_extension(name, "toml");
    match dir {
        "" if path == layout::META => record(&|r| Meta::decode(r).err()),
        "" if path == layout::CONTROL => record(&|r| records::decode_control(r).err()),
        "tasks" => match layout::task_of(path) {
            None => Some("it is in the wrong place or has the wrong name".to_owned()),
            Some(id) => match decode_task(text) {
                Ok(task) if task.id == id => None,
                Ok(task) => Some(format!("it says it is {}", task.id)),
                Err(what) => Some(what),
            },
        },
        layout::ARCHIVE => {
            let Some(holds) = archive::holds(path) else { return ledger::problem(path, text) };
            let tasks = archive::parse(&holds, text);
            let bad = |(id, table): (TaskId, Table)| match decode_task(&table.to_string()) {
                Ok(task) if task.id == id => None,
                Ok(task) => Some(format!("task {id} says it is {}", task.id)),
                Err(what) => Some(format!("task {id}: {what}")),
            };
            tasks.map_or_else(Some, |tasks| tasks.into_iter().find_map(bad))
        }
        "sessions" if toml => record(&|r| records::decode_session(r).err()),
        "verdicts" if toml => record(&|r| records::decode_verdict(r).err()),
        "steps" | layout::REFUTED if toml => record(&|r| decode_pass(r).err()),
        _ if path == layout::PRUNED => record(&|r| decode_pruned(r).err()),
        "decisions" if toml => record(&|r| Approval::decode(r).err()),
        _ => None,
    }
}

fn has_extension(name: &str, wanted: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == wanted)
}

impl Snapshot<'_> {
    /// Reads every file of the state; names what can't be read.
    pub fn damage(&self) -> Result<Vec<Damage>, StoreError> {
        let mut found = Vec::new();
        let files = self.repo().tree_changes(None, Some(self.tree()))?;
        if !files.iter().any(|file| file.path == layout::META) {
            found.push(Damage { path: layout::META.to_owned(), what: "it is missing".to_owned() });
        }
        for file in files {
            let Some(entry) = &file.new else { continue };
            if let Some(what) = self.problem_of(&file.path, entry) {
                found.push(Damage { path: file.path, what });
            }
        }
        Ok(found)
    }

    fn problem_of(&self, path: &str, entry: &Entry) -> Option<String> {
        if entry.kind != EntryKind::Blob {
            return Some("it is no file".to_owned());
        }
        match self.repo().blob(&entry.oid) {
            Ok(bytes) => problem(path, &bytes),
            Err(error) => Some(error.to_string()),
        }
    }

    /// The newest version of a file in the history up to here that can be read; None if there never was one.
    pub fn last_readable(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let repo = self.repo();
        let mut next = Some(self.commit().clone());
        let mut seen = None;
        while let Some(oid) = next {
            let commit = repo.commit(&oid)?;
            // Most commits leave a file alone: only its versions are read.
            let entry = repo.entry_at(&commit.tree, path)?.map(|entry| entry.oid);
            if let Some(blob) = entry.as_ref().filter(|_| entry != seen)
                && let Ok(bytes) = repo.blob(blob)
                && problem(path, &bytes).is_none()
            {
                return Ok(Some(bytes));
            }
            seen = entry;
            next = commit.parents.into_iter().next();
        }
        Ok(None)
    }

    /// `meta.toml` as it was when it could last be read.
    pub(crate) fn last_meta(&self) -> Result<Option<Meta>, StoreError> {
        let Some(bytes) = self.last_readable(layout::META)? else { return Ok(None) };
        let text = String::from_utf8(bytes).unwrap_or_default();
        Ok(parse(&text).ok().and_then(|table| Meta::decode(&Reader::new(&table)).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_read_as_what_its_place_says() {
        let bad = |path: &str, text: &str| problem(path, text.as_bytes());
        assert!(bad("meta.toml", "format = 1").is_some());
        assert!(bad("control.toml", "mode = \"FAST\"").is_some());
        assert_eq!(bad("control.toml", "mode = \"OFF\""), None);
        for path in ["tasks/00/x", "tasks/7k/7k3fabcd.toml", "verdicts/00/a.toml", "sessions/00/a.toml"] {
            assert!(bad(path, "x = ").is_some(), "{path}");
        }
        assert_eq!(bad("sessions/00/a.md", "# anything"), None);
        assert_eq!(bad("knowledge/00/a.toml", "a newer program's"), None);
        assert!(problem("sessions/00/a.md", &[0xff]).is_some());
        assert!(problem("later", &vec![b'x'; layout::MAX_READ + 1]).is_some());
    }
}
