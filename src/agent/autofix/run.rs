//! Runs the fixers, one after the other.

use std::path::Path;
use std::time::Duration;

use crate::agent::autofix::look::look;
use crate::agent::autofix::plan::{Fixer, plan};
use crate::agent::driver::{AgentError, Driver, Ending, Event, Job, Limit, Prompts};
use crate::sys::clock::Clock;
use crate::sys::env::{Env, var};
use crate::sys::process::{Cmd, End, Ended, Limits, find_program};
use crate::sys::sandbox::Network;

/// The embedded agent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Autofix;

/// What one fixer came to.
enum Ran {
    Ended,
    Missing,
    Over(Ending),
}

impl Driver for Autofix {
    fn name(&self) -> &'static str {
        "autofix"
    }

    fn prompts(&self) -> Prompts {
        Prompts::Ignored
    }

    fn run(
        &self,
        job: &Job<'_>,
        limits: &Limits,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Ending, AgentError> {
        if !job.worktree.is_dir() {
            return Err(AgentError::NoWorktree(job.worktree.clone()));
        }
        let facts = look(&job.worktree, &job.files)?;
        let fixers = plan(&facts);
        if fixers.is_empty() {
            return Ok(Ending::NothingToDo(nothing(facts.files.as_deref())));
        }
        let start = Clock.monotonic();
        let mut missing = Vec::new();
        for fixer in &fixers {
            match one(job, fixer, &remaining(limits, start.elapsed()), on_event)? {
                Ran::Ended => {}
                Ran::Missing => missing.push(fixer.name),
                Ran::Over(ending) => return Ok(ending),
            }
        }
        if missing.len() == fixers.len() {
            return Ok(Ending::MissingProgram(format!("not installed: {}", missing.join(", "))));
        }
        Ok(Ending::Finished { exit: 0 })
    }
}

fn nothing(files: Option<&[std::path::PathBuf]>) -> String {
    match files {
        Some([]) => "no file matches the task's `files`".to_owned(),
        Some(_) => "no fixer knows the task's `files`".to_owned(),
        None => "no fixer knows this project (no Cargo.toml or go.mod, no configuration of eslint, prettier \
            or ruff)"
            .to_owned(),
    }
}

/// The wall limit holds for all fixers together. There is no idle limit: compilers are silent for minutes.
fn remaining(limits: &Limits, spent: Duration) -> Limits {
    Limits { wall: limits.wall.map(|wall| wall.saturating_sub(spent)), idle: None, ..limits.clone() }
}

fn one(
    job: &Job<'_>,
    fixer: &Fixer,
    limits: &Limits,
    on_event: &mut dyn FnMut(Event),
) -> Result<Ran, AgentError> {
    let name = fixer.name;
    let mut note = |text: String| on_event(Event::Note(text));
    let dir = job.worktree.join(&fixer.dir);
    let Some(program) = program(&fixer.argv[0], &dir, job.env.as_env()) else {
        note(format!("{name}: `{}` is not installed, though {} asks for it", fixer.argv[0], fixer.why));
        return Ok(Ran::Missing);
    };
    note(format!("{name}: `{}`, because of {}", fixer.argv.join(" "), fixer.why));
    // By these a fixer that outlives a killed run is known.
    let cmd = Cmd::new(program, &dir, job.env.as_env())
        .args(&fixer.argv[1..])
        .env(var::ORCH_TASK, job.task.as_str())
        .env(var::ORCH_SESSION, job.session.as_str());
    let cmd = match &job.held {
        // A sandbox has a `/tmp` of its own, and nothing where the user's is.
        Some(held) => {
            cmd.env_remove(var::TMPDIR).within(&held.sandbox(Network::On, job.env.as_env()), held.launcher)
        }
        None => cmd,
    };
    let ended = cmd.supervise(limits, &mut |line| on_event(Event::Line(line.to_owned())))?;
    let mut note = |text: String| on_event(Event::Note(text));
    match ended.end {
        End::Exit(0) => Ok(Ran::Ended),
        End::Exit(_) if component_missing(&ended) => {
            note(format!("{name}: not installed, though {} asks for it", fixer.why));
            Ok(Ran::Missing)
        }
        End::Exit(exit) => {
            note(format!("{name}: exit {exit}; what it could not fix is left"));
            Ok(Ran::Ended)
        }
        End::Signal(signal) => {
            note(format!("{name}: killed by signal {signal}"));
            Ok(Ran::Ended)
        }
        End::WallLimit => Ok(Ran::Over(Ending::Stalled(Limit::Wall))),
        End::IdleLimit => Ok(Ran::Over(Ending::Stalled(Limit::Idle))),
        End::Interrupted => Ok(Ran::Over(Ending::Interrupted)),
    }
}

fn program(word: &str, dir: &Path, env: &Env) -> Option<std::path::PathBuf> {
    if word.contains('/') { find_program(dir.join(word).to_str()?, env) } else { find_program(word, env) }
}

