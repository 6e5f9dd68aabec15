//! What changes of the state cost: one by one, many in one, from sixteen threads and from sixteen processes at once.
//!
//! `cargo bench --bench store [-- --tasks N --changes N]`. A change is durable when its call returns. The floor is what
//! the file system takes for the least that a durable change needs: a file written and flushed, renamed, and its
//! directory flushed. A process is measured from its start to its end: beside those that make a change stand as many
//! that only open the repository and read. Prints one table, how many packs there were at most, and how much a change
//! takes once all packs are put together; writes `target/bench-store.json`.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use git_orch::domain::id::TaskId;
use git_orch::domain::kind::Priority;
use git_orch::git::Repo;
use git_orch::policy::grant::Action;
use git_orch::store::{Change, Meta, Store, StoreError, TransactError};
use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};
use git_orch::sys::random;

#[path = "common/lives.rs"]
mod lives;

use lives::{End, LIFE, author, live};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const THREADS: usize = 16;
/// How often sixteen processes are started.
const ROUNDS: usize = 8;

struct Settings {
    tasks: usize,
    changes: usize,
    /// Be one of the processes that are measured: what to do, and in which repository.
    child: Option<(String, PathBuf)>,
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
    let run = |settings: Settings| match &settings.child {
        Some((what, dir)) => child(what, dir),
        None => bench(&settings),
    };
    match settings(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn settings(mut args: impl Iterator<Item = String>) -> Outcome<Settings> {
    let mut settings = Settings { tasks: 10_000, changes: 400, child: None };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--tasks" => settings.tasks = args.next().ok_or("--tasks needs a number")?.parse()?,
            "--changes" => settings.changes = args.next().ok_or("--changes needs a number")?.parse()?,
            "--child" => {
                let what = args.next().ok_or("--child needs what to do")?;
                settings.child = Some((what, args.next().ok_or("--child needs a directory")?.into()));
            }
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

    repo.pack_down(Durability::Commit)?;
    let imported = packs(path)?.1;

    let floor = floor(path, settings.changes)?;
    let mut most = 0;
    let mut single = Vec::new();
    for _ in 0..settings.changes {
        single.extend(timed(1, || add(&store, 1))?);
        most = most.max(packs(path)?.0);
    }
    let (threads, at_once) = threads(path, (settings.changes / THREADS).max(4))?;
    let reading = processes(path, "read")?;
    let changing = processes(path, "change")?;
    most = most.max(packs(path)?.0);
    let added = single.len() + threads.len() + changing.len();
    repo.pack_down(Durability::Commit)?;
    let bytes = packs(path)?.1;
    let each_new = bytes.saturating_sub(imported) / u64::try_from(added)?;
    let lives = settings.changes / 4;
    for n in 0..lives {
        live(&store, &TaskId::from_bits(random::bits40()), Priority::P2, End::of(n))?;
    }
    repo.pack_down(Durability::Commit)?;
    let (left, later) = packs(path)?;
    let each = later.saturating_sub(bytes) / u64::try_from(lives * LIFE)?;

    let batched = rate(settings.tasks, filled);
    let rows = [
        row("floor: one durable file", &floor, None, None),
        row("one change at a time", &single, None, Some("at least 300/s".to_owned())),
        row("16 threads at once", &threads, Some(at_once), Some("p95 below 25 ms".to_owned())),
        row("16 processes that read", &reading, None, None),
        row("16 processes that change", &changing, None, Some("p95 at most twice that".to_owned())),
        Row {
            name: format!("{} tasks in one change", settings.tasks),
            per_second: batched,
            p50_ms: 0.0,
            p95_ms: 0.0,
            max_ms: filled.as_secs_f64() * 1e3,
            target: Some("at least 2000/s".to_owned()),
        },
    ];
    print(&rows)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "at most {most} packs (target: 40); {left} once put together")?;
    writeln!(
        out,
        "{each} bytes a change once put together, over {lives} tasks' lives of {LIFE} changes each (target: less than 1024)"
    )?;
    writeln!(out, "{each_new} bytes for a new task")?;
    let json = serde_json::to_string_pretty(&rows)?;
    Ok(fs::write_atomic(&target.join("bench-store.json"), json.as_bytes(), 0o644, Durability::None)?)
}

fn print(rows: &[Row]) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<28} {:>9} {:>8} {:>8} {:>8}  target", "what", "per s", "p50 ms", "p95 ms", "max ms")?;
    for row in rows {
        let target = row.target.as_deref().unwrap_or_default();
        let Row { name, per_second, p50_ms, p95_ms, max_ms, .. } = row;
        writeln!(out, "{name:<28} {per_second:>9.0} {p50_ms:>8.2} {p95_ms:>8.2} {max_ms:>8.2}  {target}")?;
    }
    Ok(())
}

/// What each change takes if sixteen threads make `each`, and what all take together.
fn threads(dir: &Path, each: usize) -> Outcome<(Vec<Duration>, Duration)> {
    let start = Clock.monotonic();
    let mut times = Vec::new();
    std::thread::scope(|scope| -> Outcome<()> {
        let begun: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(move || -> Outcome<Vec<Duration>> {
                    let repo = open(dir)?;
                    let store = Store::new(&repo, Durability::Commit);
                    timed(each, || add(&store, 1))
                })
            })
            .collect();
        for thread in begun {
            times.extend(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(())
    })?;
    Ok((times, start.elapsed()))
}

/// How many packs there are, and their size with their indices.
fn packs(dir: &Path) -> Outcome<(usize, u64)> {
    let files = fs::list(&dir.join(".git/objects/pack"))?;
    let packs = files.iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "pack")).count();
    Ok((packs, files.iter().filter_map(|path| fs::size(path)).sum()))
}

/// What sixteen processes at once take, several times over.
#[expect(clippy::disallowed_methods, reason = "measured is the process as a whole")]
fn processes(dir: &Path, what: &str) -> Outcome<Vec<Duration>> {
    let program = std::env::current_exe()?;
    let run = || -> Outcome<Duration> {
        let start = Clock.monotonic();
        let ended = Command::new(&program).args(["--child", what]).arg(dir).status()?;
        if ended.success() {
            Ok(start.elapsed())
        } else {
            Err(format!("a process that should {what}: {ended}").into())
        }
    };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        std::thread::scope(|scope| -> Outcome<()> {
            let begun: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
            for thread in begun {
                times.push(thread.join().map_err(|_| "a thread panicked")??);
            }
            Ok(())
        })?;
    }
    Ok(times)
}

fn child(what: &str, dir: &Path) -> Outcome<()> {
    let repo = open(dir)?;
    let store = Store::new(&repo, Durability::Commit);
    match what {
        "read" => Ok(store.snapshot()?.meta().map(drop)?),
        "change" => add(&store, 1),
        other => Err(format!("unknown: {other}").into()),
    }
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

/// Adds `count` tasks in one change.
fn add(store: &Store<'_>, count: usize) -> Outcome<()> {
    let added = store.transact::<(), StoreError>(&author(), Action::Queue, |edit| {
        for _ in 0..count {
            let task = lives::new(edit, &TaskId::from_bits(random::bits40()), Priority::P2);
            let subject = format!("task/{}", task.id);
            edit.put_task(task, Change { action: "task.add", subject, cause: "bench".into(), note: None });
        }
        Ok(())
    });
    added.map(drop).map_err(|error: TransactError<StoreError>| error.to_string().into())
}
