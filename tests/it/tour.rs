//! The main job from `init` to `uninstall` on a repository that we did not write: a published crate, judged by the
//! gate that `init` finds for it.

use crate::env::{TestEnv, TestRepo};

/// A stand-in for an agent: its first try breaks a test and claims success, its second is right.
const AGENT: &str = "\
if [ \"$ORCH_ITERATION\" = 1 ]; then
  sed -i 's|assert_eq!(\"foo%20bar|assert_eq!(\"wrong|; s|^pub fn percent_encode_byte|/// One byte.\\npub fn percent_encode_byte|' src/lib.rs
  printf '#[test]\\nfn broken() { assert_eq!(1, 2); }\\n' >> src/ascii_set.rs
else
  sed -i '/^fn broken/d; /^#\\[test\\]$/{N;}' src/ascii_set.rs
  git show \"$ORCH_BASE:src/ascii_set.rs\" > src/ascii_set.rs
fi
echo '<promise>BUGFIX_COMPLETE</promise>'
";

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

fn add(repo: &TestRepo, args: &[&str]) -> String {
    let id = repo.orch(&[&["add"], args].concat()).success().line();
    repo.env().learn_id(&id);
    id
}

#[test]
fn the_tour_on_a_repository_that_we_did_not_write() {
    let env = TestEnv::new();
    let repo = env.corpus("percent-encoding");
    set_up(&repo);
    queue_and_policy(&repo);
    by_hand(&repo);
    by_itself(&repo);
    take_down(&repo);
}

fn set_up(repo: &TestRepo) {
    let hooks_before = repo.sh("cd .git/hooks && ls -la | awk '{print $1,$5,$9}' && cat * | cksum").success();
    repo.write("hooks-before", &hooks_before.lines().join("\n"));
    repo.git(&["update-index", "--add", "hooks-before"]).success();
    repo.git(&["commit", "--quiet", "-m", "notes"]).success();
    repo.orch(&["init", "--dry-run"]).success();
    assert_eq!(repo.try_rev("refs/orch/state"), None, "a dry run changes nothing");
    assert!(!repo.has("orch.toml"));
    repo.orch(&["init"]).success();
    assert!(repo.read("orch.toml").contains("cargo test"), "the gate is found");
    let tip = repo.rev("main");
    repo.orch(&["init"]).success();
    assert_eq!(repo.rev("main"), tip, "a second init changes nothing");
    let verdict = repo.orch(&["ralph"]).success();
    assert_eq!(last_line(&verdict.lines().join("\n")), "PASS");
    repo.orch(&["doctor"]).success();
}

fn queue_and_policy(repo: &TestRepo) {
    let first = add(repo, &["Say what NON_ALPHANUMERIC is for", "--priority", "P1", "--kind", "docs"]);
    let second = add(repo, &["Second thing", "--needs", &first]);
    let cycle = repo.orch(&["dep", "add", &first, &second]).code(4);
    assert!(cycle.to_string().contains("->"), "the path of the cycle is shown");
    repo.orch(&["close", &second, "--reason", "not needed"]).success();
    let tip = repo.rev("main");
    for line in ["git commit -aqm x", "git commit -nqam x", "git update-ref refs/heads/main HEAD^"] {
        repo.sh(&format!("echo '// x' >> src/lib.rs; {line}")).code(if line.contains("update") {
            128
        } else {
            1
        });
        assert_eq!(repo.rev("main"), tip, "{line}");
    }
    repo.git(&["restore", "src/lib.rs"]).success();
}

fn by_hand(repo: &TestRepo) {
    let taken = repo.orch(&["next", "--json"]).success().json();
    let path = taken["path"].as_str().expect("a worktree").to_owned();
    let branch = taken["branch"].as_str().expect("a branch").to_owned();
    assert!(branch.starts_with("feature/"), "{branch}");
    let task = repo.env().at(&path);
    task.sh("echo '// for people' >> src/lib.rs && git commit -qam 'docs: a word'").success();
    let message = task.git(&["log", "-1", "--format=%B"]).success().lines().join("\n");
    assert!(message.contains("Orch-Task: ") && message.contains("Orch-Fence: 1"), "{message}");
    task.sh("git commit -q --allow-empty -m x --no-verify && git reset -q HEAD^").success();
    repo.orch(&["merge", &branch]).success();
    assert_eq!(repo.read("src/lib.rs").lines().last(), Some("// for people"), "a clean checkout follows");
    let done = repo.orch(&["list", "--status", "done", "--json"]).success().json();
    assert_eq!(done.as_array().map(Vec::len), Some(1));
}

fn by_itself(repo: &TestRepo) {
    let script = repo.env().root().join("agent.sh");
    git_orch::sys::fs::write_atomic(&script, AGENT.as_bytes(), 0o755, git_orch::sys::fs::Durability::None)
        .expect("below the root");
    let bug = add(repo, &["Say what percent_encode_byte does", "--kind", "bug"]);
    let agent = format!("sh {}", script.display());
    let run = repo.orch(&["run", "--agent", &agent]).success();
    let text = run.to_string();
    assert!(text.contains("2 iterations") && text.contains("1 merged"), "{text}");
    let shown = repo.orch(&["show", &bug, "--json"]).success().json();
    assert_eq!(shown["status"], "done");
    let verdict = repo.orch(&["ralph", "main"]).success();
    assert_eq!(last_line(&verdict.lines().join("\n")), "PASS");
    assert!(repo.read("src/lib.rs").contains("/// One byte."));
    let audit = repo.git(&["log", "--format=%B", "refs/orch/state"]).success().lines().join("\n");
    for action in
        ["state.create", "task.add", "task.claim", "verdict", "task.merging", "task.done", "session."]
    {
        assert!(audit.contains(&format!("\"action\":\"{action}")), "{action} is in the audit");
    }
    repo.git(&["fsck", "--strict", "--no-dangling"]).success();
    repo.orch(&["status"]).success();
    repo.orch(&["doctor"]).success();
}

fn take_down(repo: &TestRepo) {
    let before = repo.read("hooks-before");
    repo.orch(&["worktree", "prune"]).success();
    repo.orch(&["uninstall"]).success();
    let hooks = repo.sh("cd .git/hooks && ls -la | awk '{print $1,$5,$9}' && cat * | cksum").success();
    assert_eq!(hooks.lines().join("\n"), before.trim_end(), "every byte of the hooks is restored");
    assert!(repo.try_rev("refs/orch/state").is_some(), "the state is kept");
    repo.sh("echo '// direct' >> src/lib.rs && git commit -qam 'a commit on main, as before'").success();
}
