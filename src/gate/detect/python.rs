//! Python: ruff, mypy, pytest, where they are configured; uv, poetry, or a plain virtual environment.

use std::collections::BTreeSet;

use crate::config::StepKind;
use crate::gate::detect::facts::{Facts, has_extension, is_below, join};
use crate::gate::detect::project::{Ecosystem, NAMED, Project, long};
use crate::sys::process::quote;

/// How programs of the project's environment are run.
enum Runner {
    Uv,
    Poetry,
    Venv,
}

impl Runner {
    fn line(&self, line: &str) -> String {
        match self {
            // Setup made the environment; a step must not change it.
            Self::Uv => format!("uv run --no-sync {line}"),
            Self::Poetry => format!("poetry run {line}"),
            Self::Venv => format!(".venv/bin/{line}"),
        }
    }
}

/// What the project's files say.
struct Files {
    pyproject: toml::Table,
    /// The texts that name dependencies, wherever that is.
    requirements: String,
    /// Those of them that pip reads.
    for_pip: String,
    listed: Vec<String>,
    setup_cfg: String,
    tox: String,
    installable: bool,
}

pub(super) fn projects(facts: &Facts<'_>) -> Vec<Project> {
    let mut dirs = BTreeSet::new();
    for name in ["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "pytest.ini", "uv.lock"] {
        dirs.extend(facts.projects(name));
    }
    // The upper ones first; members of a workspace below are judged from above.
    let mut roots: Vec<String> = Vec::new();
    for dir in dirs {
        if !roots.iter().any(|root| is_below(&dir, root)) {
            roots.push(dir);
        }
    }
    roots.iter().map(|dir| project(facts, dir)).collect()
}

fn project(facts: &Facts<'_>, dir: &str) -> Project {
    let mut project = Project::new(Ecosystem::Python, dir);
    let files = read(facts, dir);
    let has = |name: &str| facts.exists(&join(dir, name));
    let runner = match (has("uv.lock"), has("poetry.lock")) {
        (true, _) => Runner::Uv,
        (false, true) => Runner::Poetry,
        (false, false) => Runner::Venv,
    };
    let mut tools = Vec::new();
    if ruff(facts, &mut project, &files, &runner) {
        tools.push("ruff");
    }
    if mypy(facts, &mut project, &files, &runner) {
        tools.push("mypy");
    }
    if tests(facts, &mut project, &files, &runner) {
        tools.push("pytest");
    }
    if project.steps.is_empty() {
        project.hint("A Python project without ruff, mypy or tests that could be found: it has no step.");
    } else {
        set_up(facts, &mut project, &files, &runner, &tools);
    }
    project
}

fn read(facts: &Facts<'_>, dir: &str) -> Files {
    let text = |name: &str| facts.read(&join(dir, name)).unwrap_or_default();
    let pyproject_text = text("pyproject.toml");
    let listed: Vec<String> = facts
        .below(dir)
        .filter_map(|path| if dir.is_empty() { Some(path) } else { path.get(dir.len() + 1..) })
        .filter(|name| {
            let base = name.strip_prefix("requirements/").unwrap_or(name);
            let inside = base.len() < name.len();
            !base.contains('/') && has_extension(base, "txt") && (inside || base.starts_with("requirements"))
        })
        .map(str::to_owned)
        .collect();
    let mut for_pip: Vec<String> = listed.iter().map(|name| text(name)).collect();
    // A section `[mypy]` configures mypy and requires nothing.
    let plain = |text: String| text.lines().filter(|l| !l.starts_with('[')).collect::<Vec<_>>().join("\n");
    for_pip.extend([text("setup.py"), plain(text("setup.cfg"))]);
    let pyproject: toml::Table = pyproject_text.parse().unwrap_or_default();
    for_pip.extend(pyproject.get("project").map(ToString::to_string));
    let for_pip = for_pip.join("\n");
    let requirements = format!("{for_pip}\n{}", plain(pyproject_text));
    let installable = pyproject.contains_key("build-system")
        || pyproject.contains_key("project")
        || facts.exists(&join(dir, "setup.py"));
    Files {
        installable,
        pyproject,
        requirements,
        for_pip,
        listed,
        setup_cfg: text("setup.cfg"),
        tox: text("tox.ini"),
    }
}

