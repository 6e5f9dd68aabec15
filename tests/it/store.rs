//! The state's store over a real repository: every hash and ref store, many writers, damage.

use std::path::{Path, PathBuf};
use std::process::Command;

use git_orch::domain::actor::{Actor, ActorKind};
use git_orch::domain::id::{IdPrefix, TaskId};
use git_orch::domain::kind::{Kind, Priority};
use git_orch::domain::oid::Oid;
use git_orch::domain::stamp::{Field, TagSet};
use git_orch::domain::task::{Register, Task};
use git_orch::domain::time::Timestamp;
use git_orch::domain::unknown::Unknown;
use git_orch::git::Repo;
use git_orch::policy::grant::Action;
use git_orch::store::{Author, Change, Edit, Meta, STATE_REF, Store, StoreError, decode_task, encode_task};
use git_orch::sys::env::Env;
use git_orch::sys::fs::Durability;

pub(crate) struct Dir {
    _root: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

pub(crate) fn env() -> Env {
    let path = Env::capture().text("PATH").expect("PATH").to_owned();
    Env::from_pairs([
        ("PATH", path.as_str()),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("HOME", "/nonexistent"),
    ])
}

#[expect(clippy::disallowed_methods, reason = "this test looks at the library, without the harness")]
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(["-c", "user.name=T", "-c", "user.email=t@e"]).args(args);
    command.env_remove("GIT_DIR").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_AUTHOR_DATE", "1700000000 +0000").env("GIT_COMMITTER_DATE", "1700000000 +0000");
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn repo(flags: &[&str]) -> Dir {
    let root = tempfile::tempdir().expect("tempdir");
    let path = root.path().join("r é");
    let mut args = vec!["init", "-q", "-b", "main"];
    args.extend(flags);
    args.push("r é");
    git(root.path(), &args);
    Dir { _root: root, path }
}

pub(crate) fn open(dir: &Dir) -> Repo {
    Repo::discover(&dir.path, &env()).expect("opens")
}

fn author() -> Author {
    let actor = Actor { kind: ActorKind::Person, name: "t@e".into(), session: None };
    Author { name: "T".into(), email: "t@e".into(), actor }
}

fn change(subject: &str) -> Change {
    Change { action: "task.add", subject: subject.into(), cause: "test".into(), note: None }
}

fn task(edit: &Edit<'_, '_>, n: u64) -> Task {
    let stamp = edit.stamp();
    Task {
        id: TaskId::from_bits(n),
        created: edit.now(),
        creator: "person:t@e".into(),
        updated: edit.now(),
        kind: Field::new(Kind::Bug, stamp),
        title: Field::new(format!("task {n} ünïcode \"quoted\""), stamp),
        body: Field::new("line\nline".into(), stamp),
        priority: Field::new(Priority::P2, stamp),
        role: Field::new(None, stamp),
        acceptance: Field::new(vec!["it works".into()], stamp),
        labels: TagSet::default(),
        needs: TagSet::default(),
        files: TagSet::default(),
        rejected: None,
        register: Register::new(&edit.at()),
        unknown: Unknown::default(),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct No(String);

pub(crate) fn create(repo: &Repo) -> Store<'_> {
    let store = Store::new(repo, Durability::Commit);
    let meta = Meta::new("0".repeat(16), "main".into());
    store.create(&author(), Timestamp::from_millis(1_000), &meta).expect("created");
    store
}

pub(crate) fn add(store: &Store<'_>, n: u64) {
    add_when(store, n, || {});
}

/// As `add`; `evaluated` is called each time that the change is evaluated.
pub(crate) fn add_when(store: &Store<'_>, n: u64, mut evaluated: impl FnMut()) {
    store
        .transact::<(), No>(&author(), Action::Queue, |edit| {
            evaluated();
            let mut t = task(edit, n);
            let change_id = edit.change().clone();
            t.labels.insert("ui".into(), &change_id, 0);
            t.needs.insert(TaskId::from_bits(99), &change_id, 0);
            t.labels.insert("gone".into(), &change_id, 1);
            t.labels.remove(&"gone".to_owned());
            edit.put_task(t, change(&format!("task/{n}")));
            Ok(())
        })
        .expect("added");
}

#[test]
fn works_with_every_hash_and_ref_store() {
    for flags in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"], &["--bare"]] {
        let dir = repo(flags);
        let repo = open(&dir);
        let store = create(&repo);
        add(&store, 1);
        add(&store, 2);
        let snapshot = store.snapshot().expect("snapshot");
        let listing = snapshot.tasks().expect("tasks");
        assert_eq!(listing.tasks.len(), 2, "{flags:?}");
        assert!(listing.damaged.is_empty());
        let found = snapshot.resolve(&IdPrefix::parse("0000000").unwrap()).expect("resolves");
        assert_eq!(found.len(), 2, "{flags:?}");
        assert_eq!(git(&dir.path, &["rev-parse", STATE_REF]), snapshot.commit().as_str(), "{flags:?}");
        git(&dir.path, &["fsck", "--strict", "--no-dangling"]);
        assert_eq!(git(&dir.path, &["rev-list", "--count", STATE_REF]), "3");
    }
}

#[test]
fn a_task_reads_back_as_it_was_written() {
    let dir = repo(&[]);
    let repo = open(&dir);
    let store = create(&repo);
    add(&store, 7);
    let snapshot = store.snapshot().unwrap();
    let task = snapshot.task(&TaskId::from_bits(7)).unwrap().expect("there");
    let text = encode_task(&task);
    assert_eq!(decode_task(&text).unwrap(), task);
    assert_eq!(encode_task(&decode_task(&text).unwrap()), text, "one canonical form");
    assert!(text.ends_with('\n'));
}

#[test]
fn sixteen_writers_lose_nothing() {
    let dir = repo(&[]);
    create(&open(&dir));
    std::thread::scope(|scope| {
        for writer in 0..16_u64 {
            let dir = &dir;
            scope.spawn(move || {
                let repo = open(dir);
                let store = Store::new(&repo, Durability::None);
                for n in 0..4 {
                    add(&store, writer * 100 + n);
                }
            });
        }
    });
    let repo = open(&dir);
    let store = Store::new(&repo, Durability::Commit);
    assert_eq!(store.snapshot().unwrap().tasks().unwrap().tasks.len(), 64);
    assert_eq!(git(&dir.path, &["rev-list", "--count", STATE_REF]), "65", "one commit a change");
    git(&dir.path, &["fsck", "--strict"]);
}

/// Sixteen threads that want the same: each is told by the state that its own intent was applied to.
#[test]
fn one_of_many_at_once_wins_and_the_others_are_refused() {
    let dir = repo(&[]);
    create(&open(&dir));
    for n in 0..20 {
        let wins: Vec<bool> = std::thread::scope(|scope| {
            let want = || {
                let repo = open(&dir);
                let won = Store::new(&repo, Durability::None).transact(&author(), Action::Queue, |edit| {
                    if edit.task(&TaskId::from_bits(n)).expect("readable").is_some() {
                        return Err(No("taken".into()));
                    }
                    let t = task(edit, n);
                    edit.put_task(t, change(&format!("task/{n}")));
                    Ok(())
                });
                won.is_ok()
            };
            let begun: Vec<_> = (0..16).map(|_| scope.spawn(want)).collect();
            begun.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(wins.iter().filter(|won| **won).count(), 1);
    }
    let repo = open(&dir);
    let tip = repo.ref_target(STATE_REF).unwrap().unwrap();
    let audit = git_orch::store::audit(&repo, &tip, 100).unwrap();
    let ids: std::collections::BTreeSet<_> = audit.iter().map(|found| found.entry.id.clone()).collect();
    assert_eq!((audit.len(), ids.len()), (21, 21), "one entry a change, each with its own id");
}

/// Plain git, which knows no lock of ours, moves the ref while changes are made: none is lost, on either side.
#[test]
fn who_ignores_the_lock_costs_a_retry_and_no_change() {
    let dir = repo(&[]);
    let store_repo = open(&dir);
    let store = create(&store_repo);
    let others = std::cell::Cell::new(0);
    for n in 0..10_u64 {
        store
            .transact::<(), No>(&author(), Action::Queue, |edit| {
                if others.get() == n {
                    let tip = git(&dir.path, &["rev-parse", STATE_REF]);
                    let tree = format!("{tip}^{{tree}}");
                    let other =
                        git(&dir.path, &["commit-tree", "-p", &tip, "-m", &format!("other {n}"), &tree]);
                    git(&dir.path, &["update-ref", STATE_REF, &other, &tip]);
                    others.set(n + 1);
                }
                let t = task(edit, n);
                edit.put_task(t, change(&format!("task/{n}")));
                Ok(())
            })
            .expect("in the end");
    }
    assert_eq!(store.snapshot().unwrap().tasks().unwrap().tasks.len(), 10);
    assert_eq!(git(&dir.path, &["rev-list", "--count", STATE_REF]), "21");
}

#[test]
fn who_panics_within_a_change_keeps_nobody_else_from_one() {
    let dir = repo(&[]);
    create(&open(&dir));
    std::thread::scope(|scope| {
        for writer in 0..8_u64 {
            let dir = &dir;
            scope.spawn(move || {
                let repo = open(dir);
                let store = Store::new(&repo, Durability::None);
                for n in 0..6 {
                    let panics = std::panic::AssertUnwindSafe(|| {
                        store.transact::<(), No>(&author(), Action::Queue, |edit| {
                            let t = task(edit, 5000);
                            edit.put_task(t, change("task/5000"));
                            std::panic::resume_unwind(Box::new("as if"))
                        })
                    });
                    assert!(std::panic::catch_unwind(panics).is_err());
                    add(&store, writer * 100 + n);
                }
            });
        }
    });
    let repo = open(&dir);
    let store = Store::new(&repo, Durability::None);
    assert_eq!(store.snapshot().unwrap().tasks().unwrap().tasks.len(), 48);
    git(&dir.path, &["fsck", "--strict"]);
}

#[test]
fn a_refusal_and_an_intent_without_change_write_nothing() {
    let dir = repo(&[]);
    let repo = open(&dir);
    let store = create(&repo);
    let before = store.tip().unwrap();
    let refused = store.transact::<(), No>(&author(), Action::Queue, |edit| {
        let t = task(edit, 1);
        edit.put_task(t, change("task/1"));
        Err(No("no".into()))
    });
    assert!(refused.is_err());
    store.transact::<(), No>(&author(), Action::Queue, |_| Ok(())).expect("nothing to do");
    assert_eq!(store.tip().unwrap(), before);
}

#[test]
fn damage_is_named_and_skipped_by_readers() {
    let dir = repo(&[]);
    let repo = open(&dir);
    let store = create(&repo);
    add(&store, 1);
    store
        .transact::<(), No>(&author(), Action::Repair, |edit| {
            edit.restore("tasks/00/00000002.toml", Some(b"id = 3 =".to_vec()), change("x"));
            edit.restore("tasks/00/weird", Some(b"".to_vec()), change("x"));
            edit.restore("tasks/00/00000003.toml", Some(vec![0xff, 0xfe]), change("x"));
            Ok(())
        })
        .unwrap();
    let snapshot = store.snapshot().unwrap();
    let listing = snapshot.tasks().unwrap();
    assert_eq!(listing.tasks.len(), 1);
    assert_eq!(listing.damaged.len(), 3, "{:?}", listing.damaged);
    let error = snapshot.task(&TaskId::from_bits(2)).expect_err("damaged");
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn the_difference_of_two_commits_is_found_without_reading_the_rest() {
    let dir = repo(&[]);
    let repo = open(&dir);
    let store = create(&repo);
    add(&store, 1);
    let base = store.tip().unwrap().unwrap();
    add(&store, 2);
    let changes = store.snapshot().unwrap().changes_since(Some(&base)).unwrap();
    assert_eq!(changes.upserts.iter().map(|t| t.id.clone()).collect::<Vec<_>>(), [TaskId::from_bits(2)]);
    assert!(changes.removed.is_empty());
}

#[test]
fn a_stale_lock_of_a_killed_git_is_named() {
    let dir = repo(&[]);
    let repo = open(&dir);
    let store = create(&repo);
    let lock = dir.path.join(".git/refs/orch/state.lock");
    std::fs::File::options().create_new(true).write(true).open(&lock).unwrap();
    let error = store
        .transact::<(), No>(&author(), Action::Queue, |edit| {
            let t = task(edit, 1);
            edit.put_task(t, change("task/1"));
            Ok(())
        })
        .expect_err("locked");
    assert!(error.to_string().contains("state.lock is in the way"), "{error}");
}

fn packs(dir: &Dir) -> Vec<PathBuf> {
    let objects =
        PathBuf::from(git(&dir.path, &["rev-parse", "--path-format=absolute", "--git-path", "objects"]));
    let all =
        std::fs::read_dir(objects.join("pack")).expect("packs").map(|entry| entry.expect("entry").path());
    let mut packs: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|s| s == "pack")).collect();
    packs.sort();
    packs
}

#[test]
fn packs_of_ours_stay_few_and_the_users_git_leaves_them_alone() {
    for flags in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"], &["--bare"]] {
        let dir = repo(flags);
        let repo = open(&dir);
        let store = create(&repo);
        // As a process that was killed leaves it.
        let cut_off = packs(&dir).first().expect("one").with_file_name("pack-x.keep");
        git_orch::sys::fs::write_new(&cut_off, b"git-orch\n", 0o644).unwrap();
        for n in 0..70 {
            add(&store, n);
            assert!(packs(&dir).len() < 40, "{flags:?}");
        }
        assert!(!cut_off.exists());
        let before = packs(&dir);
        assert!(before.len() < 30, "put together: {flags:?}");
        assert!(
            git(&dir.path, &["count-objects", "-v"]).starts_with("count: 0\n"),
            "none is loose: {flags:?}"
        );
        // Nor do they start its maintenance, nor does it touch them.
        git(&dir.path, &["-c", "gc.autoPackLimit=1", "gc", "--auto", "--no-detach"]);
        git(&dir.path, &["gc", "--quiet", "--prune=now"]);
        assert_eq!(packs(&dir), before, "{flags:?}");
        git(&dir.path, &["fsck", "--strict", "--full"]);
        assert_eq!(store.snapshot().unwrap().tasks().unwrap().tasks.len(), 70);
        repo.release_packs().unwrap();
        git(&dir.path, &["gc", "--quiet", "--prune=now"]);
        assert_eq!(packs(&dir).len(), 1, "ordinary packs: {flags:?}");
        assert_eq!(open(&dir).ref_target(STATE_REF).unwrap(), store.tip().unwrap());
    }
}

#[test]
fn who_reads_while_packs_are_put_together_finds_everything() {
    let dir = repo(&[]);
    let repo = open(&dir);
    let store = create(&repo);
    add(&store, 0);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let repo = open(&dir);
                let store = Store::new(&repo, Durability::Commit);
                while !done.load(std::sync::atomic::Ordering::SeqCst) {
                    let listing = store.snapshot().expect("snapshot").tasks().expect("tasks");
                    assert!(listing.damaged.is_empty(), "{:?}", listing.damaged);
                    git(&dir.path, &["cat-file", "-p", "refs/orch/state^{tree}"]);
                }
            });
        }
        let write = || (1..120).for_each(|n| add(&store, n));
        let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(write));
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        written.expect("written");
    });
    assert_eq!(store.snapshot().unwrap().tasks().unwrap().tasks.len(), 120);
}

