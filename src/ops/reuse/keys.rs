//! The keys of a gate's steps on a tree.

use std::collections::BTreeMap;

use crate::config::{Run, Step};
use crate::domain::oid::Oid;
use crate::domain::pass::StepInputs;
use crate::gate::{self, Covers, Definition, VerifierKey};
use crate::git::EntryKind;
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
        let is_manifest = change.path.rsplit('/').next() == Some("package.json");
        if let Some(entry) = change.new.filter(|entry| is_manifest && entry.kind == EntryKind::Blob)
            && gate::runs_scripts(&String::from_utf8_lossy(&cx.repo.blob(&entry.oid)?))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The files of the tree that a command names: scripts, mostly, that nobody thinks of as read.
fn named(cx: &Ctx, tree: &Oid, run: &Run) -> Result<Vec<Picked>, OpError> {
    let mut found = Vec::new();
    for word in tools::words(run) {
        let path = word.trim_start_matches("./");
        let is_path = !path.is_empty() && !path.split('/').any(|part| part.is_empty() || part == "..");
        if is_path
            && let Some(entry) = cx.repo.entry_at(tree, path)?
            && entry.kind != EntryKind::Tree
        {
            let what = format!("named {} {}", entry.executable, entry.oid);
            found.push(Picked { path: path.to_owned(), what });
        }
    }
    Ok(found)
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
