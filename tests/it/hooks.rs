//! The dispatcher and its installation under real git: chains, order, a main binary that is gone, managers,
//! repair, uninstall. The main binary is played by a script that writes down how it was called.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use git_orch::hook::install::{self, Dispatcher, Installed, Refreshed};
use git_orch::hook::place::orch_dir;
use git_orch::hook::settings::Settings;
use git_orch::sys;
use git_orch::sys::fs::Durability;

use crate::env::{HOOK, TestEnv, TestRepo};
use crate::guard::{input, install, settings};

/// Writes an executable script.
fn script(path: &Path, text: &str) {
    sys::fs::create_dir_all(path.parent().expect("it has a directory")).expect("writable");
    let text = format!("#!/bin/sh\n{text}\n");
    sys::fs::write_atomic(path, text.as_bytes(), 0o755, Durability::None).expect("writable");
}

/// A repository on branch `work` with hooks installed by `prepare` before ours.
struct Bench {
    env: TestEnv,
    repo: TestRepo,
}

impl Bench {
    fn new(prepare: impl FnOnce(&Self)) -> Self {
        let env = TestEnv::new();
        let repo = env.repo("r");
        repo.git(&["switch", "--quiet", "-c", "work"]).success();
        let bench = Self { env, repo };
        script(&bench.main(), &format!("echo \"main $*\" >> '{}'; cat >> '{0}'", bench.log().display()));
        prepare(&bench);
        install(&bench.repo, settings(&bench.main()));
        bench
    }

    /// The script that plays the main binary.
    fn main(&self) -> PathBuf {
        self.env.root().join("main")
    }

    fn log(&self) -> PathBuf {
        self.env.root().join("log")
    }

    /// A hook that writes down its name and arguments, then what `more` says.
    fn older(&self, hook: &str, more: &str) {
        let text = format!("echo \"older {hook} $*\" >> '{}'; {more}", self.log().display());
        script(&self.repo.path(".git/hooks").join(hook), &text);
    }

    /// What was written down since the last look.
    fn seen(&self) -> Vec<String> {
        let text = sys::fs::read_optional(&self.log()).expect("readable").unwrap_or_default();
        sys::fs::remove_file_if_there(&self.log()).expect("writable");
        text.lines().map(str::to_owned).collect()
    }

    fn commit(&self) -> crate::run::Outcome {
        self.repo.git(&["commit", "--quiet", "--allow-empty", "-m", "x"])
    }

    fn orch(&self) -> PathBuf {
        orch_dir(&self.repo.path(".git"))
    }

    fn uninstall(&self) -> Vec<String> {
        let orch = self.orch();
        let installed = Installed::read(&orch).expect("readable");
        let files = install::inspect_installed(&installed).expect("readable");
        let plan = install::plan_removal(&orch, &installed, &files);
        install::execute(&plan).expect("writable");
        plan.notes
    }
}

#[test]
fn the_older_hook_runs_first_and_its_status_is_ours() {
    let bench = Bench::new(|b| b.older("pre-commit", "test ! -e ../stop || exit 3"));
    bench.commit().success();
    assert_eq!(
        bench.seen(),
        ["older pre-commit ", "main hook prepare-commit-msg .git/COMMIT_EDITMSG message"]
    );
    script(&bench.env.root().join("stop"), "");
    bench.commit().code(1);
    assert_eq!(bench.seen(), ["older pre-commit "]);
    bench.repo.cmd(bench.repo.path(".git/hooks/pre-commit")).run().code(3);
}

#[test]
fn the_main_binarys_status_is_ours() {
    let bench = Bench::new(|_| ());
    for status in [1, 4, 8, 70] {
        script(&bench.main(), &format!("echo said >&2; exit {status}"));
        let done = bench.repo.cmd(bench.repo.path(".git/hooks/pre-commit")).run().code(status);
        assert_eq!(done.stderr, "said\n");
        bench.commit().code(1);
        bench.repo.git(&["commit", "--quiet", "--no-verify", "--allow-empty", "-m", "x"]).code(1);
    }
}

