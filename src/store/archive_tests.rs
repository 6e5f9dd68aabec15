//! The archive's form, and the laws of the join over whole states with archived tasks: as values, and as trees of git.

use std::collections::BTreeMap;

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::sample::Index;
use toml::Table;

use crate::domain::actor::{Actor, ActorKind};
use crate::domain::id::TaskId;
use crate::domain::oid::{MaybeOid, Oid};
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::git::{Cas, RefChange, Repo};
use crate::policy::grant::Action;
use crate::store::archive::{self, Copy, Place, Tasks};
use crate::store::codec::{decode_task, encode_task};
use crate::store::error::StoreError;
use crate::store::join_tests::{Deed, act, deed, origin};
use crate::store::layout::{self, STATE_REF};
use crate::store::records::Meta;
use crate::store::shelf::Files;
use crate::store::snapshot::Snapshot;
use crate::store::transaction::{Author, Change, Edit, Signed, Store};
use crate::sys::env::Env;
use crate::sys::fs::{self, Durability};

/// What a clone has of each task.
type State = BTreeMap<TaskId, Copy>;

const TASKS: u64 = 3;

fn start() -> State {
    let task = |n: u64| Task { id: TaskId::from_bits(7 + (n << 30)), ..origin() };
    let copy = |task: Task| (task.id.clone(), Copy { place: Place::Live, text: encode_task(&task) });
    (0..TASKS).map(task).map(copy).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Task(u64, Deed),
    Archive,
    Hear(Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..TASKS, deed()).prop_map(|(n, deed)| Step::Task(n, deed)),
        2 => (0..TASKS).prop_map(|n| Step::Task(n, Deed::Close)),
        2 => Just(Step::Archive),
        1 => any::<Index>().prop_map(Step::Hear),
    ]
}

fn join(one: &State, two: &State) -> State {
    let mut joined = one.clone();
    for (id, copy) in two {
        let both = joined.remove(id).map_or_else(|| copy.clone(), |mine| mine.join(copy));
        joined.insert(id.clone(), both);
    }
    joined
}

fn is_finished(task: &Task) -> bool {
    matches!(task.register.state.status(), "done" | "closed")
}

fn change(state: &mut State, n: u64, deed: &Deed, who: usize, at: (u64, i64)) {
    let Some(copy) = state.values_mut().nth(usize::try_from(n).expect("few")) else { return };
    let before = decode_task(&copy.text).expect("readable");
    let after = act(before.clone(), deed, who, at.0, at.1);
    if before.register.standing() != after.register.standing() {
        copy.place = Place::Live;
    }
    copy.text = encode_task(&after);
}

/// What three clones have after a random history.
fn clones() -> impl Strategy<Value = Vec<State>> {
    let skews = prop::collection::vec(-400_000..400_000_i64, 3);
    let steps = prop::collection::vec((0..3_usize, step()), 1..40);
    (skews, steps).prop_map(|(skews, steps)| {
        let mut clones = vec![start(); 3];
        for (n, (who, step)) in steps.into_iter().enumerate() {
            let n = i64::try_from(n).expect("few");
            match &step {
                Step::Hear(from) => clones[who] = join(&clones[who], from.get(&clones)),
                Step::Archive => {
                    for copy in clones[who].values_mut() {
                        if is_finished(&decode_task(&copy.text).expect("readable")) {
                            copy.place = Place::Archived;
                        }
                    }
                }
                Step::Task(task, deed) => {
                    // Three months apart: several quarters.
                    let ms = 1_000_000 + n * 8_000_000_000 + skews[who];
                    change(&mut clones[who], *task, deed, who, (n.unsigned_abs(), ms));
                }
            }
        }
        clones
    })
}

/// The files of a state, without its meta.
fn files(state: &State) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut quarters: BTreeMap<String, Tasks> = BTreeMap::new();
    for (id, copy) in state {
        match copy.place {
            Place::Live => drop(files.insert(layout::task(id), copy.text.clone())),
            Place::Archived => {
                let quarter = decode_task(&copy.text).expect("readable").register.since.quarter();
                let table: Table = copy.text.parse().expect("TOML");
                quarters.entry(quarter).or_default().insert(id.clone(), table);
            }
        }
    }
    for (quarter, tasks) in &quarters {
        files.extend(archive::files(quarter, tasks));
    }
    files
}

/// A repository without anything.
pub(super) struct Bare {
    _dir: tempfile::TempDir,
    pub(super) repo: Repo,
}

