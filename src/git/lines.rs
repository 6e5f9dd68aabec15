//! The lines that a change adds and removes, per file: what guardrails are held against.
//!
//! `git` says which files change and which are renamed; their content is read and compared in process. So nothing that a
//! branch can bring along decides what is seen: no attribute that calls a text binary, no filter, no external diff, and
//! no path that looks like a line of a patch. A text is what has no NUL where git looks for one.

use std::path::Path;

use imara_diff::{Algorithm, Diff, InternedInput};

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::repo::Repo;
use crate::policy::ChangeKind;
use crate::policy::guardrail::{Change, Line};
use crate::sys::env::var;

/// A longer line is cut: nobody wrote it.
const LINE: usize = 64 << 10;
/// A larger file counts as binary: nobody reads it.
const FILE: usize = 16 << 20;
/// The most bytes of lines that are kept, with what each line costs besides its text.
const TOTAL: usize = 64 << 20;
const PER_LINE: usize = 48;
/// Where git looks for a NUL.
const LOOKED_AT: usize = 8000;
/// The modes of directories in a superproject (submodules) have no content here.
const SUBMODULE: &str = "160000";

/// Why the lines of a change can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// git failed, or an object can't be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The change is too large to be held in memory.
    #[error("the change has more than {limit} bytes of lines, at {path}")]
    TooMuch {
        /// The file with which it became too much.
        path: String,
        /// How many there may be.
        limit: usize,
    },
}

/// One record of `--raw`.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    /// None: there is nothing on this side, or a submodule.
    old: Option<Oid>,
    new: Option<Oid>,
    path: String,
    kind: ChangeKind,
}

/// One side of a file.
struct Content {
    size: u64,
    /// None: it is binary.
    text: Option<Vec<u8>>,
}

impl Repo {
    /// The lines that the tree of `new` adds to, and removes from, that of `base`.
    pub fn line_changes(&self, base: &Oid, new: &Oid) -> Result<Vec<Change>, LinesError> {
        let command = self.git(["diff-tree", "-r", "-M", "--raw", "--no-abbrev", "-z"]);
        let output = command.args([base.as_str(), new.as_str()]).run().map_err(GitError::from)?;
        self.lines_of(&parse(&output.checked().map_err(GitError::from)?.stdout)?)
    }

    /// The same for what a commit made from `index` would change.
    pub fn index_line_changes(&self, base: &Oid, index: &Path) -> Result<Vec<Change>, LinesError> {
        let command = self.git(["diff-index", "--cached", "-M", "--raw", "--no-abbrev", "-z"]);
        let command = command.args([base.as_str(), "--"]).env(var::GIT_INDEX_FILE, index);
        let output = command.run().map_err(GitError::from)?;
        self.lines_of(&parse(&output.checked().map_err(GitError::from)?.stdout)?)
    }

    fn lines_of(&self, records: &[Record]) -> Result<Vec<Change>, LinesError> {
        let mut left = TOTAL;
        let mut changes = Vec::new();
        for record in records {
            let change = self.change(record, &mut left)?;
            let too_much = || LinesError::TooMuch { path: record.path.clone(), limit: TOTAL };
            changes.push(change.ok_or_else(too_much)?);
        }
        Ok(changes)
    }

    /// What a record does. None: there is no room for its lines.
    fn change(&self, record: &Record, left: &mut usize) -> Result<Option<Change>, GitError> {
        let same = record.old == record.new;
        let (old, new) = (self.side(record.old.as_ref(), same)?, self.side(record.new.as_ref(), same)?);
        let mut change = Change {
            path: record.path.clone(),
            kind: record.kind.clone(),
            added: Vec::new(),
            removed: Vec::new(),
            binary: new.text.is_none(),
            size: new.size,
            old_size: old.size,
        };
        let (old, new) = (old.text.unwrap_or_default(), new.text.unwrap_or_default());
        Ok(compare(&old, &new, left).map(|(removed, added)| {
            (change.removed, change.added) = (removed, added);
            change
        }))
    }

