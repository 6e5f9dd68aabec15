//! Issue 2, point 6: the gate's word, how it comes about, and everything that must not bring a PASS about.

use rustix::process::Signal;

use git_orch::sys::lock::FileLock;

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::project::{Project, gate, refused, wait_for};
use crate::run::{Done, Outcome};
use crate::sandbox::{support, trust};

/// The verdict word is the last line of stdout, and the exit code is the word's.
#[track_caller]
fn word(outcome: Outcome, word: &str) -> Done {
    let code = match word {
        "PASS" => 0,
        "FAIL" => 1,
        _ => 3,
    };
    let done = outcome.code(code);
    assert_eq!(done.stdout.lines().last(), Some(word), "{}", done.stdout);
    done
}

/// What HEAD of a project with this gate is.
#[track_caller]
fn judged_by(gate: &str, expected: &str) -> (Project, Done) {
    let project = Project::with(&TestEnv::new(), gate);
    let done = word(project.repo.orch(&["ralph"]), expected);
    (project, done)
}

#[test]
fn the_word_is_the_last_line_and_the_exit_code() {
    let project = Project::new();
    let repo = &project.repo;
    word(repo.orch(&["ralph"]), "PASS");
    word(repo.orch(&["gate"]), "PASS");
    let bad = repo.commit("bad", &[("bad", "")]);
    repo.git(&["update-ref", "--no-deref", "HEAD", &bad]).success();
    let done = word(repo.orch(&["ralph", &bad]), "FAIL");
    assert!(done.stdout.contains("check"), "{}", done.stdout);
    // The commit before, by a revision; a branch; a task's id.
    word(repo.orch(&["ralph", "HEAD~1"]), "PASS");
    word(repo.orch(&["ralph", "main"]), "FAIL");
    let json = repo.orch(&["ralph", "--json"]).code(1).json();
    assert_eq!(json["verdict"], "FAIL");
    assert_eq!(json["trust"], trust(project.env()));
    refused(repo.orch(&["ralph", "nonsense"]), 2, "rev.unknown");
}

#[test]
fn a_fail_beats_a_pass_and_blocked_is_neither() {
    let step = |name: &str, run: &str| {
        format!("[[ralph.step]]\nname = \"{name}\"\nkind = \"custom\"\nrun = \"{run}\"\n")
    };
    judged_by(&(step("a", "true") + &step("b", "false")), "FAIL");
    judged_by(&(step("a", "true") + &step("b", "exit 127")), "BLOCKED");
    let (_, done) = judged_by(&(step("a", "exit 127") + &step("b", "false")), "FAIL");
    assert!(done.stdout.contains('b'), "{}", done.stdout);
}

#[test]
fn exactly_the_commit_is_judged_whatever_lies_around() {
    let project = Project::with(
        &TestEnv::new(),
        &gate(
            "test \"$(cat src/a src/b)\" = \"$(printf '1\\n2\\n3\\nb')\" && test ! -e extra && test ! -e ignored && test ! -e src/pipe && test -z \"$(git status --porcelain --ignored)\"",
        ),
    );
    let repo = &project.repo;
    repo.write("src/a", "changed");
    repo.write("src/b", "staged");
    repo.git(&["add", "src/b"]).success();
    repo.write("extra", "untracked");
    repo.write(".git/info/exclude", "ignored\n");
    repo.write("ignored", "x");
    let done = word(repo.orch(&["ralph", "--fresh"]), "PASS");
    assert!(done.stdout.contains("not committed"), "{}", done.stdout);
    // What an earlier run left in the pool is not there either.
    let pool = project.env().at("repo.orch/gate-0");
    pool.write("extra", "left");
    pool.write("ignored", "left");
    pool.write("src/a", "left");
    pool.sh("mkfifo src/pipe").success();
    pool.sh("git update-index --assume-unchanged src/b && echo left > src/b && git init -q deep/nested && rm .gitignore").any();
    word(repo.orch(&["ralph", "--fresh"]), "PASS");
    pool.sh("git rm -q --cached src/a; git sparse-checkout set --no-cone /orch.toml; git checkout -q -b mine; touch $(git rev-parse --git-dir)/index.lock").any();
    word(repo.orch(&["ralph", "--fresh"]), "PASS");
    // A link that leads to another repository: the steps' own git would look there.
    project.env().repo("decoy");
    pool.write(".git", &format!("gitdir: {}\n", project.env().root().join("decoy/.git").display()));
    word(repo.orch(&["ralph", "--fresh"]), "PASS");
    pool.sh("rm .git && cp -r ../../decoy/.git .git").success();
    word(repo.orch(&["ralph", "--fresh"]), "PASS");
}

