//! What changes of the state cost: one by one, many in one, and from sixteen threads at once.
//!
//! `cargo bench --bench store [-- --tasks N --changes N]`. A change is durable when its call returns. The floor is what
//! the file system takes for the least that a durable change needs: a file written and flushed, renamed, and its
//! directory flushed. Prints one table and writes `target/bench-store.json`.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use git_orch::domain::actor::{Actor, ActorKind};
use git_orch::domain::id::TaskId;
use git_orch::domain::kind::{Kind, Priority};
use git_orch::domain::stamp::{Field, TagSet};
use git_orch::domain::task::{Register, Task};
use git_orch::domain::time::Timestamp;
use git_orch::git::Repo;
use git_orch::policy::grant::Action;
use git_orch::store::{Author, Change, Edit, Meta, Store, StoreError, TransactError};
use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};
use git_orch::sys::random;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const THREADS: usize = 16;

struct Settings {
    tasks: usize,
    changes: usize,
}

/// One row of the table.
#[derive(serde::Serialize)]
struct Row {
    name: String,
    per_second: f64,
    p50_ms: f64,
    p95_ms: f64,
    max_ms: f64,
    target: Option<String>,
}

fn main() -> ExitCode {
    match settings(std::env::args().skip(1)).and_then(|settings| bench(&settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn settings(mut args: impl Iterator<Item = String>) -> Outcome<Settings> {
    let mut settings = Settings { tasks: 10_000, changes: 400 };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--tasks" => settings.tasks = args.next().ok_or("--tasks needs a number")?.parse()?,
            "--changes" => settings.changes = args.next().ok_or("--changes needs a number")?.parse()?,
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    Ok(settings)
}

fn bench(settings: &Settings) -> Outcome<()> {
    // Beside the build and not below /tmp, which may be memory: there nothing is durable.
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    fs::create_dir_all(&target)?;
    let dir = tempfile::Builder::new().prefix("bench-store-").tempdir_in(&target)?;
    let path = dir.path();
    let repo = init(path)?;
    let store = Store::new(&repo, Durability::Commit);
    store.create(&author(), Clock.now(), &Meta::new("0".repeat(16), "main".into()))?;
    let start = Clock.monotonic();
    add(&store, settings.tasks)?;
    let filled = start.elapsed();

    let floor = floor(path, settings.changes)?;
    let single = timed(settings.changes, || add(&store, 1))?;
    let mut threads = Vec::new();
    let start = Clock.monotonic();
    std::thread::scope(|scope| -> Outcome<()> {
        let each = (settings.changes / THREADS).max(4);
        let begun: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(move || -> Outcome<Vec<Duration>> {
                    let repo = open(path)?;
                    let store = Store::new(&repo, Durability::Commit);
                    timed(each, || add(&store, 1))
                })
            })
            .collect();
        for thread in begun {
            threads.extend(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(())
    })?;
    let at_once = start.elapsed();

    let batched = rate(settings.tasks, filled);
    let rows = [
        row("floor: one durable file", &floor, None, None),
        row("one change at a time", &single, None, Some("at least 300/s".to_owned())),
        row("16 threads at once", &threads, Some(at_once), Some("p95 below 25 ms".to_owned())),
        Row {
            name: format!("{} tasks in one change", settings.tasks),
            per_second: batched,
            p50_ms: 0.0,
            p95_ms: 0.0,
            max_ms: filled.as_secs_f64() * 1e3,
            target: Some("at least 2000/s".to_owned()),
        },
    ];
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<26} {:>9} {:>8} {:>8} {:>8}  target", "what", "per s", "p50 ms", "p95 ms", "max ms")?;
    for row in &rows {
        let target = row.target.as_deref().unwrap_or_default();
        let Row { name, per_second, p50_ms, p95_ms, max_ms, .. } = row;
        writeln!(out, "{name:<26} {per_second:>9.0} {p50_ms:>8.2} {p95_ms:>8.2} {max_ms:>8.2}  {target}")?;
    }
    let packs = fs::list(&path.join(".git/objects/pack"))?;
    let packs: Vec<_> = packs.iter().filter(|path| path.extension().is_some_and(|s| s == "pack")).collect();
    let bytes: u64 = packs.iter().filter_map(|path| fs::size(path)).sum();
    writeln!(out, "{} packs, {} KiB", packs.len(), bytes / 1024)?;
    let json = serde_json::to_string_pretty(&rows)?;
    fs::write_atomic(&target.join("bench-store.json"), json.as_bytes(), 0o644, Durability::None)?;
    Ok(())
}

fn row(name: &str, times: &[Duration], wall: Option<Duration>, target: Option<String>) -> Row {
    let mut times = times.to_vec();
    times.sort_unstable();
    let wall = wall.unwrap_or_else(|| times.iter().sum());
    let last = times.len().saturating_sub(1);
    let at = |percent: usize| times.get(last * percent / 100).map_or(0.0, |t| t.as_secs_f64() * 1e3);
    Row {
        name: name.to_owned(),
        per_second: rate(times.len(), wall),
        p50_ms: at(50),
        p95_ms: at(95),
        max_ms: at(100),
        target,
    }
}

fn rate(count: usize, wall: Duration) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from) / wall.as_secs_f64()
}

