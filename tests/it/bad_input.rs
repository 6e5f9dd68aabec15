//! What is broken, missing or hostile: every command names it, does what it still can, and changes nothing else.

use std::os::unix::fs::PermissionsExt as _;

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::queue::{add, add_from, board, changes};
use crate::run::Cmd;

fn titles(repo: &TestRepo, args: &[&str]) -> Vec<String> {
    let shown = repo.orch(&[&["list", "--json"], args].concat()).success().json();
    let rows = shown.as_array().expect("an array");
    rows.iter().map(|row| row["title"].as_str().expect("a title").to_owned()).collect()
}

/// Puts `text` where the state has `path`, as somebody with plain git would.
fn damage(repo: &TestRepo, path: &str, text: &str) {
    repo.write(".git/damaged", text);
    let line = "export GIT_INDEX_FILE=.git/index-of-the-state; rm -f $GIT_INDEX_FILE
        git read-tree refs/orch/state
        git update-index --add --cacheinfo 100644,$(git hash-object -w .git/damaged),$0
        git -c core.hooksPath=/dev/null update-ref refs/orch/state $(git commit-tree $(git write-tree) -p refs/orch/state -m damage)";
    repo.cmd("sh").args(&["-ec", line, path]).run().success();
}

fn file_of(id: &str) -> String {
    format!("tasks/{}/{id}.toml", &id[..2])
}

