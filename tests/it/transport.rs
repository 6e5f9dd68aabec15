//! Connections that are cut, and pushes that are taken in part: nothing is lost, nobody waits for ever, the next sync
//! makes up for it.

use crate::env::TestRepo;
use crate::project::refused;
use crate::sync::{Team, json, shown};

/// Has git reach the remote through a program that lets so many bytes through, in one direction.
fn cut(clone: &TestRepo, program: &str, way: &str, bytes: usize) {
    let git = program.replace("pack", "-pack");
    let pipe = match way {
        "asking" => format!("head -c {bytes} | git {git} \"$@\""),
        _ => format!("git {git} \"$@\" | head -c {bytes}"),
    };
    clone.write("../cut", &format!("#!/bin/sh\n{pipe}\n"));
    clone.sh("chmod +x ../cut").success();
    let path = clone.path("../cut");
    clone.git(&["config", &format!("remote.hub.{program}"), path.to_str().expect("text")]).success();
}

#[test]
fn a_connection_that_is_cut_loses_nothing() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    // Two that each wait for the other one wait until then.
    let patience = ["config", "orch.networkTimeout"];
    let mut count = 0;
    for program in ["receivepack", "uploadpack"] {
        for way in ["asking", "answering"] {
            for bytes in [0, 300, 1_500] {
                let what = format!("{program} {way} {bytes}");
                let id = a.orch(&["add", &what]).success().line();
                a.git(&[&patience[..], &["1s"]].concat()).success();
                cut(a, program, way, bytes);
                let done = a.orch(&["sync"]).any();
                assert!(matches!(done.status(), 0 | 7 | 8), "{what}: {done}");
                let taken = json(a, &["start", &id, "--no-worktree", "--json"]);
                assert!(taken["claim"] == "local" || taken["claim"] == "confirmed", "{what}: {taken}");
                a.git(&["config", "--unset", &format!("remote.hub.{program}")]).success();
                a.git(&[&patience[..], &["60s"]].concat()).success();
                a.orch(&["sync"]).success();
                assert_eq!(shown(a, &id)["claim"], "confirmed", "{what}");
                refused(b.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
                count += 1;
            }
        }
    }
    team.sync();
    assert_eq!(team.trees().len(), 1);
    assert_eq!(json(b, &["list", "--json"]).as_array().map(Vec::len), Some(count));
    for repo in [a, b, team.hub.repo()] {
        repo.git(&["fsck", "--no-dangling"]).success();
    }
}

#[test]
fn trunk_and_the_task_s_claim_move_together_or_not_at_all() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "wanted", "--kind", "feature"]).success().line();
    let path = json(a, &["start", &id, "--json"])["path"].as_str().expect("a path").to_owned();
    a.env().at(&path).commit("work", &[("new", "x\n")]);
    let hub = team.hub.repo();
    let (trunk, claim) = (hub.rev("main"), format!("refs/orch/claims/{}/{id}", &id[..2]));
    let held = hub.rev(&claim);
    hub.write("hooks/update", "#!/bin/sh\ncase \"$1\" in refs/orch/claims/*) echo >&2 no; exit 1;; esac\n");
    hub.sh("chmod +x hooks/update").success();
    let done = a.orch(&["merge", &id]).any();
    assert_ne!(done.status(), 0, "{done}");
    assert_eq!((hub.rev("main"), hub.rev(&claim)), (trunk.clone(), held), "{done}");
    assert_eq!((a.rev("main"), shown(a, &id)["status"].as_str()), (trunk.clone(), Some("claimed")), "{done}");
    hub.sh("rm hooks/update").success();
    a.orch(&["merge", &id]).success();
    assert_eq!(hub.rev("main"), a.rev("main"));
    b.orch(&["sync"]).success();
    assert_eq!(shown(b, &id)["status"], "done");
}

#[test]
fn another_session_of_the_same_clone_takes_over_at_once_for_everybody() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "abandoned"]).success().line();
    let at_work = a.path("../at-work");
    let agent = format!("touch '{}'; sleep 600", at_work.display());
    let mut run = a
        .cmd(crate::env::ORCH)
        .args(&["run", "--max-tasks", "1", "--merge", "auto", "--agent", &agent])
        .spawn();
    crate::project::wait_for("the agent", || git_orch::sys::fs::exists(&at_work));
    run.kill();
    run.wait().any();
    // Its process is gone on this machine: nobody has to be told, and no lease has to end.
    let taken = json(a, &["start", &id, "--json"]);
    assert_eq!((&taken["claim"], taken["fence"].as_u64()), (&"confirmed".into(), Some(2)));
    b.orch(&["sync"]).success();
    assert_eq!(shown(b, &id)["owner"], shown(a, &id)["owner"]);
    refused(b.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
}

