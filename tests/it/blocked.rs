//! What people do with work that Ralph or they themselves do not want: send it back, revert, override.

use crate::env::{ORCH, TestEnv};
use crate::project::{Project, gate, refused};

#[test]
fn work_that_is_sent_back_goes_to_the_next_agent_with_the_reason() {
    let project = Project::with(&TestEnv::new(), &gate("true"));
    let repo = &project.repo;
    let id = repo.orch(&["add", "work", "--kind", "feature"]).success().line();
    refused(repo.orch(&["reject", &id, "--reason", "no"]), 2, "reject.nothing");
    repo.orch(&["run", "--agent", "echo 4 > src/a"]).success();
    assert_eq!(project.status(&id), "review");
    refused(repo.orch(&["reject", &id, "--reason", " "]), 2, "reason.empty");
    let as_agent = repo.cmd(ORCH).args(&["reject", &id, "--reason", "x"]).var("ORCH_TASK", &id);
    refused(as_agent.run(), 4, "person.only");
    insta::assert_snapshot!(repo.orch(&["reject", &id, "--reason", "five, not four"]), @r"
    ---- stderr
    Rejected feature ID1: work
    hint: it is open again: whoever takes it next is told why, and goes on with its branch
    [exit: 0]
    ");
    let shown = project.shown(&id);
    assert_eq!((&shown["status"], &shown["rejected"]), (&"open".into(), &"five, not four".into()));
    assert!(repo.orch(&["show", &id]).success().stdout.contains("\nrejected five, not four\n"));
    assert!(repo.orch(&["log"]).success().stdout.contains("five, not four"));
    // An agent that leaves it as it is has not done it, though Ralph passes.
    let prompts = project.env().root().join("prompts");
    let idle = format!("cat > {}", prompts.display());
    let done = repo.orch(&["run", "--agent", &idle]).code(3);
    assert_eq!(project.status(&id), "blocked", "{}", done.stderr);
    let prompt = project.env().cmd("cat").args(&["prompts"]).run().success().stdout;
    assert!(
        prompt.contains("## A person sent the work back\n") && prompt.contains("five, not four"),
        "{prompt}"
    );
    // From `blocked` it goes back into the queue, too.
    repo.orch(&["reject", &id, "--reason", "still five"]).success();
    repo.orch(&["run", "--agent", "echo 5 > src/a"]).success();
    assert_eq!(project.status(&id), "review");
    repo.orch(&["merge", &id]).success();
    refused(repo.orch(&["reject", &id, "--reason", "late"]), 2, "reject.finished");
    assert_eq!(repo.git(&["show", "main:src/a"]).success().line(), "5");
}

#[test]
fn what_somebody_holds_stays_with_them() {
    let project = Project::with(&TestEnv::new(), &gate("true"));
    let task = project.task(&[]);
    task.commits("src/a", "4\n");
    refused(task.repo.orch(&["reject", &task.id, "--reason", "x"]), 4, "person.only");
    let done = project.repo.orch(&["reject", &task.id, "--reason", "no"]).success();
    assert!(done.stderr.contains("it stays with person:ann@example.com"), "{}", done.stderr);
    assert_eq!(project.status(&task.id), "claimed");
    task.commits("src/a", "5\n");
    task.repo.orch(&["merge"]).success();
}

#[test]
fn work_that_is_sent_back_while_the_agent_is_at_it_is_not_merged_before_it_was_told() {
    let project = Project::with(&TestEnv::new(), &gate("true"));
    let repo = &project.repo;
    let id = repo.orch(&["add", "work"]).success().line();
    let root = project.env().root();
    project.env().cmd("mkfifo").args(&["began", "goes"]).run().success();
    // The first iteration waits until the person has spoken; the second is told.
    let agent = format!(
        "cd src; if grep -q 'sent the work back'; then echo 5 > a; else echo 4 > a; echo > {0}/began; cat {0}/goes; fi",
        root.display()
    );
    let running = repo.cmd(ORCH).args(&["run", "--agent", &agent]).spawn();
    crate::project::hear(&root.join("began"));
    repo.orch(&["reject", &id, "--reason", "five, not four"]).success();
    crate::project::tell(&root.join("goes"));
    running.wait().success();
    assert_eq!(repo.git(&["show", "main:src/a"]).success().line(), "5");
}
