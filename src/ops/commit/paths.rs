//! What `git status -z`, `git diff-index --raw -z` and `git log --raw -z` say, as values. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::domain::oid::{MaybeOid, Oid};

/// A path that differs from HEAD in the working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) path: PathBuf,
    /// Whether it is gone.
    pub(super) deleted: bool,
}

/// Reads `git status --porcelain=v1 -z --no-renames`, made against an index that equals HEAD.
pub(super) fn status(bytes: &[u8]) -> Vec<Changed> {
    let entry = |record: &[u8]| {
        let (code, path) = record.split_at_checked(3)?;
        let path = PathBuf::from(OsStr::from_bytes(path));
        // A directory with a repository of its own is shown with a slash at the end.
        let path: PathBuf = path.components().collect();
        Some(Changed { path, deleted: code[1] == b'D' })
    };
    bytes.split(|&b| b == 0).filter_map(entry).collect()
}

/// One record of a raw difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) path: PathBuf,
    /// Mode and id before; `000000` and zero where there was nothing.
    pub(super) old: (String, MaybeOid),
    /// Mode and id after.
    pub(super) new: (String, MaybeOid),
}

impl Raw {
    /// The blob after the change, if the path is a file or a link then.
    pub(super) fn blob(&self) -> Option<&Oid> {
        self.new.1.id().filter(|_| self.new.0 != "160000")
    }
}

/// Reads raw records that are ended by zero bytes; whatever else is between them is skipped.
pub(super) fn raw(bytes: &[u8]) -> Vec<Raw> {
    let mut fields = bytes.split(|&b| b == 0);
    let mut found = Vec::new();
    while let Some(field) = fields.next() {
        let text = String::from_utf8_lossy(field);
        // `git log` starts the records of a commit with a line end.
        let Some(header) = text.trim_start_matches('\n').strip_prefix(':') else { continue };
        let words: Vec<&str> = header.split(' ').collect();
        let [old_mode, new_mode, old, new, _] = words[..] else { continue };
        let (Ok(old), Ok(new)) = (MaybeOid::parse(old), MaybeOid::parse(new)) else { continue };
        let Some(path) = fields.next() else { break };
        found.push(Raw {
            path: PathBuf::from(OsStr::from_bytes(path)),
            old: (old_mode.to_owned(), old),
            new: (new_mode.to_owned(), new),
        });
    }
    found
}

/// Paths as `update-index -z --stdin` reads them.
pub(super) fn lines<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for path in paths {
        bytes.extend_from_slice(path.as_os_str().as_bytes());
        bytes.push(0);
    }
    bytes
}

/// What `update-index -z --index-info` reads to make `paths` again what they were before.
pub(super) fn undo<'a>(changes: impl IntoIterator<Item = &'a Raw>, zero: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for change in changes {
        let (mode, id) = match &change.old {
            (mode, MaybeOid::Id(id)) => (mode.as_str(), id.as_str()),
            (_, MaybeOid::Zero) => ("0", zero),
        };
        bytes.extend_from_slice(format!("{mode} {id}\t").as_bytes());
        bytes.extend_from_slice(change.path.as_os_str().as_bytes());
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_as_bytes() {
        let found = status(b" M src/a b\0 D gone\0?? new\n\xff\0?? nested/\0");
        let shown: Vec<(Vec<u8>, bool)> =
            found.iter().map(|c| (c.path.as_os_str().as_bytes().to_vec(), c.deleted)).collect();
        assert_eq!(
            shown,
            [
                (b"src/a b".to_vec(), false),
                (b"gone".to_vec(), true),
                (b"new\n\xff".to_vec(), false),
                (b"nested".to_vec(), false)
            ]
        );
        assert!(status(b"").is_empty());
    }

    #[test]
    fn raw_records_are_found_among_whatever_else() {
        let (one, two, zero) = ("1".repeat(40), "2".repeat(40), "0".repeat(40));
        let text = format!(
            "\0\n:100644 100755 {one} {two} M\0:odd\0\0:000000 120000 {zero} {two} A\0l\0:1 2\0x\0\
             :100644 000000 {one} {zero} D\0d\0"
        );
        let found = raw(text.as_bytes());
        let shown: Vec<_> = found.iter().map(|r| (r.path.to_str().unwrap(), r.blob().is_some())).collect();
        assert_eq!(shown, [(":odd", true), ("l", true), ("d", false)]);
        let back = String::from_utf8(undo(&found, &zero)).unwrap();
        let expected = format!("100644 {one}\t:odd\0 0 {zero}\tl\0 100644 {one}\td\0").replace("\0 ", "\0");
        assert_eq!(back, expected);
    }
}
