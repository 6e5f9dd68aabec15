//! Trunk's guard under real git: everything that moves a branch, on every ref store.

use std::path::Path;

use git_orch::domain::oid::{MaybeOid, Oid};
use git_orch::domain::time::Timestamp;
use git_orch::hook::install::{self, Input};
use git_orch::hook::name::Hook;
use git_orch::hook::place::orch_dir;
use git_orch::hook::settings::Settings;
use git_orch::hook::ticket::{self, Override};
use git_orch::sys;

use crate::env::{HOOK, TestEnv, TestRepo};
use crate::run::Done;

const MAIN: &str = "refs/heads/main";

/// How a repository keeps its refs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refs {
    Loose,
    Packed,
    Reftable,
    /// Loose, with SHA-256 ids.
    Sha256,
}

/// All kinds that this git has.
fn all() -> Vec<Refs> {
    let mut kinds = vec![Refs::Loose, Refs::Packed, Refs::Sha256];
    if git_is_at_least([2, 45]) {
        kinds.push(Refs::Reftable);
    }
    kinds
}

fn git_is_at_least(wanted: [u32; 2]) -> bool {
    let version = TestEnv::new().git(&["version"]).success().line();
    let numbers: Vec<u32> =
        version.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    numbers.get(..2).is_some_and(|n| n >= &wanted[..])
}

/// The settings that guard `main`; the main binary is a program that accepts everything.
pub(crate) fn settings(main: &Path) -> Settings {
    Settings {
        version: 1,
        main: main.to_owned(),
        build: "test".into(),
        trunk: MAIN.into(),
        tracking: Some("refs/remotes/origin/main".into()),
        enabled: true,
    }
}

/// Installs the hooks in `repo` as `init` does.
pub(crate) fn install(repo: &TestRepo, settings: Settings) -> install::Plan {
    let input = input(repo, settings);
    let plan = install::plan(&install::inspect(&input).expect("readable"));
    install::execute(&plan).expect("writable");
    assert_eq!(install::plan(&install::inspect(&input).expect("readable")).steps, vec![], "a second plan");
    for hook in Hook::ALL.iter().filter(|_| plan.enforced) {
        wait_until_executable(repo, &input.hooks_dir.join(hook.as_str()));
    }
    plan
}

/// What the command line would find out for `install`.
pub(crate) fn input(repo: &TestRepo, settings: Settings) -> Input {
    let common = sys::fs::canonical(&repo.path(git_path(repo, "--git-common-dir"))).expect("a repository");
    let hooks =
        install::real_dir(&repo.path(repo.git(&["rev-parse", "--git-path", "hooks"]).success().line()));
    let tracked = repo.git(&["ls-files", "--", &hooks.to_string_lossy()]).any();
    Input {
        common_dir: common,
        hooks_dir: hooks,
        worktree: Some(repo.path("")),
        tracked: tracked.status() == 0 && !tracked.stdout.is_empty(),
        dispatcher: HOOK.into(),
        settings,
    }
}

/// A process that another test's thread has just forked holds a copy of our descriptor until it execs, and a
/// program that is open for writing can't be run. Nobody can open it anew, so once it runs it goes on running.
#[expect(clippy::disallowed_methods, reason = "an error of the spawn itself is what is looked at")]
fn wait_until_executable(repo: &TestRepo, hook: &Path) {
    let name = hook.file_name().expect("a hook has a name").to_string_lossy();
    // Says that this run is under way already: it ends at once.
    let marker = format!("{name}:{}", std::process::id());
    loop {
        let mut command = std::process::Command::new(hook);
        command.env_clear().env("ORCH_HOOK", &marker).env("GIT_DIR", "/nonexistent").arg("probe");
        match command.current_dir(repo.path("")).status() {
            Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            ended => return assert!(ended.expect("it is a program").success(), "{name}"),
        }
    }
}

fn git_path(repo: &TestRepo, what: &str) -> String {
    repo.git(&["rev-parse", what]).success().line()
}