#[test]
fn a_sparse_checkout_hides_nothing_from_the_gate() {
    let project = Project::with(&TestEnv::new(), &gate("test -e src/a && test -e docs/x"));
    let repo = &project.repo;
    repo.commit("docs", &[("docs/x", "x\n")]);
    repo.git(&["sparse-checkout", "set", "src"]).success();
    assert!(!repo.has("docs/x"));
    word(repo.orch(&["ralph"]), "PASS");
}

#[test]
fn an_object_that_stands_for_another_is_not_judged_in_its_place() {
    let project = Project::new();
    let repo = &project.repo;
    let good = repo.rev("HEAD");
    let bad = repo.commit("bad", &[("bad", "")]);
    repo.git(&["replace", &repo.rev(&format!("{bad}^{{tree}}")), &repo.rev(&format!("{good}^{{tree}}"))])
        .success();
    word(repo.orch(&["ralph", &bad]), "FAIL");
    repo.git(&["replace", &bad, &good]).success();
    word(repo.orch(&["ralph", &bad, "--fresh"]), "FAIL");
}

#[test]
fn new_files_are_build_output() {
    judged_by(&gate("echo x > target"), "PASS");
}

#[test]
fn a_verdict_is_found_without_running() {
    let project = Project::new();
    let repo = &project.repo;
    for fresh in [false, false, true, false] {
        let before = project.runs();
        let args: &[&str] = if fresh { &["ralph", "--fresh"] } else { &["ralph"] };
        word(repo.orch(args), "PASS");
        let ran = fresh || before == 0;
        assert_eq!(project.runs(), before + usize::from(ran));
    }
    // The tree counts, not the commit; a FAIL is found as well.
    repo.commit("same tree", &[]);
    word(repo.orch(&["ralph"]), "PASS");
    assert_eq!(project.runs(), 2);
    repo.commit("bad", &[("bad", "")]);
    word(repo.orch(&["ralph"]), "FAIL");
    word(repo.orch(&["ralph"]), "FAIL");
    assert_eq!(project.runs(), 3);
}

#[test]
fn blocked_is_tried_again() {
    let env = TestEnv::new();
    let flag = env.root().join("there");
    let project = Project::with(&env, &gate(&format!("test -e {} || exit 127", flag.display())));
    word(project.repo.orch(&["ralph"]), "BLOCKED");
    assert!(project.repo.orch(&["status"]).success().stdout.contains("BLOCKED"));
    project.repo.sh(&format!("touch {}", flag.display())).success();
    word(project.repo.orch(&["ralph"]), "PASS");
}

/// Writes a file into the state by plumbing, as an agent could.
fn plant(repo: &TestRepo, path: &str, text: &str) {
    repo.write("../planted", text);
    let script = format!(
        "export GIT_INDEX_FILE=$PWD/../ix; git read-tree refs/orch/state && \
         git update-index --add --cacheinfo 100644,$(git hash-object -w ../planted),{path} && \
         git -c core.hooksPath=/dev/null update-ref refs/orch/state $(git commit-tree -p refs/orch/state -m forged $(git write-tree))"
    );
    repo.sh(&script).success();
}

/// The state's files below `dir` with their text.
fn state_files(repo: &TestRepo, dir: &str) -> Vec<(String, String)> {
    let list = repo.git(&["ls-tree", "-r", "--name-only", "refs/orch/state", dir]).success().lines();
    list.into_iter()
        .map(|path| {
            let text = repo.git(&["show", &format!("refs/orch/state:{path}")]).success().stdout;
            (path, text)
        })
        .collect()
}

