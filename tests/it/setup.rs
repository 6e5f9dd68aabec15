//! `init` and `uninstall` on every shape of repository, by the library; what is left behind, and what is not.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use git_orch::ops::setup::{self, Done, InitOptions, OrchToml, Programs, Report, StateRefs};
use git_orch::ops::{Because, Ctx, OpError};
use git_orch::store::STATE_REF;
use git_orch::sys::env::Env;
use git_orch::sys::fs;
use git_orch::sys::signal::Interrupts;

use crate::env::{HOOK, ORCH, TestEnv, TestRepo};

pub(crate) fn programs() -> Programs {
    Programs { main: PathBuf::from(ORCH), dispatcher: PathBuf::from(HOOK) }
}

pub(crate) fn context(repo: &TestRepo) -> Ctx {
    Ctx::open(&repo.env().vars(), &repo.path(""), Interrupts::default()).expect("a repository")
}

pub(crate) fn init(repo: &TestRepo) -> Report {
    setup::init_with(&known(repo), &InitOptions::default(), &programs()).expect("init works")
}

/// The context of somebody whom git knows.
fn known(repo: &TestRepo) -> Ctx {
    // In process, git's configuration is this process's own: the identity has to come with the context.
    let vars = repo.env().vars();
    let own = vars.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let who = [("GIT_COMMITTER_NAME", "Ann Lee"), ("GIT_COMMITTER_EMAIL", "ann@example.com")];
    let env = Env::from_pairs(own.chain(who.map(|(name, value)| (name.into(), value.into()))));
    Ctx::open(&env, &repo.path(""), Interrupts::default()).expect("a repository")
}

fn init_as(repo: &TestRepo, options: &InitOptions) -> Result<Report, OpError> {
    setup::init_with(&context(repo), options, &programs())
}

fn init_known(repo: &TestRepo, options: &InitOptions) -> Result<Report, OpError> {
    setup::init_with(&known(repo), options, &programs())
}

#[track_caller]
fn refused(result: Result<Report, OpError>) -> (Because, &'static str, String, Vec<String>) {
    match result {
        Err(OpError::Refused(r)) => (r.because, r.rule, r.fact, r.next),
        other => panic!("not refused: {other:?}"),
    }
}

fn shown(repo: &TestRepo, report: &Report) -> String {
    let line = |l: &setup::Line| {
        let mark = match l.done {
            Done::Made => '+',
            Done::Kept => '=',
            Done::Planned => '?',
            Done::Warned => '!',
        };
        format!("{mark} {}: {}\n", l.what, l.detail)
    };
    let lines = report.lines.iter().map(line).chain(report.next.iter().map(|l| format!("> {l}\n")));
    repo.env().redacted(&lines.collect::<Vec<_>>().concat())
}

/// Every file below `dir` with its permission bits and bytes, but what `skip` says.
fn files(dir: &Path, skip: &[&str]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        for path in fs::list(&at).expect("readable") {
            let name = path.strip_prefix(dir).expect("below").display().to_string();
            if skip.iter().any(|skipped| name.starts_with(skipped)) {
                continue;
            }
            let meta = path.symlink_metadata().expect("just listed");
            if meta.is_dir() {
                todo.push(path);
            } else {
                found.insert(name, (meta.permissions().mode(), fs::read(&path).unwrap_or_default()));
            }
        }
    }
    found
}

const CARGO: &str = "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIB: &str = "#[test]\nfn works() {}\n";

pub(crate) fn cargo(env: &TestEnv) -> TestRepo {
    let repo = env.unborn("r é");
    // The library reads the configuration of the process that runs the tests, not that of `env`.
    for (key, value) in [("core.abbrev", "12"), ("user.name", "Ann Lee"), ("user.email", "ann@example.com")] {
        repo.git(&["config", key, value]).success();
    }
    repo.commit("first", &[("Cargo.toml", CARGO), ("src/lib.rs", LIB)]);
    repo
}