fn accept_everything() -> std::path::PathBuf {
    sys::process::find_program("true", &sys::env::Env::capture()).expect("every system has it")
}

/// A repository of one kind, and copies of it for tests that spoil theirs.
struct World {
    env: TestEnv,
    refs: Refs,
    copies: std::cell::Cell<u32>,
}

/// A world for each of `kinds`.
fn worlds(kinds: &[Refs]) -> Vec<World> {
    let env = TestEnv::new();
    for &refs in kinds {
        template(&env, refs);
    }
    // Installed once, for the programs are large here; their directory is shared by all copies.
    let first = env.at(format!("{:?}/r", kinds[0]));
    install(&first, settings(&accept_everything()));
    first.sh("mkdir ../../shared && mv .git/hooks .git/orch ../../shared").success();
    kinds.iter().map(|&refs| World { env: env.clone(), refs, copies: std::cell::Cell::new(0) }).collect()
}

/// `main` at one commit; `other` one ahead of it with another file; `side` with a commit of its own.
fn template(env: &TestEnv, refs: Refs) {
    let name = format!("{refs:?}/r");
    let format = match refs {
        Refs::Loose | Refs::Packed => "--initial-branch=main",
        Refs::Reftable => "--ref-format=reftable",
        Refs::Sha256 => "--object-format=sha256",
    };
    env.git(&["init", "--quiet", format, &name]).success();
    let repo = env.at(&name);
    repo.commit("first", &[("a", "1\n")]);
    repo.git(&["switch", "--quiet", "-c", "other"]).success();
    repo.commit("other", &[("b", "2\n")]);
    repo.git(&["switch", "--quiet", "-c", "side", "main"]).success();
    repo.commit("side", &[("c", "3\n")]);
    repo.git(&["switch", "--quiet", "main"]).success();
    if refs == Refs::Packed {
        repo.git(&["pack-refs", "--all"]).success();
    }
    repo.sh("rm -rf .git/hooks").success();
}

impl World {
    /// A copy, in a directory of its own.
    fn repo(&self) -> TestRepo {
        let name = format!("{:?}-{}", self.refs, self.copies.replace(self.copies.get() + 1));
        let script = "mkdir $0 && cp -a $1/r $0/r && cp -al shared/hooks shared/orch $0/r/.git";
        self.env.cmd("sh").args(&["-c", script, &name, &format!("{:?}", self.refs)]).run().success();
        self.env.at(format!("{name}/r"))
    }
}

/// Runs a shell line in a copy; returns the copy, the line's end and where main was.
fn after(world: &World, line: &str) -> (TestRepo, Done, Option<String>) {
    let repo = world.repo();
    let before = repo.try_rev("main");
    let done = repo.sh(line).any();
    (repo, done, before)
}

fn refused(world: &World, line: &str, rule: &str) -> (TestRepo, Done) {
    let refs = world.refs;
    let (repo, done, before) = after(world, line);
    assert_ne!(done.status(), 0, "{refs:?}: `{line}` went through\n{}", done.stderr);
    assert!(
        done.stderr.contains(&format!("refused by rule {rule}\n")),
        "{refs:?}: `{line}`: {}",
        done.stderr
    );
    assert!(done.stderr.contains("git orch override --reason"), "{refs:?}: `{line}`: {}", done.stderr);
    assert!(!done.stderr.contains("reset --hard"), "{refs:?}: `{line}`: {}", done.stderr);
    assert_eq!(repo.try_rev("main"), before, "{refs:?}: `{line}` moved main");
    (repo, done)
}

fn passes(world: &World, line: &str) -> TestRepo {
    let refs = world.refs;
    let (repo, done, _) = after(world, line);
    assert_eq!(done.status(), 0, "{refs:?}: `{line}`: {}", done.stderr);
    assert!(!done.stderr.contains("git-orch"), "{refs:?}: `{line}`: {}", done.stderr);
    repo
}

