//! What a tree, or an index, changes against a commit: per file, with lines and renames.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::repo::Repo;
use crate::sys::env::var;

/// What happens to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileStatus {
    /// It is new.
    Added,
    /// Its content, mode or type changes.
    Modified,
    /// It is gone.
    Deleted,
    /// It is moved from this path, perhaps with changes.
    Renamed(String),
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Its path after the change (before it, for deletions).
    pub path: String,
    /// What happens to it.
    pub status: FileStatus,
    /// Lines added; None for binary files.
    pub added: Option<u64>,
    /// Lines deleted; None for binary files.
    pub deleted: Option<u64>,
}

/// Where attributes are read (git 2.41): at the base. What the change itself calls binary is counted.
const ATTR_SOURCE: &str = "GIT_ATTR_SOURCE";

impl Repo {
    /// What the tree of `new` changes against that of `base`.
    pub fn file_changes(&self, base: &Oid, new: &Oid) -> Result<Vec<FileChange>, GitError> {
        let output = self
            .git(["diff-tree", "-r", "-M", "--raw", "--numstat", "-z", "--no-ext-diff", "--no-textconv"])
            .args([base.as_str(), new.as_str()])
            .env(ATTR_SOURCE, base.as_str())
            .run()?
            .checked()?;
        parse(&output.stdout)
    }

    /// What an index changes against `base`: exactly what a commit made from it would.
    pub fn index_changes(&self, base: &Oid, index: &Path) -> Result<Vec<FileChange>, GitError> {
        let output = self
            .git(["diff-index", "--cached", "-M", "--raw", "--numstat", "-z", "--no-ext-diff"])
            .args(["--no-textconv", base.as_str(), "--"])
            .env(var::GIT_INDEX_FILE, index)
            .env(ATTR_SOURCE, base.as_str())
            .run()?
            .checked()?;
        parse(&output.stdout)
    }
}

/// Reads `--raw --numstat -z`: first all raw records, then all numstat records.
fn parse(bytes: &[u8]) -> Result<Vec<FileChange>, GitError> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let malformed = |what: &str| GitError::Malformed { path: "git diff".into(), what: format!("`{what}`") };
    let mut fields = text.split('\0');
    let mut changes: BTreeMap<String, FileChange> = BTreeMap::new();
    while let Some(field) = fields.next() {
        if field.is_empty() {
            continue;
        }
        let mut path = || fields.next().map(str::to_owned).ok_or_else(|| malformed(field));
        if let Some(raw) = field.strip_prefix(':') {
            let letter = raw.rsplit(' ').next().and_then(|s| s.chars().next());
            let first = path()?;
            let (path, status) = match letter {
                Some('A') => (first, FileStatus::Added),
                Some('D') => (first, FileStatus::Deleted),
                Some('R') => (path()?, FileStatus::Renamed(first)),
                Some('C') => (path()?, FileStatus::Added),
                Some(_) => (first, FileStatus::Modified),
                None => return Err(malformed(field)),
            };
            changes.insert(path.clone(), FileChange { path, status, added: None, deleted: None });
            continue;
        }
        let mut parts = field.splitn(3, '\t');
        let (Some(added), Some(deleted), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed(field));
        };
        let name = if name.is_empty() {
            path()?;
            path()?
        } else {
            name.to_owned()
        };
        if let Some(change) = changes.get_mut(&name) {
            change.added = added.parse().ok();
            change.deleted = deleted.parse().ok();
        }
    }
    Ok(changes.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_and_numstat_are_joined_by_path() {
        let text = b":1 1 a b M\0src/x\0:1 1 a b R090\0old n\0new n\0:0 1 0 b A\0bin\0\
            3\t1\tsrc/x\x002\t0\t\0old n\0new n\0-\t-\tbin\0";
        let changes = parse(text).unwrap();
        let shown: Vec<String> = changes
            .iter()
            .map(|c| format!("{} {:?} {:?} {:?}", c.path, c.status, c.added, c.deleted))
            .collect();
        assert_eq!(
            shown,
            [
                "bin Added None None",
                "new n Renamed(\"old n\") Some(2) Some(0)",
                "src/x Modified Some(3) Some(1)"
            ]
        );
    }
}
