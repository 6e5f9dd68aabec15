//! What happens to remotes and clones in real life: others delete, prune, hide; clones that are shallow, partial, bare,
//! of other formats.

use serde_json::Value;

use crate::env::{Remote, TestEnv, TestRepo};
use crate::project::{counting_gate, names_rule, refused};
use crate::sync::{Team, json, shown};

/// A clone that `git clone` makes with more options, set up.
fn member(hub: &Remote, name: &str, options: &[&str]) -> TestRepo {
    let env = hub.repo().env();
    let args = ["clone", "--quiet", "--origin", "hub"];
    let args: Vec<&str> = args.into_iter().chain(options.iter().copied()).collect();
    let url = hub.url();
    env.git(&[args.as_slice(), &[&url, name]].concat()).success();
    let clone = env.at(name);
    clone.orch(&["init"]).success();
    clone
}

/// Whether every object of the state is here, and nothing is broken.
fn is_whole(repo: &TestRepo) {
    let missing = repo
        .cmd("git")
        .args(&["rev-list", "--objects", "--missing=print", "refs/orch/state"])
        .var("GIT_NO_LAZY_FETCH", "1")
        .run()
        .success();
    assert!(!missing.stdout.lines().any(|line| line.starts_with('?')), "{}", missing.stdout);
    let fsck = repo.cmd("git").args(&["fsck", "--no-dangling", "--strict"]).run().success();
    assert!(!fsck.to_string().contains("missing"), "{fsck}");
}

fn claims_at(hub: &Remote) -> Vec<String> {
    let refs = hub.repo().git(&["for-each-ref", "--format=%(refname)", "refs/orch/claims"]);
    refs.success().lines()
}

#[test]
fn after_a_mirror_push_state_and_claims_come_back() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "kept"]).success().line();
    assert_eq!(json(a, &["start", &id, "--no-worktree", "--json"])["claim"], "confirmed");
    team.sync();
    let plain = a.env().clone_of(&team.hub, "plain");
    plain.git(&["push", "--quiet", "--mirror", "hub"]).success();
    assert!(claims_at(&team.hub).is_empty() && team.hub.repo().try_rev("refs/orch/state").is_none());
    refused(b.orch(&["sync"]), 8, "sync.gone");
    refused(b.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
    a.orch(&["sync", "--restore"]).success();
    assert_eq!(claims_at(&team.hub).len(), 1, "the owner puts its claim back");
    team.sync();
    assert_eq!(team.trees().len(), 1);
    assert_eq!(shown(b, &id)["owner"], shown(a, &id)["owner"]);
}

#[test]
fn an_owner_whose_claim_was_deleted_is_told_before_it_is_taken_over() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "short"]).success().line();
    for clone in [a, b] {
        clone.git(&["config", "orch.personLease", "1s"]).success();
        clone.git(&["config", "orch.takeoverGrace", "1s"]).success();
    }
    a.orch(&["start", &id]).success();
    team.sync();
    for name in claims_at(&team.hub) {
        team.hub.repo().git(&["update-ref", "-d", &name]).success();
    }
    crate::project::wait_for("the end of its lease", || {
        let tried = b.orch(&["start", &id, "--no-worktree"]).code(6);
        names_rule(&tried.stderr, "claim.told")
    });
    // Something happened in its worktree not long ago: it is alive, and says so.
    a.git(&["config", "orch.personLease", "7d"]).success();
    a.orch(&["sync"]).success();
    refused(b.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
    assert_eq!(shown(a, &id)["claim"], "confirmed");
}

#[test]
fn a_clone_may_be_pruned_and_cleaned_up_at_any_time() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "kept"]).success().line();
    a.orch(&["start", &id, "--no-worktree"]).success();
    // What it remembers of the remote is older than what the remote has, and gone.
    b.orch(&["sync"]).success();
    for clone in [a, b] {
        clone.git(&["fetch", "--prune", "hub"]).success();
        clone.git(&["reflog", "expire", "--expire=now", "--all"]).success();
        clone.git(&["gc", "--quiet", "--prune=now"]).success();
    }
    let stale = b.rev("refs/orch/remotes/hub/state");
    a.orch(&["edit", &id, "--title", "other"]).success();
    a.orch(&["sync"]).success();
    b.orch(&["sync"]).success();
    b.git(&["update-ref", "refs/orch/remotes/hub/fetched/state", &stale]).success();
    let claim = format!("refs/orch/remotes/hub/claims/{}/{id}", &id[..2]);
    assert!(b.try_rev(&claim).is_some());
    b.git(&["update-ref", "-d", &claim]).success();
    team.sync();
    refused(b.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
    assert_eq!((team.trees().len(), &shown(b, &id)["title"]), (1, &Value::from("other")));
    team.clones.iter().for_each(is_whole);
    a.orch(&["doctor"]).success();
}

