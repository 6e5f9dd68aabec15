//! Taking tasks: `next`, `start`, `release`, by one, by many at once, and by some that are killed.

use std::collections::BTreeSet;
use std::path::Path;

use git_orch::sys::{self, clock::Clock};
use serde_json::Value;

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::queue::{add, add_from, board, changes};
use crate::run::{Cmd, together};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn next(repo: &TestRepo, args: &[&str]) -> Value {
    repo.orch(&[&["next", "--json"], args].concat()).success().json()
}

/// The same command by a person with another name.
fn as_bob(repo: &TestRepo, args: &[&str]) -> Cmd {
    let config = "user.email=bob@example.com";
    repo.cmd("git").args(&[&["-c", config, "orch"], args].concat())
}

/// Everything that git reports as wrong.
fn fsck(repo: &TestRepo) -> String {
    let done = repo.git(&["fsck", "--no-dangling", "--connectivity-only"]).any();
    format!("{}{}", done.stdout, done.stderr)
}

#[test]
fn the_most_urgent_comes_first_then_the_oldest() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    for (title, priority) in [("c", "P2"), ("e", "P4"), ("a", "P0"), ("d", "P2"), ("b", "P1")] {
        add(&repo, &[title, "--priority", priority]);
    }
    for expected in ["a", "b", "c", "d", "e"] {
        assert_eq!(text(&next(&repo, &["--peek"]), "title"), expected);
        assert_eq!(text(&next(&repo, &["--no-worktree"]), "title"), expected);
    }
    repo.orch(&["next"]).code(5);
}

#[test]
fn next_makes_a_worktree_on_a_branch_of_its_own_and_says_how_to_go_there() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["Parser loses the last line!", "--body", "Seen with CRLF.", "--accept", "a test"]);
    insta::assert_snapshot!(repo.orch(&["next", "--peek"]), @r"
    Parser loses the last line!
    bug ID1 - P2 - ready

      Seen with CRLF.

    accept   - a test
    added    TIME UTC (DURATION ago)
    ---- stderr
    hint: `git orch next` takes it
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["next"]), @r"
    Parser loses the last line!
    bug ID1 - P2 - claimed

      Seen with CRLF.

    accept   - a test
    owner    ann@example.com (local, fence 1)
    branch   fix/ID1-parser-loses-the-last-line
    path     $ROOT/r.orch/ID1
    added    TIME UTC (DURATION ago)
    changed  TIME UTC (DURATION ago)
    lease    ends in 7 d unless renewed

      cd $ROOT/r.orch/ID1
    ---- stderr
    hint: commit there; then `git orch merge` asks Ralph, and merges
    [exit: 0]
    ");
    let worktree = env.at(format!("r.orch/{id}"));
    assert_eq!(worktree.rev("HEAD"), repo.rev("main"));
    assert_eq!(worktree.git(&["status", "--porcelain"]).success().stdout, "");
    let branch = worktree.git(&["symbolic-ref", "--short", "HEAD"]).success().line();
    assert_eq!(branch, format!("fix/{id}-parser-loses-the-last-line"));
    repo.git(&["config", &format!("branch.{branch}.merge")]).code(1);
    let again = repo.orch(&["start", &id, "--json"]).success().json();
    assert_eq!(text(&again, "path"), worktree.path("").to_string_lossy().trim_end_matches('/'));
    assert_eq!(again["fence"], 1, "whoever has a task has it once");
}