#[test]
fn a_plain_repository_is_set_up_and_a_second_run_changes_nothing() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    let first = init(&repo);
    insta::assert_snapshot!(shown(&repo, &first), @r#"
    = trunk: main, in this clone only: there is no remote
    + state: made refs/orch/state
    + orch.toml: committed on main as OID1: a gate of fmt, clippy, test
    + hooks: pre-commit, prepare-commit-msg, commit-msg, pre-push, reference-transaction in $ROOT/r é/.git/hooks
    > git orch ralph   # judges HEAD
    > git orch add "TITLE"   # a task for the queue
    > git orch next   # takes the first one
    "#);
    assert!(repo.try_rev(STATE_REF).is_some());
    assert_eq!(
        repo.git(&["show", "--format=%an %s", "--name-status", "main"]).success().stdout,
        "Ann Lee Add orch.toml\n\nA\torch.toml\n"
    );
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "");
    assert!(repo.read("orch.toml").contains("cargo test"));
    assert_eq!(repo.read(".git/orch/attested").trim(), repo.rev("main"));
    assert_eq!(repo.git(&["config", "--get", "core.hooksPath"]).status(), 1, "never set");
    repo.git(&["fsck", "--strict"]).success();

    let before = files(&repo.path(""), &[]);
    let second = init(&repo);
    assert!(!second.changes(), "{}", shown(&repo, &second));
    let after = files(&repo.path(""), &[]);
    let changed: Vec<_> = after.iter().filter(|(k, v)| before.get(*k) != Some(v)).map(|(k, _)| k).collect();
    assert_eq!(changed, Vec::<&String>::new());
    assert_eq!(before.len(), after.len());

    let tree = repo.git(&["commit-tree", "-p", "main", "-m", "x", "main^{tree}"]).success().line();
    let moved = repo.git(&["update-ref", "refs/heads/main", &tree]);
    assert_ne!(moved.status(), 0, "the guard is in force");
    assert!(moved.stderr.contains("trunk.direct"), "{}", moved.stderr);
}

#[test]
fn the_users_staged_and_unstaged_changes_are_not_touched() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    repo.write("staged.txt", "s\n");
    repo.git(&["add", "staged.txt"]).success();
    repo.write("src/lib.rs", "// changed\n");
    repo.write("untracked", "u\n");
    let before = repo.git(&["status", "--porcelain"]).success().stdout;
    init(&repo);
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, before);
    assert_eq!(repo.git(&["diff", "--name-only", "main^", "main"]).success().stdout, "orch.toml\n");
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_not_a_byte() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    let before = files(&repo.path(""), &[]);
    let options = InitOptions { dry_run: true, ..InitOptions::default() };
    let report = init_as(&repo, &options).expect("a plan");
    assert!(report.changes());
    let text = shown(&repo, &report);
    for part in ["? state: make", "? orch.toml: commit on main: a gate of", "? hooks: install"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert_eq!(files(&repo.path(""), &[]), before);
}

#[test]
fn every_shape_of_repository() {
    for flags in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        let env = TestEnv::new();
        env.git(&[&["init", "--quiet", "r"], flags].concat()).success();
        let repo = env.at("r");
        repo.commit("first", &[("Cargo.toml", CARGO), ("src/lib.rs", LIB)]);
        assert!(init(&repo).changes());
        assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "", "{flags:?}");
        assert_eq!(
            repo.git(&["log", "-1", "--format=%s", "main"]).success().line(),
            "Add orch.toml",
            "{flags:?}"
        );
        assert!(!init(&repo).changes(), "{flags:?}");
        let tree = repo.git(&["commit-tree", "-p", "main", "-m", "x", "main^{tree}"]).success().line();
        assert_ne!(repo.git(&["update-ref", "refs/heads/main", &tree]).status(), 0, "{flags:?}");
        repo.git(&["fsck", "--strict"]).success();
    }
}

#[test]
fn an_unborn_branch_gets_the_file_and_no_commit() {
    let env = TestEnv::new();
    let repo = env.unborn("r");
    repo.write("Cargo.toml", CARGO);
    let report = init(&repo);
    assert_eq!(repo.try_rev("main"), None);
    assert!(repo.has("orch.toml"));
    let second = init(&repo);
    assert!(!second.changes(), "{}", shown(&repo, &second));
    assert_eq!(second.next, report.next);
    for line in &report.next {
        repo.sh(line).success();
    }
    assert_eq!(repo.git(&["ls-files"]).success().stdout, "Cargo.toml\norch.toml\n");
    assert!(!init(&repo).changes());
    assert_eq!(repo.read(".git/orch/attested").trim(), repo.rev("main"));
}

