//! Putting the small packs of our changes together, so that neither we nor the user's `git` slow down with their number.
//!
//! Called by `store` after a change, without its lock. In two steps: the packs of some twenty changes are joined in
//! process; once they have become a few large ones, `git pack-objects` packs these better, as `git repack --geometric`
//! chooses them, so that an object is written again only a logarithm of times. The new pack is complete and durable
//! before an old one goes, in an order in which a reader always finds one of the two; a kill leaves both. Lock order:
//! `flush.lock`, `repack.lock`, `pack.lock`; the first is only tried for by who has the last.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::git::durable::{KEEP, TEMPORARY};
use crate::git::error::GitError;
use crate::git::join::join;
use crate::git::repo::Repo;
use crate::sys::clock::Clock;
use crate::sys::failpoint::{self, Point};
use crate::sys::fs::{self, Durability, FsError};
use crate::sys::lock::FileLock;

/// Held while names of packs change: while small ones are put together, and while a large one takes its place.
const LOCK: &str = "pack.lock";
/// Held while large packs are put together, which takes long.
const LARGE_LOCK: &str = "repack.lock";
/// Up to so many objects are compared anew when large packs are put together: some seconds.
const AFRESH: u64 = 50_000;
/// How those are compared. git does not compare objects that lie in one pack already, and `join` looked for few deltas.
const COMPARED: [&str; 4] = ["--no-reuse-delta", "--no-reuse-object", "--window=50", "--depth=50"];
/// How packs whose objects were compared become one: deltas stay. Chains may be longer, or what is whole in one of them
/// could not become a delta of what is in another.
const MERGED: [&str; 2] = ["--window=50", "--depth=250"];
/// How long is waited for whoever holds one.
const PATIENCE: Duration = Duration::from_secs(30);
/// A pack with fewer objects is small.
const SMALL: u64 = 1000;
/// From this many packs of ours on the small ones among them are put together.
const MANY: usize = 30;
/// From this many large packs on they are put together.
const MANY_LARGE: usize = 6;
/// With so many packs of ours no change makes another before small ones are put together: there are never 40.
const FULL: usize = 36;
/// A large pack is left alone if it is at least this many times as large as all smaller ones together.
const FACTOR: u64 = 3;

/// A pack of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Own {
    /// Its path without a suffix.
    stem: PathBuf,
    objects: u64,
    bytes: u64,
}

/// How pressing it is to put packs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// There are few.
    NotYet,
    /// Somebody should, when it suits.
    Due,
    /// Before there is another one.
    Pressing,
}

impl Own {
    fn file(&self, suffix: &str) -> PathBuf {
        self.stem.with_extension(suffix)
    }
}

impl Repo {
    /// Packs of ours, smallest first. Those that were being written or removed when somebody was killed are not among
    /// them.
    fn own_packs(&self) -> Result<Vec<Own>, FsError> {
        let mut packs = Vec::new();
        for keep in self.own_keeps()? {
            let stem = keep.with_extension("");
            if let Some(index) = fs::size(&stem.with_extension("idx"))
                && let Some(bytes) = fs::size(&stem.with_extension("pack"))
            {
                let objects = objects_of(index, self.oid_len() / 2);
                packs.push(Own { stem, objects, bytes });
            }
        }
        packs.sort_by_key(|pack| pack.bytes);
        Ok(packs)
    }

    /// Files that keep a pack, be they ours or git's.
    fn keeps(&self) -> Result<Vec<PathBuf>, FsError> {
        let names = fs::list(&self.pack_dir())?.into_iter();
        Ok(names.filter(|path| path.extension().is_some_and(|suffix| suffix == "keep")).collect())
    }

    fn own_keeps(&self) -> Result<Vec<PathBuf>, FsError> {
        // Git's own say `repack` and the like.
        let ours = |keep: &PathBuf| fs::read(keep).is_ok_and(|text| text == KEEP.as_bytes());
        Ok(self.keeps()?.into_iter().filter(ours).collect())
    }

    /// How pressing it is to put packs of ours together. Costs one look at a directory as long as there are few.
    pub fn packing(&self) -> Result<Packing, GitError> {
        let keeps = self.keeps()?.len();
        if keeps < MANY {
            return Ok(Packing::NotYet);
        }
        let ours = if keeps < FULL { 0 } else { self.own_packs()?.len() };
        Ok(if ours < FULL { Packing::Due } else { Packing::Pressing })
    }