#[test]
fn a_verdict_that_somebody_wrote_does_not_count() {
    let project = Project::new();
    let repo = &project.repo;
    word(repo.orch(&["ralph"]), "PASS");
    let pass = state_files(repo, "verdicts/");
    let bad = repo.commit("bad", &[("bad", "")]);
    word(repo.orch(&["ralph"]), "FAIL");
    assert_eq!(project.runs(), 2);
    let fail =
        state_files(repo, "verdicts/").into_iter().find(|f| !pass.contains(f)).expect("a second verdict");
    // The FAIL with another word; the PASS under the other tree's key, with and without that tree's ids.
    let field = |text: &str, name: &str| {
        text.lines().find(|l| l.starts_with(&format!("{name} = "))).expect("a field").to_owned()
    };
    let moved = pass[0]
        .1
        .replace(&field(&pass[0].1, "tree"), &field(&fail.1, "tree"))
        .replace(&field(&pass[0].1, "key"), &field(&fail.1, "key"));
    for forged in [
        fail.1.replace("FAIL", "PASS"),
        fail.1.replace("FAIL", "PASS").replace(&field(&fail.1, "mac"), &field(&pass[0].1, "mac")),
        pass[0].1.clone(),
        moved,
        "nonsense".to_owned(),
    ] {
        let before = project.runs();
        plant(repo, &fail.0, &forged);
        word(repo.orch(&["ralph", &bad]), "FAIL");
        assert_eq!(project.runs(), before + 1, "a forged verdict was believed:\n{forged}");
    }
}

#[test]
fn the_gate_is_trunks() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    // Uncommitted, and on the branch: neither is the gate.
    task.repo.write("orch.toml", &gate("true"));
    task.repo.write("bad", "");
    task.repo.git(&["add", "bad"]).success();
    task.repo.git(&["commit", "--quiet", "-m", "bad"]).success();
    word(task.repo.orch(&["ralph"]), "FAIL");
    assert_eq!(project.runs(), 1);
    task.repo.sh("git add orch.toml && git commit --quiet -m gate").success();
    let done = word(task.repo.orch(&["ralph"]), "BLOCKED");
    assert!(done.stdout.contains("gate.changed") && done.stdout.contains("orch.toml"), "{}", done.stdout);
    assert_eq!(project.runs(), 1, "nothing of it was run");
    for (file, text) in [(".claude/settings.json", "{}"), (".husky/pre-commit", "x"), (".ORCH/x", "x")] {
        let task = project.task(&["--kind", "feature"]);
        task.commits(file, text);
        let done = word(task.repo.orch(&["ralph"]), "BLOCKED");
        assert!(done.stdout.contains("gate.changed"), "{file}: {}", done.stdout);
    }
}

#[test]
fn an_approval_is_for_one_tree_and_by_a_person() {
    let project = Project::new();
    let env = project.env();
    let task = project.task(&["--kind", "feature"]);
    let own = env.root().join("own");
    let looser = gate(&format!("echo run >> {}; true", own.display()));
    task.commits("orch.toml", &looser);
    word(task.repo.orch(&["ralph"]), "BLOCKED");
    let approve = ["approve", &task.id, "--reason", "looks right"];
    refused(task.agent(&approve), 4, "person.only");
    refused(task.repo.orch(&approve), 4, "person.only");
    refused(project.repo.orch(&["approve", &task.id, "--reason", ""]), 2, "reason.empty");
    refused(project.repo.orch(&["approve", "main", "--reason", "x"]), 2, "approve.nothing");
    project.repo.orch(&approve).success();
    // Judged by trunk's gate and by its own.
    word(task.repo.orch(&["ralph"]), "PASS");
    assert_eq!(project.runs(), 1);
    assert!(sys_exists(&own), "its own gate did not run");
    // The next commit is another tree.
    let good = task.repo.rev("HEAD");
    task.commits("bad", "");
    let done = word(task.repo.orch(&["ralph"]), "BLOCKED");
    assert!(done.stdout.contains("gate.changed"), "{}", done.stdout);
    // Approved, it is still trunk's gate that says FAIL.
    project.repo.orch(&approve).success();
    word(task.repo.orch(&["ralph"]), "FAIL");
    // An approval that somebody moved to another tree does not count.
    task.commits("worse", "");
    let tree = |rev: &str| task.repo.rev(&format!("{rev}^{{tree}}"));
    let (from, to) = (tree(&good), tree("HEAD"));
    let all = state_files(&project.repo, ".");
    let (path, text) = all
        .iter()
        .find(|(_, text)| text.contains("gate.changed") && text.contains(&from))
        .expect("an approval");
    let forged = path.replace(&from, &to).replace(&format!("/{}/", &from[..2]), &format!("/{}/", &to[..2]));
    plant(&project.repo, &forged, &text.replace(&from, &to));
    let done = word(task.repo.orch(&["ralph"]), "BLOCKED");
    assert!(done.stdout.contains("gate.changed"), "{}", done.stdout);
}

