//! Proposals for small repositories of every kind, and what is written for them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::{Config, parse};
use crate::gate::Definition;
use crate::gate::detect::{Facts, Proposal, propose, render, tools};
use crate::sys::env::Env;

/// What is proposed for a repository of these files, on a machine that has every tool but those in `without`.
fn proposal_without(files: &[(&str, &str)], without: &[&str]) -> Proposal {
    let texts: BTreeMap<String, String> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let facts = Facts::new(
        texts.keys().cloned().collect::<Vec<_>>(),
        |path| texts.get(path).cloned(),
        |tool| !without.contains(&tool),
    );
    propose(&facts)
}

fn shown(proposal: &Proposal) -> String {
    let text = render(proposal);
    let config = parse(&text, "orch.toml").unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    assert_eq!(
        Definition::of(&config),
        proposal.definition(),
        "what is written is what was proposed\n{text}"
    );
    let mut lines: Vec<String> = proposal.setup.iter().map(|line| format!("$ {line}")).collect();
    if !proposal.carry.is_empty() {
        lines.push(format!("carry {}", proposal.carry.join(" ")));
    }
    for proposed in &proposal.steps {
        let crate::config::Run::Shell(line) = &proposed.step.run else { panic!("a line") };
        let kind = proposed.step.kind.as_str();
        let report = proposed.step.report.as_deref().map(|report| format!(" [{report}]")).unwrap_or_default();
        lines.push(format!("{} ({kind}): {line}{report} -- {}", proposed.step.name, proposed.why));
    }
    lines.extend(proposal.hints.iter().map(|hint| format!("! {hint}")));
    lines.join("\n")
}

fn detected(files: &[(&str, &str)]) -> String {
    shown(&proposal_without(files, &[]))
}