    /// Puts packs of ours together if there are many and nobody else is at it. Says how many are gone.
    pub fn pack_together(&self, durability: Durability) -> Result<usize, GitError> {
        let Some(lock) = FileLock::try_acquire(&self.orch_dir().join(LOCK))? else { return Ok(0) };
        let small = self.join_small(MANY - MANY_LARGE, durability, &lock)?;
        drop(lock);
        Ok(small + self.repack_large(MANY_LARGE, durability)?)
    }

    /// Puts small packs together, waiting for whoever is at it: for who may not make another one before.
    pub fn make_room(&self, durability: Durability) -> Result<(), GitError> {
        let lock = FileLock::acquire(&self.orch_dir().join(LOCK), PATIENCE, Clock)?;
        self.join_small(2, durability, &lock).map(drop)
    }

    /// Puts packs of ours together as far as many more changes would. For who wants to see what is left then.
    pub fn pack_down(&self, durability: Durability) -> Result<(), GitError> {
        self.make_room(durability)?;
        let _large = FileLock::acquire(&self.orch_dir().join(LARGE_LOCK), PATIENCE, Clock)?;
        let packs = self.own_packs()?;
        match packs.get(..chosen(&packs)) {
            Some(chosen) if chosen.len() > 1 => self.repack(chosen, AFRESH, durability),
            Some(_) | None => Ok(()),
        }
    }

    /// Makes one of all small packs if there are at least `many`.
    fn join_small(&self, many: usize, durability: Durability, _lock: &FileLock) -> Result<usize, GitError> {
        self.clear_cut_off()?;
        let small: Vec<Own> = self.own_packs()?.into_iter().filter(|pack| pack.objects < SMALL).collect();
        if small.len() < many {
            return Ok(0);
        }
        let stems: Vec<&Path> = small.iter().map(|pack| pack.stem.as_path()).collect();
        // One of another program's making is left for `git pack-objects`.
        let Some(joined) = join(&stems, self.gix.object_hash())? else { return Ok(0) };
        self.persist_pack(&joined, durability)?;
        failpoint::at(Point::PacksJoined);
        let name = format!("pack-{}", joined.name);
        remove_all(&small, &name)?;
        Ok(small.len())
    }

    fn repack_large(&self, many: usize, durability: Durability) -> Result<usize, GitError> {
        let is_large = |pack: &Own| pack.objects >= SMALL;
        if self.own_packs()?.into_iter().filter(is_large).count() < many {
            return Ok(0);
        }
        let Some(_lock) = FileLock::try_acquire(&self.orch_dir().join(LARGE_LOCK))? else { return Ok(0) };
        let packs: Vec<Own> = self.own_packs()?.into_iter().filter(is_large).collect();
        let chosen = packs.get(..chosen(&packs)).unwrap_or_default();
        if packs.len() < many || chosen.len() < 2 {
            return Ok(0);
        }
        self.repack(chosen, AFRESH, durability)?;
        Ok(chosen.len())
    }

    /// Makes one of `packs`, smallest first, by `git pack-objects`, which finds deltas that `join` does not look for. If
    /// they have more objects than `most`, the small ones are compared by themselves before the large ones get them:
    /// what was not compared by then would never be.
    fn repack(&self, packs: &[Own], most: u64, durability: Durability) -> Result<(), GitError> {
        let (young, old) = packs.split_at(young(packs, most));
        let mut left = old.to_vec();
        if !young.is_empty() {
            left.push(self.replace(young, &COMPARED, durability)?);
        }
        if left.len() > 1 { self.replace(&left, &MERGED, durability).map(drop) } else { Ok(()) }
    }

    /// Puts one pack in the place of `packs`. Only what changes names of packs is done under the lock that others wait
    /// for.
    fn replace(&self, packs: &[Own], how: &[&str], durability: Durability) -> Result<Own, GitError> {
        let scratch = self.orch_dir().join("packing");
        // What is in there is of one that was killed.
        if fs::exists(&scratch) {
            fs::remove_dir_all(&scratch)?;
        }
        fs::create_dir_all(&scratch)?;
        let new = self.write_together(packs, how, &scratch)?;
        let lock = FileLock::acquire(&self.orch_dir().join(LOCK), PATIENCE, Clock)?;
        let stem = self.publish(&new, durability)?;
        remove_all(packs, &new.file_name().unwrap_or_default().to_string_lossy())?;
        drop(lock);
        fs::remove_dir_all(&scratch)?;
        let bytes = fs::size(&stem.with_extension("pack")).unwrap_or(0);
        Ok(Own { stem, objects: packs.iter().map(|pack| pack.objects).sum(), bytes })
    }

