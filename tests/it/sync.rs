//! Several clones and one remote: the state travels, nothing is lost, one task has one owner.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::env::{ORCH, Remote, TestEnv, TestRepo};
use crate::project::{counting_gate, names_rule, refused, wait_for};

/// Clones of one remote that has a trunk with a gate, each set up.
pub(crate) struct Team {
    /// The remote.
    pub(crate) hub: Remote,
    /// The clones.
    pub(crate) clones: Vec<TestRepo>,
}

impl Team {
    pub(crate) fn of(count: usize) -> Self {
        let env = TestEnv::new();
        let hub = env.remote("hub");
        let first = env.repo("clone0");
        first.commit("gate", &[("orch.toml", &counting_gate(&env)), ("src/a", "1\n")]);
        first.connect(&hub);
        first.orch(&["init"]).success();
        first.orch(&["sync"]).success();
        let mut clones = vec![first];
        for n in 1..count {
            let clone = env.clone_of(&hub, &format!("clone{n}"));
            clone.orch(&["init"]).success();
            clones.push(clone);
        }
        Self { hub, clones }
    }

    pub(crate) fn sync(&self) {
        for clone in &self.clones {
            clone.orch(&["sync"]).success();
        }
    }

    /// The tree of every clone's state and of the remote's, each once.
    pub(crate) fn trees(&self) -> BTreeSet<String> {
        let own = self.clones.iter().map(|clone| clone.rev("refs/orch/state^{tree}"));
        own.chain([self.hub.repo().rev("refs/orch/state^{tree}")]).collect()
    }
}

pub(crate) fn shown(repo: &TestRepo, id: &str) -> Value {
    serde_json::from_str(&repo.orch(&["show", id, "--json"]).success().stdout).expect("JSON")
}

pub(crate) fn json(repo: &TestRepo, args: &[&str]) -> Value {
    serde_json::from_str(&repo.orch(args).success().stdout).expect("JSON")
}

#[test]
fn what_one_clone_does_the_others_have() {
    let team = Team::of(3);
    let [a, b, c] = team.clones.as_slice() else { panic!("BUG: three") };
    let one = a.orch(&["add", "from a"]).success().line();
    let two = b.orch(&["add", "from b"]).success().line();
    a.orch(&["sync"]).success();
    b.orch(&["sync"]).success();
    c.orch(&["edit", &one, "--title", "unknown here"]).code(2);
    c.orch(&["sync"]).success();
    a.orch(&["sync"]).success();
    for clone in [a, b, c] {
        assert_eq!(shown(clone, &one)["title"], "from a");
        assert_eq!(shown(clone, &two)["title"], "from b");
    }
    assert_eq!(team.trees().len(), 1, "all have the same tree");
    let again = json(a, &["sync", "--json"]);
    assert_eq!((again["received"].as_array().map(Vec::len), &again["sent"]), (Some(0), &Value::from(0)));
    // The user's own repository is as it was.
    assert_eq!(a.git(&["config", "--get-all", "remote.hub.fetch"]).any().stdout.matches("orch").count(), 0);
    a.git(&["fetch", "--prune", "hub"]).success();
    assert!(a.try_rev("refs/orch/remotes/hub/state").is_some(), "not pruned");
}

#[test]
fn changes_made_apart_are_joined_and_a_lost_text_is_told() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "first", "--label", "x"]).success().line();
    team.sync();
    a.orch(&["edit", &id, "--title", "by a", "--label", "ours"]).success();
    b.orch(&["edit", &id, "--title", "by b", "--priority", "P0"]).success();
    a.orch(&["sync"]).success();
    let joined = b.orch(&["sync"]).success();
    a.orch(&["sync"]).success();
    assert_eq!(team.trees().len(), 1);
    let task = shown(a, &id);
    assert_eq!((&task["title"], &task["priority"]), (&Value::from("by b"), &Value::from("P0")));
    assert_eq!(task["labels"], serde_json::json!(["ours", "x"]));
    assert!(joined.stderr.contains("by a") && joined.stderr.contains("was not kept"), "{}", joined.stderr);
    let log = a.orch(&["log"]).success().to_string();
    assert!(log.contains("title by") && log.contains("by a"), "the loser is in the audit trail: {log}");
}