#[test]
fn a_bare_repository_with_worktrees_from_every_side() {
    let env = TestEnv::new();
    let source = cargo(&env);
    env.git(&["clone", "--quiet", "--bare", "r é", "b.git"]).success();
    let bare = env.at("b.git");
    bare.git(&["remote", "remove", "origin"]).success();
    bare.git(&["worktree", "add", "--quiet", "../on-main", "main"]).success();
    bare.git(&["worktree", "add", "--quiet", "-b", "topic", "../on-topic"]).success();
    let (main, topic) = (env.at("on-main"), env.at("on-topic"));

    let report = init(&topic);
    assert!(shown(&topic, &report).contains("trunk: topic"), "the current branch is trunk without a remote");
    setup::uninstall(&context(&bare), StateRefs::BundleAndDelete).expect("works");
    assert!(!bare.has("orch"));

    let options = InitOptions { trunk: Some("main".into()), ..InitOptions::default() };
    init_known(&bare, &options).expect("works without a checkout");
    assert!(main.has("orch.toml"), "placed where trunk is checked out");
    assert_eq!(main.git(&["status", "--porcelain"]).success().stdout, "");
    for repo in [&main, &bare] {
        assert!(!init(repo).changes());
    }
    drop(source);
}

#[test]
fn without_an_identity_nothing_is_begun() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    repo.git(&["config", "user.name", ""]).success();
    repo.git(&["config", "user.email", ""]).success();
    let before = files(&repo.path(""), &[]);
    let (because, rule, _, next) = refused(init_as(&repo, &InitOptions::default()));
    assert_eq!((because, rule), (Because::Environment, "identity.missing"));
    assert_eq!(next.len(), 2);
    assert_eq!(files(&repo.path(""), &[]), before);
    let options = InitOptions { orch_toml: OrchToml::Write, ..InitOptions::default() };
    init_as(&repo, &options).expect("needs no name");
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "?? orch.toml\n");
}

#[test]
fn with_a_remote_the_file_waits_for_a_branch() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    let remote = env.remote("origin");
    repo.connect(&remote);
    let before = repo.rev("main");
    let report = init(&repo);
    assert_eq!(repo.rev("main"), before);
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "?? orch.toml\n");
    insta::assert_snapshot!(report.next.join("\n"), @r#"
    git switch -c orch-setup
    git add orch.toml
    git commit -m "Add orch.toml" -- orch.toml
    git orch approve orch-setup --reason "the first gate"
    git orch push -u origin orch-setup   # for a review there; or:
    git orch merge orch-setup
    "#);
    let second = init(&repo);
    assert!(!second.changes(), "{}", shown(&repo, &second));
    assert_eq!(second.next, report.next);
    assert!(repo.read(".git/orch/hook.toml").contains("refs/remotes/origin/main"));
    assert_eq!(
        repo.git(&["config", "--get-all", "remote.origin.fetch"]).success().line(),
        "+refs/heads/*:refs/remotes/origin/*"
    );
}

#[test]
fn an_empty_remote_has_no_trunk_and_an_unknown_one_is_refused() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    let remote = env.remote("origin");
    repo.git(&["remote", "add", "origin", &remote.url()]).success();
    let options = InitOptions { remote: Some("up".into()), ..InitOptions::default() };
    let (because, rule, fact, _) = refused(init_as(&repo, &options));
    assert_eq!((because, rule), (Because::Usage, "remote.unknown"));
    assert!(fact.contains("origin"), "{fact}");
    init(&repo);
    assert_eq!(repo.git(&["log", "-1", "--format=%s", "main"]).success().line(), "Add orch.toml");
}

#[test]
fn offline_is_said_and_does_not_stop() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    repo.git(&["remote", "add", "origin", "file:///nonexistent"]).success();
    let report = init(&repo);
    assert!(
        shown(&repo, &report).contains("! remote: origin could not be asked"),
        "{}",
        shown(&repo, &report)
    );
    assert!(repo.has("orch.toml"), "written");
    assert_eq!(repo.try_rev("main:orch.toml"), None, "nobody knows whether the remote has trunk");
}