impl Bare {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for part in ["objects", "refs/heads", "orch"] {
            fs::create_dir_all(&dir.path().join(part)).expect("made");
        }
        let config = b"[core]\nrepositoryformatversion = 0\nbare = true\n";
        fs::write_new(&dir.path().join("config"), config, 0o644).expect("written");
        fs::write_new(&dir.path().join("HEAD"), b"ref: refs/heads/main\n", 0o644).expect("written");
        let env = Env::from_pairs(Vec::<(String, String)>::new());
        let repo = Repo::open(dir.path(), None, &env).expect("a repository");
        Self { _dir: dir, repo }
    }

    pub(super) fn store(&self) -> Store<'_> {
        Store::new(&self.repo, Durability::None)
    }

    /// A commit with a state.
    fn commit(&self, state: &State) -> Oid {
        self.commit_files(files(state), Vec::new())
    }

    /// A commit with these files and a meta.
    pub(super) fn commit_files(&self, files: BTreeMap<String, String>, parents: Vec<Oid>) -> Oid {
        let meta = Meta::new("r".into(), "main".into()).encode().to_string();
        let all = files.into_iter().chain([(layout::META.to_owned(), meta)]);
        let files: Files = all.map(|(path, text)| (path, Some(text.into_bytes()))).collect();
        let now = Timestamp::from_millis(1);
        let signed = Signed { author: &author(), now, message: "x\n".into(), parents };
        let (commit, written) = self.store().write(None, &files, signed).expect("written");
        self.repo.persist(&[written], Durability::None).expect("persisted");
        commit
    }

    /// The tree of what becomes of the state at `ours` when `theirs` is joined.
    pub(super) fn join(&self, ours: &Oid, theirs: &Oid) -> Oid {
        let old = self.store().tip().expect("readable").map_or(MaybeOid::Zero, MaybeOid::Id);
        let change = RefChange { name: STATE_REF.into(), old, new: ours.clone() };
        assert_eq!(self.repo.cas(&change, Durability::None).expect("moved"), Cas::Moved);
        self.store().join(&author(), theirs, "test", false).expect("joined").tip.expect("a tip")
    }

    pub(super) fn tree(&self, commit: &Oid) -> Oid {
        self.repo.tree_of(commit).expect("there")
    }

    /// The files of a commit but its meta.
    pub(super) fn texts(&self, commit: &Oid) -> BTreeMap<String, String> {
        let changes = self.repo.tree_changes(None, Some(&self.tree(commit))).expect("readable");
        let snapshot = self.store().at(commit).expect("there");
        let paths = changes.into_iter().map(|change| change.path).filter(|path| path != layout::META);
        let text = |path: String| {
            let text = snapshot.file(&path).expect("readable").expect("there");
            (path, text)
        };
        paths.map(text).collect()
    }
}

fn author() -> Author {
    let actor = Actor { kind: ActorKind::Person, name: "t".into(), session: None };
    Author { name: "t".into(), email: "t@e".into(), actor }
}