impl Files {
    fn tool(&self, name: &str) -> Option<&toml::Value> {
        self.pyproject.get("tool")?.get(name)
    }

    fn requires(&self, name: &str) -> bool {
        names(&self.requirements, name)
    }

    /// Extras of the project that hold tools for development.
    fn extras(&self) -> Vec<&str> {
        let extras = self.pyproject.get("project").and_then(|p| p.get("optional-dependencies"));
        let names = extras.and_then(toml::Value::as_table).map(|table| table.keys().map(String::as_str));
        names.into_iter().flatten().filter(|name| FOR_DEVELOPMENT.contains(name)).collect()
    }

    /// Dependency groups that hold tools for development: their names and what they require.
    fn groups(&self) -> Vec<(&str, Vec<&str>)> {
        let groups = self.pyproject.get("dependency-groups").and_then(toml::Value::as_table);
        let wanted =
            groups.into_iter().flatten().filter(|(name, _)| FOR_DEVELOPMENT.contains(&name.as_str()));
        wanted
            .map(|(name, list)| {
                let list = list.as_array().into_iter().flatten().filter_map(toml::Value::as_str);
                (name.as_str(), list.collect())
            })
            .collect()
    }
}

const FOR_DEVELOPMENT: [&str; 7] = ["dev", "test", "tests", "testing", "lint", "typing", "types"];

/// Whether `name` is in `text`, as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    text.split(|c| !word(c)).any(|found| found == name)
}

fn ruff(facts: &Facts<'_>, project: &mut Project, files: &Files, runner: &Runner) -> bool {
    let config = ["ruff.toml", ".ruff.toml"].into_iter().find(|name| facts.exists(&project.path(name)));
    let why = if let Some(name) = config {
        format!("{} configures ruff", project.path(name))
    } else if files.tool("ruff").is_some() {
        format!("{} configures ruff", project.path("pyproject.toml"))
    } else if files.requires("ruff") {
        "ruff is a dependency".to_owned()
    } else {
        return false;
    };
    let line = runner.line("ruff check --output-format json .");
    project.step("ruff", StepKind::Lint, &line, format!("{why}; {NAMED}")).report = Some("ruff".to_owned());
    let pre_commit = facts.read(".pre-commit-config.yaml").unwrap_or_default();
    let formats = files.tool("ruff").is_some_and(|ruff| ruff.get("format").is_some())
        || config
            .and_then(|name| facts.read(&project.path(name)))
            .is_some_and(|text| text.contains("[format]"))
        || pre_commit.contains("ruff-format")
        || facts.ci().contains("ruff format");
    if formats {
        project.step("format", StepKind::Format, &runner.line("ruff format --check ."), why);
    }
    true
}

fn mypy(facts: &Facts<'_>, project: &mut Project, files: &Files, runner: &Runner) -> bool {
    let config =
        ["mypy.ini", ".mypy.ini"].into_iter().find_map(|name| Some((name, facts.read(&project.path(name))?)));
    let (name, text) = if let Some((name, text)) = config {
        (name, text)
    } else if let Some(table) = files.tool("mypy") {
        ("pyproject.toml", table.to_string())
    } else if files.setup_cfg.contains("[mypy]") {
        ("setup.cfg", files.setup_cfg.clone())
    } else {
        return false;
    };
    let says_what = text.lines().any(|line| {
        let key = line.trim_start().trim_start_matches('{').trim_start();
        ["files", "packages", "modules"]
            .iter()
            .any(|k| key.strip_prefix(k).is_some_and(|r| r.trim_start().starts_with('=')))
    }) || files
        .tool("mypy")
        .is_some_and(|m| ["files", "packages", "modules"].iter().any(|k| m.get(k).is_some()));
    let line = if says_what { "mypy" } else { "mypy ." };
    let why = format!("{} configures mypy; {NAMED}", project.path(name));
    project.step("mypy", StepKind::Types, &runner.line(line), why).report = Some("mypy".to_owned());
    true
}