fn sys_exists(path: &std::path::Path) -> bool {
    git_orch::sys::fs::exists(path)
}

#[test]
fn setup_runs_first_and_carried_paths_are_trunk_s() {
    let env = TestEnv::new();
    let log = env.root().join("log");
    let gate = format!(
        "[ralph]\nsetup = [\"mkdir -p deps && echo setup >> {0}\"]\ncarry = [\"deps\"]\n\
         [[ralph.step]]\nname = \"s\"\nkind = \"custom\"\n\
         run = '''test -d deps && echo step >> {0}; test ! -e out && test ! -e src/deps && touch out && mkdir -p src/deps && touch src/deps/x; ls deps | wc -l >> {0}; touch deps/$$'''\n",
        log.display()
    );
    let project = Project::with(&env, &gate);
    for _ in 0..2 {
        word(project.repo.orch(&["ralph", "--fresh"]), "PASS");
    }
    let text = git_orch::sys::fs::read_string(&log).expect("the steps wrote it");
    // Where nothing can be carried, each run begins with nothing.
    let again = if support(&env).namespaces { "step\n1\n" } else { "setup\nstep\n0\n" };
    assert_eq!(text, format!("setup\nstep\n0\n{again}"));
}

#[test]
fn steps_see_none_of_the_callers_git() {
    let env = TestEnv::new();
    let out = env.root().join("env");
    let project =
        Project::with(&env, &gate(&format!("env > {}; git rev-parse --show-toplevel >> {0}", out.display())));
    let repo = &project.repo;
    repo.cmd(ORCH)
        .args(&["ralph"])
        .var("GIT_INDEX_FILE", repo.path(".git/index"))
        .var("GIT_CONFIG_PARAMETERS", "'a.b=c'")
        .var("GIT_AUTHOR_NAME", "x")
        .var("SSH_AUTH_SOCK", "/x")
        .var("SECRET", "x")
        .run()
        .success();
    let text = git_orch::sys::fs::read_string(&out).expect("the step wrote it");
    let pool = env.root().join("repo.orch/gate-0");
    assert!(text.ends_with(&format!("\n{}\n", pool.display())), "{text}");
    for line in text.lines().filter(|l| {
        l.starts_with("GIT_") || l.starts_with("ORCH_") || l.contains("SECRET") || l.contains("SSH_")
    }) {
        assert!(line.starts_with("GIT_CEILING_DIRECTORIES="), "{line}");
    }
    // From a hook, where git sets GIT_DIR.
    repo.git(&["switch", "--quiet", "-c", "x"]).success();
    let hub = env.remote("hub");
    repo.git(&["remote", "add", "hub", &hub.url()]).success();
    repo.commit("more", &[("more", "x")]);
    repo.git(&["push", "--quiet", "hub", "x"]).success();
    let text = git_orch::sys::fs::read_string(&out).expect("the step wrote it");
    assert!(!text.contains("GIT_DIR"), "{text}");
}

#[test]
fn a_group_runs_at_the_same_time() {
    // Each waits for the other: one after the other, they would time out.
    let step = |own: &str, other: &str| {
        format!(
            "[[ralph.step]]\nname = \"{own}\"\nkind = \"custom\"\ngroup = \"g\"\ntimeout = \"20s\"\nrun = '''touch {own}; until test -e {other}; do sleep 0.02; done'''\n"
        )
    };
    let project = Project::with(&TestEnv::new(), &(step("one", "two") + &step("two", "one")));
    project.repo.git(&["config", "orch.jobs", "2"]).success();
    word(project.repo.orch(&["ralph"]), "PASS");
}

