//! What the index costs as the queue grows: answers, following, building, memory; all in one run.
//!
//! `cargo bench --bench index [-- --rounds N --sizes N,N,…]`. Queues of each size are made by the library: tasks in
//! every status, two thirds of the open ones needing earlier tasks, as `git gc` leaves them. All sizes are measured
//! in turn in every round, and medians are compared. Prints a table of figures and a list of targets; a missed target
//! is shown and does not fail, because machines are noisy.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use git_orch::domain::actor::{Actor, ActorKind};
use git_orch::domain::id::{SessionId, TaskId};
use git_orch::domain::kind::{Kind, Priority};
use git_orch::domain::oid::Oid;
use git_orch::domain::stamp::{Field, TagSet};
use git_orch::domain::task::{Claim, Evidence, Lease, Owner, Register, State, Task};
use git_orch::domain::time::Timestamp;
use git_orch::domain::unknown::Unknown;
use git_orch::git::Repo;
use git_orch::index;
use git_orch::policy::grant::Action;
use git_orch::store::{Author, Change, Edit, Store, StoreError};
use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};

#[path = "common/home.rs"]
mod home;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ORCH: &str = env!("CARGO_BIN_EXE_git-orch");
/// How often an index is built from nothing.
const BUILDS: usize = 3;

struct Settings {
    rounds: usize,
    sizes: Vec<u64>,
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

/// Reads the arguments; cargo adds `--bench`.
fn settings(mut args: impl Iterator<Item = String>) -> Outcome<Settings> {
    let mut settings = Settings { rounds: 41, sizes: vec![100, 10_000, 100_000] };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--rounds" => settings.rounds = args.next().ok_or("--rounds needs a number")?.parse()?,
            "--sizes" => {
                let list = args.next().ok_or("--sizes needs numbers")?;
                settings.sizes = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    Ok(settings)
}

/// Milliseconds of each figure, by queue and name; `KiB` figures are memory.
#[derive(Default)]
struct Figures(BTreeMap<(u64, &'static str), Vec<f64>>);

impl Figures {
    fn add(&mut self, size: u64, name: &'static str, took: Duration) {
        self.0.entry((size, name)).or_default().push(took.as_secs_f64() * 1e3);
    }

    /// The median; not a number without a figure.
    fn median(&self, size: u64, name: &'static str) -> f64 {
        let mut all = self.0.get(&(size, name)).cloned().unwrap_or_default();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// The figure that belongs to no queue.
const START: &str = "--version";
const PEEK: &str = "next --peek";
const BEHIND: &str = "the same, 1 behind";
const CLAIM: &str = "next --no-worktree";
const LIST: &str = "list --limit 20";
const COLD: &str = "cold build";
const MEMORY: &str = "peak of next, KiB";
const NAMES: [&str; 6] = [PEEK, BEHIND, CLAIM, LIST, COLD, MEMORY];

fn bench(settings: &Settings) -> Outcome<()> {
    let dir = tempfile::Builder::new().prefix("orch-bench-").tempdir()?;
    let world = World::new(fs::canonical(dir.path())?)?;
    let mut queues = BTreeMap::new();
    for &size in &settings.sizes {
        writeln!(std::io::stderr(), "preparing {size} tasks")?;
        queues.insert(size, world.queue(size)?);
    }
    let mut figures = Figures::default();
    for (&size, queue) in &queues {
        for _ in 0..BUILDS {
            forget_index(queue)?;
            figures.add(size, COLD, world.time(queue, &["next", "--peek"])?);
        }
    }
    writeln!(std::io::stderr(), "measuring in {} rounds", settings.rounds)?;
    for round in 0..settings.rounds {
        figures.add(0, START, world.time(&world.root, &["--version"])?);
        for (&size, queue) in &queues {
            figures.add(size, PEEK, world.time(queue, &["next", "--peek"])?);
            world.touch(queue, round)?;
            figures.add(size, BEHIND, world.time(queue, &["next", "--peek"])?);
            figures.add(size, LIST, world.time(queue, &["list", "--limit", "20"])?);
            figures.add(size, CLAIM, world.time(queue, &["next", "--no-worktree"])?);
            let peak = world.peak_kib(queue, &["next", "--no-worktree"])?;
            figures.0.entry((size, MEMORY)).or_default().push(peak);
            world.give_back(queue)?;
        }
    }
    show(settings, &figures)
}

fn show(settings: &Settings, figures: &Figures) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    write!(out, "{:<22}", "median ms")?;
    for size in &settings.sizes {
        write!(out, " {size:>10}")?;
    }
    writeln!(out, "\n{START:<22} {:>10.2}", figures.median(0, START))?;
    for name in NAMES {
        write!(out, "{name:<22}")?;
        for &size in &settings.sizes {
            write!(out, " {:>10.2}", figures.median(size, name))?;
        }
        writeln!(out)?;
    }
    let (Some(&small), Some(&large)) = (settings.sizes.first(), settings.sizes.last()) else { return Ok(()) };
    let at = |name| figures.median(large, name);
    for (what, found, limit) in [
        ("next --peek, times that of the smallest", at(PEEK) / figures.median(small, PEEK), 1.5),
        ("next --peek, ms over the start of a process", at(PEEK) - figures.median(0, START), 5.0),
        ("following one commit, ms", at(BEHIND) - at(PEEK), 3.0),
        ("cold build, ms", at(COLD), 3_000.0),
        ("peak memory of next, MiB", at(MEMORY) / 1024.0, 30.0),
    ] {
        let met = if found <= limit { "met   " } else { "MISSED" };
        writeln!(out, "{met} {what}: {found:.2} of {limit} at {large} tasks")?;
    }
    Ok(())
}

fn forget_index(queue: &Path) -> Outcome<()> {
    let file = index::file(&queue.join(".git/orch"));
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.clone().into_os_string();
        name.push(suffix);
        fs::remove_file_if_there(Path::new(&name))?;
    }
    Ok(())
}

/// Where everything happens.
struct World {
    root: PathBuf,
    env: Env,
}

impl World {
    fn new(root: PathBuf) -> Outcome<Self> {
        let env = home::env(&root, &[])?;
        Ok(Self { root, env })
    }

    #[expect(clippy::disallowed_methods, reason = "measured without the threads that capture output")]
    fn spawn(&self, program: &str, dir: &Path, args: &[&str]) -> Outcome<Child> {
        let mut command = Command::new(program);
        command.current_dir(dir).env_clear().envs(self.env.iter()).args(args);
        Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    fn run(&self, program: &str, dir: &Path, args: &[&str]) -> Outcome<()> {
        let status = self.spawn(program, dir, args)?.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("`{program} {}`: {status}", args.join(" ")).into())
        }
    }

    #[expect(clippy::disallowed_methods, reason = "not measured")]
    fn output(&self, dir: &Path, args: &[&str]) -> Outcome<Vec<u8>> {
        let mut command = Command::new(ORCH);
        let output = command.current_dir(dir).env_clear().envs(self.env.iter()).args(args).output()?;
        Ok(output.stdout)
    }

    fn time(&self, dir: &Path, args: &[&str]) -> Outcome<Duration> {
        let start = Clock.monotonic();
        self.run(ORCH, dir, args)?;
        Ok(start.elapsed())
    }

    /// The most memory that the command held at once, looked at until it ends.
    fn peak_kib(&self, dir: &Path, args: &[&str]) -> Outcome<f64> {
        let mut child = self.spawn(ORCH, dir, args)?;
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let mut peak: f64 = 0.0;
        while child.try_wait()?.is_none() {
            let text = fs::read_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            if let Some(number) = line.and_then(|line| line.split_whitespace().next()) {
                peak = peak.max(number.parse()?);
            }
        }
        Ok(peak)
    }

    /// A repository with a queue of `size` tasks.
    fn queue(&self, size: u64) -> Outcome<PathBuf> {
        let dir = self.root.join(size.to_string());
        fs::create_dir_all(&dir)?;
        self.run("git", &dir, &["init", "--quiet"])?;
        self.run("git", &dir, &["commit", "--quiet", "--allow-empty", "-m", "first"])?;
        self.run(ORCH, &dir, &["init"])?;
        let repo = Repo::discover(&dir, &self.env)?;
        Store::new(&repo, Durability::None).transact::<(), StoreError>(&author(), Action::Queue, |edit| {
            for n in 0..size {
                let task = task(edit, n);
                let subject = format!("task/{}", task.id);
                edit.put_task(task, change("task.add", subject));
            }
            Ok(())
        })?;
        self.run("git", &dir, &["gc", "--quiet"])?;
        Ok(dir)
    }

    /// Gives back what was claimed: a small queue would be empty before the last round.
    fn give_back(&self, queue: &Path) -> Outcome<()> {
        let json = self.output(queue, &["list", "--mine", "--json"])?;
        let tasks: serde_json::Value = serde_json::from_slice(&json)?;
        let ids = tasks.as_array().into_iter().flatten().filter_map(|task| task["id"].as_str());
        let args: Vec<&str> = std::iter::once("release").chain(ids).collect();
        self.run(ORCH, queue, &args)
    }

    /// Changes one task, past the index.
    fn touch(&self, queue: &Path, round: usize) -> Outcome<()> {
        let repo = Repo::discover(queue, &self.env)?;
        Store::new(&repo, Durability::None).transact::<(), StoreError>(&author(), Action::Queue, |edit| {
            // A needed task that is done, so that those who need it are looked at, too.
            if let Some(mut task) = edit.task(&id(0))? {
                let stamp = edit.stamp();
                task.title.set(format!("title of round {round}"), stamp);
                task.register.state = if round.is_multiple_of(2) { State::Open } else { done() };
                let subject = format!("task/{}", task.id);
                edit.put_task(task, change("task.edit", subject));
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn author() -> Author {
    let actor = Actor { kind: ActorKind::Person, name: "ann@example.com".into(), session: None };
    Author { name: "Ann Lee".into(), email: "ann@example.com".into(), actor }
}

fn change(action: &'static str, subject: String) -> Change {
    Change { action, subject, cause: "bench".into(), note: None }
}

/// Spread over all shards, as random ids are.
fn id(n: u64) -> TaskId {
    TaskId::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24)
}

fn done() -> State {
    let oid = Oid::parse(&"1".repeat(40)).expect("forty digits");
    State::Done(Evidence { commit: oid.clone(), tree: oid, verdict: "bench".into(), local: false })
}

/// Number `n`: six of ten are done, the rest mostly open; those need up to three earlier ones, mostly near.
fn task(edit: &Edit<'_, '_>, n: u64) -> Task {
    let (stamp, change) = (edit.stamp(), edit.change());
    let dice = id(n).as_str().bytes().fold(n, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut register = Register::new(&edit.at());
    register.state = match dice % 20 {
        0..=11 => done(),
        12 => State::Closed("given up".into()),
        13 => State::Blocked("the vendor".into()),
        14 => State::Claimed(Lease {
            owner: Owner {
                actor: "person:bob@example.com".into(),
                session: SessionId::from_bits(1),
                worker: false,
            },
            claim: Claim::Local,
            expires: edit.now().plus_millis(604_800_000),
        }),
        _ => State::Open,
    };
    let mut needs = TagSet::default();
    if n > 10 && !dice.is_multiple_of(3) {
        for (ordinal, back) in [1, 2 + dice % 7, 1 + dice % n].into_iter().enumerate() {
            needs.insert(id(n - back.min(n)), change, ordinal);
        }
    }
    let words =
        ["cache", "parser", "login", "render", "queue", "socket", "schema", "upload", "report", "retry"];
    let word = |at: u64| words[usize::try_from(dice / at % 10).unwrap_or(0)];
    let title = format!("{} of the {} fails after a {} ({n})", word(1), word(10), word(100));
    let body = format!("Seen when the {} meets the {}. ", word(7), word(13)).repeat(4);
    let mut labels = TagSet::default();
    labels.insert(word(3).to_owned(), change, 9);
    Task {
        id: id(n),
        created: Timestamp::from_millis(1_700_000_000_000 + i64::try_from(n).unwrap_or(0) * 1000),
        creator: "person:ann@example.com".into(),
        updated: edit.now(),
        kind: Field::new(Kind::ALL[usize::try_from(n).unwrap_or(0) % Kind::ALL.len()], stamp),
        title: Field::new(title, stamp),
        body: Field::new(body, stamp),
        priority: Field::new(Priority::ALL[usize::try_from(dice / 3).unwrap_or(0) % 5], stamp),
        role: Field::new(None, stamp),
        acceptance: Field::new(vec!["a test shows it".into()], stamp),
        labels,
        needs,
        files: TagSet::default(),
        rejected: None,
        register,
        unknown: Unknown::default(),
    }
}
