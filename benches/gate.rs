//! What Ralph costs: a verified tree, finding out what has to run, and a run beside the same commands by hand; and the cached
//! runs of others on the same repository.
//!
//! `cargo bench --bench gate [-- --rounds N --files N]`. All subjects run in turn in every round; medians are compared. The
//! peers are `turbo` (npm) and `pre-commit` (pip), if `--turbo PROGRAM` and `--pre-commit PROGRAM` say where they are; else
//! that they are missing is said. Prints one table and writes `target/bench-gate.json`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use git_orch::sys::fs::{self, Durability};

use crate::timed::{Limit, Outcome, Subject, Target, World, ended, measure, note, table, verdict};

#[path = "common/timed.rs"]
mod timed;

const ORCH: &str = env!("CARGO_BIN_EXE_git-orch");

/// Steps of the gate on a verified tree.
const STEPS: usize = 50;
/// Packages of the repository that others judge, too.
const PACKAGES: usize = 10;
/// Work of a known length, on which neither the processor's clock nor its other users have a say: those vary by more than what
/// is measured. A loop of a shell even depends on how many variables there are, and a step has others than a person.
const WORK: &str = "sleep 1";

struct Settings {
    rounds: usize,
    files: usize,
    turbo: Option<PathBuf>,
    pre_commit: Option<PathBuf>,
}

fn main() -> ExitCode {
    ended(settings(std::env::args().skip(1)).and_then(|settings| bench(&settings)))
}

/// Reads the arguments; cargo adds `--bench`.
fn settings(mut args: impl Iterator<Item = String>) -> Outcome<Settings> {
    let mut settings = Settings { rounds: 15, files: 100_000, turbo: None, pre_commit: None };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--bench" => {}
            "--rounds" => settings.rounds = value()?.parse()?,
            "--files" => settings.files = value()?.parse()?,
            "--turbo" => settings.turbo = Some(value()?.into()),
            "--pre-commit" => settings.pre_commit = Some(value()?.into()),
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    Ok(settings)
}

fn bench(settings: &Settings) -> Outcome<bool> {
    let dir = tempfile::Builder::new().prefix("orch-bench-").tempdir()?;
    let world = World::new(fs::canonical(dir.path())?)?;
    note(&format!("preparing repositories of up to {} files", settings.files))?;
    let subjects = world.gate_subjects(settings)?;
    note(&format!("measuring {} subjects in {} rounds", subjects.len(), settings.rounds))?;
    let measured = measure(&world, &subjects, settings.rounds);
    let mut out = std::io::stdout().lock();
    out.write_all(table(&subjects, &measured).as_bytes())?;
    let row = |subject: &Subject| {
        let judged = verdict(&measured, subject);
        serde_json::json!({
            "name": subject.name,
            "median_ms": measured.get(subject.name).and_then(|m| m.quantile(5)),
            "p90_ms": measured.get(subject.name).and_then(|m| m.quantile(9)),
            "target": judged.as_ref().map(|(text, _)| text),
            "met": judged.as_ref().map(|(_, met)| met),
        })
    };
    let rows: Vec<_> = subjects.iter().map(row).collect();
    let json = serde_json::json!({ "schema": 1, "rounds": settings.rounds, "files": settings.files, "subjects": rows });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-gate.json");
    fs::write_atomic(&file, serde_json::to_string_pretty(&json)?.as_bytes(), 0o644, Durability::None)?;
    Ok(measured.values().all(|m| m.error.is_none()))
}

/// A gate of steps, each with its `inputs` and what it runs.
fn gate(steps: impl Iterator<Item = (String, String, String)>) -> String {
    steps.fold(String::new(), |mut text, (name, inputs, run)| {
        // Writing into a String can't fail.
        write!(
            text,
            "[[ralph.step]]\nname = \"{name}\"\nkind = \"custom\"\ninputs = [\"{inputs}\"]\nrun = '''{run}'''\n"
        )
        .unwrap_or_default();
        text
    })
}

impl World {
    /// A repository of so many files below `src`, with this gate, judged once.
    fn judged(&self, name: &str, files: usize, gate: &str) -> Outcome<PathBuf> {
        let dir = self.root.join(name);
        for n in 0..files {
            let place = dir.join(format!("src/{}/{}", n % STEPS, n / STEPS % 40));
            if n < STEPS * 40 {
                fs::create_dir_all(&place)?;
            }
            fs::write_new(&place.join(format!("{n}.rs")), format!("// file {n}\n").as_bytes(), 0o644)?;
        }
        let dir = self.repo(name, &[("orch.toml", gate), ("README.md", "# bench\n")])?;
        self.run(ORCH, &dir, &["init"])?;
        self.run(ORCH, &dir, &["ralph"])?;
        Ok(dir)
    }

