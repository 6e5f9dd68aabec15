//! Which of a worktree's changes the orchestrator may commit. Pure: the caller reads, this decides.
//!
//! The agent is not trusted: it may leave build output, a downloaded credential, a link out of the worktree
//! or a repository in a directory. What is refused is named with its reason, so that a person who wants it
//! can commit it by hand; nothing is deleted. Never panics, whatever the bytes.

use std::path::{Component, Path};

use crate::agent::secrets;

/// A larger file is not committed.
pub const MAX_BYTES: u64 = 5 * 1024 * 1024;

/// One changed or untracked path of a worktree.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The path, relative to the worktree.
    pub path: &'a Path,
    /// Whether git's rules ignore it.
    pub ignored: Ignored,
    /// What is there.
    pub kind: Kind<'a>,
    /// What the branch's base has there; None if it has nothing. A secret that is in the base already was
    /// somebody's decision, and is no reason to refuse the rest of the file.
    pub base: Option<&'a [u8]>,
}

/// Whether git's rules ignore a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// They do, and it is not tracked.
    Yes,
    /// They don't, or it is tracked all the same.
    No,
}

/// What a path is.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// A regular file.
    File {
        /// Its size in bytes.
        size: u64,
        /// Its bytes; may be empty if it is larger than `MAX_BYTES`.
        content: &'a [u8],
    },
    /// A symbolic link, and where it points as it is written.
    Link(&'a Path),
    /// A directory with a repository of its own.
    Repository,
    /// Gone; it was tracked.
    Deleted,
    /// A socket, a device, a pipe.
    Other,
}

/// Whether a path may be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It may.
    Keep,
    /// It may not.
    Skip(Reason),
}

/// Why a path is not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// git ignores it.
    Ignored,
    /// Its name is that of a file that holds secrets.
    SecretName,
    /// It holds something that looks like a secret; what.
    SecretContent(&'static str),
    /// It is build output or a cache that git's rules forgot to ignore.
    Generated,
    /// It is larger than `MAX_BYTES`; its size.
    TooLarge(u64),
    /// It is, or is in, a repository of its own.
    Repository,
    /// It is a link that leaves the worktree or enters git's own files.
    LinkLeaves,
    /// It is neither a file nor a link.
    NotAFile,
    /// The path itself leaves the worktree.
    OutsideWorktree,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ignored => f.write_str("ignored by git"),
            Self::SecretName => f.write_str("a file of this name holds secrets"),
            Self::SecretContent(what) => write!(f, "contains what looks like {what}"),
            Self::Generated => f.write_str("build output or a cache; `.gitignore` should name it"),
            Self::TooLarge(size) => {
                write!(f, "{size} bytes; files over {} MiB are not committed", MAX_BYTES >> 20)
            }
            Self::Repository => f.write_str("a git repository of its own"),
            Self::LinkLeaves => f.write_str("a link out of the worktree"),
            Self::NotAFile => f.write_str("not a regular file"),
            Self::OutsideWorktree => f.write_str("outside the worktree"),
        }
    }
}

/// Whether `entry` may be committed.
pub fn classify(entry: &Entry<'_>) -> Choice {
    match refusal(entry) {
        Some(reason) => Choice::Skip(reason),
        None => Choice::Keep,
    }
}

fn refusal(entry: &Entry<'_>) -> Option<Reason> {
    if let Some(reason) = bad_path(entry.path) {
        return Some(reason);
    }
    // Removing is always allowed: what is tracked and was deleted is no longer there to leak.
    if matches!(entry.kind, Kind::Deleted) {
        return None;
    }
    if entry.ignored == Ignored::Yes {
        return Some(Reason::Ignored);
    }
    if entry.base.is_none() && is_generated(entry.path) {
        return Some(Reason::Generated);
    }
    match entry.kind {
        Kind::Repository => Some(Reason::Repository),
        Kind::Other => Some(Reason::NotAFile),
        Kind::Link(target) if leaves(entry.path, target) => Some(Reason::LinkLeaves),
        Kind::Link(_) | Kind::Deleted => None,
        Kind::File { size, content } => bad_file(entry, size, content),
    }
}

