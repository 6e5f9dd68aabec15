//! Refusals: their codes, and that the way out which they name is one.

use crate::project::{Project, refused};

#[test]
fn a_refused_hook_exits_4_whatever_the_verdict_is() {
    let project = Project::new();
    let repo = &project.repo;
    let remote = project.env().remote("origin");
    repo.git(&["remote", "add", "origin", &remote.url()]).success();
    repo.git(&["switch", "--quiet", "-c", "topic"]).success();
    repo.write("bad", "");
    repo.sh("git add bad && git commit --quiet -m bad").success();
    let tip = repo.rev("HEAD");
    let line = format!("refs/heads/topic {tip} refs/heads/topic {}\n", "0".repeat(40));
    let hook = repo.cmd(crate::env::ORCH).args(&["hook", "pre-push", "origin", &remote.url()]).stdin(line);
    let done = hook.run().code(4);
    assert!(done.stderr.contains("topic is FAIL"), "{}", done.stderr);
    repo.orch(&["push", "origin", "topic"]).code(1);
}

#[test]
fn an_unusable_gate_on_trunk_is_mended_by_a_branch() {
    let project = Project::new();
    let repo = &project.repo;
    let gate = repo.read("orch.toml");
    repo.write("orch.toml", "[ralph\n");
    let words = ["override", "-m", "a slip", "--", "git", "commit", "--quiet", "-a", "-m", "broken"];
    repo.orch(&words).success();
    refused(repo.orch(&["ralph"]), 8, "config.invalid");

    repo.git(&["switch", "--quiet", "-c", "mend"]).success();
    repo.write("orch.toml", &gate);
    repo.git(&["commit", "--quiet", "-a", "-m", "mend the gate"]).success();
    repo.git(&["switch", "--quiet", "main"]).success();
    refused(repo.orch(&["merge", "mend"]), 3, "gate.changed");
    repo.orch(&["approve", "mend", "-m", "it was a slip"]).success();
    repo.orch(&["merge", "mend"]).success();
    assert_eq!(repo.read("orch.toml"), gate);
    repo.orch(&["ralph"]).success();
}

#[test]
fn a_contract_that_is_overridden_is_recorded() {
    let project = Project::new();
    let task = project.task(&["--kind", "bug"]);
    let lines: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    task.repo.write("src/a", &lines.join("\n"));
    // Plumbing runs no hook.
    task.repo
        .sh("git add src/a && git update-ref HEAD $(git commit-tree -p HEAD -m much $(git write-tree))")
        .success();
    project.repo.orch(&["merge", &task.id]).code(4);
    project.repo.orch(&["merge", &task.id, "--override", "-m", "generated"]).success();
    let log = project.repo.orch(&["log", "--json", "-n", "200"]).success().stdout;
    assert!(log.contains("generated -- merge") && log.contains("in spite of"), "{log}");
}

#[test]
fn what_was_written_in_an_editor_that_failed_is_kept() {
    let project = Project::new();
    let repo = &project.repo;
    let id = repo.orch(&["add", "a task"]).success().line();
    let editor = "f() { echo 'a long text' >> \"$1\"; exit 1; }; f";
    let done = repo.cmd(crate::env::ORCH).args(&["edit", &id]).var("GIT_EDITOR", editor).run().code(2);
    let kept = done
        .stderr
        .lines()
        .find_map(|line| line.split_once("what you wrote is in "))
        .expect("it says where")
        .1;
    assert!(git_orch::sys::fs::read_string(kept.as_ref()).expect("kept").contains("a long text"));
    assert_eq!(project.shown(&id)["title"], "a task");
}