/// A gate that says when it has begun and then waits for `go` (in the root).
fn waiting_gate(env: &TestEnv) -> String {
    let root = env.root().display();
    gate(&format!("touch {root}/began; until test -e {root}/go; do sleep 0.02; done; test ! -e bad"))
}

#[test]
fn ctrl_c_records_nothing_and_stops_the_step() {
    let env = TestEnv::new();
    let project = Project::with(&env, &waiting_gate(&env));
    let running = project.repo.cmd(ORCH).args(&["ralph"]).spawn();
    wait_for("the step begins", || sys_exists(&env.root().join("began")));
    // Once: running steps may end. Twice: now.
    running.signal(Signal::INT);
    git_orch::sys::clock::Clock.wait(std::time::Duration::from_millis(100));
    running.signal(Signal::INT);
    running.wait().code(130);
    assert_eq!(state_files(&project.repo, "verdicts/").len(), 0);
    project.repo.write("../go", "");
    word(project.repo.orch(&["ralph"]), "PASS");
    assert_eq!(state_files(&project.repo, "verdicts/").len(), 1);
}

#[test]
fn one_ctrl_c_that_comes_by_two_ways_is_one() {
    let env = TestEnv::new();
    let root = env.root().display();
    let gate = gate(&format!(
        "touch {root}/began; until test -e {root}/go; do sleep 0.02; done; touch {root}/ended"
    ));
    let project = Project::with(&env, &gate);
    let running = project.repo.cmd(ORCH).args(&["ralph"]).spawn();
    wait_for("the step begins", || sys_exists(&env.root().join("began")));
    running.signal(Signal::INT);
    // Apart far enough to be two signals: equal ones that wait are delivered as one.
    git_orch::sys::clock::Clock.wait(std::time::Duration::from_millis(5));
    running.signal(Signal::INT);
    git_orch::sys::clock::Clock.wait(std::time::Duration::from_millis(200));
    project.repo.write("../go", "");
    let done = running.wait().any();
    assert!(sys_exists(&env.root().join("ended")), "the step that ran may end");
    let said = done.stderr.matches("Stopping after the current step. Ctrl-C again stops at once.\n").count();
    assert_eq!(said, 1, "{}", done.stderr);
}

#[test]
fn a_killed_run_leaves_the_pool_usable() {
    let env = TestEnv::new();
    let project = Project::with(&env, &waiting_gate(&env));
    let mut running = project.repo.cmd(ORCH).args(&["ralph"]).spawn();
    wait_for("the step begins", || sys_exists(&env.root().join("began")));
    running.kill();
    running.wait().code(137);
    assert_eq!(state_files(&project.repo, "verdicts/").len(), 0);
    project.repo.write("../go", "");
    word(project.repo.orch(&["ralph"]), "PASS");
    // At any moment of the checkout, too.
    for millis in [0, 5, 10, 20, 30, 45] {
        let mut running = project.repo.cmd(ORCH).args(&["ralph", "--fresh"]).spawn();
        git_orch::sys::clock::Clock.wait(std::time::Duration::from_millis(millis));
        running.kill();
        running.wait().any();
    }
    word(project.repo.orch(&["ralph", "--fresh"]), "PASS");
    project.is_sound();
}

#[test]
fn two_at_once_have_a_checkout_each() {
    let env = TestEnv::new();
    let project = Project::with(&env, &waiting_gate(&env));
    let good = project.repo.rev("HEAD");
    let bad = project.repo.commit("bad", &[("bad", "")]);
    let start = |rev: &str| project.repo.cmd(ORCH).args(&["ralph", rev]).spawn();
    let (one, two) = (start(&good), start(&bad));
    wait_for("both have a checkout", || env.root().join("repo.orch/gate-1/src/a").exists());
    project.repo.write("../go", "");
    word(one.wait(), "PASS");
    word(two.wait(), "FAIL");
}

