//! What an approval is for: the change that a person was shown, by the name that they used.

use crate::env::TestRepo;
use crate::project::{Project, gate, refused};

/// Makes `branch` of `base`, with these files.
fn branch(repo: &TestRepo, branch: &str, base: &str, files: &[(&str, &str)]) {
    repo.git(&["switch", "--quiet", "-c", branch, base]).success();
    repo.commit(branch, files);
    repo.git(&["switch", "--quiet", "main"]).success();
}

/// Makes `branch` of main, with the tree `tree`.
fn back_to(repo: &TestRepo, branch: &str, tree: &str) {
    repo.git(&["switch", "--quiet", "-c", branch, "main"]).success();
    repo.git(&["read-tree", "-u", "--reset", tree]).success();
    repo.git(&["commit", "--quiet", "-m", "tidy up"]).success();
    repo.git(&["switch", "--quiet", "main"]).success();
}

fn merge_approved(repo: &TestRepo, branch: &str) {
    repo.orch(&["approve", branch, "--reason", "read it"]).success();
    repo.orch(&["merge", branch]).success();
}

#[test]
fn an_approved_gate_does_not_come_back_over_a_stricter_one() {
    let project = Project::new();
    let repo = &project.repo;
    let usual = repo.read("orch.toml");
    let two = usual.clone() + &gate("true").replace("check", "two");
    let strict = two.clone() + &gate("true").replace("check", "strict");
    branch(repo, "two", "main", &[("orch.toml", &two)]);
    merge_approved(repo, "two");
    let tree = repo.rev("main^{tree}");
    branch(repo, "strict", "main", &[("orch.toml", &strict)]);
    merge_approved(repo, "strict");
    // The tree that was approved, which now takes the step away.
    back_to(repo, "bad", &tree);
    let done = repo.orch(&["ralph", "bad"]).code(3);
    assert!(done.stdout.contains("gate.changed"), "{}", done.stdout);
    refused(repo.orch(&["merge", "bad"]), 3, "gate.changed");
    // Who was shown that may.
    merge_approved(repo, "bad");
    assert_eq!(repo.rev("main^{tree}"), tree);
}

#[test]
fn an_approved_gate_stays_so_while_trunk_s_other_files_change() {
    let project = Project::new();
    let repo = &project.repo;
    let own = repo.read("orch.toml") + &gate("true").replace("check", "two");
    branch(repo, "first", "main", &[("new", "x\n")]);
    branch(repo, "second", "first", &[("orch.toml", &own)]);
    repo.orch(&["approve", "second", "--reason", "read it"]).success();
    // What it is built on is merged: it is compared with another tree from here on.
    repo.orch(&["merge", "first"]).success();
    repo.orch(&["merge", "second"]).success();
    assert_eq!(repo.read("orch.toml"), own);
}

#[test]
fn an_approved_finding_lifts_no_other_of_the_same_tree() {
    let project = Project::new();
    let repo = &project.repo;
    let tests = |name: &str, count: usize| {
        let test = |n| format!("def test_{name}{n}():\n    assert {name}() == {n}\n\n\n");
        (0..count).map(test).collect::<String>()
    };
    repo.git(&["switch", "--quiet", "-c", "start"]).success();
    repo.commit("tests", &[("tests/test_a.py", &tests("a", 3))]);
    repo.git(&["switch", "--quiet", "main"]).success();
    repo.orch(&["merge", "start"]).success();
    branch(repo, "fewer", "main", &[("tests/test_a.py", &tests("a", 2))]);
    let rule = repo.orch(&["ralph", "fewer", "--json"]).code(3).json()["rule"].clone();
    merge_approved(repo, "fewer");
    let tree = repo.rev("main^{tree}");
    branch(repo, "more", "main", &[("tests/test_b.py", &tests("b", 20))]);
    repo.orch(&["merge", "more"]).success();
    back_to(repo, "bad", &tree);
    assert_eq!(repo.orch(&["ralph", "bad", "--json"]).code(3).json()["rule"], rule);
    repo.orch(&["merge", "bad"]).code(3);
    assert!(repo.sh("test -e tests/test_b.py").any().status() == 0);
}

#[test]
fn an_approval_that_does_not_say_what_was_read_counts_for_nothing() {
    let project = Project::new();
    let repo = &project.repo;
    let own = repo.read("orch.toml") + &gate("true").replace("check", "two");
    branch(repo, "two", "main", &[("orch.toml", &own)]);
    repo.orch(&["approve", "two", "--reason", "read it"]).success();
    let tree = repo.rev("two^{tree}");
    let path = format!("decisions/{}/approve-{tree}.toml", &tree[..2]);
    let record = repo.git(&["show", &format!("refs/orch/state:{path}")]).success().stdout;
    let older: String =
        record.lines().filter(|line| !line.starts_with("base = ")).map(|l| l.to_owned() + "\n").collect();
    assert_ne!(older, record);
    crate::hostile::plant(repo, "100644", &path, &older);
    refused(repo.orch(&["merge", "two"]), 3, "gate.changed");
    repo.orch(&["approve", "two", "--reason", "read it again"]).success();
    repo.orch(&["merge", "two"]).success();
}

#[test]
fn a_tag_that_is_called_as_a_task_or_a_branch_is_not_what_is_approved() {
    let project = Project::new();
    let repo = &project.repo;
    let task = project.task(&["--kind", "feature"]);
    let usual = repo.read("orch.toml");
    let own = usual + &gate("true").replace("check", "two");
    task.commits("orch.toml", &own);
    let evil = task.repo.sh(
        "echo > orch.toml && git add . && git commit-tree $(git write-tree) -p HEAD -m x && git reset -q --hard",
    );
    let evil = evil.success().line();
    let (id, good) = (&task.id, task.repo.rev("HEAD"));
    for name in [id.as_str(), &id[..4], &task.branch] {
        repo.git(&["tag", name, &evil]).success();
        let judged = repo.orch(&["ralph", name, "--json"]).any().json();
        assert_eq!(judged["tree"], repo.rev(&format!("{good}^{{tree}}")), "{name}");
        let done = repo.orch(&["approve", name, "--reason", "read it"]).success();
        for part in [&good[..7], task.branch.as_str(), "work", "also names", &evil[..7]] {
            assert!(done.stderr.contains(part), "{name}, {part}: {}", done.stderr);
        }
        repo.git(&["tag", "--delete", name]).success();
    }
    repo.git(&["tag", id, &evil]).success();
    task.repo.git(&["reset", "--quiet", "--hard", &evil]).success();
    refused(repo.orch(&["merge", id]), 3, "gate.changed");
    // A task that was not begun has no work, whatever is called so.
    let none = repo.orch(&["add", "later"]).success().line();
    repo.git(&["tag", &none, &evil]).success();
    refused(repo.orch(&["ralph", &none]), 2, "rev.unknown");
}