#[test]
fn a_second_clone_joins_the_state() {
    let env = TestEnv::new();
    let one = cargo(&env);
    let remote = env.remote("origin");
    one.connect(&remote);
    init(&one);
    one.git(&["push", "--quiet", "--no-verify", "origin", STATE_REF]).success();
    let two = env.clone_of(&remote, "two");
    let report = init(&two);
    assert!(shown(&two, &report).contains("joined origin's"), "{}", shown(&two, &report));
    assert_eq!(two.rev(STATE_REF), one.rev(STATE_REF));
    assert!(!init(&two).changes());

    let three = env.clone_of(&remote, "three");
    three.git(&["remote", "set-url", "origin", "file:///nonexistent"]).success();
    init(&three);
    three.git(&["remote", "set-url", "origin", &remote.url()]).success();
    let report = init(&three);
    assert!(shown(&three, &report).contains("this clone keeps its own"), "{}", shown(&three, &report));
    let options = InitOptions { trunk: Some("dev".into()), ..InitOptions::default() };
    assert_eq!(refused(init_as(&two, &options)).1, "trunk.set");
}

#[test]
fn trunk_is_what_the_remote_says_and_a_wrong_name_is_refused() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    let remote = env.remote("origin");
    repo.git(&["branch", "dev"]).success();
    repo.connect(&remote);
    repo.git(&["push", "--quiet", "origin", "dev"]).success();
    remote.repo().git(&["symbolic-ref", "HEAD", "refs/heads/dev"]).success();
    let options = InitOptions { trunk: Some("mian".into()), ..InitOptions::default() };
    let (because, rule, _, next) = refused(init_as(&repo, &options));
    assert_eq!((because, rule), (Because::Usage, "trunk.unknown"));
    assert!(next.contains(&"git orch init --trunk main".to_owned()), "{next:?}");
    let options = InitOptions { trunk: Some("a..b".into()), ..InitOptions::default() };
    assert_eq!(refused(init_as(&repo, &options)).1, "trunk.name");
    assert_eq!(repo.try_rev(STATE_REF), None);
    assert!(shown(&repo, &init(&repo)).starts_with("= trunk: dev, shared through origin"));
}

#[test]
fn uninstall_restores_every_byte() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    let remote = env.remote("origin");
    repo.connect(&remote);
    repo.write(".git/hooks/pre-commit", "#!/bin/sh\necho mine\n");
    std::fs::set_permissions(repo.path(".git/hooks/pre-commit"), std::fs::Permissions::from_mode(0o755))
        .unwrap();
    repo.git(&["remote", "add", "up", &remote.url()]).success();
    let skip = [".git/objects", ".git/refs/orch", "orch.toml"];
    let before = files(&repo.path(""), &skip);
    let options = InitOptions { remote: Some("up".into()), ..InitOptions::default() };
    let report = init_as(&repo, &options).expect("works");
    assert!(shown(&repo, &report).contains("git config orch.remote up"), "{}", shown(&repo, &report));
    assert!(repo.has(".git/hooks/pre-commit.orch-prev"));
    let again = init_as(&repo, &options).expect("works");
    assert!(!again.changes(), "{}", shown(&repo, &again));

    let report = setup::uninstall(&context(&repo), StateRefs::Keep).expect("works");
    let text = shown(&repo, &report);
    assert!(text.contains("= state: refs/orch/* stay"), "{text}");
    assert!(text.contains("= orch.toml: stays"), "{text}");
    let after =
        files(&repo.path(""), &[&skip[..], &[".git/refs/remotes/up", ".git/logs/refs/remotes/up"]].concat());
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (name, value) in &before {
        assert_eq!(after.get(name), Some(value), "{name}");
    }
    assert!(repo.try_rev(STATE_REF).is_some());

    let state = repo.rev(STATE_REF);
    let report = setup::uninstall(&context(&repo), StateRefs::BundleAndDelete).expect("works");
    assert_eq!(repo.git(&["for-each-ref", "refs/orch"]).success().stdout, "");
    let bundle = fs::list(&repo.path(".git"))
        .unwrap()
        .into_iter()
        .find(|p| p.extension().is_some_and(|e| e == "bundle"));
    let bundle = bundle.expect("a bundle").display().to_string();
    assert!(report.next[0].contains("refs/orch/*"), "{:?}", report.next);
    repo.git(&["fetch", "--quiet", &bundle, "refs/orch/*:refs/orch/*"]).success();
    assert_eq!(repo.rev(STATE_REF), state);
    let report = setup::uninstall(&context(&repo), StateRefs::Keep).expect("works");
    assert!(!report.changes());
}

