//! A read-only view of a checkout: a directory, or a git tree.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::sys::env::Env;
use crate::sys::fs;
use crate::sys::process::{Cmd, End, Limits, find_program};
use crate::sys::signal::Interrupts;

/// What detection may know of a checkout: its paths, the text of a file, and which tools this machine has.
pub struct Facts<'a> {
    paths: BTreeSet<String>,
    read: Reader<'a>,
    has_tool: LookUp<'a>,
}

type Reader<'a> = Box<dyn Fn(&str) -> Option<String> + 'a>;
type LookUp<'a> = Box<dyn Fn(&str) -> bool + 'a>;

/// Directories that hold what tools made or fetched, or examples of projects rather than projects.
const NOT_OURS: [&str; 22] = [
    ".git",
    "node_modules",
    "target",
    ".venv",
    "venv",
    ".tox",
    "dist",
    "vendor",
    "third_party",
    "testdata",
    "fixtures",
    "__fixtures__",
    "corpus",
    "examples",
    "example",
    "templates",
    "template",
    "test",
    "tests",
    "__tests__",
    "fuzz",
    "e2e",
];
/// Directories that a walk never enters.
const NEVER_WALKED: [&str; 7] = [".git", "node_modules", "target", ".venv", "venv", ".tox", "__pycache__"];
const WALK_FILES: usize = 50_000;
const WALK_DEPTH: usize = 10;
/// How deep below the root projects are looked for.
const PROJECT_DEPTH: usize = 3;
/// More files than this are not searched for a test.
const SEARCHED: usize = 4_000;

impl<'a> Facts<'a> {
    /// From the paths of all files (relative, with `/`), a reader of one of them, and a look-up of tools: a
    /// program's name, or `cargo fmt` for a sub-command.
    pub fn new(
        paths: impl IntoIterator<Item = String>,
        read: impl Fn(&str) -> Option<String> + 'a,
        has_tool: impl Fn(&str) -> bool + 'a,
    ) -> Self {
        Self { paths: paths.into_iter().collect(), read: Box::new(read), has_tool: Box::new(has_tool) }
    }

    /// Of the files in `dir`, without those that tools made or fetched.
    pub fn of_directory(dir: &'a Path, has_tool: impl Fn(&str) -> bool + 'a) -> Self {
        let mut paths = BTreeSet::new();
        walk(dir, "", 0, &mut paths);
        Self::new(paths, |path| fs::read_string(&dir.join(path)).ok(), has_tool)
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// The text of a file; None if it is not there or not text.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        self.exists(path).then(|| (self.read)(path)).flatten()
    }

    pub(super) fn has_tool(&self, tool: &str) -> bool {
        (self.has_tool)(tool)
    }

    /// The paths below `dir` (empty: all).
    pub(super) fn below<'s>(&'s self, dir: &'s str) -> impl Iterator<Item = &'s str> {
        self.paths.iter().map(String::as_str).filter(move |path| is_below(path, dir))
    }

    /// Directories (empty: the root) that hold a file `name` and look like projects, the upper ones first.
    pub(super) fn projects(&self, name: &str) -> Vec<String> {
        let mut dirs: Vec<String> = self
            .paths
            .iter()
            .filter_map(|path| match path.strip_suffix(name)? {
                "" => Some(String::new()),
                dir => dir.strip_suffix('/').map(str::to_owned),
            })
            .filter(|dir| dir.split('/').count() <= PROJECT_DEPTH)
            .filter(|dir| !dir.split('/').any(|part| NOT_OURS.contains(&part) || part.starts_with('.')))
            .collect();
        dirs.sort_by_key(|dir| (depth(dir), dir.clone()));
        dirs
    }

    /// The first file below `dir` whose name `fits` and whose text `shows` what is looked for.
    pub(super) fn first<'s>(
        &'s self,
        dir: &'s str,
        fits: impl Fn(&str) -> bool,
        shows: impl Fn(&str) -> bool,
    ) -> Option<&'s str> {
        let candidates = self.below(dir).filter(|path| fits(path)).take(SEARCHED);
        candidates.into_iter().find(|path| self.read(path).is_some_and(|text| shows(&text)))
    }

    /// The texts of CI definitions and makefiles, where projects show how they judge themselves.
    pub(super) fn ci(&self) -> String {
        let fits = |path: &&str| {
            (path.starts_with(".github/workflows/")
                && (has_extension(path, "yml") || has_extension(path, "yaml")))
                || [
                    ".gitlab-ci.yml",
                    "Makefile",
                    "makefile",
                    "justfile",
                    ".travis.yml",
                    "azure-pipelines.yml",
                ]
                .contains(path)
                || path.starts_with(".ci/")
                || path.starts_with("ci/")
        };
        self.below("").filter(fits).filter_map(|path| self.read(path)).collect::<Vec<_>>().join("\n")
    }
}

/// Whether `path` is in `dir` or below it; everything is below the root.
pub(super) fn is_below(path: &str, dir: &str) -> bool {
    dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether the path ends with `.extension`, in exactly this case.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

/// `name` in `dir`.
pub(super) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

fn depth(dir: &str) -> usize {
    if dir.is_empty() { 0 } else { dir.split('/').count() }
}

fn walk(root: &Path, below: &str, depth: usize, paths: &mut BTreeSet<String>) {
    // What can't be listed is not there for detection.
    for path in fs::list(&root.join(below)).unwrap_or_default() {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if paths.len() >= WALK_FILES {
            return;
        }
        if metadata.is_dir() {
            if depth < WALK_DEPTH && !NEVER_WALKED.contains(&name) {
                walk(root, &join(below, name), depth + 1, paths);
            }
        } else {
            paths.insert(join(below, name));
        }
    }
}

/// Which tools this machine has, as seen from `dir` (a toolchain file there may choose another toolchain): a
/// program is looked up, a sub-command is asked for its version.
pub fn tools<'a>(dir: &'a Path, env: &'a Env) -> impl Fn(&str) -> bool + 'a {
    move |tool| {
        let mut words = tool.split_whitespace();
        let Some(program) = words.next() else { return false };
        if find_program(program, env).is_none() {
            return false;
        }
        let args: Vec<&str> = words.chain(["--version"]).collect();
        if args.len() == 1 {
            return true;
        }
        let limits = Limits::wall(Some(Duration::from_secs(20)), &Interrupts::default());
        let ended = Cmd::new(program, dir, env).args(args).supervise(&limits, &mut |_| ());
        ended.is_ok_and(|ended| ended.end == End::Exit(0))
    }
}
