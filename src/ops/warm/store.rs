//! The files of one store.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::ops::error::OpError;
use crate::ops::warm::state::{Pending, State, VERSION};
use crate::sys::fs::{self, Durability};

/// How many layers wait at most.
const WAITING: usize = 2;

/// The store of a gate worktree whose lock the caller holds.
pub(super) struct Store {
    dir: PathBuf,
    pub(super) state: State,
}

impl Store {
    /// Opens it. What can't be read is not there.
    pub(super) fn open(dir: PathBuf) -> Self {
        let state = read::<State>(&dir.join("state.toml")).filter(|state| state.version == VERSION);
        Self { dir, state: state.unwrap_or_default() }
    }

    /// Where a layer is.
    pub(super) fn layer(&self, name: &str) -> PathBuf {
        self.dir.join("layers").join(name)
    }

    fn waiting(&self) -> PathBuf {
        self.dir.join("pending")
    }

    /// Makes what waits for `tree` the topmost layer, and removes whatever no run will use.
    pub(super) fn follow(&mut self, tree: Option<&str>) -> Result<(), OpError> {
        let found = tree.map(|tree| self.waiting().join(tree)).and_then(|dir| Some((pending(&dir)?, dir)));
        if let Some((pending, dir)) = found
            && let Some(state) = self.state.with(&pending)
        {
            let place = self.layer(&pending.layer.name);
            fs::create_dir_all(&self.dir.join("layers"))?;
            remove(&place)?;
            fs::rename(&dir, &place)?;
            // A state that outlives a power cut must not name files that did not.
            fs::sync_file_system(&self.dir)?;
            write(&self.dir.join("state.toml"), &state)?;
            self.state = state;
        }
        self.tidy()
    }

    fn tidy(&self) -> Result<(), OpError> {
        let used: Vec<PathBuf> = self.state.layers.iter().map(|layer| self.layer(&layer.name)).collect();
        for dir in fs::list(&self.dir.join("layers"))? {
            if !used.contains(&dir) {
                remove(&dir)?;
            }
        }
        let mut waiting = Vec::new();
        for dir in fs::list(&self.waiting())? {
            match pending(&dir).filter(|pending| self.state.with(pending).is_some()) {
                Some(pending) => waiting.push((pending.layer.started, dir)),
                None => remove(&dir)?,
            }
        }
        waiting.sort();
        let old = waiting.len().saturating_sub(WAITING);
        waiting.into_iter().take(old).try_for_each(|(_, dir)| remove(&dir))
    }

    /// Keeps what a run wrote into the carried paths, one directory each, until its tree is trunk's.
    pub(super) fn keep(&self, pending: &Pending, written: &[PathBuf]) -> Result<(), OpError> {
        // Without its file, which is written last, it is rubbish.
        let dir = self.waiting().join(&pending.layer.tree);
        remove(&dir)?;
        fs::create_dir_all(&dir)?;
        for (n, upper) in written.iter().enumerate() {
            fs::rename(upper, &dir.join(n.to_string()))?;
        }
        write(&dir.join("layer.toml"), pending)
    }
}

fn pending(dir: &Path) -> Option<Pending> {
    read::<Pending>(&dir.join("layer.toml")).filter(|pending| pending.version == VERSION)
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    toml::from_str(&fs::read_optional(path).ok()??).ok()
}

fn write<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), OpError> {
    let text = toml::to_string(value).map_err(|error| OpError::Bug(error.to_string()))?;
    Ok(fs::write_atomic(path, text.as_bytes(), 0o600, Durability::Commit)?)
}

/// Removes a directory that commands wrote, whatever modes they gave.
fn remove(dir: &Path) -> Result<(), OpError> {
    match fs::remove_tree(dir) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::warm::state::Layer;

    fn kept(store: &Store, scratch: &Path, tree: &str, base: &[&str]) {
        let upper = scratch.join(tree);
        fs::create_dir_all(&upper).unwrap();
        fs::write_new(&upper.join("of"), tree.as_bytes(), 0o644).unwrap();
        let started = i64::try_from(fs::list(&store.waiting()).unwrap().len()).unwrap();
        let pending = Pending {
            version: VERSION,
            carry: vec!["out".into()],
            base: base.iter().map(|name| (*name).to_owned()).collect(),
            layer: Layer { name: format!("l{tree}"), tree: tree.into(), started, ..Layer::default() },
        };
        store.keep(&pending, &[upper]).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        fs::list(dir).unwrap().into_iter().map(name).collect()
    }

    #[test]
    fn only_what_trunk_came_to_be_is_found_again() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, scratch) = (temp.path().join("store"), temp.path().join("scratch"));
        let mut store = Store::open(dir.clone());
        for tree in ["a", "b", "c"] {
            kept(&store, &scratch, tree, &[]);
        }
        store.follow(Some("x")).unwrap();
        assert_eq!(store.state.layers, []);
        assert_eq!(names(&store.waiting()), ["b", "c"], "the newest two wait");
        store.follow(Some("b")).unwrap();
        assert_eq!(fs::read_string(&store.layer("lb").join("0/of")).unwrap(), "b");
        kept(&store, &scratch, "d", &["lb"]);
        kept(&store, &scratch, "e", &["lx"]);
        let mut store = Store::open(dir.clone());
        store.follow(Some("d")).unwrap();
        assert_eq!(names(&dir.join("layers")), ["lb", "ld"]);
        // What stands alone may still come to be trunk's; what was made on something else may not.
        assert_eq!(names(&store.waiting()), ["c"]);
        store.follow(Some("c")).unwrap();
        assert_eq!(names(&dir.join("layers")), ["lc"]);
    }

    #[test]
    fn what_a_kill_left_is_removed() {
        let temp = tempfile::tempdir().unwrap();
        let mut store = Store::open(temp.path().join("store"));
        kept(&store, temp.path(), "a", &[]);
        // Renamed, and the state not yet written.
        fs::create_dir_all(&store.layer("la")).unwrap();
        fs::rename(&store.waiting().join("a"), &store.layer("la")).unwrap();
        // Made, and the file not yet written.
        fs::create_dir_all(&store.waiting().join("b/0")).unwrap();
        store.follow(Some("a")).unwrap();
        assert_eq!(store.state.layers, []);
        assert!(names(&store.waiting()).is_empty() && names(&temp.path().join("store/layers")).is_empty());
        fs::write_atomic(&temp.path().join("store/state.toml"), b"version = 9", 0o600, Durability::None)
            .unwrap();
        assert_eq!(Store::open(temp.path().join("store")).state, State::default());
    }
}