#[test]
fn what_uninstall_prints_brings_the_state_back() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    repo.orch(&["init"]).success();
    let state = repo.rev(STATE_REF);
    let done = repo.orch(&["uninstall", "--state"]).success();
    assert_eq!(repo.try_rev(STATE_REF), None);
    let line = done.lines().into_iter().find(|line| line.contains("git fetch")).expect("a command to type");
    repo.sh(&line).success();
    assert_eq!(repo.rev(STATE_REF), state);
    assert!(repo.orch(&["init"]).success().stdout.contains("state"));
}

#[test]
fn what_is_not_installed_is_said_and_looking_installs_nothing() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    repo.orch(&["init"]).success();
    repo.orch(&["add", "work"]).success();
    repo.orch(&["uninstall"]).success();
    let shown = repo.orch(&["status"]).success();
    assert!(shown.stdout.contains("hooks  not installed: git orch init\n"), "{}", shown.stdout);
    let shown = repo.orch(&["status", "--json"]).success().json();
    assert_eq!(shown["hooks"]["state"], "not_installed");
    for look in [&["list"][..], &["next", "--peek"], &["log"], &["worktree", "list"]] {
        repo.orch(look).success();
    }
    assert!(!repo.has(".git/orch"));
}

#[test]
fn between_uninstall_and_init_trunk_is_nobody_s() {
    // Once with a task's worktree in the way, for which the local files stay.
    for begun in [false, true] {
        let project = crate::project::Project::new();
        let repo = &project.repo;
        if begun {
            project.task(&[]).repo.write("unsaved", "x");
        }
        repo.orch(&["uninstall"]).success();
        assert_eq!(repo.has(".git/orch"), begun);
        repo.orch(&["status"]).success();
        repo.git(&["commit", "--quiet", "--allow-empty", "-m", "by hand"]).success();
        for look in ["status", "init", "status", "doctor"] {
            let shown = repo.orch(&[look]).success().to_string();
            assert!(!shown.contains("TAMPERED"), "{look}: {shown}");
        }
        assert_ne!(repo.git(&["commit", "--allow-empty", "-m", "guarded"]).any().status(), 0);
    }
}

#[test]
fn init_says_what_to_do_about_a_tampered_trunk() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    repo.orch(&["init"]).success();
    repo.commit("past the hooks", &[]);
    let done = repo.orch(&["init", "-q"]).success();
    assert!(done.stderr.contains("TAMPERED"), "{}", done.stderr);
    assert!(done.stdout.contains("git orch doctor --fix"), "{}", done.stdout);
    repo.orch(&["doctor", "--fix"]).success();
    assert!(!repo.orch(&["init"]).success().to_string().contains("TAMPERED"));
}

#[test]
fn a_shared_trunk_without_a_gate_says_so_and_how_it_gets_one() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    // The commit of `init` is made before there is a remote, which then gets what was before.
    repo.orch(&["init"]).success();
    let hub = env.remote("hub");
    repo.git(&["remote", "add", "hub", &hub.url()]).success();
    repo.git(&["push", "--quiet", "--no-verify", "hub", "main~1:refs/heads/main"]).success();
    let ways = ["git orch approve main --reason \"the first gate\"", "git orch push hub main"];
    let id = repo.orch(&["add", "work"]).success().line();
    let told = |done: &str| {
        assert!(done.contains("there is no orch.toml on hub/main"), "{done}");
        assert!(ways.iter().all(|way| done.contains(way)), "{done}");
    };
    let shown = repo.orch(&["status"]).success().stdout;
    told(&shown);
    assert!(shown.contains("main (remote hub), no gate\n"), "{shown}");
    told(&repo.orch(&["next"]).success().stderr);
    let work = env.at(format!("r é.orch/{id}"));
    let text = work.read("src/lib.rs") + "// work\n";
    work.commit("work", &[("src/lib.rs", &text)]);
    told(&work.orch(&["ralph"]).code(3).to_string());
    told(&work.orch(&["merge"]).code(3).stderr);
    told(&repo.orch(&["run", "--agent", "true"]).code(3).stderr);
    let again = repo.orch(&["init"]).success().stdout;
    assert!(ways.iter().all(|way| again.contains(way)), "{again}");
    assert!(repo.orch(&["ralph", "steps"]).success().stdout.contains("there is no orch.toml on hub/main"));
    // The way is one.
    for way in ways {
        repo.sh(way).success();
    }
    let shown = repo.orch(&["status"]).success().stdout;
    assert!(shown.contains("main (remote hub), PASS\n") && !shown.contains("orch.toml"), "{shown}");
}

