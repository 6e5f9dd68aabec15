//! What others may have put into a state, a tree or a repository that comes here.

use std::path::PathBuf;

use git_orch::sys;

use crate::env::{TestEnv, TestRepo};
use crate::lease::{other_session_starts, touch};
use crate::project::{Project, gate, refused};

/// Puts a file with this mode and content into the state, past git-orch.
pub(crate) fn plant(repo: &TestRepo, mode: &str, path: &str, content: &str) {
    let line = format!(
        "export GIT_INDEX_FILE=.git/plant; git read-tree refs/orch/state &&
         git update-index --add --cacheinfo {mode},$(git hash-object -w --stdin),{path} &&
         message=$(git log -1 --format=%B refs/orch/state) && new=$(git commit-tree -p refs/orch/state \
         -m \"$message\" $(git write-tree)) && git -c core.hooksPath=/dev/null update-ref refs/orch/state $new"
    );
    repo.cmd("sh").args(&["-c", &line]).stdin(content).run().success();
}

pub(crate) fn task_file(id: &str) -> String {
    format!("tasks/{}/{id}.toml", &id[..2])
}

fn add(repo: &TestRepo, title: &str) -> String {
    repo.orch(&["add", title]).success().line()
}

#[test]
fn a_broken_object_hides_one_task_and_doctor_mends_it() {
    let project = Project::new();
    let repo = &project.repo;
    let (whole, broken) = (add(repo, "whole"), add(repo, "broken"));
    let waiting = repo.orch(&["add", "waiting", "--priority", "P0", "--needs", &broken]).success().line();
    let blob = repo.rev(&format!("refs/orch/state:{}", task_file(&broken)));
    let object = repo.path(format!(".git/objects/{}/{}", &blob[..2], &blob[2..]));
    // As a program leaves them that has no packs of its own.
    repo.sh("mv .git/objects/pack packs && mkdir .git/objects/pack").success();
    repo.sh("for pack in packs/*.pack; do git unpack-objects -q < $pack; done; rm -rf packs").success();
    assert!(sys::fs::exists(&object), "it is loose");
    sys::fs::write_atomic(&object, b"no object", 0o444, sys::fs::Durability::None).expect("writable");
    for index in [true, false] {
        if !index {
            for file in sys::fs::list(&repo.path(".git/orch")).expect("readable") {
                if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("index")) {
                    sys::fs::remove_file(&file).expect("derived");
                }
            }
        }
        let list = repo.orch(&["list", "--json"]).success().json();
        let ids: Vec<&str> =
            list.as_array().expect("an array").iter().filter_map(|t| t["id"].as_str()).collect();
        assert_eq!(ids, [waiting.as_str(), whole.as_str()]);
    }
    let done = refused(repo.orch(&["edit", &broken, "--title", "x"]), 8, "state.damaged");
    assert!(done.stderr.contains(&task_file(&broken)), "{}", done.stderr);
    // What needs it can be looked at, and waits.
    let shown = repo.orch(&["show", &waiting, "--json"]).success().json();
    assert_eq!(shown["ready"], false);
    let found = repo.orch(&["doctor"]).code(1);
    assert!(found.stdout.contains(&task_file(&broken)), "{}", found.stdout);
    let taken = repo.orch(&["next", "--no-worktree", "--json"]).success().json();
    assert_eq!(taken["id"], whole.as_str());
}

#[test]
fn a_link_in_the_state_is_no_task() {
    let project = Project::new();
    let repo = &project.repo;
    let id = add(repo, "a task");
    let text = repo.git(&["show", &format!("refs/orch/state:{}", task_file(&id))]).success().stdout;
    plant(repo, "120000", &task_file(&id), &text);
    let list = repo.orch(&["list", "--json"]).success().json();
    assert_eq!(list.as_array().map(Vec::len), Some(0), "{list}");
    let found = repo.orch(&["doctor"]).code(1);
    assert!(found.stdout.contains("it is no file"), "{}", found.stdout);
    repo.orch(&["doctor", "--fix"]).success();
    assert_eq!(repo.orch(&["list", "--json"]).success().json()[0]["id"], id.as_str());
}

#[test]
fn a_branch_that_is_an_option_and_a_title_that_moves_the_cursor_are_damage() {
    let project = Project::new();
    let repo = &project.repo;
    let id = add(repo, "a task");
    repo.orch(&["start", &id, "--no-worktree"]).success();
    let text = repo.git(&["show", &format!("refs/orch/state:{}", task_file(&id))]).success().stdout;
    let branch = text.lines().find(|line| line.starts_with("branch = ")).expect("it has one");
    for evil in [
        text.replace(branch, "branch = \"--force\""),
        text.replace(branch, "branch = \"a..b\""),
        text.replace("title = \"a task\"", "title = \"a\\u001b[2Jtask\""),
    ] {
        assert_ne!(evil, text);
        plant(repo, "100644", &task_file(&id), &evil);
        let done = repo.orch(&["show", &id]).code(8);
        assert!(done.stderr.contains("is damaged"), "{}", done.stderr);
        refused(repo.orch(&["start", &id]), 8, "state.damaged");
    }
}

