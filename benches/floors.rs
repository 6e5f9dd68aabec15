//! What commands cost, as ratios to an empty program and to git, in one run.
//!
//! `cargo bench [-- --rounds N --tasks N]`. All subjects run in turn in every round, so that whatever else the
//! machine does falls on all of them; medians are compared, never times of two runs. Prints one table and
//! writes `target/bench.json`. A subject that can't run is shown with its error, and the run fails; a missed
//! target is shown and does not fail, because machines are noisy.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ORCH: &str = env!("CARGO_BIN_EXE_git-orch");
const ZERO: &str = "0000000000000000000000000000000000000000";

const GIT_CONFIG: &str = "[user]\n\tname = Ann Lee\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n\
                          [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";
const ORCH_TOML: &str = "[[ralph.step]]\nname = \"ok\"\nkind = \"lint\"\nrun = \"true\"\n";

/// One thing that is measured.
struct Subject {
    name: &'static str,
    program: PathBuf,
    args: Vec<OsString>,
    dir: PathBuf,
    stdin: String,
    target: Option<Target>,
}

/// What a subject may cost, next to another one.
struct Target {
    of: &'static str,
    limit: Limit,
}

enum Limit {
    /// At most this many times the other.
    Times(f64),
    /// At most this many milliseconds more than the other.
    MoreMs(f64),
}

/// What was measured of a subject.
struct Measured {
    times: Vec<Duration>,
    error: Option<String>,
}

struct Settings {
    rounds: usize,
    tasks: usize,
}

/// Where everything happens.
struct World {
    root: PathBuf,
    vars: Vec<(OsString, OsString)>,
}