fn bad_file(entry: &Entry<'_>, size: u64, content: &[u8]) -> Option<Reason> {
    let size = size.max(u64::try_from(content.len()).unwrap_or(u64::MAX));
    if size > MAX_BYTES {
        return Some(Reason::TooLarge(size));
    }
    // The base has the file under this very name: whoever put it there decided that it is no secret.
    if entry.base.is_none() && secrets::is_secret_name(entry.path) {
        return Some(Reason::SecretName);
    }
    let name = entry.path.file_name().unwrap_or_default();
    secrets::find_new(name, content, entry.base.unwrap_or_default()).map(Reason::SecretContent)
}

fn bad_path(path: &Path) -> Option<Reason> {
    let mut names = 0;
    for component in path.components() {
        match component {
            Component::Normal(name) if is_git_dir(name) => return Some(Reason::Repository),
            Component::Normal(_) => names += 1,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Some(Reason::OutsideWorktree);
            }
        }
    }
    (names == 0).then_some(Reason::OutsideWorktree)
}

/// `.git` as some file system would read it: any case, or Windows' short name.
fn is_git_dir(name: &std::ffi::OsStr) -> bool {
    name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
}

/// Directories and endings that only tools write, and what Cargo writes into `target`, which may be a
/// directory of sources just as well.
const TOOL_DIRS: [&str; 9] = [
    "node_modules",
    "__pycache__",
    ".venv",
    ".pytest_cache",
    ".ruff_cache",
    ".mypy_cache",
    ".turbo",
    ".nyc_output",
    ".gradle",
];
const CARGO_TARGET: [&str; 7] =
    ["debug", "release", "doc", "tmp", "package", "CACHEDIR.TAG", ".rustc_info.json"];

fn is_generated(path: &Path) -> bool {
    let names: Vec<&str> = path.components().filter_map(|c| c.as_os_str().to_str()).collect();
    let below_target = |pair: &[&str]| pair[0] == "target" && CARGO_TARGET.contains(&pair[1]);
    names.iter().any(|name| TOOL_DIRS.contains(name))
        || names.windows(2).any(below_target)
        // `--target TRIPLE` puts a directory between.
        || names.windows(3).any(|three| below_target(&[three[0], three[2]]) && three[1].contains('-'))
        || names.last().is_some_and(|name| {
            matches!(*name, ".DS_Store" | ".eslintcache" | ".coverage")
                || Path::new(name).extension().is_some_and(|ending| ending == "pyc")
        })
}

