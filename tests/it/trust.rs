//! `docs/trust.md`, line by line: what an agent in its worktree can do to trunk by typing git.

use crate::env::{ORCH, Remote, TestEnv};
use crate::project::{Project, Task, counting_gate, gate, refused};

/// A project with a remote, and an agent's task with a commit that has no PASS.
fn scene() -> (Project, Remote, Task) {
    let env = TestEnv::new();
    let hub = env.remote("origin");
    let repo = env.repo("repo");
    repo.commit("gate", &[("orch.toml", &counting_gate(&env)), ("src/a", "1\n")]);
    repo.connect(&hub);
    repo.orch(&["init"]).success();
    let project = Project { repo };
    let task = project.task(&["--kind", "feature"]);
    task.commits("bad", "");
    (project, hub, task)
}

/// Runs `line` as the agent, with `$MAIN` the user's checkout.
fn tries(project: &Project, task: &Task, line: &str) -> crate::run::Done {
    task.agent_cmd("sh").args(&["-c", line]).var("MAIN", project.repo.path("")).run().any()
}

fn tidy_up(project: &Project) {
    project.repo.sh("git merge --abort; git cherry-pick --abort; git rebase --abort; git am --abort; git symbolic-ref HEAD refs/heads/main; git read-tree -u --reset main; git clean -fdq").any();
}

#[test]
fn no_command_of_an_agent_moves_trunk_unseen() {
    let (project, hub, task) = scene();
    let main = project.repo.rev("main");
    for line in [
        // From its worktree.
        "git push . HEAD:main",
        "git fetch . HEAD:main",
        "git branch -f main HEAD",
        "git checkout -q -B main",
        "git switch -q -C main",
        "git worktree add -q -B main ../w HEAD",
        "git update-ref refs/heads/main HEAD",
        "git symbolic-ref HEAD refs/heads/main && git commit -qn --allow-empty -m x",
        "git symbolic-ref refs/heads/alias refs/heads/main && git update-ref refs/heads/alias HEAD",
        "printf 'update refs/heads/main %s\\n' $(git rev-parse HEAD) | git update-ref --stdin",
        "git branch -M main",
        "git branch -C main",
        // In the user's checkout.
        "git -C $MAIN merge -q --ff-only $(git rev-parse HEAD)",
        "git -C $MAIN merge -q --no-ff -m x $(git rev-parse HEAD)",
        "git -C $MAIN pull -q . $(git symbolic-ref HEAD)",
        "git -C $MAIN reset -q --hard $(git rev-parse HEAD)",
        "git -C $MAIN rebase -q $(git rev-parse HEAD)",
        "git -C $MAIN cherry-pick $(git rev-parse HEAD)",
        "git format-patch --stdout -1 | git -C $MAIN am -q",
        "git -C $MAIN commit -qn --allow-empty -m x",
        "git --git-dir=$MAIN/.git --work-tree=. commit -qn --allow-empty -m x",
        // By way of what trunk follows.
        "git fetch . HEAD:refs/remotes/origin/main && git -C $MAIN merge -q --ff-only origin/main",
        "git update-ref refs/remotes/origin/main HEAD && git -C $MAIN merge -q --ff-only origin/main",
        "git push . HEAD:refs/remotes/origin/main && git -C $MAIN pull -q --ff-only . remotes/origin/main",
        // By way of git-orch.
        "git orch merge",
        "git orch merge --override --reason x",
        "git orch override --reason x -- git push . HEAD:main",
        "cd $MAIN && git orch override --reason x -- git commit --allow-empty -m x",
        "git orch push origin HEAD:main",
        // What the remote has, by hearsay.
        "git --attr-source push update-ref refs/remotes/origin/main HEAD",
        "bash -c \"exec -a '' git update-ref refs/remotes/origin/main HEAD\"",
        "git push -q origin HEAD:wip/main; \
         git fetch -q --refmap=+refs/heads/wip/main:refs/remotes/origin/main origin wip/main",
        "git push -q origin HEAD:wip/main; git fetch -q origin '+refs/heads/wip/*:refs/remotes/origin/*'",
        "git clone -q --bare . $MAIN/.git/evil; git -C $MAIN/.git/evil update-ref refs/heads/main HEAD; \
         git fetch -q --upload-pack=\"git-upload-pack $MAIN/.git/evil #\" origin",
        // On the remote.
        "git push origin HEAD:main",
        "git push --force origin HEAD:refs/heads/main",
        "git push origin HEAD:refs/heads/copy; git update-ref refs/remotes/origin/copy HEAD; git push origin HEAD:main",
    ] {
        let done = tries(&project, &task, line);
        assert_ne!(done.status(), 0, "`{line}` went through\n{}", done.stderr);
        assert_eq!(project.repo.rev("refs/heads/main"), main, "`{line}` moved trunk");
        assert_eq!(hub.repo().rev("main"), main, "`{line}` moved the remote's trunk");
        task.repo.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{}", task.branch)]).success();
        tidy_up(&project);
    }
    assert_eq!(project.status(&task.id), "claimed");
}