#[test]
fn a_claim_is_confirmed_and_nobody_else_gets_it() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "only one"]).success().line();
    let mine = json(a, &["next", "--no-worktree", "--json"]);
    assert_eq!((&mine["id"], &mine["claim"]), (&Value::from(id.as_str()), &Value::from("confirmed")));
    // Without a sync of its own: `next` brings what there is.
    refused(b.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
    refused(b.orch(&["next", "--no-worktree"]), 5, "queue.empty");
    a.orch(&["release", &id]).success();
    let theirs = json(b, &["start", &id, "--no-worktree", "--json", "--require-confirmed"]);
    assert_eq!(theirs["claim"], "confirmed");
    assert!(theirs["fence"].as_u64() > mine["fence"].as_u64(), "{theirs} {mine}");
    team.sync();
    team.sync();
    assert_eq!(team.trees().len(), 1);
}

#[test]
fn of_two_claims_made_apart_the_first_at_the_remote_wins() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "wanted"]).success().line();
    team.sync();
    let url = team.hub.url();
    // Offline: both take it.
    for clone in [a, b] {
        clone.git(&["config", "remote.hub.url", "/nowhere"]).success();
        let taken = clone.orch(&["start", &id, "--no-worktree"]).success();
        assert!(taken.stderr.contains("this clone's only"), "{}", taken.stderr);
        assert_eq!(shown(clone, &id)["claim"], "local");
        refused(clone.orch(&["sync"]), 7, "sync.offline");
        clone.git(&["config", "remote.hub.url", &url]).success();
    }
    // However often the loser does something alone, the remote's answer outranks it.
    for _ in 0..3 {
        b.git(&["config", "orch.sync", "manual"]).success();
        b.orch(&["release", &id]).success();
        b.orch(&["start", &id, "--no-worktree"]).success();
    }
    b.git(&["config", "orch.sync", "auto"]).success();
    assert_eq!(json(a, &["sync", "--json"])["confirmed"], serde_json::json!([id]));
    let lost = json(b, &["sync", "--json"]);
    assert_eq!(lost["lost"][0]["task"], id.as_str(), "{lost}");
    team.sync();
    assert_eq!(team.trees().len(), 1);
    assert_eq!(shown(a, &id)["claim"], "confirmed");
    assert_eq!(shown(b, &id)["claim"], "lost");
    refused(b.orch(&["release", &id]), 6, "task.held");
}

#[test]
fn a_claim_that_is_lost_while_the_state_is_shared_is_not_taken_for_ours() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let first = a.orch(&["add", "first", "--priority", "P0"]).success().line();
    let second = a.orch(&["add", "second"]).success().line();
    team.sync();
    // The other clone does not look again so soon: it claims the same, and hears when it shares its state.
    assert_eq!(json(a, &["next", "--no-worktree", "--json"])["id"], first.as_str());
    let theirs = json(b, &["next", "--no-worktree", "--json"]);
    assert_eq!((&theirs["id"], &theirs["claim"]), (&Value::from(second), &Value::from("confirmed")));
}

