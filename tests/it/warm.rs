//! What a run of the gate finds of other runs in the paths that it carries: trunk's output, and nobody else's.

use std::path::Path;

use git_orch::sys::fs;

use crate::env::{ORCH, TestEnv};
use crate::network::lock;
use crate::project::{Project, Task, wait_for};
use crate::run::together;
use crate::sandbox::{skip, support};

/// A world whose gates can carry something. None where this machine has no namespaces, which is said.
fn world() -> Option<TestEnv> {
    let env = TestEnv::new();
    if !support(&env).namespaces {
        skip("namespaces");
        return None;
    }
    Some(env)
}

/// A project whose gate carries these paths, runs `setup`, and then the script `check` of the tree.
fn carrying(env: &TestEnv, carry: &[&str], setup: &[&str], check: &str) -> Project {
    let list =
        |texts: &[&str]| texts.iter().map(|text| format!("'''{text}'''")).collect::<Vec<_>>().join(", ");
    let gate = format!(
        "[ralph]\ncarry = [{}]\nsetup = [{}]\n\
         [[ralph.step]]\nname = \"check\"\nkind = \"custom\"\nrun = \"sh ./check\"\n",
        list(carry),
        list(setup)
    );
    let repo = env.repo("repo");
    repo.commit("gate", &[("orch.toml", &gate), ("check", check), ("src/a", "0\n"), ("name", "trunk\n")]);
    repo.orch(&["init"]).success();
    Project { repo }
}

/// A task whose branch changes these files.
fn branch(project: &Project, files: &[(&str, &str)]) -> Task {
    let task = project.task(&["--role", "featurebuilder"]);
    for (file, text) in files {
        task.commits(file, text);
    }
    task
}

