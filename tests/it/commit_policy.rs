//! Issue 2, point 5: what may be committed where, on exactly the tree that is about to be committed.

use git_orch::sys;

use crate::env::{ORCH, TestRepo};
use crate::project::{Project, Task, hear, names_rule, refused, tell};
use crate::run::Done;

/// `line` is refused by `rule`, and trunk stays where it is.
#[track_caller]
fn line_refused(repo: &TestRepo, line: &str, rule: &str) -> Done {
    let before = repo.rev("refs/heads/main");
    let done = repo.sh(line).any();
    assert_ne!(done.status(), 0, "`{line}` went through\n{}{}", done.stdout, done.stderr);
    assert!(names_rule(&done.stderr, rule), "`{line}` was not refused by {rule}:\n{}", done.stderr);
    assert_eq!(repo.rev("refs/heads/main"), before, "`{line}` moved main");
    done
}

/// Back to a clean trunk.
fn tidy_up(repo: &TestRepo) {
    repo.sh("git merge --abort; git cherry-pick --abort; git rebase --abort; git read-tree -u --reset main; git symbolic-ref HEAD refs/heads/main; git clean -fdq").any();
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, "");
}

#[test]
fn trunk_is_refused_to_everything_that_moves_it() {
    let project = Project::new();
    let repo = &project.repo;
    repo.git(&["switch", "--quiet", "-c", "side"]).success();
    repo.commit("side", &[("src/a", "1\n2\n3\n4\n")]);
    repo.git(&["switch", "--quiet", "main"]).success();
    for (line, rule) in [
        ("echo x >> src/a && git commit -qam x", "branch.trunk"),
        ("echo x >> src/a && git commit -qanm x", "branch.trunk"),
        ("git commit -q --amend -m x", "branch.trunk"),
        ("git commit -qn --amend -m x", "branch.trunk"),
        ("git merge -q --ff side", "trunk.direct"),
        ("git merge -q --ff-only side", "trunk.direct"),
        ("git merge -q --no-ff -m m side", "branch.trunk"),
        ("git merge -q --no-ff --no-verify -m m side", "branch.trunk"),
        ("git merge -q --squash side && git commit -qm m", "branch.trunk"),
        ("git reset -q --hard side", "trunk.direct"),
        ("git reset -q --soft side", "trunk.direct"),
        ("git update-ref refs/heads/main side", "trunk.direct"),
        ("git rebase -q side", "trunk.direct"),
        ("git rebase -q --apply side", "trunk.direct"),
        ("git cherry-pick side", "branch.trunk"),
        ("git revert --no-edit HEAD", "branch.trunk"),
        ("git pull -q --ff-only . side", "trunk.direct"),
        ("git pull -q --no-rebase --no-ff --no-edit . side", "branch.trunk"),
    ] {
        line_refused(repo, line, rule);
        tidy_up(repo);
    }
}