#[test]
fn every_task_goes_to_one_of_many_clones() {
    const CLONES: usize = 4;
    const TASKS: usize = 12;
    let team = Team::of(CLONES);
    let list: Vec<String> = (0..TASKS).map(|n| format!("- [ ] task {n}")).collect();
    team.clones[0].write("../list.md", &list.join("\n"));
    team.clones[0].orch(&["add", "--from", "../list.md"]).success();
    team.sync();
    let running: Vec<_> = team
        .clones
        .iter()
        .flat_map(|clone| (0..2).map(move |_| clone))
        .map(|clone| {
            let line = "while git orch next --no-worktree --require-confirmed --json >> taken.$$; do :; done";
            clone.cmd("sh").args(&["-c", line]).spawn()
        })
        .collect();
    for running in running {
        running.wait().any();
    }
    let mut taken = Vec::new();
    for clone in &team.clones {
        for text in
            clone.sh("cat taken.* 2>/dev/null").any().stdout.split("}\n").filter(|t| !t.trim().is_empty())
        {
            let task: Value = serde_json::from_str(&format!("{text}}}")).expect("JSON");
            if task["claim"] == "confirmed" {
                taken.push(task["id"].as_str().expect("id").to_owned());
            }
        }
    }
    let different: BTreeSet<&String> = taken.iter().collect();
    assert_eq!((taken.len(), different.len()), (TASKS, TASKS), "each once: {taken:?}");
    team.sync();
    team.sync();
    assert_eq!(team.trees().len(), 1);
}

#[test]
fn a_clone_that_lost_walks_on_elsewhere_and_does_not_lose_again() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    for n in 0..12 {
        a.orch(&["add", &format!("task {n}")]).success();
    }
    team.sync();
    let next = ["next", "--no-worktree", "--require-confirmed", "--json"];
    let claim = |clone: &TestRepo| json(clone, &next)["id"].as_str().expect("an id").to_owned();
    let mut taken: Vec<String> = (0..3).map(|_| claim(a)).collect();
    // What b fetched is good enough for it, and so it tries what a has.
    let first = claim(b);
    let free: Vec<String> = json(b, &["list", "--ready", "--json"])
        .as_array()
        .expect("an array")
        .iter()
        .map(|task| task["id"].as_str().expect("an id").to_owned())
        .collect();
    let mut around: Vec<&String> = free.iter().collect();
    around.sort_by_key(|id| (**id < first, *id));
    let walked: Vec<String> = (0..3).map(|_| claim(b)).collect();
    assert_eq!(walked.iter().collect::<Vec<_>>(), around[..3], "in the order of ids, from {first} on");
    taken.extend(walked);
    assert!(!taken.contains(&first));
}

#[test]
fn finished_work_is_seen_by_everybody() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let first = a.orch(&["add", "first", "--kind", "feature"]).success().line();
    let second = a.orch(&["add", "second", "--kind", "feature", "--needs", &first]).success().line();
    let taken = json(a, &["start", &first, "--json"]);
    let worktree = a.env().at(taken["path"].as_str().expect("path"));
    worktree.commit("work", &[("new", "x\n")]);
    refused(b.orch(&["next", "--no-worktree"]), 5, "queue.empty");
    a.orch(&["merge", &first]).success();
    let next = json(b, &["next", "--json"]);
    assert_eq!(next["id"], second.as_str());
    assert_eq!(shown(b, &first)["status"], "done");
    // The claim of finished work stays for a while: it stops who has not heard of it yet.
    let claims =
        team.hub.repo().git(&["log", "--no-walk", "--format=%s", "--glob=refs/orch/claims"]).success();
    let mut claims: Vec<String> = claims.stdout.lines().map(str::to_owned).collect();
    claims.sort();
    let mut expected = [format!("claim {first} done"), format!("claim {second} claimed")];
    expected.sort();
    assert_eq!(claims, expected);
}

#[test]
fn a_state_that_was_deleted_is_told_and_put_back_when_asked() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "kept"]).success().line();
    team.sync();
    // As `git push --mirror` of a clone without git-orch does.
    team.hub.repo().git(&["update-ref", "-d", "refs/orch/state"]).success();
    let told = refused(a.orch(&["sync"]), 8, "sync.gone");
    assert!(told.stderr.contains("--restore"), "{}", told.stderr);
    let told = a.orch(&["next"]).success();
    assert!(told.stderr.contains("somebody deleted it"), "{}", told.stderr);
    assert!(team.hub.repo().try_rev("refs/orch/state").is_none(), "not put back unasked");
    let agent = a.cmd(ORCH).args(&["sync", "--restore"]).var("ORCH_TASK", &id);
    refused(agent.run(), 4, "person.only");
    a.orch(&["sync", "--restore"]).success();
    b.orch(&["sync"]).success();
    assert_eq!(shown(b, &id)["status"], "claimed");
}