#[test]
fn what_an_agent_runs_is_no_evidence() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    task.commits("bad", "");
    // A program of the agent's in the place of one that the gate needs.
    task.repo
        .sh("mkdir ../bin && printf '#!/bin/sh\\nexit 0\\n' > ../bin/sh && chmod +x ../bin/sh")
        .success();
    let path = |task: &crate::project::Task| {
        let outcome = task.repo.sh("printf '%s' \"$PATH\"").success().stdout;
        format!("{}:{outcome}", project.env().root().join("repo.orch/bin").display())
    };
    let run = task.agent_cmd(ORCH).args(&["ralph"]).var("PATH", path(&task)).run();
    let done = word(run, "PASS");
    assert!(done.stderr.contains("not recorded"), "{}", done.stderr);
    word(project.repo.orch(&["ralph", &task.id]), "FAIL");
}

/// A gate whose step finds lines with a 2, a 3 or a b.
fn finding_gate(accept: &str) -> String {
    format!(
        "[ralph]\naccept = \"{accept}\"\n[[ralph.step]]\nname = \"lint\"\nkind = \"lint\"\n\
         report = 'regex:^(?P<file>[^:]+):(?P<line>[0-9]+):(?P<message>.*)$'\n\
         run = '''! grep -rn [23b] src'''\n"
    )
}

#[test]
fn old_failures_hide_no_new_one_and_stop_nobody() {
    // The sources that every project here has are three findings.
    let project = Project::with(&TestEnv::new(), &finding_gate("no_regressions"));
    word(project.repo.orch(&["ralph"]), "FAIL");
    // Moved, shifted, and more without a finding: nothing is new.
    let task = project.task(&["--kind", "feature"]);
    task.repo.git(&["mv", "src/a", "src/moved"]).success();
    task.repo.write("src/moved", "x\n\n1\n  2\n  3\n");
    task.commits("src/moved", "x\n\n1\n  2\n  3\n");
    let done = word(task.repo.orch(&["ralph"]), "PASS");
    assert!(done.stdout.contains("no regressions: 3 findings"), "{}", done.stdout);
    let json = task.repo.orch(&["ralph", "--json"]).success().json();
    assert_eq!((&json["verdict"], &json["scope"]), (&"PASS".into(), &"no_regressions".into()));
    assert_eq!(json["recorded"], true, "looked up");
    project.repo.orch(&["merge", &task.id]).success();
    assert_eq!(project.status(&task.id), "done");
    // One more of the same sort is a new one, in the same step.
    let task = project.task(&["--kind", "feature"]);
    task.commits("src/c", "2\n");
    let done = word(task.repo.orch(&["ralph"]), "FAIL");
    assert!(done.stdout.contains("worse than the base: lint: new: src/c:1"), "{}", done.stdout);
    project.repo.orch(&["merge", &task.id]).code(1);
}

#[test]
fn where_only_a_tree_by_itself_counts_old_failures_do() {
    let project = Project::with(&TestEnv::new(), &finding_gate("absolute"));
    let task = project.task(&["--kind", "feature"]);
    task.commits("src/c", "fine\n");
    word(task.repo.orch(&["ralph"]), "FAIL");
    project.repo.orch(&["merge", &task.id]).code(1);
}

#[test]
fn tests_that_are_not_run_any_more_are_missed() {
    let step = "[[ralph.step]]\nname = \"test\"\nkind = \"test\"\nreport = \"junit:r.xml\"\nrun = 'cp src/a r.xml'\n";
    let env = TestEnv::new();
    let suite = |cases: &[&str]| {
        let cases: Vec<String> = cases.iter().map(|case| format!("<testcase name='{case}'/>")).collect();
        format!("<testsuites><testsuite name='t'>{}</testsuite></testsuites>\n", cases.concat())
    };
    let repo = env.repo("repo");
    repo.commit("gate", &[("orch.toml", step), ("src/a", &suite(&["one", "two"]))]);
    repo.orch(&["init"]).success();
    let project = Project { repo };
    word(project.repo.orch(&["ralph"]), "PASS");
    let task = project.task(&["--kind", "feature"]);
    task.commits("src/a", &suite(&["one"]));
    let done = word(task.repo.orch(&["ralph"]), "BLOCKED");
    assert!(done.stdout.contains("ralph.fewer_tests: test: 1 tests ran, 2 on the base"), "{}", done.stdout);
    project.repo.orch(&["merge", &task.id]).code(3);
    task.commits("src/a", &suite(&["one", "three"]));
    word(task.repo.orch(&["ralph"]), "PASS");
    project.repo.orch(&["merge", &task.id]).success();
}