#[test]
fn what_goes_around_the_hooks_is_found_and_not_built_on() {
    for line in [
        "git -C $MAIN -c core.hooksPath=/dev/null merge -q --ff-only $(git rev-parse HEAD)",
        "git -C $MAIN -c orch.hooks=off merge -q --ff-only $(git rev-parse HEAD)",
        "rm $MAIN/.git/hooks/reference-transaction && git -C $MAIN merge -q --ff-only $(git rev-parse HEAD)",
        "chmod -x $MAIN/.git/hooks/* && git -C $MAIN merge -q --ff-only $(git rev-parse HEAD)",
        "git -C $MAIN switch -q -c elsewhere && git branch -C main && git -C $MAIN switch -q main",
        "git rev-parse HEAD > $MAIN/.git/refs/heads/main",
        "rm $MAIN/.git/orch/attested && git rev-parse HEAD > $MAIN/.git/refs/heads/main && git orch status",
    ] {
        let (project, hub, task) = scene();
        // Without a remote's trunk to build on.
        project.repo.git(&["remote", "remove", "origin"]).success();
        let before = project.repo.rev("main");
        let honest = project.task(&["--kind", "feature"]);
        honest.commits("good", "x\n");
        let done = tries(&project, &task, line);
        let evil = project.repo.rev("refs/heads/main");
        assert!(evil != before, "`{line}` is stopped: move it to the other list\n{}", done.stderr);
        for args in [&["status"][..], &["doctor"]] {
            let done = project.repo.orch(args).any();
            let text = format!("{}{}", done.stdout, done.stderr);
            assert!(text.contains("TAMPERED"), "{args:?} after `{line}`: {text}");
        }
        refused(project.repo.orch(&["merge", &honest.id]), 4, "trunk.tampered");
        task.agent(&["doctor", "--fix"]).any();
        refused(project.repo.orch(&["merge", &honest.id]), 4, "trunk.tampered");
        assert_eq!(project.repo.rev("refs/heads/main"), evil);
        assert_eq!(hub.repo().rev("main"), before);
    }
}

#[test]
fn what_a_merge_brought_in_was_never_trunk() {
    let project = Project::new();
    let task = project.task(&["--kind", "feature"]);
    task.commits("bad", "");
    let on_the_way = task.repo.rev("HEAD");
    task.repo.sh("git rm -q bad && git commit -qm 'as if nothing had been'").success();
    let before = project.repo.rev("main");
    task.commits("good", "x\n");
    project.repo.orch(&["merge", &task.id]).success();
    let go = |to: &str| {
        project.repo.git(&["-c", "core.hooksPath=/dev/null", "update-ref", "refs/heads/main", to]).success();
        project.repo.orch(&["status"]).success().stdout.contains("TAMPERED")
    };
    assert!(!go(&before), "trunk was there");
    assert!(go(&on_the_way), "nobody judged that commit by itself");
}