#[test]
fn a_cargo_package() {
    let files = [
        ("Cargo.toml", "[package]\nname = \"x\"\n"),
        ("src/lib.rs", "fn a() {}"),
        ("tests/it.rs", "#[test]\nfn a() {}"),
        ("tests/fixtures/a/Cargo.toml", "[package]"),
        ("fuzz/Cargo.toml", "[package]"),
    ];
    insta::assert_snapshot!(detected(&files), @"
    carry target
    fmt (format): cargo fmt --check -- Cargo.toml is a package
    clippy (lint): cargo clippy --all-targets --message-format=json [cargo] -- clippy is installed; without `-- -D warnings` only its errors count; its report names each finding
    test (test): cargo test [cargo] -- tests/it.rs has tests; its report names each finding
    ");
    let bare = [("Cargo.toml", "[package]\nname = \"x\"\n"), ("src/lib.rs", "fn a() {}")];
    insta::assert_snapshot!(shown(&proposal_without(&bare, &["cargo fmt", "cargo clippy"])), @r#"
    carry target
    build (build): cargo build --all-targets -- Cargo.toml is a package
    ! cargo fmt is not installed here (rustup component add rustfmt): no format step is proposed.
    ! cargo clippy is not installed here (rustup component add clippy): no lint step is proposed.
    ! No Rust test was found: the gate only builds. Add a step of kind "test" with the first test.
    "#);
}

#[test]
fn a_cargo_workspace_that_minds_clippy() {
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n[workspace.lints.clippy]\nall = \"warn\"\n"),
        ("Cargo.lock", ""),
        ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
        ("a/src/lib.rs", "/// ```\n/// assert!(true);\n/// ```\npub fn a() {}"),
    ];
    insta::assert_snapshot!(detected(&files), @"
    carry target
    fmt (format): cargo fmt --all --check -- Cargo.toml is a workspace
    clippy (lint): cargo clippy --workspace --locked --all-targets --message-format=json -- -D warnings [cargo] -- Cargo.toml sets clippy's lints; its report names each finding
    test (test): cargo test --workspace --locked [cargo] -- a/src/lib.rs has tests; its report names each finding
    ");
}

#[test]
fn npm_with_the_usual_scripts() {
    let files = [
        (
            "package.json",
            r#"{"scripts": {"test": "jest", "lint": "eslint .", "build": "tsc -p .", "typecheck": "tsc --noEmit"},
                "devDependencies": {"jest": "1"}}"#,
        ),
        ("package-lock.json", "{}"),
    ];
    insta::assert_snapshot!(detected(&files), @"
    $ npm ci
    carry node_modules
    lint (lint): npm run lint -- -f json [eslint] -- package.json has the script `lint`; its report names each finding
    types (types): npm run typecheck [tsc] -- package.json has the script `typecheck`; its report names each finding
    build (build): npm run build [tsc] -- package.json has the script `build`; its report names each finding
    test (test): npm test -- --json [jest] -- package.json has the script `test`; its report names each finding
    ");
}

#[test]
fn npm_init_and_nothing_more() {
    let files = [("package.json", r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#)];
    insta::assert_snapshot!(detected(&files), @"
    ! package.json has no script for lint, types, build or test that could be a step.
    ! Nothing that this version knows how to judge was found: the gate is empty, and Ralph says BLOCKED until orch.toml has a [[ralph.step]].
    ");
}

#[test]
fn tools_without_scripts_and_scripts_that_rewrite() {
    let files = [
        (
            "package.json",
            r#"{"scripts": {"lint:check": "eslint --fix ."}, "devDependencies": {"eslint": "9", "typescript": "5"}}"#,
        ),
        ("eslint.config.js", ""),
        ("tsconfig.json", "{}"),
        ("yarn.lock", "# yarn lockfile v1\n"),
    ];
    insta::assert_snapshot!(detected(&files), @"
    $ yarn install --frozen-lockfile
    carry node_modules
    lint (lint): yarn run eslint -f json . [eslint] -- eslint.config.js configures ESLint; its report names each finding
    types (types): yarn run tsc --noEmit [tsc] -- tsconfig.json is there; its report names each finding
    ! The script `lint:check` uses --fix: a gate must not change files or wait. It is no step.
    ");
}

#[test]
fn pnpm_workspace_under_turborepo() {
    let files = [
        (
            "package.json",
            r#"{"packageManager": "pnpm@9.1.0", "scripts": {"lint": "turbo run lint", "test": "turbo run test"}, "devDependencies": {"turbo": "2"}}"#,
        ),
        ("pnpm-lock.yaml", ""),
        ("pnpm-workspace.yaml", "packages: ['packages/*']"),
        ("turbo.json", "{ // tasks\n \"tasks\": {\"lint\": {}, \"test\": {}, \"build\": {} } }"),
        (
            "packages/web/package.json",
            r#"{"scripts": {"test": "vitest run", "lint": "eslint .", "check-types": "tsc"}}"#,
        ),
        ("packages/api/package.json", r#"{"scripts": {"lint": "eslint ."}}"#),
    ];
    let proposal = proposal_without(&files, &["pnpm"]);
    insta::assert_snapshot!(shown(&proposal), @"
    $ pnpm install --frozen-lockfile
    carry node_modules packages/api/node_modules packages/web/node_modules
    lint (lint): pnpm exec turbo run lint --continue --log-prefix=none --log-order=grouped -- -f json [eslint] -- turbo.json has the task `lint`; its report names each finding
    types (types): pnpm -r --if-present run check-types -- 1 of 2 workspace packages have the script `check-types`
    test (test): pnpm exec turbo run test --continue --log-prefix=none --log-order=grouped -- --reporter=json [vitest] -- turbo.json has the task `test`; its report names each finding
    ! pnpm is not installed here (corepack enable): the gate will be BLOCKED until it is.
    ");
}

#[test]
fn yarn_of_two_ages() {
    let package = ("package.json", r#"{"scripts": {"test": "node --test"}, "dependencies": {"a": "1"}}"#);
    insta::assert_snapshot!(detected(&[package, ("yarn.lock", "# yarn lockfile v1\n")]), @"
    $ yarn install --frozen-lockfile
    carry node_modules
    test (test): yarn test -- package.json has the script `test`
    ");
    insta::assert_snapshot!(detected(&[package, ("yarn.lock", "__metadata:\n  version: 8\n")]), @"
    $ yarn install --immutable
    carry .yarn/cache .yarn/unplugged
    test (test): yarn test -- package.json has the script `test`
    ");
    let linker = (".yarnrc.yml", "nodeLinker: node-modules\n");
    insta::assert_snapshot!(detected(&[package, ("yarn.lock", "__metadata:\n"), linker]), @"
    $ yarn install --immutable
    carry node_modules
    test (test): yarn test -- package.json has the script `test`
    ");
}

#[test]
fn python_with_uv() {
    let files = [
        (
            "pyproject.toml",
            "[project]\nname = \"x\"\n[dependency-groups]\ndev = [\"ruff\", \"mypy\", \"pytest\"]\n\
             [tool.ruff.format]\nquote-style = \"double\"\n[tool.mypy]\nfiles = [\"src\"]\n",
        ),
        ("uv.lock", ""),
        ("tests/test_a.py", "def test_a(): pass"),
    ];
    insta::assert_snapshot!(detected(&files), @"
    $ uv sync --locked
    carry .venv
    format (format): uv run --no-sync ruff format --check . -- pyproject.toml configures ruff
    ruff (lint): uv run --no-sync ruff check --output-format json . [ruff] -- pyproject.toml configures ruff; its report names each finding
    mypy (types): uv run --no-sync mypy [mypy] -- pyproject.toml configures mypy; its report names each finding
    test (test): uv run --no-sync pytest [pytest] -- tests/test_a.py has tests; its report names each finding
    ");
}

#[test]
fn python_with_requirements_and_with_poetry() {
    let plain = [
        ("requirements.txt", "flask\n"),
        ("requirements-dev.txt", "pytest==8\n"),
        ("setup.cfg", "[mypy]\nstrict = True\n"),
        ("app_test.py", "def test_a(): pass"),
    ];
    insta::assert_snapshot!(detected(&plain), @"
    $ python3 -m venv .venv
    $ .venv/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -r requirements.txt mypy
    carry .venv
    mypy (types): .venv/bin/mypy . [mypy] -- setup.cfg configures mypy; its report names each finding
    test (test): .venv/bin/pytest [pytest] -- app_test.py has tests; its report names each finding
    ! No requirement names mypy: setup installs the newest. Pin it in a requirements file.
    ");
    let poetry = [
        (
            "pyproject.toml",
            "[tool.poetry]\nname = \"x\"\n[tool.poetry.group.dev.dependencies]\npytest = \"8\"\n",
        ),
        ("poetry.lock", ""),
        ("tests/test_a.py", "def test_a(): pass"),
    ];
    insta::assert_snapshot!(detected(&poetry), @"
    $ POETRY_VIRTUALENVS_IN_PROJECT=true poetry install --no-interaction
    carry .venv
    test (test): poetry run pytest [pytest] -- tests/test_a.py has tests; its report names each finding
    ");
    let unittest = [("setup.py", "setup()"), ("test_a.py", "import unittest\n")];
    insta::assert_snapshot!(detected(&unittest), @"
    $ python3 -m venv .venv
    $ .venv/bin/pip install --quiet --disable-pip-version-check -e .
    carry .venv
    test (test): .venv/bin/python -m unittest discover -- test_a.py has tests
    ");
}

#[test]
fn python_with_dependency_groups() {
    let pyproject = (
        "pyproject.toml",
        "[project]\nname = \"x\"\n[tool.ruff]\n[dependency-groups]\ntest = [\"pytest>=8\", {include-group = \"x\"}]\n",
    );
    let test = ("test_a.py", "def test_a(): pass");
    insta::assert_snapshot!(detected(&[pyproject, test]), @"
    $ python3 -m venv .venv
    $ .venv/bin/pip install --quiet --disable-pip-version-check -e . 'pytest>=8' ruff
    carry .venv
    ruff (lint): .venv/bin/ruff check --output-format json . [ruff] -- pyproject.toml configures ruff; its report names each finding
    test (test): .venv/bin/pytest [pytest] -- test_a.py has tests; its report names each finding
    ! No requirement names ruff: setup installs the newest. Pin it in a requirements file.
    ");
    insta::assert_snapshot!(detected(&[pyproject, test, ("uv.lock", "")]), @"
    $ uv sync --locked --all-groups
    carry .venv
    ruff (lint): uv run --no-sync ruff check --output-format json . [ruff] -- pyproject.toml configures ruff; its report names each finding
    test (test): uv run --no-sync pytest [pytest] -- test_a.py has tests; its report names each finding
    ! ruff is used but required nowhere: add it to the development dependencies.
    ");
}

#[test]
fn go_modules() {
    let files = [
        ("go.mod", "module x"),
        ("main.go", ""),
        ("cmd/x/main.go", ""),
        ("vendor/y/y.go", ""),
        ("cmd/x/main_test.go", ""),
    ];
    insta::assert_snapshot!(detected(&files), @r#"
    gofmt (format): files=$(gofmt -l cmd main.go) || exit; [ -z "$files" ] || { echo "$files"; exit 1; } -- go.mod is a module
    vet (lint): go vet ./... [go] -- go.mod is a module; its report names each finding
    test (test): go test -json ./... [go] -- cmd/x/main_test.go has tests; its report names each finding
    "#);
}

#[test]
fn several_projects_have_names_that_tell_them_apart() {
    let files = [
        ("Cargo.toml", "[package]\nname = \"x\"\n"),
        ("src/lib.rs", "#[test] fn a() {}"),
        ("web ui/package.json", r#"{"scripts": {"test": "jest", "lint": "eslint ."}}"#),
        ("web ui/package-lock.json", "{}"),
        ("services/api/go.mod", "module x"),
        ("services/api/pyproject.toml", "[tool.ruff]\n"),
    ];
    insta::assert_snapshot!(detected(&files), @r#"
    $ cd services/api && python3 -m venv .venv
    $ cd services/api && .venv/bin/pip install --quiet --disable-pip-version-check ruff
    carry target services/api/.venv
    rust:fmt (format): cargo fmt --check -- Cargo.toml is a package
    services-api-go:gofmt (format): cd services/api && files=$(gofmt -l .) || exit; [ -z "$files" ] || { echo "$files"; exit 1; } -- services/api/go.mod is a module
    rust:clippy (lint): cargo clippy --all-targets --message-format=json [cargo] -- clippy is installed; without `-- -D warnings` only its errors count; its report names each finding
    web-ui:lint (lint): cd 'web ui' && npm run lint -- -f json [eslint] -- web ui/package.json has the script `lint`; its report names each finding
    services-api-python:ruff (lint): cd services/api && .venv/bin/ruff check --output-format json . [ruff] -- services/api/pyproject.toml configures ruff; its report names each finding
    services-api-go:vet (lint): cd services/api && go vet ./... [go] -- services/api/go.mod is a module; its report names each finding
    services-api-go:build (build): cd services/api && go build ./... -- services/api/go.mod is a module
    rust:test (test): cargo test [cargo] -- src/lib.rs has tests; its report names each finding
    web-ui:test (test): cd 'web ui' && npm test -- --json [jest] -- web ui/package.json has the script `test`; its report names each finding
    ! No requirement names ruff: setup installs the newest. Pin it in a requirements file.
    "#);
}

#[test]
fn nothing_known_is_an_empty_gate_with_hints() {
    let files = [("Makefile", "all:\n\ntest: all\n\tx\n"), ("pom.xml", ""), ("README.md", "")];
    insta::assert_snapshot!(detected(&files), @"
    ! Nothing that this version knows how to judge was found: the gate is empty, and Ralph says BLOCKED until orch.toml has a [[ralph.step]].
    ! pom.xml is there: a step could run `mvn -B verify`.
    ! The makefile has a target `test`: a step could run `make test`.
    ");
}

#[test]
fn broken_manifests_are_no_reason_to_fail() {
    let files = [("Cargo.toml", "[[["), ("package.json", "{"), ("pyproject.toml", "= ="), ("go.mod", "")];
    assert!(detected(&files).contains("go vet"));
}

#[test]
fn the_written_file_is_short_and_explains_itself() {
    let files = [("Cargo.toml", "[package]\nname = \"x\"\n"), ("src/lib.rs", "#[test] fn a() {}")];
    insta::assert_snapshot!(render(&proposal_without(&files, &[])), @r#"
    # git-orch: how this repository is judged and what may be merged. Read from trunk, never from a branch.

    # Ralph, the gate. `git orch ralph` runs it on a clean checkout of a commit; only what passes is pushed or merged.
    [ralph]
    # What trunk leaves there is there for the next run, so that not everything is made anew.
    carry = ["target"]

    # Steps run in this order; those of one group may run at the same time. Exit 0 is PASS, another status FAIL;
    # a missing program, a signal or a timeout (10m unless set) is BLOCKED: the tree could not be judged.

    # Because Cargo.toml is a package.
    [[ralph.step]]
    name = "fmt"
    kind = "format"
    run = "cargo fmt --check"
    group = "checks"

    # Because clippy is installed; without `-- -D warnings` only its errors count; its report names each finding.
    [[ralph.step]]
    name = "clippy"
    kind = "lint"
    run = "cargo clippy --all-targets --message-format=json"
    timeout = "30m"
    group = "checks"
    report = "cargo"

    # Because src/lib.rs has tests; its report names each finding.
    [[ralph.step]]
    name = "test"
    kind = "test"
    run = "cargo test"
    timeout = "30m"
    report = "cargo"

    # What happens to a task that passed: "auto" merges it, "review" leaves it to a person.
    [merge]
    qa = "auto"
    dev = "review"

    # A push waits this long for a verdict that is missing; exempt branches are not judged.
    [push]
    budget = "60s"
    exempt = ["wip/*"]

    # The built-in rules for branches and commits.
    [policy]
    profile = "standard"

    # Agents for `git orch run`: any command; the prompt is on its standard input. Roles may have their own.
    # [agents.mine]
    # command = "my-agent --non-interactive"
    # [roles.bugfix]
    # agent = "mine"
    "#);
}

#[test]
fn what_is_written_around_the_gate_is_the_built_in_layer() {
    let text = render(&Proposal::default());
    assert_eq!(parse(&text, "orch.toml"), Ok(Config::default()));
    // The examples in comments are right as well.
    let lines: Vec<&str> = text.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    let code = |line: &&&str| line.starts_with('[') || line.contains(" = ");
    let uncommented: Vec<&str> = lines.iter().filter(code).copied().collect();
    let config = parse(&uncommented.join("\n"), "orch.toml").unwrap();
    assert_eq!((config.ralph.steps.len(), config.agents.len(), config.roles.len()), (1, 1, 1));
}

#[test]
fn a_directory_is_read_without_what_tools_made() {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("package.json", r#"{"scripts": {"test": "jest"}}"#),
        ("node_modules/a/package.json", "{}"),
        ("target/package/x/Cargo.toml", "[package]"),
    ] {
        let path = dir.path().join(path);
        crate::sys::fs::create_dir_all(path.parent().unwrap()).unwrap();
        crate::sys::fs::write_new(&path, text.as_bytes(), 0o644).unwrap();
    }
    let facts = Facts::of_directory(dir.path(), |_| true);
    let names: Vec<String> = propose(&facts).steps.into_iter().map(|p| p.step.name).collect();
    assert_eq!(names, ["test"]);
}

#[test]
fn tools_are_looked_up_not_believed() {
    let env = Env::capture();
    let has = tools(Path::new("/"), &env);
    assert!(has("sh"));
    assert!(!has("no-such-program"));
    assert!(!has("no-such-program fmt"));
    assert!(!has("false fmt"), "asked for its version, it fails");
}
