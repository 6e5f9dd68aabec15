//! `status`, `doctor`, the audit trail and the mode, on clones that something was done to.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use git_orch::domain::control::Mode;
use git_orch::domain::draft::Draft;
use git_orch::domain::id::TaskId;
use git_orch::index::{Applied, Changes, EventFilter, Filter, Index};
use git_orch::ops::doctor::{Check, Found, Mend, doctor_with};
use git_orch::ops::setup::{self, StateRefs};
use git_orch::ops::status::{self, Hooks};
use git_orch::ops::take::{self, Checkout};
use git_orch::ops::{OpError, audit, mode, steps, tasks};
use git_orch::policy::grant::Action;
use git_orch::store::{Author, Change, STATE_REF, Store};
use git_orch::sys::fs::{self, Durability};

use crate::env::{TestEnv, TestRepo};
use crate::project::refused;
use crate::setup::{cargo, context, init, programs};

fn examine(repo: &TestRepo, mend: Mend) -> Vec<Check> {
    doctor_with(&context(repo), mend, &programs())
}

fn of(checks: &[Check], found: Found) -> Vec<&Check> {
    checks.iter().filter(|check| check.found == found).collect()
}

fn shown(repo: &TestRepo, checks: &[Check], found: Found) -> String {
    let line = |c: &&Check| {
        let place = c.place.as_ref().map_or(String::new(), |p| format!(" [{p}]"));
        let next = c.next.as_ref().map_or(String::new(), |n| format!(" > {n}"));
        format!("{}: {}{place}{next}", c.name, c.what)
    };
    let text: Vec<String> = of(checks, found).iter().map(line).collect();
    repo.env().redacted(&text.join("\n"))
}

#[track_caller]
fn healthy(repo: &TestRepo) {
    assert_eq!(shown(repo, &examine(repo, Mend::Look), Found::Problem), "");
}

/// A repository that is set up, with three tasks.
fn ready(env: &TestEnv) -> (TestRepo, Vec<TaskId>) {
    let repo = cargo(env);
    init(&repo);
    let drafts = ["first", "second", "third"].map(|title| Draft::new(title.into()));
    let added = tasks::add(&context(&repo), &drafts, "test").expect("added");
    (repo, added.into_iter().map(|task| task.id).collect())
}

fn draft() -> Draft {
    Draft::new("another".into())
}

fn path_of(id: &TaskId) -> String {
    format!("tasks/{}/{id}.toml", &id.as_str()[..2])
}

/// Replaces files of the state by one commit, as somebody with plain git would.
fn damage(repo: &TestRepo, files: &[(&str, Option<&[u8]>)]) {
    let cx = context(repo);
    let author = Author { name: "X".into(), email: "x@e".into(), actor: cx.actor.clone() };
    let store = Store::new(&cx.repo, Durability::None);
    store
        .transact::<(), OpError>(&author, Action::Repair, |edit| {
            for (path, bytes) in files {
                let change =
                    Change { action: "damage", subject: (*path).into(), cause: "test".into(), note: None };
                edit.restore(path, bytes.map(<[u8]>::to_vec), change);
            }
            Ok(())
        })
        .expect("written");
}

fn age(path: &Path, seconds: u64) {
    let file = std::fs::File::options().write(true).open(path).expect("it is there");
    #[expect(clippy::disallowed_methods, reason = "a file's age is measured by this clock")]
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).expect("ours");
}

#[test]
fn a_fresh_clone_is_healthy_and_looking_changes_nothing() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    let before = repo.git(&["for-each-ref"]).success().stdout;
    let checks = examine(&repo, Mend::Look);
    assert_eq!(shown(&repo, &checks, Found::Problem), "");
    let names: Vec<&str> = checks.iter().map(|check| check.name).collect();
    for name in
        ["git", "locks", "state", "trunk", "hooks", "orch.toml", "index", "worktrees", "tasks", "remotes"]
    {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!(repo.git(&["for-each-ref"]).success().stdout, before);
    let empty = env.unborn("empty");
    let checks = examine(&empty, Mend::Look);
    assert_eq!(
        shown(&empty, &checks, Found::Problem),
        "state: git-orch is not set up here [refs/orch/state] > git orch init"
    );
}

