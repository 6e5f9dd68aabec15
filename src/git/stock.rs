//! What the refs of ours cost: how many commits and bytes, and which of their objects lie loose.
//!
//! Called by `doctor` and `maintain`. What comes by a small fetch is loose: git's own `gc` counts it among the user's
//! objects, and every look for an object that is not there opens its directory. `pack_loose` makes one pack of it, with a
//! `.keep`, so that the user's `git gc` leaves it alone. The pack is complete and durable before the first loose object
//! goes; a kill leaves both. Refs that lead to the user's own commits (`backup/wip`, `backup/rewritten`) are left out: what they keep is not
//! ours.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::domain::oid::Oid;
use crate::git::durable::KEEP;
use crate::git::error::GitError;
use crate::git::repo::Repo;
use crate::sys::fs::{self, Durability};

/// Every ref of ours but those to the user's commits, as arguments of `git rev-list`.
const OURS: [&str; 3] =
    ["--exclude=refs/orch/backup/wip/*", "--exclude=refs/orch/backup/rewritten/*", "--glob=refs/orch/*"];

/// What a history and its newest tree cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Commits in the history.
    pub commits: usize,
    /// Bytes on disk of everything that our refs lead to.
    pub bytes: u64,
    /// Objects of ours that lie loose.
    pub loose: usize,
    /// Packs of ours.
    pub packs: usize,
    /// The path of the newest tree's largest file, with its size.
    pub largest: Option<(String, u64)>,
    /// The path of the newest tree's widest directory, with the number of its entries.
    pub widest: Option<(String, usize)>,
}

impl Repo {
    /// What the history up to `tip`, and all that our refs lead to, cost.
    pub fn stock(&self, tip: &Oid) -> Result<Stock, GitError> {
        let number = |text: String| text.trim().parse().unwrap_or(0);
        let commits = self.run_git(["rev-list", "--count", tip.as_str()])?.text();
        let usage = ["rev-list", "--disk-usage", "--objects"].into_iter().chain(OURS);
        let bytes = self.run_git(usage)?.text().trim().parse().unwrap_or(0);
        let listed = self.run_git(["ls-tree", "-r", "-t", "-l", "-z", "--full-tree", tip.as_str()])?;
        let (largest, widest) = extremes(&String::from_utf8_lossy(&listed.stdout));
        let (loose, packs) = (self.loose_of_ours()?.len(), self.packs_of_ours()?);
        Ok(Stock { commits: number(commits), bytes, loose, packs, largest, widest })
    }

    fn packs_of_ours(&self) -> Result<usize, GitError> {
        let dir = self.common_dir().join("objects/pack");
        let keeps = fs::list(&dir)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "keep"));
        Ok(keeps.filter(|path| fs::read(path).is_ok_and(|text| text == KEEP.as_bytes())).count())
    }

    /// The objects of ours that lie loose, each with its file and with the line that `git pack-objects` wants for it.
    fn loose_of_ours(&self) -> Result<Vec<(PathBuf, String)>, GitError> {
        let objects = self.common_dir().join("objects");
        let mut loose: BTreeMap<String, PathBuf> = BTreeMap::new();
        for dir in fs::list(&objects)?.into_iter().filter(|dir| dir.is_dir()) {
            let Some(shard) = dir.file_name().and_then(|name| name.to_str()) else { continue };
            if shard.len() != 2 {
                continue;
            }
            for file in fs::list(&dir)? {
                let Some(rest) = file.file_name().and_then(|name| name.to_str()) else { continue };
                loose.insert(format!("{shard}{rest}"), file);
            }
        }
        if loose.is_empty() {
            return Ok(Vec::new());
        }
        let listed = self.run_git(["rev-list", "--objects"].into_iter().chain(OURS))?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let mut found = Vec::new();
        for line in listed.lines() {
            let oid = line.split(' ').next().unwrap_or_default();
            found.extend(loose.remove(oid).map(|file| (file, line.to_owned())));
        }
        Ok(found)
    }

    /// How many objects of ours lie loose.
    pub fn loose(&self) -> Result<usize, GitError> {
        Ok(self.loose_of_ours()?.len())
    }

    /// Makes one pack of the objects of ours that lie loose; says how many these were.
    pub fn pack_loose(&self, durability: Durability) -> Result<usize, GitError> {
        let loose = self.loose_of_ours()?;
        if loose.is_empty() {
            return Ok(0);
        }
        let fsync = match durability {
            Durability::Commit => "core.fsync=all",
            Durability::None => "core.fsync=none",
        };
        let lines: Vec<&str> = loose.iter().map(|(_, line)| line.as_str()).collect();
        let base = self.common_dir().join("objects/pack/pack");
        let pack = self.git(["-c", fsync, "pack-objects", "--quiet"]).args([&base]).stdin(lines.join("\n"));
        let name = pack.run()?.checked()?.text();
        let keep = base.with_file_name(format!("pack-{}.keep", name.trim()));
        fs::write_atomic(&keep, KEEP.as_bytes(), 0o444, durability)?;
        // Whoever opens the repository now finds the pack; whoever has it open looks again.
        let again = self.reopen()?;
        let mut gone = 0;
        for (file, line) in loose {
            let oid = Oid::parse(line.split(' ').next().unwrap_or_default())?;
            if again.has_object(&oid) && fs::remove_file_if_there(&file)? {
                gone += 1;
            }
        }
        Ok(gone)
    }
}

type Extremes = (Option<(String, u64)>, Option<(String, usize)>);

/// The largest file and the widest directory in what `git ls-tree -r -t -l -z` prints.
fn extremes(listed: &str) -> Extremes {
    let (mut largest, mut widths): (Option<(String, u64)>, BTreeMap<&str, usize>) = (None, BTreeMap::new());
    for line in listed.split('\0') {
        let Some((facts, path)) = line.split_once('\t') else { continue };
        let size = facts.split_whitespace().next_back().and_then(|size| size.parse::<u64>().ok());
        if let Some(size) = size.filter(|size| largest.as_ref().is_none_or(|(_, largest)| largest < size)) {
            largest = Some((path.to_owned(), size));
        }
        *widths.entry(path.rsplit_once('/').map_or("", |(dir, _)| dir)).or_default() += 1;
    }
    let widest = widths.into_iter().max_by_key(|(_, entries)| *entries);
    (largest, widest.map(|(dir, entries)| (format!("{dir}/"), entries)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_and_the_widest_are_found() {
        let listed = "100644 blob a      7\tmeta.toml\x00040000 tree b       -\ttasks\x00\
                      040000 tree c       -\ttasks/7k\x00100644 blob d     900\ttasks/7k/a\x00\
                      100644 blob e      3\ttasks/7k/b\x00100644 blob f      3\ttasks/7k/c\x00";
        assert_eq!(extremes(listed), (Some(("tasks/7k/a".into(), 900)), Some(("tasks/7k/".into(), 3))));
        assert_eq!(extremes(""), (None, None));
    }
}