/// A branch that merged trunk and was then merged into it, all within one second.
#[test]
fn merge_bases_are_right_among_commits_of_the_same_second() {
    let dir = repo(&[]);
    let path = &dir.path;
    let commit = |name: &str| {
        git(path, &["commit", "-q", "--allow-empty", "-m", name]);
        git(path, &["rev-parse", "HEAD"])
    };
    let merge = |from: &str| {
        git(path, &["merge", "-q", "--no-ff", "-m", "merge", from]);
        git(path, &["rev-parse", "HEAD"])
    };
    let first = commit("first");
    git(path, &["switch", "-q", "-c", "b"]);
    commit("one");
    git(path, &["switch", "-q", "main"]);
    let trunk = commit("two");
    git(path, &["switch", "-q", "b"]);
    merge("main");
    let tip = commit("three");
    git(path, &["switch", "-q", "main"]);
    let landed = merge("b");
    let other = git(path, &["commit-tree", "-m", "other", "HEAD^{tree}"]);

    let repo = open(&dir);
    let oid = |text: &str| Oid::parse(text).unwrap();
    let base = |one: &str, two: &str| repo.merge_base(&oid(one), &oid(two)).unwrap();
    for (one, two, expected) in [
        (&tip, &landed, Some(&tip)),
        (&landed, &tip, Some(&tip)),
        (&trunk, &tip, Some(&trunk)),
        (&first, &landed, Some(&first)),
        (&tip, &tip, Some(&tip)),
        (&tip, &other, None),
    ] {
        assert_eq!(base(one, two), expected.map(|e| oid(e)), "{one} {two}");
    }
    assert!(repo.is_ancestor(&oid(&tip), &oid(&landed)).unwrap());
    assert!(!repo.is_ancestor(&oid(&landed), &oid(&tip)).unwrap());
}