/// The lines of the file that scripts write outside.
fn lines(env: &TestEnv) -> Vec<String> {
    let text = fs::read_optional(&env.root().join("log")).expect("readable").unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// A script that notes which files it finds in `out`, and leaves one of its tree's name.
fn noting(env: &TestEnv) -> String {
    format!(
        "echo found: $(ls out) >> {}\ncp name out/$(cat name)\ntest ! -e bad\n",
        env.root().join("log").display()
    )
}

#[test]
fn what_a_branch_plants_is_there_for_nobody() {
    let Some(env) = world() else { return };
    let check = "mkdir -p node_modules/.bin && test ! -e node_modules/.bin/eslint";
    let project = carrying(&env, &["node_modules"], &[], check);
    project.repo.orch(&["ralph"]).success();
    let plant = "mkdir -p node_modules/.bin && echo evil > node_modules/.bin/eslint";
    let planted = branch(&project, &[("check", plant)]);
    planted.repo.orch(&["ralph"]).success();
    let next = branch(&project, &[("src/a", "1\n")]);
    next.repo.orch(&["ralph"]).success();
    project.repo.orch(&["ralph", "--fresh"]).success();
    assert!(!fs::exists(&env.root().join("repo.orch/gate-0/node_modules/.bin")));
}

#[test]
fn a_run_finds_what_trunk_s_runs_left_and_nothing_of_others() {
    let Some(env) = world() else { return };
    let project = carrying(&env, &["out"], &[], &noting(&env));
    project.repo.orch(&["ralph"]).success();
    let merged = branch(&project, &[("name", "merged\n")]);
    merged.repo.orch(&["merge"]).success();
    let failed = branch(&project, &[("name", "failed\n"), ("bad", "")]);
    failed.repo.orch(&["ralph"]).code(1);
    let passed = branch(&project, &[("name", "passed\n")]);
    passed.repo.orch(&["ralph"]).success();
    project.repo.orch(&["ralph", "--fresh", "main"]).success();
    assert_eq!(
        lines(&env),
        ["found:", "found: trunk", "found: merged trunk", "found: merged trunk", "found: merged trunk"]
    );
    let store = env.root().join("repo/.git/orch/warm/gate-0");
    assert_eq!(fs::list(&store.join("layers")).expect("ours").len(), 2);
    assert!(fs::list(&store.join("pending")).expect("ours").len() <= 2);
}

#[test]
fn a_trunk_with_old_failures_leaves_something_as_well() {
    let Some(env) = world() else { return };
    let log = env.root().join("log");
    let gate = |accept: &str| {
        format!(
            "[ralph]\naccept = \"{accept}\"\ncarry = [\"out\"]\n[[ralph.step]]\nname = \"s\"\nkind = \"lint\"\n\
             report = 'regex:^(?P<file>[^:]+): (?P<message>.*)$'\n\
             run = '''ls out >> {}; touch out/made; echo 'src/a: old'; exit 1'''\n",
            log.display()
        )
    };
    for (accept, found) in [("absolute", ""), ("no_regressions", "made\n")] {
        fs::remove_file_if_there(&log).expect("ours");
        let repo = env.repo(accept);
        repo.commit("gate", &[("orch.toml", &gate(accept)), ("src/a", "0\n")]);
        repo.orch(&["init"]).success();
        for _ in 0..2 {
            repo.orch(&["ralph", "--fresh"]).code(1);
        }
        assert_eq!(fs::read_string(&log).expect("it was written"), found, "{accept}");
    }
}

#[test]
fn without_a_sandbox_nothing_is_carried() {
    let env = TestEnv::new();
    let project = carrying(&env, &["out"], &[], &format!("mkdir -p out\n{}", noting(&env)));
    project.repo.git(&["config", "orch.sandbox", "off"]).success();
    for _ in 0..3 {
        project.repo.orch(&["ralph", "--fresh"]).success();
    }
    assert_eq!(lines(&env), ["found:"; 3]);
}

#[test]
fn what_was_built_of_another_source_is_built_again() {
    let Some(env) = world() else { return };
    // As make does, and with a branch that gives its sources the time that suits it.
    let check = "test out/object -nt src/a || cp src/a out/object\n\
                 touch -d 2001-01-01 src/a\ngrep -q 0 out/object\n";
    let project = carrying(&env, &["out"], &[], check);
    project.repo.orch(&["ralph"]).success();
    let task = branch(&project, &[("src/a", "1\n")]);
    for _ in 0..2 {
        task.repo.orch(&["ralph", "--fresh"]).code(1);
    }
    // And what was not changed is not built again.
    let check = "test out/object -nt src/a";
    branch(&project, &[("check", check)]).repo.orch(&["ralph"]).success();
}

#[test]
fn a_clock_that_was_put_back_hides_no_change() {
    let Some(env) = world() else { return };
    let check = "test out/object -nt src/a || cp src/a out/object\ngrep -q 0 out/object\n";
    let project = carrying(&env, &["out"], &[], check);
    project.repo.orch(&["ralph"]).success();
    let task = branch(&project, &[("src/a", "1\n")]);
    let an_hour_earlier =
        || task.repo.cmd(ORCH).args(&["ralph", "--fresh"]).var("ORCH_TEST_CLOCK", "-3600000").run();
    an_hour_earlier().code(1);
    task.commits("src/a", "0 again\n");
    an_hour_earlier().success();
}

#[test]
fn two_runs_at_once_do_not_see_each_other() {
    let Some(env) = world() else { return };
    let root = env.root().display();
    let check = format!(
        "touch out/$(cat name) {root}/$(cat name).up\ntest $(cat name) = trunk && exit\n\
         until test -e {root}/one.up && test -e {root}/two.up; do sleep 0.02; done\n\
         test $(ls out | grep -v trunk) = $(cat name)\n"
    );
    let project = carrying(&env, &["out"], &[], &check);
    for _ in 0..2 {
        project.repo.orch(&["ralph", "--fresh"]).success();
    }
    let tasks = ["one", "two"].map(|name| branch(&project, &[("name", &format!("{name}\n"))]));
    for outcome in together(&tasks.map(|task| task.repo.cmd(ORCH).args(&["ralph"]))) {
        outcome.success();
    }
    assert!(fs::exists(&env.root().join("repo.orch/gate-1")), "each had its own");
}

#[test]
fn a_run_has_its_worktree_until_its_verdict_is_recorded() {
    let Some(env) = world() else { return };
    let place = env.root().join("places");
    let check = format!("pwd >> {}\ntouch out/$(cat name)\n", place.display());
    let project = carrying(&env, &["out"], &[], &check);
    let tasks = ["one", "two"].map(|name| branch(&project, &[("name", &format!("{name}\n"))]));
    let places = || {
        let text = fs::read_optional(&place).expect("readable").unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // Both have run their step, and neither can record what came of it.
    let state = lock(&project.repo, "write.lock");
    let running = tasks.each_ref().map(|task| {
        let before = places().len();
        let running = task.repo.cmd(ORCH).args(&["ralph"]).spawn();
        wait_for("the step has run", || places().len() > before);
        running
    });
    drop(state);
    for run in running {
        run.wait().success();
    }
    let places = places();
    assert_ne!(places[0], places[1], "the second took the worktree of the first, and what it had written");
}

#[test]
fn after_a_kill_the_next_run_finds_what_it_would_have_found() {
    let Some(env) = world() else { return };
    let root = env.root().display();
    let check = format!(
        "ls out\ntest ! -e out/half || exit 1\ntouch out/half\ntouch {root}/up\n\
         until test -e {root}/go; do sleep 0.02; done\nrm out/half\n"
    );
    let project = carrying(&env, &["out"], &[], &check);
    for _ in 0..3 {
        let mut running = project.repo.cmd(ORCH).args(&["ralph", "--fresh"]).spawn();
        wait_for("the step runs", || fs::exists(&env.root().join("up")));
        running.kill();
        drop(running.wait());
        fs::remove_file(&env.root().join("up")).expect("ours");
    }
    fs::write_new(&env.root().join("go"), b"", 0o644).expect("ours");
    for _ in 0..2 {
        project.repo.orch(&["ralph", "--fresh"]).success();
    }
    assert!(!fs::exists(&env.root().join("repo/.git/orch/sandbox/gate-0")));
}

#[test]
fn setup_is_not_run_again_for_the_same_lock_files() {
    let Some(env) = world() else { return };
    let log = env.root().join("log");
    // Known to read nothing but lock files and manifests, by its name.
    let npm = format!("#!/bin/sh\necho setup >> {}\ntouch node_modules/$(cat package.json)\n", log.display());
    let bin = env.root().join("bin");
    fs::create_dir_all(&bin).expect("ours");
    fs::write_atomic(&bin.join("npm"), npm.as_bytes(), 0o755, fs::Durability::None).expect("ours");
    let path = format!("{}:{}", bin.display(), env.vars().text("PATH").expect("a path"));
    let orch = |task: &Task, what: &str| task.repo.cmd(ORCH).args(&[what]).var("PATH", &path).run().success();
    // That a step writes elsewhere is no reason to run setup.
    let check = format!("echo $(ls node_modules) >> {}; touch of-a-step", log.display());
    let project = carrying(&env, &["node_modules"], &["npm ci"], &check);
    let first = branch(&project, &[("package.json", "one\n")]);
    orch(&first, "merge");
    let same = branch(&project, &[("src/a", "1\n")]);
    let done = orch(&same, "merge");
    assert!(done.stderr.contains("setup is not run"), "{done}");
    // What the old lock file brought is not there for the new one.
    let other = branch(&project, &[("package.json", "two\n")]);
    orch(&other, "ralph");
    orch(&branch(&project, &[("src/a", "2\n")]), "ralph");
    assert_eq!(lines(&env), ["setup", "one", "one", "setup", "two", "one"]);
}

#[test]
fn setup_that_writes_elsewhere_is_run_every_time() {
    let Some(env) = world() else { return };
    let shared = env.root().join("shared");
    for dir in [&shared, &env.home().join(".cargo")] {
        fs::create_dir_all(dir).expect("ours");
    }
    let all = shared.display().to_string();
    env.at(env.root()).git(&["config", "--global", "--replace-all", "orch.sandboxWrites", &all]).success();
    for (n, place) in ["generated", "$HOME/.cargo/x", "$HOME/x", "/tmp/x"].iter().enumerate() {
        let repo = env.repo(&format!("repo-{n}"));
        let gate = format!(
            "[ralph]\ncarry = [\"out\"]\nsetup = ['echo {n} >> {all}/log; touch {place}']\n\
             [[ralph.step]]\nname = \"s\"\nkind = \"custom\"\nrun = 'test -e {place}'\n"
        );
        repo.commit("gate", &[("orch.toml", &gate)]);
        repo.orch(&["init"]).success();
        for _ in 0..2 {
            repo.orch(&["ralph", "--fresh"]).success();
        }
    }
    fs::rename(&shared.join("log"), &env.root().join("log")).expect("ours");
    assert_eq!(lines(&env), ["0", "0", "1", "1", "2", "2", "3", "3"]);
}

#[test]
fn steps_that_run_at_once_share_what_they_write() {
    let Some(env) = world() else { return };
    let step = |own: &str, other: &str| {
        format!(
            "[[ralph.step]]\nname = \"{own}\"\nkind = \"custom\"\ngroup = \"g\"\ntimeout = \"20s\"\n\
             run = '''test -e out/setup && touch out/{own}; until test -e out/{other}; do sleep 0.02; done'''\n"
        )
    };
    let text = format!(
        "[ralph]\ncarry = [\"out\"]\nsetup = [\"touch out/setup\"]\n{}{}",
        step("one", "two"),
        step("two", "one")
    );
    let project = Project::with(&env, &text);
    project.repo.git(&["config", "orch.jobs", "2"]).success();
    project.repo.orch(&["ralph"]).success();
}

#[test]
fn carried_paths_may_have_any_name() {
    let Some(env) = world() else { return };
    let paths = ["a b", "c:d,e=f", "ünï/\u{1f980}", "deep/er/than/the tree", "*", "-x"];
    let log = env.root().join("log");
    let one = |path: &&str| {
        format!("test -e './{path}/it' && echo carried >> {}\ntouch './{path}/it' || exit 1", log.display())
    };
    let check: Vec<String> = paths.iter().map(one).collect();
    let project = carrying(&env, &paths, &[], &check.join("\n"));
    for _ in 0..2 {
        project.repo.orch(&["ralph", "--fresh"]).success();
    }
    assert_eq!(lines(&env), ["carried"; 6]);
}

#[test]
fn a_tree_s_own_files_and_links_are_not_carried_over() {
    let Some(env) = world() else { return };
    let check = "test -e src/a && test ! -e src/below\n";
    let project = carrying(&env, &["src", "link/out", "src/below"], &[], check);
    let outside = env.root().join("outside");
    fs::create_dir_all(&outside).expect("ours");
    let task = project.task(&["--role", "featurebuilder"]);
    let link = format!("ln -s {} link && git add link && git commit -qm link", outside.display());
    task.repo.sh(&link).success();
    for _ in 0..2 {
        task.repo.orch(&["ralph", "--fresh"]).success();
    }
    assert_eq!(fs::list(&outside).expect("ours").len(), 0);
}

#[test]
fn a_commit_that_is_checked_out_is_not_checked_out_again() {
    let env = TestEnv::new();
    let repo = env.repo("repo");
    let gate = "[[ralph.step]]\nname = \"check\"\nkind = \"custom\"\nrun = \"test $(cat a) = good\"\n";
    repo.commit("gate", &[("orch.toml", gate), ("a", "good\n")]);
    repo.orch(&["init"]).success();
    let judge = || repo.orch(&["ralph", "--fresh"]).success();
    judge();
    let pool = env.at("repo.orch/gate-0");
    // git replaces an index that it writes.
    let index = || {
        let dir = pool.git(&["rev-parse", "--absolute-git-dir"]).success().line();
        fs::identity(&Path::new(&dir).join("index")).expect("there is one")
    };
    let first = index();
    judge();
    assert_eq!(index(), first, "nothing was checked out");
    // Whatever git or the files say of anything else, it is.
    for change in
        ["git update-index --assume-unchanged a && echo bad > a", "echo bad > a", "rm a", "git switch -qc x"]
    {
        pool.sh(change).success();
        let before = index();
        judge();
        assert_ne!(index(), before, "{change}");
        assert_eq!(
            pool.sh("cat a; ls -A").success().stdout,
            "good\n.git\nREADME.md\na\norch.toml\n",
            "{change}"
        );
    }
    pool.sh("mkdir new .hidden && touch new/x .hidden/y && mkfifo pipe").success();
    let before = index();
    judge();
    assert_eq!(
        (index(), pool.sh("ls -A").success().stdout),
        (before, ".git\nREADME.md\na\norch.toml\n".to_owned())
    );
}
