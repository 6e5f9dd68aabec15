//! What one run of the gate finds in the carried paths, and what is kept of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::gate::{self, Definition, SetupInputs, decides_setup};
use crate::git::{EntryKind, TreeChange};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::pool::Checkout;
use crate::ops::reuse;
use crate::ops::warm::sources;
use crate::ops::warm::state::{Ground, Layer, Pending, VERSION};
use crate::ops::warm::store::Store;
use crate::sys::fs;
use crate::sys::random;
use crate::sys::sandbox::{Overlay, Placed};

/// A run that finds what trunk's runs left.
pub(crate) struct Run {
    store: Store,
    ground: Ground,
    carry: Vec<String>,
    layer: Layer,
    checkout: PathBuf,
    scratch: PathBuf,
}

impl Run {
    /// Prepares a run on a checkout, with `scratch` for what it writes; None where nothing is carried.
    pub(crate) fn begin(
        cx: &Ctx,
        checkout: &Checkout,
        definition: &Definition,
        scratch: &Path,
    ) -> Result<Option<Self>, OpError> {
        let carry = carried(cx, checkout, &definition.carry)?;
        if carry.is_empty() {
            return Ok(None);
        }
        let mut store = Store::open(cx.file("warm").join(format!("gate-{}", checkout.slot())));
        store.follow(trunk_tree(cx)?.as_ref().map(Oid::as_str))?;
        let tree = checkout.tree();
        let files = cx.repo.tree_changes(None, Some(tree))?;
        let inputs = SetupInputs {
            setup: definition.setup.clone(),
            carry: carry.clone(),
            files: match reuse::setup_reads_all(cx, tree, &definition.setup)? {
                true => vec![(String::new(), tree.to_string())],
                false => files.into_iter().filter_map(deciding).collect(),
            },
            tools: tools(cx),
        };
        let key = inputs.key();
        let started = cx.clock.now().millis();
        let mut ground = store.state.ground(&carry, &key);
        if !ground.is_past(started) {
            tracing::warn!("the clock was put back: begins with nothing");
            ground = Ground::default();
        }
        let times = sources::times(&cx.repo, &ground.layers, tree, started).unwrap_or_else(|error| {
            // Trunk was set to something else, and the trees of these layers are gone.
            tracing::debug!(%error, "begins with nothing");
            ground = Ground::default();
            (started, BTreeMap::new())
        });
        if !sources::stamp(&cx.repo, checkout.path(), tree, &times)? {
            return Ok(None);
        }
        let layer = Layer {
            name: format!("{:010x}", random::bits40()),
            tree: tree.to_string(),
            key,
            started,
            ended: started,
            contained: ground.is_set_up,
            alone: ground.alone.clone(),
        };
        let (checkout, scratch) = (checkout.path().to_owned(), scratch.join("carried"));
        Ok(Some(Self { store, ground, carry, layer, checkout, scratch }))
    }

    /// What is to be mounted: one for each carried path.
    pub(crate) fn overlays(&self) -> Result<Vec<Overlay>, OpError> {
        let empty = self.scratch.join("empty");
        fs::create_dir_all(&empty)?;
        let overlay = |n: usize| {
            let dir = self.scratch.join(n.to_string());
            let below = self.ground.below(n).into_iter();
            let lower = below.map(|name| self.store.layer(name).join(n.to_string()));
            Overlay {
                lower: lower.chain([empty.clone()]).collect(),
                upper: self.upper(n),
                work: dir.join("work"),
                at: dir.join("at"),
            }
        };
        Ok((0..self.carry.len()).map(overlay).collect())
    }

    fn upper(&self, n: usize) -> PathBuf {
        self.scratch.join(n.to_string()).join("upper")
    }

    /// Where in the checkout each of them is found.
    pub(crate) fn placed(&self) -> Vec<Placed> {
        let place = |(n, path): (usize, &String)| Placed {
            source: self.scratch.join(n.to_string()).join("at"),
            place: self.checkout.join(path),
        };
        self.carry.iter().enumerate().map(place).collect()
    }

    /// Whether setup would make what is there already.
    pub(crate) fn is_set_up(&self) -> bool {
        self.ground.is_set_up
    }

    /// Notes whether setup wrote into carried paths only.
    pub(crate) fn set_up(&mut self, contained: bool) {
        self.layer.contained = contained;
    }

    /// Keeps what was written until `now`, for when the tree is trunk's. Nothing may have it mounted any more.
    pub(crate) fn keep(mut self, now: Timestamp) -> Result<(), OpError> {
        self.layer.ended = now.millis();
        let base = self.ground.layers.iter().map(|layer| layer.name.clone()).collect();
        let written: Vec<PathBuf> = (0..self.carry.len()).map(|n| self.upper(n)).collect();
        let pending = Pending { version: VERSION, carry: self.carry, base, layer: self.layer };
        self.store.keep(&pending, &written)
    }
}

/// The tree at the policy tip.
fn trunk_tree(cx: &Ctx) -> Result<Option<Oid>, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    Ok(trunk.tip().map(|tip| cx.repo.tree_of(tip)).transpose()?)
}

/// The paths that can be carried, with a directory at each. Those can't that the tree has something at, and those below
/// another one.
fn carried(cx: &Ctx, checkout: &Checkout, paths: &[String]) -> Result<Vec<String>, OpError> {
    let mut carry: Vec<String> = Vec::new();
    for path in paths {
        let is_below = |other: &String| path != other && Path::new(path).starts_with(other);
        if carry.contains(path) || paths.iter().any(is_below) {
            continue;
        }
        if cx.repo.entry_at(checkout.tree(), path)?.is_none() && make_place(checkout.path(), path)? {
            carry.push(path.clone());
        }
    }
    Ok(carry)
}

/// Makes a directory at `path`, unless there is something else at it or on the way: a link would lead elsewhere.
fn make_place(root: &Path, path: &str) -> Result<bool, OpError> {
    let mut at = root.to_owned();
    for name in path.split('/') {
        at.push(name);
        match at.symlink_metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Ok(false),
            Err(_) => fs::create_dir_all(&at)?,
        }
    }
    Ok(true)
}

fn deciding(change: TreeChange) -> Option<(String, String)> {
    let entry = change.new.filter(|_| decides_setup(&change.path))?;
    let kind = if entry.kind == EntryKind::Blob { "file" } else { "other" };
    Some((change.path, format!("{kind} {} {}", entry.executable, entry.oid)))
}

/// What tells the tools of this machine from those that will replace them.
fn tools(cx: &Ctx) -> Vec<String> {
    let env = gate::environment(&cx.env, [], cx.repo.common_dir());
    reuse::of_machine(&env).into_iter().map(|(name, what)| format!("{name} {what}")).collect()
}
