//! Rust: workspaces and packages.

use std::sync::LazyLock;

use regex::Regex;

use crate::config::StepKind;
use crate::gate::detect::facts::{Facts, has_extension, is_below};
use crate::gate::detect::project::{Ecosystem, NAMED, Project, long};
use crate::gate::text::regex;

static TEST: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?m)#\[(?:\w+::)*(?:test|rstest|test_case|test_log)\b|^\s*(?:proptest|quickcheck)!|^\s*//[/!] ```(?:rust)?\s*$",
    )
});

pub(super) fn projects(facts: &Facts<'_>) -> Vec<Project> {
    let mut list: Vec<Project> = Vec::new();
    for dir in facts.projects("Cargo.toml") {
        // A member of a workspace above, or a package inside of a package, which that one's authors keep apart.
        if list.iter().any(|project| is_below(&dir, &project.dir)) {
            continue;
        }
        list.extend(project(facts, &dir));
    }
    list
}

fn project(facts: &Facts<'_>, dir: &str) -> Option<Project> {
    let mut project = Project::new(Ecosystem::Rust, dir);
    let manifest: toml::Table = facts.read(&project.path("Cargo.toml"))?.parse().ok()?;
    let workspace = manifest.contains_key("workspace");
    let all = if workspace { " --workspace" } else { "" };
    let locked = if facts.exists(&project.path("Cargo.lock")) { " --locked" } else { "" };
    project.keep("target");
    let what =
        format!("{} is a {}", project.path("Cargo.toml"), if workspace { "workspace" } else { "package" });
    format(facts, &mut project, workspace, &what);
    clippy(facts, &mut project, &manifest, &format!("{all}{locked}"));
    let test = facts.first(dir, |path| has_extension(path, "rs"), |text| TEST.is_match(text));
    if let Some(path) = test {
        let step = project.step(
            "test",
            StepKind::Test,
            &format!("cargo test{all}{locked}"),
            format!("{path} has tests; {NAMED}"),
        );
        step.report = Some("cargo".to_owned());
        step.timeout = long();
    } else {
        let line = format!("cargo build{all}{locked} --all-targets");
        project.step("build", StepKind::Build, &line, what).timeout = long();
        project.hint(
            "No Rust test was found: the gate only builds. Add a step of kind \"test\" with the first test.",
        );
    }
    Some(project)
}

fn format(facts: &Facts<'_>, project: &mut Project, workspace: bool, what: &str) {
    if facts.has_tool("cargo fmt") {
        let all = if workspace { " --all" } else { "" };
        project.step("fmt", StepKind::Format, &format!("cargo fmt{all} --check"), what);
    } else {
        project.hint(
            "cargo fmt is not installed here (rustup component add rustfmt): no format step is proposed.",
        );
    }
}

fn clippy(facts: &Facts<'_>, project: &mut Project, manifest: &toml::Table, flags: &str) {
    if !facts.has_tool("cargo clippy") {
        project.hint(
            "cargo clippy is not installed here (rustup component add clippy): no lint step is proposed.",
        );
        return;
    }
    let lints = |table: Option<&toml::Value>| {
        table.and_then(|t| t.get("lints")).and_then(|l| l.get("clippy")).is_some()
    };
    let own = manifest.get("lints").and_then(|lints| lints.get("clippy")).is_some();
    let reason = ["clippy.toml", ".clippy.toml"]
        .into_iter()
        .find(|name| facts.exists(&project.path(name)) || facts.exists(name))
        .map(|name| format!("{name} configures clippy"))
        .or_else(|| {
            (own || lints(manifest.get("workspace"))).then(|| "Cargo.toml sets clippy's lints".to_owned())
        })
        .or_else(|| facts.ci().contains("cargo clippy").then(|| "CI runs clippy".to_owned()));
    // Warnings are errors only where the project shows that it minds them: a gate that is red from its first
    // day is switched off on its second.
    let (deny, why) = match reason {
        Some(reason) => (" -- -D warnings", reason),
        None => ("", "clippy is installed; without `-- -D warnings` only its errors count".to_owned()),
    };
    let line = format!("cargo clippy{flags} --all-targets --message-format=json{deny}");
    let step = project.step("clippy", StepKind::Lint, &line, format!("{why}; {NAMED}"));
    step.report = Some("cargo".to_owned());
    step.timeout = long();
}
