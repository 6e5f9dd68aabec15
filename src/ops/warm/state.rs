//! What a store holds, as values, and what a run finds of it.

use serde::{Deserialize, Serialize};

/// The format of the files in a store. Another one is not read: then the run is cold.
pub(super) const VERSION: u32 = 1;

/// With so many layers a run begins with nothing, and its result stands alone: what old builds left piles up in them, and
/// every file is looked for in each.
const MOST: usize = 8;

/// What one run wrote, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layer {
    /// Its directory.
    pub(super) name: String,
    /// The tree that was judged.
    pub(super) tree: String,
    /// What setup depended on (`gate::SetupInputs`).
    pub(super) key: String,
    /// When the run began, in milliseconds: no file in it is older.
    pub(super) started: i64,
    /// When the run had ended, by the same clock: no file in it is younger.
    #[serde(default)]
    pub(super) ended: i64,
    /// Whether setup wrote into carried paths only: whoever has those needs no setup.
    pub(super) contained: bool,
    /// Which of the carried paths, by number, began with nothing: there the layers below are not seen.
    pub(super) alone: Vec<usize>,
}

/// The layers that runs find.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) version: u32,
    /// The carried paths.
    pub(super) carry: Vec<String>,
    /// The undermost first.
    #[serde(default, rename = "layer")]
    pub(super) layers: Vec<Layer>,
}

/// A layer that waits for its tree to be trunk's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) version: u32,
    pub(super) carry: Vec<String>,
    /// The names of the layers below it.
    pub(super) base: Vec<String>,
    pub(super) layer: Layer,
}

/// What a run begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ground {
    /// The undermost first; none: it is cold.
    pub(super) layers: Vec<Layer>,
    /// The carried paths that begin with nothing all the same.
    pub(super) alone: Vec<usize>,
    /// Whether setup would make what is there already.
    pub(super) is_set_up: bool,
}

impl State {
    /// What a run with these carried paths and this setup begins with.
    pub(super) fn ground(&self, carry: &[String], key: &str) -> Ground {
        let Some(top) = self.layers.last() else { return Ground::default() };
        if self.carry != carry || self.layers.len() >= MOST {
            return Ground::default();
        }
        let same = top.key == key;
        // What setup installed for other lock files must not be found: what the tree does not ask for would be there.
        let alone = carry.iter().enumerate().filter(|(_, path)| !same && !is_build_output(path));
        Ground {
            layers: self.layers.clone(),
            alone: alone.map(|(n, _)| n).collect(),
            is_set_up: same && top.contained,
        }
    }

    /// The state after `pending` has become the topmost layer; None if it was not made for this one.
    pub(super) fn with(&self, pending: &Pending) -> Option<Self> {
        let names = self.layers.iter().map(|layer| &layer.name);
        let layers = if pending.base.is_empty() {
            Vec::new()
        } else if self.carry == pending.carry && names.eq(pending.base.iter()) {
            self.layers.clone()
        } else {
            return None;
        };
        let layers = layers.into_iter().chain([pending.layer.clone()]).collect();
        Some(Self { version: VERSION, carry: pending.carry.clone(), layers })
    }
}

impl Ground {
    /// Whether a file that changes now, at `now`, gets a time later than all that these layers hold. A clock that was put
    /// back would give it an earlier one, and build tools would take it for built.
    pub(super) fn is_past(&self, now: i64) -> bool {
        self.layers.iter().all(|layer| layer.started.max(layer.ended) < now)
    }

    /// The names of the layers that are seen in the carried path `n`, the topmost first.
    pub(super) fn below(&self, n: usize) -> Vec<&str> {
        let mut names = Vec::new();
        if self.alone.contains(&n) {
            return names;
        }
        for layer in self.layers.iter().rev() {
            names.push(layer.name.as_str());
            if layer.alone.contains(&n) {
                break;
            }
        }
        names
    }
}

/// Whether a path holds what is built from sources by a tool that keeps account of them, and not what setup installs.
fn is_build_output(path: &str) -> bool {
    path.rsplit('/').next() == Some("target")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, key: &str, alone: &[usize]) -> Layer {
        Layer {
            name: name.into(),
            key: key.into(),
            contained: true,
            alone: alone.to_vec(),
            ..Layer::default()
        }
    }

    fn carry() -> Vec<String> {
        ["target", "node_modules"].map(str::to_owned).to_vec()
    }

    fn state(layers: Vec<Layer>) -> State {
        State { version: VERSION, carry: carry(), layers }
    }

    #[test]
    fn what_setup_installed_is_there_for_the_same_lock_files_only() {
        let state = state(vec![layer("a", "k", &[]), layer("b", "l", &[1]), layer("c", "l", &[])]);
        let same = state.ground(&carry(), "l");
        assert!(same.is_set_up);
        assert_eq!(same.below(0), ["c", "b", "a"]);
        assert_eq!(same.below(1), ["c", "b"]);
        let other = state.ground(&carry(), "k");
        assert!(!other.is_set_up);
        assert_eq!(other.below(0), ["c", "b", "a"]);
        assert_eq!(other.below(1), [] as [&str; 0]);
    }

    #[test]
    fn a_run_is_cold_with_other_paths_and_with_too_many_layers() {
        let one = state(vec![layer("a", "k", &[])]);
        assert_eq!(one.ground(&["target".to_owned()], "k"), Ground::default());
        let many = state((0..MOST).map(|n| layer(&n.to_string(), "k", &[])).collect());
        assert_eq!(many.ground(&carry(), "k"), Ground::default());
        assert_eq!(State::default().ground(&[], "k"), Ground::default());
    }

    #[test]
    fn a_layer_comes_to_lie_on_what_it_was_made_on_or_stands_alone() {
        let now = state(vec![layer("a", "k", &[]), layer("b", "k", &[])]);
        let pending = |base: &[&str]| Pending {
            version: VERSION,
            carry: carry(),
            base: base.iter().map(|name| (*name).to_owned()).collect(),
            layer: layer("c", "k", &[]),
        };
        let names = |state: Option<State>| {
            state.map(|state| state.layers.into_iter().map(|layer| layer.name).collect::<Vec<_>>().concat())
        };
        assert_eq!(names(now.with(&pending(&["a", "b"]))), Some("abc".to_owned()));
        assert_eq!(names(now.with(&pending(&[]))), Some("c".to_owned()));
        assert_eq!(names(now.with(&pending(&["a"]))), None);
        let elsewhere = Pending { carry: vec!["x".to_owned()], ..pending(&["a", "b"]) };
        assert_eq!(names(now.with(&elsewhere)), None);
    }

    #[test]
    fn what_is_written_reads_back() {
        let state = state(vec![layer("a", "k", &[1])]);
        assert_eq!(toml::from_str::<State>(&toml::to_string(&state).unwrap()).unwrap(), state);
        let pending = Pending { version: 1, carry: carry(), base: vec![], layer: layer("b", "k", &[]) };
        assert_eq!(toml::from_str::<Pending>(&toml::to_string(&pending).unwrap()).unwrap(), pending);
    }
}
