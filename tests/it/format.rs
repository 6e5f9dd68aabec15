//! Stored formats: what was ever written is read for ever, and what a newer program wrote is not lost.

use git_orch::store::{decode_task, encode_task};
use git_orch::sys::fs;

use crate::env::{TestEnv, TestRepo, corpus};
use crate::project::{counting_gate, refused};

/// A repository whose state is what lies in `tests/corpus/store/<version>`.
fn with_state(version: &str) -> TestRepo {
    let env = TestEnv::new();
    let repo = env.repo("repo");
    repo.commit("gate", &[("orch.toml", &counting_gate(&env))]);
    repo.orch(&["init"]).success();
    plant(
        &repo,
        &format!("GIT_WORK_TREE='{}' git add --all .", corpus(&format!("store/{version}")).display()),
    );
    repo
}

/// Makes what `line` puts into an index the state.
fn plant(repo: &TestRepo, line: &str) {
    let line = format!(
        "export GIT_DIR=$PWD/.git GIT_INDEX_FILE=$PWD/.git/planted.index; rm -f .git/planted.index; {line} && \
         c=$(git -c user.name=t -c user.email=t@e commit-tree -m planted $(git write-tree)) && \
         git -c core.hooksPath=/dev/null update-ref refs/orch/state $c"
    );
    repo.sh(&line).success();
}

#[test]
fn format_1_is_read_as_it_was_meant() {
    let repo = with_state("v1");
    let read = repo.orch(&["list", "--all", "--json"]).success().json();
    let golden = corpus("store/v1.json");
    let meant: serde_json::Value =
        serde_json::from_str(&fs::read_string(&golden).expect("the golden file")).expect("JSON");
    assert_eq!(read, meant);
    assert_eq!(
        repo.orch(&["mode"]).success().stdout.lines().next().map(|l| l.contains("PAUSED")),
        Some(true)
    );
    let doctor = repo.orch(&["doctor", "--json"]).any().json();
    let checks = doctor["checks"].as_array().expect("checks");
    let state = checks.iter().find(|check| check["name"] == "state").expect("the state is checked");
    assert_eq!(state["state"], "ok", "{state}");
}

#[test]
fn format_1_is_written_as_it_was() {
    let mut seen = 0;
    for shard in fs::list(&corpus("store/v1/tasks")).expect("shards") {
        for path in fs::list(&shard).expect("tasks") {
            let text = fs::read_string(&path).expect("readable");
            let task = decode_task(&text).unwrap_or_else(|what| panic!("{}: {what}", path.display()));
            assert_eq!(encode_task(&task), text, "{}", path.display());
            seen += 1;
        }
    }
    assert_eq!(seen, 10);
}

#[test]
fn a_change_keeps_what_a_newer_program_wrote() {
    let repo = with_state("v1");
    repo.orch(&["mode", "normal"]).success();
    plant(
        &repo,
        "git read-tree refs/orch/state && edit() { git show refs/orch/state:$1 | sed \"$2\" | \
         git hash-object -w --stdin | xargs -I{} git update-index --cacheinfo 100644,{},$1; } && \
         edit tasks/2p/2p1v2p4e.toml 's/^kind = /later = [1, 2]\\n&/; s/^fence = /attempts = 7\\n&/' && \
         edit control.toml 's/^mode = /later = true\\n&/'",
    );
    repo.orch(&["edit", "2p1v2p4e", "--title", "changed"]).success();
    repo.orch(&["mode", "paused"]).success();
    let task = repo.git(&["show", "refs/orch/state:tasks/2p/2p1v2p4e.toml"]).success().stdout;
    for part in ["later = [1, 2]", "attempts = 7", "title = \"changed\""] {
        assert!(task.contains(part), "{part}: {task}");
    }
    let control = repo.git(&["show", "refs/orch/state:control.toml"]).success().stdout;
    assert!(control.contains("later = true") && control.contains("PAUSED"), "{control}");
}

#[test]
fn an_archived_task_keeps_what_a_newer_program_wrote() {
    let repo = with_state("v1");
    repo.orch(&["mode", "normal"]).success();
    repo.orch(&["edit", "10jm866k", "--title", "changed"]).success();
    let archive = repo.git(&["show", "refs/orch/state:archive/2026-q4/tasks.toml"]).success().stdout;
    repo.orch(&["reopen", "10jm866k"]).success();
    let task = repo.git(&["show", "refs/orch/state:tasks/10/10jm866k.toml"]).success().stdout;
    for text in [archive, task] {
        for part in ["later = [1, 2]", "attempts = 7", "title = \"changed\""] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_newer_format_is_refused_with_what_to_do() {
    let repo = with_state("v1");
    let meta = |key: &str| {
        format!(
            "git read-tree refs/orch/state && git show refs/orch/state:meta.toml | sed 's/^{key} = .*/{key} = 99/' | \
             git hash-object -w --stdin | xargs -I{{}} git update-index --cacheinfo 100644,{{}},meta.toml"
        )
    };
    plant(&repo, &meta("min_writer"));
    repo.orch(&["list"]).success();
    let told = refused(repo.orch(&["add", "x"]), 8, "state.newer");
    assert!(told.stderr.contains("install a newer git-orch"), "{}", told.stderr);
    plant(&repo, &meta("min_reader"));
    refused(repo.orch(&["list"]), 8, "state.newer");
}