#[test]
fn shallow_and_partial_clones_are_members_like_others() {
    let team = Team::of(1);
    let hub = team.hub.repo();
    hub.git(&["config", "uploadpack.allowFilter", "true"]).success();
    let full = &team.clones[0];
    full.commit("more", &[("src/b", "1\n")]);
    full.git(&["push", "--quiet", "--no-verify", "hub", "main"]).success();
    let ids: Vec<String> =
        (0..2).map(|n| full.orch(&["add", &format!("task {n}")]).success().line()).collect();
    full.orch(&["sync"]).success();
    let shallow = member(&team.hub, "shallow", &["--depth", "1"]);
    let partial = member(&team.hub, "partial", &["--filter=blob:none"]);
    for (clone, id) in [&shallow, &partial].into_iter().zip(&ids) {
        assert_eq!(json(clone, &["next", "--json"])["claim"], "confirmed");
        clone.orch(&["sync"]).success();
        is_whole(clone);
        full.orch(&["sync"]).success();
        assert_eq!(shown(full, id)["status"], "claimed");
    }
    let is_shallow = |repo: &TestRepo| repo.git(&["rev-parse", "--is-shallow-repository"]).success().line();
    assert_eq!(
        (is_shallow(full), is_shallow(&partial), is_shallow(hub)),
        ("false".into(), "false".into(), "false".into())
    );
    assert_eq!(is_shallow(&shallow), "true", "its own business");
    is_whole(hub);
}

#[test]
fn a_server_that_hides_our_refs_is_told() {
    let team = Team::of(1);
    let (a, hub) = (&team.clones[0], team.hub.repo());
    let id = a.orch(&["add", "ours"]).success().line();
    hub.git(&["config", "transfer.hideRefs", "refs/orch"]).success();
    refused(a.orch(&["sync"]), 8, "sync.gone");
    let told = a.orch(&["sync", "--restore"]);
    assert!(told.code(8).stderr.contains("orch.ref"));
    a.orch(&["start", &id, "--no-worktree"]).success();
    assert_eq!(shown(a, &id)["claim"], "local");
    hub.git(&["config", "--unset", "transfer.hideRefs"]).success();
    a.orch(&["sync"]).success();
    assert_eq!(shown(a, &id)["claim"], "confirmed");
}

#[test]
fn a_remote_may_be_a_mirror_one_of_two_and_have_any_name() {
    let env = TestEnv::new();
    let first = env.repo("the first ü");
    first.commit("gate", &[("orch.toml", &counting_gate(&env))]);
    env.git(&["init", "--quiet", "--bare", "the höb.git"]).success();
    env.git(&["init", "--quiet", "--bare", "other.git"]).success();
    let at = |name: &str| format!("file://{}", env.root().join(name).display());
    let name = "team/höb";
    first.git(&["remote", "add", name, &at("the höb.git")]).success();
    first.git(&["remote", "add", "other", &at("other.git")]).success();
    for remote in [name, "other"] {
        first.git(&["push", "--quiet", "--no-verify", remote, "main"]).success();
    }
    first.git(&["config", "orch.remote", name]).success();
    first.git(&["config", &format!("remote.{name}.mirror"), "true"]).success();
    first.orch(&["init"]).success();
    let id = first.orch(&["add", "ours"]).success().line();
    first.orch(&["sync"]).success();
    assert_eq!(json(&first, &["start", &id, "--no-worktree", "--json"])["claim"], "confirmed");
    assert!(env.at("the höb.git").try_rev("refs/heads/main").is_some(), "nothing is deleted");
    first.orch(&["sync", "other"]).success();
    // Two clones that know of each other only by the second remote.
    env.git(&["clone", "--quiet", &at("other.git"), "the second"]).success();
    let second = env.at("the second");
    second.orch(&["init"]).success();
    assert_eq!(shown(&second, &id)["status"], "claimed");
    let more = second.orch(&["add", "more"]).success().line();
    second.orch(&["sync"]).success();
    first.orch(&["sync", "other"]).success();
    assert_eq!(shown(&first, &more)["title"], "more");
}

#[test]
fn other_formats_work_on_both_ends() {
    let env = TestEnv::new();
    let format = ["--object-format=sha256", "--ref-format=reftable"];
    let init = |bare: &[&str], name: &str| {
        env.git(&[&["init", "--quiet"], bare, &format, &[name]].concat()).success();
        env.at(name)
    };
    let hub = init(&["--bare"], "hub.git");
    let first = init(&[], "first");
    first.commit("gate", &[("orch.toml", &counting_gate(&env))]);
    let url = format!("file://{}", env.root().join("hub.git").display());
    first.git(&["remote", "add", "hub", &url]).success();
    first.git(&["push", "--quiet", "--no-verify", "hub", "main"]).success();
    first.orch(&["init"]).success();
    let id = first.orch(&["add", "ours"]).success().line();
    first.orch(&["sync"]).success();
    env.git(&["clone", "--quiet", "--ref-format=reftable", "--origin", "hub", &url, "second"]).success();
    let second = env.at("second");
    second.orch(&["init"]).success();
    assert_eq!(json(&second, &["start", &id, "--no-worktree", "--json"])["claim"], "confirmed");
    refused(first.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
    for clone in [&second, &first, &second] {
        clone.orch(&["sync"]).success();
    }
    assert_eq!(first.rev("refs/orch/state^{tree}"), second.rev("refs/orch/state^{tree}"));
    [&hub, &first, &second].into_iter().for_each(is_whole);
}

#[test]
fn a_bare_repository_may_be_a_clone() {
    let team = Team::of(1);
    let full = &team.clones[0];
    let id = full.orch(&["add", "ours"]).success().line();
    full.orch(&["sync"]).success();
    let env = full.env();
    env.git(&["clone", "--quiet", "--bare", "--origin", "hub", &team.hub.url(), "bare.git"]).success();
    let bare = env.at("bare.git");
    bare.orch(&["init"]).success();
    let taken = json(&bare, &["start", &id, "--json"]);
    assert_eq!(taken["claim"], "confirmed");
    bare.orch(&["sync"]).success();
    refused(full.orch(&["start", &id, "--no-worktree"]), 6, "task.held");
    is_whole(&bare);
}
