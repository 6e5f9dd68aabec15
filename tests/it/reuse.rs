//! Steps that do not run because nothing that they depend on changed.

use git_orch::sys::fs;

use crate::env::{TestEnv, TestRepo};
use crate::project::{Project, Task, wait_for};

/// One step of a gate that notes each of its runs: its name, further keys, and what it does.
type StepOf<'a> = (&'a str, &'a str, &'a str);

fn project(env: &TestEnv, steps: &[StepOf<'_>]) -> Project {
    let repo = env.repo("repo");
    // Globs that nothing matches are taken for everything.
    repo.commit("files", &[("one/first", "0\n"), ("two/first.x", "0\n"), ("three/first", "0\n")]);
    Project::set_up(repo, &gate(env, steps))
}

fn gate(env: &TestEnv, steps: &[StepOf<'_>]) -> String {
    let log = env.root().join("log");
    let step = |(name, keys, run): &StepOf<'_>| {
        let kind = if keys.contains("retries") { "test" } else { "custom" };
        format!(
            "[[ralph.step]]\nname = \"{name}\"\nkind = \"{kind}\"\n{keys}\nrun = '''echo {name} >> {}; {run}'''\n",
            log.display()
        )
    };
    steps.iter().map(step).collect::<Vec<_>>().concat()
}

/// Two steps that read a directory each, and fail where there is a file `bad` in it.
const APART: [StepOf<'_>; 2] = [
    ("one", "inputs = [\"one/**\"]", "test ! -e one/bad"),
    ("two", "inputs = [\"two/**\"]", "test ! -e two/bad"),
];

/// The steps that ran since the last time, in order.
fn ran(env: &TestEnv) -> String {
    let path = env.root().join("log");
    let text = fs::read_optional(&path).expect("readable").unwrap_or_default();
    fs::remove_file_if_there(&path).expect("ours");
    text.lines().collect::<Vec<_>>().join(" ")
}

/// What a verdict says of its steps: `name` of those that ran, `(name)` of those that did not.
fn told(repo: &TestRepo, args: &[&str]) -> String {
    let view = repo.cmd(crate::env::ORCH).args(&["ralph", "--json"]).args(args).run();
    let view: serde_json::Value = serde_json::from_str(&view.any().stdout).expect("JSON");
    let step = |step: &serde_json::Value| {
        let name = step["name"].as_str().expect("a name");
        if step["cached"] == true { format!("({name})") } else { name.to_owned() }
    };
    view["steps"].as_array().expect("steps").iter().map(step).collect::<Vec<_>>().join(" ")
}

fn branch(project: &Project, file: &str, text: &str) -> Task {
    let task = project.task(&["--role", "featurebuilder"]);
    task.commits(file, text);
    task
}

#[test]
fn only_the_steps_run_whose_inputs_changed() {
    let env = TestEnv::new();
    let project = project(&env, &APART);
    project.repo.orch(&["ralph"]).success();
    assert_eq!(ran(&env), "one two");
    let task = branch(&project, "one/a", "1\n");
    assert_eq!(told(&task.repo, &[]), "one (two)");
    assert_eq!(ran(&env), "one");
    assert_eq!(told(&task.repo, &["--no-cache"]), "one two");
    assert_eq!(ran(&env), "one two");
    // What is on no step's list is nobody's input: not even a checkout is made.
    let other = branch(&project, "README", "x\n");
    let shown = other.repo.orch(&["ralph"]).success().stdout;
    assert_eq!(shown.matches("cached").count(), 2, "{shown}");
    assert_eq!(ran(&env), "");
}

#[test]
fn a_merge_of_branches_that_do_not_meet_runs_nothing() {
    let env = TestEnv::new();
    let project = project(&env, &APART);
    project.repo.orch(&["ralph"]).success();
    let (one, two) = (branch(&project, "one/a", "1\n"), branch(&project, "two/a", "1\n"));
    for task in [&one, &two] {
        task.repo.orch(&["ralph"]).success();
    }
    assert_eq!(ran(&env), "one two one two");
    one.repo.orch(&["merge"]).success();
    two.repo.orch(&["merge"]).success();
    assert_eq!(ran(&env), "", "the merge of the second is a tree that nobody judged before");
    assert_eq!(project.status(&two.id), "done");
    // Trunk's tree was never run as a whole; what it is made of counts for those who come after.
    let three = branch(&project, "README", "1\n");
    three.repo.orch(&["merge"]).success();
    assert_eq!(ran(&env), "");
}

#[test]
fn a_script_is_read_by_whatever_path_a_command_names_it() {
    let env = TestEnv::new();
    let inputs = "inputs = [\"one/**\"]";
    let steps = [
        ("link", inputs, "sh ./check"),
        ("linked-dir", inputs, "sh aside/x"),
        ("dots", inputs, "sh pkg/../tools/x"),
        ("slashes", inputs, "sh tools//x"),
        ("cd", inputs, "cd pkg && sh tools/y"),
        ("other", inputs, "true"),
    ];
    let project = project(&env, &steps);
    let write = |text: &str| {
        project.repo.write("tools/x", text);
        project.repo.write("pkg/tools/y", text);
        project.repo.sh("ln -sfn tools/x check; ln -sfn tools aside; git add .").success();
    };
    let commit = |branch: &str, text: &str| {
        project.repo.git(&["switch", "--quiet", "-c", branch]).success();
        write(text);
        project.repo.git(&["commit", "--quiet", "-m", branch]).success();
        project.repo.git(&["switch", "--quiet", "main"]).success();
    };
    commit("scripts", "true\n");
    project.repo.orch(&["merge", "scripts"]).success();
    assert_eq!(told(&project.repo, &[]), "link linked-dir dots slashes cd other");
    commit("broken", "false\n");
    assert_eq!(told(&project.repo, &["broken"]), "link linked-dir dots slashes cd (other)");
}

#[test]
fn setup_that_builds_a_package_of_the_tree_reads_all_of_it() {
    let env = TestEnv::new();
    let setup = "[ralph]\nsetup = [\"bin/pip3 install -r requirements.txt\"]\n";
    let text = setup.to_owned() + &gate(&env, &APART[..1]);
    let repo = env.repo("repo");
    let pip = "#!/bin/sh\n";
    repo.commit("files", &[("one/first", "0\n"), ("lib/x.py", "1\n"), ("bin/pip3", pip)]);
    repo.sh("chmod +x bin/pip3 && git add .").success();
    let project = Project::set_up(repo, &text);
    let commit = |branch: &str, file: &str, text: &str| {
        project.repo.git(&["switch", "--quiet", "-c", branch, "main"]).success();
        project.repo.commit(branch, &[(file, text)]);
        project.repo.git(&["switch", "--quiet", "main"]).success();
        told(&project.repo, &[branch])
    };
    let merged = |branch: &str| project.repo.orch(&["merge", branch]).success();
    commit("six", "requirements.txt", "six\n");
    merged("six");
    assert_eq!(commit("two", "lib/x.py", "2\n"), "(one)");
    commit("lib", "requirements.txt", "./lib\n");
    merged("lib");
    assert_eq!(commit("three", "lib/x.py", "3\n"), "setup one");
}

#[test]
fn a_step_that_fails_with_nothing_different_takes_its_earlier_pass_back() {
    let env = TestEnv::new();
    let by_chance = format!("test ! -e {}/down", env.root().display());
    let project = project(&env, &[("one", "inputs = [\"one/**\"]", &by_chance), APART[1]]);
    project.repo.orch(&["ralph"]).success();
    let down = |is: bool| project.repo.sh(if is { "touch ../down" } else { "rm ../down" }).success();
    down(true);
    // Of another tree, whose inputs of this step are the same, and by a part of the gate.
    let task = branch(&project, "README", "1\n");
    task.repo.orch(&["ralph", "--fresh", "--step", "one"]).code(1);
    down(false);
    assert_eq!(ran(&env), "one two one");
    let log = || project.repo.orch(&["log", "--action", "cache.refuted"]).success().stdout;
    assert!(log().contains("one on tree "), "{}", log());
    let recorded = project.repo.git(&["log", "-1", "--format=%B", "refs/orch/state"]).success().stdout;
    let refuted = recorded.lines().find(|line| line.contains("cache.refuted")).expect("recorded");
    assert!(refuted.contains("\"cause\":\"ralph\""), "{refuted}");
    // What fails on a branch, beside whatever that has, says nothing of trunk.
    assert_eq!((told(&project.repo, &["main"]), ran(&env)), ("one two".into(), String::new()), "as recorded");
    assert_eq!(told(&task.repo, &[]), "one (two)", "nor does the branch take it any more");
    assert_eq!(ran(&env), "one");
    down(true);
    project.repo.orch(&["ralph", "--fresh", "--step", "one", "main"]).code(1);
    down(false);
    assert_eq!(ran(&env), "one");
    let main = || told(&project.repo, &["main"]);
    assert_eq!((main(), ran(&env)), ("one (two)".into(), "one".into()), "the verdict was made of it");
    assert_eq!(
        told(&task.repo, &[]),
        "(one) (two)",
        "what fails on trunk counts for all; it passed again, later"
    );
    assert_eq!(ran(&env), "");
    // Failing again with no PASS left to take back says nothing more.
    down(true);
    for _ in 0..2 {
        task.repo.orch(&["ralph", "--fresh"]).code(1);
    }
    assert_eq!(log().matches("cache.refuted").count(), 3, "{}", log());
}

#[test]
fn a_failure_while_a_program_is_replaced_takes_nothing_back() {
    let env = TestEnv::new();
    let root = env.root().display().to_string();
    let bin = env.root().join("bin");
    fs::create_dir_all(&bin).expect("made");
    // What can be run and is named by a step would be a part of its key.
    let write = |path: &std::path::Path| fs::write_new(path, b"", 0o644).expect("writable");
    let run = format!(
        "test ! -e {root}/down || {{ touch {root}/began; until test -e {root}/go; do sleep 0.02; done; exit 1; }}"
    );
    let project = project(&env, &[("one", "inputs = [\"one/**\"]", &run), APART[1]]);
    let path = format!("{}:{}", bin.display(), env.vars().text("PATH").expect("PATH"));
    let ralph = |args: &[&str]| {
        let command = project.repo.cmd(crate::env::ORCH).args(&["ralph"]).args(args);
        command.var("PATH", &path).spawn()
    };
    ralph(&[]).wait().success();
    write(&env.root().join("down"));
    let failing = ralph(&["--fresh"]);
    wait_for("the step begins", || env.root().join("began").exists());
    write(&bin.join("new"));
    write(&env.root().join("go"));
    failing.wait().code(1);
    let log = project.repo.orch(&["log", "--action", "cache.refuted"]).success().stdout;
    assert_eq!(log.matches("cache.refuted").count(), 0, "{log}");
}

#[test]
fn what_an_earlier_commit_of_a_branch_recorded_counts_for_nothing() {
    let env = TestEnv::new();
    // Tests that leave a tool behind, by which the next step passes.
    let steps = [
        ("tests", "inputs = [\"one/**\"]", "sh one/test"),
        ("lint", "inputs = [\"two/**\"]", "test -e forged || test ! -e two/ba?"),
    ];
    let repo = env.repo("repo");
    repo.commit("files", &[("one/test", "true\n"), ("two/first", "0\n")]);
    let project = Project::set_up(repo, &gate(&env, &steps));
    project.repo.orch(&["ralph"]).success();
    let task = branch(&project, "two/bad", "1\n");
    task.commits("one/test", "touch forged\n");
    task.repo.orch(&["ralph"]).success();
    task.repo.git(&["checkout", "--quiet", "main", "--", "one/test"]).success();
    task.repo.git(&["commit", "--quiet", "-m", "nothing to see"]).success();
    ran(&env);
    assert_eq!(told(&task.repo, &[]), "(tests) lint");
    task.repo.orch(&["merge"]).code(1);
}

#[test]
fn what_a_branch_recorded_counts_for_others_once_it_is_in_trunk() {
    let env = TestEnv::new();
    let project = project(&env, &APART);
    project.repo.orch(&["ralph"]).success();
    let (first, second) = (branch(&project, "one/a", "1\n"), branch(&project, "README", "x\n"));
    first.repo.orch(&["ralph"]).success();
    assert_eq!(ran(&env), "one two one");
    // Another tree with the same inputs: what ran beside the first one's steps may have forged its PASS.
    second.commits("one/a", "1\n");
    assert_eq!(told(&second.repo, &[]), "one (two)");
    assert_eq!(ran(&env), "one");
    first.repo.orch(&["merge"]).success();
    let third = branch(&project, "README", "y\n");
    assert_eq!(told(&third.repo, &[]), "(one) (two)");
    assert_eq!(ran(&env), "");
}

#[test]
fn fail_blocked_and_flaky_steps_run_again() {
    let env = TestEnv::new();
    let once = env.root().join("once");
    let flaky = format!("test -e {0} || {{ touch {0}; exit 1; }}", once.display());
    let steps = [
        ("fails", "inputs = [\"one/**\"]", "test ! -e one/bad"),
        ("blocked", "inputs = [\"one/**\"]", "test ! -e one/bad || exit 127"),
        ("flaky", "inputs = [\"one/**\"]\nretries = 1", flaky.as_str()),
        ("passes", "inputs = [\"one/**\"]", "true"),
    ];
    let project = project(&env, &steps);
    project.repo.commit("bad", &[("one/bad", "1\n")]);
    project.repo.orch(&["ralph"]).code(1);
    let task = branch(&project, "README", "x\n");
    assert_eq!(told(&task.repo, &[]), "fails blocked flaky (passes)");
}

#[test]
fn a_step_runs_again_when_anything_it_depends_on_changed() {
    let env = TestEnv::new();
    let steps = [
        ("make", "inputs = [\"one/**\"]", "echo made > out"),
        ("use", "inputs = [\"two/**\"]\nneeds = [\"make\"]", "test -e out; rm out"),
        ("far", "inputs = [\"three/**\"]", "true"),
    ];
    let project = project(&env, &steps);
    let judge = |file: &str| {
        project.repo.commit(file, &[(file, &format!("{file}\n"))]);
        project.repo.orch(&["ralph"]).success();
        ran(&env)
    };
    assert_eq!(judge("README"), "make use far");
    assert_eq!(judge("LICENSE"), "");
    // `make` passed before, and runs for what it leaves behind.
    assert_eq!(judge("two/a"), "make use");
    // What changed for it changed for those that need it.
    assert_eq!(judge("one/a"), "make use");
    assert_eq!(judge("three/a"), "far");
}

#[test]
fn a_step_without_inputs_reads_everything_and_may_find_what_others_leave() {
    let env = TestEnv::new();
    let project = project(&env, &[APART[0], ("all", "", "true")]);
    project.repo.commit("one", &[("one/a", "0\n")]);
    let task = branch(&project, "README", "1\n");
    for text in ["2\n", "3\n"] {
        task.repo.orch(&["ralph"]).success();
        assert_eq!(ran(&env), "one all");
        task.commits("README", text);
    }
}

#[test]
fn what_inputs_do_not_name_is_found_all_the_same_where_it_is_named_elsewhere() {
    let env = TestEnv::new();
    let steps = [
        ("script", "inputs = [\"one/**\"]", "sh ./tools/check"),
        ("linked", "inputs = [\"lib/**\"]", "true"),
        ("within", "inputs = [\"two/**\"]", "true"),
        ("typo", "inputs = [\"srcc/**\"]", "true"),
    ];
    let project = project(&env, &steps);
    project
        .repo
        .sh("mkdir two/deep && ln -s ../../README two/deep/x && ln -s one lib && git add lib two")
        .success();
    let judge = |file: &str| {
        project.repo.commit(file, &[(file, "true\n")]);
        project.repo.orch(&["ralph"]).success();
        ran(&env)
    };
    assert_eq!(judge("tools/check"), "script linked within typo");
    // Where a link leads is not known; globs that nothing matches are a mistake. Both are taken for everything.
    assert_eq!(judge("README"), "linked within typo");
    project.repo.commit("script", &[("tools/check", "true # again\n")]);
    assert_eq!(judge("LICENSE"), "script linked within typo");
    let bad = gate(&env, &[("one", "inputs = [\"./src/**\"]", "true")]);
    project.repo.commit("bad", &[("orch.toml", &bad)]);
    let done = project.repo.orch(&["ralph"]).code(8);
    assert!(done.stderr.contains("`inputs` can't hold `./src/**`"), "{}", done.stderr);
}

#[test]
fn setup_that_may_read_anything_is_part_of_every_step() {
    let env = TestEnv::new();
    let repo = env.repo("repo");
    repo.commit(
        "files",
        &[
            ("one/first", "0\n"),
            ("two/first", "0\n"),
            ("scripts/setup", ". ./scripts/more\n"),
            ("scripts/more", ""),
        ],
    );
    let toml = format!("[ralph]\nsetup = [\"sh scripts/setup\"]\ncarry = [\"out\"]\n{}", gate(&env, &APART));
    let project = Project::set_up(repo, &toml);
    project.repo.orch(&["ralph"]).success();
    assert_eq!(ran(&env), "one two");
    let task = branch(&project, "scripts/more", "exit 1\n");
    let judged = task.repo.orch(&["ralph"]).code(3);
    assert!(judged.stdout.contains("ralph.setup"), "{}", judged.stdout);
}

#[test]
fn a_verdict_is_as_old_as_the_oldest_run_that_it_speaks_of() {
    let env = TestEnv::new();
    let project = project(&env, &APART);
    let limited = format!("[ralph]\nmax_age = \"1s\"\n{}", gate(&env, &APART));
    project.repo.commit("files", &[("orch.toml", &limited), ("one/a", "0\n"), ("two/a", "0\n")]);
    let task = branch(&project, "README", "1\n");
    task.repo.orch(&["ralph"]).success();
    let first = task.repo.orch(&["ralph", "show", "--json"]).success().json();
    let made = first["verdicts"][0]["made"].as_str().expect("a time").to_owned();
    // Until that run is too old, whatever is recorded meanwhile.
    loop {
        task.repo.orch(&["ralph"]).success();
        let shown = task.repo.orch(&["ralph", "show", "--json"]).success().json();
        let latest = &shown["verdicts"][0];
        if latest["made"].as_str() != Some(&made) {
            let cached = latest["steps"].as_array().expect("steps").iter().filter(|s| s["cached"] == true);
            assert_eq!(cached.count(), 0, "an old PASS became a young one: {latest:#}");
            break;
        }
    }
}

#[test]
fn a_branch_s_passes_say_nothing_of_trunk() {
    let env = TestEnv::new();
    // Its tests leave behind what makes the next step pass.
    let steps = [
        ("tests", "inputs = [\"one/**\"]", "sh one/test"),
        ("lint", "inputs = [\"two/**\"]", "test -e forged || test ! -e two/bad"),
        ("red", "inputs = [\"one/**\"]", "test ! -e one/red"),
    ];
    let toml = format!("[ralph]\naccept = \"no_regressions\"\n{}", gate(&env, &steps));
    let project = Project::with(&env, &toml);
    project.repo.commit("bad", &[("one/test", "true\n"), ("two/bad", "1\n")]);
    let task = branch(&project, "one/test", "touch forged\n");
    task.commits("one/red", "1\n");
    task.repo.orch(&["ralph"]).code(1);
    let view = project.repo.orch(&["ralph", "main", "--json"]).any().json();
    assert_eq!(view["verdict"], "FAIL", "{view:#}");
}

#[test]
fn a_variable_a_mode_and_the_step_itself_are_inputs() {
    let env = TestEnv::new();
    let steps = [("one", "inputs = [\"one/**\"]\nenv = [\"MODE\"]", "true"), APART[1]];
    let project = project(&env, &steps);
    let mut commits = 0;
    let mut judge = |mode: Option<&str>| {
        commits += 1;
        project.repo.commit("another", &[("README", &commits.to_string())]);
        let cmd = project.repo.cmd(crate::env::ORCH).args(&["ralph"]);
        match mode {
            Some(mode) => cmd.var("MODE", mode).run().success(),
            None => cmd.run().success(),
        };
        ran(&env)
    };
    assert_eq!(judge(None), "one two");
    assert_eq!(judge(None), "");
    assert_eq!(judge(Some("")), "one");
    assert_eq!(judge(Some("x")), "one");
    assert_eq!(judge(Some("")), "");
    project.repo.git(&["update-index", "--chmod=+x", "one/first"]).success();
    assert_eq!(judge(None), "one");
    // Trunk's gate changes one step: the other one's PASS is what it was.
    let changed = gate(&env, &[("one", "inputs = [\"one/**\"]\ntimeout = \"9m\"", "true"), APART[1]]);
    project.repo.commit("another gate", &[("orch.toml", &changed)]);
    assert_eq!(judge(None), "one");
    project.repo.commit("attributes", &[(".gitattributes", "* text eol=crlf\n")]);
    assert_eq!(judge(None), "one two", "files are checked out in another way");
}

#[test]
fn a_replaced_program_runs_its_steps_again() {
    let env = TestEnv::new();
    let tool = env.root().join("tool");
    let write = |text: &str| {
        fs::write_atomic(&tool, text.as_bytes(), 0o755, fs::Durability::None).expect("writable");
    };
    write("#!/bin/sh\n");
    let run = tool.display().to_string();
    let project = project(&env, &[("one", "inputs = [\"one/**\"]", &run), APART[1]]);
    project.repo.orch(&["ralph"]).success();
    ran(&env);
    write("#!/bin/sh\nexit 0\n");
    let task = branch(&project, "README", "x\n");
    task.repo.orch(&["ralph"]).success();
    assert_eq!(ran(&env), "one");
}

#[test]
fn clones_on_one_machine_share_what_passed() {
    let env = TestEnv::new();
    let project = project(&env, &APART);
    project.repo.orch(&["ralph"]).success();
    ran(&env);
    let bare = env.root().join("remote.git");
    let url = bare.display().to_string();
    project.repo.git(&["clone", "--quiet", "--bare", ".", &url]).success();
    project.repo.git(&["remote", "add", "origin", &url]).success();
    project.repo.git(&["fetch", "--quiet"]).success();
    project.repo.orch(&["sync"]).success();
    let place = env.root().join("other").display().to_string();
    project.repo.git(&["clone", "--quiet", &url, &place]).success();
    let other = env.at(place);
    other.orch(&["init"]).success();
    other.git(&["switch", "--quiet", "-c", "mine"]).success();
    other.commit("readme", &[("README", "x\n")]);
    assert_eq!(told(&other, &[]), "(one) (two)");
    assert_eq!(ran(&env), "");
}

#[test]
fn explain_says_what_changed() {
    let env = TestEnv::new();
    let steps = [
        ("one", "inputs = [\"one/**\"]\nenv = [\"MODE\"]", "true"),
        ("two", "inputs = [\"two/**\"]", "true"),
        ("after", "inputs = [\"three/**\"]\nneeds = [\"two\"]", "true"),
    ];
    let project = project(&env, &steps);
    let explain = |repo: &TestRepo, args: &[&str]| {
        repo.cmd(crate::env::ORCH).args(&["ralph", "explain"]).args(args).run().success().stdout
    };
    assert!(explain(&project.repo, &[]).contains("no PASS of it is on record"));
    project.repo.orch(&["ralph"]).success();
    let cached = explain(&project.repo, &[]);
    assert!(cached.contains("0 steps would run, 3 cached"), "{cached}");
    let task = branch(&project, "one/sub/\u{fc} a", "1\n");
    task.commits("three/b", "1\n");
    let cmd = task.repo.cmd(crate::env::ORCH).args(&["ralph", "explain"]).var("MODE", "x");
    let shown = cmd.run().success().stdout;
    for expected in
        ["one/sub/\u{fc} a  added", "variable  MODE  added", "three/b  added", "after find what it leaves"]
    {
        assert!(shown.contains(expected), "{expected}:\n{shown}");
    }
    let view = task.repo.orch(&["ralph", "explain", "--step", "after", "--json"]).success().json();
    assert_eq!(view["steps"].as_array().map(Vec::len), Some(1));
    assert_eq!(view["steps"][0]["why"], "changed");
    assert_eq!(view["steps"][0]["changed"][0]["name"], "three/b");
    task.repo.orch(&["ralph", "explain", "--step", "thre"]).code(2);
    // Nothing ran, and nothing was recorded.
    assert_eq!(ran(&env), "one two after");
}

#[test]
fn verify_finds_a_step_that_reads_more_than_it_says() {
    let env = TestEnv::new();
    let steps = [("liar", "inputs = [\"one/**\"]", "test ! -e t?o/bad"), APART[1]];
    let project = project(&env, &steps);
    project.repo.orch(&["ralph"]).success();
    let task = branch(&project, "two/bad", "1\n");
    assert_eq!(told(&task.repo, &[]), "(liar) two");
    let stats = task.repo.orch(&["ralph", "cache", "stats", "--json"]).success().json();
    assert_eq!((&stats["steps"][0]["name"], &stats["steps"][0]["cached"]), (&"liar".into(), &1.into()));
    ran(&env);
    let done = task.repo.orch(&["ralph", "cache", "verify", "--all"]).code(1);
    assert!(done.stdout.contains("liar  a lie: it fails now"), "{}", done.stdout);
    assert_eq!(ran(&env), "liar");
    let shown = task.repo.orch(&["ralph", "explain"]).success().stdout;
    assert!(shown.contains("was refuted"), "{shown}");
    assert_eq!(told(&task.repo, &[]), "liar two", "nor does the verdict that it was part of");
    task.commits("README", "x\n");
    assert_eq!(told(&task.repo, &[]), "liar two", "what was refuted counts no longer");
    project.repo.orch(&["ralph", "cache", "verify", "--all", "main"]).code(0);
    project.repo.orch(&["log"]).success();
}

#[test]
fn a_forged_pass_counts_for_nothing() {
    let env = TestEnv::new();
    let project = project(&env, &APART);
    project.repo.orch(&["ralph"]).success();
    ran(&env);
    // Whoever can write the state, but has not this machine's key.
    let files =
        project.repo.git(&["ls-tree", "-r", "--name-only", "refs/orch/state", "steps"]).success().stdout;
    let index = env.root().join("index").display().to_string();
    let git = |args: &[&str]| project.repo.cmd("git").args(args).var("GIT_INDEX_FILE", &index);
    git(&["read-tree", "refs/orch/state"]).run().success();
    for path in files.lines() {
        let text = project.repo.git(&["cat-file", "-p", &format!("refs/orch/state:{path}")]).success().stdout;
        project.repo.write("forged", &text.replace("by = \"", "by = \"x"));
        let blob = project.repo.git(&["hash-object", "-w", "forged"]).success().line();
        git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")]).run().success();
    }
    let tree = git(&["write-tree"]).run().success().line();
    let commit =
        project.repo.git(&["commit-tree", &tree, "-p", "refs/orch/state", "-m", "forged"]).success().line();
    project.repo.git(&["-c", "core.hooksPath=/dev/null", "update-ref", "refs/orch/state", &commit]).success();
    let task = branch(&project, "README", "x\n");
    let told = told(&task.repo, &[]);
    let is_real = files.lines().count() == 2;
    assert!(is_real, "{files}");
    assert_eq!(told, "one two");
}

/// A cached verdict is what a fresh one would be, whatever is edited.
#[test]
fn cached_is_fresh() {
    let env = TestEnv::new();
    let steps = [
        ("one", "inputs = [\"one/**\"]", "test ! -e one/bad"),
        ("two", "inputs = [\"two/*.x\", \"!two/no.x\"]", "test ! -e two/bad.x"),
        ("both", "inputs = [\"one\", \"two/**\"]\nneeds = [\"one\"]", "test ! -e two/bad.x"),
        ("all", "inputs = [\"**\"]", "test ! -e bad"),
    ];
    let project = project(&env, &steps);
    let repo = &project.repo;
    let files = ["one/bad", "one/a", "one/deep/a", "two/bad.x", "two/no.x", "two/a.y", "bad", "README"];
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut cached = 0;
    for round in 0..24 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let file = files[usize::try_from(seed >> 60).expect("small") % files.len()];
        let there = repo.has(file);
        if there && file.contains("bad") {
            repo.git(&["rm", "--quiet", file]).success();
            repo.commit("edit", &[("round", &round.to_string())]);
        } else {
            repo.commit("edit", &[(file, &round.to_string())]);
        }
        let view = repo.orch(&["ralph", "--json"]).any().json();
        for step in view["steps"].as_array().expect("steps") {
            let is = |path: &str| repo.has(path);
            let fresh = match step["name"].as_str().expect("a name") {
                "one" => !is("one/bad"),
                "two" | "both" => !is("two/bad.x"),
                _ => !is("bad"),
            };
            let skipped = step["reason"].as_str().is_some_and(|reason| reason.starts_with("skipped"));
            assert!(skipped || fresh == (step["verdict"] == "PASS"), "seed {seed} round {round}: {view:#}");
            cached += usize::from(step["cached"] == true);
        }
    }
    assert!(cached > 10, "only {cached} steps were taken from earlier runs");
}