#[test]
fn both_parts_of_a_push_read_the_same_lines() {
    let bench = Bench::new(|b| b.older("pre-push", &format!("cat >> '{}'", b.log().display())));
    bench.env.git(&["init", "--quiet", "--bare", "hub.git"]).success();
    bench.repo.git(&["remote", "add", "origin", "../hub.git"]).success();
    let push = ["push", "--quiet", "origin", "work"];
    bench.repo.git(&push).success();
    let id = bench.repo.rev("work");
    let line = format!("refs/heads/work {id} refs/heads/work {}", "0".repeat(40));
    let ours = "main hook pre-push origin ../hub.git";
    assert_eq!(bench.seen(), [ours, &line, "older pre-push origin ../hub.git", &line]);
    bench.repo.git(&push).success();
    assert_eq!(bench.seen(), [ours, "older pre-push origin ../hub.git"], "nothing to push");
    bench.repo.git(&["update-ref", "refs/heads/work", "work~0"]).success();
    script(&bench.main(), "exit 4");
    bench.repo.git(&["push", "--quiet", "origin", "work:other"]).code(1);
    assert_eq!(bench.seen(), Vec::<String>::new(), "what we refuse, the older hook does not see");
}

#[test]
fn an_older_reference_transaction_hook_sees_every_state() {
    let bench = Bench::new(|b| b.older("reference-transaction", &format!("cat >> '{}'", b.log().display())));
    bench.seen();
    bench.repo.git(&["update-ref", "refs/heads/new", "work"]).success();
    let id = bench.repo.rev("work");
    let line = format!("{} {id} refs/heads/new", "0".repeat(40));
    let seen = bench.seen();
    for state in ["prepared", "committed"] {
        let at = seen.iter().position(|l| *l == format!("older reference-transaction {state}"));
        assert_eq!(seen.get(at.expect(state) + 1), Some(&line), "{seen:?}");
    }
    bench.older("reference-transaction.orch-prev", "test $1 != prepared");
    bench.repo.git(&["update-ref", "refs/heads/newer", "work"]).code(128);
}

#[test]
fn scripts_without_an_interpreter_line_run_as_under_git() {
    let bench = Bench::new(|b| {
        let text = format!("echo bare >> '{}'\n", b.log().display());
        let path = b.repo.path(".git/hooks/pre-commit");
        sys::fs::create_dir_all(path.parent().expect("a directory")).expect("writable");
        sys::fs::write_atomic(&path, text.as_bytes(), 0o755, Durability::None).expect("writable");
        let off = b.repo.path(".git/hooks/prepare-commit-msg");
        sys::fs::write_atomic(&off, b"#!/bin/sh\nexit 1\n", 0o644, Durability::None).expect("writable");
    });
    bench.commit().success();
    let seen = bench.seen();
    assert_eq!(seen[0], "bare");
    assert_eq!(seen.len(), 2, "a hook that is not executable is none: {seen:?}");
}

#[test]
fn without_the_main_binary_what_it_would_check_is_refused() {
    let bench = Bench::new(|b| b.older("pre-commit", ""));
    sys::fs::remove_file(&bench.main()).expect("it is there");
    let done = bench.repo.cmd(bench.repo.path(".git/hooks/pre-commit")).run().code(4);
    for line in ["git config orch.hooks off", "cargo install", "pre-commit refuses"] {
        assert!(done.stderr.contains(line), "{}", done.stderr);
    }
    assert_eq!(bench.seen(), ["older pre-commit "]);
    bench.commit().code(1);
    bench.repo.git(&["update-ref", "refs/heads/free", "work"]).success();
    bench.repo.git(&["config", "orch.hooks", "off"]).success();
    bench.commit().success();
}

#[test]
fn switched_off_only_the_older_hook_runs() {
    let bench = Bench::new(|b| b.older("pre-commit", ""));
    let off = Settings { enabled: false, ..settings(&bench.main()) };
    off.write(&bench.orch()).expect("writable");
    bench.commit().success();
    assert_eq!(bench.seen(), ["older pre-commit "]);
    bench.repo.git(&["update-ref", "refs/heads/main", "work"]).success();
}

