//! The keys of a gate's steps on a tree.

use std::collections::BTreeMap;

use crate::config::{Run, Step};
use crate::domain::oid::Oid;
use crate::domain::pass::StepInputs;
use crate::gate::{self, Covers, Definition, VerifierKey};
use crate::git::{EntryKind, GitError};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::reuse::files::{self, Picked};
use crate::ops::reuse::tools;
use crate::ops::seal::verifier;
use crate::sys::env::{Env, var};

/// What a step's result depends on, and the key of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keyed {
    /// The step's name.
    pub(crate) step: String,
    /// The key.
    pub(crate) key: String,
    /// What it is the key of.
    pub(crate) inputs: StepInputs,
}

/// What is not the same in two places, or from hook to terminal, and says nothing of the result.
const LEFT_OUT: [&str; 3] = ["GIT_CEILING_DIRECTORIES", var::TMPDIR, var::PATH];

/// The keys of all steps of `definition` on `tree`, in its order.
pub(crate) fn keys(cx: &Ctx, tree: &Oid, definition: &Definition) -> Result<Vec<Keyed>, OpError> {
    let covers = definition.steps.iter().map(|step| {
        Covers::new(&step.inputs).map_err(|e| OpError::Bug(format!("inputs of {}: {e}", step.name)))
    });
    let mut picked = files::pick(&cx.repo, tree, &covers.collect::<Result<Vec<_>, _>>()?)?;
    if setup_reads_all(cx, tree, &definition.setup)? {
        let all = Picked { path: String::new(), what: format!("dir {tree}") };
        for picked in &mut picked {
            picked.push(all.clone());
        }
    }
    let key = verifier(cx)?;
    let setup: Vec<Run> = definition.setup.iter().cloned().map(Run::Shell).collect();
    // Setup is given what any step declares, and what it makes of that every step finds.
    let all = definition.steps.iter().flat_map(|step| &step.env).filter(|_| !setup.is_empty());
    let all: Vec<&str> = all.map(String::as_str).collect();
    let given = |step: &Step| {
        let declared = step.env.iter().map(String::as_str).chain(all.iter().copied());
        gate::environment(&cx.env, declared, cx.repo.common_dir())
    };
    let machine = tools::of_machine(&gate::environment(&cx.env, [], cx.repo.common_dir()));
    let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let mut programs = tools::Programs::default();
    let mut keyed: Vec<Option<Keyed>> = vec![None; definition.steps.len()];
    for index in gate::stages(&definition.steps).concat() {
        let step = &definition.steps[index];
        let env = given(step);
        let below = gate::builds_on(&definition.steps, index).into_iter().filter_map(|i| keyed[i].as_ref());
        let mut tools = machine.clone();
        for run in setup.iter().chain([&step.run]) {
            tools.extend(programs.of_command(run, &env));
            picked[index].extend(named(cx, tree, run)?);
        }
        let inputs = StepInputs {
            definition: gate::step_definition(definition, step),
            files: files::digest(&picked[index]),
            environment: variables(&env, &key),
            tools,
            needs: below.map(|need| (need.step.clone(), need.key.clone())).collect(),
            machine: platform.clone(),
        };
        keyed[index] = Some(Keyed { step: step.name.clone(), key: gate::step_key(&inputs), inputs });
    }
    Ok(keyed.into_iter().flatten().collect())
}

/// Whether setup may read any file of the tree, so that another one may make it do something else.
pub(crate) fn setup_reads_all(cx: &Ctx, tree: &Oid, setup: &[String]) -> Result<bool, OpError> {
    if setup.is_empty() {
        return Ok(false);
    }
    if !gate::only_installs(setup) {
        return Ok(true);
    }
    for change in cx.repo.tree_changes(None, Some(tree))? {
        let Some(entry) = change.new.filter(|_| gate::may_name_local(&change.path)) else { continue };
        let reads = match entry.kind {
            EntryKind::Blob => {
                gate::names_local(&change.path, &String::from_utf8_lossy(&cx.repo.blob(&entry.oid)?))
            }
            EntryKind::Tree | EntryKind::Submodule => false,
            // Where a link leads is not known.
            EntryKind::Other => true,
        };
        if reads {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Words before a directory in which what follows is looked for.
const GO: [&str; 3] = ["cd", "pushd", "-C"];
/// So many directories of one command are gone into.
const PLACES: usize = 32;
/// So many links are followed on the way to one file.
const LINKS: usize = 40;
/// No longer is what a link says.
const LINK_TEXT: usize = 4096;

/// The files of the tree that a command names: scripts, mostly, that nobody thinks of as read.
fn named(cx: &Ctx, tree: &Oid, run: &Run) -> Result<Vec<Picked>, OpError> {
    let words = tools::words(run);
    let plain: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    let mut places = vec![String::new()];
    for pair in plain.windows(2).filter(|pair| GO.contains(&pair[0])) {
        // From wherever an earlier one led: which of them are passed is not known.
        let further: Vec<String> = places.iter().map(|place| format!("{place}{}/", pair[1])).collect();
        places.extend(further);
        places.truncate(PLACES);
    }
    let mut found = Vec::new();
    for word in plain.iter().filter(|word| !word.starts_with('/')) {
        for place in &places {
            follow(cx, tree, &format!("{place}{word}"), &mut found)?;
        }
    }
    Ok(found)
}

/// Puts the file that a path names, and each link on the way to it, into `found`. What leads out of the tree is nothing of it.
fn follow(cx: &Ctx, tree: &Oid, path: &str, found: &mut Vec<Picked>) -> Result<(), OpError> {
    let mut left: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
    let mut at: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." if at.pop().is_some() => continue,
            ".." => return Ok(()),
            _ => at.push(part),
        }
        let full = at.join("/");
        let Some(entry) = cx.repo.entry_at(tree, &full)? else { return Ok(()) };
        if entry.kind == EntryKind::Tree {
            continue;
        }
        let what = format!("named {} {}", entry.executable, entry.oid);
        found.push(Picked { path: full, what });
        let target = if entry.kind == EntryKind::Other { link(cx, &entry.oid)? } else { None };
        links += 1;
        let Some(target) = target.filter(|target| links <= LINKS && !target.starts_with('/')) else {
            return Ok(());
        };
        at.pop();
        left.extend(target.rsplit('/').map(str::to_owned));
    }
    Ok(())
}

/// Where a link leads; None for a submodule, whose object is elsewhere.
fn link(cx: &Ctx, oid: &Oid) -> Result<Option<String>, OpError> {
    match cx.repo.blob_within(oid, LINK_TEXT) {
        Ok(Ok(text)) => Ok(String::from_utf8(text).ok()),
        Ok(Err(_)) | Err(GitError::Corrupt { .. } | GitError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The variables, with what tells their values apart. A value may be a secret, and the state is pushed: only this machine
/// can make the same of it.
fn variables(env: &Env, key: &VerifierKey) -> BTreeMap<String, String> {
    let shown = |(name, value): (&std::ffi::OsStr, &std::ffi::OsStr)| {
        let name = name.to_string_lossy().into_owned();
        let mut bytes = format!("git-orch variable\n{name}\n").into_bytes();
        bytes.extend_from_slice(value.as_encoded_bytes());
        let mut digest = key.sign_bytes(&bytes);
        digest.truncate(16);
        (name, digest)
    };
    env.iter().filter(|(name, _)| LEFT_OUT.iter().all(|left| name != left)).map(shown).collect()
}