#[test]
fn damaged_files_of_the_state_are_named_and_written_back() {
    let env = TestEnv::new();
    let (repo, ids) = ready(&env);
    let (task, other) = (path_of(&ids[0]), "tasks/00/stray");
    let whole = repo.git(&["show", &format!("{STATE_REF}:{task}")]).success().stdout;
    damage(&repo, &[(&task, Some(b"id = 1 =")), (other, Some(b"x"))]);
    damage(&repo, &[("meta.toml", None), ("control.toml", Some(&[0xff]))]);
    let checks = examine(&repo, Mend::Look);
    let problems = shown(&repo, &checks, Found::Problem);
    for path in [task.as_str(), other, "meta.toml", "control.toml"] {
        assert!(
            problems.contains(&env.redacted(&format!("[{STATE_REF}:{path}] > git orch doctor --fix"))),
            "{path} in {problems}"
        );
    }
    assert!(tasks::add(&context(&repo), &[draft()], "test").is_err(), "writers refuse");

    let checks = examine(&repo, Mend::Repair);
    assert_eq!(shown(&repo, &checks, Found::Problem), "");
    assert_eq!(of(&checks, Found::Fixed).len(), 4, "{}", shown(&repo, &checks, Found::Fixed));
    assert_eq!(repo.git(&["show", &format!("{STATE_REF}:{task}")]).success().stdout, whole);
    assert_eq!(repo.try_rev(&format!("{STATE_REF}:{other}")), None);
    healthy(&repo);
    tasks::add(&context(&repo), &[draft()], "test").expect("writers work again");
    let log = audit::log(&context(&repo), 10, &EventFilter::default()).expect("readable");
    assert_eq!(log.iter().filter(|logged| logged.entry.action == "repair").count(), 4);
}

#[test]
fn a_lock_of_a_killed_git_is_named_and_only_ours_is_removed() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    let (ours, index) = (repo.path(".git/refs/orch/state.lock"), repo.path(".git/index.lock"));
    repo.write(".git/refs/orch/state.lock", "");
    let checks = examine(&repo, Mend::Repair);
    assert_eq!(shown(&repo, &checks, Found::Problem), "", "it is young");
    assert!(fs::exists(&ours));

    repo.write(".git/index.lock", "");
    age(&ours, 300);
    age(&index, 300);
    let text = shown(&repo, &examine(&repo, Mend::Look), Found::Problem);
    assert!(text.contains("old, and no git is at work here: one was killed"), "{text}");
    assert!(text.contains("index.lock"), "{text}");
    let checks = examine(&repo, Mend::Repair);
    assert!(!fs::exists(&ours), "ours is gone");
    assert!(fs::exists(&index), "the user's is not ours to remove");
    assert_eq!(of(&checks, Found::Fixed).len(), 1);
    tasks::add(&context(&repo), &[draft()], "test").expect("writers work again");
}