#[test]
fn quiet_is_quiet_and_says_what_is_wrong() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    for args in [&["init", "-q"][..], &["worktree", "prune", "-q"], &["doctor", "-q"]] {
        let done = repo.orch(args).success();
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""), "{args:?}");
    }
    repo.write(".git/hooks/pre-push", "#!/bin/sh\n");
    let done = repo.orch(&["doctor", "-q"]).code(1);
    assert!(done.stdout.contains("pre-push") && !done.stdout.contains("no problem"), "{}", done.stdout);
}

#[test]
fn quiet_keeps_what_has_to_be_known() {
    let project = crate::project::Project::new();
    let repo = &project.repo;
    let task = project.task(&[]);
    task.commits("src/a", "x\n");
    repo.orch(&["merge", &task.id, "--no-push"]).success();
    let other = project.task(&[]);
    other.repo.write("unsaved", "x");
    repo.orch(&["close", &other.id, "--reason", "x"]).success();
    let place = other.repo.path("").display().to_string();
    let place = place.trim_end_matches('/');
    let pruned = repo.orch(&["worktree", "prune", "-q"]).success();
    assert!(pruned.stderr.contains(&format!("warning: kept {place}: ")), "{}", pruned.stderr);
    assert_eq!(pruned.stdout, "");
    let planned = repo.orch(&["worktree", "prune", "-q", "--dry-run"]).success();
    assert!(planned.stdout.contains(&format!("kept {place}")), "{}", planned.stdout);
    let removed = repo.orch(&["uninstall", "--state", "-q"]).success();
    assert!(removed.stderr.contains(&format!("{place} stays: ")), "{}", removed.stderr);
    let fetch = removed.lines().into_iter().find(|line| line.contains("git fetch")).expect("the bundle");
    repo.sh(&fetch).success();
}

#[test]
fn quiet_keeps_the_commands_that_have_to_be_typed() {
    let env = TestEnv::new();
    let repo = env.repo("repo");
    repo.connect(&env.remote("hub"));
    let planned = repo.orch(&["init", "-q", "--dry-run"]).success();
    assert!(planned.stdout.contains("make refs/orch/state"), "{}", planned.stdout);
    let done = repo.orch(&["init", "-q"]).success();
    assert!(done.stdout.contains("git orch approve orch-setup"), "{}", done.stdout);
    assert!(!done.stdout.contains("hooks"), "{}", done.stdout);
}

#[test]
fn a_missing_dispatcher_is_named_before_anything_is_changed() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    let before = files(&repo.path(""), &[]);
    let away =
        Programs { main: env.root().join("bin/git-orch"), dispatcher: env.root().join("bin/git-orch-hook") };
    let (because, rule, fact, _) = refused(setup::init_with(&context(&repo), &InitOptions::default(), &away));
    assert_eq!((because, rule), (Because::Environment, "hooks.dispatcher"));
    assert!(fact.contains("bin/git-orch-hook"), "{fact}");
    assert_eq!(files(&repo.path(""), &[]), before);
}

#[test]
fn a_tracked_hooks_directory_is_never_written() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    repo.commit("hooks", &[(".githooks/pre-commit", "#!/bin/sh\n")]);
    repo.git(&["config", "core.hooksPath", ".githooks"]).success();
    let report = init(&repo);
    assert!(shown(&repo, &report).contains("! hooks: hooks NOT ENFORCED"), "{}", shown(&repo, &report));
    assert_eq!(fs::list(&repo.path(".githooks")).unwrap().len(), 1);
    assert_eq!(repo.git(&["config", "core.hooksPath"]).success().line(), ".githooks");
    setup::uninstall(&context(&repo), StateRefs::Keep).expect("works");
}

#[test]
fn an_agent_may_neither_set_up_nor_take_out() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    let agent = git_orch::sys::env::Env::from_pairs(
        env.vars()
            .iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .chain([("ORCH_SESSION".into(), "7k3fabcd".into())]),
    );
    let cx = Ctx::open(&agent, &repo.path(""), Interrupts::default()).expect("a repository");
    assert_eq!(refused(setup::init_with(&cx, &InitOptions::default(), &programs())).1, "person.only");
    init(&repo);
    assert_eq!(refused(setup::uninstall(&cx, StateRefs::Keep)).1, "person.only");
}

