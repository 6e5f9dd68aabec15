//! The index against a model of it, against damage, against others, and against the clock.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use rusqlite::StatementStatus;

use crate::domain::graph;
use crate::domain::id::{ChangeId, IdPrefix, SessionId, TaskId};
use crate::domain::kind::{Kind, Priority};
use crate::domain::oid::Oid;
use crate::domain::role::{Role, Team};
use crate::domain::stamp::{Field, Hlc, Stamp, TagSet};
use crate::domain::task::{Claim, Evidence, Lease, Move, Owner, Register, State, Task, Work};
use crate::domain::time::Timestamp;
use crate::domain::unknown::Unknown;
use crate::index::open::file;
use crate::index::{Applied, Because, Changes, Filter, Index, IndexError, Row, says};
use crate::sys::clock::Clock;
use crate::sys::fs::{self, Durability};

fn id(n: u64) -> TaskId {
    TaskId::from_bits(n)
}

fn oid(n: u64) -> Oid {
    Oid::parse(&format!("{:040x}", n + 1)).expect("not zero")
}

fn task(n: u64) -> Task {
    let change = ChangeId::from_bits(1);
    let at = Move { change: &change, now: Timestamp::from_millis(5), clock: Hlc::default(), epoch: 0 };
    let stamp = Stamp { ms: 1, seq: 0, actor: "ann".into(), change: change.clone() };
    Task {
        id: id(n),
        created: Timestamp::from_millis(1_000),
        creator: "person:ann".into(),
        updated: Timestamp::from_millis(2_000),
        kind: Field::new(Kind::Bug, &stamp),
        title: Field::new(format!("title {n}"), &stamp),
        body: Field::new(String::new(), &stamp),
        priority: Field::new(Priority::P2, &stamp),
        role: Field::new(None, &stamp),
        acceptance: Field::new(Vec::new(), &stamp),
        labels: TagSet::default(),
        needs: TagSet::default(),
        files: TagSet::default(),
        rejected: None,
        register: Register::new(&at),
        unknown: Unknown::default(),
    }
}

fn needing(n: u64, needs: &[u64]) -> Task {
    let mut task = task(n);
    for &need in needs {
        task.needs.insert(id(need), &ChangeId::from_bits(need), 0);
    }
    task
}

fn lease() -> Lease {
    Lease {
        owner: Owner { actor: "person:ann".into(), session: SessionId::from_bits(1), worker: false },
        claim: Claim::Local,
        expires: Timestamp::from_millis(9_000),
    }
}

fn state(word: &str) -> State {
    match word {
        "open" => State::Open,
        "claimed" => State::Claimed(lease()),
        "merging" => State::Merging(lease()),
        "blocked" => State::Blocked("the vendor".into()),
        "review" => State::Review,
        "done" => State::Done(Evidence { commit: oid(1), tree: oid(2), verdict: "v".into(), local: false }),
        "closed" => State::Closed("duplicate".into()),
        other => panic!("BUG: {other}"),
    }
}

fn in_state(mut task: Task, word: &str) -> Task {
    task.register.state = state(word);
    task
}

fn opened(dir: &Path, tasks: impl IntoIterator<Item = Task>) -> Index {
    Index::rebuild(dir, &oid(0), tasks.into_iter().map(Ok)).unwrap()
}

fn shown(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|r| r.title.trim_start_matches("title ")).collect()
}

fn upserts(upserts: Vec<Task>) -> Changes {
    Changes { upserts, removed: Vec::new(), damaged: Vec::new() }
}

#[test]
fn a_row_says_what_the_task_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut full = in_state(needing(1, &[2, 3]), "claimed");
    full.role.value = Some(Role::Testwriter);
    full.labels.insert("ui \"x\"".into(), &ChangeId::from_bits(1), 0);
    full.register.fence = 7;
    full.register.work = Some(Work { branch: "fix/x".into(), base: oid(1) });
    let index = opened(dir.path(), [full.clone(), in_state(task(2), "done"), task(4)]);
    assert_eq!(index.row(&id(1)).unwrap(), Some(Row::new(&full, 1)), "task 3 is not there");
    assert_eq!(index.row(&id(9)).unwrap(), None);
    assert_eq!(index.indexed().unwrap(), Some(oid(0)));
    index.check().unwrap();
}

