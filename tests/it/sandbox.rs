//! What a gate's commands can't do: read secrets, write elsewhere, reach services, outlive the run.

use std::io::Write as _;
use std::os::unix::net::UnixListener;

use git_orch::sys::env::Env;
use git_orch::sys::sandbox::{Network, Strength, Support};
use git_orch::sys::{fs, probe};

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::project::{Project, gate, refused};
use crate::run::Done;

/// What this machine can do.
pub(crate) fn support(env: &TestEnv) -> Support {
    let scratch = env.root().join("tmp/probe");
    fs::create_dir_all(&scratch).expect("ours");
    probe::sandbox(ORCH.as_ref(), &scratch, &env.vars())
}

/// What verdicts of this machine say.
pub(crate) fn trust(env: &TestEnv) -> &'static str {
    match support(env).strength(Network::On) {
        Strength::Full => "sandboxed",
        Strength::Partial(_) => "partial",
        Strength::None => "unsandboxed",
    }
}

/// Says that the test which calls this shows nothing on this machine. It says so past the harness, which keeps to itself
/// what a test prints that passes. A failure where `ORCH_TEST_SANDBOX=required` says that the machine has all that is
/// needed, as `.ci/run` does after it looked: then what is missing is ours.
pub(crate) fn skip(what: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let is_required = Env::capture().text("ORCH_TEST_SANDBOX") == Some("required");
    assert!(!is_required, "{test}: this machine has {what}, and git-orch does not find it");
    writeln!(std::io::stderr(), "skipped: {test}: this machine does not have {what}")
        .expect("somebody reads");
}

/// A world in which gates may write nothing but their checkout. None where this machine has no whole sandbox, which is
/// said: what these tests show can't be shown there.
fn strict() -> Option<TestEnv> {
    let env = TestEnv::new();
    if trust(&env) != "sandboxed" {
        skip("a whole sandbox");
        return None;
    }
    env.at(env.root()).git(&["config", "--global", "--unset-all", "orch.sandboxWrites"]).success();
    Some(env)
}

/// Judges HEAD of a project whose gate's step runs these lines, and fails if it says that something is OPEN.
fn try_all(env: &TestEnv, lines: &[String]) -> Done {
    let project = Project::with(env, &gate("sh ./tries"));
    let text = lines.join("\n") + "\n";
    project.repo.git(&["switch", "--quiet", "-c", "tries"]).success();
    project.repo.commit("tries", &[("tries", &text)]);
    let done = project.repo.orch(&["ralph", "--json"]).any();
    let log = project.repo.sh("cat .git/orch/logs/*/*/check.log").success();
    assert!(!log.stdout.contains("OPEN"), "{}", log.stdout);
    assert_eq!(done.status(), 0, "{done}\n{}", log.stdout);
    log
}

fn open(what: &str, command: &str) -> String {
    format!("if ({command}) > /dev/null 2>&1; then echo \"OPEN: {what}\"; fi")
}

#[test]
fn a_step_sees_no_secret_and_writes_nowhere_else() {
    let Some(env) = strict() else { return };
    let (root, home) = (env.root().display(), env.home());
    let key = home.join(".local/state/git-orch/verifier.key");
    for (file, text) in
        [(".ssh/id", "k"), (".netrc", "k"), (".cargo/credentials.toml", "token"), (".cargo/config.toml", "")]
    {
        let path = home.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("ours");
        fs::write_new(&path, text.as_bytes(), 0o644).expect("ours");
    }
    let _agent = UnixListener::bind(env.root().join("agent.sock")).expect("a socket");
    let me = std::process::id();
    let lines = [
        open("home", "ls -A \"$HOME\" | grep -v cargo | grep ."),
        open("ssh key", "cat \"$HOME/.ssh/id\""),
        open("verifier key", &format!("cat {}", key.display())),
        open("cargo token", "grep token \"$HOME/.cargo/credentials.toml\""),
        open("a socket", &format!("test -e {root}/agent.sock")),
        open("the user's checkout", &format!("cat {root}/repo/src/a")),
        // Where there seem to be directories, nothing of them is outside.
        format!("echo x > {root}/repo.orch/x; echo x > {root}/repo/x; true"),
        open("git's configuration", &format!("echo x >> {root}/repo/.git/config")),
        open("a ref", "git update-ref refs/heads/x HEAD"),
        open("the index", "git add -A"),
        open("our own files", &format!("cat {root}/repo/.git/orch/hook.toml")),
        open("the system", "echo x > /usr/x || echo x > /etc/x"),
        open("another process", &format!("kill -0 {me} || test -e /proc/{me}/environ && test $$ -gt 1000")),
        open("a terminal", "echo x > /dev/tty"),
        open("a mount", "mount -t tmpfs x /usr || unshare -Urm mount -t tmpfs x /usr"),
        open("a capability", "grep -E 'Cap(Prm|Eff|Bnd|Amb)' /proc/self/status | grep -v 0000000000000000"),
        "set -e; git status; git diff; git log --oneline; git show HEAD --stat".to_owned(),
        "echo x > /tmp/x; echo x > \"$HOME/x\"; echo x > \"$HOME/.cargo/x\"; echo x >> \"$HOME/.cargo/config.toml\"".to_owned(),
        "echo x > /dev/null; test -r /dev/urandom; echo x > new-file".to_owned(),
    ];
    try_all(&env, &lines);
    assert!(!fs::exists(&env.root().join("repo.orch/x")) && !fs::exists(&env.root().join("repo/x")));
    let mut left = fs::list(&home.join(".cargo")).expect("ours");
    left.sort();
    assert_eq!(left, [home.join(".cargo/config.toml"), home.join(".cargo/credentials.toml")]);
    assert_eq!(fs::read_string(&home.join(".cargo/config.toml")).expect("ours"), "");
    assert!(!fs::exists(&home.join("x")), "what was written at home is gone");
    assert!(!fs::exists(&env.root().join("repo/.git/orch/sandbox/gate-0")), "and so is the sandbox");
}

