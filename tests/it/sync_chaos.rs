//! Clones that are killed, cut off, and lied to by the network, at random, each with a clock of its own that is wrong by
//! up to hours and jumps: no acknowledged change is lost, no task has two owners, fences rise, and the next command works.
//!
//! A failure names its seed; `ORCH_TEST_SEED` runs it again (`ORCH_TEST_STEPS`: how far). The simulation is the same for
//! the same seed but for ids and the time of day; where a kill hits is the machine's affair. The program takes its clock
//! from `ORCH_TEST_CLOCK` (`src/sys/clock.rs`), which only builds with debug assertions read: others have one clock here.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::random;
use serde_json::Value;

use crate::env::ORCH;
use crate::run::{Cmd, Outcome};
use crate::sync::Team;

/// Numbers from a seed (Steele et al., "Fast splittable pseudorandom number generators", 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let at = self.below(u64::try_from(list.len()).expect("few"));
        &list[usize::try_from(at).expect("few")]
    }
}

/// Runs `story` with a seed and a number of steps, both to be had from outside.
fn seeded(steps: u64, story: impl Fn(&mut Dice, u64)) {
    let env = Env::capture();
    let number = |name| env.get(name).and_then(|text| text.to_str()?.parse::<u64>().ok());
    let seed = number("ORCH_TEST_SEED").unwrap_or_else(random::bits40);
    let steps = number("ORCH_TEST_STEPS").unwrap_or(steps);
    let ended = catch_unwind(AssertUnwindSafe(|| story(&mut Dice(seed), steps)));
    assert!(ended.is_ok(), "see above; again with ORCH_TEST_SEED={seed} ORCH_TEST_STEPS={steps}");
}

/// What the hub does to the next push: the file `fault` names it, and goes. Before anything moved it refuses or dies.
const BEFORE: &str = r#"#!/bin/sh
cat > /dev/null
fault=$(cat "$GIT_DIR/fault" 2>/dev/null) || exit 0
case "$fault" in
    refuse) rm -f "$GIT_DIR/fault"; exit 1 ;;
    cut) rm -f "$GIT_DIR/fault"; kill -9 $PPID ;;
esac
exit 0
"#;

/// Once all has moved it dies, and nobody hears of it.
const AFTER: &str = r#"#!/bin/sh
cat > /dev/null
test "$1" = committed && test "$(cat "$GIT_DIR/fault" 2>/dev/null)" = reply || exit 0
rm -f "$GIT_DIR/fault"
kill -9 $PPID
"#;

const MINUTE: u64 = 60_000;

/// How wrong a clock is, in milliseconds: as far as it is followed, farther, or much farther. Two such clocks are less
/// than a day apart: beyond that a state is refused, which a test below looks at.
fn wrong(dice: &mut Dice) -> i64 {
    let far = *dice.one_of(&[0, 4 * MINUTE, 60 * MINUTE, 11 * 60 * MINUTE]);
    let ms = i64::try_from(dice.below(far + 1)).expect("hours");
    if dice.below(2) == 0 { ms } else { -ms }
}

/// A team, and what it was told.
struct Chaos {
    team: Team,
    /// How far each clone's clock is ahead, in milliseconds.
    clocks: Vec<i64>,
    /// Tasks that were added, by the clone that said so.
    added: BTreeSet<String>,
    /// Who was told to have a task, confirmed, and did not try to give it back.
    owners: BTreeMap<String, usize>,
    /// The last fence that somebody was told with a task.
    fences: BTreeMap<String, u64>,
    /// What the title of a task may be: what was written by who had seen the one before; else either.
    titles: BTreeMap<String, BTreeSet<String>>,
}

fn name(n: usize) -> String {
    format!("person:c{n}@example.com")
}

impl Chaos {
    fn of(count: usize) -> Self {
        let team = Team::of(count);
        for (n, clone) in team.clones.iter().enumerate() {
            clone.git(&["config", "user.email", &format!("c{n}@example.com")]).success();
        }
        let hub = team.hub.repo();
        hub.write("hooks/pre-receive", BEFORE);
        hub.write("hooks/reference-transaction", AFTER);
        hub.sh("chmod +x hooks/pre-receive hooks/reference-transaction").success();
        Self {
            team,
            clocks: vec![0; count],
            added: BTreeSet::new(),
            owners: BTreeMap::new(),
            fences: BTreeMap::new(),
            titles: BTreeMap::new(),
        }
    }

    /// Sets the clock of a clone.
    fn set(&mut self, n: usize, clock: i64) {
        println!("the clock of c{n} is {clock} ms ahead");
        self.clocks[n] = clock;
    }

    /// The program in a clone, by its clock.
    fn cmd(&self, n: usize, args: &[&str]) -> Cmd {
        self.team.clones[n].cmd(ORCH).args(args).var("ORCH_TEST_CLOCK", self.clocks[n].to_string())
    }

    fn orch(&self, n: usize, args: &[&str]) -> Outcome {
        self.cmd(n, args).run()
    }

