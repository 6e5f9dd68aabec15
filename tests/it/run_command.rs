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

/// What a refusal says to type next, without what is only said.
fn commands(stderr: &str) -> Vec<String> {
    let lines = stderr.lines().skip_while(|line| !line.starts_with("next: "));
    let lines = lines.map(|line| line.trim_start_matches("next: ").trim_start());
    lines
        .filter(|line| line.starts_with("git orch run") || line.starts_with("chmod"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_ways_out_can_be_typed_in_any_directory() {
    let env = TestEnv::new();
    let repo = env.unborn("my grün's repo");
    repo.commit("first", &[("orch.toml", GATE), ("answer", "7\n")]);
    repo.orch(&["init"]).success();
    let id = add(&repo, &["the answer is wrong"]);
    repo.write("agent.sh", "#!/bin/sh\necho 42 > answer\n");
    let refused = repo.orch(&["run", "--agent", "./agent.sh"]).code(8);
    let commands = commands(&refused.stderr);
    assert_eq!(commands.len(), 2, "{}", refused.stderr);
    for command in &commands {
        repo.sh(&command.replace("git orch", ORCH)).success();
    }
    assert_eq!(repo.orch(&["show", &id, "--json"]).success().json()["status"], "done");
}

#[test]
fn an_agent_that_came_to_the_remote_s_trunk_meanwhile_is_found() {
    let env = TestEnv::new();
    let (repo, hub) = (gated(&env, "7\n"), env.remote("origin"));
    repo.connect(&hub);
    let two = env.clone_of(&hub, "two");
    two.write("agent.sh", "#!/bin/sh\necho 42 > answer\n");
    two.sh("chmod +x agent.sh && git add agent.sh").success();
    two.commit("agent", &[]);
    two.git(&["push", "--quiet", "--no-verify"]).success();
    let id = add(&repo, &["the answer is wrong"]);
    repo.orch(&["run", "--agent", "./agent.sh"]).success();
    assert_eq!(repo.orch(&["show", &id, "--json"]).success().json()["status"], "done");
}

#[test]
fn one_agent_that_is_not_found_does_not_keep_the_others_from_work() {
    let env = TestEnv::new();
    let agents = "[agents.lost]\ncommand = 'no-such-agent'\n[agents.good]\ncommand = 'echo 42 > answer'\n\
        [roles.bugfix]\nagent = 'lost'\n[roles.featurebuilder]\nagent = 'good'\n";
    let repo = env.unborn("r");
    repo.commit("first", &[("orch.toml", &format!("{GATE}{agents}")), ("answer", "7\n")]);
    repo.orch(&["init"]).success();
    let bug = add(&repo, &["bug"]);
    let status = |id: &str| repo.orch(&["show", id, "--json"]).success().json()["status"].clone();
    repo.orch(&["run", "--merge", "auto"]).code(8);
    assert_eq!(status(&bug), "open", "nothing else was to be done");
    let feature = add(&repo, &["feature", "--kind", "feature"]);
    let ran = repo.orch(&["run", "--merge", "auto"]).code(3);
    let note =
        "no-such-agent is looked up along PATH, and no directory there has it: its tasks will be blocked";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
    assert_eq!((status(&bug), status(&feature)), ("blocked".into(), "done".into()));
}

#[test]
fn what_is_relative_in_path_is_looked_up_in_the_worktree() {
    let env = TestEnv::new();
    let repo = env.unborn("r");
    let agent = "#!/bin/sh\necho 42 > answer\n";
    repo.write("tools/agent", agent);
    repo.sh("chmod +x tools/agent && git add tools").success();
    repo.commit("first", &[("orch.toml", GATE), ("answer", "7\n")]);
    repo.orch(&["init"]).success();
    repo.write("local/other", agent);
    repo.sh("chmod +x local/other").success();
    add(&repo, &["the answer is wrong"]);
    let run = |dir: &str, agent: &str| repo.sh(&format!("PATH={dir}:$PATH {ORCH} run --agent {agent}"));
    let refused = run("local", "other").code(8);
    assert!(refused.stderr.contains("other is looked up along PATH"), "{}", refused.stderr);
    run("tools", "agent").success();
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

    reason   the agent failed (exit 3) and changed nothing, twice in a row; it printed last: no licence
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
      ID1 stuck - blocked: the agent failed (exit 3) and changed nothing, twice in a row; it printed last: no licence
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
fn what_an_agent_said_goes_with_its_task() {
    let env = TestEnv::new();
    let repo = gated(&env, "7\n");
    let said = |id: &str| git_orch::sys::fs::exists(&repo.path(format!(".git/orch/said/{id}.log")));
    let (merged, closed, pruned) = (add(&repo, &["a"]), add(&repo, &["b"]), add(&repo, &["c"]));
    let agent = "echo 42 > answer; echo done";
    repo.orch(&["run", "--merge", "review", "--agent", agent]).success();
    assert!([&merged, &closed, &pruned].into_iter().all(|id| said(id)));
    repo.orch(&["merge", &merged]).success();
    assert!(!said(&merged));
    repo.orch(&["close", &closed, "--reason", "r"]).success();
    repo.orch(&["run", "--agent", "true"]).code(5);
    assert!(!said(&closed) && said(&pruned));
    repo.orch(&["close", &pruned, "--reason", "r"]).success();
    repo.orch(&["worktree", "prune", "--dry-run"]).success();
    assert!(said(&pruned));
    repo.orch(&["worktree", "prune"]).success();
    assert!(!said(&pruned));
}

#[test]
fn what_an_agent_said_need_not_be_kept_for_its_work_to_count() {
    let env = TestEnv::new();
    let repo = gated(&env, "7\n");
    repo.write(".git/orch/said", "no directory");
    let id = add(&repo, &["the answer is wrong"]);
    let ran = repo.orch(&["run", "--agent", "echo 42 > answer; echo done"]).success();
    assert!(ran.stderr.contains("what the agent said is not kept: cannot "), "{}", ran.stderr);
    assert_eq!(repo.orch(&["show", &id, "--json"]).success().json()["status"], "done");
}

#[test]
fn an_agent_that_fails_is_not_taken_for_one_without_work() {
    let env = TestEnv::new();
    let repo = gated(&env, "42\n");
    repo.orch(&["ralph"]).success();
    let ids: Vec<String> = (0..4).map(|n| add(&repo, &[&format!("task {n}")])).collect();
    let ran = repo.orch(&["run", "--until-empty", "--agent", "echo no licence >&2; echo; exit 1"]).code(8);
    let reason =
        "the agent failed (exit 1) and changed nothing; the tree already passes; it printed last: no licence";
    let fact = format!("error: one task after the other ends because the agent fails; the last: {reason}\n");
    assert!(ran.stderr.contains(&fact), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("git orch show TASK   (where what its agent said is kept)"),
        "{}",
        ran.stderr
    );
    let of = |id: &String| repo.orch(&["show", id, "--json"]).success().json();
    let status: Vec<_> = ids.iter().map(|id| of(id)["status"].clone()).collect();
    assert_eq!(status, ["blocked", "blocked", "blocked", "open"], "the rest is left alone");
    let said = repo.orch(&["show", &ids[0]]).success();
    assert!(said.stdout.contains(&format!("reason   {reason}\n")), "{}", said.stdout);
    assert!(said.stderr.contains("hint: what its agent said is in "), "{}", said.stderr);
    let token = format!("ghp_{}", "a1B2".repeat(9));
    repo.orch(&["run", "--agent", &format!("echo {token}; exit 1")]).code(3);
    let hidden = repo.orch(&["show", &ids[3]]).success().stdout.clone();
    assert!(hidden.contains("failed (exit 1)") && !hidden.contains("ghp_"), "{hidden}");
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

#[test]
fn a_conflict_names_the_route_that_works() {
    let env = TestEnv::new();
    let hub = env.remote("origin");
    let other = env.clone_of(&hub, "other");
    other.commit("first", &[("orch.toml", GATE), ("answer", "7\n")]);
    other.git(&["push", "--quiet", "origin", "HEAD:main"]).success();
    hub.repo().git(&["symbolic-ref", "HEAD", "refs/heads/main"]).success();
    let repo = env.clone_of(&hub, "r");
    repo.orch(&["init"]).success();
    let id = add(&repo, &["the answer is wrong"]);
    let there = other.path("").display().to_string();
    let push = "git commit -qam meanwhile && git push -q origin HEAD:main";
    let script = format!("echo 42 > answer; cd '{there}' && echo 41 > answer && {push}");
    let ran = repo.orch(&["run", "--agent", &script]).code(3);
    let start = format!("git orch unblock {id} && git orch start {id}");
    let way = format!("`{start}`, in its worktree `git rebase origin/main`, then `git orch merge`");
    assert!(ran.stdout.contains(&format!("conflicts with trunk in answer; next: {way}\n")), "{ran}");
    let shown = repo.orch(&["show", &id]).success();
    assert!(shown.stdout.contains("reason   conflicts with trunk in answer\n"), "{shown}");
    assert!(shown.stderr.contains(&format!("hint: {way}; `git orch close {id} ")), "{shown}");
    // And it works.
    repo.sh(&start).success();
    let there = env.at(repo.orch(&["worktree", "path", &id]).success().line());
    there.git(&["rebase", "--quiet", "origin/main"]).code(1);
    there.sh("echo 42 > answer && git add answer && GIT_EDITOR=true git rebase --continue").success();
    there.orch(&["merge"]).success();
    assert_eq!(hub.repo().git(&["show", "main:answer"]).success().line(), "42");
}
