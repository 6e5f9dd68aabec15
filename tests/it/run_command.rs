//! `git orch run` as a person types it: what it refuses before it takes anything, and what it shows.

use crate::env::{TestEnv, TestRepo};
use crate::queue::{add, changes};

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