    fn gate_subjects(&self, settings: &Settings) -> Outcome<Vec<Subject>> {
        let true_steps = || (0..STEPS).map(|n| (format!("s{n}"), format!("src/{n}/**"), "true".to_owned()));
        let large = self.judged("large", settings.files, &gate(true_steps()))?;
        let middle = self.judged("middle", settings.files / 5, &gate(true_steps()))?;
        fs::write_atomic(&middle.join("src/7/7/new.rs"), b"// new\n", 0o644, Durability::None)?;
        self.run("git", &middle, &["switch", "--quiet", "-c", "work"])?;
        self.run("git", &middle, &["add", "--all"])?;
        self.run("git", &middle, &["commit", "--quiet", "-m", "one file"])?;
        let works = || (0..3).map(|n| (format!("s{n}"), format!("src/{n}/**"), WORK.to_owned()));
        let worked = self.judged("worked", 2_000, &gate(works()))?;
        let empty = self.empty()?;
        let (times, more) = (
            |of, times| Some(Target { of, limit: Limit::Times(times) }),
            |of, ms| Some(Target { of, limit: Limit::MoreMs(ms) }),
        );
        let s = |name, program: &Path, dir: &Path, args: &[&str], target| Subject {
            name,
            program: program.to_owned(),
            args: args.iter().map(OsString::from).collect(),
            dir: dir.to_owned(),
            stdin: String::new(),
            before: None,
            target,
        };
        let orch = Path::new(ORCH);
        let by_hand = format!("{WORK} && {WORK} && {WORK}");
        let mut subjects = vec![
            s("empty program", &empty, &large, &[], None),
            s("git rev-parse HEAD", Path::new("git"), &large, &["rev-parse", "HEAD"], None),
            s("ralph HEAD, verified tree", orch, &large, &["ralph", "HEAD"], more("empty program", 10.0)),
            // Without a revision it also looks for what is not committed, as `git status` does.
            s("git status", Path::new("git"), &large, &["status", "--porcelain"], None),
            s("ralph, verified tree", orch, &large, &["ralph"], times("git status", 1.5)),
            s("ralph explain, one file", orch, &middle, &["ralph", "explain"], more("empty program", 50.0)),
            s("three commands by hand", Path::new("sh"), &worked, &["-c", &by_hand], None),
            s(
                "ralph, three steps",
                orch,
                &worked,
                &["ralph", "--fresh"],
                more("three commands by hand", 150.0),
            ),
            s("ralph, the same", orch, &worked, &["ralph", "--fresh"], times("three commands by hand", 1.05)),
        ];
        subjects.extend(self.peers(settings)?);
        Ok(subjects)
    }

    /// Everything is cached: by us after a change that no step reads, by others whatever they look at.
    fn peers(&self, settings: &Settings) -> Outcome<Vec<Subject>> {
        let steps = (0..PACKAGES).map(|n| (format!("p{n}"), format!("packages/p{n}/**"), "true".to_owned()));
        let dir = self.root.join("packages");
        let package = |n: usize| dir.join(format!("packages/p{n}"));
        for n in 0..PACKAGES {
            fs::create_dir_all(&package(n))?;
            let text =
                format!("{{\"name\":\"p{n}\",\"version\":\"1.0.0\",\"scripts\":{{\"lint\":\"true\"}}}}\n");
            fs::write_new(&package(n).join("package.json"), text.as_bytes(), 0o644)?;
            for file in 0..100 {
                fs::write_new(&package(n).join(format!("{file}.js")), b"export {};\n", 0o644)?;
            }
        }
        let hooks: String = (0..PACKAGES)
            .flat_map(|n| {
                [format!("      - {{id: p{n}, name: p{n}, language: system, entry: \"true\", files: ^packages/p{n}/}}\n")]
            })
            .collect();
        let files = [
            ("orch.toml", gate(steps)),
            (".gitignore", ".turbo\nnode_modules\n".to_owned()),
            (
                "package.json",
                "{\"name\":\"bench\",\"packageManager\":\"npm@10.0.0\",\"workspaces\":[\"packages/*\"]}\n"
                    .to_owned(),
            ),
            ("package-lock.json", "{\"name\":\"bench\",\"lockfileVersion\":3,\"packages\":{}}\n".to_owned()),
            ("turbo.json", "{\"tasks\":{\"lint\":{}}}\n".to_owned()),
            (".pre-commit-config.yaml", format!("repos:\n  - repo: local\n    hooks:\n{hooks}")),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let dir = self.repo("packages", &files)?;
        self.run(ORCH, &dir, &["init"])?;
        self.run(ORCH, &dir, &["ralph"])?;
        self.run("git", &dir, &["switch", "--quiet", "-c", "work"])?;
        let edit = "date +%N > notes && git add notes && git commit --quiet -m notes";
        let s = |name, program: &Path, args: &[&str], target| Subject {
            name,
            program: program.to_owned(),
            args: args.iter().map(OsString::from).collect(),
            dir: dir.clone(),
            stdin: String::new(),
            before: Some(edit.to_owned()),
            target,
        };
        let mut subjects = vec![s("ralph, all steps cached", Path::new(ORCH), &["ralph"], None)];
        match &settings.turbo {
            Some(turbo) => subjects.push(s("turbo run, all cached", turbo, &["run", "lint"], None)),
            None => note("turbo is not measured: --turbo says where it is")?,
        }
        match &settings.pre_commit {
            Some(program) => {
                subjects.push(s("pre-commit, all files", program, &["run", "--all-files"], None));
            }
            None => note("pre-commit is not measured: --pre-commit says where it is")?,
        }
        Ok(subjects)
    }
}
