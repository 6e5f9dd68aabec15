//! `git orch demo`: a real run of the real commands on a small repository that is made for it.
//!
//! Every command is a child process with this program's directory first on PATH; nothing is called in process,
//! so that what is shown is what a user gets. A command that ends otherwise than the demo says it must is an
//! error: the demo can't pretend.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::assets::demo;
use crate::ops::error::{Because, OpError, Refused};
use crate::sys::clock::Clock;
use crate::sys::env::{self, Env, var};
use crate::sys::fs::{self, Durability};
use crate::sys::process::{Cmd, End, Limits, find_program};
use crate::sys::signal::Interrupts;

/// No command of the demo takes longer, on the slowest machine that it is for.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the demo shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins.
    Part(String),
    /// A sentence about what comes.
    Says(String),
    /// A command is about to run, in this directory (relative to the demo's).
    Runs {
        /// Where.
        dir: String,
        /// What.
        line: String,
    },
    /// It printed a line.
    Line(String),
    /// It was refused, as it should be.
    Refused {
        /// Its exit status.
        exit: i32,
    },
}

/// What a demo came to.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Where everything is.
    pub root: PathBuf,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// Whether formatter and linter were there to take part.
    pub fixers: bool,
}

/// How a command must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    /// With status 0.
    Succeed,
    /// With another status, and with this in what it prints.
    BeRefused(&'static str),
}

struct Demo<'a> {
    root: PathBuf,
    env: Env,
    interrupts: Interrupts,
    show: &'a mut dyn FnMut(Event),
}

/// Makes the demo in `root`, which must be absent or empty, and runs it.
pub fn run(
    root: &Path,
    user: &Env,
    interrupts: &Interrupts,
    show: &mut dyn FnMut(Event),
) -> Result<Shown, OpError> {
    if !fs::list(root)?.is_empty() {
        let fact = format!("{} is not empty", root.display());
        return Err(Refused::new(Because::Usage, "demo.place", fact)
            .next("git orch demo --keep DIR   (a new directory)")
            .into());
    }
    let start = Clock.monotonic();
    let env = environment(user)?;
    let fixers = ["cargo-fmt", "cargo-clippy"].iter().all(|name| find_program(name, &env).is_some());
    fs::create_dir_all(root)?;
    let root = fs::canonical(root)?;
    let mut demo = Demo { root, env, interrupts: interrupts.clone(), show };
    demo.make(fixers)?;
    demo.set_up()?;
    demo.refused_commit()?;
    demo.by_hand()?;
    demo.by_itself()?;
    if fixers {
        demo.ratchet()?;
    }
    demo.look_back()?;
    let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Shown { root: demo.root, millis, fixers })
}

/// The user's environment with this program first on PATH, and no repository of the user's in sight.
fn environment(user: &Env) -> Result<Env, OpError> {
    let program =
        env::current_program().map_err(|e| OpError::Bug(format!("this program has no path: {e}")))?;
    let own = program.parent().map(Path::to_owned).unwrap_or_default();
    let rest = user.get(var::PATH).unwrap_or_default().to_owned();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&rest)))
        .map_err(|e| OpError::Bug(format!("PATH can't be joined: {e}")))?;
    let scrubbed = crate::git::scrubbed(user);
    let ours = |name: &std::ffi::OsStr| name == var::PATH || name == "CARGO_TARGET_DIR";
    let kept = scrubbed.iter().filter(|(name, _)| !ours(name)).map(|(k, v)| (k.to_owned(), v.to_owned()));
    let env = Env::from_pairs(kept.chain([(var::PATH.into(), path)]));
    for tool in ["git", "cargo"] {
        if find_program(tool, &env).is_none() {
            return Err(Refused::new(Because::Environment, "demo.tool", format!("{tool} is not on PATH"))
                .next(format!("install {tool}, then git orch demo"))
                .into());
        }
    }
    Ok(env)
}