#[test]
fn a_state_that_was_rewound_is_told_and_joined_when_asked() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    a.orch(&["add", "first"]).success();
    team.sync();
    let old = team.hub.repo().rev("refs/orch/state");
    let second = a.orch(&["add", "second"]).success().line();
    team.sync();
    team.hub.repo().git(&["update-ref", "refs/orch/state", &old]).success();
    let told = refused(b.orch(&["sync"]), 8, "sync.rewound");
    assert!(told.stderr.contains("1 change"), "{}", told.stderr);
    assert_eq!(team.hub.repo().rev("refs/orch/state"), old);
    b.orch(&["sync", "--restore"]).success();
    a.orch(&["sync"]).success();
    assert_eq!(team.trees().len(), 1);
    assert_eq!(shown(a, &second)["title"], "second");
}

#[test]
fn the_state_of_another_repository_is_not_joined_unasked() {
    let team = Team::of(1);
    let a = &team.clones[0];
    let ours = a.orch(&["add", "ours"]).success().line();
    a.orch(&["sync"]).success();
    let env = a.env();
    let other = env.repo("other");
    other.commit("gate", &[("orch.toml", &counting_gate(env))]);
    other.orch(&["init"]).success();
    let theirs = other.orch(&["add", "theirs"]).success().line();
    other.git(&["remote", "add", "hub", &team.hub.url()]).success();
    let told = refused(other.orch(&["sync"]), 8, "sync.unrelated");
    assert!(told.stderr.contains("--adopt"), "{}", told.stderr);
    refused(other.orch(&["show", &ours]), 2, "id.unknown");
    other.orch(&["sync", "--adopt"]).success();
    assert_eq!(shown(&other, &ours)["title"], "ours");
    a.orch(&["sync"]).success();
    assert_eq!(shown(a, &theirs)["title"], "theirs");
    assert_eq!(team.trees().len(), 1);
}

#[test]
fn a_hostile_state_is_refused_and_ours_is_as_it_was() {
    let team = Team::of(1);
    let a = &team.clones[0];
    a.orch(&["add", "ours"]).success();
    a.orch(&["sync"]).success();
    let (ours, hub) = (a.rev("refs/orch/state"), team.hub.repo());
    let plant = [
        ("a link", "blob=$(printf x | git hash-object -w --stdin); echo \"120000 $blob 0\ttasks/00/x\""),
        ("a submodule", "echo \"160000 $(git rev-parse refs/heads/main) 0\ttasks/00/x\""),
        ("executable", "blob=$(printf x | git hash-object -w --stdin); echo \"100755 $blob 0\ttasks/00/x\""),
        ("a name", "blob=$(printf x | git hash-object -w --stdin); echo \"100644 $blob 0\ttasks/00/a b\""),
        (
            "large",
            "blob=$(head -c 104857600 /dev/zero | git hash-object -w --stdin); echo \"100644 $blob 0\tlarge\"",
        ),
        (
            "no text",
            "blob=$(printf '\\377' | git hash-object -w --stdin); echo \"100644 $blob 0\ttasks/00/x\"",
        ),
    ];
    for (what, entry) in plant {
        let line = format!(
            "export GIT_INDEX_FILE=$PWD/evil.index; rm -f evil.index; git read-tree refs/orch/state && \
             {{ {entry}; }} | git update-index --index-info && \
             c=$(git -c user.name=e -c user.email=e commit-tree -p refs/orch/state -m evil $(git write-tree)) && \
             git update-ref refs/orch/state $c"
        );
        hub.sh(&line).success();
        refused(a.orch(&["sync"]), 8, "sync.hostile");
        assert_eq!(a.rev("refs/orch/state"), ours, "{what}");
        let told = a.orch(&["next", "--peek"]).success();
        assert_eq!(told.stderr.matches("error").count(), 0, "{what}: {}", told.stderr);
        hub.git(&["update-ref", "refs/orch/state", &ours]).success();
    }
    a.orch(&["sync"]).success();
}