#[test]
fn ready_is_by_priority_then_age_then_id() {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks: Vec<Task> = (1..=5).map(task).collect();
    tasks[4].priority.value = Priority::P0;
    tasks[3].created = Timestamp::from_millis(1);
    let index = opened(dir.path(), tasks);
    assert_eq!(shown(&index.ready(&Filter::default(), 9).unwrap()), ["5", "4", "1", "2", "3"]);
    assert_eq!(shown(&index.ready(&Filter::default(), 2).unwrap()), ["5", "4"]);
}

#[test]
fn a_task_is_ready_when_all_it_needs_is_done() {
    let dir = tempfile::tempdir().unwrap();
    // 1 needs 2 needs 3; 4 needs one that is not there; 5 needs one that was given up.
    let closed = in_state(task(6), "closed");
    let tasks = [needing(1, &[2]), needing(2, &[3]), task(3), needing(4, &[99]), needing(5, &[6]), closed];
    let mut index = opened(dir.path(), tasks);
    let ready = |index: &Index| {
        index.check().unwrap();
        shown(&index.ready(&Filter::default(), 9).unwrap()).join(" ")
    };
    assert_eq!(ready(&index), "3");
    let mut step = 0;
    let mut apply = |index: &mut Index, changes: Changes| {
        assert_eq!(index.apply(Some(&oid(step)), &oid(step + 1), &changes).unwrap(), Applied::Done);
        step += 1;
    };
    apply(&mut index, upserts(vec![in_state(task(3), "done")]));
    assert_eq!(ready(&index), "2");
    apply(&mut index, upserts(vec![in_state(needing(2, &[3]), "done"), in_state(task(99), "done")]));
    assert_eq!(ready(&index), "1 4");
    apply(&mut index, upserts(vec![task(3), needing(5, &[])]));
    assert_eq!(ready(&index), "1 3 4 5");
    apply(&mut index, Changes { upserts: Vec::new(), removed: vec![id(99), id(77)], damaged: Vec::new() });
    assert_eq!(ready(&index), "1 3 5", "a needed task that is gone is not done");
}

#[test]
fn of_a_cycle_one_task_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let edge = |n: u64, need: u64, tag: u64| {
        let mut task = task(n);
        task.needs.insert(id(need), &ChangeId::from_bits(tag), 0);
        task
    };
    let mut index = opened(dir.path(), [edge(1, 2, 5), task(2), edge(3, 1, 6)]);
    let ready = |index: &Index| {
        index.check().unwrap();
        shown(&index.ready(&Filter::default(), 9).unwrap()).join(" ")
    };
    assert_eq!(ready(&index), "2");
    assert_eq!(index.apply(Some(&oid(0)), &oid(1), &upserts(vec![edge(2, 1, 7)])).unwrap(), Applied::Done);
    assert_eq!(ready(&index), "2", "its edge is the later one");
    assert_eq!(index.ignored().unwrap().len(), 1);
    assert_eq!(index.unmet(&index.row(&id(2)).unwrap().unwrap()).unwrap(), []);
    assert_eq!(index.apply(Some(&oid(1)), &oid(2), &upserts(vec![edge(2, 1, 4)])).unwrap(), Applied::Done);
    assert_eq!(ready(&index), "1", "now the other one's is");
    assert_eq!(index.apply(Some(&oid(2)), &oid(3), &upserts(vec![task(1)])).unwrap(), Applied::Done);
    assert_eq!((ready(&index).as_str(), index.ignored().unwrap().len()), ("1", 0));
}