#[test]
fn a_tree_nested_without_end_is_refused() {
    let project = Project::new();
    let repo = &project.repo;
    let line = "tree=$(printf x | git hash-object -w --stdin); tree=$(printf '100644 blob %s\\tx\\n' $tree | git mktree)
        for n in $(seq 400); do tree=$(printf '040000 tree %s\\td\\n' $tree | git mktree); done
        export GIT_INDEX_FILE=.git/plant; state=$(git ls-tree refs/orch/state)
        all=$(printf '%s\\n040000 tree %s\\ttasks\\n' \"$state\" $tree | git mktree)
        git -c core.hooksPath=/dev/null update-ref refs/orch/state $(git commit-tree -p refs/orch/state -m x $all)";
    repo.sh(line).success();
    let done = repo.orch(&["list"]).code(8);
    assert!(done.stderr.contains("levels deep"), "{}", done.stderr);
}

#[test]
fn what_a_gate_file_is_counts_as_much_as_what_it_says() {
    let project = Project::new();
    for (n, change) in [
        "ln -s ../elsewhere .husky/pre-push",
        "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),.claude/x",
        "chmod -x .husky/pre-commit",
    ]
    .into_iter()
    .enumerate()
    {
        let repo = &project.repo;
        if n == 0 {
            repo.sh("mkdir .husky && echo '#!/bin/sh' > .husky/pre-commit && chmod +x .husky/pre-commit && git add .husky")
                .success();
            let words = ["override", "-m", "x", "--", "git", "commit", "--quiet", "-m", "husky"];
            repo.orch(&words).success();
        }
        let branch = format!("change-{n}");
        repo.git(&["switch", "--quiet", "-c", &branch, "main"]).success();
        repo.sh(change).success();
        repo.sh("git add .husky; git commit --quiet -m change").success();
        repo.git(&["switch", "--quiet", "--force", "main"]).success();
        refused(repo.orch(&["merge", &branch]), 3, "gate.changed");
    }
}

#[test]
fn a_repository_of_somebody_else_is_gits_to_allow() {
    let project = Project::new();
    let repo = &project.repo;
    // Only root can give a repository away; for everybody else there is nothing to see.
    if repo.sh("chown -R 12345 . 2>/dev/null").status() != 0 {
        return;
    }
    let done = repo.orch(&["list"]).code(8);
    assert!(done.stderr.contains("dubious ownership"), "{}", done.stderr);
    let path = repo.path("").display().to_string();
    repo.git(&["config", "--global", "safe.directory", path.trim_end_matches('/')]).success();
    repo.orch(&["list"]).success();
}

#[test]
fn a_history_without_trunk_is_a_change_of_everything() {
    let project = Project::new();
    let task = project.task(&["--kind", "bug"]);
    let branch = format!("refs/heads/{}", task.branch);
    for n in 0..8 {
        task.repo.write(&format!("new{n}"), "x\n");
    }
    task.repo.git(&["add", "--all"]).success();
    task.repo.git(&["update-ref", "-d", &branch]).success();
    let done = task.repo.git(&["commit", "--quiet", "-m", "from nothing"]).code(1);
    assert!(done.stderr.contains("rule: "), "{}", done.stderr);
}

#[test]
fn a_damaged_index_costs_time_and_nothing_else() {
    let project = Project::new();
    let repo = &project.repo;
    let id = add(repo, "a task");
    for path in sys::fs::list(&repo.path(".git/orch")).expect("readable") {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("index-")) {
            sys::fs::remove_file(&path).expect("derived");
        }
    }
    // Built anew, all of it is in one file.
    repo.orch(&["list"]).success();
    let is_index = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "db");
    let files = sys::fs::list(&repo.path(".git/orch")).expect("readable");
    let index = files.into_iter().find(is_index).expect("there is one");
    let bytes = sys::fs::read(&index).expect("readable");
    let at = bytes.windows(6).position(|window| window == b"a task").expect("the title is in it");
    let mut damaged = bytes.clone();
    damaged[at] = b'b';
    sys::fs::overwrite(&index, &damaged, sys::fs::Durability::None).expect("writable");
    let status = repo.orch(&["status", "--json"]).success().json();
    assert_eq!((&status["ready"], &status["next"]["id"]), (&1.into(), &id.as_str().into()));
    let list = repo.orch(&["list", "--json"]).success().json();
    assert_eq!(list[0]["title"], "a task");
    let taken = repo.orch(&["next", "--no-worktree", "--json"]).success().json();
    assert_eq!(taken["id"], id.as_str());
}