#[test]
fn a_remote_that_takes_no_such_refs_is_told_and_work_goes_on() {
    let team = Team::of(1);
    let (a, hub) = (&team.clones[0], team.hub.repo());
    let id = a.orch(&["add", "ours"]).success().line();
    hub.write("hooks/update", "#!/bin/sh\ncase \"$1\" in refs/heads/*) exit 0;; esac\nexit 1\n");
    hub.sh("chmod +x hooks/update").success();
    let told = a.orch(&["sync"]);
    let told = told.code(8);
    assert!(told.stderr.contains("orch.ref"), "{}", told.stderr);
    let told = a.orch(&["start", &id, "--no-worktree"]).success();
    assert!(told.stderr.contains("takes none"), "{}", told.stderr);
    assert_eq!(shown(a, &id)["claim"], "local");
    a.orch(&["release", &id]).success();
    refused(a.orch(&["start", &id, "--no-worktree", "--require-confirmed"]), 7, "claim.unconfirmed");
    assert_eq!(shown(a, &id)["status"], "open", "given back");
    a.git(&["config", "orch.ref", "refs/heads/orch/state"]).success();
    a.orch(&["sync"]).any();
    assert_eq!(hub.rev("refs/heads/orch/state"), a.rev("refs/orch/state"));
}

#[test]
fn manual_means_that_nothing_travels_by_itself() {
    let team = Team::of(1);
    let a = &team.clones[0];
    a.git(&["config", "orch.sync", "manual"]).success();
    let id = a.orch(&["add", "ours"]).success().line();
    let before = team.hub.repo().rev("refs/orch/state");
    let taken = json(a, &["start", &id, "--no-worktree", "--json"]);
    assert_eq!(taken["claim"], "local");
    refused(a.orch(&["start", &id, "--no-worktree", "--require-confirmed"]), 7, "claim.unconfirmed");
    assert_eq!(team.hub.repo().rev("refs/orch/state"), before);
    a.orch(&["sync"]).success();
    assert_eq!(team.hub.repo().rev("refs/orch/state"), a.rev("refs/orch/state"));
}

/// A loop in `clone` whose agent waits until `go` is there; by leases of a second.
fn long_run(clone: &TestRepo) -> crate::run::Running {
    for key in ["orch.workerLease", "orch.takeoverGrace"] {
        clone.git(&["config", key, "1s"]).success();
    }
    let agent = "touch ../at-work; while ! test -e ../go; do sleep 0.05; done; echo y >> src/a";
    let running =
        clone.cmd(ORCH).args(&["run", "--max-tasks", "1", "--merge", "auto", "--agent", agent]).spawn();
    let at_work = clone.path("../clone0.orch/at-work");
    wait_for("the agent", || git_orch::sys::fs::exists(&at_work));
    running
}

#[test]
fn a_living_worker_of_another_clone_keeps_its_task() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "long work"]).success().line();
    let before = a.rev("refs/orch/state");
    let running = long_run(a);
    b.git(&["config", "orch.takeoverGrace", "1s"]).success();
    let claimed = a.rev("refs/orch/state");
    // Several leases long; each try would tell an owner that is not heard of, and take over the next time.
    let place = format!("refs/orch/claims/{}/{id}", &id[..2]);
    for _ in 0..8 {
        let seen = team.hub.repo().rev(&place);
        refused(b.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
        wait_for("a renewal", || team.hub.repo().rev(&place) != seen);
    }
    let renewals =
        a.git(&["rev-list", "--count", &format!("{before}..{}", a.rev("refs/orch/state"))]).success();
    let at_claim = a.git(&["rev-list", "--count", &format!("{before}..{claimed}")]).success();
    assert_eq!(renewals.line(), at_claim.line(), "renewals are no changes of state");
    a.write("../clone0.orch/go", "");
    running.wait().success();
    b.orch(&["sync"]).success();
    assert_eq!(shown(b, &id)["status"], "done");
}

