//! Putting the small packs of our changes together, so that neither we nor the user's `git` slow down with their number.
//!
//! Called by `store` after a change, without its lock. `git pack-objects` finds the deltas. The new pack is complete,
//! checked and durable before an old one goes, in an order in which a reader always finds one of the two; a kill leaves
//! both. Which packs: as `git repack --geometric`, so that an object is written again only a logarithm of times.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::git::durable::KEEP;
use crate::git::error::GitError;
use crate::git::repo::Repo;
use crate::sys::clock::Clock;
use crate::sys::fs::{self, Durability, FsError};
use crate::sys::lock::FileLock;

/// Held while packs are put together.
const LOCK: &str = "pack.lock";
/// How long a reader waits for whoever holds it.
const PATIENCE: Duration = Duration::from_secs(30);
/// From this many packs of ours on they are put together. With the few large ones that stay there are never 40.
const MANY: usize = 24;
/// A pack is left alone if it is at least this many times as large as all smaller ones together.
const FACTOR: u64 = 3;

/// A pack of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Own {
    /// Its path without a suffix.
    stem: PathBuf,
    bytes: u64,
}

impl Own {
    fn file(&self, suffix: &str) -> PathBuf {
        self.stem.with_extension(suffix)
    }
}

impl Repo {
    fn pack_dir(&self) -> PathBuf {
        self.common_dir().join("objects/pack")
    }

    /// Packs of ours, smallest first. Those that were being written or removed when somebody was killed are not among
    /// them.
    fn own_packs(&self) -> Result<Vec<Own>, FsError> {
        let mut packs = Vec::new();
        for keep in self.own_keeps()? {
            let stem = keep.with_extension("");
            if fs::exists(&stem.with_extension("idx"))
                && let Some(bytes) = fs::size(&stem.with_extension("pack"))
            {
                packs.push(Own { stem, bytes });
            }
        }
        packs.sort_by_key(|pack| pack.bytes);
        Ok(packs)
    }

    fn own_keeps(&self) -> Result<Vec<PathBuf>, FsError> {
        let keeps = fs::list(&self.pack_dir())?.into_iter();
        let keeps = keeps.filter(|path| path.extension().is_some_and(|suffix| suffix == "keep"));
        // Git's own say `repack` and the like.
        Ok(keeps.filter(|keep| fs::read(keep).is_ok_and(|text| text == KEEP.as_bytes())).collect())
    }

    /// Puts packs of ours together if there are many and nobody else is at it. Says how many became one.
    pub fn pack_together(&self, durability: Durability) -> Result<usize, GitError> {
        if self.own_packs()?.len() < MANY {
            return Ok(0);
        }
        let Some(_lock) = FileLock::try_acquire(&self.orch_dir().join(LOCK))? else { return Ok(0) };
        let packs = self.own_packs()?;
        let chosen = packs.get(..chosen(&packs)).unwrap_or_default();
        if chosen.len() < 2 {
            return Ok(0);
        }
        let scratch = self.orch_dir().join("packing");
        // What is in there is of one that was killed.
        if fs::exists(&scratch) {
            fs::remove_dir_all(&scratch)?;
        }
        fs::create_dir_all(&scratch)?;
        self.clear_cut_off()?;
        let new = self.write_together(chosen, &scratch)?;
        self.publish(&new, durability)?;
        for pack in chosen {
            if pack.stem.file_name() != new.file_name() {
                remove(pack)?;
            }
        }
        fs::remove_dir_all(&scratch)?;
        Ok(chosen.len())
    }

    /// Removes packs that were being written or removed when their process was killed: they have no index, and nobody
    /// is at them, because whoever writes one holds `write.lock` or ours.
    fn clear_cut_off(&self) -> Result<(), FsError> {
        let Some(_lock) = FileLock::try_acquire(&self.orch_dir().join("write.lock"))? else { return Ok(()) };
        for keep in self.own_keeps()? {
            let stem = keep.with_extension("");
            if !fs::exists(&stem.with_extension("idx")) {
                remove(&Own { stem, bytes: 0 })?;
            }
        }
        Ok(())
    }

    /// One pack with everything that is in `packs`, below `scratch`; its path without a suffix.
    fn write_together(&self, packs: &[Own], scratch: &Path) -> Result<PathBuf, GitError> {
        let names: String = packs
            .iter()
            .filter_map(|pack| {
                pack.file("pack").file_name().map(|name| name.to_string_lossy().into_owned() + "\n")
            })
            .collect();
        let args = ["pack-objects", "--stdin-packs", "--delta-base-offset", "--threads=1", "--quiet"];
        let output = self.git(args).args([scratch.join("pack")]).stdin(names).run()?.checked()?;
        let stem = scratch.join(format!("pack-{}", output.text()));
        let new = self.index_of(&stem)?;
        for pack in packs {
            for entry in self.index_of(&pack.stem)?.iter() {
                if new.lookup(entry.oid).is_none() {
                    return Err(GitError::Missing { oid: entry.oid.to_string() });
                }
            }
        }
        Ok(stem)
    }

