//! Whether a checkout shows a tree, and the removal of all else from it, without asking the `git` program.
//!
//! Every file is read and hashed, by as many threads as there are processors; no index is believed. What git turns around
//! on its way to the disk (line ends, filters) is not the blob: the caller asks git about it once, before anybody else
//! wrote there, and from then on it has to stay as it was (`take_for_right`). After that no git has to look, and none must:
//! it would run what the checkout's own repositories, in a submodule's place, are configured to.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::read::{Entry, EntryKind, to_gix};
use crate::git::repo::Repo;
use crate::git::worktree::Worktree;
use crate::sys::fs::{self, FsError};

/// Larger files are not held in memory: git says whether they are right, and after that they have to stay as they are.
const MOST: u64 = 64 << 20;

/// Fewer files than this are not worth a thread.
const SHARE: usize = 64;

/// How deep a tree may be nested: it is hostile input.
const MOST_DEEP: usize = 256;

/// What a checkout of a tree has to show. Made once for all the times that it is compared.
#[derive(Debug)]
pub struct Shown {
    kind: gix::hash::Kind,
    /// Sorted by path. Names are bytes: a tree may have some that are not UTF-8.
    places: Vec<Place>,
    /// What is right and not its blob, by path.
    turned: BTreeMap<OsString, Found>,
}

/// One path of a tree, and what the tree has there.
#[derive(Debug)]
struct Place {
    path: OsString,
    entry: Entry,
}

/// What is on the disk.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    File { digest: [u8; 32], executable: bool },
    Link(OsString),
}

impl Repo {
    /// What a checkout of `tree` has to show.
    pub fn shown(&self, tree: &Oid) -> Result<Shown, GitError> {
        let mut places = Vec::new();
        let mut todo = vec![(OsString::new(), tree.clone(), 0)];
        while let Some((dir, tree, depth)) = todo.pop() {
            if depth > MOST_DEEP {
                let what = format!("it is nested more than {MOST_DEEP} levels deep");
                return Err(GitError::Malformed { path: dir.into(), what });
            }
            for entry in self.tree(&tree)? {
                let path = joined(&dir, OsStr::from_bytes(&entry.name));
                match entry.kind {
                    EntryKind::Tree => todo.push((path, entry.oid, depth + 1)),
                    EntryKind::Blob | EntryKind::Submodule | EntryKind::Other => {
                        places.push(Place { path, entry });
                    }
                }
            }
        }
        places.sort_by(|one, two| one.path.cmp(&two.path));
        Ok(Shown { kind: self.gix.object_hash(), places, turned: BTreeMap::new() })
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
        let all = fs::list(dir)?;
        let names: Vec<&OsStr> = all.iter().filter_map(|path| path.file_name()).collect();
        Ok(Some(format!("{}\n{index}\n{names:?}\n", head.trim())))
    }
}

impl Shown {
    fn dirs(&self) -> BTreeSet<&OsStr> {
        let mut dirs = BTreeSet::new();
        for place in &self.places {
            // What is above a known one is known.
            for dir in above(&place.path) {
                if !dirs.insert(dir) {
                    break;
                }
            }
        }
        dirs
    }

    fn at(&self, path: &OsStr) -> Option<EntryKind> {
        let found = self.places.binary_search_by(|place| place.path.as_os_str().cmp(path)).ok();
        found.and_then(|n| self.places.get(n)).map(|place| place.entry.kind)
    }

    /// Whether the tree has a submodule at `path`.
    pub fn is_submodule(&self, path: &OsStr) -> bool {
        self.at(path) == Some(EntryKind::Submodule)
    }

    /// Removes all from `root` that is not the tree's: what is ignored too, directories that are empty without it, what is
    /// in a submodule's place, and pipes and sockets whatever their name. A file or a link that is at the place of something
    /// else is left: that the checkout is not the tree is not for this to mend.
    pub fn clear_others(&self, root: &Path) -> Result<(), FsError> {
        let dirs = self.dirs();
        let mut todo = vec![OsString::new()];
        while let Some(dir) = todo.pop() {
            for (name, kind) in fs::entries(&root.join(&dir))? {
                let below = joined(&dir, &name);
                if below == ".git" {
                    continue;
                }
                let path = root.join(&below);
                let (is_dir, is_plain) = (kind.is_dir(), kind.is_file() || kind.is_symlink());
                match self.at(&below) {
                    None if is_dir && dirs.contains(below.as_os_str()) => todo.push(below),
                    None if is_plain && dirs.contains(below.as_os_str()) => {}
                    Some(EntryKind::Submodule) => {
                        remove(&path, is_dir)?;
                        // As git leaves it that nobody told to check submodules out.
                        fs::create_dir_all(&path)?;
                    }
                    Some(_) if is_plain => {}
                    None | Some(_) => remove(&path, is_dir)?,
                }
            }
        }
        Ok(())
    }

    /// Whether `root` surely has every file of the tree as it is there, byte for byte, with its executable bit, and every
    /// link. Files besides those are not looked for.
    pub fn is_surely_at(&self, root: &Path) -> bool {
        self.differing(root).is_empty()
    }

