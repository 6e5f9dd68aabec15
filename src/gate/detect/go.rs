//! Go modules.

use crate::config::StepKind;
use crate::gate::detect::facts::{Facts, has_extension, is_below};
use crate::gate::detect::project::{Ecosystem, NAMED, Project, long};
use crate::sys::process::quote;

pub(super) fn projects(facts: &Facts<'_>) -> Vec<Project> {
    facts.projects("go.mod").iter().map(|dir| project(facts, dir)).collect()
}

fn project(facts: &Facts<'_>, dir: &str) -> Project {
    let mut project = Project::new(Ecosystem::Go, dir);
    let what = format!("{} is a module", project.path("go.mod"));
    if !facts.has_tool("go") {
        project.hint("go is not installed here: the gate will be BLOCKED until it is.");
    }
    // `|| exit` keeps the status of a gofmt that isn't there; an empty list would look like a pass.
    let format = format!(
        "files=$(gofmt -l {}) || exit; [ -z \"$files\" ] || {{ echo \"$files\"; exit 1; }}",
        sources(facts, dir)
    );
    project.step("gofmt", StepKind::Format, &format, what.clone());
    let vet = project.step("vet", StepKind::Lint, "go vet ./...", format!("{what}; {NAMED}"));
    vet.report = Some("go".to_owned());
    vet.timeout = long();
    match facts.below(dir).find(|path| path.ends_with("_test.go")) {
        Some(path) => {
            let why = format!("{path} has tests; {NAMED}");
            let step = project.step("test", StepKind::Test, "go test -json ./...", why);
            step.report = Some("go".to_owned());
            step.timeout = long();
        }
        None => project.step("build", StepKind::Build, "go build ./...", what).timeout = long(),
    }
    project
}

/// What gofmt looks at: all, or all but what is vendored.
fn sources(facts: &Facts<'_>, dir: &str) -> String {
    let inside =
        |path: &'_ str| if dir.is_empty() { path.to_owned() } else { path[dir.len() + 1..].to_owned() };
    let go: Vec<String> = facts.below(dir).filter(|path| has_extension(path, "go")).map(inside).collect();
    if !go.iter().any(|path| is_below(path, "vendor")) {
        return ".".to_owned();
    }
    let mut tops: Vec<String> = go
        .iter()
        .filter(|path| !is_below(path, "vendor"))
        .map(|path| quote(path.split('/').next().unwrap_or(path)))
        .collect();
    tops.dedup();
    tops.join(" ")
}