#[test]
fn whatever_moves_trunk_is_refused() {
    // git 2.46 and later tell the hook of symbolic refs; before that it can't be seen.
    let symbolic_refs_are_seen = git_is_at_least([2, 46]);
    for world in &worlds(&all()) {
        for line in [
            "git commit --quiet --allow-empty -m x",
            "git commit --quiet --allow-empty --no-verify -m x",
            "git commit --quiet --amend --allow-empty -m x",
            "git merge --quiet --ff-only other",
            "git merge --quiet --no-ff -m m other",
            "git reset --quiet --hard other",
            "git reset --quiet --soft other",
            "git rebase --quiet other",
            "git switch --quiet side && git branch -f main other",
            "git switch --quiet side && git checkout --quiet -B main other",
            "git switch --quiet side && git worktree add --quiet -B main ../w other",
            "git switch --quiet side && git fetch --quiet . other:main",
            "git switch --quiet side && git push --quiet . other:main",
            "git update-ref refs/heads/main other",
            "git update-ref refs/heads/main other main",
            "git symbolic-ref refs/heads/alias refs/heads/main && git update-ref refs/heads/alias other",
            "git symbolic-ref refs/heads/main refs/heads/other",
            "git cherry-pick other",
            "git revert --no-edit HEAD",
            "git format-patch --quiet --stdout main..other | git am --quiet",
            "printf 'start\\nupdate refs/heads/x other\\nupdate refs/heads/main other\\ncommit\\n' | git update-ref --stdin",
        ] {
            if line.contains("symbolic-ref refs/heads/main") && !symbolic_refs_are_seen {
                continue;
            }
            refused(world, line, "trunk.direct");
        }
    }
}

#[test]
fn trunk_is_not_deleted() {
    for world in &worlds(&all()) {
        for line in [
            "git switch --quiet side && git branch -D main",
            "git update-ref -d refs/heads/main",
            "git update-ref -d refs/heads/main main",
        ] {
            refused(world, line, "trunk.delete");
        }
    }
    // A rename is not told to hooks on a reftable repository.
    for world in &worlds(&[Refs::Loose, Refs::Packed]) {
        refused(world, "git branch -m main elsewhere", "trunk.delete");
    }
}

#[test]
fn a_rename_onto_trunk_is_refused_before_the_branch_is_gone() {
    for world in &worlds(&[Refs::Loose, Refs::Packed]) {
        let refs = world.refs;
        let line = "git switch --quiet side && git branch -M other main";
        let (repo, _) = refused(world, line, "trunk.rename");
        assert!(repo.try_rev("other").is_some(), "{refs:?}: `other` is gone");
        let (repo, _) = refused(world, "git switch --quiet other && git branch -M main", "trunk.rename");
        assert_eq!(repo.rev("HEAD"), repo.rev("other"), "{refs:?}");
        repo.git(&["branch", "-m", "other", "third"]).success();
    }
}

#[test]
fn whatever_leaves_trunk_alone_passes() {
    for world in &worlds(&all()) {
        for line in [
            "git gc --quiet",
            "git pack-refs --all && git pack-refs --all",
            "git stash list && echo x >> a && git stash push --quiet && git stash pop --quiet",
            "git worktree add --quiet -b new ../w && git -C ../w commit --quiet --allow-empty -m x",
            "git switch --quiet other && git commit --quiet --allow-empty -m x && git branch -D side",
            "git branch -M main",
            "git branch -m other third",
            "git reset --quiet --hard && git reset --quiet --hard HEAD",
            "git tag -f main other",
            "git update-ref refs/heads/main main main",
            "git switch --quiet side && git rebase --quiet other && git merge --quiet main",
            "git switch --quiet --detach && git commit --quiet --allow-empty -m x",
            "git notes add -m x && git update-ref refs/orch/state other",
        ] {
            passes(world, line);
        }
    }
}

#[test]
fn packing_keeps_trunk_and_prunes_the_loose_copy() {
    let repo = passes(&worlds(&[Refs::Loose])[0], "git pack-refs --all --prune");
    assert!(!repo.has(".git/refs/heads/main"));
    assert!(repo.read(".git/packed-refs").contains(" refs/heads/main\n"));
}