#[test]
fn a_broken_orch_toml_on_trunk_is_named_with_its_line() {
    let project = Project::new();
    project.repo.commit("typo", &[("orch.toml", "[[ralph.step]]\nnam = \"x\"\n")]);
    let done = project.repo.orch(&["ralph"]).code(8);
    assert!(done.stderr.contains("2:") && done.stderr.contains("name"), "{}", done.stderr);
}

#[test]
fn what_a_report_finds_is_told_and_kept() {
    let ruff = r#"[{"code":"F401","message":"`os` imported but unused","filename":"src/a","location":{"row":2,"column":1},"end_location":{"row":2,"column":2},"severity":"error"}]"#;
    let step = format!(
        "[[ralph.step]]\nname = \"lint\"\nkind = \"lint\"\nreport = \"ruff\"\nrun = '''echo '{ruff}'; exit 1'''\n"
    );
    let (project, done) = judged_by(&step, "FAIL");
    let repo = &project.repo;
    assert!(done.stdout.contains("src/a:2:1: error F401: `os` imported but unused"), "{}", done.stdout);
    assert!(!done.stdout.contains("end_location"), "what machines read is not shown: {}", done.stdout);
    // The same from the record.
    let json = repo.orch(&["ralph", "--json", "--sarif", "x.sarif", "--junit", "x.xml"]).code(1).json();
    assert_eq!(json["recorded"], true);
    repo.sh("grep -q F401 x.sarif && grep -q F401 x.xml && rm x.sarif x.xml").success();
    let report = &json["steps"][0]["report"];
    assert_eq!((&report["found"], &report["findings"][0]["line"]), (&1.into(), &2.into()));
    assert_eq!(report["findings"][0]["fingerprint"].as_str().map(str::len), Some(32));
    assert_eq!(report["tests_ran"], serde_json::Value::Null);
}

#[test]
fn two_runs_of_one_tree_read_each_its_own_report() {
    let env = TestEnv::new();
    let root = env.root().display();
    // The one that comes first ends while the other one still has its report to print.
    let run = format!(
        "if mkdir {root}/first 2>{root}/taken; then until test -e {root}/second; do sleep 0.02; done; \
         else touch {root}/second; until test -e {root}/go; do sleep 0.02; done; fi; echo []"
    );
    let gate =
        format!("[[ralph.step]]\nname = \"lint\"\nkind = \"lint\"\nreport = \"ruff\"\nrun = '''{run}'''\n");
    let project = Project::with(&env, &gate);
    let judge = || project.repo.cmd(ORCH).args(&["ralph", "--fresh"]).spawn();
    let first = judge();
    wait_for("the first one", || env.root().join("first").exists());
    let second = judge();
    word(first.wait(), "PASS");
    git_orch::sys::fs::write_new(&env.root().join("go"), b"", 0o644).expect("writable");
    word(second.wait(), "PASS");
}

