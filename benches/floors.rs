//! What commands cost, as ratios to an empty program and to git, in one run.
//!
//! `cargo bench [-- --rounds N --tasks N]`. All subjects run in turn in every round, so that whatever else the
//! machine does falls on all of them; medians are compared, never times of two runs. Prints one table and
//! writes `target/bench.json`. A subject that can't run is shown with its error, and the run fails; a missed
//! target is shown and does not fail, because machines are noisy.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use git_orch::sys::fs::{self, Durability};

use crate::timed::{
    Limit, Measured, Outcome, Subject, Target, World, ended, measure, note, ratio, table, verdict,
};

#[path = "common/timed.rs"]
mod timed;

const ORCH: &str = env!("CARGO_BIN_EXE_git-orch");
const ZERO: &str = "0000000000000000000000000000000000000000";

const ORCH_TOML: &str = "[[ralph.step]]\nname = \"ok\"\nkind = \"lint\"\nrun = \"true\"\n";

struct Settings {
    rounds: usize,
    tasks: usize,
}

fn main() -> ExitCode {
    ended(settings(std::env::args().skip(1)).and_then(|settings| bench(&settings)))
}

/// Reads the arguments; cargo adds `--bench`.
fn settings(mut args: impl Iterator<Item = String>) -> Outcome<Settings> {
    let mut settings = Settings { rounds: 41, tasks: 10_000 };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--rounds" => settings.rounds = args.next().ok_or("--rounds needs a number")?.parse()?,
            "--tasks" => settings.tasks = args.next().ok_or("--tasks needs a number")?.parse()?,
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    Ok(settings)
}

/// Runs everything; says whether every subject could run.
fn bench(settings: &Settings) -> Outcome<bool> {
    let dir = tempfile::Builder::new().prefix("orch-bench-").tempdir()?;
    let world = World::new(fs::canonical(dir.path())?)?;
    note(&format!("preparing {} tasks", settings.tasks))?;
    let subjects = world.subjects(settings.tasks)?;
    note(&format!("measuring {} subjects in {} rounds", subjects.len(), settings.rounds))?;
    let measured = measure(&world, &subjects, settings.rounds);
    let mut out = std::io::stdout().lock();
    out.write_all(table(&subjects, &measured).as_bytes())?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench.json");
    fs::create_dir_all(file.parent().ok_or("a file lies in a directory")?)?;
    let json = serde_json::to_string_pretty(&json(settings, &subjects, &measured))?;
    fs::write_atomic(&file, json.as_bytes(), 0o644, Durability::None)?;
    Ok(measured.values().all(|m| m.error.is_none()))
}

impl World {
    /// A repository that git-orch was set up in, on a branch of its own, with one passing step.
    fn orchestrated(&self, name: &str) -> Outcome<PathBuf> {
        let dir = self.repo(name, &[("README.md", "# bench\n"), ("orch.toml", ORCH_TOML)])?;
        self.run(ORCH, &dir, &["init"])?;
        self.run("git", &dir, &["switch", "--quiet", "-c", "work"])?;
        Ok(dir)
    }