#[test]
fn hooks_that_do_not_work_are_found_and_installed_again() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    let hook = |name: &str| repo.path(format!(".git/hooks/{name}"));
    std::fs::set_permissions(hook("pre-push"), std::fs::Permissions::from_mode(0o644)).expect("ours");
    fs::remove_file(&hook("pre-commit")).expect("ours");
    fs::write_atomic(&hook("reference-transaction"), b"#!/bin/sh\nexit 0\n", 0o755, Durability::None)
        .expect("ours");
    assert_eq!(
        status::hooks(&context(&repo)).expect("readable"),
        Hooks::Partial(vec!["pre-commit", "reference-transaction"])
    );
    let text = shown(&repo, &examine(&repo, Mend::Look), Found::Problem);
    for part in ["pre-push is not executable", "pre-commit is missing", "reference-transaction is not ours"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(of(&examine(&repo, Mend::Repair), Found::Fixed).len(), 1);
    assert_eq!(status::hooks(&context(&repo)).expect("readable"), Hooks::Enforced);
    healthy(&repo);

    fs::remove_file(&repo.path(".git/orch/hook.toml")).expect("ours");
    let text = shown(&repo, &examine(&repo, Mend::Look), Found::Problem);
    assert!(text.contains("the hooks' settings are missing"), "{text}");
    examine(&repo, Mend::Repair);
    healthy(&repo);

    repo.git(&["config", "orch.hooks", "off"]).success();
    assert_eq!(status::hooks(&context(&repo)).expect("readable"), Hooks::Off);
    let text = shown(&repo, &examine(&repo, Mend::Look), Found::Problem);
    assert!(text.contains("switched off in this clone [git config orch.hooks]"), "{text}");
}

#[test]
fn a_hook_that_cannot_start_is_found_by_starting_it() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    repo.write(".git/hooks/reference-transaction.orch-prev", "#!/bin/sh\nexit 3\n");
    let older = repo.path(".git/hooks/reference-transaction.orch-prev");
    std::fs::set_permissions(older, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let text = shown(&repo, &examine(&repo, Mend::Look), Found::Problem);
    assert!(text.contains("reference-transaction does not run in"), "{text}");
}

#[test]
fn a_hooks_path_of_one_worktree_alone_is_seen() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    repo.git(&["worktree", "add", "--quiet", "-b", "topic", "../topic"]).success();
    repo.git(&["config", "extensions.worktreeConfig", "true"]).success();
    healthy(&repo);
    env.at("topic").git(&["config", "--worktree", "core.hooksPath", "/dev/null"]).success();
    let text = shown(&repo, &examine(&repo, Mend::Look), Found::Problem);
    assert!(text.contains("hooks: NOT ENFORCED: /dev/null is outside this repository"), "{text}");
}

#[test]
fn settings_that_would_harm_are_named() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    let remote = env.remote("up");
    repo.git(&["remote", "add", "--mirror=push", "up", &remote.url()]).success();
    repo.git(&["config", "--add", "remote.up.fetch", "+refs/*:refs/*"]).success();
    let bad = repo.read("orch.toml").replace("[ralph]", "[ralph]\nsteup = [\"x\"]");
    repo.write("orch.toml", &bad);
    let text = shown(&repo, &examine(&repo, Mend::Look), Found::Problem);
    for part in [
        "`+refs/*:refs/*` lets every fetch",
        "git config remote.up.mirror false",
        "orch.toml:5:1] > did you mean `setup`?",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn worktrees_that_are_gone_or_lead_elsewhere_are_found() {
    let env = TestEnv::new();
    let (repo, ids) = ready(&env);
    let cx = context(&repo);
    let take = |id: &TaskId| {
        take::start(&cx, id, Checkout::Worktree.into(), "test").expect("taken").path.expect("made")
    };
    let (gone, turned) = (take(&ids[0]), take(&ids[1]));
    healthy(&repo);
    fs::remove_dir_all(&gone).expect("ours");
    fs::write_atomic(&turned.join(".git"), b"gitdir: /tmp\n", 0o644, Durability::None).expect("ours");
    repo.env().at("").write("package.json", "{}");
    let checks = examine(&repo, Mend::Look);
    let text = shown(&repo, &checks, Found::Problem);
    assert!(text.contains("git has a record of this worktree"), "{text}");
    assert!(text.contains("TAMPERED: it does not lead to this repository"), "{text}");
    let notes = shown(&repo, &checks, Found::Note);
    assert!(notes.contains("[$ROOT/package.json]"), "{notes}");
    let checks = examine(&repo, Mend::Repair);
    assert!(
        shown(&repo, &checks, Found::Fixed).contains("forgotten"),
        "{}",
        shown(&repo, &checks, Found::Fixed)
    );
    assert_eq!(repo.git(&["branch", "--list", "fix/*"]).success().stdout.lines().count(), 2, "branches stay");
}

#[test]
fn an_index_that_says_something_else_than_git_is_found() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    let cx = context(&repo);
    status::status(&cx).expect("makes the index");
    // Consistent in itself, and a change short.
    tasks::add(&cx, &[draft()], "test").expect("added");
    let mut index = Index::open(&cx.repo.orch_dir()).expect("opens");
    let from = index.indexed().expect("readable");
    let to = cx.snapshot().expect("there").commit().clone();
    assert_eq!(index.apply(from.as_ref(), &to, &Changes::default()).expect("applied"), Applied::Done);
    drop(index);
    let text = shown(&repo, &examine(&repo, Mend::Look), Found::Problem);
    assert!(text.contains("is missing"), "{text}");
    assert!(!shown(&repo, &examine(&repo, Mend::Repair), Found::Fixed).is_empty());
    healthy(&repo);
}