#[test]
fn branches_are_named_by_role_or_kind() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let cases: [(&[&str], &str, &str); 8] = [
        (&["--kind", "bug"], "fix", "t"),
        (&["--kind", "quality"], "fix", "t"),
        (&["--kind", "test"], "fix", "t"),
        (&["--kind", "feature"], "feature", "t"),
        (&["--kind", "refactor"], "feature", "t"),
        (&["--kind", "docs"], "feature", "t"),
        (&["--kind", "bug", "--role", "featurebuilder"], "feature", "t"),
        (&["--kind", "feature", "--role", "bugfix"], "fix", "t"),
    ];
    for (args, prefix, slug) in cases {
        let id = add(&repo, &[&["T"], args].concat());
        let taken = repo.orch(&["start", &id, "--no-worktree", "--json"]).success().json();
        assert_eq!(text(&taken, "branch"), format!("{prefix}/{id}-{slug}"), "{args:?}");
        assert_eq!(taken["path"], Value::Null);
    }
    for title in
        ["Ünïcödé — ツ", "../../etc/passwd", "a..b~c^d:e?f*g[h\\i", "@{-1}", ".lock", &"long ".repeat(40)]
    {
        let id = add(&repo, &["--", title]);
        let taken = repo.orch(&["start", &id, "--json"]).success().json();
        let branch = text(&taken, "branch").to_owned();
        assert!(branch.starts_with(&format!("fix/{id}")) && branch.len() < 100, "{branch}");
        assert_eq!(repo.rev(&branch), repo.rev("main"), "{title}");
    }
    // A branch of that name that is somebody else's is left alone.
    let id = add(&repo, &["Taken"]);
    repo.git(&["branch", &format!("fix/{id}-taken")]).success();
    let taken = repo.orch(&["start", &id, "--json"]).success().json();
    assert_eq!(text(&taken, "branch"), format!("fix/{id}-taken-2"));
}

#[test]
fn filters_choose_and_a_look_changes_nothing() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    add_from(
        &repo,
        r#"
        {"title":"bug ui","kind":"bug","labels":["ui"]}
        {"title":"bug io","kind":"bug","labels":["io","ui"]}
        {"title":"feature","kind":"feature"}
        {"title":"quality","kind":"quality"}"#,
    );
    let cases: [(&[&str], &str); 8] = [
        (&[], "bug ui"),
        (&["--kind", "feature"], "feature"),
        (&["--kind", "feature", "--kind", "quality"], "feature"),
        (&["--team", "dev"], "feature"),
        (&["--role", "codequality"], "quality"),
        (&["--label", "io"], "bug io"),
        (&["--label", "io", "--label", "ui"], "bug io"),
        (&["--team", "qa", "--label", "ui"], "bug ui"),
    ];
    let state = || {
        repo.git(&["for-each-ref"]).success().stdout.clone()
            + &repo.sh("ls .git/orch/leases 2>&1; ls ..").any().stdout
    };
    let before = state();
    for (args, title) in cases {
        let peeked = next(&repo, &[&["--peek"], args].concat());
        assert_eq!(text(&peeked, "title"), title, "{args:?}");
        assert_eq!((text(&peeked, "status"), &peeked["path"]), ("open", &Value::Null));
    }
    insta::assert_snapshot!(repo.orch(&["next", "--peek", "--label", "none"]), @r"
    ---- stderr
    error: nothing is ready: 4 tasks left out by the filter
    rule: queue.empty
    next: git orch list --ready
          git orch add TITLE
          git orch list
    [exit: 5]
    ");
    assert_eq!(state(), before, "a look changes nothing");
    assert_eq!(text(&next(&repo, &["--kind", "quality"]), "title"), "quality");
}

