//! A process that is killed at each of the named points (`src/sys/failpoint.rs`), each time that it comes there.
//!
//! What it was about to change is there wholly or not at all, and which of them is known but for what was on its way
//! through the network. All that was acknowledged before is there; the next commands work at once, of this clone and of
//! others; `git fsck` and `git orch doctor` find nothing, before and after `git gc --prune=now`.

#![cfg(debug_assertions)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use git_orch::sys;
use git_orch::sys::env::Env;
use git_orch::sys::failpoint::Point;
use serde_json::Value;

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::project::wait_for;
use crate::sync::{Team, shown};

/// What is done when the kill comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// One clone changes its state.
    Alone,
    /// One clone changes its state and has many small packs.
    Packing,
    /// A clone and the remote both have news.
    Sync,
    /// A clone has the remote confirm a claim.
    Claim,
    /// Processes wait for each other: `tests/it/flush.rs`.
    Waiting,
}

/// A story that comes to a point. Others may, too.
fn story_with(point: Point) -> Story {
    match point {
        Point::StoreLocked
        | Point::StoreBlobs
        | Point::StoreTree
        | Point::StoreCommit
        | Point::PackWritten
        | Point::PackFlushed
        | Point::PackKept
        | Point::PackNamed
        | Point::PackIndexed
        | Point::PackDurable
        | Point::RefLocked
        | Point::RefWritten
        | Point::RefMoved
        | Point::StoreMoved
        | Point::StoreDone
        | Point::IndexWritten
        | Point::IndexDone => Story::Alone,
        Point::ChainNoted => Story::Waiting,
        Point::PacksJoined | Point::PacksHalfGone => Story::Packing,
        Point::RemoteFetched | Point::ClaimForgotten | Point::SyncTracked => Story::Sync,
        Point::RemoteAsked | Point::RemotePushed | Point::ClaimNoted | Point::ClaimArrived => Story::Claim,
    }
}

/// A world that is put back after each kill.
struct Scene {
    env: TestEnv,
    dirs: String,
}

/// A point that one command comes to more often is the same again and again.
const MOST: u32 = 8;

/// SIGKILL.
const KILL: i32 = 9;

/// One kill.
#[derive(Clone, Copy, Debug)]
struct Kill {
    point: Point,
    /// How often the process came to the point.
    n: u32,
}

impl Scene {
    /// Remembers what the directories have.
    fn of(env: &TestEnv, dirs: &str) -> Self {
        let scene = Self { env: env.clone(), dirs: dirs.to_owned() };
        scene.save();
        scene
    }

    /// Remembers what they have now, without what only costs time to copy.
    fn save(&self) {
        let line = format!(
            "find . -name '*.sample' -delete && rm -rf saved && mkdir saved && cp -a {} saved",
            self.dirs
        );
        self.env.at(self.env.root()).sh(&line).success();
    }

    /// Puts them back.
    fn restore(&self) {
        self.settle();
        let line = format!("rm -rf {} && cp -a saved/. .", self.dirs);
        self.env.at(self.env.root()).sh(&line).success();
    }

    /// Waits for what the killed one had started: it may be at the files.
    fn settle(&self) {
        let root = self.env.root();
        let text = root.to_string_lossy();
        let is_here = |process: &PathBuf| {
            let command = sys::fs::read(&process.join("cmdline")).unwrap_or_default();
            std::fs::read_link(process.join("cwd")).is_ok_and(|dir| dir.starts_with(root))
                || String::from_utf8_lossy(&command).contains(&*text)
        };
        wait_for("the end of what was started", || {
            !sys::fs::list(Path::new("/proc")).expect("it can be read").iter().any(is_here)
        });
    }

