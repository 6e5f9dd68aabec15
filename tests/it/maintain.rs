//! The state stays small, in several clones at once, and nothing of it is lost.

use serde_json::{Value, json as value};

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::project::refused;
use crate::sync::{Team, json, shown};

/// Archives whatever is finished.
fn archive_all(repo: &TestRepo) -> Value {
    repo.git(&["config", "orch.archiveAfter", "0s"]).success();
    json(repo, &["maintain", "--json"])
}

fn paths(repo: &TestRepo) -> Vec<String> {
    repo.git(&["ls-tree", "-r", "--name-only", "refs/orch/state"]).success().lines()
}

fn is_live(repo: &TestRepo, id: &str) -> bool {
    paths(repo).iter().any(|path| *path == format!("tasks/{}/{id}.toml", &id[..2]))
}

fn add(repo: &TestRepo, title: &str) -> String {
    repo.orch(&["add", title]).success().line()
}

/// git and doctor find nothing wrong.
fn is_sound(repo: &TestRepo) {
    repo.git(&["fsck", "--strict", "--no-dangling"]).success();
    let doctor = repo.orch(&["doctor", "--json"]).any().json();
    for check in doctor["checks"].as_array().expect("checks") {
        let ours =
            ["state", "size", "index", "tasks", "locks"].contains(&check["name"].as_str().expect("a name"));
        assert!(!ours || check["state"] == "ok", "{check}");
    }
}

fn alone() -> TestRepo {
    let env = TestEnv::new();
    let repo = env.repo("r");
    repo.orch(&["init"]).any();
    repo
}

#[test]
fn what_is_long_finished_is_archived_and_still_there() {
    let repo = alone();
    let (old, open, needing) = (add(&repo, "old"), add(&repo, "open"), add(&repo, "needing"));
    repo.orch(&["dep", "add", &needing, &old]).success();
    repo.orch(&["close", &old, "--reason", "not needed"]).success();
    let before = (repo.rev("refs/orch/state"), repo.orch(&["list", "--all", "--json"]).success().json());
    // Too young.
    assert_eq!(json(&repo, &["maintain", "--json"])["archived"], value!([]));
    repo.git(&["config", "orch.archiveAfter", "0s"]).success();
    let would = repo.orch(&["maintain", "--dry-run"]).success();
    assert_eq!(would.stderr.trim(), "Would archive 1 finished task.");
    assert_eq!(repo.rev("refs/orch/state"), before.0, "nothing was done");
    let shown_before = shown(&repo, &old);
    assert_eq!(json(&repo, &["maintain", "--json"])["archived"], value!([old]));
    assert_eq!(json(&repo, &["maintain", "--json"])["archived"], value!([]), "once");
    assert!(!is_live(&repo, &old) && is_live(&repo, &open));
    assert_eq!(paths(&repo).iter().filter(|path| path.starts_with("archive/")).count(), 1);
    // As before, with the index, without it, and by a part of the id.
    let all = || repo.orch(&["list", "--all", "--json"]).success().json();
    assert_eq!(all(), before.1);
    repo.sh("rm -f .git/orch/index-*").success();
    assert_eq!(all(), before.1);
    assert_eq!(shown(&repo, &old[..6]), shown_before);
    assert!(repo.orch(&["log", &old]).success().to_string().contains("close"));
    assert_eq!(json(&repo, &["list", "--all", "--search", "old", "--json"])[0]["id"], old.as_str());
    // What needs it waits as it did: a closed task is not a merged one.
    assert_eq!(shown(&repo, &needing)["ready"], false);
    repo.orch(&["reopen", &old]).success();
    assert!(is_live(&repo, &old));
    assert_eq!(paths(&repo).iter().filter(|path| path.starts_with("archive/")).count(), 0);
    assert_eq!(shown(&repo, &old)["status"], "open");
    is_sound(&repo);
}

#[test]
fn a_task_that_others_need_is_done_in_the_archive_too() {
    let team = Team::of(1);
    let a = &team.clones[0];
    let first = a.orch(&["add", "first", "--kind", "feature"]).success().line();
    let second = a.orch(&["add", "second", "--needs", &first]).success().line();
    let taken = json(a, &["start", &first, "--json"]);
    let worktree = a.env().at(taken["path"].as_str().expect("path"));
    worktree.commit("work", &[("new", "x\n")]);
    a.orch(&["merge", &first]).success();
    assert_eq!(archive_all(a)["archived"], value!([first]));
    for forget in ["true", "rm -f .git/orch/index-*"] {
        a.sh(forget).success();
        assert_eq!(shown(a, &second)["ready"], true);
        assert_eq!(json(a, &["next", "--peek", "--json"])["id"], second.as_str());
    }
    a.orch(&["sync"]).success();
    is_sound(a);
}

