//! Where worktrees are, what `list` and `path` say of them, and what `prune` keeps; on every shape of repository.

use std::path::Path;

use serde_json::Value;

use crate::env::{TestEnv, TestRepo};
use crate::queue::{add, add_from, board};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Takes the next task; its worktree.
fn take(repo: &TestRepo) -> (String, TestRepo) {
    let taken = repo.orch(&["next", "--json"]).success().json();
    (text(&taken, "id").to_owned(), repo.env().at(Path::new(text(&taken, "path"))))
}

/// Takes and finishes one task in every way that a repository can be laid out; its worktree goes at the end.
fn works(repo: &TestRepo, place: &Path) {
    repo.orch(&["add", "A task"]).success();
    let (id, worktree) = take(repo);
    assert_eq!(worktree.path(""), place.join(&id).join(""));
    worktree.write("README.md", "changed\n");
    worktree.git(&["commit", "--quiet", "-a", "-m", "work"]).success();
    let trailers = worktree.git(&["log", "-1", "--format=%(trailers:key=Orch-Task,valueonly)"]).success();
    assert_eq!(trailers.stdout.trim(), id);
    assert_eq!(worktree.orch(&["worktree", "path"]).success().line(), place.join(&id).to_string_lossy());
    let list = worktree.orch(&["worktree", "list", "--json"]).success().json();
    assert_eq!((list[0]["unpushed"].as_u64(), text(&list[0], "task")), (Some(1), id.as_str()));
    worktree.orch(&["close", &id, "-m", "enough"]).success();
    let kept = repo.orch(&["worktree", "prune", "--json"]).success().json();
    assert!(text(&kept["kept"][0], "why").contains("neither trunk nor a remote"), "{kept}");
    worktree.git(&["reset", "--quiet", "--hard", "HEAD^"]).success();
    let removed = repo.orch(&["worktree", "prune", "--json"]).success().json();
    assert_eq!(removed["removed"][0], place.join(&id).to_string_lossy().as_ref(), "{removed}");
    assert_eq!(repo.try_rev(&format!("refs/heads/fix/{id}-a-task")), None, "the branch goes, too");
}

#[test]
fn beside_the_repository() {
    let env = TestEnv::new();
    works(&board(&env, "r"), &env.root().join("r.orch"));
}

#[test]
fn names_with_spaces_and_beyond_ascii() {
    let env = TestEnv::new();
    works(&board(&env, "my 'ünï' — repo $x"), &env.root().join("my 'ünï' — repo $x.orch"));
}

#[test]
fn from_a_linked_worktree() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    repo.git(&["worktree", "add", "--quiet", "-b", "free", "../linked"]).success();
    works(&env.at("linked"), &env.root().join("r.orch"));
}

#[test]
fn a_bare_repository_with_worktrees() {
    let env = TestEnv::new();
    env.repo("first");
    env.git(&["clone", "--quiet", "--bare", "first", "r.git"]).success();
    let bare = env.at("r.git");
    bare.git(&["remote", "remove", "origin"]).success();
    bare.git(&["worktree", "add", "--quiet", "-b", "free", "../free", "main"]).success();
    bare.orch(&["init"]).success();
    works(&env.at("free"), &env.root().join("r.git.orch"));
    works(&bare, &env.root().join("r.git.orch"));
}

#[test]
fn sha_256_and_reftable() {
    let env = TestEnv::new();
    for (name, option) in [("sha256", "--object-format=sha256"), ("reftable", "--ref-format=reftable")] {
        env.git(&["init", "--quiet", option, name]).success();
        let repo = env.at(name);
        repo.commit("first", &[("README.md", "x\n")]);
        repo.orch(&["init"]).success();
        works(&repo, &env.root().join(format!("{name}.orch")));
        assert_eq!(repo.git(&["fsck"]).success().stderr, "");
    }
}

#[test]
fn a_submodule() {
    let env = TestEnv::new();
    env.repo("inner");
    let outer = env.repo("outer");
    outer.git(&["submodule", "--quiet", "add", "../inner", "sub"]).success();
    let sub = env.at("outer/sub");
    sub.git(&["remote", "remove", "origin"]).success();
    sub.orch(&["init"]).success();
    works(&sub, &env.root().join("outer/sub.orch"));
}

#[test]
fn where_the_key_says() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    repo.git(&["config", "orch.worktrees", "../over here/trees"]).success();
    works(&repo, &env.root().join("over here/trees"));
    repo.git(&["config", "orch.worktrees", "~/trees"]).success();
    works(&repo, &env.home().join("trees"));
    repo.git(&["config", "orch.worktrees", &env.root().join("abs").to_string_lossy()]).success();
    works(&repo, &env.root().join("abs"));
}