    /// Has the program killed wherever it comes from `first` on in this command, and `look` afterwards.
    fn kills(
        &self,
        repo: &TestRepo,
        args: &[&str],
        first: Point,
        mut look: impl FnMut(Kill),
    ) -> BTreeSet<Point> {
        let mut reached = BTreeSet::new();
        for &point in Point::ALL.iter().filter(|point| **point >= first) {
            for n in 1..=MOST {
                let at = format!("{}:{n}", point.name());
                let done = repo.cmd(ORCH).args(args).var("ORCH_TEST_KILL_AT", &at).run().any();
                let is_killed = done.signal() == Some(KILL);
                if is_killed {
                    reached.insert(point);
                    println!("killed at {at}: {args:?}");
                    look(Kill { point, n });
                } else {
                    assert_eq!(done.status(), 0, "{at}: {done}");
                }
                self.restore();
                if !is_killed {
                    break;
                }
            }
        }
        reached
    }
}

/// From where on clones are killed at each point. What lies about before a ref is written is the same with a remote and
/// without, and many points take long: `ORCH_TEST_POINTS=all` goes to all.
fn first() -> Point {
    let all = Env::capture().text("ORCH_TEST_POINTS") == Some("all");
    if all { Point::ALL[0] } else { Point::RefWritten }
}

fn assert_reached(story: Story, reached: &BTreeSet<Point>) {
    let missed: Vec<&Point> =
        Point::ALL.iter().filter(|point| story_with(**point) == story && !reached.contains(point)).collect();
    assert!(missed.is_empty(), "nothing comes to {missed:?} in {story:?}");
}

fn is_whole(repo: &TestRepo) {
    repo.git(&["fsck", "--strict", "--full", "--no-dangling"]).success();
}

/// Nothing is broken in the eyes of git and of ours: two hours later, when nobody can still be at work.
fn is_sound(repo: &TestRepo) {
    is_whole(repo);
    repo.cmd(ORCH).args(&["doctor"]).var("ORCH_TEST_CLOCK", "7200000").run().success();
}

/// git throws away what nothing leads to, and nothing else goes with it.
fn prune(repo: &TestRepo) {
    is_whole(repo);
    repo.git(&["gc", "--quiet", "--prune=now"]).success();
    is_whole(repo);
}

/// As `prune`, unless a git that was left behind is at work: nobody may prune beside another git.
fn prune_after(repo: &TestRepo, kill: Kill) {
    match kill.point {
        Point::RemoteAsked => is_whole(repo),
        _ => prune(repo),
    }
}

fn tasks(repo: &TestRepo) -> Vec<Value> {
    serde_json::from_str(&repo.orch(&["list", "--all", "--json"]).success().stdout).expect("JSON")
}

/// The tasks with this title.
fn titled(repo: &TestRepo, title: &str) -> Vec<Value> {
    tasks(repo).into_iter().filter(|task| task["title"] == title).collect()
}

/// Before the ref has its new value nothing has happened, and from then on everything has.
fn is_there(kill: Kill) -> bool {
    kill.n > 1 || kill.point >= Point::RefMoved
}

/// A clone without a remote, with one task that the index does not know yet.
fn alone() -> (Scene, TestRepo, String) {
    let env = TestEnv::new();
    let repo = env.repo("mine");
    repo.orch(&["init"]).success();
    // An index that is there is brought up to date; one that is not is built apart.
    repo.orch(&["list"]).success();
    let id = repo.orch(&["add", "old"]).success().line();
    (Scene::of(&env, "mine"), repo, id)
}

#[test]
fn a_task_that_is_added_by_one_who_is_killed_is_whole_or_not_there() {
    let (scene, repo, id) = alone();
    let mut reached =
        scene.kills(&repo, &["add", "new", "--label", "x", "--needs", &id], Point::ALL[0], |kill| {
            is_whole(&repo);
            let new = titled(&repo, "new");
            assert_eq!(new.len(), usize::from(is_there(kill)), "{kill:?}");
            for task in &new {
                assert_eq!(
                    (&task["labels"], &task["needs"]),
                    (&Value::from(["x"]), &Value::from([id.as_str()]))
                );
            }
            assert_eq!(titled(&repo, "old").len(), 1, "what was acknowledged is there");
            repo.orch(&["add", "later"]).success();
            is_sound(&repo);
            let before = tasks(&repo);
            prune(&repo);
            is_sound(&repo);
            assert_eq!(tasks(&repo), before, "{kill:?}");
            let added = repo.orch(&["log", "--json"]).success().stdout.matches("task.add").count();
            assert_eq!(added, new.len() + 2, "{kill:?}: each change is recorded once");
        });
    // Whoever reads brings the index up to date.
    reached.extend(scene.kills(&repo, &["list"], Point::ALL[0], |kill| {
        assert_eq!(titled(&repo, "old").len(), 1, "{kill:?}");
        is_sound(&repo);
    }));
    assert_reached(Story::Alone, &reached);
}