#[test]
fn tokens_beside_programs_and_in_settings_are_not_there() {
    let Some(env) = strict() else { return };
    let home = env.home();
    let files = [
        ".local/share/uv/credentials/credentials.toml",
        ".cargo/config.toml",
        ".docker/config.json",
        ".docker/bin/tool",
    ];
    for file in files {
        let path = home.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("ours");
        fs::write_new(&path, b"[registry]\ntoken = \"k\"\n", 0o755).expect("ours");
    }
    let mut lines: Vec<String> =
        files[..3].iter().map(|file| open(file, &format!("grep token \"$HOME/{file}\""))).collect();
    lines.push("grep -q token \"$HOME/.docker/bin/tool\"".to_owned());
    let project = Project::with(&env, &gate(&lines.join("; ")));
    let usual = env.vars().get("PATH").expect("set").to_string_lossy().into_owned();
    let path = format!("{usual}:{}", home.join(".docker/bin").display());
    let done = project.repo.cmd(ORCH).args(&["ralph"]).var("PATH", path).run().any();
    let log = project.repo.sh("cat .git/orch/logs/*/*/check.log").success();
    assert!(!log.stdout.contains("OPEN"), "{}", log.stdout);
    assert_eq!(done.status(), 0, "{done}\n{}", log.stdout);
}

#[test]
fn what_a_run_writes_is_there_for_its_commands_and_for_nobody_after() {
    let Some(env) = strict() else { return };
    fs::create_dir_all(&env.home().join(".cargo")).expect("ours");
    let step = |name: &str, run: &str| {
        format!("[[ralph.step]]\nname = \"{name}\"\nkind = \"custom\"\ngroup = \"g\"\nrun = '''{run}'''\n")
    };
    let seen = "test -e $HOME/.cargo/s && test -e $HOME/s && test -e /tmp/s";
    let text = format!(
        "[ralph]\nsetup = ['! test -e $HOME/.cargo/s && touch $HOME/.cargo/s $HOME/s /tmp/s']\n{}{}",
        step(
            "one",
            &format!("{seen} && touch $HOME/.cargo/one && until test -e $HOME/.cargo/two; do :; done")
        ),
        step(
            "two",
            &format!("{seen} && touch $HOME/.cargo/two && until test -e $HOME/.cargo/one; do :; done")
        ),
    );
    let project = Project::with(&env, &text);
    project.repo.git(&["config", "orch.jobs", "2"]).success();
    for _ in 0..2 {
        project.repo.orch(&["ralph", "--fresh"]).success();
    }
}

/// Processes whose command line has `text`.
fn processes(repo: &TestRepo, text: &str) -> usize {
    let script = format!("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -ao '{text}' | wc -l");
    repo.sh(&script).success().line().parse().expect("a number")
}

