//! Everything that could not be judged, one row each: BLOCKED by the rule or for the reason that is named, no PASS by which
//! anything is merged or pushed, and judged again the next time.

use git_orch::sys::fs;

use crate::env::{TestEnv, TestRepo};
use crate::project::Project;
use crate::run::{Done, Outcome};

/// What trunk's gate is, what a branch does, and what has to be named.
struct Row {
    /// `orch.toml`. `NOTE` stands for a command that notes a run outside.
    gate: String,
    /// Lines of shell that make the branch's change; without one it is a file that means nothing.
    change: &'static str,
    names: &'static str,
}

impl Row {
    fn new(gate: impl Into<String>, names: &'static str) -> Self {
        Self { gate: gate.into(), change: "echo x > README", names }
    }

    fn after(self, change: &'static str) -> Self {
        Self { change, ..self }
    }
}

/// A step that notes that it runs.
fn step(run: &str) -> String {
    keyed("custom", "", run)
}

fn keyed(kind: &str, keys: &str, run: &str) -> String {
    format!("[[ralph.step]]\nname = \"s\"\nkind = \"{kind}\"\n{keys}\nrun = '''NOTE; {run}'''\n")
}

/// A test whose report is the file `r.xml`.
fn reporting(run: &str) -> String {
    keyed("test", "report = \"junit:r.xml\"", run)
}

const ONE_TEST: &str = "<testsuites><testsuite name=\"t\"><testcase name=\"a\"/></testsuite></testsuites>";

/// A repository with trunk judged by the row's gate, and the change on a branch that is checked out.
fn changed(row: &Row) -> Project {
    let env = TestEnv::new();
    let gate = row.gate.replace("NOTE", &format!("echo run >> {}/runs", env.root().display()));
    let repo = env.repo("repo");
    let tests = format!("{ONE_TEST}\n");
    repo.commit(
        "gate",
        &[("orch.toml", &gate), ("src/a", "1\n2\n3\n"), ("src/b", "b\n"), ("old.xml", &tests)],
    );
    repo.connect(&env.remote("hub"));
    repo.orch(&["init"]).success();
    let project = Project { repo };
    // Only a comparison needs what the base is.
    if row.names.starts_with("ralph.fewer_tests") {
        project.repo.orch(&["ralph"]).success();
    }
    project.repo.git(&["switch", "--quiet", "-c", "change"]).success();
    project.repo.sh(row.change).success();
    project.repo.git(&["add", "--all"]).success();
    project.repo.commit("change", &[]);
    project
}

/// HEAD is BLOCKED, says why, and nothing that looks at verdicts takes it for more. `sh` runs a line of shell.
#[track_caller]
fn blocked(project: &Project, row: &Row, sh: &dyn Fn(&str) -> Outcome) {
    let told = |done: &Done| format!("{}{}\n{done}", row.gate, row.change);
    let repo = &project.repo;
    let trunk = repo.rev("main");
    let mut ran = Vec::new();
    for _ in 0..2 {
        let before = project.runs();
        let done = sh("git-orch ralph").any();
        assert_eq!(done.status(), 3, "{}", told(&done));
        assert_eq!(done.stdout.lines().last(), Some("BLOCKED"), "{}", told(&done));
        assert!(done.stdout.contains(row.names), "not for {}: {}", row.names, told(&done));
        ran.push(project.runs() - before);
    }
    let runs = usize::from(row.gate.contains("NOTE") && !row.names.starts_with("gate."));
    assert_eq!(ran, [runs; 2], "how often it ran, {}{}", row.gate, row.change);
    let merged = sh("git-orch merge change").any();
    assert_eq!((merged.status(), repo.rev("main")), (3, trunk), "{}", told(&merged));
    // A trunk without a gate asks nothing of what is pushed, and says so.
    if row.names != "ralph.no_steps" {
        let pushed = sh("git push --quiet hub change").any();
        let there = repo.try_rev("refs/remotes/hub/change");
        assert!(pushed.status() != 0 && there.is_none(), "{}", told(&pushed));
    }
}

fn all(rows: &[Row]) {
    for row in rows {
        let project = changed(row);
        blocked(&project, row, &|line| project.repo.sh(line));
    }
}

#[test]
fn a_command_that_came_to_no_end_of_its_own() {
    all(&[
        Row::new(step("no-such-tool --check"), "no-such-tool: not found"),
        Row::new(step("true && exit 127"), "exit 127"),
        Row::new(step("exit 126"), "exit 126"),
        Row::new(step("./src/a"), "./src/a: not executable"),
        Row::new(keyed("custom", "timeout = \"1s\"", "exec sleep 30"), "timed out after 1s"),
        Row::new(step("kill -KILL $$"), "SIGKILL"),
        Row::new(step("kill -SEGV $$"), "SIGSEGV"),
        Row::new(step("sh -c 'kill -SEGV $$'; exit $?"), "SIGSEGV"),
        Row::new(
            "[[ralph.step]]\nname = \"s\"\nkind = \"custom\"\nrun = [\"no-such-tool\"]\n",
            "no-such-tool: not found",
        ),
    ]);
}

#[test]
fn tests_that_nobody_ran() {
    let said =
        "echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s'";
    all(&[
        Row::new(keyed("test", "min_tests = 1", "true"), "ralph.zero_tests"),
        Row::new(keyed("test", "min_tests = 2", said), "ralph.zero_tests"),
        Row::new(
            reporting("cp old.xml r.xml").replace("report", "min_tests = 2\nreport"),
            "ralph.zero_tests",
        ),
        Row::new(reporting("cp old.xml r.xml"), "ralph.fewer_tests: s: 0 tests ran, 1 on the base")
            .after("echo '<testsuites/>' > old.xml"),
        Row::new(reporting("cp old.xml r.xml"), "ralph.fewer_tests: s: 0 tests ran, 1 on the base")
            .after("sed -i 's,/>,><skipped/></testcase>,' old.xml"),
        Row::new(keyed("test", "", "echo 'no tests ran in 0.01s'; exit 5"), "no test was found"),
    ]);
}