#[test]
fn without_settings_git_goes_on_with_one_warning_a_hook() {
    let bench = Bench::new(|b| b.older("pre-commit", ""));
    for spoil in ["rm .git/orch/hook.toml", "echo '= 1' > .git/orch/hook.toml"] {
        bench.repo.sh(spoil).success();
        let done = bench.commit().success();
        let warnings: Vec<&str> = done.stderr.lines().filter(|l| l.starts_with("git-orch:")).collect();
        assert_eq!(warnings.len(), 3, "pre-commit, prepare-commit-msg, and the guard: {}", done.stderr);
        assert!(done.stderr.contains("hook.toml"), "{}", done.stderr);
        assert_eq!(bench.seen(), ["older pre-commit "]);
        // There is no state that says what trunk is: the guard lets it through, and says so.
        let done = bench.repo.git(&["update-ref", "refs/heads/main", "work"]).success();
        assert!(done.stderr.contains("this hook guarded nothing: "), "{}", done.stderr);
        bench.repo.git(&["update-ref", "refs/heads/main", "work~1"]).success();
        assert_eq!(bench.repo.git(&["tag", "-f", "t"]).success().stderr, "");
    }
}

#[test]
fn a_nested_gits_hooks_are_runs_of_their_own() {
    let other = Bench::new(|_| ());
    let line = format!(
        "cd '{}' && unset GIT_INDEX_FILE GIT_DIR && git commit -q --allow-empty -m n",
        other.repo.path("").display()
    );
    let bench = Bench::new(|b| b.older("pre-commit", &line));
    bench.commit().success();
    assert_eq!(other.seen().len(), 1, "the nested commit");
    assert_eq!(bench.seen().len(), 2);
}

#[test]
fn a_manager_that_kept_us_does_not_run_us_twice() {
    let bench = Bench::new(|_| ());
    // What an installer of hooks does with a hook that it finds.
    bench.repo.sh("cd .git/hooks && mv pre-commit pre-commit.legacy").success();
    bench.older("pre-commit", "\"$0.legacy\" \"$@\"");
    bench.commit().success();
    // Not called by git itself, we can't tell that it will call the next hook.
    let once = [
        "older pre-commit ",
        "main hook pre-commit",
        "main hook prepare-commit-msg .git/COMMIT_EDITMSG message",
    ];
    assert_eq!(bench.seen(), once);
    // The change of the ref has put ours back in front; nothing is called twice.
    assert!(!bench.repo.has(".git/hooks/pre-commit.legacy"));
    bench.older("pre-commit.orch-prev", "\"${0%.orch-prev}\" \"$@\"");
    bench.commit().success();
    assert_eq!(bench.seen()[1..], once[2..]);
}

#[test]
fn what_overwrites_ours_is_chained_and_ours_put_back() {
    let bench = Bench::new(|b| b.older("pre-push", ""));
    let before = contents(&bench.repo.path(".git/hooks"));
    // In place, as an editor or `cp` would.
    bench
        .repo
        .sh("printf '#!/bin/sh\\nexit 0\\n' > .git/hooks/prepare-commit-msg && rm .git/hooks/pre-push")
        .success();
    bench.repo.git(&["update-ref", "refs/heads/new", "work"]).success();
    let after = contents(&bench.repo.path(".git/hooks"));
    for hook in ["pre-commit", "prepare-commit-msg", "pre-push", "reference-transaction"] {
        assert!(after[hook] == before[hook], "{hook}");
    }
    assert_eq!(after["prepare-commit-msg.orch-prev"].1, b"#!/bin/sh\nexit 0\n");
    assert_eq!(after["pre-push.orch-prev"], before["pre-push.orch-prev"]);
}

/// Name, mode and bytes (or target) of everything in a directory.
fn contents(dir: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let fact = |path: &Path| match path.read_link() {
        Ok(target) => (0, target.to_string_lossy().into_owned().into_bytes()),
        Err(_) => (
            path.metadata().expect("it is there").permissions().mode(),
            if path.is_dir() { Vec::new() } else { sys::fs::read(path).expect("readable") },
        ),
    };
    sys::fs::list(dir).expect("readable").iter().map(|path| (name(path), fact(path))).collect()
}

