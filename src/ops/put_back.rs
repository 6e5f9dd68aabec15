//! Files of a branch as they are in another tree: what changed, also by renames, and a tree with some of it undone.
//!
//! Called by what takes changes back. Two processes of git, however many files there are. Paths are bytes: a tree may have
//! any. Invariant: what is chosen can be undone without what is left being in the way.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::domain::oid::Oid;
use crate::git::GitError;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::sys::fs;
use crate::sys::random;

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    path: Vec<u8>,
    /// Its mode and object before; None: it was not there.
    old: Option<(String, String)>,
    /// What it was called before.
    from: Option<Vec<u8>>,
}

impl Changed {
    /// The path as text: what is no UTF-8 is shown, and matched, with U+FFFD.
    pub(crate) fn path(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }
}

/// What differs between two trees, with what git takes for renamed.
pub(crate) fn changes(cx: &Ctx, base: &Oid, tree: &Oid) -> Result<Vec<Changed>, OpError> {
    let args = ["diff-tree", "-r", "-z", "-M", "--ignore-submodules=none", base.as_str(), tree.as_str()];
    let output = cx.repo.git(args).run()?.checked()?;
    Ok(parse(&output.stdout))
}

/// Reads `:<mode> <mode> <id> <id> <status>`, the path, and of a rename the new path.
fn parse(raw: &[u8]) -> Vec<Changed> {
    let mut fields = raw.split(|byte| *byte == 0);
    let mut found = Vec::new();
    while let (Some(head), Some(path)) = (fields.next(), fields.next()) {
        let head = String::from_utf8_lossy(head);
        let mut words = head.trim_start_matches(':').split(' ');
        let (mode, oid) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        let old = (mode != "000000").then(|| (mode.to_owned(), oid.to_owned()));
        found.push(Changed { path: path.to_owned(), old, from: None });
        if words.nth(1).is_some_and(|status| status.starts_with('R'))
            && let Some(new) = fields.next()
        {
            found.push(Changed { path: new.to_owned(), old: None, from: Some(path.to_owned()) });
        }
    }
    found
}

/// Of `all` those for which `is_meant` holds, with what they were called before, and with what can't be there at the same
/// time: of a directory that was a file, or the other way round, everything.
pub(crate) fn chosen(all: Vec<Changed>, is_meant: impl Fn(&str) -> bool) -> Vec<Changed> {
    let known: BTreeSet<Vec<u8>> = all.iter().map(|changed| changed.path.clone()).collect();
    // A file has nothing below it: what is known above a path is a file where the path is not there, and all below it is
    // one knot with it.
    let knot = |path: &[u8]| -> Vec<u8> {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        ends.map(|end| &path[..end]).find(|dir| known.contains(*dir)).unwrap_or(path).to_vec()
    };
    let meant = all.iter().filter(|changed| is_meant(&changed.path()));
    let mut knots: BTreeSet<Vec<u8>> = meant.map(|changed| knot(&changed.path)).collect();
    loop {
        let before = knots.len();
        for changed in &all {
            if let (Some(from), true) = (&changed.from, knots.contains(&knot(&changed.path))) {
                knots.insert(knot(from));
            }
        }
        if knots.len() == before {
            break;
        }
    }
    let is_chosen: Vec<bool> = all.iter().map(|changed| knots.contains(&knot(&changed.path))).collect();
    all.into_iter().zip(is_chosen).filter_map(|(changed, is)| is.then_some(changed)).collect()
}

/// The tree of `tip` with `files` as they were.
pub(crate) fn tree(cx: &Ctx, tip: &Oid, files: &[Changed]) -> Result<Oid, OpError> {
    let index: PathBuf = cx.file(&format!("revert-{}.index", random::bits40()));
    let made = tree_in(cx, tip, files, &index);
    fs::remove_file_if_there(&index)?;
    made
}

fn tree_in(cx: &Ctx, tip: &Oid, files: &[Changed], index: &std::path::Path) -> Result<Oid, OpError> {
    let git = |args: &[&str]| cx.repo.git(args).env("GIT_INDEX_FILE", index);
    git(&["read-tree", tip.as_str()]).run()?.checked()?;
    let lines = index_lines(files, cx.repo.oid_len());
    git(&["update-index", "-z", "--index-info"]).stdin(lines).run()?.checked()?;
    let written = git(&["write-tree"]).run()?.checked()?.text();
    Ok(Oid::parse(written.trim()).map_err(GitError::from)?)
}

/// What `update-index -z --index-info` reads: all goes before anything comes, or a file would be in a directory's way.
fn index_lines(files: &[Changed], digits: usize) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut line = |head: &str, path: &[u8]| {
        lines.extend_from_slice(head.as_bytes());
        lines.push(b'\t');
        lines.extend_from_slice(path);
        lines.push(0);
    };
    for file in files {
        line(&format!("0 {}", "0".repeat(digits)), &file.path);
    }
    for file in files {
        if let Some((mode, oid)) = &file.old {
            line(&format!("{mode} {oid}"), &file.path);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(path: &str, old: bool, from: Option<&str>) -> Changed {
        Changed {
            path: path.into(),
            old: old.then(|| ("100644".into(), "a".into())),
            from: from.map(Into::into),
        }
    }

    #[test]
    fn a_rename_is_two_files() {
        let raw =
            b":100644 100755 a b M\0m\xff\0:100644 100644 a b R090\0old\0new\0:000000 100644 0 b A\0added\0";
        let mut all = parse(raw);
        assert_eq!(all[0].path, b"m\xff");
        all.remove(0);
        let expected =
            [changed("old", true, None), changed("new", false, Some("old")), changed("added", false, None)];
        assert_eq!(all, expected);
    }

    #[test]
    fn what_is_chosen_brings_along_what_would_be_in_the_way() {
        let all = || {
            vec![
                changed("a", true, None),
                changed("a/x", false, Some("from")),
                changed("a/y", false, None),
                changed("ab", true, None),
                changed("d", false, None),
                changed("d/x", true, None),
                changed("from", true, None),
            ]
        };
        let of = |meant: &str| {
            chosen(all(), |path| path == meant).iter().map(Changed::path).collect::<Vec<_>>().join(" ")
        };
        let rows =
            ["a", "a/x", "a/y", "ab", "d", "from", "none"].map(|meant| format!("{meant}: {}", of(meant)));
        insta::assert_snapshot!(rows.join("\n"), @r"
        a: a a/x a/y from
        a/x: a a/x a/y from
        a/y: a a/x a/y from
        ab: ab
        d: d d/x
        from: from
        none:
        ");
    }
}