#[test]
fn a_task_that_is_taken_or_closed_by_one_who_is_killed_is_so_or_open() {
    let (scene, repo, id) = alone();
    let status = || shown(&repo, &id)["status"].clone();
    scene.kills(&repo, &["close", &id, "--reason", "why"], Point::ALL[0], |kill| {
        prune(&repo);
        assert_eq!(status(), if is_there(kill) { "closed" } else { "open" }, "{kill:?}");
        if is_there(kill) {
            repo.orch(&["reopen", &id]).success();
        } else {
            repo.orch(&["close", &id, "--reason", "why"]).success();
        }
        is_sound(&repo);
    });
    scene.kills(&repo, &["next", "--no-worktree"], Point::ALL[0], |kill| {
        prune(&repo);
        // Reading brings the index up to date, which comes before the change.
        let before = [Point::IndexWritten, Point::IndexDone].contains(&kill.point) && kill.n == 1;
        assert_eq!(status(), if is_there(kill) && !before { "claimed" } else { "open" }, "{kill:?}");
        repo.orch(&["start", &id, "--no-worktree"]).success();
        assert_eq!(status(), "claimed", "{kill:?}: who was killed may have it");
        is_sound(&repo);
    });
}

#[test]
fn packs_that_are_put_together_by_one_who_is_killed_lack_nothing() {
    let (scene, repo, _) = alone();
    let keeps = || repo.sh("ls .git/objects/pack/*.keep | wc -l").success().line();
    while keeps() != "30" {
        repo.orch(&["add", "one of many"]).success();
    }
    scene.save();
    let many = tasks(&repo).len();
    let reached = scene.kills(&repo, &["add", "new"], Point::ALL[0], |kill| {
        is_whole(&repo);
        assert_eq!(tasks(&repo).len(), many + usize::from(is_there(kill)), "{kill:?}");
        repo.orch(&["add", "later"]).success();
        is_sound(&repo);
        let left: usize = keeps().parse().expect("a number");
        assert!(left <= 30, "{kill:?}: the next one goes on with it");
        if left < 30 {
            let odd = "cd .git/objects/pack && for f in *.keep *.idx tmp_*; do
                test ! -e $f || { test -e ${f%.*}.pack && test -e ${f%.*}.idx; } || echo $f; done";
            assert_eq!(repo.sh(odd).success().stdout, "", "{kill:?}: nothing is left of what was cut off");
        }
        prune(&repo);
    });
    assert_reached(Story::Packing, &reached);
}

/// Two clones, the second one at work as somebody else, and a task that both know.
fn two() -> (Scene, Team, String) {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    b.git(&["config", "user.email", "b@example.com"]).success();
    let held = a.orch(&["add", "held"]).success().line();
    a.orch(&["start", &held, "--no-worktree", "--require-confirmed"]).success();
    let id = a.orch(&["add", "shared"]).success().line();
    a.orch(&["sync"]).success();
    b.orch(&["sync"]).success();
    b.orch(&["add", "theirs"]).success();
    b.orch(&["sync"]).success();
    a.orch(&["add", "ours"]).success();
    // Whoever claims pushes the state along, unless that was done a moment ago.
    a.sh("rm .git/orch/shared").success();
    let scene = Scene::of(a.env(), "clone0 clone1 hub.git");
    (scene, team, id)
}