#[test]
fn a_broken_index_is_made_anew() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    status::status(&context(&repo)).expect("makes the index");
    for name in ["index-3.db-wal", "index-1.db-shm"] {
        fs::remove_file_if_there(&repo.path(".git/orch").join(name)).expect("ours");
    }
    repo.write(".git/orch/index-3.db", &"no database ".repeat(1000));
    let text = shown(&repo, &examine(&repo, Mend::Look), Found::Problem);
    assert!(text.contains("index:"), "{text}\n{:?}", examine(&repo, Mend::Look));
    let checks = examine(&repo, Mend::Repair);
    assert!(
        shown(&repo, &checks, Found::Fixed).contains("made anew"),
        "{}",
        shown(&repo, &checks, Found::Fixed)
    );
    healthy(&repo);
}

#[test]
fn a_move_of_trunk_past_the_hooks_is_shown_until_a_person_accepts_it() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    let before = status::status(&context(&repo)).expect("works");
    assert_eq!(before.tamper, None);
    repo.commit("sneaked in", &[("x", "1\n")]);
    let tamper = status::status(&context(&repo)).expect("works").tamper.expect("seen");
    assert!(tamper.to_string().starts_with("TAMPERED: main went from "), "{tamper}");
    assert!(
        init(&repo).lines.iter().any(|line| line.detail.starts_with("TAMPERED")),
        "init covers nothing up"
    );
    assert!(!shown(&repo, &examine(&repo, Mend::Look), Found::Problem).is_empty());
    examine(&repo, Mend::Repair);
    healthy(&repo);
    assert_eq!(status::status(&context(&repo)).expect("works").tamper, None);
    let log = audit::log(&context(&repo), 1, &EventFilter::default()).expect("readable");
    assert_eq!(log[0].entry.action, "trunk.external");
    repo.git(&["-c", "core.hooksPath=/dev/null", "reset", "--quiet", "--hard", "HEAD~1"]).success();
    assert_eq!(status::status(&context(&repo)).expect("works").tamper, None, "nothing unverified came in");
}

#[test]
fn a_pull_is_no_tampering() {
    let env = TestEnv::new();
    let repo = cargo(&env);
    let remote = env.remote("origin");
    repo.connect(&remote);
    init(&repo);
    let other = env.clone_of(&remote, "other");
    for n in 0..2 {
        let before = repo.read(".git/orch/attested");
        other.commit("more", &[("x", &format!("{n}\n"))]);
        other.git(&["push", "--quiet", "origin", "main"]).success();
        repo.git(&["pull", "--quiet", "--ff-only", "origin", "main"]).success();
        assert_eq!(status::status(&context(&repo)).expect("works").tamper, None);
        assert_eq!(repo.read(".git/orch/attested"), before, "only git says that the remote has it");
        repo.orch(&["add", "work"]).success();
        repo.orch(&["next"]).success();
        assert_eq!(status::status(&context(&repo)).expect("works").tamper, None);
        assert_eq!(repo.read(".git/orch/attested").trim(), repo.rev("main"));
    }
}