#[test]
fn uninstall_restores_every_byte() {
    let mut before = BTreeMap::new();
    let bench = Bench::new(|b| {
        b.older("pre-commit", "");
        b.older("post-commit", "");
        b.repo
            .sh("ln -s ../../README.md .git/hooks/pre-push; ln -s gone .git/hooks/prepare-commit-msg; \
            printf x > .git/hooks/reference-transaction; chmod 640 .git/hooks/reference-transaction")
            .success();
        before = contents(&b.repo.path(".git/hooks"));
    });
    assert_ne!(contents(&bench.repo.path(".git/hooks")), before);
    assert_eq!(bench.uninstall(), Vec::<String>::new());
    assert_eq!(contents(&bench.repo.path(".git/hooks")), before);
    assert!(!bench.repo.has(".git/orch/bin") && !bench.repo.has(".git/orch/hook.toml"));
    assert!(!bench.repo.has(".git/orch/installed.toml"));
}

#[test]
fn uninstall_removes_the_directory_it_made_and_keeps_what_is_not_ours() {
    let bench = Bench::new(|b| drop(b.repo.sh("rm -rf .git/hooks").success()));
    assert!(bench.repo.has(".git/hooks/pre-push"));
    bench.uninstall();
    assert!(!bench.repo.has(".git/hooks"));

    let bench = Bench::new(|b| b.older("pre-commit", ""));
    script(&bench.repo.path(".git/hooks/pre-commit"), "exit 0");
    let notes = bench.uninstall().join("\n");
    assert!(notes.contains("pre-commit: it is not ours"), "{notes}");
    assert_eq!(bench.repo.read(".git/hooks/pre-commit"), "#!/bin/sh\nexit 0\n");
    assert!(bench.repo.has(".git/hooks/pre-commit.orch-prev"));
}

#[test]
fn a_killed_installation_is_carried_on() {
    let bench = Bench::new(|b| b.older("pre-commit", ""));
    bench.uninstall();
    let input = input(&bench.repo, settings(&bench.main()));
    let plan = install::plan(&install::inspect(&input).expect("readable"));
    for stop in 0..plan.steps.len() {
        let part = install::Plan { steps: plan.steps[..stop].to_vec(), ..plan.clone() };
        install::execute(&part).expect("writable");
        if stop % 2 == 0 {
            let notes = bench.uninstall().join("\n");
            assert!(!notes.contains("orch-prev"), "stopped after {stop}: {notes}");
            assert!(bench.repo.read(".git/hooks/pre-commit").contains("older"), "stopped after {stop}");
            assert!(!bench.repo.has(".git/hooks/pre-commit.orch-prev"));
        }
        install(&bench.repo, settings(&bench.main()));
        bench.commit().success();
        assert_eq!(bench.seen().iter().filter(|l| l.starts_with("older")).count(), 1, "stopped after {stop}");
        bench.uninstall();
        assert!(
            bench.repo.read(".git/hooks/pre-commit").contains("older pre-commit"),
            "stopped after {stop}"
        );
        assert!(!bench.repo.has(".git/hooks/pre-commit.orch-prev"));
    }
}

#[test]
fn husky_keeps_its_hooks_and_ours_run_too() {
    let bench = Bench::new(|b| {
        // Shims that find the script to run by their own name, as husky's do.
        let runner = "n=$(basename \"$0\"); s=$(dirname \"$(dirname \"$0\")\")/$n; [ -f \"$s\" ] || exit 0; sh -e \"$s\" \"$@\"";
        script(&b.repo.path(".husky/_/h"), runner);
        script(&b.repo.path(".husky/_/.gitignore"), "*");
        for hook in ["pre-commit", "pre-push"] {
            script(&b.repo.path(".husky/_").join(hook), ". \"$(dirname \"$0\")/h\"");
        }
        script(&b.repo.path(".husky/pre-commit"), &format!("echo husky >> '{}'", b.log().display()));
        b.repo.git(&["config", "core.hooksPath", ".husky/_"]).success();
    });
    bench.commit().success();
    assert_eq!(bench.seen(), ["husky", "main hook prepare-commit-msg .git/COMMIT_EDITMSG message"]);
    let plan =
        install::plan(&install::inspect(&input(&bench.repo, settings(&bench.main()))).expect("readable"));
    assert!(plan.notes.iter().any(|n| n.starts_with("husky owns hooks here")), "{:?}", plan.notes);
    // `npm install`: every shim is written again, in place.
    bench.repo.sh("for h in pre-commit pre-push; do printf '#!/usr/bin/env sh\\n. \"$(dirname \"$0\")/h\"' > .husky/_/$h; done").success();
    bench.repo.git(&["update-ref", "refs/heads/new", "work"]).success();
    bench.commit().success();
    assert_eq!(bench.seen().len(), 2);
    bench.repo.git(&["update-ref", "refs/heads/main", "work"]).code(128);
}

