//! The state stays small, in several clones at once, and nothing of it is lost.

use serde_json::{Value, json as value};

use crate::env::{TestEnv, TestRepo};
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