/// Adds the test step, if there is a test. Says whether it uses pytest.
fn tests(facts: &Facts<'_>, project: &mut Project, files: &Files, runner: &Runner) -> bool {
    let is_test = |path: &&str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        has_extension(name, "py") && (name.starts_with("test_") || name.ends_with("_test.py"))
    };
    let Some(path) = facts.below(&project.dir).find(is_test).map(str::to_owned) else { return false };
    let configured = files.tool("pytest").is_some()
        || facts.exists(&project.path("pytest.ini"))
        || facts.exists(&project.path("conftest.py"))
        || files.setup_cfg.contains("[tool:pytest]")
        || files.tox.contains("[pytest]");
    let unittest = !configured
        && !files.requires("pytest")
        && facts
            .read(&path)
            .is_some_and(|text| text.contains("import unittest") || text.contains("from unittest"));
    let why = if unittest { format!("{path} has tests") } else { format!("{path} has tests; {NAMED}") };
    let line = if unittest { runner.line("python -m unittest discover") } else { runner.line("pytest") };
    let step = project.step("test", StepKind::Test, &line, why);
    step.timeout = long();
    if !unittest {
        step.report = Some("pytest".to_owned());
    }
    !unittest
}

fn set_up(facts: &Facts<'_>, project: &mut Project, files: &Files, runner: &Runner, tools: &[&str]) {
    project.keep(".venv");
    let (program, line) = match runner {
        Runner::Uv => {
            let extras = if files.extras().is_empty() { "" } else { " --all-extras" };
            // The group `dev` is there by default.
            let groups =
                if files.groups().iter().all(|(name, _)| *name == "dev") { "" } else { " --all-groups" };
            ("uv", format!("uv sync --locked{extras}{groups}"))
        }
        Runner::Poetry => {
            ("poetry", "POETRY_VIRTUALENVS_IN_PROJECT=true poetry install --no-interaction".to_owned())
        }
        Runner::Venv => ("python3", "python3 -m venv .venv".to_owned()),
    };
    if !facts.has_tool(program) {
        project.hint(format!("{program} is not installed here: the gate will be BLOCKED until it is."));
    }
    project.set_up(&line);
    if matches!(runner, Runner::Venv) {
        pip(project, files, tools);
    } else {
        for tool in tools.iter().filter(|tool| !files.requires(tool)) {
            project.hint(format!(
                "{tool} is used but required nowhere: add it to the development dependencies."
            ));
        }
    }
    for lock in ["pdm.lock", "Pipfile.lock"] {
        if facts.exists(&project.path(lock)) && matches!(runner, Runner::Venv) {
            project.hint(format!(
                "{} is not used by the proposed setup: change it if it should be.",
                project.path(lock)
            ));
        }
    }
}

fn pip(project: &mut Project, files: &Files, tools: &[&str]) {
    let mut words: Vec<String> = Vec::new();
    for name in &files.listed {
        words.extend(["-r".to_owned(), quote(name)]);
    }
    if files.installable {
        let extras = files.extras();
        let target = if extras.is_empty() { ".".to_owned() } else { format!(".[{}]", extras.join(",")) };
        words.extend(["-e".to_owned(), quote(&target)]);
    }
    // Older versions of pip don't know groups.
    let grouped: BTreeSet<&str> = files.groups().into_iter().flat_map(|(_, list)| list).collect();
    words.extend(grouped.iter().map(|requirement| quote(requirement)));
    let provided = |tool: &str| names(&files.for_pip, tool) || grouped.iter().any(|r| names(r, tool));
    let missing: Vec<&str> = tools.iter().copied().filter(|tool| !provided(tool)).collect();
    if !missing.is_empty() {
        project.hint(format!(
            "No requirement names {}: setup installs the newest. Pin it in a requirements file.",
            missing.join(", ")
        ));
    }
    words.extend(missing.into_iter().map(str::to_owned));
    if !words.is_empty() {
        project.set_up(&format!(
            ".venv/bin/pip install --quiet --disable-pip-version-check {}",
            words.join(" ")
        ));
    }
}