#[test]
fn those_who_wait_say_for_what() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = [
        needing(1, &[2, 8, 9]),
        in_state(task(2), "claimed"),
        in_state(task(3), "blocked"),
        in_state(task(4), "review"),
        in_state(task(5), "merging"),
        task(6),
        in_state(task(7), "closed"),
        in_state(task(8), "done"),
    ];
    let index = opened(dir.path(), tasks);
    let waiting = index.waiting(&Filter::default(), 99).unwrap();
    let told: Vec<String> = waiting
        .iter()
        .map(|w| match &w.because {
            Because::Needs(needs) => {
                format!("{} needs {:?}", w.row.title, needs.iter().map(|n| n.status).collect::<Vec<_>>())
            }
            Because::Held { owner, .. } => format!("{} held by {owner}", w.row.title),
            Because::Blocked(why) => format!("{} blocked by {why}", w.row.title),
            Because::Review => format!("{} in review", w.row.title),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    title 1 needs [Some("claimed"), None]
    title 2 held by person:ann
    title 3 blocked by the vendor
    title 4 in review
    title 5 held by person:ann
    "#);
    assert_eq!(index.waiting(&Filter { statuses: vec!["done"], ..Filter::default() }, 9).unwrap(), []);
    assert_eq!(index.needed_by(&id(2)).unwrap(), [id(1)]);
    let counts = index.counts().unwrap();
    assert_eq!((counts.ready, counts.by_status[0]), (1, ("open", 2)));
    assert_eq!(counts.by_status.iter().map(|(_, n)| n).sum::<u64>(), 8);
}

#[test]
fn filters_narrow() {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks: Vec<Task> = (1..=4).map(task).collect();
    tasks[0].kind.value = Kind::Feature;
    tasks[1].role.value = Some(Role::Testwriter);
    tasks[2].labels.insert("ui".into(), &ChangeId::from_bits(1), 0);
    tasks[3] = in_state(task(4), "claimed");
    let index = opened(dir.path(), tasks);
    let any = Filter::default;
    let list = |filter: Filter| shown(&index.list(&filter, 9).unwrap()).join(" ");
    assert_eq!(list(any()), "1 2 3 4");
    assert_eq!(list(Filter { team: Some(Team::Dev), ..any() }), "1 2");
    assert_eq!(list(Filter { role: Some(Role::Bugfix), ..any() }), "3 4");
    assert_eq!(list(Filter { role: Some(Role::Bugfix), team: Some(Team::Dev), ..any() }), "");
    assert_eq!(list(Filter { kinds: vec![Kind::Feature], ..any() }), "1");
    assert_eq!(list(Filter { labels: vec!["ui".into()], ..any() }), "3");
    assert_eq!(list(Filter { statuses: vec!["claimed", "done"], ..any() }), "4");
    assert_eq!(list(Filter { owner: Some("ann".into()), ..any() }), "4");
    assert_eq!(list(Filter { priorities: vec![Priority::P0], ..any() }), "");
    assert_eq!(shown(&index.ready(&Filter { team: Some(Team::Qa), ..any() }, 9).unwrap()), ["3"]);
}

#[test]
fn words_are_found_and_are_never_operators() {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks: Vec<Task> = (1..=3).map(task).collect();
    tasks[0].title.value = "Café crashes on NULL".into();
    tasks[1].body.value = "the cafe is closed, NEAR the station".into();
    let mut index = opened(dir.path(), tasks);
    let found = |index: &Index, text: &str| -> Vec<TaskId> {
        index.search(text, 9).unwrap().into_iter().map(|r| r.id).collect()
    };
    assert_eq!(found(&index, "cafe"), [id(1), id(2)], "the title counts for more");
    assert_eq!(found(&index, "crash"), [id(1)], "the last word may be a beginning");
    assert_eq!(found(&index, "cafe NEAR(\"stat"), [id(2)]);
    assert_eq!(found(&index, "-\"* ()"), []);
    let changes = upserts(vec![in_state(task(1), "claimed")]);
    assert_eq!(index.apply(Some(&oid(0)), &oid(1), &changes).unwrap(), Applied::Done);
    assert_eq!(found(&index, "cafe"), [id(2)], "a new text replaces the old one");
    assert_eq!(found(&index, "title 1"), [id(1)]);
}

#[test]
fn what_is_found_without_the_index_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let texts = ["the cache leaks", "Cached pages, leaking", "no-op: x_y 42", "", "page (cache)"];
    let tasks: Vec<Task> = (0..)
        .zip(texts)
        .map(|(n, text)| {
            let mut task = task(n);
            (task.title.value, task.body.value) = (text.into(), texts[2].into());
            task
        })
        .collect();
    let index = opened(dir.path(), tasks.clone());
    for text in
        ["cache", "cache leak", "leak cache", "x_y", "op 4", "pages", "", "NOT cache", "no-op", "ache"]
    {
        let mut found: Vec<TaskId> = index.search(text, 99).unwrap().into_iter().map(|row| row.id).collect();
        found.sort();
        let said = |task: &&Task| says(text, &task.title.value, &task.body.value);
        let expected: Vec<TaskId> = tasks.iter().filter(said).map(|task| task.id.clone()).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn prefixes_and_typos() {
    let dir = tempfile::tempdir().unwrap();
    let ids = ["7k3fabcd", "7k3fabce", "7k4fabcd", "zzzzzzzz", "7k3fabcd9"];
    let tasks = ids.map(|text| Task { id: TaskId::parse(text).expect("valid"), ..task(1) });
    let index = opened(dir.path(), tasks);
    let by = |text: &str| {
        let found = index.by_prefix(&IdPrefix::parse(text).expect("valid")).unwrap();
        found.iter().map(TaskId::as_str).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(by("7k3f"), "7k3fabcd 7k3fabcd9 7k3fabce");
    assert_eq!(by("7k3fabcd"), "7k3fabcd", "a whole id is that id");
    assert_eq!(by("z"), "zzzzzzzz");
    assert_eq!(by("bug-7K4"), "7k4fabcd");
    assert_eq!(by("docs-7k4"), "");
    let near = |text: &str| {
        let found = index.nearest(text, 2).unwrap();
        found.iter().map(TaskId::as_str).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(near("bug-7k3fabdc"), "7k3fabcd 7k3fabcd9");
    assert_eq!(near("7k4x"), "7k4fabcd 7k3fabcd");
    assert_eq!(near("qqqqqqqq"), "");
    assert_eq!(near("q"), "");
}

#[test]
fn a_difference_that_comes_too_late_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut index = Index::open(dir.path()).unwrap();
    assert_eq!(index.indexed().unwrap(), None);
    let one = upserts(vec![task(1)]);
    assert_eq!(index.apply(Some(&oid(5)), &oid(6), &one).unwrap(), Applied::Stale(None));
    assert_eq!(index.apply(None, &oid(1), &one).unwrap(), Applied::Done);
    let mut other = Index::open(dir.path()).unwrap();
    assert_eq!(other.apply(None, &oid(2), &upserts(vec![task(2)])).unwrap(), Applied::Stale(Some(oid(1))));
    assert_eq!(shown(&other.list(&Filter::default(), 9).unwrap()), ["1"]);
}

#[test]
fn of_those_who_apply_at_once_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    drop(opened(dir.path(), []));
    for round in 0..5 {
        let results: Vec<_> = std::thread::scope(|scope| {
            let race = |n: u64| {
                let dir = dir.path();
                scope.spawn(move || {
                    let mut index = Index::open(dir)?;
                    index.apply(Some(&oid(round)), &oid(round + 1), &upserts(vec![task(round * 10 + n)]))
                })
            };
            let threads: Vec<_> = (0..4).map(race).collect();
            threads.into_iter().map(|t| t.join().expect("no panic")).collect()
        });
        let won = results.iter().filter(|r| matches!(r, Ok(Applied::Done))).count();
        assert_eq!(won, 1, "{results:?}");
        let lost_cleanly = |r: &Result<Applied, IndexError>| matches!(r, Ok(_) | Err(IndexError::Busy));
        assert!(results.iter().all(lost_cleanly), "{results:?}");
    }
    let index = Index::open(dir.path()).unwrap();
    assert_eq!(index.list(&Filter::default(), 99).unwrap().len(), 5);
    index.check().unwrap();
}

#[test]
fn a_rebuild_waits_for_readers_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut reader = opened(dir.path(), [task(1)]);
    assert_eq!(reader.apply(Some(&oid(0)), &oid(1), &upserts(vec![task(2)])).unwrap(), Applied::Done);
    assert!(matches!(Index::rebuild(dir.path(), &oid(2), [Ok(task(3))]), Err(IndexError::Busy)));
    assert_eq!(reader.list(&Filter::default(), 9).unwrap().len(), 2, "the old one still answers");
    drop(reader);
    let index = Index::rebuild(dir.path(), &oid(2), [Ok(task(3))]).unwrap();
    assert_eq!(shown(&index.list(&Filter::default(), 9).unwrap()), ["3"], "no old log is replayed");
    drop(index);
    let names: Vec<String> = fs::list(dir.path())
        .unwrap()
        .iter()
        .map(|p| p.file_name().expect("listed").to_string_lossy().into_owned())
        .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect();
    assert_eq!(names, ["index-3.db", "index.lock"]);
}

#[test]
fn a_file_that_is_no_index_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    for garbage in [&b"not a database, but long enough to look at"[..], &[0; 4096], b"SQLite format 3\0"] {
        fs::write_atomic(&file(dir.path()), garbage, 0o600, Durability::None).unwrap();
        let seen = Index::open(dir.path()).and_then(|index| index.indexed());
        assert!(seen.is_err_and(|e| e.wants_rebuild()), "{garbage:?}");
        let index = Index::rebuild(dir.path(), &oid(1), [Ok(task(1))]).unwrap();
        assert_eq!(index.list(&Filter::default(), 9).unwrap().len(), 1);
    }
    fs::remove_file(&file(dir.path())).unwrap();
    assert_eq!(Index::open(dir.path()).unwrap().indexed().unwrap(), None, "deleting it is safe");
}

