//! The keys of a gate's steps on a tree.

use std::collections::BTreeMap;

use crate::config::Step;
use crate::domain::oid::Oid;
use crate::domain::pass::StepInputs;
use crate::gate::{self, Covers, Definition, VerifierKey};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::reuse::{files, tools};
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
    let picked = files::pick(&cx.repo, tree, &covers.collect::<Result<Vec<_>, _>>()?)?;
    let key = verifier(cx)?;
    let given =
        |step: &Step| gate::environment(&cx.env, step.env.iter().map(String::as_str), cx.repo.common_dir());
    let machine = tools::of_machine(&gate::environment(&cx.env, [], cx.repo.common_dir()));
    let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let mut keyed: Vec<Option<Keyed>> = vec![None; definition.steps.len()];
    for index in gate::stages(&definition.steps).concat() {
        let step = &definition.steps[index];
        let env = given(step);
        let below = gate::builds_on(&definition.steps, index).into_iter().filter_map(|i| keyed[i].as_ref());
        let mut tools = machine.clone();
        tools.extend(tools::of_command(&step.run, &env));
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
