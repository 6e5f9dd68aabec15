//! Other task queues that a person may have, beside ours: the same tasks, the same jobs, in turn.
//!
//! `cargo bench --bench peers [-- --sizes N,N,…]`. A peer that is not on the PATH is named and left out: taskwarrior
//! (`task`), beads_rust (`br`). Tasks are a title, a priority, a label, and for two thirds of them two earlier ones that
//! they need. Every figure is a whole process, the median of a few. Ours makes each change durable in git; what a peer
//! does for that is the peer's business.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};

#[path = "common/home.rs"]
mod home;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How often each job is done; seldom where it is slow.
const ROUNDS: usize = 9;
/// A peer that takes longer for one job is not tried with more tasks.
const SLOW: Duration = Duration::from_secs(10);

/// What is measured, as a column of the table.
const JOBS: [&str; 5] = ["what is next", "claim", "add", "close", "search"];

/// A queue of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tool {
    Ours,
    Taskwarrior,
    Beads,
}

impl Tool {
    const ALL: [Self; 3] = [Self::Ours, Self::Taskwarrior, Self::Beads];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "git-orch",
            Self::Taskwarrior => "taskwarrior",
            Self::Beads => "beads_rust",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Ours => env!("CARGO_BIN_EXE_git-orch"),
            Self::Taskwarrior => "task",
            Self::Beads => "br",
        }
    }

    /// The arguments of a job; `id` is a task that nothing was done to yet.
    fn job(self, job: &str, id: &str) -> Vec<String> {
        let words: &[&str] = match (self, job) {
            (Self::Ours, "what is next") => &["next", "--peek"],
            (Self::Ours, "claim") => &["next", "--no-worktree"],
            (Self::Ours, "add") => &["add", "one more task", "--label", "later"],
            (Self::Ours, "close") => &["close", id, "--reason", "done elsewhere"],
            (Self::Ours, _) => &["list", "--search", "socket", "--limit", "20"],
            (Self::Taskwarrior, "what is next") => &["limit:1", "next"],
            (Self::Taskwarrior, "claim") => &[id, "start"],
            (Self::Taskwarrior, "add") => &["add", "one more task", "+later"],
            (Self::Taskwarrior, "close") => &[id, "done"],
            (Self::Taskwarrior, _) => &["socket", "limit:20", "list"],
            (Self::Beads, "what is next") => &["ready", "--limit", "1"],
            (Self::Beads, "claim") => &["update", id, "--claim"],
            (Self::Beads, "add") => &["create", "one more task", "--labels", "later"],
            (Self::Beads, "close") => &["close", id, "--force"],
            (Self::Beads, _) => &["search", "socket", "--limit", "20"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// One task of every queue.
struct Task {
    title: String,
    priority: usize,
    label: &'static str,
    needs: Vec<usize>,
}

fn tasks(count: usize) -> Vec<Task> {
    let words =
        ["cache", "parser", "login", "render", "queue", "socket", "schema", "upload", "report", "retry"];
    let task = |n: usize| {
        let dice = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let word = |at: usize| words[dice / at % words.len()];
        let needed = if n > 10 && !n.is_multiple_of(3) { vec![n - 1, n - 2 - dice % 7] } else { Vec::new() };
        let title = format!("{} of the {} fails after a {} ({n})", word(1), word(10), word(100));
        Task { title, priority: dice % 5, label: word(3), needs: needed }
    };
    (0..count).map(task).collect()
}

fn main() -> ExitCode {
    match settings(std::env::args().skip(1)).and_then(|sizes| bench(&sizes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn settings(mut args: impl Iterator<Item = String>) -> Outcome<Vec<usize>> {
    let mut sizes = vec![100, 10_000, 100_000];
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--sizes" => {
                let list = args.next().ok_or("--sizes needs numbers")?;
                sizes = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    Ok(sizes)
}

fn bench(sizes: &[usize]) -> Outcome<()> {
    // Beside the build: what is below /tmp may be memory, and nothing durable there.
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    fs::create_dir_all(&target)?;
    let dir = tempfile::Builder::new().prefix("bench-peers-").tempdir_in(&target)?;
    let world = World::new(dir.path().to_owned())?;
    let mut out = std::io::stdout().lock();
    let mut here = Vec::new();
    for tool in Tool::ALL {
        match world.version(tool) {
            Some(version) => {
                writeln!(out, "{}: {version}", tool.name())?;
                here.push(tool);
            }
            None => writeln!(out, "{}: not installed (`{}`), left out", tool.name(), tool.program())?,
        }
    }
    write!(out, "\n{:<12} {:>8}", "median ms", "tasks")?;
    for job in JOBS {
        write!(out, " {job:>13}")?;
    }
    writeln!(out)?;
    let mut slow = BTreeMap::new();
    for &size in sizes {
        for &tool in &here {
            write!(out, "{:<12} {size:>8}", tool.name())?;
            if let Some(took) = slow.get(&tool) {
                writeln!(out, " not tried: it took {took:.0} s with less")?;
                continue;
            }
            let (mut ids, at) = world.queue(tool, size)?;
            for job in JOBS {
                let took = world.measure(tool, job, &at, &mut ids)?;
                write!(out, " {:>13.1}", took.as_secs_f64() * 1e3)?;
                if took > SLOW {
                    slow.insert(tool, took.as_secs_f64());
                }
            }
            writeln!(out)?;
        }
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
        let rc = root.join("taskrc");
        let text = format!(
            "data.location={}\nconfirmation=no\ndependency.confirmation=off\ndependency.reminder=off\nhooks=off\n",
            root.join("home/task").display()
        );
        fs::write_atomic(&rc, text.as_bytes(), 0o644, Durability::None)?;
        let env = home::env(&root, &[("TASKRC", rc.into())])?;
        Ok(Self { root, env })
    }

    #[expect(clippy::disallowed_methods, reason = "measured without the threads that capture output")]
    fn command(&self, program: &str, dir: &Path, args: &[String]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).env_clear().envs(self.env.iter()).args(args).stdin(Stdio::null());
        command
    }

    fn output(&self, program: &str, dir: &Path, args: &[&str]) -> Outcome<String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let output = self.command(program, dir, &args).output()?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(format!("`{program} {}`: {}\n{said}", args.join(" "), output.status).into())
        }
    }

    fn version(&self, tool: Tool) -> Option<String> {
        let said = self.output(tool.program(), &self.root, &["--version"]).ok()?;
        said.lines().next().map(str::to_owned)
    }

    /// How long the job takes. Each time with another one of `ids`.
    fn measure(&self, tool: Tool, job: &str, dir: &Path, ids: &mut Vec<String>) -> Outcome<Duration> {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let id = if matches!(job, "claim" | "close") {
                ids.pop().ok_or("too few tasks")?
            } else {
                String::new()
            };
            let args = tool.job(job, &id);
            let mut command = self.command(tool.program(), dir, &args);
            let start = Clock.monotonic();
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            if !status.success() {
                return Err(format!("`{} {}`: {status}", tool.program(), args.join(" ")).into());
            }
            times.push(start.elapsed());
            if times.iter().sum::<Duration>() > SLOW {
                break;
            }
        }
        times.sort_unstable();
        times.get(times.len() / 2).copied().ok_or_else(|| "nothing was measured".into())
    }

    /// A queue of so many tasks, and the ids of some of them that need nothing.
    fn queue(&self, tool: Tool, size: usize) -> Outcome<(Vec<String>, PathBuf)> {
        let dir = self.root.join(format!("{}-{size}", tool.name()));
        fs::create_dir_all(&dir)?;
        self.output("git", &dir, &["init", "--quiet"])?;
        self.output("git", &dir, &["commit", "--quiet", "--allow-empty", "-m", "first"])?;
        let tasks = tasks(size);
        let ids = match tool {
            Tool::Ours => self.fill_ours(&dir, &tasks)?,
            Tool::Taskwarrior => self.fill_taskwarrior(&dir, &tasks)?,
            Tool::Beads => self.fill_beads(&dir, &tasks)?,
        };
        Ok((ids, dir))
    }

    fn fill_ours(&self, dir: &Path, tasks: &[Task]) -> Outcome<Vec<String>> {
        let program = Tool::Ours.program();
        let line = |n: usize, task: &Task| {
            serde_json::json!({
                "id": format!("t{n}"), "title": task.title, "priority": format!("P{}", task.priority),
                "labels": [task.label],
                "needs": task.needs.iter().map(|n| format!("t{n}")).collect::<Vec<_>>(),
            })
        };
        write_lines(&dir.join("tasks.jsonl"), tasks, line)?;
        self.output(program, dir, &["init"])?;
        self.output(program, dir, &["add", "--from", "tasks.jsonl"])?;
        let all = self.output(program, dir, &["list", "--ready", "--json"])?;
        let all: serde_json::Value = serde_json::from_str(&all)?;
        let all = all.as_array().into_iter().flatten().filter_map(|task| task["id"].as_str());
        let mut all: Vec<String> = all.map(str::to_owned).collect();
        // The last of the queue: `next` takes the first.
        Ok(all.split_off(all.len().saturating_sub(2 * ROUNDS)))
    }

    fn fill_taskwarrior(&self, dir: &Path, tasks: &[Task]) -> Outcome<Vec<String>> {
        let id = |n: usize| format!("abcdefab-0000-4000-8000-{n:012}");
        let line = |n: usize, task: &Task| {
            serde_json::json!({
                "uuid": id(n), "description": task.title, "status": "pending", "entry": "20260101T000000Z",
                "priority": (["H", "H", "M", "L", "L"][task.priority]), "tags": [task.label],
                "depends": task.needs.iter().map(|n| id(*n)).collect::<Vec<_>>(),
            })
        };
        write_lines(&dir.join("tasks.jsonl"), tasks, line)?;
        let data = self.root.join("home/task");
        if fs::exists(&data) {
            fs::remove_dir_all(&data)?;
        }
        fs::create_dir_all(&data)?;
        self.output(Tool::Taskwarrior.program(), dir, &["import", "tasks.jsonl"])?;
        Ok(free(tasks, id))
    }

    fn fill_beads(&self, dir: &Path, tasks: &[Task]) -> Outcome<Vec<String>> {
        let program = Tool::Beads.program();
        let id = |n: usize| format!("bench-{n}");
        let at = "2026-01-01T00:00:00Z";
        let line = |n: usize, task: &Task| {
            let need = |on: &usize| {
                serde_json::json!({
                    "issue_id": id(n), "depends_on_id": id(*on), "type": "blocks", "created_at": at,
                })
            };
            serde_json::json!({
                "id": id(n), "title": task.title, "status": "open", "priority": task.priority,
                "issue_type": "bug", "labels": [task.label], "created_at": at, "updated_at": at,
                "dependencies": task.needs.iter().map(need).collect::<Vec<_>>(),
            })
        };
        self.output(program, dir, &["init", "--prefix", "bench"])?;
        write_lines(&dir.join(".beads/issues.jsonl"), tasks, line)?;
        self.output(program, dir, &["sync", "--import-only"])?;
        Ok(free(tasks, id))
    }
}

/// The ids of the last tasks that need nothing.
fn free(tasks: &[Task], id: impl Fn(usize) -> String) -> Vec<String> {
    let free = tasks.iter().enumerate().rev().filter(|(_, task)| task.needs.is_empty());
    free.take(2 * ROUNDS).map(|(n, _)| id(n)).collect()
}

fn write_lines(path: &Path, tasks: &[Task], line: impl Fn(usize, &Task) -> serde_json::Value) -> Outcome<()> {
    let mut text = String::new();
    for (n, task) in tasks.iter().enumerate() {
        writeln!(text, "{}", line(n, task))?;
    }
    Ok(fs::write_atomic(path, text.as_bytes(), 0o644, Durability::None)?)
}