#[test]
fn status_says_where_everything_stands() {
    let env = TestEnv::new();
    let (repo, ids) = ready(&env);
    let cx = context(&repo);
    let taken = take::next(&cx, &Filter::default(), Checkout::Worktree.into(), "test").expect("works");
    let take::Next::Taken(taken) = taken else { panic!("three are ready") };
    let rest: Vec<&TaskId> = ids.iter().filter(|id| **id != taken.task.id).collect();
    steps::step(&cx, std::slice::from_ref(rest[1]), &steps::Step::Block("waits".into())).expect("blocked");
    fs::write_atomic(&taken.path.clone().expect("made").join("new"), b"x", 0o644, Durability::None)
        .expect("ours");
    let status = status::status(&cx).expect("works");
    assert_eq!(
        status.counts,
        [
            ("open", 1),
            ("claimed", 1),
            ("blocked", 1),
            ("review", 0),
            ("merging", 0),
            ("done", 0),
            ("closed", 0)
        ]
    );
    assert_eq!((status.ready, status.next.map(|task| task.id)), (1, Some(rest[0].clone())));
    assert_eq!(status.yours.iter().map(|task| &task.id).collect::<Vec<_>>(), [&taken.task.id]);
    assert_eq!(status.worktrees.len(), 1);
    assert_eq!(status.worktrees[0].dirt.untracked, ["new"]);
    assert_eq!((status.hooks, status.verdict), (Hooks::Enforced, None));
    assert_eq!((status.trunk.name.as_str(), status.problems), ("main", vec![]));

    damage(&repo, &[(&path_of(rest[0]), Some(b"x = "))]);
    let status = status::status(&cx).expect("the rest is shown");
    assert!(status.problems[0].contains(rest[0].as_str()), "{:?}", status.problems);
    assert_eq!(status.ready, 0);
}

#[test]
fn the_mode_is_tightened_by_everybody_and_loosened_by_a_person() {
    let env = TestEnv::new();
    let (repo, ids) = ready(&env);
    let cx = context(&repo);
    let (before, after) = mode::set(&cx, Mode::Off, Some(" fire ")).expect("set");
    assert_eq!((before.mode, after.reason.as_deref()), (Mode::Normal, Some("fire")));
    assert!(matches!(
        take::next(&cx, &Filter::default(), Checkout::None.into(), "test"),
        Err(OpError::Refused(_))
    ));
    let mut agent = context(&repo);
    agent.actor.kind = git_orch::domain::actor::ActorKind::Agent;
    assert!(mode::set(&agent, Mode::Normal, None).is_err());
    assert_eq!(mode::get(&cx).expect("readable").mode, Mode::Off);
    let tip = repo.rev(STATE_REF);
    mode::set(&cx, Mode::Off, None).expect("no change");
    assert_eq!(repo.rev(STATE_REF), tip);
    mode::set(&cx, Mode::Normal, None).expect("a person may");
    mode::set(&agent, Mode::Paused, Some("tired")).expect("an agent may stop");
    let log = audit::log(&cx, 3, &EventFilter::default()).expect("readable");
    assert_eq!(log[0].entry.note.as_deref(), Some("NORMAL to PAUSED: tired"));
    let own = audit::log(&cx, 10, &EventFilter { task: Some(ids[0].clone()), ..EventFilter::default() })
        .expect("readable");
    assert_eq!(own.iter().map(|l| l.entry.action.as_str()).collect::<Vec<_>>(), ["task.add"]);
}