#[test]
fn an_index_that_lost_its_rows_does_not_make_the_queue_empty() {
    let project = Project::new();
    let repo = &project.repo;
    let id = add(repo, "a task");
    repo.orch(&["list"]).success();
    let index = git_orch::index::file(&repo.path(".git/orch"));
    // One without a log, so that the bytes count.
    repo.sh("for f in .git/orch/index-*; do rm \"$f\"; done").success();
    repo.orch(&["list"]).success();
    let mut bytes = sys::fs::read(&index).expect("readable");
    // The number of cells of every leaf that has the title in it (SQLite's file format, 1.6).
    for page in bytes.chunks_mut(4096).filter(|page| page.windows(6).any(|window| window == b"a task")) {
        if matches!(page[0], 0x0a | 0x0d) {
            page[3..5].fill(0);
        }
    }
    let whole = bytes.chunks(4096).filter(|page| page.windows(6).any(|window| window == b"a task")).count();
    assert!(whole > 0, "the title is in it");
    sys::fs::overwrite(&index, &bytes, sys::fs::Durability::None).expect("writable");
    for args in [&["list", "--json"][..], &["list", "--search", "task", "--json"]] {
        assert_eq!(repo.orch(args).success().json()[0]["id"], id.as_str(), "{args:?}");
    }
}

/// Lines that make a repository in the directory they run in, with one commit that is the same each time, and in which
/// whoever compares its files runs a program that says so in `told`.
fn trap(told: &std::path::Path) -> String {
    let who = "GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a \
               GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z";
    let lines = [
        "git init -q . && echo 1 > f && git add f".to_owned(),
        format!("{who} git -c core.hooksPath=/dev/null commit -qm x"),
        format!(
            "printf '#!/bin/sh\\necho came > {}\\ncat\\n' > .git/told && chmod +x .git/told",
            told.display()
        ),
        "git config filter.x.clean \"$PWD/.git/told\" && echo '* filter=x' > .git/info/attributes".to_owned(),
        "echo 2 > f && touch -d 2001-01-01 f".to_owned(),
    ];
    lines.join(" &&\n")
}

/// A project with a submodule, of which its tree says that git has to look into it whatever it is configured to.
fn with_submodule(gate: &str) -> (Project, PathBuf) {
    let env = TestEnv::new();
    let (repo, told) = (env.repo("repo"), env.root().join("told"));
    let commit = repo.sh(&format!("mkdir ../trap && cd ../trap && {} && git rev-parse HEAD", trap(&told)));
    let commit = commit.success().line();
    repo.write(".gitmodules", "[submodule \"sub\"]\npath = sub\nurl = ./sub\nignore = none\n");
    repo.git(&["add", ".gitmodules"]).success();
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},sub")]).success();
    repo.git(&["commit", "--quiet", "-m", "a submodule"]).success();
    (Project::set_up(repo, gate), told)
}

#[test]
fn no_git_of_ours_looks_into_a_repository_that_a_step_made() {
    let (project, told) = with_submodule(&gate("sh ./src/a"));
    let repo = &project.repo;
    repo.git(&["switch", "--quiet", "-c", "trap"]).success();
    repo.commit("trap", &[("src/a", &format!("cd sub && {}", trap(&told)))]);
    for _ in 0..2 {
        let done = repo.orch(&["ralph", "--fresh"]).code(3);
        assert!(done.stdout.contains("sub is not what the tree has"), "{done}");
        assert!(!sys::fs::exists(&told), "a program of the branch ran outside of the sandbox");
    }
    // Whoever looks there is told of.
    let look = format!("cd ../repo.orch/gate-0; git diff-files --quiet; test -e {}", told.display());
    repo.sh(&look).success();
}

#[test]
fn no_git_of_ours_looks_into_a_repository_that_an_agent_made() {
    let (project, told) = with_submodule(&gate("true"));
    let repo = &project.repo;
    repo.git(&["config", "orch.personLease", "1ms"]).success();
    let task = project.task(&[]);
    task.repo.sh(&format!("mkdir -p sub new && echo x > new/x && cd sub && {}", trap(&told))).success();
    repo.orch(&["worktree", "list"]).success();
    repo.orch(&["worktree", "prune"]).success();
    // What is there is kept before the task changes hands.
    task.repo.sh("touch -d '1 hour ago' new/x sub").success();
    touch(repo, &task.id, "1 hour ago");
    other_session_starts(repo, &task.id).success();
    let kept = format!("refs/orch/backup/wip/{}", task.id);
    let files = repo.git(&["ls-tree", "-r", &kept]).success().stdout;
    assert!(files.contains("new/x") && files.contains("160000 commit"), "{files}");
    assert!(!sys::fs::exists(&told), "a program of the worktree ran");
}

