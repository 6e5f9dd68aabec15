//! Programs that are measured in turn, beside each other, and the table of what came out.

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

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

const GIT_CONFIG: &str = "[user]\n\tname = Ann Lee\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n\
                          [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";

/// One thing that is measured.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) dir: PathBuf,
    pub(crate) stdin: String,
    /// A line for `sh -c` that is run before each time, and not measured.
    pub(crate) before: Option<String>,
    pub(crate) target: Option<Target>,
}

/// What a subject may cost, next to another one.
pub(crate) struct Target {
    pub(crate) of: &'static str,
    pub(crate) limit: Limit,
}

pub(crate) enum Limit {
    /// At most this many times the other.
    Times(f64),
    /// At most this many milliseconds more than the other.
    MoreMs(f64),
}

/// What was measured of a subject.
pub(crate) struct Measured {
    pub(crate) times: Vec<Duration>,
    pub(crate) error: Option<String>,
}

/// Where everything happens.
pub(crate) struct World {
    pub(crate) root: PathBuf,
    pub(crate) vars: Vec<(OsString, OsString)>,
}

/// The exit status of a bench; an error is said.
pub(crate) fn ended(outcome: Outcome<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn note(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stderr(), "{text}")
}

impl World {
    pub(crate) fn new(root: PathBuf) -> Outcome<Self> {
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
    pub(crate) fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).env_clear().envs(self.vars.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs to the end; what it printed, or an error with what it said.
    pub(crate) fn run(&self, program: impl AsRef<Path>, dir: &Path, args: &[&str]) -> Outcome<String> {
        let output = self.command(program.as_ref(), dir).args(args).stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().next().unwrap_or_default();
        Err(format!("`{} {}`: {}: {line}", program.as_ref().display(), args.join(" "), output.status).into())
    }

    /// A program that does nothing, built as ours is but by rustc alone.
    pub(crate) fn empty(&self) -> Outcome<PathBuf> {
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
    pub(crate) fn repo(&self, name: &str, files: &[(&str, &str)]) -> Outcome<PathBuf> {
        self.run("git", &self.root, &["init", "--quiet", name])?;
        let dir = self.root.join(name);
        for (file, text) in files {
            fs::write_atomic(&dir.join(file), text.as_bytes(), 0o644, Durability::None)?;
        }
        self.run("git", &dir, &["add", "--all"])?;
        self.run("git", &dir, &["commit", "--quiet", "-m", "first"])?;
        Ok(dir)
    }

    /// Runs `subject` once.
    pub(crate) fn once(&self, subject: &Subject) -> Outcome<Duration> {
        if let Some(line) = &subject.before {
            self.run("sh", &subject.dir, &["-c", line])?;
        }
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
pub(crate) fn measure(
    world: &World,
    subjects: &[Subject],
    rounds: usize,
) -> BTreeMap<&'static str, Measured> {
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
    pub(crate) fn quantile(&self, tenths: usize) -> Option<f64> {
        self.times.get((self.times.len().saturating_sub(1)) * tenths / 10).map(|t| t.as_secs_f64() * 1e3)
    }
}

/// The medians' ratio, or None if one is missing.
pub(crate) fn ratio(all: &BTreeMap<&'static str, Measured>, name: &str, of: &str) -> Option<f64> {
    Some(all.get(name)?.quantile(5)? / all.get(of)?.quantile(5)?)
}

/// What the target says and whether it was met; None without a target or a time.
pub(crate) fn verdict(all: &BTreeMap<&'static str, Measured>, subject: &Subject) -> Option<(String, bool)> {
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

/// The table; its last columns are ratios to the subjects called `empty program` and `git rev-parse HEAD`.
pub(crate) fn table(subjects: &[Subject], all: &BTreeMap<&'static str, Measured>) -> String {
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