fn main() -> ExitCode {
    let shown = settings(std::env::args().skip(1)).and_then(|settings| bench(&settings));
    match shown {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
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

fn note(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stderr(), "{text}")
}

impl World {
    fn new(root: PathBuf) -> Outcome<Self> {
        let (home, ambient) = (root.join("home"), Env::capture());
        fs::create_dir_all(&home)?;
        let config = home.join(".gitconfig");
        fs::write_atomic(&config, GIT_CONFIG.as_bytes(), 0o644, Durability::None)?;
        let path = ambient.get("PATH").ok_or("PATH is not set")?.to_owned();
        let pairs: [(&str, OsString); 6] = [
            ("PATH", path),
            ("HOME", home.into()),
            ("LC_ALL", "C".into()),
            ("TZ", "UTC".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_GLOBAL", config.into()),
        ];
        Ok(Self { root, vars: pairs.into_iter().map(|(k, v)| (k.into(), v)).collect() })
    }

    #[expect(clippy::disallowed_methods, reason = "measured without the threads that capture output")]
    fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).env_clear().envs(self.vars.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs to the end; what it printed, or an error with what it said.
    fn run(&self, program: impl AsRef<Path>, dir: &Path, args: &[&str]) -> Outcome<String> {
        let output = self.command(program.as_ref(), dir).args(args).stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().next().unwrap_or_default();
        Err(format!("`{} {}`: {}: {line}", program.as_ref().display(), args.join(" "), output.status).into())
    }

    /// A program that does nothing, built as ours is but by rustc alone.
    fn empty(&self) -> Outcome<PathBuf> {
        let (source, program) = (self.root.join("empty.rs"), self.root.join("empty"));
        fs::write_atomic(&source, b"fn main() {}\n", 0o644, Durability::None)?;
        let ambient = Env::capture();
        let rustc = ambient.get("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
        let flags = ["-Copt-level=3", "-Clto=thin", "-Ccodegen-units=1", "-Cstrip=symbols", "-Cpanic=abort"];
        // The toolchain is found by the user's own environment.
        let mut command = self.command(&rustc, &self.root);
        let build = command.env_clear().envs(ambient.iter()).args(flags).args(["--edition=2024", "-o"]);
        let status = build.arg(&program).arg(&source).status()?;
        if status.success() { Ok(program) } else { Err(format!("rustc: {status}").into()) }
    }

    /// A repository with one commit of `files`.
    fn repo(&self, name: &str, files: &[(&str, &str)]) -> Outcome<PathBuf> {
        self.run("git", &self.root, &["init", "--quiet", name])?;
        let dir = self.root.join(name);
        for (file, text) in files {
            fs::write_atomic(&dir.join(file), text.as_bytes(), 0o644, Durability::None)?;
        }
        self.run("git", &dir, &["add", "--all"])?;
        self.run("git", &dir, &["commit", "--quiet", "-m", "first"])?;
        Ok(dir)
    }

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

    /// Runs `subject` once.
    fn once(&self, subject: &Subject) -> Outcome<Duration> {
        let mut command = self.command(&subject.program, &subject.dir);
        command.args(&subject.args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Clock.monotonic();
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that ended without reading does not mind.
            drop(input.write_all(subject.stdin.as_bytes()));
        }
        let status = child.wait()?;
        let took = start.elapsed();
        if status.success() { Ok(took) } else { Err(status.to_string().into()) }
    }
}

/// All subjects in turn, `rounds` times, after one round that is not counted.
fn measure(world: &World, subjects: &[Subject], rounds: usize) -> BTreeMap<&'static str, Measured> {
    let mut all: BTreeMap<&'static str, Measured> =
        subjects.iter().map(|s| (s.name, Measured { times: Vec::new(), error: None })).collect();
    for round in 0..=rounds {
        for subject in subjects {
            let Some(measured) = all.get_mut(subject.name) else { continue };
            if measured.error.is_some() {
                continue;
            }
            match world.once(subject) {
                Ok(took) if round > 0 => measured.times.push(took),
                Ok(_) => {}
                Err(error) => measured.error = Some(error.to_string()),
            }
        }
    }
    for measured in all.values_mut() {
        measured.times.sort();
    }
    all
}

impl Measured {
    /// Milliseconds; None without a time.
    fn quantile(&self, tenths: usize) -> Option<f64> {
        self.times.get((self.times.len().saturating_sub(1)) * tenths / 10).map(|t| t.as_secs_f64() * 1e3)
    }
}

/// The medians' ratio, or None if one is missing.
fn ratio(all: &BTreeMap<&'static str, Measured>, name: &str, of: &str) -> Option<f64> {
    Some(all.get(name)?.quantile(5)? / all.get(of)?.quantile(5)?)
}

/// What the target says and whether it was met; None without a target or a time.
fn verdict(all: &BTreeMap<&'static str, Measured>, subject: &Subject) -> Option<(String, bool)> {
    let target = subject.target.as_ref()?;
    match target.limit {
        Limit::Times(limit) => {
            let found = ratio(all, subject.name, target.of)?;
            Some((format!("{found:.2} of {limit:.1} x {}", target.of), found <= limit))
        }
        Limit::MoreMs(limit) => {
            let found = all.get(subject.name)?.quantile(5)? - all.get(target.of)?.quantile(5)?;
            Some((format!("{found:+.1} of {limit:.0} ms over {}", target.of), found <= limit))
        }
    }
}

fn table(subjects: &[Subject], all: &BTreeMap<&'static str, Measured>) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
    let mut lines = vec![format!(
        "{:<26} {:>9} {:>9} {:>8} {:>8}  target",
        "subject", "median ms", "p90 ms", "x empty", "x git"
    )];
    for subject in subjects {
        let Some(measured) = all.get(subject.name) else { continue };
        let target = match (&measured.error, verdict(all, subject)) {
            (Some(error), _) => format!("failed: {error}"),
            (None, Some((text, met))) => format!("{} {text}", if met { "met   " } else { "MISSED" }),
            (None, None) => String::new(),
        };
        let line = format!(
            "{:<26} {:>9} {:>9} {:>8} {:>8}  {target}",
            subject.name,
            number(measured.quantile(5)),
            number(measured.quantile(9)),
            number(ratio(all, subject.name, "empty program")),
            number(ratio(all, subject.name, "git rev-parse HEAD")),
        );
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n") + "\n"
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