#[test]
fn a_sync_sends_what_a_heartbeat_fetched_meanwhile() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    a.orch(&["add", "ours"]).success();
    let theirs = b.orch(&["add", "theirs"]).success().line();
    b.orch(&["sync"]).success();
    // As a worker's heartbeat does: fetched beside ours, and not joined.
    a.git(&["fetch", "--quiet", "hub", "+refs/orch/state:refs/orch/remotes/hub/fetched/state"]).success();
    a.orch(&["doctor"]).success();
    a.git(&["config", "orch.networkTimeout", "30s"]).success();
    let hub = team.hub.repo().rev("refs/orch/state");
    // Nothing new there: what was fetched is what the claim is pushed with.
    let id = a.orch(&["add", "more"]).success().line();
    a.orch(&["start", &id, "--no-worktree"]).success();
    assert_ne!(team.hub.repo().rev("refs/orch/state"), hub, "sent");
    assert_eq!(shown(a, &theirs)["title"], "theirs");
}

#[test]
fn what_a_power_cut_left_of_a_tracking_ref_is_fetched_again() {
    let team = Team::of(1);
    let a = &team.clones[0];
    a.orch(&["add", "x"]).success();
    a.orch(&["sync"]).success();
    for name in ["state", "fetched/state"] {
        a.sh(&format!(": > .git/refs/orch/remotes/hub/{name}")).success();
        a.orch(&["sync"]).success();
        assert!(a.try_rev("refs/orch/remotes/hub/state").is_some(), "{name}");
    }
}

#[test]
fn many_claims_made_offline_make_few_packs() {
    let team = Team::of(1);
    let a = &team.clones[0];
    let plan: Vec<String> = (0..60).map(|n| format!("- [ ] task {n}")).collect();
    a.write("../plan.md", &plan.join("\n"));
    let ids = a.orch(&["add", "--from", "../plan.md"]).success().lines();
    a.orch(&["sync"]).success();
    a.git(&["config", "orch.sync", "manual"]).success();
    for id in &ids {
        a.orch(&["start", id, "--no-worktree"]).success();
    }
    a.orch(&["sync"]).success();
    let packs = a.sh("ls .git/objects/pack/*.keep | wc -l").success().line();
    assert!(packs.trim().parse::<usize>().expect("a number") <= 40, "{packs}");
    assert_eq!(shown(a, &ids[59])["claim"], "confirmed");
}

#[test]
fn a_claim_that_is_to_be_confirmed_is_not_taken_for_it() {
    let team = Team::of(1);
    let a = &team.clones[0];
    let id = a.orch(&["add", "x"]).success().line();
    let url = team.hub.url();
    a.git(&["config", "remote.hub.url", "/nowhere"]).success();
    a.orch(&["start", &id, "--no-worktree"]).success();
    refused(a.orch(&["start", &id, "--no-worktree", "--require-confirmed"]), 7, "claim.unconfirmed");
    assert_eq!(shown(a, &id)["status"], "claimed", "it stays");
    a.git(&["config", "remote.hub.url", &url]).success();
    a.orch(&["start", &id, "--no-worktree", "--require-confirmed"]).success();
    assert_eq!(shown(a, &id)["claim"], "confirmed");
}

#[test]
fn a_person_who_is_told_and_syncs_keeps_the_task() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "x"]).success().line();
    for clone in [a, b] {
        clone.git(&["config", "orch.personLease", "1s"]).success();
        clone.git(&["config", "orch.takeoverGrace", "1s"]).success();
    }
    a.orch(&["start", &id, "--no-worktree"]).success();
    crate::project::wait_for("the end of its lease", || {
        let done = b.orch(&["start", &id, "--no-worktree"]).code(6);
        crate::project::names_rule(&done.stderr, "claim.told")
    });
    a.git(&["config", "orch.personLease", "7d"]).success();
    let told = a.orch(&["sync"]).success();
    assert!(told.stderr.contains("wanted to take task"), "{}", told.stderr);
    refused(b.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
}

#[test]
fn a_new_clone_does_not_believe_a_trunk_that_is_not_the_remote_s() {
    let team = Team::of(1);
    let hub = team.hub.repo();
    hub.git(&["branch", "other", "main"]).success();
    hub.git(&["symbolic-ref", "HEAD", "refs/heads/other"]).success();
    let clone = team.clones[0].env().clone_of(&team.hub, "late");
    refused(clone.orch(&["init"]), 4, "trunk.differs");
    clone.orch(&["init", "--trunk", "main"]).success();
}