#[test]
fn uninstall_keeps_worktrees_with_work_and_what_they_need() {
    let env = TestEnv::new();
    let (repo, ids) = ready(&env);
    let cx = context(&repo);
    let path =
        take::start(&cx, &ids[0], Checkout::Worktree.into(), "test").expect("taken").path.expect("made");
    fs::write_atomic(&path.join("work"), b"x", 0o644, Durability::None).expect("ours");
    setup::uninstall(&cx, StateRefs::Keep).expect("works");
    assert!(fs::exists(&path.join("work")));
    assert!(repo.has(".git/orch/session"), "whose it is stays known");
    assert!(!repo.has(".git/hooks/pre-commit"));
    init(&repo);
    healthy(&repo);
}

#[test]
fn the_commands_say_it_with_words_json_and_an_exit_code() {
    let env = TestEnv::new();
    let (repo, _) = ready(&env);
    // Installed by the tests' own path of the program: the command brings it to its own.
    repo.orch(&["init"]).success();
    let fine = repo.orch(&["doctor"]);
    assert_eq!(fine.status(), 0, "{}{}", fine.stdout, fine.stderr);
    fs::remove_file(&repo.path(".git/hooks/pre-push")).expect("ours");
    let found = repo.orch(&["doctor", "--json"]);
    assert_eq!(found.status(), 1, "{}", found.stdout);
    assert!(found.stdout.contains("pre-push is missing"), "{}", found.stdout);
    repo.orch(&["doctor", "--fix"]).success();
    repo.orch(&["doctor"]).success();
    let status = repo.orch(&["status", "--json"]).success();
    assert!(
        status.stdout.contains("\"ready\": 3") || status.stdout.contains("\"ready\":3"),
        "{}",
        status.stdout
    );
}

#[test]
fn a_state_whose_ref_is_gone_is_put_back() {
    let env = TestEnv::new();
    let repo = env.repo("repo");
    repo.orch(&["init"]).success();
    let id = repo.orch(&["add", "first"]).success().line();
    repo.orch(&["list"]).success();
    // The index does not know of this yet.
    repo.orch(&["edit", &id, "--title", "second"]).success();
    let tip = repo.rev("refs/orch/state");
    repo.sh("git -c core.hooksPath=/dev/null update-ref -d refs/orch/state").success();
    repo.git(&["gc", "--quiet", "--prune=now"]).success();
    // A claim that this clone proposed to a remote, which never took it.
    let proposed = format!(
        "git log -1 --format=%B {tip} | sed 's/\"action\":\"[^\"]*\"/\"action\":\"task.confirm\"/; \
         s/^Orch-Clock: ./&9/' | git commit-tree -p {tip} {tip}^{{tree}}"
    );
    let proposed = repo.sh(&proposed).success().line();
    assert!(repo.git(&["log", "-1", "--format=%B", &proposed]).success().stdout.contains("task.confirm"));
    let done = refused(repo.orch(&["list"]), 8, "init.missing");
    assert!(done.stderr.contains("puts it back"), "{}", done.stderr);
    repo.orch(&["init"]).success();
    assert_eq!(repo.rev("refs/orch/state"), tip);
    assert!(repo.orch(&["list"]).success().stdout.contains("second"));
}

#[test]
fn a_clone_that_has_just_joined_is_told_of_no_deleted_state() {
    let env = TestEnv::new();
    let hub = env.remote("hub");
    let first = env.repo("first");
    first.commit("trunk", &[("a", "1\n")]);
    first.connect(&hub);
    first.orch(&["init"]).success();
    first.orch(&["add", "work"]).success();
    first.orch(&["sync"]).success();
    let second = env.clone_of(&hub, "second");
    second.orch(&["init"]).success();
    let done = second.orch(&["doctor"]).any();
    assert!(!done.stdout.contains("deleted it") && !done.stdout.contains("--restore"), "{}", done.stdout);
    // One who did is told of.
    first.git(&["-c", "core.hooksPath=/dev/null", "push", "--quiet", "hub", ":refs/orch/state"]).success();
    refused(second.orch(&["sync"]), 8, "sync.gone");
    let done = second.orch(&["doctor"]).code(1);
    assert!(done.stdout.contains("somebody deleted it"), "{}", done.stdout);
}