#[test]
fn a_place_that_can_t_be_used_is_exit_8_and_names_the_key() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["T"]);
    env.at("").write("r.orch", "a file is in the way\n");
    insta::assert_snapshot!(repo.orch(&["next"]), @r"
    ---- stderr
    error: worktrees go to $ROOT/r.orch, which can't be made: File exists (os error 17)
    rule: worktrees.place
    next: git config orch.worktrees DIR   # a directory that you may write, outside any checkout
    [exit: 8]
    ");
    assert_eq!(
        text(&repo.orch(&["show", &id, "--json"]).success().json(), "status"),
        "open",
        "nothing is held"
    );
    repo.git(&["config", "orch.worktrees", ".git/trees"]).success();
    insta::assert_snapshot!(repo.orch(&["next"]), @r"
    ---- stderr
    error: worktrees go to $ROOT/r/.git/trees, which is below .git
    rule: worktrees.place
    next: git config orch.worktrees DIR   # a directory that you may write, outside any checkout
    [exit: 8]
    ");
    repo.git(&["config", "orch.worktrees", "build"]).success();
    insta::assert_snapshot!(repo.orch(&["next"]), @r"
    ---- stderr
    error: worktrees go to $ROOT/r/build, which is inside of the checkout $ROOT/r
    rule: worktrees.place
    next: git config orch.worktrees DIR   # a directory that you may write, outside any checkout
    [exit: 8]
    ");
    repo.git(&["config", "orch.worktrees", "../elsewhere"]).success();
    env.at("").write(&format!("elsewhere/{id}/mine"), "a person's\n");
    insta::assert_snapshot!(repo.orch(&["next"]), @r"
    ---- stderr
    error: $ROOT/elsewhere/ID1 is there and is no worktree of this repository
    rule: worktrees.occupied
    next: move it away; nothing in it was touched
    [exit: 8]
    ");
    assert_eq!(text(&repo.orch(&["show", &id, "--json"]).success().json(), "status"), "open", "given back");
    env.at("").sh(&format!("rm -r elsewhere/{id}")).success();
    take(&repo);
}

#[test]
fn work_is_never_removed() {
    let env = TestEnv::new();
    let (repo, hub) = (env.repo("r"), env.remote("origin"));
    repo.connect(&hub);
    repo.orch(&["init"]).success();
    let titles =
        ["held", "changed", "staged", "untracked", "committed", "pushed", "ignored", "clean", "detached"];
    add_from(&repo, &titles.map(|title| format!("- [ ] {title}\n")).concat());
    let trees = titles.map(|_| take(&repo));
    let tree = |n: usize| &trees[n].1;
    tree(1).write("README.md", "changed\n");
    tree(2).write("new", "staged\n");
    tree(2).git(&["add", "new"]).success();
    tree(3).write("deep/new", "untracked\n");
    tree(4).commit("work", &[("w", "1\n")]);
    tree(5).commit("work", &[("w", "2\n")]);
    tree(5).git(&["push", "--quiet", "--no-verify", "origin", "HEAD"]).success();
    repo.write(".git/info/exclude", "*.log\n");
    tree(6).write("x.log", "ignored\n");
    tree(8).git(&["checkout", "--quiet", "--detach"]).success();
    tree(8).commit("on no branch", &[("d", "1\n")]);
    insta::assert_snapshot!(repo.orch(&["worktree", "list"]), @r"
    TASK      STATE    WORK           BRANCH                  PATH
    ID1  claimed  clean          fix/ID1-held       $ROOT/r.orch/ID1
    ID2  claimed  1 uncommitted  fix/ID2-changed    $ROOT/r.orch/ID2
    ID3  claimed  1 uncommitted  fix/ID3-staged     $ROOT/r.orch/ID3
    ID4  claimed  1 untracked    fix/ID4-untracked  $ROOT/r.orch/ID4
    ID5  claimed  1 unpushed     fix/ID5-committed  $ROOT/r.orch/ID5
    ID6  claimed  clean          fix/ID6-pushed     $ROOT/r.orch/ID6
    ID7  claimed  clean          fix/ID7-ignored    $ROOT/r.orch/ID7
    ID8  claimed  clean          fix/ID8-clean      $ROOT/r.orch/ID8
    ID9  claimed  1 unpushed                             $ROOT/r.orch/ID9
    [exit: 0]
    ");
    for (id, _) in &trees[1..] {
        repo.orch(&["close", id, "-m", "enough"]).success();
    }
    let planned = repo.orch(&["worktree", "prune", "--dry-run"]).success();
    assert!(trees.iter().all(|(_, tree)| tree.path("").exists()), "only shown");
    let done = repo.orch(&["worktree", "prune"]);
    let will = done.stdout.replace("+ ", "+ would be ").replace("- ", "- would be ");
    let will = will.replace("worktrees removed, 6", "worktrees would be removed, 6 would be");
    assert_eq!(will, planned.stdout, "it says what it would do as what it did");
    insta::assert_snapshot!(done, @r"
    + removed $ROOT/r.orch/ID6
    + removed $ROOT/r.orch/ID7
    + removed $ROOT/r.orch/ID8
    - kept $ROOT/r.orch/ID1: ann@example.com works on it
    - kept $ROOT/r.orch/ID2: it has 1 uncommitted file
    - kept $ROOT/r.orch/ID3: it has 1 uncommitted file
    - kept $ROOT/r.orch/ID4: it has 1 untracked file
    - kept $ROOT/r.orch/ID5: it has commits that neither trunk nor a remote has
    - kept $ROOT/r.orch/ID9: it has commits that neither trunk nor a remote has
    3 worktrees removed, 6 kept
    [exit: 0]
    ");
    let left: Vec<bool> = trees.iter().map(|(_, tree)| tree.path("").exists()).collect();
    assert_eq!(left, [true, true, true, true, true, false, false, false, true]);
    assert_eq!(tree(3).read("deep/new"), "untracked\n");
    let branches = repo.git(&["branch", "--format=%(refname:short)", "--list", "fix/*"]).success().lines();
    assert_eq!(branches.len(), 6, "the branches of removed worktrees go: {branches:?}");
    // Somebody's shell is in it.
    add(&repo, &["visited"]);
    let (id, visited) = take(&repo);
    repo.orch(&["close", &id, "-m", "enough"]).success();
    trees.iter().filter(|(_, tree)| tree.path("").exists()).for_each(|(id, tree)| {
        repo.git(&["worktree", "remove", "--force", &tree.path("").to_string_lossy()]).success();
        env.learn_id(id);
    });
    insta::assert_snapshot!(visited.orch(&["worktree", "prune"]), @r"
    - kept $ROOT/r.orch/ID10: you are in it
    0 worktrees removed, 1 kept
    [exit: 0]
    ");
    assert!(visited.path("").exists());
}

#[test]
fn what_git_or_a_person_took_away_is_no_trouble() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    add_from(&repo, "- [ ] one\n- [ ] two\n");
    let ((first, one), (second, two)) = (take(&repo), take(&repo));
    repo.sh(&format!("rm -r '{}'", one.path("").display())).success();
    repo.git(&["worktree", "remove", &two.path("").to_string_lossy()]).success();
    insta::assert_snapshot!(repo.orch(&["worktree", "list"]), @r"
    TASK      STATE    WORK     BRANCH            PATH
    ID1  claimed  missing  fix/ID1-one  $ROOT/r.orch/ID1
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["worktree", "path", &second]), @r"
    ---- stderr
    error: task ID2 has no worktree
    rule: worktree.absent
    next: git orch start ID2
    [exit: 2]
    ");
    insta::assert_snapshot!(repo.orch(&["worktree", "path"]), @r"
    ---- stderr
    error: this checkout is no task's
    rule: task.here
    next: git orch list --mine
    [exit: 2]
    ");
    repo.orch(&["close", &first, "-m", "enough"]).success();
    repo.orch(&["worktree", "prune"]).success();
    assert_eq!(repo.git(&["worktree", "list"]).success().lines().len(), 1);
    insta::assert_snapshot!(repo.orch(&["worktree", "list"]), @r"
    ---- stderr
    No worktrees.
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["worktree", "list", "--json"]), @r"
    []
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["worktree", "prune"]), @r"
    0 worktrees removed, 0 kept
    [exit: 0]
    ");
}

#[test]
fn a_checkout_of_the_user_s_own_is_the_task_s_place() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let here = repo.orch(&["start", "--here", "--title", "Here", "--json"]).success().json();
    let id = text(&here, "id");
    assert_eq!(here["path"], repo.path("").to_string_lossy().trim_end_matches('/'));
    for again in [repo.orch(&["start", id, "--json"]), repo.orch(&["show", id, "--json"])] {
        assert_eq!(again.success().json()["path"], here["path"]);
    }
    assert_eq!(repo.orch(&["worktree", "path", id]).success().line(), text(&here, "path"));
    repo.orch(&["release"]).success();
    let again = repo.orch(&["next", "--json"]).success().json();
    assert_eq!((text(&again, "id"), &again["path"]), (id, &here["path"]));
    assert!(!env.at("").has(&format!("r.orch/{id}")));
}

#[test]
fn a_file_that_git_was_told_not_to_look_at_keeps_its_worktree() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    for flag in ["--skip-worktree", "--assume-unchanged"] {
        repo.orch(&["add", "A task"]).success();
        let (id, worktree) = take(&repo);
        worktree.git(&["update-index", flag, "README.md"]).success();
        worktree.write("README.md", "a day's work\n");
        worktree.orch(&["close", &id, "-m", "enough"]).success();
        let pruned = repo.orch(&["worktree", "prune", "--json"]).success().json();
        assert_eq!(pruned["removed"].as_array().map(Vec::len), Some(0), "{pruned}");
        assert!(text(&pruned["kept"][0], "why").contains("README.md"), "{pruned}");
        assert_eq!(worktree.read("README.md"), "a day's work\n");
    }
}
