//! Claims from several clones of one remote at once, each network operation delayed.
//!
//! `cargo bench --bench clones [-- --clones N --claims N --delay SECONDS]`. The remote is a bare repository behind an ssh
//! command that waits and then runs git's server program, so that every fetch and push is real. Each clone is a shell
//! loop of `git orch next`. Prints claims a second, how many tasks were handed out twice, and how many pushes it took;
//! writes `target/bench-clones.json`.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};
use git_orch::sys::process::Cmd;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ORCH: &str = env!("CARGO_BIN_EXE_git-orch");

struct Settings {
    clones: usize,
    claims: usize,
    delay: f64,
}

#[derive(serde::Serialize)]
struct Figures {
    clones: usize,
    delay_s: f64,
    claims: usize,
    twice: usize,
    seconds: f64,
    per_second: f64,
    pushes: usize,
    fetches: usize,
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
    let mut settings = Settings { clones: 8, claims: 25, delay: 0.3 };
    while let Some(arg) = args.next() {
        let mut number = || args.next().ok_or_else(|| format!("{arg} needs a number"));
        match arg.as_str() {
            "--bench" => {}
            "--clones" => settings.clones = number()?.parse()?,
            "--claims" => settings.claims = number()?.parse()?,
            "--delay" => settings.delay = number()?.parse()?,
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    Ok(settings)
}

/// A directory of its own, with a home of its own.
struct Scene {
    root: PathBuf,
    env: Env,
}

impl Scene {
    fn run(&self, dir: &str, line: &str) -> Outcome<Vec<u8>> {
        let output =
            Cmd::shell(&format!("set -e; {line}"), &self.root.join(dir), &self.env).run()?.checked()?;
        Ok(output.stdout)
    }
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    Ok(fs::write_atomic(path, text.as_bytes(), 0o755, Durability::None)?)
}

fn scene(root: &Path, settings: &Settings) -> Outcome<Scene> {
    let bin = Path::new(ORCH).parent().ok_or("the binary has no directory")?;
    let path = Env::capture().get("PATH").unwrap_or_default().to_owned();
    let path = std::env::join_paths(std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path)))?;
    let env = Env::from_pairs([
        ("PATH", path.as_os_str()),
        ("HOME", root.as_os_str()),
        ("GIT_CONFIG_NOSYSTEM", "1".as_ref()),
    ]);
    let scene = Scene { root: root.to_owned(), env };
    let delay = settings.delay;
    let server = format!(
        "#!/bin/sh\nsleep {delay}\nshift\necho \"$*\" >> {root}/operations\nexec sh -c \"$*\"\n",
        root = root.display()
    );
    write(&root.join("ssh"), &server)?;
    let hub = format!("ssh://host{}/hub.git", root.display());
    scene.run(
        ".",
        "git config --global user.name 'Ann Lee'; git config --global user.email ann@example.com
         git config --global init.defaultBranch main; git config --global ssh.variant simple
         git config --global core.sshCommand $PWD/ssh; git init -q --bare hub.git; git init -q clone0",
    )?;
    let tasks = settings.clones * (settings.claims + 8);
    let list: Vec<String> = (0..tasks).map(|n| format!("- [ ] task {n}")).collect();
    write(&root.join("list.md"), &list.join("\n"))?;
    scene.run(
        "clone0",
        &format!(
            "git commit -q --allow-empty -m first; git remote add hub {hub}; git push -q hub main
             git-orch init; git-orch add --from ../list.md; git-orch sync"
        ),
    )?;
    for n in 1..settings.clones {
        scene.run(".", &format!("git clone -q -o hub {hub} clone{n}; cd clone{n}; git-orch init"))?;
    }
    Ok(scene)
}

fn bench(settings: &Settings) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let scene = scene(dir.path(), settings)?;
    write(&dir.path().join("operations"), "")?;
    let line = format!(
        "for n in $(seq {}); do git-orch next --no-worktree --require-confirmed --json; done",
        settings.claims
    );
    let start = Clock.monotonic();
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let run = |n: usize| {
            let (line, scene) = (&line, &scene);
            scope.spawn(move || scene.run(&format!("clone{n}"), line).map_err(|e| e.to_string()))
        };
        let running: Vec<_> = (0..settings.clones).map(run).collect();
        running.into_iter().map(|thread| thread.join().map_err(|_| "a clone panicked".to_owned())).collect()
    });
    let mut ids = Vec::new();
    for output in outputs {
        let output = output??;
        for task in serde_json::Deserializer::from_slice(&output).into_iter::<serde_json::Value>() {
            let task = task?;
            if task["claim"] == "confirmed" {
                ids.push(task["id"].as_str().unwrap_or_default().to_owned());
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let operations = fs::read_string(&dir.path().join("operations"))?;
    let count = |what: &str| operations.lines().filter(|line| line.contains(what)).count();
    let different = ids.iter().collect::<BTreeSet<_>>().len();
    let claims = f64::from(u32::try_from(ids.len())?);
    let figures = Figures {
        clones: settings.clones,
        delay_s: settings.delay,
        claims: ids.len(),
        twice: ids.len() - different,
        seconds,
        per_second: claims / seconds,
        pushes: count("receive-pack"),
        fetches: count("upload-pack"),
    };
    let mut out = std::io::stdout();
    writeln!(out, "{} clones, {} s for each network operation", figures.clones, figures.delay_s)?;
    writeln!(out, "claims a second   {:>8.1}   (target 12)", figures.per_second)?;
    writeln!(out, "handed out twice  {:>8}   (target 0)", figures.twice)?;
    writeln!(out, "claims            {:>8}", figures.claims)?;
    writeln!(out, "pushes, fetches   {:>8} {}", figures.pushes, figures.fetches)?;
    let json = serde_json::to_string_pretty(&figures)?;
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-clones.json");
    write(&target, &(json + "\n"))
}