#[test]
fn a_task_that_is_archived_here_and_changed_there() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let ids: Vec<String> = ["quiet", "edited", "reopened"].iter().map(|title| add(a, title)).collect();
    let [quiet, edited, reopened] = ids.as_slice() else { panic!("BUG: three") };
    a.orch(&["close", quiet, edited, reopened, "--reason", "x"]).success();
    team.sync();
    team.sync();
    assert_eq!(archive_all(a)["archived"].as_array().map(Vec::len), Some(3));
    b.orch(&["edit", edited, "--title", "another title"]).success();
    b.orch(&["reopen", reopened]).success();
    // Whoever is first at the remote.
    b.orch(&["sync"]).success();
    a.orch(&["sync"]).success();
    b.orch(&["sync"]).success();
    assert_eq!(team.trees().len(), 1, "all have the same tree");
    for clone in [a, b] {
        assert_eq!(shown(clone, edited)["title"], "another title");
        assert_eq!((&shown(clone, quiet)["status"], is_live(clone, quiet)), (&value!("closed"), false));
        assert_eq!((&shown(clone, reopened)["status"], is_live(clone, reopened)), (&value!("open"), true));
        is_sound(clone);
    }
    // Both archive on their own.
    let more = add(a, "more");
    a.orch(&["close", &more, reopened, "--reason", "y"]).success();
    team.sync();
    team.sync();
    archive_all(a);
    archive_all(b);
    team.sync();
    team.sync();
    assert_eq!(team.trees().len(), 1);
    assert!(!is_live(a, &more) && !is_live(b, reopened));
    assert_eq!(json(a, &["list", "--all", "--json"]).as_array().map(Vec::len), Some(4));
}

#[test]
fn what_a_fetch_left_loose_is_packed() {
    let repo = alone();
    add(&repo, "kept");
    let refs = repo.git(&["rev-list", "--objects", "refs/orch/state"]).success().lines();
    // As many as a fetch without a pack leaves.
    let many: Vec<String> = (0..120).map(|n| format!("- [ ] task {n}")).collect();
    repo.write("list.md", &many.join("\n"));
    repo.orch(&["add", "--from", "list.md"]).success();
    repo.sh(
        "git rev-list --objects refs/orch/state | git pack-objects -q --stdout > all.pack && rm -rf .git/objects/pack/* \
         && git unpack-objects -q < all.pack",
    )
    .success();
    let user = repo.sh("echo mine | git hash-object -w --stdin").success().line();
    let would = json(&repo, &["maintain", "--dry-run", "--json"]);
    assert!(would["packed"].as_u64() > Some(200), "{would}");
    let done = json(&repo, &["maintain", "--json"]);
    assert_eq!((&done["packed"], &done["loose"]), (&would["packed"], &value!(0)));
    for line in refs {
        let oid = line.split(' ').next().expect("an id");
        let file = repo.path(format!(".git/objects/{}/{}", &oid[..2], &oid[2..]));
        assert!(!git_orch::sys::fs::exists(&file), "{oid} is packed");
    }
    let own = repo.path(format!(".git/objects/{}/{}", &user[..2], &user[2..]));
    assert!(git_orch::sys::fs::exists(&own), "what is not ours is as it was");
    repo.git(&["gc", "--quiet", "--prune=now"]).success();
    assert_eq!(json(&repo, &["list", "--json"]).as_array().map(Vec::len), Some(121));
    is_sound(&repo);
}