/// A program that is there but whose part for this is not: cargo without the subcommand, a toolchain
/// manager's stand-in without the component.
fn component_missing(ended: &Ended) -> bool {
    ["no such command: `", "is not installed for the toolchain"].iter().any(|text| ended.tail.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::environment::AgentEnv;
    use crate::domain::id::{SessionId, TaskId};
    use crate::domain::oid::Oid;
    use crate::sys::fs::{self, Durability};
    use crate::sys::signal::Interrupts;

    struct Bench {
        dir: tempfile::TempDir,
    }

    impl Bench {
        /// A worktree with `files`, and `programs` (name, shell text) first on `PATH`.
        fn new(files: &[(&str, &str)], programs: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for sub in ["bin", "tree"] {
                fs::create_dir_all(&dir.path().join(sub)).unwrap();
            }
            for (name, text) in files {
                fs::write_atomic(
                    &dir.path().join("tree").join(name),
                    text.as_bytes(),
                    0o644,
                    Durability::None,
                )
                .unwrap();
            }
            for (name, text) in programs {
                let path = dir.path().join("bin").join(name);
                // Written by a child: a file that this process wrote could still be open in another test's
                // fork when it is executed.
                Cmd::new("sh", dir.path(), &Env::capture())
                    .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
                    .args([&path])
                    .stdin(format!("#!/bin/sh\n{text}\n"))
                    .run()
                    .unwrap()
                    .checked()
                    .unwrap();
            }
            Self { dir }
        }

        fn run(&self, limits: &Limits) -> (Ending, String) {
            // Only what the test provides: the machine may well have the real ones.
            let path = self.dir.path().join("bin");
            let job = Job {
                task: TaskId::from_bits(1),
                session: SessionId::from_bits(1),
                iteration: 1,
                worktree: self.dir.path().join("tree"),
                branch: "fix/x".to_owned(),
                base: Oid::parse(&"ab".repeat(20)).unwrap(),
                port_base: 1,
                files: Vec::new(),
                prompt_file: self.dir.path().join("none.md"),
                env: AgentEnv::scrubbed(&Env::from_pairs([(var::PATH, path)])),
                held: None,
            };
            let mut lines = Vec::new();
            let ending = Autofix.run(&job, limits, &mut |event| lines.push(format!("{event:?}"))).unwrap();
            (ending, lines.join("\n"))
        }
    }

    fn limits() -> Limits {
        Limits { grace: Duration::from_millis(100), ..Limits::wall(None, &Interrupts::default()) }
    }

    #[test]
    fn an_error_or_a_missing_program_does_not_end_it() {
        let files = [("Cargo.toml", "[package]"), ("ruff.toml", "")];
        let cargo = "test \"$1\" = fmt && { echo done > formatted; exit 0; }; echo 1 finding left; exit 101";
        let bench = Bench::new(&files, &[("cargo", cargo)]);
        let (ending, events) = bench.run(&limits());
        assert_eq!(ending, Ending::Finished { exit: 0 });
        insta::assert_snapshot!(events, @r#"
        Note("cargo clippy: `cargo clippy --fix --allow-dirty --allow-staged --allow-no-vcs --all-targets`, because of Cargo.toml")
        Line("1 finding left")
        Note("cargo clippy: exit 101; what it could not fix is left")
        Note("cargo fmt: `cargo fmt`, because of Cargo.toml")
        Note("ruff check: `ruff` is not installed, though ruff.toml asks for it")
        Note("ruff format: `ruff` is not installed, though ruff.toml asks for it")
        "#);
        assert!(fs::exists(&bench.dir.path().join("tree/formatted")));
    }

    #[test]
    fn all_missing_is_a_missing_program() {
        let stub = "echo \"error: '$1' is not installed for the toolchain 'stable'\"; exit 1";
        let (ending, events) = Bench::new(&[("Cargo.toml", "")], &[("cargo", stub)]).run(&limits());
        assert_eq!(ending, Ending::MissingProgram("not installed: cargo clippy, cargo fmt".to_owned()));
        assert!(events.contains("cargo fmt: not installed, though Cargo.toml asks for it"), "{events}");
    }

    #[test]
    fn nothing_to_fix_with_is_said() {
        let (ending, _) = Bench::new(&[("README", "")], &[]).run(&limits());
        assert!(matches!(&ending, Ending::NothingToDo(why) if why.contains("no fixer knows")), "{ending}");
    }

    #[test]
    fn the_wall_limit_holds_for_all_together() {
        let bench = Bench::new(&[("Cargo.toml", "")], &[("cargo", "/bin/sleep 600")]);
        let limits = Limits { wall: Some(Duration::from_millis(200)), ..limits() };
        assert_eq!(bench.run(&limits).0, Ending::Stalled(Limit::Wall));
    }
}
