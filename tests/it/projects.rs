//! Small projects of four kinds with the tools that people use: every planted regression is found and named, and no old
//! failure is taken for a new one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use git_orch::sys::env::Env;
use git_orch::sys::fs;

use crate::env::{ORCH, TestEnv, TestRepo, corpus};
use crate::run::{Cmd, Outcome};

/// A project of `tests/corpus/projects`, whose trunk has some failures already.
struct Kind {
    name: &'static str,
    /// How many findings trunk has.
    old: u64,
    planted: &'static [Planted],
    /// What changes nothing that matters, as lines of shell.
    harmless: &'static [&'static str],
}

/// A regression as lines of shell, and what has to be said of it: new findings, or the rule by which it is BLOCKED.
type Planted = (&'static str, &'static str);

const CARGO: Kind = Kind {
    name: "cargo",
    old: 2,
    planted: &[
        (
            "sed -i 's/    match unit {/    let unit = unit.clone();\\n    match unit {/' convert/src/lib.rs",
            "clippy: new: convert/src/lib.rs",
        ),
        (
            "sed -i 's/count \\* 1000/count * \"1000\"/' measure/src/lib.rs",
            "new: measure/src/lib.rs:10:20: error E0277",
        ),
        ("sed -i 's/\"m\" =>/\"metre\" =>/' convert/src/lib.rs", "test: 2 new: "),
        (
            "sed -i 's/^impl Length {/&\\n    pub fn double(self) -> Self {\\n        return Self(self.0 * 2);\\n    }\\n/' measure/src/lib.rs",
            "clippy: new: measure/src/lib.rs",
        ),
        (
            "sed -i 's/^#\\[test\\]$/#[test]\\n#[ignore]/' convert/tests/words.rs",
            "guardrail.tests.rust-ignored",
        ),
        (
            "sed -i '/fn other_units/,$d' convert/tests/words.rs && sed -i '$d' convert/tests/words.rs",
            "guardrail.tests.rust-deleted",
        ),
        (
            "printf '\\n[[test]]\\nname = \"words\"\\ntest = false\\n' >> convert/Cargo.toml",
            "ralph.fewer_tests: test: 3 tests ran, 6 on the base",
        ),
    ],
    harmless: &[
        "sed -i '1a //! And how to compare them.\\n//!\\n//! Whole ones only.' measure/src/lib.rs",
        "sed -i 's/^    \\(    .*\\)$/\\1/' measure/src/lib.rs",
        "git mv measure/src/lib.rs measure/src/length.rs && printf '\\n[lib]\\npath = \"src/length.rs\"\\n' >> measure/Cargo.toml",
    ],
};

const TYPESCRIPT: Kind = Kind {
    name: "typescript",
    old: 3,
    planted: &[
        (
            "echo 'export const same = (a: string, b: string) => a == b;' >> packages/cart/src/index.ts",
            "lint: new: packages/cart/src/index.ts:24:49: error eqeqeq",
        ),
        (
            "echo 'export let rest: any;' >> packages/text/src/index.ts",
            "lint: new: packages/text/src/index.ts:18:18: error @typescript-eslint/no-explicit-any",
        ),
        (
            "echo 'export const room: number = slug(\"a\");' >> packages/text/src/index.ts",
            "types: new: packages/text/src/index.ts:18:14: error TS2322",
        ),
        (
            "sed -i 's/slug(line.name)/line.name/' packages/cart/src/index.ts",
            "test: new: packages/cart/src/index.test.ts",
        ),
        (
            "sed -i 's/from \"vitest\"/from \"vitess\"/' packages/cart/src/index.test.ts",
            "new: packages/cart/src/index.test.ts",
        ),
        (
            "sed -i 's/it(\"adds up/it.skip(\"adds up/' packages/cart/src/index.test.ts",
            "guardrail.tests.js-skipped",
        ),
        ("sed -i '/has an address/,$d' packages/cart/src/index.test.ts", "guardrail.tests.js-deleted"),
        (
            "sed -i 's/vitest run/vitest run --testNamePattern up/' packages/cart/package.json",
            "ralph.fewer_tests: test: 5 tests ran, 7 on the base",
        ),
        (
            "sed -i 's/vitest run/vitest run --exclude **\\/*.ts --passWithNoTests/' packages/cart/package.json",
            "ralph.fewer_tests: test: 4 tests ran, 7 on the base",
        ),
        (
            "sed -i 's,^  return sorted,  // @ts-ignore\\n  return sorted,' packages/cart/src/index.ts",
            "guardrail.suppression.ts-ignore",
        ),
    ],
    harmless: &[
        "sed -i 's/^  /\t/' packages/*/src/*.ts",
        "sed -i '1i // Of the shop.\\n' packages/*/src/*.ts",
        "cd packages/text/src && git mv index.ts words.ts && echo 'export * from \"./words.js\";' > index.ts",
    ],
};