    fn list(&self, n: usize) -> Vec<Value> {
        let list = self.orch(n, &["list", "--json"]).success();
        serde_json::from_str(&list.stdout).expect("JSON")
    }

    /// The tasks that a clone takes for its own, and confirmed to be.
    fn confirmed(&self, n: usize) -> Vec<String> {
        let is_own = |task: &&Value| task["owner"] == name(n) && task["claim"] == "confirmed";
        let id = |task: &Value| task["id"].as_str().expect("an id").to_owned();
        self.list(n).iter().filter(is_own).map(id).collect()
    }

    /// What is so after every step.
    fn holds(&self) {
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        for n in 0..self.team.clones.len() {
            for id in self.confirmed(n) {
                let other = owners.insert(id.clone(), n);
                assert_eq!(other, None, "two clones have task {id}, this one and c{n}");
            }
        }
        for (id, n) in &self.owners {
            assert_eq!(owners.get(id), Some(n), "who was told to have task {id} has it");
        }
    }

    /// One command, which `run` runs; None: it did not end by itself.
    fn act(&mut self, n: usize, dice: &mut Dice, run: &mut dyn FnMut(&Cmd) -> Option<String>) {
        match dice.below(10) {
            0 | 1 => {
                let said = run(&self.cmd(n, &["add", "work", "--kind", "feature"]));
                let id = said.as_deref().and_then(|said| said.lines().next()).unwrap_or_default();
                self.added.extend(Some(id.to_owned()).filter(|id| !id.is_empty()));
            }
            2..=5 => self.take(n, run),
            6 => {
                let own = self.confirmed(n);
                if own.is_empty() {
                    return;
                }
                let id = dice.one_of(&own).clone();
                self.owners.remove(&id);
                run(&self.cmd(n, &["release", &id]));
            }
            7 => {
                // Any that it knows of: what others wrote, too.
                let list = self.list(n);
                if list.is_empty() {
                    return;
                }
                let id = dice.one_of(&list)["id"].as_str().expect("an id").to_owned();
                let title = format!("title {}", dice.below(1_000_000));
                self.edit(n, &id, title, run);
            }
            _ => drop(run(&self.cmd(n, &["sync"]))),
        }
    }

    fn take(&mut self, n: usize, run: &mut dyn FnMut(&Cmd) -> Option<String>) {
        let said = run(&self.cmd(n, &["next", "--no-worktree", "--require-confirmed", "--json"]));
        let taken: Option<Value> = said.and_then(|said| serde_json::from_str(&said).ok());
        let Some(taken) = taken else { return };
        if let (Some(id), Some(fence)) = (taken["id"].as_str(), taken["fence"].as_u64()) {
            self.owners.insert(id.to_owned(), n);
            let last = self.fences.insert(id.to_owned(), fence);
            assert!(last.is_none_or(|last| last < fence), "task {id}: fence {fence} came after {last:?}");
        }
    }

    fn edit(&mut self, n: usize, id: &str, title: String, run: &mut dyn FnMut(&Cmd) -> Option<String>) {
        let list = self.list(n);
        let task = list.iter().find(|task| task["id"] == id).expect("it has it");
        let seen = BTreeSet::from([task["title"].as_str().expect("a title").to_owned()]);
        let done = run(&self.cmd(n, &["edit", id, "--title", &title])).is_some();
        let may_be = self.titles.entry(id.to_owned()).or_insert_with(|| seen.clone());
        if done && *may_be == seen {
            may_be.clear();
        }
        may_be.insert(title);
    }

    /// The network works again, and everybody syncs: all have the same, nothing is lost, nothing is broken.
    fn heals(&mut self) {
        let hub = self.team.hub.repo();
        hub.sh("rm -f fault").success();
        for n in (0..self.clocks.len()).cycle().take(2 * self.clocks.len()) {
            self.orch(n, &["sync"]).success();
        }
        assert_eq!(self.team.trees().len(), 1, "all have the same tree");
        self.holds();
        let list = self.list(0);
        let there: BTreeSet<&str> = list.iter().filter_map(|task| task["id"].as_str()).collect();
        for id in &self.added {
            assert!(there.contains(id.as_str()), "task {id} was added, and is gone");
        }
        for (id, may_be) in &mut self.titles {
            let task = list.iter().find(|task| task["id"] == id.as_str()).expect("it was found before");
            let title = task["title"].as_str().expect("a title");
            assert!(may_be.contains(title), "task {id} is called {title} and not one of {may_be:?}");
            // From here on all have seen it.
            may_be.retain(|other| other == title);
        }
        for repo in self.team.clones.iter().chain([hub]) {
            repo.git(&["fsck", "--strict", "--no-dangling"]).success();
        }
        for n in 0..self.clocks.len() {
            self.orch(n, &["doctor"]).success();
        }
    }
}