    /// One side of a file. If both are the `same`, only its size is asked for.
    fn side(&self, oid: Option<&Oid>, same: bool) -> Result<Content, GitError> {
        let Some(oid) = oid else { return Ok(Content { size: 0, text: Some(Vec::new()) }) };
        let limit = if same { 0 } else { FILE };
        Ok(match self.blob_within(oid, limit)? {
            Ok(bytes) => {
                let binary = bytes.iter().take(LOOKED_AT).any(|byte| *byte == 0);
                let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                Content { size, text: (!binary).then_some(bytes) }
            }
            Err(size) => Content { size, text: same.then(Vec::new) },
        })
    }
}

/// Reads `--raw --no-abbrev -z`.
fn parse(bytes: &[u8]) -> Result<Vec<Record>, GitError> {
    let text = String::from_utf8_lossy(bytes);
    let mut fields = text.split('\0').filter(|field| !field.is_empty());
    let mut records = Vec::new();
    while let Some(field) = fields.next() {
        let malformed = || GitError::Malformed { path: "git diff".into(), what: format!("`{field}`") };
        let parts: Vec<&str> = field.strip_prefix(':').ok_or_else(malformed)?.split(' ').collect();
        let [old_mode, new_mode, old, new, letter] = parts[..] else { return Err(malformed()) };
        let mut path = || fields.next().map(str::to_owned).ok_or_else(malformed);
        let first = path()?;
        let (path, kind) = match letter.chars().next() {
            Some('A') => (first, ChangeKind::Added),
            Some('D') => (first, ChangeKind::Deleted),
            Some('R') => (path()?, ChangeKind::Renamed { from: first }),
            Some('C') => (path()?, ChangeKind::Added),
            Some(_) => (first, ChangeKind::Modified),
            None => return Err(malformed()),
        };
        let side = |mode: &str, oid: &str| {
            let nothing = mode == SUBMODULE || oid.bytes().all(|byte| byte == b'0');
            if nothing { Ok(None) } else { Oid::parse(oid).map(Some) }
        };
        records.push(Record { old: side(old_mode, old)?, new: side(new_mode, new)?, path, kind });
    }
    Ok(records)
}

/// The lines of a text without their ends. Which end a line has, and whether the last one has any, is no difference.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let none = usize::from(text.is_empty());
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.split(|byte| *byte == b'\n').skip(none).map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The lines that are removed and added. None: there are more than there is room `left` for.
fn compare(old: &[u8], new: &[u8], left: &mut usize) -> Option<(Vec<Line>, Vec<Line>)> {
    let mut input: InternedInput<&[u8]> = InternedInput::default();
    input.update_before(lines(old));
    input.update_after(lines(new));
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    for hunk in diff.hunks() {
        for (tokens, range, list) in
            [(&input.before, hunk.before, &mut removed), (&input.after, hunk.after, &mut added)]
        {
            for at in range {
                let token = tokens.get(usize::try_from(at).ok()?)?;
                list.push(line(at, input.interner[*token], left)?);
            }
        }
    }
    Some((removed, added))
}