#[test]
fn a_tracking_ref_that_somebody_forged_is_found_by_the_next_fetch() {
    let (project, hub, task) = scene();
    task.repo
        .sh("git clone -q --bare . $PWD/../evil && git -C ../evil update-ref refs/heads/main HEAD")
        .success();
    let line = "url=$(git config remote.origin.url); GIT_CONFIG_COUNT=1 GIT_CONFIG_VALUE_0=$url \
                GIT_CONFIG_KEY_0=\"url.file://$PWD/../evil.insteadOf\" git fetch -q origin; \
                git -C $MAIN merge -q --ff-only $(git rev-parse HEAD)";
    let evil = task.repo.rev("HEAD");
    let done = tries(&project, &task, line);
    assert_eq!(project.repo.rev("main"), evil, "it is stopped: say so in trust.md\n{}", done.stderr);
    // Looking at it does not make it true.
    project.repo.orch(&["status"]).success();
    project.repo.git(&["fetch", "--quiet", "origin"]).success();
    let seen = project.repo.orch(&["status"]).success().stdout;
    assert!(seen.contains("TAMPERED"), "{seen}");
    let honest = project.task(&["--kind", "feature"]);
    honest.commits("good", "x\n");
    project.repo.orch(&["merge", &honest.id]).any();
    assert!(hub.repo().try_rev("main:bad").is_none(), "the remote's trunk stays clean");
}

#[test]
fn an_agent_of_the_loop_keeps_to_its_task() {
    let (project, _, task) = scene();
    let other = project.task(&["--kind", "feature"]);
    let third = project.repo.orch(&["add", "third"]).success().line();
    let hidden = "env -u ORCH_TASK -u ORCH_SESSION";
    for line in [
        format!(
            "cd {} && echo x > s && git add s && {hidden} git commit -qm x",
            other.repo.path("").display()
        ),
        format!("{hidden} git orch release {}", other.id),
        format!("git orch close {third} --reason x"),
        format!("git orch start {third}"),
        "git orch next".to_owned(),
        format!("git orch edit {third} --title x"),
        format!("git orch dep add {third} {}", task.id),
        "cd $MAIN && git orch start --here --title x".to_owned(),
        format!("git update-ref refs/heads/{} HEAD", other.branch),
        format!("git -C {} reset -q --hard HEAD~1", other.repo.path("").display()),
    ] {
        let done = tries(&project, &task, &line);
        assert!(crate::project::names_rule(&done.stderr, "task.other"), "`{line}`: {}", done.stderr);
    }
    assert_eq!((project.status(&other.id), project.status(&third)), ("claimed".into(), "open".into()));
}

#[test]
fn where_worktrees_are_is_not_an_agents_to_say() {
    let (project, hub, task) = scene();
    let third = project.repo.orch(&["add", "third"]).success().line();
    let (main, there) = (project.repo.rev("main"), hub.repo().rev("main"));
    let elsewhere = "git -c orch.worktrees=/nonexistent";
    for line in [
        format!("{elsewhere} push origin HEAD:main"),
        format!("{elsewhere} orch close {third} --reason x"),
        format!("{elsewhere} orch override --reason x -- git push . HEAD:main"),
        format!("env -u ORCH_TASK {elsewhere} orch override --reason x -- git push . HEAD:main"),
        format!(
            "env -u ORCH_TASK {elsewhere} orch doctor --fix && {elsewhere} orch override --reason x -- git push . HEAD:main"
        ),
    ] {
        let done =
            task.agent_cmd("sh").args(&["-c", &line]).var("ORCH_WORKTREE", task.repo.path("")).run().any();
        assert_ne!(done.status(), 0, "`{line}`: {}", done.stderr);
    }
    assert_eq!((project.repo.rev("main"), hub.repo().rev("main")), (main, there));
    assert_eq!(project.status(&third), "open");
    // By the place alone; but not a person's own worktree, whatever it is called.
    let overridden =
        ["-c", "orch.worktrees=/nonexistent", "orch", "override", "--reason", "x", "--", "git", "status"];
    assert_ne!(task.repo.git(&overridden).status(), 0);
    project.repo.git(&["worktree", "add", "--quiet", "-b", "free", "../backends"]).success();
    project.repo.env().at("backends").git(&overridden).success();
}