/// How many steps SQLite's machine takes for `sql` until its first row.
fn steps_to_first(index: &Index, sql: &str) -> i32 {
    let mut statement = index.db.prepare(sql).unwrap();
    let first = statement.query([]).unwrap().next().unwrap().is_some();
    assert!(first, "{sql}");
    statement.get_status(StatementStatus::VmStep)
}

fn plan(index: &Index, sql: &str) -> String {
    let mut explain = index.db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = explain.query_map([], |row| row.get::<_, String>(3)).unwrap();
    lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_first_ready_task_is_found_in_one_step_among_ten_thousand() {
    let dir = tempfile::tempdir().unwrap();
    let small = opened(&dir.path().join("small"), (0..100).map(task));
    // Half of them wait for the first one.
    let tasks = (0..10_000).map(|n| if n % 2 == 1 { needing(n, &[0]) } else { task(n) });
    let large = opened(&dir.path().join("large"), tasks);
    let any = Filter::default();
    let of_dev = Filter { team: Some(Team::Dev), kinds: vec![Kind::Docs], ..Filter::default() };
    insta::assert_snapshot!(plan(&large, &crate::index::query::ready_sql(&any)), @"SCAN task USING INDEX task_ready");
    insta::assert_snapshot!(plan(&large, &crate::index::query::ready_sql(&of_dev)), @"SCAN task USING INDEX task_ready");
    let open = Filter { statuses: vec!["claimed"], ..Filter::default() };
    insta::assert_snapshot!(plan(&large, &crate::index::query::list_sql(&open)), @"SEARCH task USING INDEX task_status (status=?)");
    let sql = crate::index::query::ready_sql(&any);
    assert_eq!(steps_to_first(&small, &sql), steps_to_first(&large, &sql));
    drop(large);
    let clock = Clock;
    let peek = || {
        let start = clock.monotonic();
        let index = Index::open(&dir.path().join("large")).unwrap();
        assert_eq!(shown(&index.ready(&any, 1).unwrap()), ["0"]);
        start.elapsed()
    };
    let best = (0..50).map(|_| peek()).min().expect("fifty");
    assert!(best.as_micros() < 1_000, "opening and peeking took {best:?}");
}

// ---- model

/// What `Index` has to say about `tasks`, computed the slow way.
fn model(tasks: &BTreeMap<TaskId, Task>) -> Vec<Row> {
    let done = |id: &TaskId| tasks.get(id).is_some_and(|t| t.register.state.status() == "done");
    let edges: Vec<graph::Edge<'_>> = tasks.values().flat_map(graph::edges_of).collect();
    let ignored = graph::ignored(&edges);
    let unmet = |t: &Task| {
        let counts = |need: &&TaskId| !done(need) && !graph::has(&ignored, &t.id, need);
        t.needs.iter().filter(counts).count().try_into().expect("few")
    };
    let mut rows: Vec<Row> = tasks.values().map(|t| Row::new(t, unmet(t))).collect();
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    rows
}

fn agrees(index: &Index, tasks: &BTreeMap<TaskId, Task>) {
    let expected = model(tasks);
    let any = Filter::default();
    assert_eq!(index.list(&any, usize::MAX).unwrap(), expected);
    let ready: Vec<Row> = expected.iter().filter(|r| r.ready()).cloned().collect();
    assert_eq!(index.ready(&any, usize::MAX).unwrap(), ready);
    index.check().unwrap();
}

fn any_task() -> impl Strategy<Value = Task> {
    let status = prop_oneof![
        3 => Just("open"), 3 => Just("done"), 1 => Just("claimed"), 1 => Just("closed"), 1 => Just("blocked")
    ];
    let needs = prop::collection::vec((0_u64..14, 0_u64..4), 0..4);
    (0_u64..12, needs, status, 0_usize..5, any::<bool>()).prop_map(
        |(n, needs, status, priority, labelled)| {
            let mut task = in_state(task(n), status);
            for (need, tag) in needs {
                task.needs.insert(id(need), &ChangeId::from_bits(tag), 0);
            }
            task.priority.value = Priority::ALL[priority];
            if labelled {
                task.labels.insert("x".into(), &ChangeId::from_bits(1), 0);
            }
            task
        },
    )
}

fn any_change() -> impl Strategy<Value = Changes> {
    let tasks = prop::collection::vec(any_task(), 0..6);
    let removed = prop::collection::vec((0_u64..12).prop_map(id), 0..3);
    (tasks, removed).prop_map(|(upserts, removed)| Changes { upserts, removed, damaged: Vec::new() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn following_is_the_same_as_building_anew(
        first in prop::collection::vec(any_task(), 0..12),
        changes in prop::collection::vec(any_change(), 1..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut tasks: BTreeMap<TaskId, Task> = first.into_iter().map(|t| (t.id.clone(), t)).collect();
        let mut index = opened(dir.path(), tasks.values().cloned());
        agrees(&index, &tasks);
        for (step, change) in (0..).zip(changes) {
            assert_eq!(index.apply(Some(&oid(step)), &oid(step + 1), &change).unwrap(), Applied::Done);
            tasks.retain(|id, _| !change.removed.contains(id));
            tasks.extend(change.upserts.into_iter().map(|t| (t.id.clone(), t)));
            agrees(&index, &tasks);
        }
    }
}

// ---- damage

/// Asks everything; every row that comes back has to be true for the commit that the index says it describes.
fn ask_everything(dir: &Path, truths: &[(Oid, Vec<Row>)]) -> Result<(), IndexError> {
    let index = Index::open(dir)?;
    let indexed = index.indexed()?;
    let Some((_, truth)) = truths.iter().find(|(oid, _)| Some(oid) == indexed.as_ref()) else {
        return Err(IndexError::corrupt("another commit"));
    };
    let any = Filter::default();
    let mut rows = index.ready(&any, 3)?;
    assert!(rows.iter().all(Row::ready));
    rows.extend(index.list(&any, usize::MAX)?);
    rows.extend(index.search("title", 99)?);
    rows.extend(index.waiting(&any, 99)?.into_iter().map(|w| w.row));
    rows.extend(index.row(&truth[0].id)?);
    for row in &rows {
        assert!(truth.contains(row), "a row that was never written: {row:?}");
    }
    drop((index.counts()?, index.nearest("00000012", 3)?));
    drop(index.by_prefix(&IdPrefix::parse("0").expect("valid"))?);
    index.check()
}

/// An index of forty tasks that was built for one commit and followed the state to a second, with the truth
/// about both.
fn followed(dir: &Path) -> (Vec<Task>, Vec<(Oid, Vec<Row>)>) {
    let mut tasks: Vec<Task> =
        (0..40).map(|n| if n % 3 == 1 { needing(n, &[n - 1, n + 1]) } else { task(n) }).collect();
    let truth = |tasks: &[Task]| model(&tasks.iter().map(|t| (t.id.clone(), t.clone())).collect());
    let first = truth(&tasks);
    let mut index = opened(dir, tasks.clone());
    for at in [0, 2, 20] {
        tasks[at].register.state = state("done");
    }
    assert_eq!(index.apply(Some(&oid(0)), &oid(1), &upserts(tasks.clone())).unwrap(), Applied::Done);
    let second = truth(&tasks);
    (tasks, vec![(oid(0), first), (oid(1), second)])
}

#[test]
fn an_undamaged_index_answers_everything() {
    let dir = tempfile::tempdir().unwrap();
    let (_, truths) = followed(dir.path());
    ask_everything(dir.path(), &truths).unwrap();
    assert_ne!(truths[0].1, truths[1].1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_an_error_or_makes_no_difference(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..=255), 1..40),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        in_the_log in prop::bool::weighted(0.3),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (tasks, truths) = followed(dir.path());
        let mut path = file(dir.path());
        if in_the_log {
            path.as_mut_os_string().push("-wal");
        }
        let mut bytes = fs::read(&path).unwrap();
        for (at, by) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= by;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write_atomic(&path, &bytes, 0o600, Durability::None).unwrap();
        if ask_everything(dir.path(), &truths).is_err() {
            let index = Index::rebuild(dir.path(), &oid(1), tasks.into_iter().map(Ok)).unwrap();
            assert_eq!(index.list(&Filter::default(), usize::MAX).unwrap(), truths[1].1);
        }
    }
}
