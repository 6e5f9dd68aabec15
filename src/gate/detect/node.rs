//! JavaScript and TypeScript: npm, pnpm, yarn, bun; workspaces; Turborepo.

use serde_json::Value;

use crate::config::StepKind;
use crate::gate::detect::facts::{Facts, is_below, join};
use crate::gate::detect::project::{Ecosystem, NAMED, Project, long};
use crate::gate::detect::scripts::{Reported, reported};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Npm,
    Pnpm,
    /// Version 1.
    YarnClassic,
    /// Version 2 and later.
    Yarn,
    Bun,
}

/// A `package.json`.
struct Package {
    dir: String,
    json: Value,
}

impl Package {
    fn read(facts: &Facts<'_>, dir: &str) -> Option<Self> {
        let text = facts.read(&join(dir, "package.json"))?;
        let json = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
        Some(Self { dir: dir.to_owned(), json })
    }

    /// A script that does something: not npm-init's placeholder.
    fn script(&self, name: &str) -> Option<&str> {
        let script = self.json.get("scripts")?.get(name)?.as_str()?;
        (!script.trim().is_empty() && !script.contains("no test specified")).then_some(script)
    }

    fn has_placeholder(&self) -> bool {
        let script = self.json.get("scripts").and_then(|scripts| scripts.get("test")).and_then(Value::as_str);
        script.is_some_and(|script| script.contains("no test specified"))
    }

    fn depends_on(&self, name: &str) -> bool {
        ["dependencies", "devDependencies"]
            .iter()
            .any(|key| self.json.get(key).is_some_and(|d| d.get(name).is_some()))
    }

    fn has_dependencies(&self) -> bool {
        ["dependencies", "devDependencies", "optionalDependencies"]
            .iter()
            .any(|key| self.json.get(key).and_then(Value::as_object).is_some_and(|list| !list.is_empty()))
    }
}

const LOCKS: [&str; 6] =
    ["pnpm-lock.yaml", "yarn.lock", "package-lock.json", "npm-shrinkwrap.json", "bun.lock", "bun.lockb"];
/// More members' `node_modules` than this are not listed one by one.
const MEMBERS: usize = 40;

/// Scripts by what they are for: the step's name and kind, and the script's usual names.
const SCRIPTS: [(&str, StepKind, &[&str]); 5] = [
    (
        "format",
        StepKind::Format,
        &["format:check", "check:format", "fmt:check", "prettier:check", "check-format", "format-check"],
    ),
    ("lint", StepKind::Lint, &["lint", "eslint", "lint:check"]),
    (
        "types",
        StepKind::Types,
        &["typecheck", "type-check", "check-types", "check:types", "types:check", "tsc"],
    ),
    ("build", StepKind::Build, &["build"]),
    ("test", StepKind::Test, &["test", "test:ci", "test:unit"]),
];

pub(super) fn projects(facts: &Facts<'_>) -> Vec<Project> {
    let dirs = facts.projects("package.json");
    let mut roots: Vec<String> = Vec::new();
    for dir in &dirs {
        let above = roots.iter().any(|root| is_below(dir, root));
        let own_lock = LOCKS.iter().any(|lock| facts.exists(&join(dir, lock)));
        if !above || own_lock {
            roots.push(dir.clone());
        }
    }
    roots.iter().filter_map(|dir| project(facts, dir, &dirs, &roots)).collect()
}

fn project(facts: &Facts<'_>, dir: &str, all: &[String], roots: &[String]) -> Option<Project> {
    let root = Package::read(facts, dir)?;
    let mut project = Project::new(Ecosystem::Node, dir);
    let members: Vec<Package> = if is_workspace(facts, &root) {
        let inner = all.iter().filter(|d| *d != dir && is_below(d, dir) && !roots.contains(d));
        inner.filter_map(|dir| Package::read(facts, dir)).collect()
    } else {
        Vec::new()
    };
    let manager = manager(facts, &root, &mut project);
    for (name, kind, scripts) in SCRIPTS {
        script_step(
            facts,
            &mut project,
            &Workspace { root: &root, members: &members, manager },
            (name, kind, scripts),
        );
    }
    tools_without_scripts(facts, &mut project, &root, manager);
    if project.steps.is_empty() {
        project.hint(format!(
            "{} has no script for lint, types, build or test that could be a step.",
            project.path("package.json")
        ));
        return Some(project);
    }
    set_up(facts, &mut project, &Workspace { root: &root, members: &members, manager });
    Some(project)
}

struct Workspace<'a> {
    root: &'a Package,
    members: &'a [Package],
    manager: Manager,
}

fn is_workspace(facts: &Facts<'_>, root: &Package) -> bool {
    root.json.get("workspaces").is_some()
        || ["pnpm-workspace.yaml", "turbo.json", "lerna.json"]
            .iter()
            .any(|f| facts.exists(&join(&root.dir, f)))
}