#[test]
fn a_malformed_configuration_is_named_by_file_line_and_column() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    add(&repo, &["T"]);
    let text = "[ralph]\nsetpu = [\"true\"]\n\n[[ralph.step]]\nname = \"test\"\nrun = \"true\"\ntimeout = \"soon\"\n";
    repo.commit("break it", &[("orch.toml", text)]);
    insta::assert_snapshot!(repo.orch(&["ralph"]), @r"
    ---- stderr
    error: orch.toml on OID1 can't be used
    rule: config.invalid
      orch.toml at OID1:2:1: unknown key `setpu` in [ralph]; did you mean `setup`?
      orch.toml at OID1:7:11: `timeout`: `soon` is not a length of time (write `60s`, `10m`, `1h 30m` or `7d`, at most 3650d)
    next: correct it on a branch; everything but the gate works meanwhile
    [exit: 8]
    ");
    insta::assert_snapshot!(repo.orch(&["ralph", "--json"]), @r#"
    {"error":{"code":8,"rule":"config.invalid","fact":"orch.toml on OID1 can't be used: orch.toml at OID1:2:1: unknown key `setpu` in [ralph]; did you mean `setup`?; orch.toml at OID1:7:11: `timeout`: `soon` is not a length of time (write `60s`, `10m`, `1h 30m` or `7d`, at most 3650d)","next":["correct it on a branch; everything but the gate works meanwhile"]}}
    [exit: 8]
    "#);
    repo.commit("break it more", &[("orch.toml", "[ralph\n")]);
    insta::assert_snapshot!(repo.orch(&["ralph"]), @r"
    ---- stderr
    error: orch.toml on OID2 can't be used
    rule: config.invalid
      orch.toml at OID2:1:7: unclosed table, expected `]`
    next: correct it on a branch; everything but the gate works meanwhile
    [exit: 8]
    ");
    assert_eq!(titles(&repo, &[]), ["T"], "the queue needs no gate");
    repo.orch(&["next"]).success();
    // What is in the working tree is not read.
    repo.commit("mend it", &[("orch.toml", "")]);
    repo.write("orch.toml", "[ralph\n");
    repo.orch(&["ralph"]).code(3);
}

#[test]
fn a_wrong_key_or_value_of_git_s_configuration_is_named() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    repo.git(&["config", "orch.worktreez", "x"]).success();
    insta::assert_snapshot!(repo.orch(&["list"]), @r"
    ---- stderr
    warning: git config orch.worktreez: unknown key, ignored; did you mean `orch.worktrees`?
    There are no unfinished tasks.
    hint: `git orch add TITLE`, or `git orch list --all`
    [exit: 0]
    ");
    repo.git(&["config", "orch.durability", "maybe"]).success();
    insta::assert_snapshot!(repo.orch(&["list"]), @r"
    ---- stderr
    error: git's configuration can't be used
    rule: config.local
      git config orch.durability: `maybe` is not `commit` or `none`
    next: git config --unset orch.durability
    [exit: 8]
    ");
    repo.git(&["config", "--unset", "orch.durability"]).success();
    repo.sh("printf '[broken\\n' >> .git/config").success();
    let broken = repo.orch(&["list"]).code(8);
    assert!(broken.stderr.contains("config"), "{}", broken.stderr);
}

#[test]
fn where_there_is_no_repository_or_no_state() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.orch(&["list"]), @r"
    ---- stderr
    error: no git repository at $ROOT/ or above it
    rule: git.repository
    next: cd to a repository, or git init
    [exit: 8]
    ");
    insta::assert_snapshot!(env.orch(&["next", "--json"]), @r#"
    {"error":{"code":8,"rule":"git.repository","fact":"no git repository at $ROOT/ or above it","next":["cd to a repository, or git init"]}}
    [exit: 8]
    "#);
    insta::assert_snapshot!(env.cmd(ORCH).args(&["list"]).var("GIT_DIR", "/no/such.git").run(), @r"
    ---- stderr
    error: no git repository at /no/such.git or above it
    rule: git.repository
    next: cd to a repository, or git init
    [exit: 8]
    ");
    insta::assert_snapshot!(env.orch(&["-C", "absent", "list"]), @r"
    ---- stderr
    error: $ROOT/absent is not a directory
    [exit: 2]
    ");
    let repo = env.repo("r");
    let lines: [&[&str]; 12] = [
        &["add", "x"],
        &["list"],
        &["show", "7k3f"],
        &["edit", "7k3f", "--title", "x"],
        &["dep", "tree", "7k3f"],
        &["next"],
        &["next", "--peek"],
        &["start", "7k3f"],
        &["start", "--here"],
        &["release", "7k3f"],
        &["worktree", "list"],
        &["merge", "7k3f"],
    ];
    for line in lines {
        let refused = repo.orch(line).code(8);
        assert!(refused.stderr.contains("next: git orch init"), "{line:?}: {}", refused.stderr);
    }
    assert!(!repo.has(".git/orch"), "what is refused leaves nothing behind");
}

#[test]
fn a_repository_without_a_commit_takes_tasks_and_hands_none_out() {
    let env = TestEnv::new();
    let repo = env.unborn("r");
    repo.orch(&["init"]).success();
    let id = add(&repo, &["Early"]);
    insta::assert_snapshot!(repo.orch(&["next"]), @r"
    ---- stderr
    error: main has no commit yet, so no branch can be cut from it
    rule: trunk.unborn
    next: make the first commit on main
    [exit: 8]
    ");
    repo.orch(&["start", &id]).code(8);
    repo.orch(&["start", "--here"]).code(8);
    repo.orch(&["next", "--peek"]).success();
    repo.orch(&["worktree", "list"]).success();
    repo.orch(&["worktree", "prune"]).success();
    assert_eq!(titles(&repo, &[]), ["Early"]);
    repo.write("README.md", "x\n");
    repo.git(&["add", "."]).success();
    repo.git(&["commit", "--quiet", "-m", "first"]).success();
    repo.orch(&["next"]).success();
}

#[test]
fn a_detached_head_and_a_subdirectory_are_places_to_work_from() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    repo.write("a/b/c", "x");
    repo.git(&["checkout", "--quiet", "--detach"]).success();
    let deep = env.at("r/a/b");
    let id = add(&deep, &["From below"]);
    let taken = deep.orch(&["next", "--json"]).success().json();
    assert_eq!(taken["path"], env.root().join("r.orch").join(&id).to_string_lossy().as_ref());
    insta::assert_snapshot!(repo.orch(&["merge"]), @r"
    ---- stderr
    error: this checkout is no task's
    rule: merge.target
    next: git orch merge TASK   (an id or a branch)
          git orch list --mine
    [exit: 2]
    ");
}

#[test]
fn a_damaged_task_is_named_left_out_by_readers_and_refused_by_writers() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let ids = add_from(&repo, "- [ ] Bad\n- [ ] Good\n- [ ] Later (needs: x, id: y)\n- [ ] X (id: x)\n");
    let (bad, good) = (&ids[0], &ids[1]);
    repo.orch(&["list"]).success();
    damage(&repo, &file_of(bad), "not = toml = at all\n");
    insta::assert_snapshot!(repo.orch(&["list"]), @r"
    ID        PRI  KIND  STATE    TITLE
    ID1  P2   bug   ready    Good
    ID2  P2   bug   waiting  Later
    ID3  P2   bug   ready    X
    ---- stderr
    warning: task ID4 is left out, its file in the state is damaged: unexpected key or value, expected newline, `#`
    hint: git orch doctor --fix
    [exit: 0]
    ");
    assert_eq!(titles(&repo, &["--ready"]), ["Good", "X"]);
    let shown = repo.orch(&["show", bad]).code(8);
    assert!(shown.stderr.starts_with(&format!("error: {} in the state is damaged: ", file_of(bad))));
    insta::assert_snapshot!(repo.orch(&["next", "--peek"]), @r"
    Good
    bug ID1 - P2 - ready

    added    TIME UTC (DURATION ago)
    ---- stderr
    hint: `git orch next` takes it
    [exit: 0]
    ");
    let before = changes(&repo);
    let writers: [&[&str]; 7] = [
        &["edit", bad, "--title", "x"],
        &["start", bad],
        &["block", bad, "-m", "x"],
        &["close", bad, "-m", "x"],
        &["reopen", bad],
        &["dep", "add", good, bad],
        &["dep", "rm", bad, good],
    ];
    for line in writers {
        let refused = repo.orch(line).code(8);
        assert!(refused.stderr.contains(&file_of(bad)), "{line:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("rule: state.damaged"), "{line:?}: {}", refused.stderr);
    }
    assert_eq!(changes(&repo), before);
    // Everything else goes on, also when the index has to be made anew.
    repo.sh("rm .git/orch/index-*.db*").success();
    let again = repo.orch(&["list"]).success();
    assert!(again.stderr.contains(&format!("task {bad} is left out")), "{}", again.stderr);
    assert_eq!(repo.orch(&["next", "--json"]).success().json()["title"], "Good");
}

#[test]
fn every_way_to_be_damaged_is_noticed_and_mended_by_the_right_file() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let ids = add_from(&repo, "- [ ] Bad\n- [ ] Good\n- [ ] X\n");
    let (bad, good) = (&ids[0], &ids[1]);
    repo.orch(&["close", bad, "-m", "x"]).success();
    repo.orch(&["start", good, "--no-worktree"]).success();
    let text = repo.git(&["show", &format!("refs/orch/state:{}", file_of(good))]).success().stdout.clone();
    let broken = [
        text.replace("status = \"claimed\"", "status = \"stolen\""),
        text.replace(good.as_str(), bad),
        text.replace("title = \"Good\"", "title = 7"),
        "\u{0}\u{1}\u{2}".to_owned(),
        "x".repeat(70_000),
        String::new(),
    ];
    for text in &broken {
        damage(&repo, &file_of(good), text);
        let shown = repo.orch(&["show", good]).code(8);
        assert!(shown.stderr.contains(&file_of(good)), "{}", shown.stderr);
        assert_eq!(titles(&repo, &["--ready"]), ["X"]);
    }
    damage(&repo, &file_of(good), &text);
    assert_eq!(titles(&repo, &["--mine"]), ["Good"], "what is mended is there again");
    // Neither names that are none nor files in odd places stop anything.
    damage(&repo, "tasks/zz/README", "hello");
    damage(&repo, "tasks/stray.toml", "hello");
    damage(&repo, "surprise/file", "hello");
    assert_eq!(titles(&repo, &["--ready"]), ["X"]);
}

#[test]
fn a_damaged_or_newer_state_is_refused_by_name() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    add(&repo, &["T"]);
    let meta = repo.git(&["show", "refs/orch/state:meta.toml"]).success().stdout.clone();
    damage(&repo, "meta.toml", &meta.replace("min_reader = 1", "min_reader = 99"));
    insta::assert_snapshot!(repo.orch(&["next"]), @r"
    ---- stderr
    error: the state wants a program that knows format 99; this one knows up to 1
    rule: state.newer
    next: install a newer git-orch
    [exit: 8]
    ");
    damage(&repo, "meta.toml", &meta.replace("min_writer = 1", "min_writer = 99"));
    insta::assert_snapshot!(repo.orch(&["add", "x"]), @r"
    ---- stderr
    error: the state wants a program that knows format 99; this one knows up to 1
    rule: state.newer
    next: install a newer git-orch
    [exit: 8]
    ");
    repo.orch(&["list"]).success();
    damage(&repo, "meta.toml", "nonsense");
    insta::assert_snapshot!(repo.orch(&["next"]), @r"
    ---- stderr
    error: meta.toml in the state is damaged: key with no value, expected `=`
    rule: state.damaged
    next: git orch doctor
    [exit: 8]
    ");
    damage(&repo, "meta.toml", &meta);
    damage(&repo, "control.toml", "mode = \"PARTY\"\n");
    repo.orch(&["add", "x"]).code(8);
    // A ref that leads nowhere, or to a tree.
    repo.git(&["update-ref", "refs/orch/state", "HEAD^{tree}"]).any();
    repo.write(".git/refs/orch/state", &format!("{}\n", "1".repeat(40)));
    let gone = repo.orch(&["list"]).code(8);
    assert!(gone.stderr.contains(&"1".repeat(40)), "{}", gone.stderr);
    repo.write(".git/refs/orch/state", "nonsense\n");
    let nonsense = repo.orch(&["list"]).code(8);
    assert!(nonsense.stderr.contains("refs/orch/state"), "{}", nonsense.stderr);
}

#[test]
fn a_stale_lock_of_a_killed_process_is_cleared_or_named() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    repo.write(".git/refs/orch/state.lock", "process 4194304\n");
    add(&repo, &["Ours is taken away"]);
    assert!(!repo.has(".git/refs/orch/state.lock"));
    repo.write(".git/refs/orch/state.lock", "");
    insta::assert_snapshot!(repo.orch(&["add", "git's is named"]), @r"
    ---- stderr
    error: $ROOT/r/.git/refs/orch/state.lock is in the way: a git process holds it, or one was killed
    rule: git.lock
    next: wait until git is done; if no git is at work here, the file was left by a killed one and can go
    [exit: 8]
    ");
    assert_eq!(titles(&repo, &[]).len(), 1, "readers don't mind");
    repo.sh("rm .git/refs/orch/state.lock").success();
    // Kernel locks end with their process, whatever is in the file.
    for lock in ["write.lock", "flush.lock", "worktree.lock", "index.lock", "queue.lock", "fetch.lock"] {
        repo.write(&format!(".git/orch/{lock}"), "process 1\n");
    }
    repo.write(".git/index.lock", "");
    repo.orch(&["next"]).success();
}

#[test]
fn damaged_local_files_are_no_trouble() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["T"]);
    repo.orch(&["next"]).success();
    repo.write(".git/orch/session", "");
    let refused = repo.orch(&["release", &id]).any();
    assert_ne!(refused.status(), 70, "{}", refused.stderr);
    repo.write(".git/orch/fetched", "yesterday");
    repo.write(&format!(".git/orch/leases/{id}"), "many\n");
    repo.orch(&["list"]).success();
    repo.orch(&["worktree", "list"]).success();
    repo.orch(&["add", "another"]).success();
}

#[test]
fn the_index_makes_no_difference_whatever_is_wrong_with_it() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    add_from(&repo, "- [ ] One (P1)\n- [ ] Two (needs: one)\n- [ ] Three (id: one)\n");
    let expected = repo.orch(&["list"]).success().stdout.clone();
    let peeked = repo.orch(&["next", "--peek", "--json"]).success().stdout.clone();
    let db = repo.sh("ls .git/orch/index-*.db").success().line();
    let breaks = [
        format!("rm -f {db}*"),
        format!("head -c 5000 /dev/urandom > {db}; rm -f {db}-*"),
        format!(": > {db}; rm -f {db}-*"),
        format!("printf 'SQLite format 3' > {db}; rm -f {db}-*"),
        format!("head -c 9000 {db} > x && mv x {db}; rm -f {db}-*"),
        format!("head -c 3000 /dev/urandom > {db}-wal"),
        format!("rm -f {db}*; mkdir {db}"),
        format!("rm -rf {db}*; ln -s /nonexistent {db}"),
        format!("rm -f {db}*; chmod a-w .git/orch"),
        "chmod u+w .git/orch; rm -f .git/orch/index.lock; mkdir .git/orch/index.lock".to_owned(),
    ];
    for line in breaks {
        repo.sh(&line).success();
        assert_eq!(repo.orch(&["list"]).success().stdout, expected, "after `{line}`");
        assert_eq!(repo.orch(&["next", "--peek", "--json"]).success().stdout, peeked, "after `{line}`");
        let found = titles(&repo, &["--search", "three"]);
        assert_eq!(found, ["Three"], "after `{line}`");
    }
    repo.sh("rmdir .git/orch/index.lock").success();
    assert_eq!(repo.orch(&["next", "--no-worktree", "--json"]).success().json()["title"], "One");
    // Held by another process, alone.
    let mut holder =
        repo.cmd("sh").args(&["-c", "exec flock .git/orch/index.lock sh -c 'echo held; read x'"]);
    holder = holder.stdin("");
    let held = repo.sh("flock .git/orch/index.lock git orch list");
    assert_eq!(held.success().lines().len(), 4, "header and three tasks");
    holder.run().any();
}

/// A command by somebody who may read the repository and not write it. None where that can't be had.
fn reader(repo: &TestRepo, args: &[&str]) -> Cmd {
    if rustix::process::geteuid().is_root() {
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups", "git-orch"];
        repo.cmd("setpriv").args(&[&user, args].concat())
    } else {
        repo.cmd(ORCH).args(args)
    }
}

#[test]
fn a_repository_that_may_only_be_read_is_read() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    add_from(&repo, "- [ ] One\n- [ ] Two\n");
    let expected = repo.orch(&["list"]).success().stdout.clone();
    env.git(&["config", "--global", "safe.directory", "*"]).success();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(env.root(), open).expect("it is ours");
    repo.sh("chmod -R a+rX,a-w .").success();
    let can_run = reader(&repo, &["--version"]).run().any().status() == 0;
    if can_run {
        assert_eq!(reader(&repo, &["list"]).run().success().stdout, expected);
        reader(&repo, &["next", "--peek"]).run().success();
        reader(&repo, &["worktree", "list"]).run().success();
        for line in [&["add", "x"][..], &["next"], &["edit", "0", "--title", "x"], &["start", "--here"]] {
            let refused = reader(&repo, line).run().any();
            assert!(matches!(refused.status(), 2 | 8), "{line:?}: {}", refused.stderr);
        }
        insta::assert_snapshot!(reader(&repo, &["add", "x"]).run(), @r"
        ---- stderr
        error: cannot open lock $ROOT/r/.git/orch/write.lock
        caused by: Permission denied (os error 13)
        rule: environment.read_only
        next: work in a clone that you may write
              git orch doctor
        [exit: 8]
        ");
    }
    repo.sh("chmod -R u+w .").success();
    assert_eq!(changes(&repo), 3, "{}", repo.git(&["log", "--oneline", "refs/orch/state"]).success().stdout);
}

#[test]
fn a_merge_in_nobody_s_name_is_refused_with_both_lines() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["T"]);
    let path = repo.orch(&["next", "--json"]).success().json()["path"].as_str().expect("a path").to_owned();
    env.at(&path).commit("work", &[("README.md", "changed\n")]);
    env.git(&["config", "--global", "--unset", "user.name"]).success();
    env.git(&["config", "--global", "--unset", "user.email"]).success();
    insta::assert_snapshot!(repo.orch(&["merge", &id]), @r#"
    ---- stderr
    error: git does not know who you are, and this commit is made in your name
    rule: identity.missing
    next: git config --global user.name "Your Name"
          git config --global user.email you@example.com
    [exit: 8]
    "#);
    add(&repo, &["The state needs no name"]);
    let log = repo.git(&["log", "-1", "--format=%an <%ae>", "refs/orch/state"]).success().line();
    assert_eq!(log, "git-orch <git-orch@localhost>");
}

#[test]
fn a_program_that_is_missing_is_named() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["T"]);
    let without = |args: &[&str]| repo.cmd(ORCH).args(args).var("PATH", "/nonexistent").run();
    without(&["list"]).success();
    insta::assert_snapshot!(without(&["next"]), @r"
    ---- stderr
    error: cannot run `git worktree add --quiet --no-track -b fix/ID1-t $ROOT/r.orch/ID1 OID1`
    caused by: No such file or directory (os error 2)
    rule: program.missing
    next: install it, or put it on PATH
    [exit: 8]
    ");
    assert_eq!(repo.orch(&["show", &id, "--json"]).success().json()["status"], "open", "given back");
}

#[test]
fn two_thousand_tasks_at_once() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let before = changes(&repo);
    let lines: Vec<String> = (0..2000)
        .map(|n| {
            format!(
                "{{\"title\":\"task {n}\",\"id\":\"t{n}\",\"needs\":[{}]}}\n",
                if n % 10 == 0 { String::new() } else { format!("\"t{}\"", n - 1) }
            )
        })
        .collect();
    let ids = add_from(&repo, &lines.concat());
    assert_eq!((ids.len(), changes(&repo)), (2000, before + 1));
    assert_eq!(titles(&repo, &["--ready", "--limit", "3"]), ["task 0", "task 10", "task 20"]);
    assert_eq!(titles(&repo, &[]).len(), 2000);
    assert_eq!(repo.orch(&["next", "--no-worktree", "--json"]).success().json()["id"], *ids[0]);
    assert_eq!(repo.git(&["fsck", "--connectivity-only"]).success().stderr, "");
}

#[test]
fn texts_that_would_control_a_terminal_do_not() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    for title in ["\u{1b}[2Jgone", "a\rb", "a\nb", "\u{7}", "a\u{9b}31m", "x\u{85}y"] {
        repo.orch(&["add", title]).code(2);
    }
    let ids = add_from(
        &repo,
        "{\"title\":\"rtl \u{202e}exe.gnp \u{2066}x\u{2069}\",\"body\":\"\\u001b]0;owned\\u0007 \\u001b[31mred\\r\\nnext\"}\n",
    );
    add(
        &repo,
        &["--label", "a\u{1b}[1mb", "--accept", "c\u{1b}[0m", "--file", "\u{1b}[5m*", "--", "-n --json"],
    );
    repo.orch(&["block", &ids[0], "-m", "why\u{1b}[7m"]).success();
    let screens: [&[&str]; 6] = [
        &["list", "--color", "never"],
        &["show", &ids[0], "--color", "never"],
        &["next", "--peek", "--color", "never"],
        &["next", "--kind", "docs", "--color", "never"],
        &["dep", "tree", &ids[0], "--color", "never"],
        &["list", "--json"],
    ];
    for line in screens {
        let shown = repo.orch(line).any();
        let all = format!("{}{}", shown.stdout, shown.stderr);
        let harmful = |c: &char| {
            (c.is_control() && *c != '\n')
                || (!line.contains(&"--json")
                    && matches!(*c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        };
        assert_eq!(all.chars().find(harmful), None, "{line:?}: {all:?}");
    }
    insta::assert_snapshot!(repo.orch(&["show", &ids[0]]), @r"
    rtl exe.gnp x
    bug ID1 - P2 - blocked

       red
      next

    reason   why
    added    TIME UTC (DURATION ago)
    changed  TIME UTC (DURATION ago)
    ---- stderr
    hint: `git orch unblock ID1` puts it back into the queue, `git orch close ID1 --reason TEXT` gives it up
    [exit: 0]
    ");
    let long = "y".repeat(201);
    insta::assert_snapshot!(repo.orch(&["add", &long]), @r"
    ---- stderr
    error: a title has at most 200 characters, this one has 201; put the rest into the body
    rule: task.title
    next: git orch help add
    [exit: 2]
    ");
    let big = repo.cmd(ORCH).args(&["add", "big", "--body", "-"]).stdin("x".repeat(70_000)).run().code(2);
    assert!(big.stderr.contains("rule: state.too_large"), "{}", big.stderr);
}