#[test]
fn doctor_says_what_the_state_costs() {
    let repo = alone();
    add(&repo, "one");
    let doctor = repo.orch(&["doctor", "--json"]).any().json();
    let size = doctor["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|c| c["name"] == "size")
        .expect("it is looked at");
    let what = size["what"].as_str().expect("text");
    for part in ["3 commits", "KiB", "loose objects", "packs", "largest file", "widest directory"] {
        assert!(what.contains(part), "{part}: {what}");
    }
}

/// Lets the history go, however young it is.
fn squash(repo: &TestRepo) -> Value {
    repo.git(&["config", "orch.maxOffline", "0s"]).success();
    json(repo, &["maintain", "--squash", "--json"])
}

/// Every change on record as action, subject and note, each as often as it is there.
fn record(repo: &TestRepo) -> Vec<String> {
    let log = json(repo, &["log", "--limit", "10000", "--json"]);
    let mut all: Vec<String> =
        log["entries"].as_array().expect("entries").iter().map(Value::to_string).collect();
    all.sort();
    all
}

fn commits(repo: &TestRepo) -> usize {
    repo.git(&["rev-list", "refs/orch/state"]).success().lines().len()
}

#[test]
fn a_squash_keeps_all_but_the_commits() {
    let repo = alone();
    let id = add(&repo, "kept");
    repo.orch(&["edit", &id, "--title", "changed"]).success();
    let list: Vec<String> =
        (0..600).map(|n| format!("- [ ] task {n} {}", "with a long title ".repeat(8))).collect();
    repo.write("list.md", &list.join("\n"));
    repo.orch(&["add", "--from", "list.md"]).success();
    let told = refused(repo.orch(&["maintain", "--squash"]), 4, "squash.young");
    assert!(told.stderr.contains("orch.maxOffline"), "{}", told.stderr);
    let by_action = || json(&repo, &["log", "--action", "task", "--limit", "10000", "--json"]);
    let tasks = || json(&repo, &["list", "--json"]);
    let before = (record(&repo), by_action(), tasks(), commits(&repo));
    let tip = repo.rev("refs/orch/state");
    let done = squash(&repo);
    assert_eq!((&done["epoch"], &done["let_go"]), (&value!(1), &value!(before.3)));
    assert_eq!(commits(&repo), 1);
    assert_eq!(repo.rev(done["backup"].as_str().expect("a ref")), tip, "kept for a while");
    let meta = repo.git(&["show", "refs/orch/state:meta.toml"]).success().stdout;
    assert!(meta.contains(&format!("previous = \"{tip}\"")), "{meta}");
    // All that was on record is, under the ids and times that it had; with the table of events and without.
    let squashes = |entry: &&String| entry.contains("state.squash");
    let now = record(&repo);
    assert_eq!(now.iter().filter(|entry| squashes(entry)).count(), 1);
    assert_eq!(now.into_iter().filter(|entry| !squashes(&entry)).collect::<Vec<_>>(), before.0);
    assert_eq!(by_action(), before.1);
    repo.sh("rm -f .git/orch/events-* .git/orch/index-*").success();
    assert_eq!((by_action(), tasks()), (before.1, before.2));
    assert_eq!(shown(&repo, &id)["title"], "changed");
    is_sound(&repo);
    // No file of the archive is too large; only the last backups stay.
    for _ in 0..9 {
        squash(&repo);
    }
    assert_eq!(repo.git(&["for-each-ref", "refs/orch/backup/"]).success().lines().len(), 8);
    is_sound(&repo);
}

#[test]
fn unpushed_work_of_a_stale_clone_is_joined_to_a_squashed_state() {
    let team = Team::of(3);
    let [a, b, c] = team.clones.as_slice() else { panic!("BUG: three") };
    let (one, two) = (add(a, "one"), add(a, "two"));
    team.sync();
    team.sync();
    // Nobody else has these.
    b.orch(&["edit", &one, "--title", "by b"]).success();
    let new = add(b, "new in b");
    c.git(&["config", "orch.sync", "manual"]).success();
    c.orch(&["close", &two, "--reason", "by c"]).success();
    let mut all: Vec<String> = [a, b, c].into_iter().flat_map(record).collect();
    let old = a.rev("refs/orch/state");
    let done = squash(a);
    assert_eq!((&done["epoch"], done["let_go"].as_u64() > Some(2)), (&value!(1), true), "{done}");
    assert_eq!(team.hub.repo().rev("refs/orch/state"), a.rev("refs/orch/state"), "the remote has it");
    assert_eq!(commits(a), 1);
    for clone in [b, c] {
        let synced = json(clone, &["sync", "--json"]);
        assert_eq!(synced["squashed"], true, "{synced}");
        assert_eq!(clone.git(&["merge-base", "--is-ancestor", &old, "refs/orch/state"]).any().status(), 1);
    }
    team.sync();
    team.sync();
    assert_eq!(team.trees().len(), 1);
    all.sort();
    all.dedup();
    for clone in [a, b, c] {
        assert_eq!(shown(clone, &one)["title"], "by b");
        assert_eq!(shown(clone, &new)["title"], "new in b");
        assert_eq!(shown(clone, &two)["status"], "closed");
        let now = record(clone);
        for entry in &all {
            assert_eq!(now.iter().filter(|now| *now == entry).count(), 1, "{entry}");
        }
        is_sound(clone);
    }
    assert!(commits(a) < 8, "the old history is gone: {}", commits(a));
    assert_eq!(json(a, &["sync", "--json"])["squashed"], false, "once");
}

#[test]
fn an_old_state_that_a_stale_clone_pushed_back_is_healed() {
    let team = Team::of(3);
    let [a, b, c] = team.clones.as_slice() else { panic!("BUG: three") };
    let one = add(a, "one");
    team.sync();
    team.sync();
    squash(a);
    b.orch(&["sync"]).success();
    // As a program pushes that knows nothing of epochs.
    c.orch(&["edit", &one, "--title", "by c"]).success();
    let stale = c.rev("refs/orch/state");
    c.git(&["push", "--no-verify", "hub", "+refs/orch/state:refs/orch/state"]).success();
    let healed = json(a, &["sync", "--json"]);
    assert_eq!(healed["stale"], true, "{healed}");
    assert_eq!(team.hub.repo().rev("refs/orch/state"), a.rev("refs/orch/state"), "put back");
    assert_eq!(
        a.git(&["merge-base", "--is-ancestor", &stale, "refs/orch/state"]).any().status(),
        1,
        "no parent"
    );
    let again = a.rev("refs/orch/state");
    a.orch(&["sync"]).success();
    assert_eq!(a.rev("refs/orch/state"), again, "once");
    for clone in [b, c] {
        clone.orch(&["sync"]).success();
        assert_eq!(shown(clone, &one)["title"], "by c");
        assert_eq!(clone.rev("refs/orch/state"), again, "nothing of its own is left to add");
        assert!(clone.orch(&["log", &one]).success().to_string().contains("task.edit"));
        is_sound(clone);
    }
    assert_eq!(team.trees().len(), 1);
    // What is put back within an epoch is still told.
    add(a, "more");
    a.orch(&["sync"]).success();
    team.hub.repo().git(&["update-ref", "refs/orch/state", &again]).success();
    refused(a.orch(&["sync"]), 8, "sync.rewound");
}

#[test]
fn two_squashes_made_apart_are_joined() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    add(a, "one");
    team.sync();
    team.sync();
    for (clone, title) in [(a, "in a"), (b, "in b")] {
        clone.git(&["config", "orch.sync", "manual"]).success();
        add(clone, title);
        assert_eq!(squash(clone)["epoch"], 1);
    }
    team.sync();
    team.sync();
    assert_eq!(team.trees().len(), 1);
    for clone in [a, b] {
        assert_eq!(json(clone, &["list", "--json"]).as_array().map(Vec::len), Some(3));
        is_sound(clone);
    }
    assert_eq!(record(a), record(b));
}