#[test]
fn a_report_that_says_nothing_of_this_run() {
    all(&[
        Row::new(reporting("true"), "it wrote no r.xml"),
        Row::new(reporting(": > r.xml"), "ralph.report"),
        Row::new(reporting("head -c 60 old.xml > r.xml"), "ralph.report"),
        Row::new(reporting("echo '{}' > r.xml"), "ralph.report"),
        Row::new(reporting("head -c 65M /dev/zero > r.xml"), "more than 64 MiB"),
        Row::new(keyed("lint", "report = \"eslint\"", "echo '[{'"), "ralph.report"),
        Row::new(keyed("lint", "report = \"junit:old.xml\"", "true"), "it did not write it anew"),
        Row::new(reporting("ln -s old.xml r.xml"), "r.xml is a link"),
        Row::new(reporting("ln -s /etc/passwd r.xml"), "r.xml is a link"),
        Row::new(reporting("ln -s nowhere r.xml"), "ralph.report"),
        Row::new(
            reporting("ln -s src out").replace("r.xml", "out/r.xml"),
            "out/r.xml is a link, or behind one",
        )
        .after("cp old.xml src/r.xml"),
        Row::new(reporting("mkfifo r.xml"), "r.xml is no file"),
        Row::new(reporting("mkdir r.xml"), "r.xml is no file"),
    ]);
}

#[test]
fn a_tree_that_did_not_stay_what_it_was() {
    let changed = |run| Row::new(step(run), "ralph.tree_changed");
    all(&[
        changed("echo more >> src/a"),
        changed("rm src/a"),
        changed("chmod +x src/a"),
        changed("rm src/a && ln -s b src/a"),
        Row::new(
            format!("[ralph]\nsetup = [\"NOTE; echo x >> src/a\"]\n{}", step("true").replace("NOTE; ", "")),
            "ralph.tree_changed: after setup",
        ),
    ]);
    // A sandboxed step can't touch the index at all.
    for run in [
        "git update-index --skip-worktree src/a && echo x > src/a",
        "git rm -qr --cached src; echo x > src/a",
    ] {
        let row = changed(run);
        let project = changed_without_sandbox(&row);
        blocked(&project, &row, &|line| project.repo.sh(line));
    }
}

fn changed_without_sandbox(row: &Row) -> Project {
    let project = changed(row);
    project.repo.git(&["config", "orch.sandbox", "off"]).success();
    project
}

#[test]
fn a_gate_that_is_none_or_not_trunk_s() {
    let quiet = step("true").replace("NOTE; ", "");
    let needing = format!(
        "{}[[ralph.step]]\nname = \"after\"\nkind = \"custom\"\nneeds = [\"s\"]\nrun = \"true\"\n",
        step("exit 127")
    );
    all(&[
        Row::new("", "ralph.no_steps"),
        Row::new("[push]\nbudget = \"5s\"\n", "ralph.no_steps"),
        Row::new(format!("[ralph]\nsetup = [\"NOTE; exit 1\"]\n{quiet}"), "ralph.setup"),
        Row::new(format!("[ralph]\nsetup = [\"NOTE; no-such-tool\"]\n{quiet}"), "no-such-tool: not found"),
        Row::new(needing, "skipped: needs s"),
        Row::new(step("true"), "gate.changed: it changes orch.toml").after("echo '# looser' >> orch.toml"),
        Row::new(step("true"), "gate.changed: it changes .husky/pre-commit")
            .after("mkdir .husky && echo exit > .husky/pre-commit"),
    ]);
    let row = Row::new(format!("[policy]\nsandbox = \"full\"\n{quiet}"), "ralph.sandbox");
    let project = changed_without_sandbox(&row);
    blocked(&project, &row, &|line| project.repo.sh(line));
}

#[test]
fn a_step_whose_need_failed_did_not_pass() {
    let needing = "[[ralph.step]]\nname = \"after\"\nkind = \"custom\"\nneeds = [\"s\"]\nrun = \"true\"\n";
    let project = changed(&Row::new(format!("{}{needing}", step("false")), ""));
    let json = project.repo.orch(&["ralph", "--json"]).code(1).json();
    let after = &json["steps"][1];
    assert_eq!((&after["verdict"], &after["reason"]), (&"BLOCKED".into(), &"skipped: needs s".into()));
}

/// The process of a line of shell where `dir` of the repository is a disk of 64 KiB.
fn on_small_disk(repo: &TestRepo, dir: &str, line: &str) -> Outcome {
    fs::create_dir_all(&repo.path(dir)).expect("ours");
    let line = format!("mount -t tmpfs -o size=64k none {dir} && {line}");
    repo.cmd("unshare").args(&["--user", "--map-root-user", "--mount", "sh", "-c", &line]).run()
}

#[test]
fn a_disk_that_is_full() {
    for (step, dir, names) in [
        (step("seq 100000"), ".git/orch/logs", "ralph.log"),
        (step("head -c 1M /dev/zero > target"), "../repo.orch", "the disk is full"),
    ] {
        let row = Row::new(step, names);
        let project = changed(&row);
        let repo = &project.repo;
        if on_small_disk(repo, dir, "true").any().status() != 0 {
            eprintln!("skipped: this machine lets nobody mount a small disk");
            return;
        }
        blocked(&project, &row, &|line| on_small_disk(repo, dir, line));
    }
}