fn manager(facts: &Facts<'_>, root: &Package, project: &mut Project) -> Manager {
    let declared = root.json.get("packageManager").and_then(Value::as_str).unwrap_or_default();
    let (name, version) = declared.split_once('@').unwrap_or((declared, ""));
    let lock = |name: &str| facts.exists(&join(&root.dir, name));
    let classic = || {
        let text = facts.read(&join(&root.dir, "yarn.lock")).unwrap_or_default();
        version.starts_with("1.") || (version.is_empty() && text.contains("yarn lockfile v1"))
    };
    let manager = match name {
        "pnpm" => Manager::Pnpm,
        "yarn" if classic() => Manager::YarnClassic,
        "yarn" => Manager::Yarn,
        "bun" => Manager::Bun,
        "npm" => Manager::Npm,
        _ if lock("pnpm-lock.yaml") => Manager::Pnpm,
        _ if lock("yarn.lock") => {
            if classic() {
                Manager::YarnClassic
            } else {
                Manager::Yarn
            }
        }
        _ if lock("bun.lock") || lock("bun.lockb") => Manager::Bun,
        _ => Manager::Npm,
    };
    let program = manager.program();
    if !facts.has_tool(program) {
        let how = if matches!(manager, Manager::Npm | Manager::Bun) { "" } else { " (corepack enable)" };
        project.hint(format!("{program} is not installed here{how}: the gate will be BLOCKED until it is."));
    }
    manager
}

impl Manager {
    fn program(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic | Self::Yarn => "yarn",
            Self::Bun => "bun",
        }
    }

    /// Installs exactly what the lock file says.
    fn install(self) -> &'static str {
        match self {
            Self::Npm => "npm ci",
            Self::Pnpm => "pnpm install --frozen-lockfile",
            Self::YarnClassic => "yarn install --frozen-lockfile",
            Self::Yarn => "yarn install --immutable",
            Self::Bun => "bun install --frozen-lockfile",
        }
    }

    /// Runs a script of the root package.
    fn run(self, script: &str) -> String {
        match (self, script) {
            (Self::Npm | Self::Pnpm | Self::YarnClassic | Self::Yarn, "test") => {
                format!("{} test", self.program())
            }
            _ => format!("{} run {script}", self.program()),
        }
    }

    /// Runs a script of the root package with more options.
    fn run_with(self, script: &str, options: &str) -> String {
        match (self, options) {
            (_, "") => self.run(script),
            (Self::Npm, _) => format!("{} -- {options}", self.run(script)),
            (_, _) => format!("{} run {script} {options}", self.program()),
        }
    }

    /// Runs an installed program; never fetches one.
    fn exec(self, line: &str) -> String {
        match self {
            Self::Npm => format!("npx --no-install {line}"),
            Self::Pnpm => format!("pnpm exec {line}"),
            Self::YarnClassic | Self::Yarn => format!("yarn run {line}"),
            Self::Bun => format!("bun x --no-install {line}"),
        }
    }

    /// Runs a script of every member that has it.
    fn run_in_members(self, script: &str) -> Option<String> {
        match self {
            Self::Npm => Some(format!("npm run {script} --workspaces --if-present")),
            Self::Pnpm => Some(format!("pnpm -r --if-present run {script}")),
            Self::Yarn => Some(format!("yarn workspaces foreach --all run {script}")),
            Self::Bun => Some(format!("bun run --filter '*' {script}")),
            // It stops at the first member without the script.
            Self::YarnClassic => None,
        }
    }
}

fn script_step(
    facts: &Facts<'_>,
    project: &mut Project,
    space: &Workspace<'_>,
    (name, kind, scripts): (&str, StepKind, &[&str]),
) {
    let here = scripts.iter().find_map(|script| space.root.script(script).map(|text| (*script, text)));
    let found = if let Some((script, text)) = here {
        let unfit = |word: &&str| ["--fix", "--write", "--watch", "--watchAll"].contains(word);
        if let Some(flag) = text.split_whitespace().find(unfit) {
            project.hint(format!(
                "The script `{script}` uses {flag}: a gate must not change files or wait. It is no step."
            ));
            return;
        }
        // The root often only hands on what its members' script is.
        let handed_on = text.trim() == format!("turbo run {script}");
        if handed_on
            && let Some(found) = member_line(facts, project, space, &[script]).filter(|f| f.2.is_some())
        {
            return add(project, (name, kind), found);
        }
        let known = reported(text);
        let line = space.manager.run_with(script, known.map_or("", |known| known.options));
        (line, format!("{} has the script `{script}`", project.path("package.json")), known)
    } else if let Some(found) = member_line(facts, project, space, scripts) {
        found
    } else {
        return;
    };
    add(project, (name, kind), found);
}

/// A line, why it is proposed, and its report.
type Found = (String, String, Option<Reported>);