#[test]
fn nothing_that_a_step_starts_outlives_it() {
    let Some(env) = strict() else { return };
    let nap = format!("sleep 60{}", std::process::id());
    let project = Project::with(
        &env,
        &gate(&format!(
            "for n in a b; do setsid sh -c \"touch $n; exec {nap}\" & done; until test -e a && test -e b; do sleep 0.02; done"
        )),
    );
    project.repo.orch(&["ralph"]).success();
    // The test's own shell has the words, too: it looks for them in pieces.
    let pattern = nap.replacen("sleep", "[s]leep", 1);
    assert_eq!(processes(&project.repo, &pattern), 0);
    // What runs too long is stopped, and all that it started, too.
    let env = strict().expect("it was there before");
    let slow = format!(
        "[[ralph.step]]\nname = \"s\"\nkind = \"custom\"\ntimeout = \"1s\"\nrun = \"setsid {nap} & {nap}\"\n"
    );
    let project = Project::with(&env, &slow);
    let done = project.repo.orch(&["ralph"]).code(3);
    assert!(done.stdout.contains("timed out after 1s"), "{done}");
    assert_eq!(processes(&project.repo, &pattern), 0);
}

#[test]
fn how_a_command_ends_is_seen_through_the_sandbox() {
    let Some(env) = strict() else { return };
    let step =
        |n: usize, run: &str| format!("[[ralph.step]]\nname = \"s{n}\"\nkind = \"custom\"\nrun = {run}\n");
    let runs = [
        "[\"sh\", \"-c\", \"kill -SEGV $$\"]",
        "\"no-such-tool\"",
        "[\"no-such-tool\"]",
        "\"exit 125\"",
        "[\"./src/a\"]",
    ];
    let text: String = runs.iter().enumerate().map(|(n, run)| step(n, run)).collect();
    let project = Project::with(&env, &text);
    let json = project.repo.orch(&["ralph", "--json"]).code(1).json();
    let steps = json["steps"].as_array().expect("steps");
    let said: Vec<String> = steps
        .iter()
        .map(|s| format!("{} {}", s["verdict"].as_str().unwrap_or("?"), s["reason"].as_str().unwrap_or("")))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    BLOCKED killed by SIGSEGV
    BLOCKED no-such-tool: not found
    BLOCKED no-such-tool: not found
    FAIL exit 125
    BLOCKED ./src/a: not executable (exit 126)
    ");
}

#[test]
fn a_step_has_the_network_that_it_is_to_have() {
    let Some(env) = strict() else { return };
    let step = |name: &str, network: &str, run: &str| {
        format!(
            "[[ralph.step]]\nname = \"{name}\"\nkind = \"custom\"\n{network}\ntimeout = \"30s\"\nrun = '''{run}'''\n"
        )
    };
    let only_lo = "test \"$(grep -c : /proc/net/dev)\" = 1";
    let daemon = "git init -q --bare /tmp/r.git && git daemon --listen=127.0.0.1 --port=9418 --base-path=/tmp --export-all & \
                  until git ls-remote git://127.0.0.1/r.git; do sleep 0.05; done";
    let text = format!(
        "[ralph]\nnetwork = \"off\"\n{}{}",
        step("off", "", &format!("{only_lo} && ! git ls-remote git://127.0.0.1/r.git")),
        step("loopback", "network = \"loopback\"", &format!("{only_lo} && {daemon}")),
    );
    let project = Project::with(&env, &text);
    project.repo.orch(&["ralph"]).success();
    // Where there are no namespaces, that can't be had.
    project.repo.git(&["config", "orch.sandbox", "off"]).success();
    refused(project.repo.orch(&["ralph", "--fresh"]), 8, "sandbox.network");
}

#[test]
fn policy_demands_a_sandbox() {
    let Some(env) = strict() else { return };
    let text = format!("[policy]\nsandbox = \"full\"\n{}", gate("true"));
    let project = Project::with(&env, &text);
    project.repo.git(&["config", "orch.sandbox", "off"]).success();
    let done = project.repo.orch(&["ralph"]).code(3);
    assert!(done.stdout.contains("ralph.sandbox"), "{done}");
    project.repo.git(&["config", "orch.sandbox", "auto"]).success();
    let json = project.repo.orch(&["ralph", "--json"]).success().json();
    assert_eq!((json["verdict"].as_str(), json["trust"].as_str()), (Some("PASS"), Some("sandboxed")));
}

