//! What else than a commit can be asked of `ralph`, and in which form it answers.

use crate::env::{ORCH, TestEnv};
use crate::project::{Project, refused};

/// A gate whose two steps fail where there is a file `bad`, or `worse`.
const GATE: &str = "[[ralph.step]]\nname = \"lint\"\nkind = \"custom\"\nrun = \"test ! -e bad\"\n\
                    [[ralph.step]]\nname = \"slow\"\nkind = \"custom\"\nrun = \"test ! -e worse\"\nneeds = [\"lint\"]\n";

fn project() -> Project {
    Project::with(&TestEnv::new(), GATE)
}

#[test]
fn what_is_staged_is_judged_as_the_commit_would_be() {
    let project = project();
    let task = project.task(&["--role", "featurebuilder"]);
    task.stage("bad", "1\n");
    // On disk it is mended, in the index not yet.
    task.repo.sh("rm bad").success();
    let index = || task.repo.git(&["ls-files", "--stage"]).success().stdout;
    let before = index();
    let judged = task.repo.orch(&["ralph", "--staged"]).code(1);
    assert!(judged.stdout.ends_with("FAIL\n"), "{}", judged.stdout);
    assert_eq!(index(), before);
    task.repo.git(&["rm", "--quiet", "--cached", "bad"]).success();
    task.stage("good", "1\n");
    let judged = task.repo.orch(&["ralph", "--staged", "--json"]).success().json();
    assert_eq!(judged["verdict"], "PASS");
    assert_eq!(task.repo.git(&["diff", "--cached", "--name-only"]).success().line(), "good");
    // The commit has that tree: nothing runs again.
    task.repo.git(&["commit", "--quiet", "-m", "work"]).success();
    assert_eq!(task.repo.orch(&["ralph", "--json"]).success().json()["recorded"], true);
}

#[test]
fn what_is_staged_in_a_partial_commit_is_that_commit_s_index() {
    let project = project();
    let task = project.task(&["--role", "featurebuilder"]);
    task.stage("bad", "1\n");
    let other = task.repo.path("other-index").display().to_string();
    task.repo.cmd("git").args(&["read-tree", "HEAD"]).var("GIT_INDEX_FILE", &other).run().success();
    task.repo.cmd(ORCH).args(&["ralph", "--staged"]).var("GIT_INDEX_FILE", &other).run().success();
    task.repo.orch(&["ralph", "--staged"]).code(1);
}

#[test]
fn conflicts_are_no_tree() {
    let project = project();
    let task = project.task(&["--role", "featurebuilder"]);
    task.commits("src/a", "ours\n");
    project.repo.commit("theirs", &[("src/a", "theirs\n")]);
    task.repo.git(&["merge", "main"]).code(1);
    refused(task.repo.orch(&["ralph", "--staged"]), 8, "index.unmerged");
}

#[test]
fn each_commit_of_a_range_is_judged() {
    let project = project();
    let task = project.task(&["--role", "featurebuilder"]);
    task.commits("one", "1\n");
    task.commits("bad", "1\n");
    task.repo.git(&["rm", "--quiet", "bad"]).success();
    task.repo.git(&["commit", "--quiet", "-m", "mended"]).success();
    let view = task.repo.orch(&["ralph", "--range", "main..", "--json"]).code(1).json();
    let words: Vec<&str> =
        view["commits"].as_array().expect("commits").iter().filter_map(|c| c["verdict"].as_str()).collect();
    assert_eq!(words, ["PASS", "FAIL", "PASS"]);
    assert_eq!(view["verdict"], "FAIL");
    let shown = task.repo.orch(&["ralph", "--range", "main"]).code(1);
    assert!(shown.stdout.contains("main \u{b7} 3 commits") || shown.stdout.contains("main - 3 commits"));
    assert!(shown.stdout.ends_with("FAIL\n"));
    for empty in ["HEAD..HEAD", "HEAD..main"] {
        refused(task.repo.orch(&["ralph", "--range", empty]), 2, "range.empty");
    }
    refused(task.repo.orch(&["ralph", "--range", "nowhere.."]), 2, "range.unknown");
    refused(task.repo.orch(&["ralph", "--range=--all"]), 2, "range.unknown");
}

#[test]
fn a_part_of_the_gate_is_no_verdict_of_the_whole() {
    let project = project();
    let task = project.task(&["--role", "featurebuilder"]);
    task.commits("worse", "1\n");
    let part = task.repo.orch(&["ralph", "--step", "lint", "--json"]).success().json();
    assert_eq!(part["steps"].as_array().map(Vec::len), Some(1));
    task.repo.orch(&["ralph"]).code(1);
    let both = task.repo.orch(&["ralph", "--step", "slow", "--json"]).code(1).json();
    assert_eq!(both["steps"].as_array().map(Vec::len), Some(2), "with what it needs");
    refused(task.repo.orch(&["ralph", "--step", "sloow"]), 2, "step.unknown");
}

#[test]
fn annotations_come_before_the_verdict() {
    let project = project();
    let task = project.task(&["--role", "featurebuilder"]);
    task.commits("bad", "1\n");
    let shown = task.repo.orch(&["ralph", "--annotations", "github"]).code(1).stdout;
    assert!(shown.starts_with("::error title=lint::exit 1\n"), "{shown}");
    assert!(shown.ends_with("FAIL\n"), "{shown}");
    let explained = task.repo.orch(&["ralph", "--explain"]).success().stdout;
    assert!(explained.contains("steps would run"), "{explained}");
}
