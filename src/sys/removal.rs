//! Removal of a directory that others filled, as deep as they like.
//!
//! The standard library keeps a file open for each level and calls itself once for each: a few thousand levels are more
//! than it has of either. Here what lies deeper than `DEEP` is moved up to the top and removed from there. Nothing is found
//! by a path but the top itself: no link is followed, and no path is too long.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// How many levels below the top are removed where they are.
const DEEP: usize = 32;

/// Removes the directory at `path` with all that is in it, whatever modes its directories have.
pub(in crate::sys) fn remove_tree(path: &Path) -> io::Result<()> {
    let top = enter(CWD, path)?;
    let mut removal = Removal { top: top.as_fd(), moved: 0 };
    // What was moved up meanwhile is there the next time.
    while removal.clear(top.as_fd(), 0)? {}
    Ok(rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    /// How many directories were moved up: their names.
    moved: u64,
}

impl Removal<'_> {
    /// Removes what is in a directory; says whether there was anything.
    fn clear(&mut self, dir: BorrowedFd<'_>, depth: usize) -> io::Result<bool> {
        let names = names(dir)?;
        for (name, kind) in &names {
            let is_dir = match kind {
                FileType::Unknown => {
                    let found = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(found.st_mode).is_dir()
                }
                kind => kind.is_dir(),
            };
            if !is_dir {
                rustix::fs::unlinkat(dir, name, AtFlags::empty())?;
            } else if depth < DEEP {
                self.clear(enter(dir, name.as_c_str())?.as_fd(), depth + 1)?;
                rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?;
            } else {
                self.move_up(dir, name)?;
            }
        }
        Ok(!names.is_empty())
    }

    fn move_up(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        // What may not be written can't be moved either.
        drop(enter(dir, name)?);
        loop {
            self.moved += 1;
            match rustix::fs::renameat(dir, name, self.top, format!(".orch-removed-{}", self.moved)) {
                Ok(()) => return Ok(()),
                // Somebody was there first.
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Opens a directory, of which the owner may do everything from now on.
fn enter(dir: impl AsFd, name: impl rustix::path::Arg + Copy) -> io::Result<OwnedFd> {
    let found = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(found.st_mode).is_dir()
        && !Mode::from_raw_mode(found.st_mode).contains(Mode::RWXU)
    {
        rustix::fs::chmodat(&dir, name, Mode::RWXU, AtFlags::empty())?;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(&dir, name, flags, Mode::empty())?)
}

fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<(CString, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::env::Env;
    use crate::sys::fs;
    use crate::sys::process::Cmd;

    #[test]
    fn a_tree_of_any_depth_is_removed_and_nothing_that_it_links_to() {
        let dir = tempfile::tempdir().unwrap();
        let script = "mkdir -p kept tree/shut/x tree/d/d/shut/y && echo 1 > kept/file && touch tree/shut/x/y && mkfifo tree/pipe
            ln -s ../kept tree/link && ln -s ../../../kept tree/d/d/link && echo 1 > tree/.orch-removed-2
            mkdir tree/.orch-removed-1 && mkdir -p tree/$(printf 'd/%.0s' $(seq 3000))e
            for n in $(seq 60); do deep=$deep/d; done; touch tree$deep/f && ln -s .. tree$deep/up && chmod 0 tree$deep/d
            chmod 0 tree/shut && chmod 500 tree/d/d/shut && chmod 100 tree/d";
        Cmd::shell(script, dir.path(), &Env::capture()).run().unwrap().checked().unwrap();
        remove_tree(&dir.path().join("tree")).unwrap();
        assert_eq!(fs::list(dir.path()).unwrap(), [dir.path().join("kept")]);
        assert_eq!(fs::read_string(&dir.path().join("kept/file")).unwrap(), "1\n");
    }

    #[test]
    fn a_link_is_no_tree() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("kept", dir.path().join("link")).unwrap();
        fs::create_dir_all(&dir.path().join("kept/x")).unwrap();
        remove_tree(&dir.path().join("link")).unwrap_err();
        assert!(fs::exists(&dir.path().join("kept/x")));
    }
}
