//! `git orch run` as a person types it: what it refuses before it takes anything, and what it shows.

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::queue::{add, board, changes};

/// Passes when the file `answer` says 42.
const GATE: &str = "[[ralph.step]]\nname = 'answer'\nkind = 'test'\nrun = 'grep -qx 42 answer'\n";

/// A repository with a gate whose trunk has `answer`.
fn gated(env: &TestEnv, answer: &str) -> TestRepo {
    let repo = env.unborn("r");
    repo.commit("first", &[("orch.toml", GATE), ("answer", answer)]);
    repo.orch(&["init"]).success();
    repo
}

#[test]
fn an_agent_that_no_task_would_find_is_refused_before_any_is_taken() {
    let env = TestEnv::new();
    let repo = gated(&env, "7\n");
    let id = add(&repo, &["the answer is wrong"]);
    repo.write("agent.sh", "#!/bin/sh\necho 42 > answer\n");
    repo.sh("chmod +x agent.sh").success();
    let before = changes(&repo);
    insta::assert_snapshot!(repo.orch(&["run", "--agent", "./agent.sh -p"]), @r"
    ---- stderr
    error: ./agent.sh is looked up in the task's worktree, and main has no file agent.sh
    rule: run.agent
    next: git orch run --agent $ROOT/r/agent.sh
          or bring the file to trunk first: `git orch start --here`, commit it, `git orch merge`
    [exit: 8]
    ");
    insta::assert_snapshot!(repo.orch(&["run", "--agent", "no-such-agent"]), @r"
    ---- stderr
    error: no-such-agent is looked up along PATH, and no directory there has it
    rule: run.agent
    next: git orch run --agent /PATH/TO/AGENT
          git orch help run
    [exit: 8]
    ");
    insta::assert_snapshot!(repo.orch(&["run", "--agent", "X=1 /no/such/agent"]), @r"
    ---- stderr
    error: there is no program /no/such/agent
    rule: run.agent
    next: git orch run --agent /PATH/TO/AGENT
          git orch help run
    [exit: 8]
    ");
    insta::assert_snapshot!(repo.orch(&["run", "--agent", "../agent.sh"]), @r"
    ---- stderr
    error: ../agent.sh, from a task's worktree, is $ROOT/r.orch/agent.sh: there is no program
    rule: run.agent
    next: git orch run --agent /PATH/TO/AGENT
          git orch help run
    [exit: 8]
    ");
    insta::assert_snapshot!(repo.orch(&["run", "--agent", "./answer", "--json-events"]), @r#"
    {"error":{"code":8,"rule":"run.agent","fact":"./answer is looked up in the task's worktree, and answer on main is not executable","next":["chmod +x $ROOT/r/answer","git orch run --agent $ROOT/r/answer","or bring the file to trunk first: `git orch start --here`, commit it, `git orch merge`"]}}
    [exit: 8]
    "#);
    assert_eq!(changes(&repo), before, "nothing was taken");
    assert!(repo.sh("ls .git/orch/live").lines().is_empty(), "no session is left");
    let path = repo.path("agent.sh").display().to_string();
    repo.orch(&["run", "--agent", &path]).success();
    assert_eq!(repo.orch(&["show", &id, "--json"]).success().json()["status"], "done");
    insta::assert_snapshot!(repo.orch(&["run", "--agent", "./agent.sh"]), @r"
    0 tasks in DURATION
    session ID1
    ---- stderr
    Session ID1: 0 tasks ready, 1 job
    Nothing is ready: the queue is empty.
    hint: `git orch add TITLE`, or `git orch list --all`
    [exit: 5]
    ");
}

#[test]
fn an_agent_that_trunk_has_is_found_there() {
    let env = TestEnv::new();
    let repo = env.unborn("r");
    repo.write("bin/agent", "#!/bin/sh\necho 42 > answer\n");
    repo.sh("chmod +x bin/agent && ln -s bin tools && git add bin tools").success();
    repo.commit("first", &[("orch.toml", GATE), ("answer", "7\n")]);
    repo.orch(&["init"]).success();
    for agent in ["bin/agent", "./bin/../bin/agent", "tools/agent", "cd bin && ./agent; cp answer .."] {
        add(&repo, &[agent]);
        let ran = repo.orch(&["run", "--agent", agent]);
        let shown = ran.to_string();
        assert!(shown.contains("iteration 1 ") && !shown.contains("could not start"), "{shown}");
    }
}

#[test]
fn an_agent_that_could_not_start_is_not_shown_with_a_verdict() {
    let env = TestEnv::new();
    let repo = gated(&env, "42\n");
    repo.orch(&["ralph"]).success();
    add(&repo, &["something else"]);
    let ran = repo.orch(&["run", "--agent", "true; no-such-agent"]);
    let shown = ran.to_string();
    let line = shown.lines().find(|line| line.contains("iteration 1 ")).expect("one iteration");
    assert!(line.contains("iteration 1 not judged -> ASK: the agent could not start"), "{line}");
}

#[test]
fn what_waits_for_a_person_says_what_to_type() {
    let env = TestEnv::new();
    let repo = gated(&env, "7\n");
    let stuck = add(&repo, &["stuck"]);
    let ran = repo.orch(&["run", "--agent", "echo no licence; exit 3"]).code(3);
    let note = "the agent finished (exit 3); what it said is in ";
    let path = ran.stderr.lines().find_map(|line| line.split_once(note)).expect("a path").1.to_owned();
    assert_eq!(repo.sh(&format!("cat {path}")).success().line(), "no licence");
    insta::assert_snapshot!(repo.orch(&["show", &stuck]), @r"
    stuck
    bug ID1 - P2 - blocked

    reason   the agent changed nothing, twice in a row
    branch   fix/ID1-stuck
    path     $ROOT/r.orch/ID1
    added    TIME UTC (DURATION ago)
    changed  TIME UTC (DURATION ago)
    ---- stderr
    hint: what its agent said is in $ROOT/r/.git/orch/said/ID1.log
    hint: `git orch unblock ID1` puts it back into the queue, `git orch close ID1 --reason TEXT` gives it up
    [exit: 0]
    ");
    let passed = add(&repo, &["passed"]);
    repo.orch(&["run", "--merge", "review", "--agent", "echo 42 > answer"]).success();
    insta::assert_snapshot!(repo.orch(&["show", &passed]), @r"
    passed
    bug ID2 - P2 - review

    branch   fix/ID2-passed
    path     $ROOT/r.orch/ID2
    added    TIME UTC (DURATION ago)
    changed  TIME UTC (DURATION ago)
    ---- stderr
    hint: `git diff main...fix/ID2-passed` shows what it changes
    hint: `git orch merge ID2` merges it, `git orch block ID2 --reason TEXT` sets it aside
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["run", "--agent", "true"]), @r"
    0 tasks in DURATION
    session ID3
    ---- stderr
    Session ID3: 0 tasks ready, 1 job
    Nothing is ready: 1 task is blocked, 1 task waits for review.
      ID1 stuck - blocked: the agent changed nothing, twice in a row
      ID2 passed - in review
    hint: `git orch list --status blocked`; `git orch show TASK` says why, `git orch unblock TASK…` puts them back
    hint: `git orch list --status review`; `git orch merge TASK` merges one that is as it should be
    [exit: 5]
    ");
    let status = repo.orch(&["status"]).success();
    assert!(status.stderr.contains("git orch unblock TASK") && status.stderr.contains("git orch merge TASK"));
    assert_eq!(repo.orch(&["show", &stuck, "--json"]).success().stderr, "", "a program has the fields");
}

#[test]
fn a_done_task_names_its_commit_and_the_log_is_short() {
    let env = TestEnv::new();
    let repo = gated(&env, "7\n");
    let passed = add(&repo, &["passed"]);
    repo.orch(&["run", "--merge", "review", "--agent", "echo 42 > answer"]).success();
    let list = repo.orch(&["worktree", "list"]).success().lines().join("\n");
    assert!(list.contains("1 unmerged") && !list.contains("unpushed"), "there is no remote: {list}");
    repo.orch(&["merge", &passed]).success();
    let shown = repo.orch(&["show", &passed]).success().lines();
    let merged = shown.iter().find_map(|line| line.strip_prefix("merged   as ")).expect("the commit");
    assert!(repo.rev("main").starts_with(merged), "{shown:?}");
    let log = repo.orch(&["log", "-n", "9"]).success().lines().join("\n");
    let done = log.lines().find(|line| line.contains("task.done")).expect("it is logged");
    assert!(done.contains(&format!("{merged} by ")) && done.len() < 140, "{done}");
    let full = repo.orch(&["log", "-n", "9", "--json"]).success().stdout.clone();
    assert!(full.contains(&repo.rev("main")), "{full}");
    let doctor = repo.orch(&["doctor"]).any().lines().join("\n");
    assert!(doctor.contains("1 step") && !doctor.contains("1 steps"), "{doctor}");
}

#[test]
fn an_edit_that_is_refused_names_the_command() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let stuck = add(&repo, &["stuck"]);
    for args in [&["edit", &stuck, "--title", " "][..], &["edit", &stuck, "--title", "a\nb"]] {
        let refused = repo.orch(args).code(2);
        assert!(
            refused.stderr.contains(&format!("next: git orch edit {stuck} --title TITLE")),
            "{}",
            refused.stderr
        );
    }
    let emptied = repo.cmd(ORCH).args(&["edit", &stuck]).var("GIT_EDITOR", "truncate -s 0").run().code(2);
    assert!(
        emptied.stderr.contains("next: git orch edit TASK --title TITLE --body TEXT"),
        "{}",
        emptied.stderr
    );
}