#[test]
fn a_dead_worker_s_task_is_taken_over_after_it_was_told() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "abandoned"]).success().line();
    let mut run = long_run(a);
    run.kill();
    run.wait().any();
    a.write("../clone0.orch/go", "");
    b.git(&["config", "orch.takeoverGrace", "1s"]).success();
    let fence = |repo: &TestRepo| shown(repo, &id)["fence"].as_u64().expect("a fence");
    let mut told = 0;
    wait_for("the takeover", || {
        let done = b.orch(&["start", &id, "--no-worktree"]);
        if done.status() == 0 {
            return true;
        }
        let done = done.code(6);
        told += usize::from(names_rule(&done.stderr, "claim.told"));
        assert!(names_rule(&done.stderr, "task.held") || told > 0, "{}", done.stderr);
        false
    });
    assert!(told > 0, "never without a word");
    assert_eq!((fence(b), &shown(b, &id)["claim"]), (2, &Value::from("confirmed")));
    // Who comes back finds it gone.
    let done = a.orch(&["run", "--max-tasks", "1", "--agent", "echo z >> src/a"]).any();
    assert_eq!(shown(a, &id)["owner"], shown(b, &id)["owner"], "{}", done.stderr);
    assert_eq!(fence(a), 2);
}

#[test]
fn a_host_that_takes_only_branches_arbitrates_by_the_state() {
    let team = Team::of(3);
    let hub = team.hub.repo();
    hub.git(&["update-ref", "-d", "refs/orch/state"]).success();
    hub.write("hooks/update", "#!/bin/sh\ncase \"$1\" in refs/heads/*) exit 0;; esac\nexit 1\n");
    hub.sh("chmod +x hooks/update").success();
    for clone in &team.clones {
        clone.git(&["config", "orch.ref", "refs/heads/orch/state"]).success();
        clone.git(&["config", "orch.claims", "batched"]).success();
    }
    let [a, b, c] = team.clones.as_slice() else { panic!("BUG: three") };
    let id = a.orch(&["add", "wanted"]).success().line();
    team.sync();
    team.sync();
    assert_eq!(
        team.clones.iter().map(|clone| clone.rev("refs/orch/state^{tree}")).collect::<BTreeSet<_>>().len(),
        1
    );
    let tries: Vec<_> = [a, b, c]
        .map(|clone| clone.cmd(ORCH).args(&["start", &id, "--no-worktree", "--json"]).spawn())
        .into();
    let won: Vec<bool> = tries.into_iter().map(|running| running.wait().status() == 0).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    team.sync();
    let claims: Vec<Value> = [a, b, c].map(|clone| shown(clone, &id)["claim"].clone()).into();
    assert_eq!(
        claims.iter().filter(|claim| *claim == "confirmed").count(),
        3,
        "seen by all alike: {claims:?}"
    );
    assert!(hub.git(&["for-each-ref", "refs/orch"]).success().stdout.is_empty());
    // Made offline, and confirmed by the next sync; merged by who has it.
    let other = a.orch(&["add", "offline", "--kind", "feature"]).success().line();
    let url = team.hub.url();
    a.git(&["config", "remote.hub.url", "/nowhere"]).success();
    let taken = json(a, &["start", &other, "--json"]);
    assert_eq!(taken["claim"], "local");
    a.git(&["config", "remote.hub.url", &url]).success();
    a.orch(&["sync"]).success();
    assert_eq!(shown(a, &other)["claim"], "confirmed");
    a.env().at(taken["path"].as_str().expect("path")).commit("work", &[("new", "x\n")]);
    a.orch(&["merge", &other]).success();
    b.orch(&["sync"]).success();
    assert_eq!(shown(b, &other)["status"], "done");
}

