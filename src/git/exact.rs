//! Whether a checkout shows a tree, and the removal of all else from it, without asking the `git` program.
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
use crate::git::worktree::Worktree;
use crate::sys::fs::{self, FsError};

/// Larger files are left to git, which does not hold them in memory.
const MOST: u64 = 64 << 20;

/// Fewer files than this are not worth a thread.
const SHARE: usize = 64;

/// What a checkout of a tree has to show. Made once for all the times that it is compared.
#[derive(Debug)]
pub struct Shown {
    kind: gix::hash::Kind,
    /// Sorted by path.
    entries: Vec<TreeChange>,
}

impl Repo {
    /// What a checkout of `tree` has to show.
    pub fn shown(&self, tree: &Oid) -> Result<Shown, GitError> {
        let mut entries = self.tree_changes(None, Some(tree))?;
        entries.sort_by(|one, two| one.path.cmp(&two.path));
        Ok(Shown { kind: self.gix.object_hash(), entries })
    }

    /// All that git remembers of a checkout, as text: where its HEAD is, its index by content, and the names of its records,
    /// which a merge or a bisection adds to. Where that is what a checkout left there, another one of the same commit has
    /// nothing to do but to write files that are not what they were. None where there is no index.
    pub fn left_by_checkout(&self, worktree: &Worktree) -> Result<Option<String>, GitError> {
        let dir = &worktree.git_dir;
        let (Some(head), true) = (fs::read_optional(&dir.join("HEAD"))?, fs::exists(&dir.join("index")))
        else {
            return Ok(None);
        };
        let index = fs::read(&dir.join("index"))?;
        let index = gix::objs::compute_hash(self.gix.object_hash(), gix::objs::Kind::Blob, &index);
        let index = index.map_err(GitError::gix("hash an index".to_owned()))?;
        let names: Vec<_> = fs::list(dir)?.into_iter().map(|path| path.file_name().map(Into::into)).collect();
        let names: Vec<std::ffi::OsString> = names.into_iter().flatten().collect();
        Ok(Some(format!("{}\n{index}\n{names:?}\n", head.trim())))
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

    /// Removes all from `root` that is not the tree's: what is ignored too, directories that are empty without it, and pipes and
    /// sockets whatever their name. What is at the place of something else is left: that the checkout is not the tree is
    /// not for this to mend. Says whether it could: of names that are not UTF-8 only git knows which are the tree's.
    pub fn clear_others(&self, root: &Path) -> Result<bool, FsError> {
        if self.entries.iter().any(|entry| entry.path.contains(char::REPLACEMENT_CHARACTER)) {
            return Ok(false);
        }
        let dirs = self.dirs();
        let mut todo = vec![String::new()];
        while let Some(dir) = todo.pop() {
            for (name, kind) in fs::entries(&root.join(&dir))? {
                let path = root.join(&dir).join(&name);
                let below = name
                    .to_str()
                    .map(|name| if dir.is_empty() { name.into() } else { format!("{dir}/{name}") });
                let Some(below) = below.filter(|below| below == ".git" || self.has(&dirs, below)) else {
                    if kind.is_dir() {
                        fs::remove_tree(&path)?;
                    } else {
                        fs::remove_file(&path)?;
                    }
                    continue;
                };
                if below == ".git" {
                    continue;
                }
                match kind {
                    kind if kind.is_dir() && dirs.contains(below.as_str()) => todo.push(below),
                    // A submodule's, or in the way of a file.
                    kind if kind.is_dir() => fs::remove_special(&path)?,
                    kind if kind.is_file() || kind.is_symlink() => {}
                    _ => fs::remove_file(&path)?,
                }
            }
        }
        Ok(true)
    }

    /// Whether the tree has something at `path`.
    fn has(&self, dirs: &BTreeSet<&str>, path: &str) -> bool {
        dirs.contains(path) || self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).is_ok()
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
    use super::*;
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
    fn all_else_is_removed_and_what_is_the_tree_s_stays() {
        let world = World::new("sha1");
        let root = world.dir.path().join("checkout");
        let sh = |line: &str| {
            Cmd::shell(line, world.dir.path(), &world.env).run().unwrap().checked().unwrap();
        };
        sh(
            "mkdir -p src/a.d && printf a > src/a && printf b > src/a.d/b && ln -s src link && printf out > .gitignore",
        );
        let commit = world.commit();
        let tree = world.repo().tree_of(&commit).unwrap();
        world.git(&["worktree", "add", "-q", "--detach", "checkout", commit.as_str()]);
        let before = |shell: &str| {
            let listed = Cmd::shell(shell, &root, &world.env).run().unwrap().checked().unwrap();
            listed.text().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let list = "find . | sort";
        let clean = before(list);
        sh(
            "cd checkout && mkdir -p empty new/deep src/.git out && touch new/deep/x out/x src/a.d/c \"$(printf '\\377')\" \
            && mkfifo pipe src/pipe && ln -s /etc src/etc && git init -q nested && touch nested/x \
            && mkdir shut && touch shut/x && chmod 0 shut",
        );
        assert!(world.repo().shown(&tree).unwrap().clear_others(&root).unwrap());
        assert_eq!(before(list), clean);
        // Not theirs, but at their place.
        sh("cd checkout && rm -r src/a.d && printf x > src/a.d && rm link && mkfifo link");
        assert!(world.repo().shown(&tree).unwrap().clear_others(&root).unwrap());
        let found = before(list);
        assert!(
            found.contains(&"./src/a.d".to_owned()) && !found.contains(&"./link".to_owned()),
            "{found:?}"
        );
    }

    #[test]
    fn what_a_checkout_left_is_told_from_what_came_after() {
        let world = World::new("sha1");
        world.write("a", "one");
        world.commit();
        let repo = world.repo();
        let here = repo.here().unwrap().unwrap();
        let left = || repo.left_by_checkout(&here).unwrap().unwrap();
        let first = left();
        world.write("new", "x");
        assert_eq!(left(), first);
        let mut seen = vec![first];
        for args in [
            &["update-index", "--assume-unchanged", "a"][..],
            &["checkout", "-q", "-b", "other"],
            &["bisect", "start"],
        ] {
            world.git(args);
            assert!(!seen.contains(&left()), "{args:?}");
            seen.push(left());
        }
        fs::remove_file(&here.git_dir.join("index")).unwrap();
        assert_eq!(repo.left_by_checkout(&here).unwrap(), None);
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
