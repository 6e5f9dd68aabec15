//! A step's recorded PASS, and what it depends on.

use std::collections::BTreeMap;

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{StepReport, Trust};

/// What a step's result depends on, as far as a tree, a gate and a machine can tell. Values are digests: lower-case
/// hexadecimal, and equal only for equal things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepInputs {
    /// Its definition, and that of setup.
    pub definition: String,
    /// The files that it says it reads, with their modes and contents; all of them where it says nothing.
    pub files: String,
    /// The variables that it is given, by name. One that is absent is not here; one that is empty is.
    pub environment: BTreeMap<String, String>,
    /// What tells the programs of this machine from others, by name.
    pub tools: BTreeMap<String, String>,
    /// The keys of the steps that it needs, by name.
    pub needs: BTreeMap<String, String>,
    /// Operating system and processor.
    pub machine: String,
}

/// Something that two steps' inputs differ in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// The step's definition, or that of setup.
    Definition,
    /// A file among its inputs.
    Files,
    /// A variable.
    Variable(String),
    /// A program, or a directory of programs.
    Tool(String),
    /// A step that it needs.
    Need(String),
    /// Operating system or processor.
    Machine,
}

impl StepInputs {
    /// In what `self` differs from `other`; nothing exactly if they are equal.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        if self.definition != other.definition {
            found.push(Difference::Definition);
        }
        if self.machine != other.machine {
            found.push(Difference::Machine);
        }
        if self.files != other.files {
            found.push(Difference::Files);
        }
        found.extend(unequal(&self.environment, &other.environment).map(Difference::Variable));
        found.extend(unequal(&self.tools, &other.tools).map(Difference::Tool));
        found.extend(unequal(&self.needs, &other.needs).map(Difference::Need));
        found
    }
}

/// The names whose values differ, in order.
fn unequal<'a>(
    one: &'a BTreeMap<String, String>,
    two: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = String> + use<'a> {
    let names: std::collections::BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != two.get(*name)).cloned()
}

/// A step that passed in a clean run, for those that come later with the same inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPass {
    /// The key over `inputs`, lower-case hexadecimal SHA-256.
    pub key: String,
    /// The step's name.
    pub step: String,
    /// The commit that was judged.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// What the result depends on.
    pub inputs: StepInputs,
    /// In what it ran.
    pub trust: Trust,
    /// Wall time in milliseconds.
    pub millis: u64,
    /// What its report says, if it has one.
    pub report: Option<StepReport>,
    /// Whether it is the contrary: a later run with this key failed, and what passed before it does not count.
    pub refuted: bool,
    /// When it ran.
    pub made: Timestamp,
    /// By whom, as `Actor` prints.
    pub by: String,
    /// Lower-case hexadecimal HMAC-SHA-256 over the rest, by this machine's verifier key.
    pub mac: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_not_empty_and_every_field_is_compared() {
        let map = |value: &str| BTreeMap::from([("x".to_owned(), value.to_owned())]);
        let one = StepInputs::default();
        assert_eq!(one.differences(&one), []);
        for (other, difference) in [
            (StepInputs { definition: "d".into(), ..one.clone() }, Difference::Definition),
            (StepInputs { files: "f".into(), ..one.clone() }, Difference::Files),
            (StepInputs { environment: map(""), ..one.clone() }, Difference::Variable("x".into())),
            (StepInputs { tools: map("1"), ..one.clone() }, Difference::Tool("x".into())),
            (StepInputs { needs: map("1"), ..one.clone() }, Difference::Need("x".into())),
            (StepInputs { machine: "m".into(), ..one.clone() }, Difference::Machine),
        ] {
            assert_eq!(one.differences(&other), std::slice::from_ref(&difference));
            assert_eq!(other.differences(&one), [difference]);
        }
    }
}