    fn subjects(&self, tasks: usize) -> Outcome<Vec<Subject>> {
        let empty = self.empty()?;
        let plain = self.repo("plain", &[("README.md", "# bench\n")])?;
        let queue = self.orchestrated("queue")?;
        let ids = self.fill(&queue, tasks)?;
        let some = ids.get(ids.len() / 2).ok_or("`add --from` printed no ids")?;
        let hooked = self.orchestrated("hooked")?;
        // Without a verdict the subjects that look it up fail by themselves; the others are still worth it.
        if let Err(error) = self.run(ORCH, &hooked, &["ralph"]) {
            note(&format!("no verdict: {error}"))?;
        }
        let head = self.run("git", &hooked, &["rev-parse", "HEAD"])?;
        let hook = |name: &str| hooked.join(".git/hooks").join(name);
        let commit = ["commit", "--quiet", "--allow-empty", "-m", "x"];
        let times = |of, times| Some(Target { of, limit: Limit::Times(times) });
        let more = |of, ms| Some(Target { of, limit: Limit::MoreMs(ms) });
        let git = "git rev-parse HEAD";
        let s = |name, program: &Path, dir: &Path, args: &[&str], target| Subject {
            name,
            program: program.to_owned(),
            args: args.iter().map(OsString::from).collect(),
            dir: dir.to_owned(),
            stdin: String::new(),
            before: None,
            target,
        };
        let (orch, git_program) = (Path::new(ORCH), Path::new("git"));
        let mut push = s(
            "hook pre-push, verified",
            &hook("pre-push"),
            &hooked,
            &["origin", "x"],
            more("empty program", 10.0),
        );
        push.stdin = format!("refs/heads/work {head} refs/heads/work {ZERO}\n");
        Ok(vec![
            s("empty program", &empty, &plain, &[], None),
            s(git, git_program, &queue, &["rev-parse", "HEAD"], None),
            s(
                "hook start",
                &hook("reference-transaction"),
                &hooked,
                &["committed"],
                times("empty program", 1.2),
            ),
            s("git-orch --version", orch, &plain, &["--version"], times("empty program", 2.0)),
            // The two subjects that change the queue come last: this one finds their two changes not indexed yet.
            s("next --peek, 2 behind", orch, &queue, &["next", "--peek"], None),
            s("next --peek", orch, &queue, &["next", "--peek"], times(git, 3.0)),
            s("show ID", orch, &queue, &["show", some], None),
            s("add", orch, &queue, &["add", "one more"], None),
            s("next --no-worktree", orch, &queue, &["next", "--no-worktree"], times(git, 6.0)),
            s("git commit", git_program, &plain, &commit, None),
            s("git commit, our hooks", git_program, &hooked, &commit, more("git commit", 15.0)),
            s("ralph, verified", orch, &hooked, &["ralph", &head], None),
            push,
        ])
    }

    /// Adds `tasks` tasks by one command; their ids.
    fn fill(&self, dir: &Path, tasks: usize) -> Outcome<Vec<String>> {
        let kinds = ["bug", "quality", "test", "feature", "refactor", "docs"];
        let lines: Vec<String> = (0..tasks)
            .map(|n| {
                let (kind, priority) = (kinds[n % kinds.len()], format!("P{}", n % 5));
                let body = format!("Something about module {} that takes a line or two to say.", n % 97);
                let title = format!("task number {n}");
                serde_json::json!({ "title": title, "kind": kind, "priority": priority, "body": body })
                    .to_string()
            })
            .collect();
        let file = self.root.join("tasks.jsonl");
        fs::write_atomic(&file, (lines.join("\n") + "\n").as_bytes(), 0o644, Durability::None)?;
        let file = file.to_str().ok_or("the temporary directory is not UTF-8")?;
        Ok(self.run(ORCH, dir, &["add", "--from", file])?.lines().map(str::to_owned).collect())
    }
}

fn json(
    settings: &Settings,
    subjects: &[Subject],
    all: &BTreeMap<&'static str, Measured>,
) -> serde_json::Value {
    let row = |subject: &Subject| {
        let measured = all.get(subject.name);
        let judged = verdict(all, subject);
        serde_json::json!({
            "name": subject.name,
            "median_ms": measured.and_then(|m| m.quantile(5)),
            "p90_ms": measured.and_then(|m| m.quantile(9)),
            "times_empty": ratio(all, subject.name, "empty program"),
            "times_git": ratio(all, subject.name, "git rev-parse HEAD"),
            "target": judged.as_ref().map(|(text, _)| text),
            "met": judged.as_ref().map(|(_, met)| met),
            "error": measured.and_then(|m| m.error.as_ref()),
        })
    };
    serde_json::json!({
        "schema": 1,
        "rounds": settings.rounds,
        "tasks": settings.tasks,
        "subjects": subjects.iter().map(row).collect::<Vec<_>>(),
    })
}