fn line(at: u32, bytes: &[u8], left: &mut usize) -> Option<Line> {
    let bytes = &bytes[..bytes.len().min(LINE)];
    *left = left.checked_sub(bytes.len() + PER_LINE)?;
    Some(Line { number: at.checked_add(1)?, text: String::from_utf8_lossy(bytes).into_owned() })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::git::world::World;
    use crate::sys::fs;

    fn between(world: &World, base: &Oid, new: &Oid) -> String {
        shown(&world.repo().line_changes(base, new).unwrap())
    }

    fn shown(changes: &[Change]) -> String {
        let mut text = String::new();
        for c in changes {
            let binary = if c.binary { " binary" } else { "" };
            writeln!(text, "{:?} {:?} {}>{}{binary}", c.path, c.kind, c.old_size, c.size).unwrap();
            for (sign, lines) in [('-', &c.removed), ('+', &c.added)] {
                for line in lines {
                    writeln!(text, "  {sign}{} {}", line.number, line.text).unwrap();
                }
            }
        }
        text
    }

    #[test]
    fn lines_have_the_numbers_of_their_own_side() {
        for format in ["sha1", "sha256"] {
            let world = World::new(format);
            world.write("a", "1\n2\n3\n4\n5\n");
            world.write("gone", "x\n");
            let base = world.commit();
            world.write("a", "0\n1\n2\nthree\n4\n");
            world.write("new", "y\nz");
            fs::remove_file(&world.dir.path().join("gone")).unwrap();
            let new = world.commit();
            let expected = "\"a\" Modified 10>14\n  -3 3\n  -5 5\n  +1 0\n  +4 three\n\
                \"gone\" Deleted 2>0\n  -1 x\n\"new\" Added 0>3\n  +1 y\n  +2 z\n";
            assert_eq!(between(&world, &base, &new), expected, "{format}");
        }
    }

    #[test]
    fn the_end_of_a_line_is_no_difference() {
        let world = World::new("sha1");
        world.write("crlf", "1\n2\n");
        world.write("last", "1\n2");
        world.write("empty", "");
        let base = world.commit();
        world.write("crlf", "1\r\n2\r\n");
        world.write("last", "1\n2\n3");
        world.write("empty", "\n");
        let new = world.commit();
        let expected =
            "\"crlf\" Modified 4>6\n\"empty\" Modified 0>1\n  +1 \n\"last\" Modified 3>5\n  +3 3\n";
        assert_eq!(between(&world, &base, &new), expected);
    }

    #[test]
    fn paths_come_as_they_are() {
        let world = World::new("sha1");
        let base = world.commit();
        let names = ["a b", "tab\there", "quote\"d", "ü/ö", "line\ndiff --git a/x b/x\n@@ -1 +1 @@\n+x"];
        for name in names {
            world.write(name, "1\n");
        }
        let new = world.commit();
        let changes = world.repo().line_changes(&base, &new).unwrap();
        let mut paths: Vec<&str> = changes.iter().map(|c| c.path.as_str()).collect();
        paths.sort_by_key(|path| names.iter().position(|name| name == path));
        assert_eq!(paths, names);
        assert!(changes.iter().all(|c| c.added.len() == 1));
    }

    #[test]
    fn a_rename_has_only_the_lines_that_differ() {
        let world = World::new("sha1");
        let text: String = (0..50).map(|n| n.to_string() + "\n").collect();
        world.write("old name", &text);
        world.write("mode", "x\n");
        world.write("bin", b"\0\x01");
        let base = world.commit();
        world.git(&["mv", "old name", "new name"]);
        world.git(&["mv", "bin", "tool"]);
        world.git(&["update-index", "--chmod=+x", "mode"]);
        world.write("new name", text.replace("7\n8\n", "7\neight\n8\n"));
        world.git(&["add", "new name"]);
        world.git(&["commit", "--quiet", "-m", "x"]);
        let new = Oid::parse(&world.git(&["rev-parse", "HEAD"])).unwrap();
        let expected = "\"mode\" Modified 2>2\n\"new name\" Renamed { from: \"old name\" } 140>146\n  +9 eight\n\
            \"tool\" Renamed { from: \"bin\" } 2>2\n";
        assert_eq!(between(&world, &base, &new), expected);
    }

    #[test]
    fn attributes_hide_no_text_and_make_none() {
        let world = World::new("sha1");
        let base = world.commit();
        world.write(".gitattributes", "*.rs binary\n*.ts -diff\n*.py filter=x diff=x\n*.bin text diff\n");
        for name in ["a.rs", "a.ts", "a.py"] {
            world.write(name, "1\n");
        }
        world.write("a.bin", b"1\n\0");
        world.git(&["config", "diff.x.textconv", "false"]);
        world.git(&["config", "diff.x.command", "false"]);
        let new = world.commit();
        let text = between(&world, &base, &new);
        assert_eq!(text.matches("  +1 1\n").count(), 3, "{text}");
        assert!(text.contains("\"a.bin\" Added 0>3 binary\n"), "{text}");
    }

    #[test]
    fn links_submodules_and_what_changes_its_type() {
        let world = World::new("sha1");
        world.write("a", "1\n");
        world.write("b", "2\n");
        let base = world.commit();
        fs::remove_file(&world.dir.path().join("a")).unwrap();
        std::os::unix::fs::symlink("target", world.dir.path().join("a")).unwrap();
        world.git(&["add", "a"]);
        world.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{base},sub")]);
        world.git(&["update-index", "--cacheinfo", &format!("160000,{base},b")]);
        world.git(&["commit", "--quiet", "-m", "x"]);
        let new = Oid::parse(&world.git(&["rev-parse", "HEAD"])).unwrap();
        let expected =
            "\"a\" Modified 2>6\n  -1 1\n  +1 target\n\"b\" Modified 2>0\n  -1 2\n\"sub\" Added 0>0\n";
        assert_eq!(between(&world, &base, &new), expected);
    }

    #[test]
    fn an_index_is_read_as_the_commit_that_it_would_make() {
        let world = World::new("sha1");
        world.write("a", "1\n");
        let base = world.commit();
        world.write("a", "1\n2\n");
        world.git(&["add", "a"]);
        world.write("a", "1\n2\nnot staged\n");
        let repo = world.repo();
        let index = repo.git_dir().join("index");
        let changes = repo.index_line_changes(&base, &index).unwrap();
        assert_eq!(shown(&changes), "\"a\" Modified 2>4\n  +2 2\n");
    }

    #[test]
    fn long_lines_are_cut_and_too_many_are_an_error() {
        let mut left = TOTAL;
        let (_, added) = compare(b"", "é".repeat(LINE).as_bytes(), &mut left).unwrap();
        assert_eq!(added[0].text.len(), LINE);
        assert_eq!(left, TOTAL - LINE - PER_LINE);
        let mut left = 3 * (PER_LINE + 1);
        assert!(compare(b"", b"1\n2\n3\n", &mut left).is_some() && left == 0);
        assert!(compare(b"", b"1\n", &mut left).is_none());
        assert!(compare(b"1\n", b"", &mut left).is_none(), "removed lines take room, too");
        assert!(compare(b"1\n", b"1\n", &mut left).is_some());
    }

    #[test]
    fn a_large_file_counts_as_binary() {
        let world = World::new("sha1");
        let base = world.commit();
        world.write("large", vec![b'x'; FILE + 1]);
        let new = world.commit();
        assert_eq!(between(&world, &base, &new), format!("\"large\" Added 0>{} binary\n", FILE + 1));
    }

    proptest::proptest! {
        #[test]
        fn what_is_added_and_what_stays_is_the_new_text(
            old in "([ab]{0,2}\n){0,12}",
            new in "([ab]{0,2}\n){0,12}",
        ) {
            let (removed, added) = compare(old.as_bytes(), new.as_bytes(), &mut TOTAL.clone()).unwrap();
            let stays = |text: &str, changed: &[Line]| {
                let numbered = (1u32..).zip(text.lines());
                let kept = numbered.filter(|(n, _)| !changed.iter().any(|line| line.number == *n));
                kept.map(|(_, line)| line.to_owned()).collect::<Vec<_>>()
            };
            proptest::prop_assert_eq!(stays(&old, &removed), stays(&new, &added));
            for (text, changed) in [(&old, &removed), (&new, &added)] {
                for line in changed {
                    let at = usize::try_from(line.number).unwrap() - 1;
                    proptest::prop_assert_eq!(text.lines().nth(at), Some(line.text.as_str()));
                }
            }
        }
    }
}