const PYTHON: Kind = Kind {
    name: "python",
    old: 3,
    planted: &[
        (
            "sed -i 's/^from dataclasses/import os\\nfrom dataclasses/' src/ledger/account.py",
            "lint: new: src/ledger/account.py:3:8: error F401",
        ),
        (
            "sed -i 's/return sum(self.entries)/return shown(sum(self.entries))/' src/ledger/account.py",
            "types: new: src/ledger/account.py:21",
        ),
        (
            "sed -i 's/shown(max(self.entries))/shown(self.entries[0])/' src/ledger/account.py",
            "test: new: tests/test_account.py: error test_the_largest_is_found",
        ),
        ("sed -i 's/^from ledger/from legder/' tests/test_account.py", "new: tests/test_account.py"),
        (
            "sed -i 's/^def test_debts_are_shown/@pytest.mark.skip\\n&/' tests/test_money.py",
            "guardrail.tests.py-skipped",
        ),
        ("sed -i '/^def test_debts_are_shown/,$d' tests/test_money.py", "guardrail.tests.py-deleted"),
        (
            "sed -i 's/, (\"0.5\", 50)//' tests/test_money.py",
            "ralph.fewer_tests: test: 7 tests ran, 8 on the base",
        ),
        ("sed -i 's/^testpaths = .*/testpaths = [\"src\"]/' pyproject.toml", "test could not be judged"),
        (
            "sed -i 's/return None/return None  # type: ignore/' src/ledger/account.py",
            "guardrail.suppression.py-type-ignore",
        ),
        (
            "printf '\\n\\ndef rounded(cents: int) -> int:\\n    \"\"\"Whole.\"\"\"\\n    whole = cents // 100\\n    return whole * 100\\n' >> src/ledger/money.py",
            "ralph.coverage: coverage: 88.8 % of the lines are covered, 95.8 % on the base",
        ),
    ],
    harmless: &[
        "sed -i 's/^    def/\\n    def/' src/ledger/account.py",
        "sed -i '2a # Whatever the currency is.' src/ledger/money.py",
        "git mv src/ledger/money.py src/ledger/amount.py && sed -i s/ledger.money/ledger.amount/ src/ledger/account.py tests/test_money.py",
    ],
};

const POLYGLOT: Kind = Kind {
    name: "polyglot",
    old: 3,
    planted: &[
        ("echo 'if' >> scripts/fetch.sh", "scripts:syntax: new: scripts/fetch.sh"),
        (
            "sed -i 's/^    return .*join/    spare = 1\\n&/' tools/chart.py",
            "tools:lint: new: tools/chart.py",
        ),
        ("sed -i 's/-1, rest/1, rest/' core/src/lib.rs", "core:test: new: core/src/lib.rs"),
        (
            "sed -i 's/Some(sign/Some(text/' core/src/lib.rs",
            "core:test: new: core/src/lib.rs:10:15: error E0369",
        ),
        ("sed -i 's,// 10,// 5,' tools/chart.py", "tools:test: 2 new: tools/test_chart.py"),
        ("sed -i 's/^def test_frost/def frost/' tools/test_chart.py", "guardrail.tests.py-deleted"),
        (
            "sed -i 's/^#.cfg(test).$/#[cfg(tests)]/' core/src/lib.rs",
            "ralph.fewer_tests: core:test: 0 tests ran, 3 on the base",
        ),
    ],
    harmless: &[
        "sed -i '2a # With all that it takes.\\n' scripts/*.sh",
        "git mv scripts/old.sh scripts/older.sh",
        "git mv core/src/lib.rs core/src/weather.rs && sed -i 's/^name = \"weather\"/&\\npath = \"src\\/weather.rs\"/' core/Cargo.toml",
        "sed -i 's/^    \\(    .*\\)$/\\1/' core/src/lib.rs",
    ],
};