#[test]
fn a_hooks_path_that_a_new_worktree_lacks_is_made_and_hidden() {
    let bench = Bench::new(|b| {
        b.repo.git(&["config", "core.hooksPath", ".husky/_"]).success();
    });
    assert!(bench.repo.has(".husky/_/pre-commit"));
    assert_eq!(bench.repo.git(&["status", "--porcelain"]).success().stdout, "");
    bench.repo.git(&["worktree", "add", "--quiet", "../w", "-b", "w"]).success();
    let worktree = bench.env.at("w");
    install(&worktree, settings(&bench.main()));
    bench.seen();
    worktree.git(&["commit", "--quiet", "--allow-empty", "-m", "x"]).success();
    assert_eq!(bench.seen().len(), 1);
    bench.uninstall();
    assert!(!bench.repo.has(".husky") && !worktree.has(".husky"));
}

#[test]
fn a_tracked_directory_is_not_written() {
    let env = TestEnv::new();
    let repo = env.repo("r");
    repo.commit("hooks", &[("ci/hooks/pre-push", "#!/bin/sh\n")]);
    repo.git(&["config", "core.hooksPath", "ci/hooks"]).success();
    let plan = install(&repo, settings(Path::new("/nonexistent")));
    assert!(!plan.enforced && plan.notes[0].contains("NOT ENFORCED"), "{:?}", plan.notes);
    assert!(!repo.has(".git/orch/hook.toml") && !repo.has("ci/hooks/pre-commit"));
    // A link from the usual place to tracked files is the same thing.
    repo.git(&["config", "--unset", "core.hooksPath"]).success();
    repo.sh("rm -rf .git/hooks && ln -s ../ci/hooks .git/hooks").success();
    assert!(!install(&repo, settings(Path::new("/nonexistent"))).enforced);
    // So is a directory for all of a user's repositories.
    repo.git(&["config", "core.hooksPath", &env.home().join("hooks").to_string_lossy()]).success();
    assert!(!install(&repo, settings(Path::new("/nonexistent"))).enforced);
}

#[test]
fn another_build_refreshes_the_hooks_once() {
    let bench = Bench::new(|b| b.older("pre-commit", ""));
    let newer = bench.env.root().join("newer");
    let mut bytes = sys::fs::read(Path::new(HOOK)).expect("built");
    bytes.push(0);
    sys::fs::write_atomic(&newer, &bytes, 0o755, Durability::None).expect("writable");
    let wanted =
        Dispatcher { build: install::build_id(&newer), path: newer, main: "/elsewhere/git-orch".into() };
    let orch = bench.orch();
    assert_eq!(install::refresh_if_stale(&orch, &wanted).expect("writable"), Refreshed::Done);
    assert_eq!(install::refresh_if_stale(&orch, &wanted).expect("writable"), Refreshed::Current);
    assert!(sys::fs::read(&bench.repo.path(".git/hooks/pre-push")).expect("installed") == bytes);
    assert!(bench.repo.read(".git/hooks/pre-commit.orch-prev").contains("older"));
    assert_eq!(Settings::read(&orch).expect("valid").main, Path::new("/elsewhere/git-orch"));
    let gone = Dispatcher { path: "/nonexistent".into(), build: "x".into(), ..wanted };
    assert_eq!(install::refresh_if_stale(&orch, &gone).expect("readable"), Refreshed::NoDispatcher);
    let nothing = bench.env.root().join("nothing");
    assert_eq!(install::refresh_if_stale(&nothing, &gone).expect("readable"), Refreshed::NotInstalled);
}
