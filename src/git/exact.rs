//! Whether a checkout shows a tree, without asking the `git` program.
//!
//! Every file is read and hashed, by as many threads as there are processors; no index is believed. The answer "yes" is
//! final. What is turned around on its way to the disk (line ends, filters), a submodule that is checked out, and a name
//! that is not UTF-8 are left to git, which knows the rules: for those the answer is "not for sure".

use std::collections::BTreeSet;
use std::path::Path;

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::read::{EntryKind, TreeChange, to_gix};
use crate::git::repo::Repo;
use crate::sys::fs;

/// Larger files are left to git, which does not hold them in memory.
const MOST: u64 = 64 << 20;

/// Fewer files than this are not worth a thread.
const SHARE: usize = 64;

/// What a checkout of a tree has to show. Made once for all the times that it is compared.
#[derive(Debug)]
pub struct Shown {
    kind: gix::hash::Kind,
    entries: Vec<TreeChange>,
}

impl Repo {
    /// What a checkout of `tree` has to show.
    pub fn shown(&self, tree: &Oid) -> Result<Shown, GitError> {
        Ok(Shown { kind: self.gix.object_hash(), entries: self.tree_changes(None, Some(tree))? })
    }
}

impl Shown {
    fn dirs(&self) -> BTreeSet<&str> {
        let mut dirs = BTreeSet::new();
        for entry in &self.entries {
            let mut below = entry.path.as_str();
            // What is above a known one is known.
            while let Some((dir, _)) = below.rsplit_once('/').filter(|(dir, _)| dirs.insert(*dir)) {
                below = dir;
            }
        }
        dirs
    }

    /// Whether `root` surely has every file of the tree as it is there, byte for byte, with its executable bit, and every
    /// link. Files besides those are not looked for.
    pub fn is_surely_at(&self, root: &Path) -> bool {
        let is_dir = |dir: &str| {
            root.join(dir).symlink_metadata().is_ok_and(|found: std::fs::Metadata| found.is_dir())
        };
        // Through a link, files of another place would be taken for those of this one.
        if !self.dirs().into_iter().all(is_dir) {
            return false;
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = self.entries.len().div_ceil(threads).max(SHARE);
        let is_shown = |entries: &[TreeChange]| entries.iter().all(|entry| shows(self.kind, root, entry));
        std::thread::scope(|scope| {
            let (first, others) = self.entries.split_at(share.min(self.entries.len()));
            let start = |part| std::thread::Builder::new().spawn_scoped(scope, move || is_shown(part));
            let begun: Vec<_> = others.chunks(share).map(|part| (part, start(part))).collect();
            let ended = begun.into_iter().map(|(part, thread)| match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // No more threads for this user: then one after the other.
                Err(_) => is_shown(part),
            });
            is_shown(first) && ended.into_iter().all(|shown| shown)
        })
    }
}

fn shows(kind: gix::hash::Kind, root: &Path, change: &TreeChange) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let path = root.join(&change.path);
    let (Some(entry), Ok(found)) = (&change.new, path.symlink_metadata()) else { return false };
    // It may stand for a name that is not UTF-8, and there may be another file that has it.
    if change.path.contains(char::REPLACEMENT_CHARACTER) {
        return false;
    }
    let is = |bytes: &[u8]| {
        let id = gix::objs::compute_hash(kind, gix::objs::Kind::Blob, bytes);
        id.is_ok_and(|id| to_gix(&entry.oid).is_ok_and(|wanted| wanted == id))
    };
    match entry.kind {
        EntryKind::Blob => {
            let executable = found.permissions().mode() & 0o100 != 0;
            found.is_file()
                && executable == entry.executable
                && found.len() <= MOST
                && fs::read(&path).is_ok_and(|bytes| is(&bytes))
        }
        EntryKind::Other if found.is_symlink() => target(&path).is_some_and(|bytes| is(&bytes)),
        // A submodule that nobody checked out.
        EntryKind::Other => found.is_dir() && fs::list(&path).is_ok_and(|inside| inside.is_empty()),
        EntryKind::Tree => false,
    }
}

fn target(link: &Path) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(link.read_link().ok()?.into_os_string().into_vec())
}

#[cfg(test)]
mod tests {
    use crate::git::world::World;
    use crate::sys::process::Cmd;

    /// A change that a step may leave, by the shell, and whether the checkout shows its tree after it.
    const LEFT: [(&str, bool); 14] = [
        ("true", true),
        ("touch -d 2001-01-01 src/a", true),
        ("echo new > untracked", true),
        ("printf x > src/a", false),
        ("printf b > src/a", false),
        ("rm src/a", false),
        ("chmod +x src/a", false),
        ("chmod -x run", false),
        ("ln -sf b link", false),
        ("rm link && printf src/a > link", false),
        ("rm src/a && mkfifo src/a", false),
        ("rm src/a && mkdir src/a", false),
        ("mv src elsewhere && ln -s elsewhere src", false),
        ("rm src/a && ln -s ../other src/a", false),
    ];

    #[test]
    fn what_a_step_left_is_seen() {
        for format in ["sha1", "sha256"] {
            for (left, shown) in LEFT {
                let world = World::new(format);
                let sh = |line: &str| {
                    Cmd::shell(line, world.dir.path(), &world.env).run().unwrap().checked().unwrap();
                };
                sh("mkdir -p src/deep && printf a > src/a && printf a > other && ln -s src/a link");
                sh("printf x > run && chmod +x run && for n in $(seq 200); do echo $n > src/deep/$n; done");
                let tree = world.repo().tree_of(&world.commit()).unwrap();
                sh(left);
                let found = world.repo().shown(&tree).unwrap().is_surely_at(world.dir.path());
                assert_eq!(found, shown, "{format}: {left}");
            }
        }
    }

    #[test]
    fn a_name_that_is_not_text_is_not_taken_for_another_one() {
        let world = World::new("sha1");
        let sh = |line: &str| {
            Cmd::shell(line, world.dir.path(), &world.env).run().unwrap().checked().unwrap();
        };
        sh(r#"printf a > "$(printf '\377')" && printf a > "$(printf '\357\277\275')""#);
        let tree = world.repo().tree_of(&world.commit()).unwrap();
        sh(r#"printf b > "$(printf '\377')""#);
        assert!(!world.repo().shown(&tree).unwrap().is_surely_at(world.dir.path()));
    }

    #[test]
    fn what_git_turns_around_is_left_to_git() {
        let world = World::new("sha1");
        world.write(".gitattributes", "*.txt eol=crlf\n");
        world.write("a.txt", "one\r\ntwo\r\n");
        let tree = world.repo().tree_of(&world.commit()).unwrap();
        assert_eq!(world.git(&["status", "--porcelain"]), "");
        assert!(!world.repo().shown(&tree).unwrap().is_surely_at(world.dir.path()));
    }
}