fn timed(times: usize, mut what: impl FnMut() -> Outcome<()>) -> Outcome<Vec<Duration>> {
    (0..times)
        .map(|_| {
            let start = Clock.monotonic();
            what()?;
            Ok(start.elapsed())
        })
        .collect()
}

fn floor(dir: &Path, times: usize) -> Outcome<Vec<Duration>> {
    let path = dir.join("floor");
    timed(times, || Ok(fs::write_atomic(&path, &[7; 2048], 0o644, Durability::Commit)?))
}

#[expect(clippy::disallowed_methods, reason = "measured is what follows, in process")]
fn init(dir: &Path) -> Outcome<Repo> {
    let made = Command::new("git").args(["init", "--quiet"]).arg(dir).status()?;
    if !made.success() {
        return Err(format!("git init: {made}").into());
    }
    open(dir)
}

fn open(dir: &Path) -> Outcome<Repo> {
    Ok(Repo::discover(dir, &Env::capture())?)
}

fn author() -> Author {
    let actor = Actor { kind: ActorKind::Person, name: "ann@example.com".into(), session: None };
    Author { name: "Ann".into(), email: "ann@example.com".into(), actor }
}

/// Adds `count` tasks in one change.
fn add(store: &Store<'_>, count: usize) -> Outcome<()> {
    let added = store.transact::<(), StoreError>(&author(), Action::Queue, |edit| {
        for _ in 0..count {
            let task = task(edit);
            let subject = format!("task/{}", task.id);
            edit.put_task(task, Change { action: "task.add", subject, cause: "bench".into(), note: None });
        }
        Ok(())
    });
    added.map(drop).map_err(|error: TransactError<StoreError>| error.to_string().into())
}

fn task(edit: &Edit<'_, '_>) -> Task {
    let stamp = edit.stamp();
    Task {
        id: TaskId::from_bits(random::bits40()),
        created: edit.now(),
        creator: "person:ann@example.com".into(),
        updated: Timestamp::from_millis(0),
        kind: Field::new(Kind::Bug, stamp),
        title: Field::new("The parser loses the last line of a file without a newline".into(), stamp),
        body: Field::new("Seen with CRLF, too. The test is in parser/tests.".into(), stamp),
        priority: Field::new(Priority::P2, stamp),
        role: Field::new(None, stamp),
        acceptance: Field::new(vec!["the new test passes".into()], stamp),
        labels: TagSet::default(),
        needs: TagSet::default(),
        files: TagSet::default(),
        register: Register::new(&edit.at()),
    }
}