#[test]
fn what_lies_at_a_submodule_s_place_is_there_for_no_later_run() {
    let check = "test -z \"$(ls -A sub)\" && test ! -e src/.git && if test -e src/step; then sh src/step; fi";
    let project = Project::with(&TestEnv::new(), &gate(check));
    let repo = &project.repo;
    repo.git(&["switch", "--quiet", "-c", "work"]).success();
    // With a name that is not UTF-8.
    repo.sh("printf x > \"$(printf 'n\\377')\" && git add --all").success();
    let commit = repo.rev("HEAD");
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},sub")]).success();
    repo.git(&["commit", "--quiet", "-m", "work"]).success();
    let judge = || repo.orch(&["ralph", "--fresh"]).success();
    judge();
    let pool = project.env().at("repo.orch/gate-0");
    for left in [
        "echo x > sub/x",
        "git init -q sub",
        "git init -q src",
        "rmdir sub && ln -s src sub",
        "rmdir sub && mkfifo sub",
        "rmdir sub",
        "git init -q src && printf y > \"$(printf 'n\\377')\"",
    ] {
        pool.sh(left).success();
        judge();
    }
    // What else a step makes of it is seen after the step.
    for left in ["echo x > sub/x", "rmdir sub", "rmdir sub; ln -s src sub", "rmdir sub; touch sub"] {
        repo.commit("step", &[("src/step", left)]);
        let done = repo.orch(&["ralph"]).code(3);
        assert!(done.stdout.contains("sub is not what the tree has"), "{left}: {done}");
    }
}

#[test]
fn what_git_turns_around_stays_as_it_was_put_there() {
    let env = TestEnv::new();
    let repo = env.repo("repo");
    repo.write(".gitattributes", "* text=auto\nident ident\ndos eol=crlf\n");
    for (file, text) in [("auto", "one\ntwo\n"), ("ident", "# $Id$\n"), ("dos", "one\ntwo\n")] {
        repo.write(file, text);
    }
    repo.sh("git add --all && git commit --quiet -m turned").success();
    let project = Project::set_up(repo, &gate("sh src/a"));
    let repo = &project.repo;
    repo.git(&["switch", "--quiet", "-c", "work"]).success();
    repo.commit("pass", &[("src/a", "grep -q 'Id: [0-9a-f]' ident && grep -q \"$(printf '\\r')\" dos")]);
    for _ in 0..2 {
        repo.orch(&["ralph", "--fresh"]).success();
    }
    for (file, edit) in
        [("auto", "s/$/\\r/"), ("ident", "s/Id: /Id: x/"), ("dos", "s/\\r$//"), ("dos", "s/one/two/")]
    {
        let step = format!("sed -i '{edit}' {file}");
        repo.commit("edit", &[("src/a", &step)]);
        let done = repo.orch(&["ralph"]).code(3);
        assert!(done.stdout.contains(&format!("{file} is not what the tree has")), "{step}: {done}");
    }
}

#[test]
fn directories_without_end_are_in_the_way_of_no_later_run() {
    let lines = [
        "for place in . src; do (cd \"$place\" && mkdir -p $(printf 'd/%.0s' $(seq 3000))) || exit; done",
        "for place in . src; do (cd \"$place\" && mkdir -p $(printf 'e/%.0s' $(seq 100)) && chmod 0 e/e/e/e); done",
    ];
    let project = Project::with(&TestEnv::new(), &gate("test ! -e d && test ! -e src/e && sh src/a"));
    let repo = &project.repo;
    repo.git(&["switch", "--quiet", "-c", "deep"]).success();
    for (n, line) in lines.iter().enumerate() {
        repo.commit("deep", &[("src/a", line)]);
        for _ in 0..2 {
            assert!(repo.orch(&["ralph", "--fresh"]).any().status() < 8, "{n}");
        }
    }
    repo.commit("flat", &[("src/a", "true")]);
    repo.orch(&["ralph"]).success();
    // Neither is a checkout that can't be mended at all: it is made anew.
    let pool = project.env().at("repo.orch/gate-0");
    pool.sh("index=$(git rev-parse --absolute-git-dir)/index && rm $index && mkdir $index").success();
    repo.orch(&["ralph", "--fresh"]).success();
}