/// Everybody has the same, and all of it.
fn converges(scene: &Scene, team: &Team, kill: Kill) {
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    for clone in [a, b, a] {
        clone.orch(&["sync"]).success();
    }
    assert_eq!(team.trees().len(), 1, "{kill:?}: all have the same tree");
    let tasks = tasks(a);
    for title in ["held", "shared", "theirs", "ours"] {
        let found = tasks.iter().filter(|task| task["title"] == title);
        assert_eq!(found.count(), 1, "{kill:?}: {title}");
    }
    scene.settle();
    is_sound(a);
    is_whole(team.hub.repo());
}

#[test]
fn who_is_killed_in_a_sync_is_brought_together_by_the_next() {
    let (scene, team, _) = two();
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let reached = scene.kills(a, &["sync"], first(), |kill| {
        prune_after(a, kill);
        assert_eq!(titled(a, "ours").len(), 1, "{kill:?}: what was acknowledged is there");
        a.orch(&["add", "later"]).success();
        a.orch(&["sync"]).success();
        b.orch(&["sync"]).success();
        assert_eq!(titled(b, "later").len(), 1, "{kill:?}");
        converges(&scene, &team, kill);
    });
    assert_reached(Story::Sync, &reached);
}

#[test]
fn of_a_claim_that_was_killed_and_another_one_wins() {
    let (scene, team, id) = two();
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let start = ["start", &id, "--no-worktree", "--require-confirmed", "--json"];
    let mut winners = BTreeSet::new();
    let reached = scene.kills(a, &start, first(), |kill| {
        prune_after(a, kill);
        let hub = team.hub.repo();
        let refs = hub.git(&["for-each-ref", &format!("refs/orch/claims/*/{id}")]).success();
        let pushed = !refs.stdout.is_empty();
        // The state goes before the claim: who hears of a claim has to know the task.
        let file = format!("tasks/*/{id}.toml");
        let said =
            hub.git(&["grep", "--quiet", "claimed", "refs/orch/state", "--", &file]).any().status() == 0;
        let ended: Vec<i32> = [b, a].iter().map(|clone| clone.orch(&start).any().status()).collect();
        let ours = match ended.as_slice() {
            [0, 6] => false,
            [6, 0] => true,
            other => panic!("{kill:?}: not one winner: {other:?}"),
        };
        match kill.point {
            // It may be on its way.
            Point::RemoteAsked => {}
            Point::ClaimNoted => assert!(!pushed, "{kill:?}"),
            Point::ClaimArrived => assert!(pushed && ours, "{kill:?}"),
            _ => assert_eq!(pushed || said, ours, "{kill:?}: whoever the remote heard of first"),
        }
        winners.insert(ours);
        converges(&scene, &team, kill);
        let owner = if ours { "person:ann@example.com" } else { "person:b@example.com" };
        for clone in [a, b] {
            let task = shown(clone, &id);
            assert_eq!(task["owner"], owner, "{kill:?}");
            // Who had taken it here is told that it was lost.
            let claim = task["claim"].as_str().expect("a claim");
            assert!(claim == "confirmed" || (claim == "lost"), "{kill:?}: {task}");
        }
    });
    assert_eq!(winners.len(), 2, "kills before and after the remote took it");
    assert_reached(Story::Claim, &reached);
}

#[test]
fn who_is_killed_while_it_closes_what_the_remote_knows_of_is_believed_or_not() {
    let (scene, team, _) = two();
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = titled(a, "held")[0]["id"].as_str().expect("an id").to_owned();
    scene.kills(a, &["close", &id, "--reason", "why"], first(), |kill| {
        prune_after(a, kill);
        let status = shown(a, &id)["status"].clone();
        let is_closed = kill.point >= Point::RefMoved || kill.n > 1;
        assert_eq!(status, if is_closed { "closed" } else { "claimed" }, "{kill:?}");
        converges(&scene, &team, kill);
        assert_eq!(shown(b, &id)["status"], status, "{kill:?}");
    });
}
