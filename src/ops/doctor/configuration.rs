//! `orch.toml`: that of the policy tip, which is in force, and the one being edited here.

use crate::config::{ConfigProblem, FILE, parse};
use crate::domain::plural::plural;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::doctor::check::Check;
use crate::ops::error::OpError;
use crate::ops::gateless;
use crate::sys::fs;

const NAME: &str = FILE;

pub(super) fn check(cx: &Ctx, trunk: &Trunk) -> Result<Vec<Check>, OpError> {
    let mut checks = vec![];
    let tip = match trunk.tip() {
        Some(tip) => cx.repo.file_at(&cx.repo.tree_of(tip)?, FILE)?,
        None => None,
    };
    match &tip {
        None => {
            let line =
                format!("{} has none: the built-in defaults apply, and Ralph has no step", trunk.tip_name());
            let next = gateless::way_out(cx, trunk)?;
            checks.push(next.into_iter().fold(Check::note(NAME, line), Check::next));
        }
        Some(bytes) => checks.extend(of(bytes, &format!("{FILE} on {}", trunk.name))),
    }
    if let Some(top) = cx.repo.work_tree() {
        let path = top.join(FILE);
        if fs::exists(&path) {
            let bytes = fs::read(&path)?;
            if tip.as_ref() != Some(&bytes) {
                checks.extend(of(&bytes, &path.display().to_string()));
            }
        }
    }
    Ok(checks)
}

fn of(bytes: &[u8], origin: &str) -> Vec<Check> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return vec![Check::problem(NAME, "it is not UTF-8").at(origin)];
    };
    match parse(text, origin) {
        Ok(config) if config.ralph.steps.is_empty() => {
            let check = Check::note(NAME, "it has no [[ralph.step]]: Ralph says BLOCKED, nothing is merged");
            vec![check.at(origin).next("git orch ralph steps --detect")]
        }
        Ok(config) => vec![Check::ok(NAME, plural(config.ralph.steps.len(), "step")).at(origin)],
        Err(problems) => problems.iter().map(problem).collect(),
    }
}

fn problem(problem: &ConfigProblem) -> Check {
    let place = format!("{}:{}:{}", problem.origin, problem.line, problem.column);
    let check = Check::problem(NAME, problem.message.clone()).at(place);
    match &problem.suggestion {
        Some(word) => check.next(format!("did you mean `{word}`?")),
        None => check,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_its_place_and_the_word_that_was_meant() {
        let checks = of(b"[ralph]\nsteup = []\n", "orch.toml");
        insta::assert_debug_snapshot!((&checks[0].what, &checks[0].place, &checks[0].next), @r#"
        (
            "unknown key `steup` in [ralph]",
            Some(
                "orch.toml:2:1",
            ),
            Some(
                "did you mean `setup`?",
            ),
        )
        "#);
        assert_eq!(of(&[0xff], "x")[0].what, "it is not UTF-8");
    }
}