#[test]
fn a_machine_that_has_only_a_part_says_so() {
    let Some(env) = strict() else { return };
    let project = Project::with(&env, &gate("! cat \"$HOME/secret\" && ! echo x > ../x && echo x > y"));
    fs::write_new(&env.home().join("secret"), b"k", 0o644).expect("ours");
    // In a sandbox there can't be another one with namespaces: Landlock alone is left.
    let support = support(&env);
    let scratch = env.root().join("tmp/outer");
    fs::create_dir_all(&scratch.join("tmp")).expect("ours");
    let spec = serde_json::json!({
        "reads": ["/"], "writes": ["/"], "placed": [], "holder": null, "hidden": [], "home": [],
        "scratch": scratch, "network": "on",
        "support": { "namespaces": false, "landlock": support.landlock },
    });
    let within = |args: &[&str]| {
        let outer = ["sandbox-exec", &spec.to_string(), ORCH].map(str::to_owned);
        let args: Vec<String> = outer.into_iter().chain(args.iter().map(|arg| (*arg).to_owned())).collect();
        project.repo.cmd(ORCH).args(&args).run()
    };
    let json = within(&["ralph", "--json"]).success().json();
    assert_eq!((json["verdict"].as_str(), json["trust"].as_str()), (Some("PASS"), Some("partial")));
    project.repo.git(&["config", "orch.sandbox", "required"]).success();
    refused(within(&["ralph", "--fresh"]), 8, "sandbox.missing");
}

#[test]
fn a_fixer_writes_its_worktree_and_nothing_else() {
    let Some(env) = strict() else { return };
    let toml = format!("[roles.bugfix]\nagent = \"autofix\"\n{}", gate("grep -q mended src/a"));
    let project = Project::with(&env, &toml);
    project.repo.commit("a project that a fixer knows", &[("ruff.toml", "")]);
    let bin = env.root().join("bin");
    fs::create_dir_all(&bin).expect("ours");
    let root = env.root().display();
    let lines = [
        "#!/bin/sh".to_owned(),
        open("the user's checkout", &format!("cat {root}/repo/src/a")),
        open("git's configuration", &format!("echo x >> {root}/repo/.git/config")),
        format!("echo x > {root}/repo.orch/x; echo x > {root}/repo/x"),
        open("the home", "ls -A \"$HOME\" | grep -v cargo | grep ."),
        open("a secret variable", "test -n \"$SECRET_TOKEN\""),
        "echo mended > src/a; git status > /dev/null && echo can read".to_owned(),
    ];
    fs::write_atomic(&bin.join("ruff"), (lines.join("\n") + "\n").as_bytes(), 0o755, fs::Durability::None)
        .expect("ours");
    project.repo.orch(&["add", "tidy", "--kind", "bug"]).success();
    let vars = env.vars();
    let path = format!("{}:{}", bin.display(), vars.text("PATH").expect("a path"));
    let cmd = project.repo.cmd(ORCH).args(&["run", "--json-events", "--merge", "review"]);
    let done = cmd.var("PATH", &path).var("SECRET_TOKEN", "x").run().success();
    assert!(!done.stdout.contains("OPEN"), "{}", done.stdout);
    assert!(done.stdout.contains("can read"), "git's directory can be read: {}", done.stdout);
    assert!(!project.repo.has("x") && !fs::exists(&env.root().join("repo.orch/x")));
}

#[test]
fn directories_without_end_at_home_are_in_the_way_of_no_later_run() {
    let Some(env) = strict() else { return };
    let deep = "mkdir -p $(printf 'd/%.0s' $(seq 3000))";
    let project = Project::with(&env, &gate(&format!("cd /tmp && {deep} && cd && {deep}")));
    for _ in 0..2 {
        project.repo.orch(&["ralph", "--fresh"]).success();
        assert!(!fs::exists(&env.root().join("repo/.git/orch/sandbox/gate-0")), "the sandbox is gone");
    }
}

#[test]
fn a_step_has_none_of_the_files_that_the_caller_had_open() {
    let Some(env) = strict() else { return };
    let seen = "for n in /proc/self/fd/*; do n=${n##*/}; test $n -gt 2 && test -e /proc/$$/fd/$n && echo open: $n; done; true";
    let project =
        Project::with(&env, &gate(&format!("{seen}; ! echo x 2>/dev/null >&9 && ! cat 2>/dev/null <&8")));
    fs::write_new(&env.root().join("secret"), b"k", 0o644).expect("ours");
    let call = format!("exec 9>>../outside 8<../secret; exec {ORCH} ralph --fresh");
    for sandbox in ["auto", "required"] {
        project.repo.git(&["config", "orch.sandbox", sandbox]).success();
        project.repo.sh(&call).success();
        let log = project.repo.sh("cat .git/orch/logs/*/*/check.log").success();
        assert!(!log.stdout.contains("open:"), "{log}");
    }
    assert_eq!(fs::read_string(&env.root().join("outside")).expect("the caller's"), "");
}
