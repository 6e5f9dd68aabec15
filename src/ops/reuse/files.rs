//! The files of a tree that steps read.

use std::collections::BTreeMap;

use crate::domain::oid::Oid;
use crate::gate::{Covers, Extent, decides_setup, digest_of};
use crate::git::{EntryKind, GitError, Repo};

/// A file that a step reads, or a directory of which it reads all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picked {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// Its mode and its object, as text.
    pub(crate) what: String,
}

/// How deep trees may be nested: a tree is hostile input.
const MAX_DEPTH: usize = 256;

/// Files that decide how others come into a checkout.
const ATTRIBUTES: [&str; 2] = [".gitattributes", ".gitmodules"];

/// What each of the steps reads of `tree`: what it covers and, in each directory that leads there, the files that decide
/// what setup makes and how files are checked out.
pub(crate) fn pick(repo: &Repo, tree: &Oid, steps: &[Covers]) -> Result<Vec<Vec<Picked>>, GitError> {
    let mut walk = Walk {
        repo,
        steps,
        picked: vec![Vec::new(); steps.len()],
        met: vec![false; steps.len()],
        whole: vec![false; steps.len()],
        links: BTreeMap::new(),
    };
    let all: Vec<usize> = (0..steps.len()).collect();
    walk.dir(tree, "", &all, 0)?;
    let everything = || vec![Picked { path: String::new(), what: format!("dir {tree}") }];
    // Globs that nothing matches are a mistake: a step that seems to read nothing would never run again.
    let is_known = walk.met.into_iter().zip(walk.whole).map(|(met, whole)| met && !whole);
    let picked = walk.picked.into_iter().zip(is_known);
    Ok(picked.map(|(picked, is_known)| if is_known { picked } else { everything() }).collect())
}

/// The digest of what a step reads.
pub(super) fn digest(picked: &[Picked]) -> String {
    digest_of("git-orch step files v1", picked.iter().map(|p| (p.path.as_str(), p.what.as_str())))
}

struct Walk<'a> {
    repo: &'a Repo,
    steps: &'a [Covers],
    picked: Vec<Vec<Picked>>,
    /// Whether anything matched.
    met: Vec<bool>,
    /// Whether something matched that may lead anywhere.
    whole: Vec<bool>,
    /// Whether there is such a thing in a directory, or below it.
    links: BTreeMap<Oid, bool>,
}

impl Walk<'_> {
    fn has_links(&mut self, tree: &Oid, depth: usize) -> Result<bool, GitError> {
        if let Some(&known) = self.links.get(tree) {
            return Ok(known);
        }
        if depth > MAX_DEPTH {
            return Err(GitError::Corrupt { oid: tree.to_string(), kind: "tree" });
        }
        let (directories, mut found) = self.repo.directories(tree)?;
        for directory in directories {
            found = found || self.has_links(&directory, depth + 1)?;
        }
        self.links.insert(tree.clone(), found);
        Ok(found)
    }

    /// Goes through the directory at `path`, in which the `steps` with these indices read something, perhaps.
    fn dir(&mut self, tree: &Oid, path: &str, steps: &[usize], depth: usize) -> Result<(), GitError> {
        if depth > MAX_DEPTH {
            return Err(GitError::Corrupt { oid: tree.to_string(), kind: "tree" });
        }
        for entry in self.repo.tree(tree)? {
            let name = String::from_utf8_lossy(&entry.name);
            let at = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            // A name that is not UTF-8 came to us as another one, that others may come to as well.
            let exact = if name.as_bytes() == entry.name { "" } else { " ?" };
            let kind = match entry.kind {
                EntryKind::Tree => "dir",
                EntryKind::Blob if entry.executable => "program",
                EntryKind::Blob => "file",
                EntryKind::Submodule | EntryKind::Other => "other",
            };
            let what = format!("{kind} {}{exact}", entry.oid);
            let mut inside = Vec::new();
            for &step in steps {
                let covers = &self.steps[step];
                let is_met = match entry.kind {
                    EntryKind::Tree => {
                        let extent = covers.dir(&at);
                        if extent == Extent::Some {
                            inside.push(step);
                        }
                        let is_all = extent == Extent::All;
                        self.whole[step] |= is_all && self.has_links(&entry.oid, depth)?;
                        is_all
                    }
                    EntryKind::Blob => covers.file(&at),
                    // A link, or a submodule, may stand for a directory of what is covered; where it leads is not known.
                    EntryKind::Submodule | EntryKind::Other => {
                        self.whole[step] |= covers.file(&at) || covers.dir(&at) != Extent::None;
                        self.whole[step]
                    }
                };
                self.met[step] |= is_met;
                let decides = decides_setup(&name) || ATTRIBUTES.contains(&name.as_ref());
                if is_met || (decides && entry.kind != EntryKind::Tree) {
                    self.picked[step].push(Picked { path: at.clone(), what: what.clone() });
                }
            }
            if !inside.is_empty() {
                self.dir(&entry.oid, &at, &inside, depth + 1)?;
            }
        }
        Ok(())
    }
}