#[test]
fn a_fetch_that_prunes_passes() {
    for world in &worlds(&all()) {
        let refs = world.refs;
        let (env, repo) = (&world.env, world.repo());
        env.git(&["clone", "--quiet", "--bare", &format!("{refs:?}/r"), &format!("{refs:?}-hub.git")])
            .success();
        repo.git(&["remote", "add", "origin", &format!("../../{refs:?}-hub.git")]).success();
        repo.git(&["fetch", "--quiet", "origin"]).success();
        env.at(format!("{refs:?}-hub.git")).git(&["branch", "-D", "side"]).success();
        repo.git(&["fetch", "--quiet", "--prune", "origin"]).success();
        assert!(repo.try_rev("refs/remotes/origin/side").is_none());
    }
}

#[test]
fn a_pull_passes_and_nothing_else_does() {
    for world in &worlds(&all()) {
        let refs = world.refs;
        let (env, repo) = (&world.env, world.repo());
        env.git(&["clone", "--quiet", "--bare", &format!("{refs:?}/r"), &format!("{refs:?}-hub.git")])
            .success();
        let hub = env.at(format!("{refs:?}-hub.git"));
        repo.git(&["remote", "add", "origin", &format!("../../{refs:?}-hub.git")]).success();
        hub.git(&["update-ref", "refs/heads/main", "other"]).success();
        let pull = ["pull", "--quiet", "--ff-only", "origin", "main"];
        repo.git(&pull).success();
        assert_eq!(repo.rev("main"), repo.rev("other"), "{refs:?}");
        // The remote's trunk was rewritten: following it would drop a commit here.
        hub.git(&["update-ref", "refs/heads/main", "side"]).success();
        repo.git(&["fetch", "--quiet", "origin"]).success();
        let done = repo.git(&["reset", "--quiet", "--soft", "origin/main"]).any();
        assert!(done.stderr.contains("refused by rule trunk.direct"), "{refs:?}: {}", done.stderr);
    }
}

#[test]
fn the_first_commit_is_anybodys() {
    for world in &worlds(&all()) {
        let repo = world.repo();
        repo.git(&["symbolic-ref", "HEAD", "refs/heads/unborn"]).success();
        let unborn = Settings { trunk: "refs/heads/unborn".into(), ..settings(&accept_everything()) };
        unborn.write(&orch_dir(&repo.path(".git"))).expect("writable");
        repo.git(&["commit", "--quiet", "--allow-empty", "-m", "first"]).success();
        let second = repo.git(&["commit", "--quiet", "--allow-empty", "-m", "second"]).any();
        assert_ne!(second.status(), 0);
    }
}

#[test]
fn a_linked_worktree_has_the_same_guard() {
    for world in &worlds(&all()) {
        let line = "git switch --quiet side && git worktree add --quiet ../w main && cd ../w && git commit --quiet -n --allow-empty -m x";
        refused(world, line, "trunk.direct");
    }
}

fn ids(repo: &TestRepo) -> (MaybeOid, Oid) {
    let oid = |rev: &str| Oid::parse(&repo.rev(rev)).expect("git prints ids");
    (MaybeOid::Id(oid("main")), oid("other"))
}

#[test]
fn a_ticket_lets_exactly_its_move_through() {
    for world in &worlds(&all()) {
        let refs = world.refs;
        let repo = world.repo();
        let (old, new) = ids(&repo);
        let ticket = ticket::issue(&orch_dir(&repo.path(".git")), MAIN, &old, &new).expect("writable");
        assert_ne!(repo.git(&["update-ref", MAIN, "side"]).any().status(), 0, "{refs:?}: another move");
        repo.git(&["update-ref", MAIN, "other", "main"]).success();
        drop(ticket);
        assert_ne!(repo.git(&["update-ref", MAIN, "side"]).any().status(), 0, "{refs:?}: after it ended");
    }
}