#[test]
fn the_record_is_not_set_back() {
    let (project, _, task) = scene();
    let state = project.repo.rev("refs/orch/state");
    for line in [
        "git update-ref refs/orch/state refs/orch/state~1",
        "git update-ref -d refs/orch/state",
        "git branch old refs/orch/state~1; git fetch -q . +refs/heads/old:refs/orch/state",
        "git push -q . +refs/orch/state~1:refs/orch/state",
    ] {
        let done = tries(&project, &task, line);
        assert!(crate::project::names_rule(&done.stderr, "state.direct"), "`{line}`: {}", done.stderr);
        assert_eq!(project.repo.rev("refs/orch/state"), state, "`{line}`");
    }
    // What git does with refs by itself goes on.
    project
        .repo
        .sh("git pack-refs --all --prune && git gc -q && git update-ref refs/orch/state refs/orch/state")
        .success();
    project.repo.orch(&["add", "more"]).success();
    project.repo.sh("git pack-refs --all --prune && git update-ref -d refs/heads/free; git branch free && git branch -D free").success();
    let done = tries(&project, &task, "git update-ref -d refs/orch/state");
    assert!(crate::project::names_rule(&done.stderr, "state.direct"), "packed: {}", done.stderr);
}

/// A process of the agent's that left it can record what it likes; the loop goes by what it has seen itself.
#[test]
fn the_loop_believes_no_verdict_that_it_did_not_make() {
    let env = TestEnv::new();
    let project = Project::with(&env, &gate("! ls bad"));
    let repo = &project.repo;
    repo.sh("mkdir ../shim && printf '#!/bin/sh\nexit 1\n' > ../shim/ls && chmod +x ../shim/ls").success();
    repo.sh("git switch -q -c forged && touch bad && git add bad && git commit -qm bad").success();
    let path = format!("{}:{}", repo.path("../shim").display(), env.vars().text("PATH").expect("set"));
    repo.cmd(ORCH).args(&["ralph"]).var("PATH", path).run().success();
    repo.git(&["switch", "--quiet", "main"]).success();
    let id = repo.orch(&["add", "one", "--kind", "feature"]).success().line();
    repo.orch(&["run", "--until-empty", "--merge", "auto", "--agent", "touch bad"]).any();
    assert!(repo.try_rev("main:bad").is_none(), "it is on trunk");
    assert_ne!(project.status(&id), "done");
}

#[test]
fn a_guard_whose_settings_are_spoilt_goes_by_the_state() {
    for spoil in ["rm $MAIN/.git/orch/hook.toml", "echo '= 1' > $MAIN/.git/orch/hook.toml"] {
        let (project, hub, task) = scene();
        let before = project.repo.rev("main");
        for (line, rule) in [
            ("git -C $MAIN merge -q --ff-only $(git rev-parse HEAD)", "trunk.direct"),
            ("git update-ref refs/remotes/origin/main HEAD", "trunk.tracking"),
            ("git update-ref -d refs/heads/main", "trunk.delete"),
        ] {
            let done = tries(&project, &task, &format!("{spoil}; {line}"));
            assert!(crate::project::names_rule(&done.stderr, rule), "`{spoil}; {line}`: {}", done.stderr);
            for part in ["hook.toml", "refs/heads/main is guarded all the same", "git orch doctor --fix"] {
                assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
            }
            tidy_up(&project);
        }
        assert_eq!(project.repo.rev("main"), before);
        for line in ["git push -q origin HEAD:refs/heads/main", "git commit -q --allow-empty -m x"] {
            let done = tries(&project, &task, &format!("{spoil}; {line}"));
            assert!(done.stderr.contains("nothing could be checked, so "), "`{line}`: {}", done.stderr);
        }
        // Every other branch, and a person's way out, work as ever.
        task.repo.git(&["branch", "free"]).success();
        project.repo.git(&["fetch", "--quiet"]).success();
        let anyway = ["override", "-m", "r", "--", "git", "branch", "-f", "copy", "main"];
        project.repo.orch(&anyway).success();
        project.repo.orch(&["doctor", "--fix"]).any();
        assert!(project.repo.read(".git/orch/hook.toml").contains("refs/heads/main"));
        assert_eq!(hub.repo().rev("main"), before);
        // With the state gone, too, nobody knows what trunk is; setting up again finds the move.
        let line = "git -c core.hooksPath=/dev/null update-ref -d refs/orch/state; git -C $MAIN merge -q --ff-only $(git rev-parse HEAD)";
        let done = tries(&project, &task, &format!("{spoil}; {line}"));
        assert!(done.stderr.contains("this hook guarded nothing"), "{}", done.stderr);
        assert_ne!(project.repo.rev("main"), before);
        assert!(project.repo.orch(&["init"]).any().to_string().contains("TAMPERED"));
    }
}
