//! The `orch.toml` that `init` writes.

use std::fmt::Write as _;

use crate::config::{Run, Step};
use crate::gate::detect::proposal::Proposal;

const HEAD: &str = "\
# git-orch: how this repository is judged and what may be merged. Read from trunk, never from a branch.
";

const RALPH: &str = "
# Ralph, the gate. `git orch ralph` runs it on a clean checkout of a commit; only what passes is pushed or merged.
[ralph]
";

const STEPS: &str = "
# Steps run in this order; those of one group may run at the same time. Exit 0 is PASS, another status FAIL;
# a missing program, a signal or a timeout (10m unless set) is BLOCKED: the tree could not be judged.
";

const NO_STEPS: &str = "
# There is no step yet: Ralph says BLOCKED, and nothing is merged. Exit 0 is PASS.
# [[ralph.step]]
# name = \"test\"
# kind = \"test\"
# run = \"make test\"
";

const REST: &str = "
# What happens to a task that passed: \"auto\" merges it, \"review\" leaves it to a person.
[merge]
qa = \"auto\"
dev = \"review\"

# A push waits this long for a verdict that is missing; exempt branches are not judged.
[push]
budget = \"60s\"
exempt = [\"wip/*\"]

# The built-in rules for branches and commits.
[policy]
profile = \"standard\"

# Agents for `git orch run`: any command; the prompt is on its standard input. Roles may have their own.
# [agents.mine]
# command = \"my-agent --non-interactive\"
# [roles.bugfix]
# agent = \"mine\"
";

/// A text for people to read and change, which `config::parse` reads as this proposal over the defaults.
pub fn render(proposal: &Proposal) -> String {
    let mut out = format!("{HEAD}{RALPH}");
    if !proposal.setup.is_empty() {
        push(&mut out, "# Run before the steps.\nsetup = ", &list(&proposal.setup));
    }
    if !proposal.carry.is_empty() {
        push(
            &mut out,
            "# What trunk leaves there is there for the next run, so that not everything is made anew.\ncarry = ",
            &list(&proposal.carry),
        );
    }
    if proposal.steps.is_empty() {
        out.push_str(NO_STEPS);
    } else {
        out.push_str(STEPS);
    }
    for proposed in &proposal.steps {
        out.push('\n');
        let why = proposed.why.replace(char::is_control, " ");
        push(&mut out, "# ", &format!("Because {why}."));
        step(&mut out, &proposed.step);
    }
    out.push_str(REST);
    out
}

fn push(out: &mut String, key: &str, value: &str) {
    // Writing into a String can't fail.
    writeln!(out, "{key}{value}").unwrap_or_default();
}

fn step(out: &mut String, step: &Step) {
    out.push_str("[[ralph.step]]\n");
    push(out, "name = ", &text(&step.name));
    push(out, "kind = ", &text(step.kind.as_str()));
    match &step.run {
        Run::Shell(line) => push(out, "run = ", &text(line)),
        Run::Argv(words) => push(out, "run = ", &list(words)),
    }
    let defaults = Step::new("", step.kind, step.run.clone());
    if step.timeout != defaults.timeout {
        push(out, "timeout = ", &text(&step.timeout.to_string()));
    }
    if let Some(group) = &step.group {
        push(out, "group = ", &text(group));
    }
    if let Some(report) = &step.report {
        push(out, "report = ", &text(report));
    }
}

fn text(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

/// One line if it is short, else one item a line.
fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| text(item)).collect();
    let line = format!("[{}]", items.join(", "));
    if line.len() <= 90 { line } else { format!("[\n  {},\n]", items.join(",\n  ")) }
}