#[test]
fn nothing_ready_is_exit_5_and_says_why() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    insta::assert_snapshot!(repo.orch(&["next"]), @r"
    ---- stderr
    error: nothing is ready: the queue is empty
    rule: queue.empty
    next: git orch add TITLE
          git orch list
    [exit: 5]
    ");
    insta::assert_snapshot!(repo.orch(&["next", "--json"]), @r#"
    {"error":{"code":5,"rule":"queue.empty","fact":"nothing is ready: the queue is empty","next":["git orch add TITLE","git orch list"]}}
    [exit: 5]
    "#);
    let lines = r#"
        {"title":"Taken","id":"a"}
        {"title":"Waits","needs":["a","b"],"id":"w"}
        {"title":"Waits long","needs":["w"]}
        {"title":"Given up","id":"b"}
        {"title":"Vendor"}
        {"title":"Other","kind":"docs"}"#;
    let ids = add_from(&repo, lines);
    repo.orch(&["start", &ids[0], "--no-worktree"]).success();
    repo.orch(&["close", &ids[3], "-m", "no"]).success();
    repo.orch(&["block", &ids[4], "-m", "they have to answer"]).success();
    insta::assert_snapshot!(repo.orch(&["next", "--kind", "bug"]), @r"
    ---- stderr
    error: nothing is ready: 1 task left out by the filter, 2 tasks wait for others, 1 task is held, 1 task is blocked
    rule: queue.empty
      ID1 Waits - needs ID2, ID3 (closed)
      ID4 Waits long - needs ID1
      ID2 Taken - held by ann@example.com
      ID5 Vendor - blocked: they have to answer
    next: git orch list --ready
          git orch add TITLE
          git orch list
    [exit: 5]
    ");
    insta::assert_snapshot!(repo.orch(&["next", "--kind", "bug", "--json"]), @r#"
    {"error":{"code":5,"rule":"queue.empty","fact":"nothing is ready: 1 task left out by the filter, 2 tasks wait for others, 1 task is held, 1 task is blocked","next":["git orch list --ready","git orch add TITLE","git orch list"]}}
    [exit: 5]
    "#);
    insta::assert_snapshot!(repo.orch(&["start", &ids[1]]), @r"
    ---- stderr
    error: task ID1 needs what is not merged yet: ID2 (claimed), ID3 (closed)
    rule: task.needs
    next: git orch dep tree ID1
    [exit: 4]
    ");
    let closed = repo.orch(&["start", &ids[3]]).code(4);
    assert!(closed.stderr.contains(&format!("next: git orch reopen {}", ids[3])), "{closed}");
}

#[test]
fn sixteen_at_once_get_sixteen_tasks_and_worktrees() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let lines = (0..20).map(|n| format!("- [ ] task {n}\n")).collect::<Vec<_>>().concat();
    let ids = add_from(&repo, &lines);
    let before = changes(&repo);
    let commands: Vec<Cmd> = (0..16).map(|_| repo.cmd(ORCH).args(&["next", "--json"])).collect();
    let taken: Vec<Value> = together(&commands).into_iter().map(|o| o.success().json()).collect();
    let of = |name: &str| taken.iter().map(|t| text(t, name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(of("id"), ids[..16].iter().cloned().collect(), "the first sixteen, each once");
    assert_eq!(of("branch").len(), 16);
    for path in of("path") {
        let worktree = env.at(Path::new(&path));
        assert_eq!(worktree.git(&["status", "--porcelain"]).success().stdout, "", "{path}");
        assert_eq!(worktree.read("README.md"), "# test\n");
    }
    assert_eq!(changes(&repo), before + 16, "one claim, one commit");
    assert_eq!(fsck(&repo), "");
}

#[test]
fn a_killed_next_leaves_what_the_next_command_carries_on_from() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    for n in 0..60 {
        repo.write(&format!("f{n}"), "content\n");
    }
    repo.git(&["add", "."]).success();
    repo.commit("many files", &[]);
    let lines = (0..30).map(|n| format!("- [ ] task {n}\n")).collect::<Vec<_>>().concat();
    add_from(&repo, &lines);
    let started = Clock.monotonic();
    next(&repo, &[]);
    let whole = started.elapsed();
    for n in 1..10_u32 {
        let mut running = repo.cmd(ORCH).args(&["next"]).spawn();
        // Not to synchronise: the kill has to come at another instant each time.
        Clock.wait(whole * n / 10);
        running.kill();
        let _killed = running.wait();
        let held = repo.orch(&["list", "--mine", "--json"]).success().json();
        for task in held.as_array().expect("an array") {
            let task = repo.orch(&["start", text(task, "id"), "--json"]).success().json();
            let worktree = env.at(Path::new(text(&task, "path")));
            assert_eq!(worktree.git(&["status", "--porcelain"]).success().stdout, "", "all files are there");
        }
        assert_eq!(fsck(&repo), "", "after {n} tenths");
        assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "");
    }
    next(&repo, &[]);
    assert_eq!(repo.sh("find .git -name '*.lock' -not -path '.git/orch/*'").success().stdout, "");
}

#[test]
fn a_worktree_whose_git_was_killed_too_is_made_whole() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["Half made"]);
    let path = text(&repo.orch(&["start", &id, "--json"]).success().json(), "path").to_owned();
    let record = format!(".git/worktrees/{id}");
    let killed = || {
        repo.write(&format!("{record}/locked"), "initializing\n");
        repo.write(&format!(".git/orch/making/{id}"), "");
    };
    // While files were written: half of them, the index locked.
    killed();
    repo.sh(&format!("rm '{path}/README.md' {record}/index; : > {record}/index.lock")).success();
    repo.orch(&["start", &id]).success();
    let worktree = env.at(Path::new(&path));
    assert_eq!(worktree.git(&["status", "--porcelain"]).success().stdout, "");
    // Before there was a HEAD, and with the branch locked.
    killed();
    let zero = "0".repeat(40);
    repo.sh(&format!(
        "rm -r '{path}'/[!.]*; echo {zero} > {record}/HEAD; : > .git/refs/heads/fix/{id}-half-made.lock"
    ))
    .success();
    assert!(fsck(&repo).contains("points at nothing"));
    repo.orch(&["start", &id]).success();
    assert_eq!(worktree.git(&["status", "--porcelain"]).success().stdout, "");
    assert_eq!((fsck(&repo), repo.has(&format!("{record}/locked"))), (String::new(), false));
}

#[test]
fn branches_are_cut_from_the_remote_s_fresh_trunk_and_offline_works() {
    let env = TestEnv::new();
    let (repo, hub) = (env.repo("r"), env.remote("origin"));
    repo.connect(&hub);
    repo.orch(&["init"]).success();
    for title in ["one", "two", "three"] {
        add(&repo, &[title]);
    }
    let other = env.clone_of(&hub, "other");
    let fresh = other.commit("more", &[("more", "x")]);
    other.git(&["push", "--quiet", "origin", "main"]).success();
    let first = next(&repo, &[]);
    assert_eq!(repo.rev(text(&first, "branch")), fresh);
    let newer = other.commit("even more", &[("more", "y")]);
    other.git(&["push", "--quiet", "origin", "main"]).success();
    assert_eq!(repo.rev(text(&next(&repo, &[]), "branch")), newer, "the second is as fresh");
    assert_ne!(repo.rev("main"), newer, "the user's own branch is not moved");
    env.cmd("mv").args(&["origin.git", "away.git"]).run().success();
    let offline = repo.orch(&["next"]);
    insta::assert_snapshot!(offline, @r"
    three
    bug ID1 - P2 - claimed

    owner    ann@example.com (local, fence 1)
    branch   fix/ID1-three
    path     $ROOT/r.orch/ID1
    added    TIME UTC (DURATION ago)
    changed  TIME UTC (DURATION ago)
    lease    ends in 7 d unless renewed

      cd $ROOT/r.orch/ID1
    ---- stderr
    warning: trunk could not be fetched, so the branch is cut from what is here: fatal: '$ROOT/origin.git' does not appear to be a git repository
    warning: the claim is this clone's only, until the remote can be asked
    warning: there is no orch.toml on origin/main: Ralph has no step, and nothing can be merged until it is there
    hint: git orch init   (writes one, and says how it gets there)
    hint: commit there; then `git orch merge` asks Ralph, and merges
    [exit: 0]
    ");
    let last = offline.stdout.lines().find_map(|l| l.strip_prefix("branch   ")).expect("a branch").to_owned();
    assert_eq!(repo.rev(&last), newer);
    add(&repo, &["four"]);
    insta::assert_snapshot!(repo.orch(&["next", "--require-confirmed"]), @r"
    ---- stderr
    error: the claim of task ID2 was not confirmed and is given back: fatal: '$ROOT/origin.git' does not appear to be a git repository
    rule: claim.unconfirmed
    next: leave --require-confirmed out   (to work offline)
    [exit: 7]
    ");
}

#[test]
fn start_here_takes_the_work_along_byte_for_byte() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    repo.commit("files", &[("a", "1\n"), ("b", "1\n"), ("gone", "x\n"), ("c", "1\n")]);
    repo.git(&["merge", "--ff-only", "HEAD"]).success();
    repo.write("a", "staged\n");
    repo.git(&["add", "a"]).success();
    repo.write("a", "staged, then changed\n");
    repo.write("b", "unstaged\n");
    repo.write("new é.txt", "untracked\n");
    repo.git(&["rm", "--quiet", "--cached", "gone"]).success();
    repo.git(&["add", "--intent-to-add", "new é.txt"]).success();
    let look = || {
        let index =
            repo.sh("git rev-parse HEAD; sha256sum .git/index; git status --porcelain; git ls-files --stage");
        index.success().stdout.clone()
            + &repo.sh("for f in *; do echo \"$f\"; cat \"$f\"; stat -c %Y \"$f\"; done").success().stdout
    };
    let (before, main) = (look(), repo.rev("main"));
    let taken = repo.orch(&["start", "--here", "--title", "Change a and b", "--json"]).success().json();
    assert_eq!(look(), before);
    let branch = repo.git(&["symbolic-ref", "--short", "HEAD"]).success().line();
    assert_eq!(branch, format!("feature/{}-change-a-and-b", text(&taken, "id")));
    assert_eq!(text(&taken, "branch"), branch);
    assert_eq!((repo.rev("main"), repo.rev("HEAD")), (main.clone(), main));
    assert_eq!(
        text(&repo.orch(&["show", text(&taken, "id"), "--json"]).success().json(), "status"),
        "claimed"
    );
    repo.git(&["commit", "--quiet", "-m", "done"]).success();
    // Without a title it is made from the files; a detached HEAD is no trouble.
    repo.git(&["reset", "--quiet", "--hard"]).success();
    repo.git(&["clean", "--quiet", "--force"]).success();
    repo.git(&["checkout", "--quiet", "--detach", "main"]).success();
    repo.write("d.txt", "d\n");
    insta::assert_snapshot!(repo.orch(&["start", "--here", "--kind", "bug"]), @r"
    Change d.txt
    bug ID1 - P2 - claimed

    owner    ann@example.com (local, fence 1)
    branch   fix/ID1-change-d-txt
    path     $ROOT/r
    added    TIME UTC (DURATION ago)
    changed  TIME UTC (DURATION ago)
    lease    ends in 7 d unless renewed

      cd $ROOT/r
    ---- stderr
    Made bug ID1 of 1 changed file here.
    hint: commit there; then `git orch merge` asks Ralph, and merges
    [exit: 0]
    ");
}

#[test]
fn start_here_says_what_it_made_and_refuses_the_branch_of_another_task() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let made = repo.orch(&["start", "--here", "--title", "Nothing yet", "--json"]).success();
    env.learn_id(text(&made.json(), "id"));
    insta::assert_snapshot!(env.redacted(&made.stderr), @r"
    warning: nothing is begun here: task ID1 was made all the same
    hint: `git orch close ID1 --reason TEXT` if that was a mistake
    ");
    let before = changes(&repo);
    repo.write("a", "a\n");
    insta::assert_snapshot!(repo.orch(&["start", "--here"]), @r"
    ---- stderr
    error: this checkout is on the branch of task ID1: Nothing yet
    rule: checkout.task
    next: git orch start ID1   (to go on with that task)
          git switch main   (what is not committed comes along), then again
    [exit: 4]
    ");
    assert_eq!(changes(&repo), before, "nothing was made");
    // That of a finished task is nobody's any more, and its commits are begun work.
    repo.git(&["add", "a"]).success();
    repo.git(&["commit", "--quiet", "-m", "a"]).success();
    repo.orch(&["close", &field_here(&repo), "-m", "x"]).success();
    let made = repo.orch(&["start", "--here", "--title", "Again"]).success();
    assert!(
        made.stderr.starts_with("Made feature ") && made.stderr.contains(" of the commits here."),
        "{}",
        made.stderr
    );
}

/// The id of the task that this checkout is on the branch of.
fn field_here(repo: &TestRepo) -> String {
    let branch = repo.git(&["symbolic-ref", "--short", "HEAD"]).success().line();
    let name = branch.split('/').nth(1).expect("a task's branch");
    name.split('-').next().expect("an id").to_owned()
}

#[test]
fn what_another_holds_is_exit_6() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["Ann's"]);
    repo.orch(&["next", "--no-worktree"]).success();
    for line in
        [&["start", &id][..], &["release", &id], &["block", &id, "-m", "x"], &["close", &id, "-m", "x"]]
    {
        let refused = as_bob(&repo, line).run().code(6);
        assert!(refused.stderr.contains("rule: task.held"), "{}", refused.stderr);
    }
    insta::assert_snapshot!(as_bob(&repo, &["start", &id]).run(), @r"
    ---- stderr
    error: task ID1 is held by person:ann@example.com until TIME
    rule: task.held
    next: git orch show ID1
    [exit: 6]
    ");
    insta::assert_snapshot!(as_bob(&repo, &["start", &id, "--json"]).run(), @r#"
    {"error":{"code":6,"rule":"task.held","fact":"task ID1 is held by person:ann@example.com until TIME","next":["git orch show ID1"]}}
    [exit: 6]
    "#);
    as_bob(&repo, &["list", "--mine"]).run().success();
    as_bob(&repo, &["edit", &id, "--label", "seen"]).run().success();
    // A copy of the clone has the same session; the person is another one.
    env.cmd("cp").args(&["-r", "r", "copy"]).run().success();
    as_bob(&env.at("copy"), &["release", &id]).run().code(6);
    repo.orch(&["release", &id]).success();
    as_bob(&repo, &["start", &id, "--no-worktree"]).run().success();
    repo.orch(&["release", &id]).code(6);
}

#[test]
fn a_released_task_goes_on_where_it_was() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["Goes on"]);
    let path = text(&next(&repo, &[]), "path").to_owned();
    let worktree = env.at(Path::new(&path));
    worktree.write("half", "done\n");
    worktree.orch(&["release"]).success();
    assert!(worktree.has("half"), "what is there stays");
    let again = next(&repo, &[]);
    assert_eq!((text(&again, "id"), text(&again, "path")), (id.as_str(), path.as_str()));
    assert_eq!(again["fence"], 3);
    assert!(worktree.has("half"));
    repo.git(&["worktree", "remove", "--force", &path]).success();
    let shown = repo.orch(&["show", &id, "--json"]).success().json();
    assert_eq!(shown["path"], Value::Null);
    assert_eq!(text(&repo.orch(&["start", &id, "--json"]).success().json(), "path"), path, "made again");
    // A directory that goes without git being told.
    repo.sh(&format!("rm -r '{path}'")).success();
    repo.orch(&["start", &id]).success();
    assert!(worktree.has("README.md"));
}

#[test]
fn a_title_made_of_files_is_one_that_a_title_may_be() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    for (file, title) in [("a\n\u{1b}[31mb\u{7}", "Change a b"), ("\n", "Work in progress")] {
        repo.git(&["checkout", "--quiet", "--detach", "main"]).success();
        repo.write(file, "x\n");
        let made = repo.orch(&["start", "--here", "--json"]).success().json();
        assert_eq!(text(&made, "title"), title);
        repo.git(&["clean", "--quiet", "--force"]).success();
    }
    repo.git(&["checkout", "--quiet", "--detach", "main"]).success();
    for c in ["a", "b", "c"] {
        repo.write(&c.repeat(99), "x\n");
    }
    repo.orch(&["start", "--here"]).success();
}

#[test]
fn the_line_of_the_readme_goes_nowhere_when_nothing_is_ready() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let readme =
        sys::fs::read_string(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there");
    let line = readme.lines().find(|line| line.contains("git orch next --json")).expect("it is shown");
    if sys::process::find_program("jq", &env.vars()).is_none() {
        return;
    }
    let nothing = repo.sh(&format!("{line} && touch went")).any();
    assert!(nothing.stderr.contains("nothing is ready"), "{nothing}");
    assert!(!repo.has("went"));
    let id = add(&repo, &["work"]);
    let there = repo.sh(&format!("{line} && pwd -P")).success().line();
    assert!(there.ends_with(&id), "{there}");
    // The help shows the same.
    assert!(repo.orch(&["next", "--help"]).success().stdout.contains(line));
}