    /// Removes packs that were being written or removed when their process was killed:
    /// they have a temporary name or no index, and nobody is at them, because whoever writes one
    /// holds `flush.lock` or `pack.lock`, which the caller has.
    fn clear_cut_off(&self) -> Result<(), FsError> {
        let Some(_lock) = FileLock::try_acquire(&self.orch_dir().join("flush.lock"))? else { return Ok(()) };
        for keep in self.own_keeps()? {
            let stem = keep.with_extension("");
            if !fs::exists(&stem.with_extension("idx")) {
                remove(&Own { stem, objects: 0, bytes: 0 })?;
            }
        }
        let is_ours = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY))
        };
        for file in fs::list(&self.pack_dir())?.iter().filter(|path| is_ours(path)) {
            fs::remove_file_if_there(file)?;
        }
        Ok(())
    }

    /// One pack with everything that is in `packs`, below `scratch`; its path without a suffix.
    fn write_together(&self, packs: &[Own], how: &[&str], scratch: &Path) -> Result<PathBuf, GitError> {
        let names: String = packs
            .iter()
            .filter_map(|pack| {
                pack.file("pack").file_name().map(|name| name.to_string_lossy().into_owned() + "\n")
            })
            .collect();
        let args = ["pack-objects", "--stdin-packs", "--delta-base-offset", "--threads=1", "--quiet"];
        let git = self.git(args).args(how).args([scratch.join("pack")]);
        let output = git.stdin(names).run()?.checked()?;
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

    /// Moves the pack at `stem` to the others: what keeps it first, its index last. Says where it is then.
    fn publish(&self, stem: &Path, durability: Durability) -> Result<PathBuf, GitError> {
        let dir = self.pack_dir();
        let to = |from: &Path| dir.join(from.file_name().unwrap_or_default());
        if durability == Durability::Commit {
            fs::sync_all(&[&stem.with_extension("pack"), &stem.with_extension("idx")])?;
        }
        self.keep_pack(&to(stem).with_extension("keep"))?;
        for suffix in ["pack", "rev", "idx"] {
            let from = stem.with_extension(suffix);
            if fs::exists(&from) {
                fs::rename(&from, &to(&from))?;
            }
        }
        if durability == Durability::Commit {
            fs::sync_dir(&dir)?;
        }
        Ok(to(stem))
    }

    /// Reads again what was not found the first time, in the packs that are there now, and then once nobody puts packs
    /// together: who lists the packs before the new one is there, and opens the old ones after they are gone, finds
    /// neither.
    pub(super) fn past_packing<T>(
        &self,
        read: impl Fn(&gix::Repository) -> Result<T, GitError>,
    ) -> Result<T, GitError> {
        let again = |result: &Result<T, GitError>| {
            matches!(result, Err(GitError::Missing { .. } | GitError::Gix { .. }))
        };
        let first = read(&self.reader.borrow());
        if !again(&first) {
            return first;
        }
        self.renew()?;
        let second = read(&self.reader.borrow());
        let lock = self.orch_dir().join(LOCK);
        if !again(&second) || !fs::exists(&lock) {
            return second;
        }
        let Ok(_lock) = FileLock::acquire(&lock, PATIENCE, Clock) else { return second };
        self.renew()?;
        read(&self.reader.borrow())
    }

    /// Makes packs of ours ordinary ones, which the user's `git gc` takes care of.
    pub fn release_packs(&self) -> Result<(), GitError> {
        for keep in self.own_keeps()? {
            fs::remove_file_if_there(&keep)?;
        }
        Ok(())
    }
}

/// How many objects a pack has by the size of its index: a header, 256 numbers, two checksums, and for each object its
/// id and two numbers.
fn objects_of(index: u64, id: usize) -> u64 {
    let id = u64::try_from(id).unwrap_or(32);
    index.saturating_sub(8 + 256 * 4 + 2 * id) / (id + 8)
}

