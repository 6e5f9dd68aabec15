//! Current values of refs, straight from the files: loose, then packed.
//!
//! Only for the dispatcher, which may not pay for opening a repository. While git holds a ref's lock (state
//! `prepared`), what is read here can't change under us.

use std::path::Path;

use crate::domain::oid::{MaybeOid, Oid};
use crate::sys::fs::{self, FsError};

/// As many symbolic refs in a row as git follows.
const MAX_DEPTH: usize = 5;

/// What a loose ref says.
enum Loose {
    Absent,
    Id(Oid),
    Symbolic(String),
}

fn loose(common_dir: &Path, name: &str) -> Result<Loose, FsError> {
    let text = match fs::read_optional(&common_dir.join(name)) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(Loose::Absent),
        // `refs/heads/a` is a directory where only `refs/heads/a/b` exists.
        Err(e) if e.kind() == std::io::ErrorKind::IsADirectory => return Ok(Loose::Absent),
        Err(e) => return Err(e),
    };
    let text = text.trim_end();
    Ok(match (text.strip_prefix("ref:"), Oid::parse(text)) {
        (Some(target), _) => Loose::Symbolic(target.trim().to_owned()),
        (None, Ok(oid)) => Loose::Id(oid),
        (None, Err(_)) => Loose::Absent,
    })
}

/// The value of `name` in `packed-refs`.
pub fn packed(common_dir: &Path, name: &str) -> Result<Option<Oid>, FsError> {
    let path = common_dir.join("packed-refs");
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e),
    };
    let found = bytes.split(|&b| b == b'\n').find_map(|line| {
        let (id, rest) = line.split_at_checked(line.iter().position(|&b| b == b' ')?)?;
        (rest.get(1..) == Some(name.as_bytes())).then(|| std::str::from_utf8(id).ok())?
    });
    Ok(found.and_then(|id| Oid::parse(id).ok()))
}

/// The value of `name` with symbolic refs followed; zero if it does not exist.
pub fn current(common_dir: &Path, name: &str) -> Result<MaybeOid, FsError> {
    let mut name = name.to_owned();
    for _ in 0..MAX_DEPTH {
        match loose(common_dir, &name)? {
            Loose::Id(oid) => return Ok(MaybeOid::Id(oid)),
            Loose::Symbolic(target) => name = target,
            Loose::Absent => return Ok(packed(common_dir, &name)?.map_or(MaybeOid::Zero, MaybeOid::Id)),
        }
    }
    Ok(MaybeOid::Zero)
}

/// The ref that `name` is an alias of, if it is a symbolic ref. git names the real ref in transactions.
pub fn target(common_dir: &Path, name: &str) -> Option<String> {
    match loose(common_dir, name) {
        Ok(Loose::Symbolic(target)) => Some(target),
        Ok(Loose::Absent | Loose::Id(_)) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fs::{Durability, create_dir_all, write_atomic};

    fn oid(c: char) -> Oid {
        Oid::parse(&c.to_string().repeat(40)).unwrap()
    }

    fn put(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        create_dir_all(path.parent().unwrap()).unwrap();
        write_atomic(&path, text.as_bytes(), 0o644, Durability::None).unwrap();
    }

    #[test]
    fn loose_outranks_packed_and_links_are_followed() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path();
        assert_eq!(current(dir, "refs/heads/main").unwrap(), MaybeOid::Zero);
        let packed_text = format!(
            "# pack-refs with: peeled fully-peeled sorted \n{} refs/heads/main\n{} refs/tags/v1\n^{}\n",
            oid('a'),
            oid('b'),
            oid('c')
        );
        put(dir, "packed-refs", &packed_text);
        assert_eq!(current(dir, "refs/heads/main").unwrap(), MaybeOid::Id(oid('a')));
        assert_eq!(packed(dir, "refs/tags/v1").unwrap(), Some(oid('b')));
        assert_eq!(packed(dir, "refs/tags/v").unwrap(), None);
        put(dir, "refs/heads/main", &format!("{}\n", oid('d')));
        assert_eq!(current(dir, "refs/heads/main").unwrap(), MaybeOid::Id(oid('d')));
        put(dir, "refs/heads/alias", "ref: refs/heads/main\n");
        assert_eq!(current(dir, "refs/heads/alias").unwrap(), MaybeOid::Id(oid('d')));
        assert_eq!(target(dir, "refs/heads/alias").as_deref(), Some("refs/heads/main"));
        assert_eq!(target(dir, "refs/heads/main"), None);
        assert_eq!(current(dir, "refs/heads").unwrap(), MaybeOid::Zero);
    }

    #[test]
    fn a_loop_of_links_ends() {
        let tmp = tempfile::tempdir().unwrap();
        put(tmp.path(), "refs/heads/a", "ref: refs/heads/a\n");
        assert_eq!(current(tmp.path(), "refs/heads/a").unwrap(), MaybeOid::Zero);
    }
}