#[test]
fn each_run_of_a_tree_has_its_own_log_and_names_it() {
    let env = TestEnv::new();
    let root = env.root().display();
    // The one that comes first has begun to print, and goes on when the other one is done.
    let run = format!(
        "if mkdir {root}/first 2>{root}/taken; then echo first; touch {root}/said; \
         until test -e {root}/go; do sleep 0.02; done; else echo second; fi; false"
    );
    let project = Project::with(&env, &gate(&run));
    let ralph = |args: &[&str]| project.repo.cmd(ORCH).args(&["ralph", "--json"]).args(args).spawn();
    let printed = |outcome: Outcome| {
        let log = outcome.code(1).json()["steps"][0]["log"].as_str().expect("a log").to_owned();
        git_orch::sys::fs::read_string(std::path::Path::new(&log)).expect("it is there")
    };
    let first = ralph(&["--fresh"]);
    wait_for("the first one", || env.root().join("said").exists());
    assert_eq!(printed(ralph(&["--fresh"]).wait()), "second\n");
    assert_eq!(printed(ralph(&[]).wait()), "second\n", "that of the verdict that is on record");
    git_orch::sys::fs::write_new(&env.root().join("go"), b"", 0o644).expect("writable");
    assert_eq!(printed(first.wait()), "first\n");
    // Their number has an end.
    for _ in 0..4 {
        assert_eq!(printed(ralph(&["--fresh"]).wait()), "second\n");
    }
    let runs = || project.repo.sh("ls -d .git/orch/logs/*/*").success().lines().len();
    assert_eq!(runs(), 4);
    // Those of a killed run go, not those of one that goes on.
    let tree = project.repo.rev("HEAD^{tree}");
    let place = |run: &str| project.repo.path(format!(".git/orch/logs/{tree}/{run}"));
    for run in ["run-killed", "run-at-work"] {
        git_orch::sys::fs::create_dir_all(&place(run)).expect("ours");
    }
    project.repo.sh(&format!("echo process 1 > .git/orch/logs/{tree}/run-killed.lock")).success();
    let at_work = FileLock::try_acquire(&place("run-at-work.lock")).expect("ours").expect("free");
    // By a clock that was set back what is new is the oldest, and stays all the same.
    let earlier =
        project.repo.cmd(ORCH).args(&["ralph", "--json", "--fresh"]).var("ORCH_TEST_CLOCK", "-3600000");
    assert_eq!(
        printed(earlier.spawn().wait()),
        "second
"
    );
    let left = |run: &str| place(run).exists();
    assert_eq!((left("run-killed"), left("run-killed.lock"), left("run-at-work")), (false, false, true));
    assert_eq!(runs(), 6, "and the lock");
    drop(at_work);
}

#[test]
fn whose_gate_judges_is_said_and_what_answers_without_it() {
    let env = TestEnv::new();
    let project = Project::with(&env, &gate("true"));
    let task = project.task(&["--role", "featurebuilder"]);
    let explain = || task.repo.orch(&["ralph", "explain", "--json"]).success().json();
    task.commits("orch.toml", "[[ralph.step]]\nnam = \"own\"\n");
    refused(project.repo.orch(&["approve", &task.id, "--reason", "x"]), 8, "config.invalid");
    task.commits("orch.toml", &gate("echo own"));
    let told = explain();
    assert_eq!(
        (&told["blocked"]["rule"], &told["recorded"]),
        (&"gate.changed".into(), &serde_json::Value::Null)
    );
    project.repo.orch(&["approve", &task.id, "--reason", "x"]).success();
    let told = explain();
    let gates: Vec<_> = told["steps"].as_array().expect("steps").iter().map(|step| &step["gate"]).collect();
    assert_eq!(
        (gates.as_slice(), &told["blocked"]),
        ([&"trunk".into(), &"own".into()].as_slice(), &serde_json::Value::Null)
    );
    let shown = task.repo.orch(&["ralph", "explain"]).success().stdout;
    assert!(shown.contains("by trunk's gate:\n") && shown.contains("by its own gate:\n"), "{shown}");
    let done = word(task.repo.orch(&["ralph"]), "PASS");
    let order = ["judging by trunk's gate", "judging by its own gate"].map(|text| done.stderr.find(text));
    assert!(order[0].is_some() && order[0] < order[1], "{}", done.stderr);
    assert!(done.stdout.contains("by trunk's gate"), "{}", done.stdout);
    assert_eq!(explain()["recorded"]["verdict"], "PASS");
    let shown = task.repo.orch(&["ralph", "explain"]).success().stdout;
    assert!(shown.starts_with("PASS is on record, "), "{shown}");
    // Its own fails.
    task.commits("orch.toml", &gate("false"));
    project.repo.orch(&["approve", &task.id, "--reason", "x"]).success();
    assert_eq!(task.repo.orch(&["ralph", "--json"]).code(1).json()["judged_by"], "own");
    // One gate is nobody's in particular.
    assert_eq!(
        project.repo.orch(&["ralph", "--json"]).success().json()["judged_by"],
        serde_json::Value::Null
    );
    task.repo.git(&["checkout", "--quiet", "main", "--", "orch.toml"]).success();
    task.commits("x.sql", "DROP TABLE users;\n");
    assert_eq!(explain()["blocked"]["rule"], "guardrail.sql.drop");
}