/// Whether a link at `path` that says `target` leaves the worktree or enters `.git`. By words alone: a link
/// in the middle is judged where it stands.
fn leaves(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().filter(|c| matches!(c, Component::Normal(_))).count().saturating_sub(1);
    for component in target.components() {
        match component {
            Component::RootDir | Component::Prefix(_) => return true,
            Component::CurDir => {}
            Component::Normal(name) if is_git_dir(name) => return true,
            Component::Normal(_) => depth += 1,
            Component::ParentDir => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return true,
            },
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use proptest::{arbitrary::any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn entry<'a>(path: &'a str, kind: Kind<'a>) -> Entry<'a> {
        Entry { path: Path::new(path), ignored: Ignored::No, kind, base: None }
    }

    fn file(content: &str) -> Kind<'_> {
        Kind::File { size: content.len() as u64, content: content.as_bytes() }
    }

    fn row(path: &str, kind: Kind<'_>) -> String {
        match classify(&entry(path, kind)) {
            Choice::Keep => format!("{path}: keep\n"),
            Choice::Skip(reason) => format!("{path}: {reason}\n"),
        }
    }

    #[test]
    fn kinds_and_places() {
        let link = |to| Kind::Link(Path::new(to));
        let rows = [
            row("src/main.rs", file("fn main() {}")),
            row("big.bin", Kind::File { size: MAX_BYTES + 1, content: b"" }),
            row("big.bin", Kind::File { size: MAX_BYTES, content: b"" }),
            row("vendor/x", Kind::Repository),
            row("vendor/x/.GIT/config", file("")),
            row("a/GIT~1", file("")),
            row("../x", file("")),
            row("/etc/passwd", file("")),
            row("", file("")),
            row("fifo", Kind::Other),
            row("old.pem", Kind::Deleted),
            row("target/debug/deps/x", file("")),
            row("crates/a/target/CACHEDIR.TAG", file("")),
            row("target/x86_64-unknown-linux-gnu/release/x", file("")),
            row("src/target/mod.rs", file("")),
            row("web/node_modules/a/index.js", file("")),
            row("a/b.pyc", file("")),
            row("a/link", link("../b")),
            row("a/link", link("../../b")),
            row("a/link", link("c/../../../b")),
            row("link", link("/etc/passwd")),
            row("link", link(".git/config")),
        ];
        insta::assert_snapshot!(rows.concat(), @"
        src/main.rs: keep
        big.bin: 5242881 bytes; files over 5 MiB are not committed
        big.bin: keep
        vendor/x: a git repository of its own
        vendor/x/.GIT/config: a git repository of its own
        a/GIT~1: a git repository of its own
        ../x: outside the worktree
        /etc/passwd: outside the worktree
        : outside the worktree
        fifo: not a regular file
        old.pem: keep
        target/debug/deps/x: build output or a cache; `.gitignore` should name it
        crates/a/target/CACHEDIR.TAG: build output or a cache; `.gitignore` should name it
        target/x86_64-unknown-linux-gnu/release/x: build output or a cache; `.gitignore` should name it
        src/target/mod.rs: keep
        web/node_modules/a/index.js: build output or a cache; `.gitignore` should name it
        a/b.pyc: build output or a cache; `.gitignore` should name it
        a/link: keep
        a/link: a link out of the worktree
        a/link: a link out of the worktree
        link: a link out of the worktree
        link: a link out of the worktree
        ");
    }

    #[test]
    fn what_git_ignores_is_never_committed() {
        let entry = Entry { ignored: Ignored::Yes, ..entry("target/x", file("x")) };
        assert_eq!(classify(&entry), Choice::Skip(Reason::Ignored));
    }

    #[test]
    fn what_the_base_has_is_no_news() {
        let key = format!("-----BEGIN {}-----", "PRIVATE KEY");
        let with = |base| classify(&Entry { base, ..entry("tests/key.pem", file(&key)) });
        assert_eq!(with(None), Choice::Skip(Reason::SecretName));
        assert_eq!(with(Some(&b"empty"[..])), Choice::Skip(Reason::SecretContent("a private key")));
        assert_eq!(with(Some(format!("x{key}y").as_bytes())), Choice::Keep);
    }

    proptest! {
        #[test]
        fn any_bytes_are_classified(
            path in proptest::collection::vec(any::<u8>(), 0..40),
            target in proptest::collection::vec(any::<u8>(), 0..40),
            content in proptest::collection::vec(any::<u8>(), 0..400),
            base in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
            size in any::<u64>(),
            which in 0..5,
        ) {
            let kind = match which {
                0 => Kind::File { size, content: &content },
                1 => Kind::Link(Path::new(OsStr::from_bytes(&target))),
                2 => Kind::Repository,
                3 => Kind::Deleted,
                _ => Kind::Other,
            };
            let path = Path::new(OsStr::from_bytes(&path));
            let choice = classify(&Entry { path, ignored: Ignored::No, kind, base: base.as_deref() });
            let kept = choice == Choice::Keep;
            prop_assert!(!(kept && size > MAX_BYTES && which == 0));
            prop_assert!(!(kept && (which == 2 || which == 4)));
            prop_assert!(!(kept && path.is_absolute()));
        }

        #[test]
        fn a_kept_link_stays_below_the_top(target in "(\\.\\.|a|b|\\.)(/(\\.\\.|a|b|\\.)){0,6}") {
            let kept = classify(&entry("x/y/link", Kind::Link(Path::new(&target)))) == Choice::Keep;
            // The same walk over plain numbers: never above the top.
            let mut depth = 2_i32;
            let stays = target.split('/').all(|part| {
                depth += match part { ".." => -1, "." => 0, _ => 1 };
                depth >= 0
            });
            prop_assert_eq!(kept, stays);
        }
    }
}