#[test]
fn what_one_clone_merged_for_itself_is_not_there_for_the_others() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let first = a.orch(&["add", "first", "--kind", "feature"]).success().line();
    let second = a.orch(&["add", "second", "--kind", "feature", "--needs", &first]).success().line();
    let taken = json(a, &["start", &first, "--json"]);
    a.env().at(taken["path"].as_str().expect("path")).commit("work", &[("new", "x\n")]);
    a.orch(&["merge", "--no-push", &first]).success();
    team.sync();
    for clone in [a, b] {
        assert_eq!(shown(clone, &first)["status"], "done");
        let told = refused(clone.orch(&["next"]), 5, "queue.empty");
        assert!(told.stderr.contains(&first), "what it waits for: {}", told.stderr);
        refused(clone.orch(&["next", "--peek"]), 5, "queue.empty");
        let told = refused(clone.orch(&["start", &second]), 4, "task.needs");
        assert!(told.stderr.contains("hub/main has not yet"), "{}", told.stderr);
    }
    a.orch(&["push", "hub", "main"]).success();
    assert_eq!(json(b, &["next", "--json"])["id"], second.as_str());
}

#[test]
fn doctor_knows_how_the_state_is_shared() {
    let team = Team::of(1);
    let a = &team.clones[0];
    let told = |expected: &str| {
        let done = a.orch(&["doctor"]).any();
        assert!(done.stdout.contains(expected), "{expected}: {}\n{}", done.stdout, done.stderr);
    };
    a.orch(&["add", "x"]).success();
    told("hub lacks 1 change of this clone's state");
    a.orch(&["sync"]).success();
    told("none touches refs/orch/*");
    team.hub.repo().git(&["update-ref", "-d", "refs/orch/state"]).success();
    refused(a.orch(&["sync"]), 8, "sync.gone");
    told("has none any more: somebody deleted it");
}

#[test]
fn a_clone_whose_state_was_put_back_does_not_take_the_remote_along() {
    let team = Team::of(1);
    let a = &team.clones[0];
    let old = a.rev("refs/orch/state");
    let id = a.orch(&["add", "x"]).success().line();
    a.orch(&["sync"]).success();
    let before = team.hub.repo().rev("refs/orch/state");
    a.sh(&format!("git -c core.hooksPath=/dev/null update-ref refs/orch/state {old}")).success();
    a.orch(&["sync"]).success();
    assert_eq!(shown(a, &id)["title"], "x");
    let hub = team.hub.repo();
    hub.git(&["merge-base", "--is-ancestor", &before, "refs/orch/state"]).success();
}

#[test]
fn a_remote_that_never_answers_keeps_nobody_from_giving_a_task_back() {
    let team = Team::of(1);
    let a = &team.clones[0];
    let id = a.orch(&["add", "x"]).success().line();
    a.orch(&["start", &id, "--no-worktree"]).success();
    a.write("../ssh", "#!/bin/sh\nexec sleep 600\n");
    a.sh("chmod +x ../ssh && git config ssh.variant simple && git config core.sshCommand $PWD/../ssh")
        .success();
    let url = team.hub.url();
    a.git(&["config", "remote.hub.url", "ssh://nobody.invalid/x"]).success();
    a.git(&["config", "orch.networkTimeout", "300ms"]).success();
    a.orch(&["release", &id]).success();
    assert_eq!(shown(a, &id)["status"], "open");
    a.git(&["config", "remote.hub.url", &url]).success();
    a.git(&["config", "orch.networkTimeout", "0s"]).success();
    // What it was not told then, it is told now.
    a.orch(&["sync"]).success();
    let place = format!("refs/orch/claims/{}/{id}:claim.toml", &id[..2]);
    assert!(team.hub.repo().git(&["show", &place]).success().stdout.contains("status = \"open\""));
}