fn add(project: &mut Project, (name, kind): (&str, StepKind), (line, why, report): Found) {
    let why = if report.is_some() { format!("{why}; {NAMED}") } else { why };
    let step = project.step(name, kind, &line, why);
    step.report = report.map(|known| known.report.to_owned());
    if matches!(kind, StepKind::Build | StepKind::Test) {
        step.timeout = long();
    }
}

/// The line that runs a script which only members of the workspace have.
fn member_line(
    facts: &Facts<'_>,
    project: &mut Project,
    space: &Workspace<'_>,
    scripts: &[&str],
) -> Option<Found> {
    let has = |script: &&&str| space.members.iter().any(|member| member.script(script).is_some());
    let script = *scripts.iter().find(has)?;
    let count = space.members.iter().filter(|member| member.script(script).is_some()).count();
    let why = format!("{count} of {} workspace packages have the script `{script}`", space.members.len());
    if let Some(turbo) = facts.read(&project.path("turbo.json"))
        && turbo.contains(&format!("\"{script}\""))
    {
        let why = format!("turbo.json has the task `{script}`");
        let known = same_in_members(space, script);
        let line = match known {
            // Each package's report by itself, and those behind one that failed.
            Some(known) => format!(
                "turbo run {script} --continue --log-prefix=none --log-order=grouped -- {}",
                known.options
            ),
            None => format!("turbo run {script}"),
        };
        return Some((space.manager.exec(&line), why, known));
    }
    if script == "test" && space.members.iter().any(Package::has_placeholder) {
        project.hint("Some workspace packages have npm's placeholder instead of a test script, which fails: remove it, then add a test step.");
        return None;
    }
    let line = space.manager.run_in_members(script);
    if line.is_none() {
        project.hint(format!("Workspace packages have the script `{script}`, but yarn 1 can't run it where it exists only: add a root script."));
    }
    Some((line?, why, None))
}

/// The tool that a script is in all members that have it, if that names files in a way that tells packages apart: compilers
/// name them from where they run.
fn same_in_members(space: &Workspace<'_>, script: &str) -> Option<Reported> {
    let mut known = space.members.iter().filter_map(|member| member.script(script)).map(reported);
    let first = known.next()??;
    (!first.options.is_empty() && known.all(|other| other == Some(first))).then_some(first)
}

/// Tools that are configured and installed, but that no script runs.
fn tools_without_scripts(facts: &Facts<'_>, project: &mut Project, root: &Package, manager: Manager) {
    let has = |project: &Project, kind| project.steps.iter().any(|proposed| proposed.step.kind == kind);
    let eslint = facts.below(&root.dir).find(|path| {
        let name = path.strip_prefix(&root.dir).unwrap_or(path).trim_start_matches('/');
        name.starts_with("eslint.config.") || name.starts_with(".eslintrc")
    });
    if let Some(path) = eslint
        && root.depends_on("eslint")
        && root.script("lint").is_none()
        && !has(project, StepKind::Lint)
    {
        let why = format!("{path} configures ESLint; {NAMED}");
        let step = project.step("lint", StepKind::Lint, &manager.exec("eslint -f json ."), why);
        step.report = Some("eslint".to_owned());
    }
    let builds_types = root.script("build").is_some_and(|script| script.contains("tsc"));
    let config = facts.read(&project.path("tsconfig.json")).unwrap_or_default();
    // With project references the plain command checks nothing.
    let plain = !config.is_empty() && !config.contains("\"references\"");
    if plain && root.depends_on("typescript") && !builds_types && !has(project, StepKind::Types) {
        let why = format!("{} is there; {NAMED}", project.path("tsconfig.json"));
        let step = project.step("types", StepKind::Types, &manager.exec("tsc --noEmit"), why);
        step.report = Some("tsc".to_owned());
    }
}

fn set_up(facts: &Facts<'_>, project: &mut Project, space: &Workspace<'_>) {
    let root = space.root;
    if !root.has_dependencies() && !space.members.iter().any(Package::has_dependencies) {
        return;
    }
    let locked = LOCKS.iter().any(|lock| facts.exists(&join(&root.dir, lock)));
    if locked {
        project.set_up(space.manager.install());
    } else {
        project.set_up(&format!("{} install", space.manager.program()));
        project.hint("There is no lock file: setup installs whatever is newest. Commit one.");
    }
    let settings = facts.read(&join(&root.dir, ".yarnrc.yml")).unwrap_or_default();
    let plug_and_play = space.manager == Manager::Yarn && !settings.contains("nodeLinker: node-modules");
    if plug_and_play {
        for path in [".yarn/cache", ".yarn/unplugged"] {
            if facts.below(&join(&root.dir, path)).next().is_none() {
                project.keep(path);
            }
        }
    } else {
        project.keep("node_modules");
        for member in space.members.iter().take(MEMBERS) {
            let path = if root.dir.is_empty() { &member.dir } else { &member.dir[root.dir.len() + 1..] };
            project.keep(&format!("{path}/node_modules"));
        }
    }
}