#[test]
fn an_override_lets_one_command_through() {
    for world in &worlds(&all()) {
        let refs = world.refs;
        for line in [&["commit", "--quiet", "--allow-empty", "-m", "x"][..], &["update-ref", "-d", MAIN][..]]
        {
            let repo = world.repo();
            let (old, _) = ids(&repo);
            let expires = Timestamp::from_millis(i64::MAX);
            let pass = Override::new(&repo.path("tasks"), expires).expect("plain");
            let ticket = pass.issue(&orch_dir(&repo.path(".git")), MAIN, &old).expect("writable");
            assert_ne!(repo.git(line).any().status(), 0, "{refs:?}: of a process that it was not given to");
            let given = repo.cmd("git").args(line).var("ORCH_OVERRIDE", pass.secret());
            given.run().success();
            drop(ticket);
            if line[0] == "commit" {
                assert_ne!(given.run().any().status(), 0, "{refs:?}: trunk is no longer where it was");
            }
        }
    }
}

/// The command in backquotes after `left:`.
fn repair_of(done: &Done) -> String {
    let hint = done.stderr.split("left: ").nth(1).expect("a hint").lines().next().expect("a line");
    hint.split('`').nth(1).expect("a command").to_owned()
}

#[test]
fn the_way_back_works() {
    for world in &worlds(&all()) {
        let refs = world.refs;
        for line in [
            "git merge --quiet --ff-only other",
            "git merge --quiet --no-ff -m m other",
            "git reset --quiet --hard other",
            "git reset --quiet other",
            "git rebase --quiet other",
            "git cherry-pick other",
            "git format-patch --quiet --stdout main..other | git am --quiet",
        ] {
            let (repo, done) = refused(world, line, "trunk.direct");
            let repair = repair_of(&done);
            repo.sh(&repair).success();
            let status = repo.git(&["status", "--porcelain"]).success();
            assert_eq!(status.stdout, "", "{refs:?}: `{repair}` after `{line}`");
            assert_eq!(repo.git(&["symbolic-ref", "HEAD"]).success().line(), MAIN, "{refs:?}: `{line}`");
            assert_eq!(repo.read("a"), "1\n");
        }
    }
}

#[test]
fn the_refusal_in_full() {
    let (_, done) = refused(&worlds(&[Refs::Loose])[0], "git merge --quiet --ff-only other", "trunk.direct");
    insta::assert_snapshot!(done, @"
    ---- stderr
    git-orch: refused by rule trunk.direct
      refs/heads/main would move from OID1 to OID2
      next: git orch start --here   (edits on trunk: take them to a task branch)
            git orch merge BRANCH   (work on a branch: verify and merge it)
            git orch override --reason TEXT -- git …   (a person, this once, recorded)
      left: index and files are already at OID2: `git read-tree -m -u OID2 HEAD` takes them back and keeps local changes
    fatal: ref updates aborted by hook
    [exit: 128]
    ");
}

#[test]
fn without_the_main_binary_trunk_is_still_guarded() {
    let world = worlds(&[Refs::Loose]).remove(0);
    let repo = world.repo();
    install(&repo, settings(&repo.path("gone")));
    assert_ne!(repo.git(&["update-ref", MAIN, "other"]).any().status(), 0);
    repo.git(&["update-ref", "refs/heads/new", "other"]).success();
    // Switched off by the one line that the other hooks name: no main binary is there to store it.
    repo.git(&["config", "orch.hooks", "off"]).success();
    repo.git(&["update-ref", MAIN, "other"]).success();
}

#[test]
fn unknown_states_pass() {
    let world = worlds(&[Refs::Loose]).remove(0);
    let repo = world.repo();
    let hook = repo.path(".git/hooks/reference-transaction");
    let line = format!("{0} {1} {MAIN}\n", repo.rev("main"), repo.rev("other"));
    for (state, code) in [("preparing", 0), ("someday", 0), ("aborted", 0), ("committed", 0), ("prepared", 4)]
    {
        repo.cmd(&hook).args(&[state]).stdin(line.clone()).run().code(code);
    }
    repo.cmd(&hook).stdin(line).run().success();
}