#[test]
fn old_records_of_steps_go_in_every_clone_and_do_not_come_back() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let steps = |repo: &TestRepo| paths(repo).iter().filter(|path| path.starts_with("steps/")).count();
    let judge = |repo: &TestRepo, text: &str, days_ago: i64| {
        repo.commit(text, &[("src/a", text)]);
        let clock = (-days_ago * 24 * 3_600_000).to_string();
        repo.cmd(ORCH).args(&["ralph"]).var("ORCH_TEST_CLOCK", &clock).run().success();
    };
    judge(a, "one\n", 8);
    judge(a, "half\n", 6);
    team.sync();
    // A record that nobody else knows when it is let go.
    judge(b, "two\n", 8);
    assert_eq!((steps(a), steps(b)), (2, 3));
    assert_eq!(json(a, &["maintain", "--json"])["pruned"], 0, "too young");
    a.git(&["config", "orch.archiveAfter", "0s"]).success();
    let would = a.orch(&["maintain", "--dry-run"]).success();
    assert_eq!((would.stderr.trim(), steps(a)), ("Would remove 1 record of a step.", 2));
    assert_eq!(json(a, &["maintain", "--json"])["pruned"], 1);
    assert_eq!(json(a, &["maintain", "--json"])["pruned"], 0, "once");
    for _ in 0..2 {
        team.sync();
    }
    // What is younger than trunk's `ralph.max_age` is still taken, and stays.
    assert_eq!((steps(a), steps(b), team.trees().len()), (1, 1, 1), "{:?}", paths(b));
    judge(b, "three\n", 0);
    b.orch(&["sync"]).success();
    a.orch(&["sync"]).success();
    assert_eq!((steps(a), steps(b), team.trees().len()), (2, 2, 1));
    let log = b.orch(&["log", "--action", "state.prune"]).success().stdout;
    assert_eq!(log.matches("state.prune").count(), 1, "{log}");
    is_sound(b);
}