/// Takes the right to write from everybody, or gives it back to the owner.
fn set_writable(dir: &Path, writable: bool) {
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        let mode = if writable { 0o755 } else { 0o555 };
        std::fs::set_permissions(&at, std::fs::Permissions::from_mode(mode)).expect("ours");
        todo.extend(fs::list(&at).expect("readable").into_iter().filter(|p| p.is_dir() && !p.is_symlink()));
    }
}

#[test]
fn a_read_only_repository_is_refused_before_anything_is_tried() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    for program in [ORCH, HOOK] {
        let name = Path::new(program).file_name().expect("a program");
        fs::create_dir_all(&env.root().join("bin")).expect("ours");
        fs::copy(Path::new(program), &env.root().join("bin").join(name)).expect("ours");
    }
    std::fs::set_permissions(env.root(), std::fs::Permissions::from_mode(0o755)).expect("ours");
    // git refuses what belongs to others, and so do we, unless the user trusts it.
    repo.git(&["config", "--global", "--add", "safe.directory", "*"]).success();
    set_writable(&repo.path(""), false);
    let program = env.root().join("bin/git-orch").display().to_string();
    // The superuser may write anywhere: then somebody else types it.
    let mut line = vec![program.as_str(), "init"];
    if rustix::process::geteuid().is_root() {
        line.splice(0..0, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    }
    let outcome = repo.cmd(line[0]).args(&line[1..]).run();
    let plan = repo.cmd(line[0]).args(&[&line[1..], &["--dry-run"]].concat()).run();
    set_writable(&repo.path(""), true);
    assert_eq!(outcome.status(), 8, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("can't be written"), "{}", outcome.stderr);
    assert_eq!(plan.status(), 0, "{}", plan.stderr);
    assert!(!repo.has(".git/orch"));
}

#[test]
fn init_by_its_command() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    repo.orch(&["init", "--dry-run"]).success();
    assert!(!repo.has(".git/orch"));
    repo.orch(&["init"]).success();
    let refused = repo.git(&["commit", "--allow-empty", "--no-verify", "-m", "direct"]);
    assert_ne!(refused.status(), 0);
    assert!(refused.stderr.contains("branch.trunk"), "{}", refused.stderr);
    repo.orch(&["uninstall"]).success();
    repo.git(&["commit", "--quiet", "--allow-empty", "-m", "direct"]).success();
    let outside = env.orch(&["init"]);
    assert_eq!(outside.status(), 8, "{}", outside.stderr);
}

#[test]
fn a_git_directory_that_is_elsewhere() {
    let env = TestEnv::new();
    env.git(&["init", "--quiet", "--separate-git-dir", "store", "apart"]).success();
    let apart = env.at("apart");
    apart.commit("first", &[("a", "1\n")]);
    let (sub, top) = (cargo(&env), env.repo("top"));
    let url = sub.path("").display().to_string();
    top.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "sub"]).success();
    let submodule = env.at("top/sub");
    submodule.git(&["remote", "remove", "origin"]).success();
    for (repo, root) in [(&apart, "apart.orch"), (&submodule, "top/sub.orch")] {
        init(repo);
        assert!(repo.has("orch.toml"));
        assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "");
        repo.orch(&["add", "a task"]).success();
        repo.orch(&["next"]).success();
        assert_eq!(fs::list(&env.root().join(root)).expect("worktrees are beside it").len(), 1);
        assert!(!init(repo).changes());
    }
}