    /// The paths of the tree that are not in `root` as they are in the tree, or as they were taken for right. Files besides
    /// those are not looked for.
    pub fn differing(&self, root: &Path) -> Vec<OsString> {
        let is_dir = |dir: &OsStr| {
            root.join(dir).symlink_metadata().is_ok_and(|found: std::fs::Metadata| found.is_dir())
        };
        // Through a link, files of another place would be taken for those of this one.
        let gone: BTreeSet<&OsStr> = self.dirs().into_iter().filter(|dir| !is_dir(dir)).collect();
        let is_right = |place: &Place| {
            (gone.is_empty() || !above(&place.path).any(|dir| gone.contains(dir))) && self.shows(root, place)
        };
        let differ = |places: &[Place]| -> Vec<OsString> {
            places.iter().filter(|place| !is_right(place)).map(|place| place.path.clone()).collect()
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = self.places.len().div_ceil(threads).max(SHARE);
        std::thread::scope(|scope| {
            let (first, others) = self.places.split_at(share.min(self.places.len()));
            let differ = &differ;
            let start = |part| std::thread::Builder::new().spawn_scoped(scope, move || differ(part));
            let begun: Vec<_> = others.chunks(share).map(|part| (part, start(part))).collect();
            let mut found = differ(first);
            for (part, thread) in begun {
                found.extend(match thread {
                    Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                    // No more threads for this user: then one after the other.
                    Err(_) => differ(part),
                });
            }
            found
        })
    }

    /// Takes what is at `paths` for right, as git says it is: from now on it has to stay as it is. The paths where there is
    /// nothing that could.
    pub fn take_for_right(&mut self, root: &Path, paths: Vec<OsString>) -> Result<Vec<OsString>, FsError> {
        let mut others = Vec::new();
        for path in paths {
            match found(&root.join(&path))? {
                Some(found) => drop(self.turned.insert(path, found)),
                None => others.push(path),
            }
        }
        Ok(others)
    }

    fn shows(&self, root: &Path, place: &Place) -> bool {
        let (path, entry) = (root.join(&place.path), &place.entry);
        if let Some(right) = self.turned.get(&place.path) {
            return found(&path).is_ok_and(|found| found.as_ref() == Some(right));
        }
        let Ok(there) = path.symlink_metadata() else { return false };
        let is = |bytes: &[u8]| {
            let id = gix::objs::compute_hash(self.kind, gix::objs::Kind::Blob, bytes);
            id.is_ok_and(|id| to_gix(&entry.oid).is_ok_and(|wanted| wanted == id))
        };
        match entry.kind {
            EntryKind::Blob => {
                there.is_file()
                    && is_executable(&there) == entry.executable
                    && there.len() <= MOST
                    && fs::read(&path).is_ok_and(|bytes| is(&bytes))
            }
            // That nobody checked out. Whatever is in there is no part of the tree.
            EntryKind::Submodule => there.is_dir() && fs::list(&path).is_ok_and(|inside| inside.is_empty()),
            EntryKind::Other => {
                there.is_symlink() && path.read_link().is_ok_and(|to| is(to.as_os_str().as_bytes()))
            }
            EntryKind::Tree => false,
        }
    }
}

fn is_executable(found: &std::fs::Metadata) -> bool {
    found.permissions().mode() & 0o100 != 0
}

/// What is at `path`; None where that is neither a file nor a link.
fn found(path: &Path) -> Result<Option<Found>, FsError> {
    let failed = |source| FsError { action: "inspect", path: path.to_owned(), source };
    let there = match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        there => there.map_err(failed)?,
    };
    Ok(if there.is_symlink() {
        Some(Found::Link(path.read_link().map_err(failed)?.into_os_string()))
    } else if there.is_file() {
        Some(Found::File { digest: fs::digest(path)?, executable: is_executable(&there) })
    } else {
        None
    })
}

fn remove(path: &Path, is_dir: bool) -> Result<(), FsError> {
    if is_dir { fs::remove_tree(path) } else { fs::remove_file(path) }
}

fn joined(dir: &OsStr, name: &OsStr) -> OsString {
    if dir.is_empty() {
        return name.to_owned();
    }
    OsString::from_vec([dir.as_bytes(), b"/", name.as_bytes()].concat())
}

/// The directories on the way to `path`, the nearest first.
fn above(path: &OsStr) -> impl Iterator<Item = &OsStr> {
    let parent = |path: &OsStr| -> Option<usize> { path.as_bytes().iter().rposition(|&byte| byte == b'/') };
    std::iter::successors(Some(path), move |path| {
        parent(path).map(|end| OsStr::from_bytes(path.as_bytes().get(..end).unwrap_or_default()))
    })
    .skip(1)
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
        world.repo().shown(&tree).unwrap().clear_others(&root).unwrap();
        assert_eq!(before(list), clean);
        // Not theirs, but at their place.
        sh("cd checkout && rm -r src/a.d && printf x > src/a.d && rm link && mkfifo link");
        world.repo().shown(&tree).unwrap().clear_others(&root).unwrap();
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