impl Demo<'_> {
    fn repo(&self) -> PathBuf {
        self.root.join("tally")
    }

    fn part(&mut self, text: &str) {
        (self.show)(Event::Part(text.to_owned()));
    }

    fn says(&mut self, text: &str) {
        (self.show)(Event::Says(text.to_owned()));
    }

    fn write(&self, path: &str, text: &str) -> Result<(), OpError> {
        let path = self.root.join(path);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        Ok(fs::write_atomic(&path, text.as_bytes(), 0o644, Durability::None)?)
    }

    /// Runs a command line without showing it.
    fn quietly(&self, dir: &Path, line: &str) -> Result<String, OpError> {
        let output = Cmd::shell(line, dir, &self.env).run()?.checked()?;
        Ok(output.text())
    }

    /// Shows a command line, runs it, shows what it prints.
    fn run(&mut self, dir: &Path, line: &str, must: Must) -> Result<(), OpError> {
        let below = dir.strip_prefix(&self.root).unwrap_or(dir).display().to_string();
        (self.show)(Event::Runs { dir: below, line: line.to_owned() });
        let limits = Limits::wall(Some(PATIENCE), &self.interrupts);
        let show = &mut *self.show;
        let mut said = false;
        let ended = Cmd::shell(line, dir, &self.env).supervise(&limits, &mut |text| {
            said |= matches!(must, Must::BeRefused(why) if text.contains(why));
            show(Event::Line(text.to_owned()));
        })?;
        match (ended.end, must) {
            (End::Exit(0), Must::Succeed) => Ok(()),
            (End::Exit(exit), Must::BeRefused(_)) if exit != 0 && said => {
                (self.show)(Event::Refused { exit });
                Ok(())
            }
            (End::Interrupted, _) => Err(Refused::new(
                Because::Blocked,
                "demo.interrupted",
                format!("the demo was interrupted; it is in {}", self.root.display()),
            )
            .into()),
            (end, _) => {
                let fact = format!("`{line}` ended with {end:?}, and the demo had expected otherwise");
                Err(Refused::new(Because::Failed, "demo.unexpected", fact)
                    .next(format!("look into {}", self.root.display()))
                    .into())
            }
        }
    }

    fn make(&mut self, fixers: bool) -> Result<(), OpError> {
        self.part("A small Rust library with a failing test, a badly formatted file and a lint finding");
        let step = if fixers { "" } else { "\n# (cargo fmt and clippy are not installed here)\n" };
        for (path, text) in [
            ("tally/Cargo.toml", demo::MANIFEST),
            ("tally/src/lib.rs", demo::LIB),
            ("tally/src/stats.rs", demo::STATS),
            ("tally/src/table.rs", demo::TABLE),
            ("tally/src/words.rs", demo::WORDS),
            ("tally/tools/agent.sh", demo::AGENT),
            ("tally/.gitignore", "/target\n"),
            ("tally/README.md", "# tally\n\nSmall statistics over lists of numbers.\n"),
        ] {
            self.write(path, text)?;
        }
        self.write("tally/orch.toml", &format!("{}{step}", demo::ORCH))?;
        let (root, repo) = (self.root.clone(), self.repo());
        self.quietly(&root, "git init --quiet --bare --initial-branch=main origin.git")?;
        self.quietly(&repo, "git init --quiet --initial-branch=main")?;
        // The user's own settings must neither stop the demo nor be needed for it.
        for line in [
            "git config commit.gpgSign false",
            "git config core.hooksPath .git/hooks && git config --unset core.hooksPath",
            "git config user.name >/dev/null || git config user.name 'A. Person'",
            "git config user.email >/dev/null || git config user.email person@example.com",
            "cargo generate-lockfile --offline --quiet",
            "git add --all",
            "git commit --quiet --message 'A small library'",
            "git remote add origin \"$PWD/../origin.git\"",
            "git push --quiet --set-upstream origin main",
        ] {
            self.quietly(&repo, line)?;
        }
        self.run(&repo, "git log --oneline --decorate", Must::Succeed)?;
        self.run(
            &repo,
            "cargo test --offline --quiet 2>&1 | grep -E 'panicked|left|right|test result: F'",
            Must::Succeed,
        )
    }

    fn set_up(&mut self) -> Result<(), OpError> {
        let repo = self.repo();
        self.part("git-orch takes care of it");
        self.run(&repo, "git orch init", Must::Succeed)?;
        self.run(
            &repo,
            "git orch add 'The median of four values is wrong' --priority P0 \
             --accept 'the test that fails now passes'",
            Must::Succeed,
        )?;
        self.run(
            &repo,
            "git orch add 'An empty list has the mean NaN' --priority P1 \
             --accept 'a test shows that it has none'",
            Must::Succeed,
        )?;
        // One task for both: the fixers take whole projects, and a second task would find nothing left to do.
        self.run(&repo, "git orch add 'Tidy up as cargo fmt and clippy say' --kind quality", Must::Succeed)?;
        self.run(&repo, "git orch list", Must::Succeed)
    }

    fn refused_commit(&mut self) -> Result<(), OpError> {
        let repo = self.repo();
        self.part("Trunk is guarded");
        self.says("A commit made directly on main is refused, also with --no-verify.");
        self.write("tally/README.md", "# tally\n\nJust a quick fix.\n")?;
        self.run(&repo, "git commit --all --message 'A quick fix'", Must::BeRefused("branch.trunk"))?;
        self.run(
            &repo,
            "git commit --all --no-verify --message 'A quick fix'",
            Must::BeRefused("branch.trunk"),
        )?;
        self.run(&repo, "git restore README.md", Must::Succeed)
    }

    fn by_hand(&mut self) -> Result<(), OpError> {
        let repo = self.repo();
        self.part("A person takes the most urgent task");
        self.run(&repo, "git orch next", Must::Succeed)?;
        let id = self.quietly(
            &repo,
            "git orch list --mine --json | tr ',' '\\n' | sed -n 's/.*\"id\":\"\\([^\"]*\\)\".*/\\1/p'",
        )?;
        let task = self.root.join("tally.orch").join(&id);
        self.says("A first try that does not help: Ralph, the gate, refuses the push with the failing test.");
        edit(&task, "sorted.len() / 2)", "sorted.len().saturating_sub(1) / 2)")?;
        self.run(&task, "git commit --all --quiet --message 'fix: take the lower one'", Must::Succeed)?;
        self.run(&task, "git push origin HEAD", Must::BeRefused("FAIL"))?;
        self.says("The real fix passes, and is merged as exactly the tree that was judged.");
        edit(
            &task,
            "    sorted.get(sorted.len().saturating_sub(1) / 2).copied()",
            "    let upper = *sorted.get(sorted.len() / 2)?;\n    \
             let lower = sorted[(sorted.len() - 1) / 2];\n    Some((lower + upper) / 2.0)",
        )?;
        self.run(
            &task,
            "git commit --all --quiet --message 'fix: the mean of the two in the middle'",
            Must::Succeed,
        )?;
        self.run(&task, "git orch merge", Must::Succeed)
    }

    fn by_itself(&mut self) -> Result<(), OpError> {
        let repo = self.repo();
        self.part("The loop finishes the rest");
        self.says(
            "Quality tasks go to the project's own fixers. The bug goes to a scripted agent whose first try is \
             wrong, and which claims success all the same: only Ralph's word counts.",
        );
        self.run(&repo, "git orch run --jobs 2", Must::Succeed)?;
        self.run(&repo, "git orch list --all", Must::Succeed)
    }

    fn ratchet(&mut self) -> Result<(), OpError> {
        let repo = self.repo();
        self.part("The gate is tightened, and that takes a person");
        self.quietly(&repo, "git switch --quiet --create tighten-the-gate main")?;
        self.write("tally/orch.toml", &format!("{}{}", demo::ORCH, demo::STRICT))?;
        self.run(&repo, "git diff --unified=0 | grep '^+[^+]'", Must::Succeed)?;
        self.run(
            &repo,
            "git commit --all --quiet --message 'Keep the code formatted and free of lints'",
            Must::Succeed,
        )?;
        self.quietly(&repo, "git switch --quiet main")?;
        self.run(&repo, "git orch merge tighten-the-gate", Must::BeRefused("gate.changed"))?;
        self.run(
            &repo,
            "git orch approve tighten-the-gate --reason 'what is clean stays clean'",
            Must::Succeed,
        )?;
        self.run(&repo, "git orch merge tighten-the-gate", Must::Succeed)
    }

    fn look_back(&mut self) -> Result<(), OpError> {
        let repo = self.repo();
        self.part("Trunk is green, and everything that happened is in git");
        self.run(&repo, "git log --oneline --graph -n 12 main", Must::Succeed)?;
        self.run(&repo, "git orch ralph main", Must::Succeed)?;
        self.run(&repo, "git log --format='%h %cr  %s' -n 12 refs/orch/state", Must::Succeed)?;
        self.run(&repo, "git orch status", Must::Succeed)
    }
}

/// Replaces text in the demo's `src/stats.rs`, which must have it.
fn edit(dir: &Path, from: &str, to: &str) -> Result<(), OpError> {
    let path = dir.join("src/stats.rs");
    let text = fs::read_string(&path)?;
    if !text.contains(from) {
        return Err(OpError::Bug(format!("{} has no `{from}`", path.display())));
    }
    Ok(fs::write_atomic(&path, text.replace(from, to).as_bytes(), 0o644, Durability::None)?)
}