proptest! {
    #[test]
    fn states_join_alike_everywhere(clones in clones()) {
        let [a, b, c] = clones.as_slice() else { panic!("BUG: three clones") };
        prop_assert_eq!(join(a, b), join(b, a));
        prop_assert_eq!(join(&join(a, b), c), join(a, &join(b, c)));
        let ab = join(a, b);
        prop_assert_eq!(&join(&ab, a), &ab);
        prop_assert_eq!(&join(&ab, b), &ab);
        prop_assert_eq!(&join(&ab, &ab), &ab);
        prop_assert_eq!(files(&join(a, b)), files(&join(b, a)));
        for (id, copy) in &ab {
            let task = decode_task(&copy.text).expect("readable");
            prop_assert!(copy.place == Place::Live || is_finished(&task), "only what is finished is archived: {}", id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn trees_join_alike_everywhere(clones in clones()) {
        let bare = Bare::new();
        let [a, b, c] = clones.as_slice() else { panic!("BUG: three clones") };
        let [ca, cb, cc] = [a, b, c].map(|state| bare.commit(state));
        let (ab, ba) = (bare.join(&ca, &cb), bare.join(&cb, &ca));
        prop_assert_eq!(bare.tree(&ab), bare.tree(&ba));
        let meant = bare.commit(&join(a, b));
        prop_assert_eq!(bare.tree(&ab), bare.tree(&meant), "what the values say");
        let (abc, bca) = (bare.join(&ab, &cc), bare.join(&bare.join(&cb, &cc), &ca));
        prop_assert_eq!(bare.tree(&abc), bare.tree(&bca));
        prop_assert_eq!(bare.tree(&bare.join(&abc, &bca)), bare.tree(&abc));
        let state = bare.store().at(&abc).expect("there");
        prop_assert_eq!(state.damage().expect("readable"), Vec::new());
        let all: Vec<TaskId> = state.tasks().expect("readable").tasks.into_keys().collect();
        prop_assert_eq!(&all, &start().into_keys().collect::<Vec<_>>(), "nothing is lost, nothing is there twice");
        for (id, copy) in join(&join(a, b), c) {
            prop_assert_eq!(state.task(&id).expect("readable").map(|task| encode_task(&task)), Some(copy.text));
        }
    }

    #[test]
    fn what_differs_is_what_differs(clones in clones()) {
        let bare = Bare::new();
        let [a, b, _] = clones.as_slice() else { panic!("BUG: three clones") };
        let (ca, cb) = (bare.commit(a), bare.commit(b));
        let changes = bare.store().at(&cb).expect("there").changes_since(Some(&ca)).expect("readable");
        prop_assert_eq!(changes.removed, Vec::new());
        for (id, copy) in b {
            let told = changes.upserts.iter().find(|task| task.id == *id);
            prop_assert!(told.is_some() || a.get(id).is_some_and(|mine| mine.text == copy.text), "{}", id);
            prop_assert!(told.is_none_or(|task| encode_task(task) == copy.text));
        }
    }
}

#[test]
fn a_text_is_changed_in_the_archive_and_what_is_reopened_leaves_it() {
    let bare = Bare::new();
    let mut state = start();
    (0..TASKS).for_each(|n| change(&mut state, n, &Deed::Close, 0, (n, 5)));
    let (first, _) = state.first_key_value().expect("one");
    let meta = Meta::new("r".into(), "main".into());
    let store = bare.store();
    store.create(&author(), Timestamp::from_millis(1), &meta).expect("made");
    bare.join(&store.tip().expect("readable").expect("made"), &bare.commit(&state));
    let note = |action| Change { action, subject: "x".into(), cause: "test".into(), note: None };
    let ids: Vec<TaskId> = state.keys().cloned().collect();
    let transact = |intent: &dyn Fn(&mut Edit<'_, '_>) -> Result<(), StoreError>| {
        store.transact(&author(), Action::Queue, |edit| intent(edit)).expect("done");
        let snapshot = store.snapshot().expect("there");
        assert_eq!(snapshot.damage().expect("readable"), Vec::new());
        assert_eq!(snapshot.tasks().expect("readable").tasks.len(), state.len());
        snapshot
    };
    let is_live = |snapshot: &Snapshot<'_>| snapshot.file(&layout::task(first)).expect("readable").is_some();
    let archived = transact(&|edit| edit.archive(&ids, note("state.archive")));
    assert!(archived.live_ids("").expect("readable").is_empty());
    assert!(
        archived.repo().entry_at(archived.tree(), "tasks").expect("readable").is_none(),
        "no empty directory"
    );
    assert_eq!(archived.task_ids().expect("readable"), ids);
    let edited = transact(&|edit| {
        let mut task = edit.task(first)?.expect("there");
        task.title.set("other".into(), edit.stamp());
        edit.put_task(task, note("task.edit"));
        Ok(())
    });
    assert!(!is_live(&edited));
    assert_eq!(edited.task(first).expect("readable").expect("there").title.value, "other");
    let reopened = transact(&|edit| {
        let mut task = edit.task(first)?.expect("there");
        task.register = task.register.reopen(first, &edit.at()).expect("closed");
        edit.put_task(task, note("task.reopen"));
        Ok(())
    });
    assert!(is_live(&reopened));
    assert_eq!(reopened.shelved(first).expect("readable"), None);
    assert_eq!(reopened.task(first).expect("readable").expect("there").title.value, "other");
}

#[test]
fn the_archive_of_format_1_is_written_as_it_was() {
    let file = "archive/2026-q4/tasks.toml";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/store/v1").join(file);
    let text = fs::read_string(&path).expect("the fixture");
    let tasks = archive::parse(&archive::holds(file).expect("one of ours"), &text).expect("readable");
    for table in tasks.values() {
        let task = decode_task(&table.to_string()).expect("a task");
        assert_eq!(encode_task(&task), table.to_string());
        assert_eq!(task.register.since.quarter(), "2026-q4");
    }
    assert_eq!(archive::files("2026-q4", &tasks), BTreeMap::from([(file.to_owned(), text)]));
}

/// A finished task with a body of that many bytes.
fn stored(id: &str, bytes: usize) -> (TaskId, Table) {
    let mut task = act(origin(), &Deed::Close, 0, 1, 5);
    task.id = TaskId::parse(id).expect("valid");
    task.body.value = "x".repeat(bytes);
    (task.id.clone(), encode_task(&task).parse().expect("TOML"))
}

#[test]
fn a_file_that_would_be_too_large_is_split_by_the_next_character() {
    let names = |tasks: &[(&str, usize)]| -> Vec<String> {
        let tasks: Tasks = tasks.iter().map(|(id, bytes)| stored(id, *bytes)).collect();
        let files = archive::files("1970-q1", &tasks);
        let mut read = Tasks::new();
        for (path, text) in &files {
            assert!(text.len() <= layout::MAX_FILE, "{path}: {}", text.len());
            let holds = archive::holds(path).expect("one of ours");
            for (id, table) in archive::parse(&holds, text).expect("readable") {
                assert!(holds.any(id.as_str()), "{id} is found in {path}");
                assert!(read.insert(id, table).is_none(), "once");
            }
        }
        assert_eq!(read, tasks, "all of it");
        files.keys().map(|path| path.strip_prefix("archive/1970-q1/").expect("there").to_owned()).collect()
    };
    assert_eq!(names(&[]), Vec::<String>::new());
    assert_eq!(names(&[("7k3fabcd", 9), ("8k3fabcd", 9)]), ["tasks.toml"]);
    assert_eq!(names(&[("7k3fabcd", 40_000), ("8k3fabcd", 40_000)]), ["tasks-7.toml", "tasks-8.toml"]);
    assert_eq!(
        names(&[("7k3fabcd", 40_000), ("7k4fabcd", 40_000), ("8k3fabcd", 9)]),
        ["tasks-7k3.toml", "tasks-7k4.toml", "tasks-8.toml"]
    );
    assert_eq!(
        names(&[("7k3fabcd", 40_000), ("7k3fabcd00", 40_000)]),
        ["task-7k3fabcd.toml", "tasks-7k3fabcd0.toml"],
        "the one begins with the other"
    );
    // As large as a file in `tasks/` may be.
    let room = layout::MAX_FILE - stored("7k3fabcd", 0).1.to_string().len();
    assert_eq!(names(&[("7k3fabcd", room), ("7k3fabce", 9)]), ["task-7k3fabcd.toml", "tasks-7k3fabce.toml"]);
}

#[test]
fn what_is_no_file_of_archived_tasks_is_none() {
    for path in [
        "archive/tasks.toml",
        "tasks/7k/7k3fabcd.toml",
        "archive/1970-q1/x/tasks.toml",
        "archive/1970-q1/later.toml",
        "archive/1970-q1/task-x.toml",
        "archived/1970-q1/tasks.toml",
    ] {
        assert_eq!(archive::holds(path), None, "{path}");
    }
    let many = archive::holds("archive/1970-q1/tasks-7.toml").expect("one of ours");
    for text in ["", "x = ", "tasks = 1", "[tasks.no]", "[tasks.8k3fabcd]", "[tasks]\n7k3fabcd = 1"] {
        assert!(archive::parse(&many, text).is_err(), "{text}");
    }
}

#[test]
fn states_of_two_epochs_join_alike_whoever_joins() {
    let bare = Bare::new();
    let store = bare.store();
    let old = bare.commit(&start());
    let mut changed = start();
    change(&mut changed, 0, &Deed::Close, 0, (1, 5));
    change(&mut changed, 1, &Deed::Title(7), 0, (2, 6));
    let stale = bare.join(&old, &bare.commit(&changed));
    bare.join(&old, &old);
    let squashed =
        store.squash(&author(), Timestamp::from_millis(i64::MAX)).expect("done").expect("old enough");
    assert_eq!((squashed.epoch, &squashed.previous, squashed.commits), (1, &old, 1));
    assert!(bare.repo.commit(&squashed.root).expect("there").parents.is_empty());
    let there = store.at(&squashed.root).expect("there");
    assert!(there.has_let_go(&old).expect("readable") && !there.has_let_go(&stale).expect("readable"));
    // The one by whom the old history goes on, and the one who hears of it.
    let (one, two) = (bare.join(&squashed.root, &stale), bare.join(&stale, &squashed.root));
    assert_eq!(bare.tree(&one), bare.tree(&two));
    for joined in [one, two] {
        let parents = bare.repo.commit(&joined).expect("there").parents;
        assert!(
            parents.len() == 1 && parents.first() == Some(&squashed.root),
            "no other parent: {parents:?}"
        );
        let snapshot = store.at(&joined).expect("there");
        assert_eq!(snapshot.meta().expect("readable").epoch, 1);
        assert!(snapshot.has_let_go(&stale).expect("readable"));
        for (id, copy) in &changed {
            assert_eq!(
                snapshot.task(id).expect("readable").map(|task| encode_task(&task)).as_ref(),
                Some(&copy.text)
            );
        }
        assert_eq!(bare.join(&joined, &stale), joined, "once");
        assert_eq!(bare.join(&stale, &joined), joined, "all of it is there");
    }
    // A history with anything that is younger stays.
    let young = store.squash(&author(), Timestamp::from_millis(0)).expect("looked");
    assert!(young.is_err());
}