#[test]
fn whatever_the_network_does_every_task_has_one_owner() {
    seeded(40, |dice, steps| {
        let mut chaos = Chaos::of(3);
        let url = chaos.team.hub.url();
        let mut is_cut = [false; 3];
        (0..3).for_each(|n| chaos.set(n, wrong(dice)));
        for _ in 0..steps {
            let n = usize::try_from(dice.below(3)).expect("three");
            if dice.below(8) == 0 {
                chaos.set(n, wrong(dice));
            }
            match dice.below(8) {
                0 => {
                    is_cut[n] = !is_cut[n];
                    let url = if is_cut[n] { "/nowhere" } else { &url };
                    chaos.team.clones[n].git(&["config", "remote.hub.url", url]).success();
                }
                1 | 2 => {
                    let fault = *dice.one_of(&["refuse", "cut", "reply", "reply"]);
                    chaos.team.hub.repo().write("fault", fault);
                }
                _ => {}
            }
            chaos.act(n, dice, &mut |cmd| {
                let done = cmd.run().any();
                let known = [0, 4, 5, 6, 7, 8].contains(&done.status());
                assert!(known, "an end of a kind that nobody expects: {done}");
                (done.status() == 0).then(|| done.stdout.clone())
            });
            chaos.holds();
        }
        for clone in &chaos.team.clones {
            clone.git(&["config", "remote.hub.url", &url]).success();
        }
        chaos.heals();
    });
}

#[test]
fn whoever_is_killed_leaves_a_clone_that_goes_on() {
    seeded(120, |dice, steps| {
        let mut chaos = Chaos::of(2);
        (0..2).for_each(|n| chaos.set(n, wrong(dice)));
        for step in 0..steps {
            let n = usize::try_from(dice.below(2)).expect("two");
            if dice.below(8) == 0 {
                chaos.set(n, wrong(dice));
            }
            if dice.below(6) == 0 {
                let fault: &&str = dice.one_of(&["cut", "reply"]);
                chaos.team.hub.repo().write("fault", fault);
            }
            // Commands take some 10 to 200 ms.
            let limit = if dice.below(2) == 0 { 20_000 } else { 150_000 };
            let patience = Duration::from_micros(dice.below(limit));
            chaos.act(n, dice, &mut |cmd| {
                let mut running = cmd.spawn();
                Clock.wait(patience);
                running.kill();
                let done = running.wait().any();
                (done.status() == 0).then(|| done.stdout.clone())
            });
            chaos.orch(n, &["list", "--json"]).success();
            if step % 40 == 39 {
                chaos.heals();
            }
        }
        chaos.heals();
    });
}

#[cfg(debug_assertions)]
const HOUR: i64 = 3_600_000;

#[cfg(debug_assertions)]
#[test]
fn a_clock_that_is_more_than_a_day_ahead_is_nobody_elses() {
    let mut chaos = Chaos::of(2);
    let one = chaos.orch(0, &["add", "known to both"]).success().line();
    chaos.heals();
    chaos.set(1, 30 * HOUR);
    let theirs = chaos.orch(1, &["add", "of the future"]).success().line();
    chaos.orch(1, &["sync"]).success();
    let ours = chaos.orch(0, &["add", "of today"]).success().line();
    let before = chaos.team.clones[0].rev("refs/orch/state");
    let refused = chaos.orch(0, &["sync"]).code(8);
    assert!(refused.stderr.contains("sync.hostile") && refused.stderr.contains("a day ahead"), "{refused}");
    assert_eq!(chaos.team.clones[0].rev("refs/orch/state"), before, "nothing of it is taken over");
    chaos.orch(0, &["edit", &one, "--title", "work goes on"]).success();
    // Until the day has come, or the clock of who did not believe it was behind.
    chaos.set(0, 7 * HOUR);
    chaos.added.extend([one, theirs, ours]);
    chaos.heals();
    assert_eq!(chaos.list(1).iter().filter(|task| task["title"] == "work goes on").count(), 1);
}

#[cfg(debug_assertions)]
#[test]
fn a_claim_of_the_future_is_not_taken_away() {
    let mut chaos = Chaos::of(2);
    let id = chaos.orch(0, &["add", "known to both"]).success().line();
    chaos.heals();
    chaos.set(1, 30 * HOUR);
    let start = ["start", &id, "--no-worktree", "--require-confirmed", "--json"];
    chaos.orch(1, &start).success();
    let second = chaos.orch(0, &start).code(7);
    assert!(second.to_string().contains("more than a day ahead"), "{second}");

    chaos.set(0, 7 * HOUR);
    chaos.heals();
    assert_eq!(chaos.confirmed(1), [id]);
}

#[cfg(debug_assertions)]
#[test]
fn a_clock_that_was_put_back_does_not_keep_a_clone_from_looking() {
    let mut chaos = Chaos::of(2);
    chaos.set(1, 3 * HOUR);
    chaos.orch(1, &["next"]).code(5);
    chaos.set(1, 0);
    let id = chaos.orch(0, &["add", "new"]).success().line();
    chaos.orch(0, &["sync"]).success();
    assert_eq!(chaos.orch(1, &["next", "--no-worktree", "--json"]).success().json()["id"], id.as_str());
}
