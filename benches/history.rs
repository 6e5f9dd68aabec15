//! What a long history costs: 100 000 tasks with 600 000 changes, each change a commit.
//!
//! `cargo bench --bench history [-- --tasks N]`. Each task is added, claimed, given back, claimed again, put into review,
//! and closed; one of ten is given back instead. Made by threads of the library without flushes, which takes a good while:
//! measured is what comes after. Beside it stands a queue of a thousand tasks with as many changes each, and medians are
//! compared.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use git_orch::domain::id::TaskId;
use git_orch::domain::kind::Priority;
use git_orch::git::Repo;
use git_orch::store::Store;
use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};

#[path = "common/lives.rs"]
mod lives;

use lives::{End, LIFE, live};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ORCH: &str = env!("CARGO_BIN_EXE_git-orch");
const SMALL: u64 = 1_000;
const ROUNDS: usize = 21;
/// How many threads make the history. What waits for the lock shares a pack; each change is a commit all the same.
const MAKERS: u64 = 16;

fn main() -> ExitCode {
    match settings(std::env::args().skip(1)).and_then(bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn settings(mut args: impl Iterator<Item = String>) -> Outcome<u64> {
    let mut tasks = 100_000;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--tasks" => tasks = args.next().ok_or("--tasks needs a number")?.parse()?,
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    Ok(tasks)
}

fn bench(tasks: u64) -> Outcome<()> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    fs::create_dir_all(&target)?;
    let dir = tempfile::Builder::new().prefix("bench-history-").tempdir_in(&target)?;
    let small = queue(&dir.path().join("small"), SMALL)?;
    let start = Clock.monotonic();
    let large = queue(&dir.path().join("large"), tasks)?;
    let made = start.elapsed();
    let objects = bytes(&large.join(".git/objects"))?;
    run(&large, &["maintain"])?;
    let after = bytes(&large.join(".git/objects"))?;
    let index = bytes(&large.join(".git/orch"))?;

    let changes = tasks * u64::try_from(LIFE)?;
    let mut out = std::io::stdout().lock();
    let per_second = f64::from(u32::try_from(changes)?) / made.as_secs_f64();
    writeln!(out, "{tasks} tasks, {changes} changes, made at {per_second:.0} a second without flushes")?;
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    writeln!(
        out,
        "objects {} MiB, {} MiB after `maintain`, {} bytes a change (targets: 1024 MiB, 1024 bytes); index {} MiB",
        mib(objects),
        mib(after),
        after / changes,
        mib(index),
    )?;
    writeln!(out, "\n{:<28} {:>10} {:>10} {:>8}", "median ms", SMALL, tasks, "ratio")?;
    for args in [
        &["next", "--peek"][..],
        &["next", "--no-worktree"],
        &["add", "one more"],
        &["list", "--limit", "20"],
        &["log", "--limit", "20"],
        &["log", "--action", "task.close", "--limit", "20"],
        &["metrics"],
    ] {
        // The first of each fills what is derived, and is shown apart.
        let first = time(&large, args)?;
        time(&small, args)?;
        let (mut few, mut many) = (Vec::new(), Vec::new());
        for _ in 0..if first > Duration::from_secs(1) { 3 } else { ROUNDS } {
            few.push(time(&small, args)?);
            many.push(time(&large, args)?);
        }
        let (few, many) = (median(few), median(many));
        let name = args.join(" ");
        writeln!(
            out,
            "{name:<28} {few:>10.1} {many:>10.1} {:>8.2}  first {:.0} ms",
            many / few,
            millis(first)
        )?;
    }
    Ok(())
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

fn median(mut all: Vec<Duration>) -> f64 {
    all.sort_unstable();
    all.get(all.len() / 2).copied().map_or(f64::NAN, millis)
}

/// What lies in a directory and below, in bytes.
fn bytes(dir: &Path) -> Outcome<u64> {
    let mut sum = 0;
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for path in fs::list(&dir)? {
            if path.is_dir() { left.push(path) } else { sum += fs::size(&path).unwrap_or(0) }
        }
    }
    Ok(sum)
}

fn time(dir: &Path, args: &[&str]) -> Outcome<Duration> {
    let start = Clock.monotonic();
    run(dir, args)?;
    Ok(start.elapsed())
}

fn run(dir: &Path, args: &[&str]) -> Outcome<()> {
    command(ORCH, dir, args)
}

#[expect(clippy::disallowed_methods, reason = "measured is the process as a whole")]
fn command(program: &str, dir: &Path, args: &[&str]) -> Outcome<()> {
    let mut command = Command::new(program);
    command.current_dir(dir).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    for (name, value) in [("NAME", "Ann"), ("EMAIL", "ann@example.com")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("`{program} {}`: {status}", args.join(" ")).into()) }
}

/// A repository with a queue of so many tasks, each with its changes.
fn queue(dir: &Path, tasks: u64) -> Outcome<PathBuf> {
    fs::create_dir_all(dir)?;
    command("git", dir, &["init", "--quiet"])?;
    command("git", dir, &["config", "user.name", "Ann"])?;
    command("git", dir, &["config", "user.email", "ann@example.com"])?;
    command("git", dir, &["commit", "--quiet", "--allow-empty", "-m", "first"])?;
    run(dir, &["init"])?;
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..MAKERS).map(|n| scope.spawn(move || make(dir, n, tasks))).collect();
        makers.into_iter().try_for_each(|maker| maker.join().map_err(|_| "a maker panicked".to_owned())?)
    })?;
    Ok(dir.to_owned())
}

/// Every `MAKERS`th task from the `first` on, with its changes.
fn make(dir: &Path, first: u64, tasks: u64) -> Result<(), String> {
    let step = usize::try_from(MAKERS).map_err(|error| error.to_string())?;
    let repo = Repo::discover(dir, &Env::capture()).map_err(|error| error.to_string())?;
    let store = Store::new(&repo, Durability::None);
    for n in (first..tasks).step_by(step) {
        let id = TaskId::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24);
        let priority = Priority::ALL[usize::try_from(n % 5).unwrap_or_default()];
        live(&store, &id, priority, End::of(usize::try_from(n % 10).unwrap_or_default()))
            .map_err(|error| error.to_string())?;
        if n % 10_000 == 0 {
            drop(writeln!(std::io::stderr(), "about {n} of {tasks} tasks"));
        }
    }
    Ok(())
}