/// What the tests of this kind of project need, in a directory that other runs find again.
#[derive(Default)]
struct Tools {
    npm: Option<PathBuf>,
    wheels: Option<PathBuf>,
}

fn run(kind: &Kind, tools: &Tools) {
    let env = TestEnv::new();
    // As it is for people: what a run writes elsewhere is gone after it.
    env.at(env.root()).git(&["config", "--global", "--unset-all", "orch.sandboxWrites"]).success();
    let repo = project(&env, kind.name, tools);
    let trunk = ralph(&repo).code(1);
    let json = ralph_json(&repo);
    let steps = json["steps"].as_array().expect("steps");
    let found: u64 = steps.iter().filter_map(|step| step["report"]["found"].as_u64()).sum();
    assert_eq!(found, kind.old, "{}: {trunk}\n{json:#}", kind.name);
    let mut wrong = Vec::new();
    for (n, (change, names)) in kind.planted.iter().enumerate() {
        branch(&repo, &format!("planted-{n}"), change);
        let is_rule = names.starts_with("ralph.") || names.starts_with("guardrail.");
        let done = ralph(&repo).any();
        let told = done.stdout.contains(names) && (is_rule || done.stdout.contains("worse than the base: "));
        if done.status() != if is_rule { 3 } else { 1 } || !told {
            wrong.push(format!("{change}\nnot {names}: {done}"));
        }
    }
    let old = format!("no regressions: {} findings", kind.old);
    for (n, change) in kind.harmless.iter().enumerate() {
        branch(&repo, &format!("harmless-{n}"), change);
        let done = ralph(&repo).any();
        if done.status() != 0 || !done.stdout.contains(&old) {
            wrong.push(format!("{change}\nnot {old}: {done}"));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", kind.name, wrong.join("\n\n"));
}

fn project(env: &TestEnv, name: &str, tools: &Tools) -> TestRepo {
    let source = corpus("projects").join(name);
    env.cmd("cp").args(&["-R".as_ref(), source.as_os_str(), "repo".as_ref()]).run().success();
    for (from, to) in [(&tools.npm, env.home().join(".npm")), (&tools.wheels, wheels(env))] {
        if let Some(from) = from {
            fs::create_dir_all(to.parent().expect("it has one")).expect("ours");
            env.cmd("cp").args(&["-R".as_ref(), from.as_os_str(), to.as_os_str()]).run().success();
        }
    }
    env.git(&["init", "--quiet", "repo"]).success();
    let repo = env.at("repo");
    repo.git(&["add", "--all"]).success();
    repo.commit("import", &[]);
    repo.orch(&["init"]).success();
    repo
}

/// Where pip keeps things, too: a run sees it.
fn wheels(env: &TestEnv) -> PathBuf {
    env.home().join(".cache/pip/wheels-here")
}

fn branch(repo: &TestRepo, name: &str, change: &str) {
    repo.git(&["switch", "--quiet", "-c", name, "main"]).success();
    repo.sh(change).success();
    repo.git(&["add", "--all"]).success();
    repo.commit(name, &[]);
    repo.git(&["diff", "--quiet", "main"]).code(1);
}

fn command(repo: &TestRepo, args: &[&str]) -> Cmd {
    let cmd = repo.cmd(ORCH).args(&["ralph"]).args(args);
    cmd.var("PIP_FIND_LINKS", wheels(repo.env()))
        .var("PIP_NO_INDEX", "1")
        .var("TURBO_TELEMETRY_DISABLED", "1")
}

fn ralph(repo: &TestRepo) -> Outcome {
    command(repo, &[]).run()
}

fn ralph_json(repo: &TestRepo) -> serde_json::Value {
    serde_json::from_str(&command(repo, &["--json"]).run().any().stdout).expect("JSON")
}

/// The directory that `fill`, lines of shell in a copy of the project, makes of what the project is locked to. It is made
/// once: the tools have hundreds of files, and registries are far away.
fn cached(name: &str, lock: &str, fill: &str) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let env = TestEnv::new();
    let source = corpus("projects").join(name);
    let id =
        env.cmd("git").args(&["hash-object".as_ref(), source.join(lock).as_os_str()]).run().success().line();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", &id[..12]));
    if fs::exists(&place) {
        return Some(place);
    }
    env.cmd("cp").args(&["-R".as_ref(), source.as_os_str(), "made".as_ref()]).run().success();
    // Where a registry is, and how it is reached, is the machine's to say.
    let ambient = Env::capture();
    let cmd = env.at("made").cmd("sh").args(&["-c", fill]);
    let cmd = ambient.iter().filter(|(name, _)| *name != "PATH").fold(cmd, |cmd, (name, value)| {
        match name.to_str() {
            Some(name) => cmd.var(name, value),
            None => cmd,
        }
    });
    let done = cmd.run().any();
    if done.status() != 0 {
        let why = done.stderr.lines().last().unwrap_or_default();
        assert!(!is_ci(), "{name}: its tools can't be installed: {done}");
        skipped(&format!("the tools of {name} can't be installed here: {why}"));
        return None;
    }
    fs::create_dir_all(place.parent().expect("it has one")).expect("ours");
    env.cmd("cp")
        .args(&["-R".as_ref(), env.root().join("made/cache").as_os_str(), place.as_os_str()])
        .run()
        .success();
    Some(place)
}

/// Whether somebody asked for the projects whose tools have to be installed, which takes minutes.
fn asked(name: &str) -> bool {
    let is_asked = Env::capture().get("ORCH_TEST_PROJECTS").is_some();
    if !is_asked {
        skipped(&format!("{name}, without ORCH_TEST_PROJECTS=1"));
    }
    is_asked
}

/// Where everything that is asked for has to be there.
fn is_ci() -> bool {
    Env::capture().get("CI").is_some()
}

const WHEELS: &str = "python3 -m venv .venv && .venv/bin/pip download -q -d cache -r requirements.txt";

#[test]
fn cargo() {
    run(&CARGO, &Tools::default());
}

#[test]
fn a_proposed_gate_names_what_it_finds() {
    let env = TestEnv::new();
    let source = corpus("projects").join("cargo");
    env.cmd("cp").args(&["-R".as_ref(), source.as_os_str(), "repo".as_ref()]).run().success();
    env.git(&["init", "--quiet", "repo"]).success();
    let repo = env.at("repo");
    repo.sh("rm orch.toml && git add --all").success();
    repo.commit("import", &[]);
    let shown = repo.orch(&["ralph", "steps", "--detect", "--json"]).success().json();
    let reports: Vec<_> = shown["steps"].as_array().expect("steps").iter().map(|s| &s["report"]).collect();
    assert_eq!(reports, [&serde_json::Value::Null, &"cargo".into(), &"cargo".into()], "{shown:#}");
    repo.orch(&["init"]).success();
    let steps = ralph_json(&repo)["steps"].clone();
    let found = |n: usize| (steps[n]["verdict"].clone(), steps[n]["report"]["found"].clone());
    // The workspace sets lints, so that what clippy warns of counts.
    assert_eq!([found(1), found(2)], [("FAIL".into(), 1.into()), ("FAIL".into(), 1.into())], "{steps:#}");
}

#[test]
fn typescript() {
    if !asked("typescript") {
        return;
    }
    let fill = "npm ci --ignore-scripts --no-audit --no-fund --cache cache";
    let Some(npm) = cached("typescript", "package-lock.json", fill) else { return };
    run(&TYPESCRIPT, &Tools { npm: Some(npm), ..Tools::default() });
}

#[test]
fn python() {
    if !asked("python") {
        return;
    }
    let Some(wheels) = cached("python", "requirements.txt", WHEELS) else { return };
    run(&PYTHON, &Tools { wheels: Some(wheels), ..Tools::default() });
}

#[test]
fn polyglot() {
    if !asked("polyglot") {
        return;
    }
    let Some(wheels) = cached("polyglot", "requirements.txt", WHEELS) else { return };
    run(&POLYGLOT, &Tools { wheels: Some(wheels), ..Tools::default() });
}

/// Says so past the harness, which keeps to itself what a test prints that passes.
fn skipped(what: &str) {
    writeln!(std::io::stderr(), "skipped: {what}").expect("somebody reads");
}