#[test]
fn hooks_of_husky_keep_running_in_every_worktree_and_go_back() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    repo.commit("husky", &[(".husky/pre-commit", "true\n")]);
    for (file, text) in
        [(".husky/_/.gitignore", "*\n"), (".husky/_/pre-commit", "#!/bin/sh\necho husky >&2\n")]
    {
        repo.write(file, text);
    }
    let shim = repo.path(".husky/_/pre-commit");
    std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).expect("ours");
    repo.git(&["config", "core.hooksPath", ".husky/_"]).success();
    repo.git(&["worktree", "add", "--quiet", "-b", "topic", "../topic"]).success();
    let topic = env.at("topic");
    let before = (files(&repo.path(".husky"), &[]), files(&topic.path(".husky"), &[]));

    let report = init(&repo);
    assert!(shown(&repo, &report).contains("husky owns hooks here"), "{}", shown(&repo, &report));
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "");
    assert_eq!(topic.git(&["status", "--porcelain"]).success().stdout, "", "what was made there is hidden");
    assert!(!init(&topic).changes(), "both worktrees are set up");
    repo.git(&["switch", "--quiet", "-c", "other"]).success();
    let commit = repo.git(&["commit", "--allow-empty", "-m", "x"]).success();
    assert!(commit.stderr.contains("husky"), "{}", commit.stderr);
    for from in [&repo, &topic] {
        let tree = from.git(&["commit-tree", "-p", "main", "-m", "x", "main^{tree}"]).success().line();
        assert_ne!(from.git(&["update-ref", "refs/heads/main", &tree]).status(), 0, "guarded");
    }

    setup::uninstall(&context(&repo), StateRefs::Keep).expect("works");
    assert_eq!((files(&repo.path(".husky"), &[]), files(&topic.path(".husky"), &[])), before);
    assert_eq!(repo.git(&["config", "core.hooksPath"]).success().line(), ".husky/_");
}

#[test]
fn an_init_that_was_killed_is_carried_on() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    init(&repo);
    // As it is between the move of trunk and the checkout: the mark is there, the file is not.
    repo.write(".git/orch/placing", &format!("{}\n", repo.rev("main")));
    repo.git(&["rm", "--quiet", "--cached", "orch.toml"]).success();
    fs::remove_file(&repo.path("orch.toml")).expect("ours");
    for hook in ["pre-commit", "reference-transaction"] {
        fs::remove_file(&repo.path(".git/hooks").join(hook)).expect("ours");
    }
    assert!(init(&repo).changes());
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "");
    assert!(!init(&repo).changes());
    // A person's own deletion is left alone.
    repo.git(&["rm", "--quiet", "orch.toml"]).success();
    init(&repo);
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "D  orch.toml\n");
}

#[test]
fn a_new_worktree_with_a_hooks_directory_of_its_own_is_guarded() {
    let env = TestEnv::new();
    let repo = env.repo("mine");
    // As husky leaves it: relative, made by a package manager in each checkout, and ignored.
    repo.git(&["config", "core.hooksPath", ".husky/_"]).success();
    repo.sh("mkdir -p .husky/_ && echo '*' > .husky/_/.gitignore").success();
    repo.orch(&["init"]).success();
    repo.orch(&["add", "Guarded"]).success();
    let path = repo.orch(&["next", "--json"]).success().json()["path"].as_str().unwrap().to_owned();
    let task = env.at(&path);
    assert!(task.has(".husky/_/pre-commit"), "hooks are where git looks for them");
    task.git(&["switch", "--quiet", "--create", "elsewhere"]).success();
    let refused = task.git(&["commit", "--quiet", "--allow-empty", "-m", "x"]).code(1);
    assert!(refused.to_string().contains("branch.task"), "{refused}");
}

#[test]
fn hooks_under_version_control_do_not_keep_init_from_running_again() {
    let env = TestEnv::new();
    let repo = env.repo("r");
    repo.commit("husky", &[(".husky/pre-commit", "#!/bin/sh\n")]);
    repo.git(&["config", "core.hooksPath", ".husky"]).success();
    repo.orch(&["init"]).success();
    repo.orch(&["uninstall"]).success();
    assert!(!repo.has(".git/orch"));
    repo.orch(&["init"]).success();
    assert_eq!(repo.read(".git/orch/attested").trim(), repo.rev("main"));
}

#[test]
fn a_hub_is_not_to_be_set_up() {
    let env = TestEnv::new();
    cargo(&env);
    env.git(&["clone", "--quiet", "--bare", "r é", "hub.git"]).success();
    let hub = env.at("hub.git");
    hub.git(&["remote", "remove", "origin"]).success();
    let done = hub.orch(&["init"]).success();
    assert!(done.stdout.contains("set up the clones, not the hub"), "{done}");
    assert!(done.stdout.ends_with("\nNext:\n  git orch uninstall\n"), "{done}");
    // As it says; and the way out works.
    env.git(&["clone", "--quiet", "hub.git", "clone"]).success();
    let clone = env.at("clone");
    clone.commit("more", &[("more", "x\n")]);
    assert_ne!(clone.git(&["push", "--quiet", "origin", "main"]).status(), 0);
    hub.orch(&["uninstall", "--state"]).success();
    clone.git(&["push", "--quiet", "origin", "main"]).success();
}