    fn index_of(&self, stem: &Path) -> Result<gix::odb::pack::index::File, GitError> {
        let path = stem.with_extension("idx");
        let tried = format!("read {}", path.display());
        gix::odb::pack::index::File::at(path, self.gix.object_hash()).map_err(GitError::gix(tried))
    }

    /// Moves the pack at `stem` to the others: what keeps it first, its index last.
    fn publish(&self, stem: &Path, durability: Durability) -> Result<(), GitError> {
        let dir = self.pack_dir();
        let to = |from: &Path| dir.join(from.file_name().unwrap_or_default());
        if durability == Durability::Commit {
            fs::sync_all(&[&stem.with_extension("pack"), &stem.with_extension("idx")])?;
        }
        fs::write_plain(&to(stem).with_extension("keep"), KEEP.as_bytes())?;
        for suffix in ["pack", "rev", "idx"] {
            let from = stem.with_extension(suffix);
            if fs::exists(&from) {
                fs::rename(&from, &to(&from))?;
            }
        }
        if durability == Durability::Commit {
            fs::sync_dir(&dir)?;
        }
        Ok(())
    }

    /// Reads again what was not found the first time, once nobody puts packs together: who lists the packs before the
    /// new one is there, and opens the old ones after they are gone, finds neither. With a fresh handle, because gix
    /// passes over packs when it reuses the slots of those that are gone.
    pub(super) fn past_packing<T>(
        &self,
        read: impl Fn(&gix::Repository) -> Result<T, GitError>,
    ) -> Result<T, GitError> {
        let first = match read(&self.gix) {
            Err(error @ (GitError::Missing { .. } | GitError::Gix { .. })) => error,
            other => return other,
        };
        let lock = self.orch_dir().join(LOCK);
        if !fs::exists(&lock) {
            return Err(first);
        }
        match FileLock::acquire(&lock, PATIENCE, Clock) {
            Ok(_lock) => read(&self.reopen()?.gix),
            Err(_) => Err(first),
        }
    }

    /// Makes packs of ours ordinary ones, which the user's `git gc` takes care of.
    pub fn release_packs(&self) -> Result<(), GitError> {
        for keep in self.own_keeps()? {
            fs::remove_file_if_there(&keep)?;
        }
        Ok(())
    }
}

/// Without its index nobody looks for anything in a pack; what keeps it goes last, so that a kill leaves nothing that
/// is not known for ours.
fn remove(pack: &Own) -> Result<(), FsError> {
    for suffix in ["idx", "rev", "pack", "keep"] {
        fs::remove_file_if_there(&pack.file(suffix))?;
    }
    Ok(())
}

/// How many of `packs`, smallest first, are put together.
fn chosen(packs: &[Own]) -> usize {
    let mut sum = 0_u64;
    let small = packs.iter().enumerate().take_while(|(n, pack)| {
        let goes = *n < 2 || pack.bytes < sum.saturating_mul(FACTOR);
        sum = sum.saturating_add(pack.bytes);
        goes
    });
    small.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sizes: &[u64]) -> Vec<Own> {
        sizes.iter().map(|&bytes| Own { stem: PathBuf::from("x"), bytes }).collect()
    }

    #[test]
    fn the_small_ones_go_together_and_a_large_one_stays() {
        assert_eq!(chosen(&of(&[])), 0);
        assert_eq!(chosen(&of(&[1, 900, 1000, 1000, 9000])), 4);
        assert_eq!(chosen(&of(&[10, 10, 10, 90])), 3);
        assert_eq!(chosen(&of(&[10, 10, 10, 89, 1000])), 4);
    }

    #[test]
    fn however_many_changes_there_are_the_packs_stay_few() {
        let (mut packs, mut written) = (Vec::new(), 0_u64);
        for n in 0..100_000_u64 {
            packs.push(10 + n % 7);
            packs.sort_unstable();
            if packs.len() >= MANY {
                let few = chosen(&of(&packs));
                let sum = packs.drain(..few).sum();
                written += sum;
                packs.push(sum);
                packs.sort_unstable();
            }
            assert!(packs.len() < 40);
        }
        assert!(written < 100_000 * 13 * 10, "each is written a few times: {written}");
    }
}