/// Without its index nobody looks for anything in a pack; what keeps it goes last, so that a kill leaves nothing that
/// is not known for ours.
fn remove(pack: &Own) -> Result<(), FsError> {
    for suffix in ["idx", "rev", "pack", "keep"] {
        fs::remove_file_if_there(&pack.file(suffix))?;
        failpoint::at(Point::PacksHalfGone);
    }
    Ok(())
}

/// Removes what a pack named `but` replaces.
fn remove_all(packs: &[Own], but: &str) -> Result<(), FsError> {
    packs.iter().filter(|pack| pack.stem.file_name().is_none_or(|name| name != but)).try_for_each(remove)
}

/// How many of `packs`, smallest first, have no more objects than `most` together.
fn young(packs: &[Own], most: u64) -> usize {
    let mut sum = 0_u64;
    let few = packs.iter().take_while(|pack| {
        sum = sum.saturating_add(pack.objects);
        sum <= most
    });
    few.count()
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
    use crate::domain::oid::Oid;
    use crate::git::pack::Pack;
    use crate::git::world::World;

    /// A pack of ours with these files, each whole.
    fn pack_of(repo: &Repo, files: &[String]) {
        let mut pack = Pack::new(repo.gix.object_hash());
        for file in files {
            let id = gix::objs::compute_hash(repo.gix.object_hash(), gix::objs::Kind::Blob, file.as_bytes());
            let id = Oid::parse(&id.unwrap().to_string()).unwrap();
            pack.add(&id, gix::objs::Kind::Blob, file.as_bytes()).unwrap();
        }
        repo.persist_pack(&pack.finish().unwrap(), Durability::None).unwrap();
    }

    #[test]
    fn what_goes_to_a_large_pack_is_compared_before() {
        for (most, all_compared) in [(0, false), (20, true)] {
            let world = World::new("sha1");
            let repo = world.repo();
            let lines = |salt: u32| (0..300_u32).map(move |n| format!("{:08x}\n", n.wrapping_mul(salt)));
            let versions: Vec<String> =
                (0..16).map(|n| lines(0x9e37_79b9).chain([format!("version {n:02}\n")]).collect()).collect();
            let others: Vec<String> = (0..30)
                .map(|n| lines(0x0100_0193 + 2 * n).take(250 - usize::try_from(n).unwrap()).collect())
                .collect();
            for files in [&versions[..8], &versions[8..], &others] {
                pack_of(&repo, files);
            }
            let packs = repo.own_packs().unwrap();
            assert_eq!(packs.len(), 3);
            repo.repack(&packs, most, Durability::None).unwrap();
            let [pack] = &repo.own_packs().unwrap()[..] else { panic!("one is left") };
            assert_eq!(pack.objects, 46);
            let index = pack.file("idx").to_string_lossy().into_owned();
            let listed = world.git(&["verify-pack", "-v", &index]);
            // An id, a kind, three numbers, and of a delta its depth and its base. A whole version has so many bytes.
            let size = versions[0].len().to_string();
            let whole = listed.lines().filter(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                fields.len() == 5 && fields[2] == size
            });
            assert_eq!(whole.count() == 1, all_compared, "{listed}");
        }
    }

    fn of(sizes: &[u64]) -> Vec<Own> {
        sizes.iter().map(|&bytes| Own { stem: PathBuf::from("x"), objects: bytes, bytes }).collect()
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
        // Those that nothing was ever written of twice come first, those of ten thousand tasks.
        let (mut packs, mut written) = (vec![20_000_u64], 0_u64);
        for n in 0..100_000_u64 {
            packs.push(5 + n % 7);
            let (small, mut large): (Vec<u64>, Vec<u64>) =
                packs.iter().partition(|objects| **objects < SMALL);
            if small.len() + large.len() >= MANY && small.len() >= MANY - MANY_LARGE {
                large.push(small.iter().sum());
                written += small.iter().sum::<u64>();
                if large.len() >= MANY_LARGE {
                    large.sort_unstable();
                    let few = chosen(&of(&large));
                    let sum = large.drain(..few).sum();
                    written += sum;
                    large.push(sum);
                }
                packs = large;
            }
            assert!(packs.len() < FULL);
        }
        assert!(written < 100_000 * 8 * 15, "each is written a few times: {written}");
    }
}