#[test]
fn a_refused_commit_on_trunk_names_the_way_out_and_the_way_works() {
    let project = Project::new();
    let repo = &project.repo;
    repo.write("src/a", "1\n2\nthree\n");
    let done = repo.git(&["commit", "-am", "x"]).any();
    insta::assert_snapshot!(done, @"
    ---- stderr
    error: this commit would be made directly on main: trunk only moves to what Ralph has verified
    rule: branch.trunk
    next: git orch start --here   (a task and its branch from here; index and files stay as they are)
          git switch -c NAME   (a free branch)
          git orch override --reason TEXT -- git commit …   (a person, this once, recorded)
    [exit: 1]
    ");
    let shown = repo.orch(&["start", "--here", "--title", "Three", "--json"]).success().json();
    assert_eq!(
        repo.git(&["symbolic-ref", "--short", "HEAD"]).success().line(),
        shown["branch"].as_str().expect("it has")
    );
    assert_eq!(repo.git(&["status", "--porcelain"]).success().stdout, " M src/a\n");
    repo.git(&["commit", "--quiet", "-am", "x"]).success();
}

#[test]
fn the_first_commit_of_a_new_repository_is_anybodys() {
    let env = crate::env::TestEnv::new();
    let repo = env.unborn("repo");
    repo.orch(&["init"]).success();
    repo.write("README", "hi\n");
    repo.git(&["add", "README"]).success();
    repo.git(&["commit", "--quiet", "-m", "first"]).success();
    line_refused(&repo, "git commit -q --allow-empty -m second", "branch.trunk");
}

#[test]
fn a_pull_fast_forwards_and_a_diverged_one_does_not_merge() {
    let project = Project::new();
    let env = project.env();
    let hub = env.remote("origin");
    project.repo.connect(&hub);
    let other = env.clone_of(&hub, "other");
    let repo = &project.repo;
    other.commit("theirs", &[("theirs", "x\n")]);
    other.git(&["push", "--quiet", "origin", "main"]).success();
    repo.git(&["pull", "--quiet"]).success();
    assert_eq!(repo.rev("main"), other.rev("main"));
    // A commit here that went around the hooks, and one there: neither way of bringing them together passes.
    repo.commit("mine", &[("mine", "x\n")]);
    other.commit("theirs too", &[("theirs", "y\n")]);
    other.git(&["push", "--quiet", "origin", "main"]).success();
    line_refused(repo, "git pull -q --no-rebase --no-edit", "branch.trunk");
    repo.git(&["merge", "--abort"]).success();
    line_refused(repo, "git pull -q --rebase", "branch.trunk");
}

#[test]
fn an_override_is_for_once() {
    let project = Project::new();
    let repo = &project.repo;
    let head = repo.rev("HEAD");
    let over =
        |args: &[&str]| repo.cmd(ORCH).args(&["override", "--reason", "hotfix", "--"]).args(args).run();
    repo.write("src/a", "now\n");
    over(&["git", "commit", "--quiet", "-am", "hotfix"]).success();
    assert_eq!(repo.rev("HEAD~1"), head);
    line_refused(repo, "git commit -q --allow-empty -m again", "branch.trunk");
    // Its status is the child's, and what the command does twice is done once.
    over(&["git", "commit", "-m", "nothing to commit"]).code(1);
    let twice =
        "-c alias.twice='!git commit -q --allow-empty -m one && git commit -q --allow-empty -m two' twice";
    let done = repo.sh(&format!("{ORCH} override --reason r -- git {twice}")).any();
    assert!(names_rule(&done.stderr, "branch.trunk"), "{}", done.stderr);
    assert_eq!(repo.git(&["log", "-1", "--format=%s"]).success().line(), "one");
    // Recorded, with who and why.
    let log = repo.git(&["log", "--format=%B", "refs/orch/state"]).success().stdout;
    assert!(log.contains("hotfix -- git commit --quiet -am hotfix"), "{log}");
    assert!(log.contains("ann@example.com"), "{log}");
    refused(over(&["sh", "-c", "git commit --allow-empty -m x"]), 2, "override.command");
    refused(repo.orch(&["override", "--reason", " ", "--", "git", "status"]), 2, "reason.empty");
}

#[test]
fn an_override_moves_trunk_from_any_branch_once() {
    let project = Project::new();
    let repo = &project.repo;
    let start = repo.rev("main");
    repo.git(&["switch", "--quiet", "-c", "x"]).success();
    repo.commit("x", &[("x", "x\n")]);
    repo.git(&["switch", "--quiet", "-c", "elsewhere"]).success();
    for line in [
        "git branch -f main x",
        "git update-ref refs/heads/main x",
        "git push --quiet . x:main",
        "git fetch --quiet . x:main",
    ] {
        line_refused(repo, line, "trunk.direct");
        repo.sh(&format!("{ORCH} override --reason r -- {line}")).success();
        assert_eq!(repo.rev("main"), repo.rev("x"), "{line}");
        assert!(!repo.orch(&["status"]).success().to_string().contains("TAMPERED"), "{line}");
        line_refused(repo, &format!("git update-ref refs/heads/main {start}"), "trunk.direct");
        repo.sh(&format!("{ORCH} override --reason back -- git branch -f main {start}")).success();
    }
}

#[test]
fn an_override_is_open_to_its_own_command_alone() {
    let project = Project::new();
    let repo = &project.repo;
    repo.git(&["branch", "side"]).success();
    repo.commit("unverified", &[("src/a", "x\n")]);
    repo.sh("mkfifo .git/up .git/go").success();
    let editor = "echo up > .git/up; read go < .git/go; echo hotfix >";
    let args = ["override", "--reason", "r", "--", "git", "commit", "--quiet", "--allow-empty"];
    let command = repo.cmd(ORCH).args(&args).var("GIT_EDITOR", editor).spawn();
    hear(&repo.path(".git/up"));
    line_refused(repo, "git update-ref refs/heads/main side", "trunk.direct");
    line_refused(repo, "git commit --quiet --allow-empty -m mine", "branch.trunk");
    tell(&repo.path(".git/go"));
    command.wait().success();
    assert_eq!(repo.git(&["log", "-1", "--format=%s"]).success().line(), "hotfix");
}

#[test]
fn an_override_that_could_not_be_closed_to_tasks_is_refused() {
    let project = Project::new();
    let repo = &project.repo;
    repo.git(&["config", "orch.worktrees", "../task\nworktrees"]).success();
    let words = ["override", "--reason", "r", "--", "git", "commit", "--quiet", "--allow-empty", "-m", "x"];
    let done = refused(repo.orch(&words), 8, "override.worktrees");
    assert!(done.stderr.contains("git config orch.worktrees DIR"), "{}", done.stderr);
    assert!(!repo.orch(&["log", "-n", "1"]).success().stdout.contains("override"), "nothing was recorded");
}

#[test]
fn an_override_of_another_branch_does_not_open_trunk() {
    let project = Project::new();
    let repo = &project.repo;
    repo.git(&["switch", "--quiet", "-c", "x"]).success();
    repo.commit("x", &[("x", "x\n")]);
    let both = "-c alias.both='!git commit -q --allow-empty -m y && git update-ref refs/heads/main x' both";
    line_refused(repo, &format!("{ORCH} override --reason r -- git {both}"), "trunk.direct");
}

#[test]
fn an_override_is_closed_to_a_task_worktree_below_it() {
    let project = Project::new();
    let task = project.task(&[]);
    let place = task.repo.path("");
    let below = format!("cd {} && git update-ref refs/heads/main HEAD", place.display());
    task.repo.commit("work", &[("src/a", "x\n")]);
    // The word is trunk's name, so that it is open to the command itself.
    project.repo.git(&["branch", "side", &task.branch]).success();
    for below in [&below, "ORCH_TASK=1 git update-ref refs/heads/main side"] {
        let line = format!("{ORCH} override --reason r -- git -c alias.below='!{below}; :' below main");
        let before = project.repo.rev("main");
        let done = project.repo.sh(&line).any();
        assert!(names_rule(&done.stderr, "trunk.direct"), "{below}: {}", done.stderr);
        assert_eq!(project.repo.rev("main"), before, "{below}");
    }
}

#[test]
fn no_override_from_below_a_task_worktree() {
    let project = Project::new();
    let task = project.task(&[]);
    let main = project.repo.path("");
    let main = main.to_str().expect("temporary directories are");
    let over = "override --reason r -- git commit -q --allow-empty -m x";
    // In the worktree, in a directory of it, and by -C from it.
    task.repo.write("deep/er/x", "");
    for line in [
        format!("{ORCH} {over}"),
        format!("cd deep/er && {ORCH} {over}"),
        format!("{ORCH} -C {main} {over}"),
        // Below a shell that is there, though the child is not.
        format!("(cd {main} && {ORCH} {over}); exit $?"),
        // With the variable taken out of the environment: it is in the shell's.
        format!("cd {main} && env -u ORCH_TASK {ORCH} {over}"),
        format!("cd {main} && env -i PATH=\"$PATH\" HOME=\"$HOME\" {ORCH} {over}"),
    ] {
        let done = task.agent_cmd("sh").args(&["-c", &line]).run();
        refused(done, 4, "person.only");
    }
    // Without the variable anywhere, the working directory of the shell above tells.
    for line in [format!("{ORCH} {over}"), format!("(cd {main} && {ORCH} {over}); exit $?")] {
        refused(task.repo.sh(&line), 4, "person.only");
    }
    // With the variable and far away.
    refused(
        project.repo.cmd("sh").args(&["-c", &format!("{ORCH} {over}")]).var("ORCH_TASK", &task.id).run(),
        4,
        "person.only",
    );
    assert_eq!(project.repo.rev("main"), task.repo.rev("HEAD"), "nothing was committed");
}

#[test]
fn a_task_worktree_commits_on_its_own_branch_only() {
    let project = Project::new();
    let task = project.task(&[]);
    let repo = &task.repo;
    repo.write("src/a", "1\n2\n");
    for switch in
        ["git switch -q -c free", "git switch -q --detach", "git symbolic-ref HEAD refs/heads/feature/x"]
    {
        line_refused(repo, &format!("{switch} && git commit -qam x"), "branch.task");
        line_refused(repo, "git commit -qanm x", "branch.task");
        repo.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{}", task.branch)]).success();
    }
    line_refused(repo, "git symbolic-ref HEAD refs/heads/main && git commit -qam x", "branch.trunk");
    repo.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{}", task.branch)]).success();
    repo.git(&["commit", "--quiet", "-am", "x"]).success();
    // Another task's branch, from here.
    let other = project.task(&[]);
    repo.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{}", other.branch)]).success();
    line_refused(repo, "git commit -q --allow-empty -m x", "branch.task");
}

#[test]
fn each_team_has_its_branches() {
    let project = Project::new();
    for (options, prefix) in [
        (&["--kind", "bug"][..], "fix/"),
        (&["--kind", "quality"][..], "fix/"),
        (&["--kind", "test"][..], "fix/"),
        (&["--kind", "feature"][..], "feature/"),
        (&["--kind", "docs"][..], "feature/"),
        (&["--kind", "bug", "--role", "testwriter"][..], "feature/"),
        (&["--kind", "feature", "--role", "bugfix"][..], "fix/"),
    ] {
        let task = project.task(options);
        assert!(task.branch.starts_with(prefix), "{options:?}: {}", task.branch);
        task.commits("src/a", "1\n2\n");
    }
    // Who is held to a contract does not choose another one.
    let task = project.task(&["--kind", "bug"]);
    for wider in [["--kind", "quality"], ["--role", "codequality"]] {
        refused(task.agent(&[&["edit", &task.id][..], &wider].concat()), 4, "person.only");
    }
    task.agent(&["edit", &task.id, "--body", "found it"]).success();
}

#[test]
fn a_task_that_changes_teams_takes_its_work_along() {
    let project = Project::new();
    let task = bugfix(&project);
    task.commits("src/a", "1\n2\n");
    task.repo.sh("echo x > src/new && git add src/new").success();
    let refused_line = line_refused(&task.repo, "git commit -qm x", "contract.new_files");
    let way_out = format!("git orch edit {} --role featurebuilder", task.id);
    assert!(refused_line.stderr.contains(&way_out), "{}", refused_line.stderr);
    let tip = task.repo.rev("HEAD");
    // The contract is a person's to choose, in a checkout of their own.
    let edit = ["edit", &task.id, "--kind", "feature"];
    refused(task.repo.orch(&edit), 4, "person.only");
    project.repo.orch(&edit).success();
    let branch = task.branch.replacen("fix/", "feature/", 1);
    assert_eq!(task.repo.git(&["symbolic-ref", "--short", "HEAD"]).success().line(), branch);
    assert_eq!(project.repo.try_rev(&format!("refs/heads/{}", task.branch)), None);
    assert_eq!(task.repo.git(&["status", "--porcelain"]).success().stdout, "A  src/new\n");
    assert_eq!(task.repo.rev("HEAD"), tip);
    task.repo.sh("git commit --quiet -m new").success();
    // Back: what the branch has by now is held to the fixers' contract again.
    project.repo.orch(&["edit", &task.id, "--kind", "bug"]).success();
    line_refused(&task.repo, "echo y >> src/a && git commit -qam y", "contract.new_files");
    task.repo.sh("git reset -q --hard").success();
    // Not over a branch that is there.
    project.repo.sh(&format!("git branch {branch} main")).success();
    refused(project.repo.orch(&edit), 4, "branch.occupied");
    project.repo.git(&["branch", "-D", &branch]).success();
    project.repo.orch(&edit).success();
    project.repo.orch(&["merge", &task.id]).success();
}

#[test]
fn a_change_of_teams_that_was_killed_is_carried_on() {
    let project = Project::new();
    let task = bugfix(&project);
    task.commits("src/a", "1\n2\n");
    let env = project.repo.env();
    env.cmd("mkdir").args(&["wrap"]).run().success();
    let git =
        sys::process::find_program("git", &sys::env::Env::capture()).expect("git").display().to_string();
    let wrap = format!("case \" $* \" in *\" $KILL_AT \"*) kill -9 $PPID; exit 1;; esac; exec {git} \"$@\"");
    env.at("wrap")
        .sh(&format!("printf '#!/bin/sh\\n%s\\n' '{}' > git && chmod +x git", wrap.replace('\'', "'\\''")))
        .success();
    let path = format!("{}:{}", env.root().join("wrap").display(), env.vars().text("PATH").expect("set"));
    let killed = |args: &[&str], at: &str| {
        let command = project.repo.cmd(ORCH).args(args).var("PATH", &path).var("KILL_AT", at);
        assert_eq!(command.run().any().status(), 137);
    };
    for (n, again) in [&["edit", &task.id, "--kind", "feature"][..], &["start", &task.id]].iter().enumerate()
    {
        let branch = task.branch.replacen("fix/", "feature/", 1);
        project.repo.orch(&["edit", &task.id, "--kind", "bug"]).any();
        let edit = ["edit", &task.id, "--kind", "feature"];
        killed(&edit, "symbolic-ref -m");
        assert_eq!(task.repo.git(&["symbolic-ref", "--short", "HEAD"]).success().line(), task.branch);
        // A commit that was under way then is on the old name alone.
        task.repo
            .sh(&format!("echo {n} >> src/a && git -c core.hooksPath=/dev/null commit -qam x"))
            .success();
        let tip = task.repo.rev("HEAD");
        project.repo.orch(again).success();
        assert_eq!(project.repo.try_rev(&format!("refs/heads/{}", task.branch)), None);
        assert_eq!(task.repo.git(&["symbolic-ref", "--short", "HEAD"]).success().line(), branch);
        assert_eq!(task.repo.rev("HEAD"), tip);
        // Nor does it pull a branch from under a rebase.
        task.repo.sh("GIT_SEQUENCE_EDITOR=\"sed -i '1s/pick/edit/'\" git rebase -q -f -i main").success();
        refused(project.repo.orch(&["edit", &task.id, "--kind", "bug"]), 4, "branch.rebase");
        task.repo.sh("git rebase --abort").success();
    }
    // After the checkout has moved, with work on the new name by the time somebody looks.
    killed(&["edit", &task.id, "--kind", "bug"], "update-ref --no-deref -d");
    task.repo.sh("echo late >> src/a && git commit -qam x").success();
    project.repo.orch(&["start", &task.id]).success();
    let other = task.branch.replacen("fix/", "feature/", 1);
    assert_eq!(project.repo.try_rev(&format!("refs/heads/{other}")), None);
    // Before the state knows of it: the new name goes again.
    killed(&["edit", &task.id, "--kind", "feature"], "update-ref -m git orch edit: another team's");
    task.repo.sh("echo later >> src/a && git commit -qam x").success();
    project.repo.orch(&["edit", &task.id, "--kind", "feature"]).success();
    project.repo.orch(&["merge", &task.id]).success();
    assert_eq!(project.repo.read("src/a"), "1\n2\n0\n1\nlate\nlater\n");
}

fn numbered(lines: usize) -> String {
    let text: Vec<String> = (0..lines).map(|n| n.to_string()).collect();
    text.join("\n") + "\n"
}

/// A bugfix task: 5 files, 100 lines, no new files, no deletions.
fn bugfix(project: &Project) -> Task {
    project.task(&["--kind", "bug"])
}

#[test]
fn the_tree_that_is_judged_is_the_one_that_is_committed() {
    let project = Project::new();
    let task = bugfix(&project);
    let repo = &task.repo;
    let too_much = numbered(120);
    // In the working tree only: it is not committed, and does not count.
    repo.write("src/a", &too_much);
    task.commits("src/b", "b2\n");
    // `-a` and a path take it along.
    line_refused(repo, "git commit -qam x", "contract.lines");
    line_refused(repo, "git commit -qanm x", "contract.lines");
    line_refused(repo, "git commit -qm x src/a", "contract.lines");
    line_refused(repo, "git commit -qm x --only src/a", "contract.lines");
    line_refused(repo, "git commit -qm x --include src/a", "contract.lines");
    line_refused(repo, "git commit -q --amend -a --no-edit", "contract.lines");
    // Staged, but the commit is of another path.
    repo.git(&["add", "src/a"]).success();
    repo.write("src/b", "b3\n");
    repo.git(&["commit", "--quiet", "-m", "x", "--only", "src/b"]).success();
    line_refused(repo, "git commit -qm x", "contract.lines");
    // Another index altogether, in both directions.
    line_refused(
        repo,
        "git read-tree HEAD && GIT_INDEX_FILE=$PWD/../ix git read-tree HEAD && GIT_INDEX_FILE=$PWD/../ix git add src/a && GIT_INDEX_FILE=$PWD/../ix git commit -qm x",
        "contract.lines",
    );
    repo.sh("git add src/a && GIT_INDEX_FILE=$PWD/../ix git read-tree HEAD && GIT_INDEX_FILE=$PWD/../ix git commit --quiet --allow-empty -m x").success();
    // From a directory below, where git hands the index over relative to the top.
    line_refused(repo, "cd src && git commit -qm x", "contract.lines");
    // What is flagged as unchanged in the index is not committed.
    repo.sh("git read-tree HEAD && git update-index --assume-unchanged src/a && git commit --quiet --allow-empty -am x").success();
}

#[test]
fn limits_count_the_whole_branch_at_every_commit() {
    let project = Project::new();
    let task = bugfix(&project);
    task.commits("src/a", &numbered(60));
    // 60 more in another file is over 100 together.
    line_refused(&task.repo, "seq 1 60 > src/b && git commit -qam x", "contract.lines");
    // Amending the first commit counts its own lines once.
    task.repo.sh("git checkout -q src/b && git commit --quiet --amend --no-edit -a").success();
    task.stage("src/a", &numbered(80));
    task.repo.git(&["commit", "--quiet", "--amend", "--no-edit"]).success();
    // Back to few lines is allowed, though the commit itself deletes many.
    task.commits("src/a", "1\n2\n3\n");
    task.commits("src/b", &numbered(60));
}

#[test]
fn files_paths_additions_and_deletions_are_limited() {
    let project = Project::new();
    let files: Vec<String> = (0..6).map(|n| format!("src/f{n}")).collect();
    let mut list: Vec<(&str, &str)> = files.iter().map(|f| (f.as_str(), "1\n")).collect();
    list.push((".github/workflows/ci.yml", "x\n"));
    list.push(("db/migrations/1.sql", "x\n"));
    project.repo.commit("more", &list);
    let task = bugfix(&project);
    let repo = &task.repo;
    for (line, rule) in [
        ("for f in src/f?; do echo 2 >> $f; done; git commit -qam x", "contract.files"),
        ("echo y >> .github/workflows/ci.yml && git commit -qam x", "contract.paths.forbidden"),
        ("git mv .github/workflows/ci.yml src/ci.yml && git commit -qam x", "contract.paths.forbidden"),
        ("git mv src/f0 .github/workflows/f0 && git commit -qam x", "contract.paths.forbidden"),
        ("echo y >> db/migrations/1.sql && git commit -qam x", "contract.paths.forbidden"),
        ("chmod +x db/migrations/1.sql && git commit -qam x", "contract.paths.forbidden"),
        ("echo y > src/new && git add src/new && git commit -qm x", "contract.new_files"),
        ("cp src/f0 src/new && git add src/new && git commit -qm x", "contract.new_files"),
        ("ln -s f0 src/link && git add src/link && git commit -qm x", "contract.new_files"),
        ("git rm -q src/f0 && git commit -qm x", "contract.deletions"),
    ] {
        line_refused(repo, line, rule);
        repo.sh("git reset -q --hard && git clean -fdq").success();
    }
    // Not `--no-verify` either, and a rename is neither a new file nor a deletion.
    line_refused(repo, "echo y > src/new && git add src/new && git commit -qnm x", "contract.new_files");
    repo.sh("git reset -q --hard && git clean -fdq && git mv src/f0 src/g0 && git commit --quiet -m x")
        .success();
    // The dev team may add.
    let dev = project.task(&["--kind", "feature"]);
    dev.commits("src/new", "x\n");
}

#[test]
fn lines_are_counted_whatever_the_branch_says_of_its_files() {
    let project = Project::new();
    project.repo.commit("lock", &[(".gitattributes", "lock -diff\n"), ("lock", "1\n")]);
    // The dev team may add files, and this one would hide the others.
    let dev = project.task(&["--kind", "feature"]);
    dev.repo.write("src/a", &numbered(600));
    for attributes in [".gitattributes", "src/.gitattributes"] {
        dev.repo.write(attributes, "* binary\n");
        line_refused(&dev.repo, "git add -A && git commit -qm x", "contract.lines");
    }
    // What trunk calls so, is so.
    dev.repo.sh("git reset -q --hard && git clean -fdq").success();
    dev.commits("lock", &numbered(900));
    // What is binary has no lines.
    let dev = project.task(&["--kind", "feature"]);
    dev.repo.sh("head -c 100000 /dev/urandom > src/blob && printf '\\0' >> src/blob && git add src/blob && git commit --quiet -m x").success();
}

#[test]
fn merging_or_rebasing_onto_trunk_does_not_count_what_trunk_did() {
    let project = Project::new();
    let task = bugfix(&project);
    task.commits("src/a", "one\n2\n3\n");
    project.repo.commit("big", &[("src/b", &numbered(400)), ("src/c", &numbered(400)), (".github/x", "x\n")]);
    let before = task.repo.rev("HEAD");
    task.repo.git(&["merge", "--quiet", "--no-edit", "main"]).success();
    assert_eq!(task.repo.rev("HEAD^2"), project.repo.rev("main"));
    task.commits("src/a", "one\n2\n3\nfour\n");
    // The same by a rebase, which commits with HEAD detached.
    task.repo.git(&["reset", "--quiet", "--hard", &before]).success();
    task.repo.git(&["rebase", "--quiet", "main"]).success();
    assert_eq!(task.repo.rev("HEAD^"), project.repo.rev("main"));
    // A merge that conflicts is finished by a commit with MERGE_HEAD there.
    task.repo.git(&["reset", "--quiet", "--hard", &before]).success();
    project.repo.commit("clash", &[("src/a", "uno\n2\n3\n")]);
    assert_ne!(task.repo.git(&["merge", "--quiet", "main"]).any().status(), 0);
    task.repo.write("src/a", "uno, one\n2\n3\n");
    task.repo.git(&["commit", "--quiet", "--all", "--no-edit"]).success();
    // What is smuggled into the merge counts.
    task.repo.git(&["reset", "--quiet", "--hard", &before]).success();
    task.repo.git(&["merge", "--quiet", "--no-commit", "main"]).any();
    task.repo.write("src/b", &numbered(150));
    line_refused(&task.repo, "git add -A && git commit -q --no-edit", "contract.lines");
}

fn trailers(repo: &TestRepo) -> Vec<String> {
    repo.git(&["log", "-1", "--format=%(trailers:only,unfold)"])
        .success()
        .lines()
        .into_iter()
        .filter(|l| !l.is_empty())
        .collect()
}

#[test]
fn a_tasks_commits_say_whose_they_are_once() {
    let project = Project::new();
    let task = bugfix(&project);
    let ours = [format!("Orch-Task: {}", task.id), "Orch-Fence: 1".to_owned()];
    task.commits("src/a", "1\n");
    assert_eq!(trailers(&task.repo), ours);
    task.repo.git(&["commit", "--quiet", "--amend", "--allow-empty", "--no-edit"]).success();
    assert_eq!(trailers(&task.repo), ours, "amended");
    task.repo
        .git(&["commit", "--quiet", "--allow-empty", "--no-verify", "-m", "x", "-m", "Fixes: 3"])
        .success();
    assert_eq!(trailers(&task.repo), [&["Fixes: 3".to_owned()][..], &ours].concat());
    task.repo.git(&["commit", "--quiet", "--allow-empty", "-C", "HEAD"]).success();
    assert_eq!(
        trailers(&task.repo),
        [&["Fixes: 3".to_owned()][..], &ours].concat(),
        "taken from another commit"
    );
    // With an editor, whose comments are none of the message; with -v they are long.
    for verbose in ["", "-v"] {
        let editor = "GIT_EDITOR='sed -i 1s/^/subject/'";
        task.repo.sh(&format!("{editor} git commit --quiet {verbose} --allow-empty")).success();
        let body = task.repo.git(&["log", "-1", "--format=%B"]).success();
        assert_eq!(body.lines()[0], "subject", "{}", body.stdout);
        assert!(!body.stdout.contains('#'), "{}", body.stdout);
        assert_eq!(trailers(&task.repo), ours, "{verbose}: {}", body.stdout);
    }
    // Three dashes are part of the message.
    task.repo.git(&["commit", "--quiet", "--allow-empty", "-m", "x\n\n---\ny"]).success();
    assert_eq!(trailers(&task.repo), ours);
    assert!(
        task.repo.git(&["log", "-1", "--format=%B"]).success().stdout.starts_with("x\n\n---\ny\n\nOrch-Task")
    );
    // The next owner has the next fence.
    task.repo.orch(&["release", &task.id]).success();
    let again = project.start(&task.id);
    let fence = project.shown(&task.id)["fence"].as_u64().expect("a number");
    assert!(fence > 1);
    again.commits("src/a", "1\n2\n3\n4\n");
    assert_eq!(trailers(&again.repo)[1], format!("Orch-Fence: {fence}"));
}

#[test]
fn an_editor_that_is_left_empty_still_gives_up() {
    let project = Project::new();
    let task = bugfix(&project);
    let before = task.repo.rev("HEAD");
    for editor in ["true", "sed -i /^[^#]/d"] {
        let done =
            task.repo.cmd("git").args(&["commit", "--allow-empty"]).var("GIT_EDITOR", editor).run().any();
        assert_eq!(done.status(), 1, "{editor}: {}", done.stderr);
        assert!(done.stderr.contains("empty commit message"), "{editor}: {}", done.stderr);
    }
    assert_eq!(task.repo.rev("HEAD"), before);
}

#[test]
fn who_lost_a_task_commits_no_more_on_it() {
    let project = Project::new();
    let task = bugfix(&project);
    task.commits("src/a", "1\n");
    // Taken over behind this clone's back: its register has another fence than the lease here.
    task.repo
        .sh(&format!("printf '7\\n' > {}/orch/leases/{}", project.repo.path(".git").display(), task.id))
        .success();
    let done = line_refused(&task.repo, "echo 2 >> src/a && git commit -qam x", "task.fence");
    assert!(done.stderr.contains("git switch -c kept/"), "{}", done.stderr);
    line_refused(&task.repo, "git commit -qanm x", "task.fence");
    refused(task.repo.cmd(ORCH).args(&["hook", "pre-commit"]).run(), 4, "task.fence");
    // The way out works.
    task.repo.sh(&format!("git switch -q -c kept/{} && git commit --quiet -am x", task.id)).success();
}

#[test]
fn an_agent_commits_for_its_own_task_only() {
    let project = Project::new();
    let mine = bugfix(&project);
    let other = bugfix(&project);
    other.stage("src/a", "1\n");
    let done = other.repo.cmd("git").args(&["commit", "-qm", "x"]).var("ORCH_TASK", &mine.id).run();
    assert!(names_rule(&done.stderr, "task.other"), "{}", done.stderr);
    assert_ne!(done.status(), 0);
    other.repo.cmd("git").args(&["commit", "--quiet", "-m", "x"]).var("ORCH_TASK", &other.id).run().success();
}

#[test]
fn branches_that_are_nobodys_are_free() {
    let project = Project::new();
    let repo = &project.repo;
    for name in ["wip", "hotfix/x", "fix/no-task", "feature/later"] {
        repo.git(&["switch", "--quiet", "-c", name]).success();
        repo.write(".github/x", &numbered(900));
        repo.sh("git add -A && git commit --quiet --allow-empty -m x").success();
        assert_eq!(trailers(repo), Vec::<String>::new());
    }
    repo.git(&["switch", "--quiet", "--detach"]).success();
    repo.git(&["commit", "--quiet", "--allow-empty", "-m", "x"]).success();
}

#[test]
fn an_override_of_something_else_hides_no_tampering() {
    let env = crate::env::TestEnv::new();
    let repo = env.repo("mine");
    repo.orch(&["init"]).success();
    let forged = "git commit-tree -m x HEAD^{tree} -p HEAD > .git/refs/heads/main.new";
    repo.sh(&format!("{forged} && mv .git/refs/heads/main.new .git/refs/heads/main")).success();
    let tampered = || repo.orch(&["status"]).success().to_string().contains("TAMPERED");
    assert!(tampered());
    repo.orch(&["override", "--reason", "x", "--", "git", "status"]).success();
    assert!(tampered(), "a command that moved nothing vouches for nothing");
}
