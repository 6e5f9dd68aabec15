//! The driver `command`: any program, as `sh -c CMD` in the worktree, with the prompt on standard input.

use crate::agent::driver::{AgentError, Driver, Ending, Event, Job, Limit, Prompts, promises};
use crate::sys::env::var;
use crate::sys::fs::FsError;
use crate::sys::process::{Cmd, End, Ended, Limits, ProcessError};

/// A command line of the user's.
#[derive(Clone, Debug)]
pub struct Command {
    name: String,
    line: String,
}

impl Command {
    /// The agent `name` that runs `line` in a shell. Without a name of its own it is `command`.
    pub fn new(name: Option<&str>, line: &str) -> Self {
        Self { name: name.unwrap_or("command").to_owned(), line: line.to_owned() }
    }

    fn cmd(&self, job: &Job<'_>) -> Cmd {
        Cmd::shell(&self.line, &job.worktree, job.env.as_env())
            .env(var::ORCH_TASK, job.task.as_str())
            .env(var::ORCH_SESSION, job.session.as_str())
            .env(var::ORCH_ITERATION, job.iteration.to_string())
            .env(var::ORCH_PROMPT_FILE, &job.prompt_file)
            .env(var::ORCH_WORKTREE, &job.worktree)
            .env(var::ORCH_BRANCH, &job.branch)
            .env(var::ORCH_BASE, job.base.as_str())
            .env(var::ORCH_PORT_BASE, job.port_base.to_string())
            .stdin_file(&job.prompt_file)
    }
}

impl Driver for Command {
    fn name(&self) -> &str {
        &self.name
    }

    fn prompts(&self) -> Prompts {
        Prompts::Heeded
    }

    fn run(
        &self,
        job: &Job<'_>,
        limits: &Limits,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Ending, AgentError> {
        // A missing directory or prompt is the same system error as a missing shell: tell them apart first.
        if !job.worktree.is_dir() {
            return Err(AgentError::NoWorktree(job.worktree.clone()));
        }
        readable(job)?;
        let ended = self.cmd(job).supervise(limits, &mut |line| {
            for promise in promises(line) {
                on_event(Event::Promise(promise.to_owned()));
            }
            on_event(Event::Line(line.to_owned()));
        });
        match ended {
            Ok(ended) => Ok(classify(&ended)),
            Err(e) if e.is_missing_program() => Ok(Ending::MissingProgram("sh".to_owned())),
            Err(e @ (ProcessError::Spawn { .. } | ProcessError::Failed { .. })) => Err(e.into()),
        }
    }
}

fn readable(job: &Job<'_>) -> Result<(), FsError> {
    match std::fs::File::open(&job.prompt_file) {
        Ok(_) => Ok(()),
        Err(source) => Err(FsError { action: "read", path: job.prompt_file.clone(), source }),
    }
}

fn classify(ended: &Ended) -> Ending {
    match ended.end {
        // A shell's words for "not executable" and "not found" (POSIX 2.8.2).
        End::Exit(126 | 127) => {
            let said = ended.tail.lines().rev().find(|line| !line.trim().is_empty());
            Ending::MissingProgram(said.unwrap_or("command not found").trim().to_owned())
        }
        // A shell's way to say that its child died of a signal.
        End::Exit(code @ 129..=192) => Ending::Crashed { signal: code - 128 },
        End::Exit(exit) => Ending::Finished { exit },
        End::Signal(signal) => Ending::Crashed { signal },
        End::WallLimit => Ending::Stalled(Limit::Wall),
        End::IdleLimit => Ending::Stalled(Limit::Idle),
        End::Interrupted => Ending::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::agent::environment::AgentEnv;
    use crate::agent::prompt_file;
    use crate::domain::id::{SessionId, TaskId};
    use crate::domain::oid::Oid;
    use crate::sys::env::Env;
    use crate::sys::signal::Interrupts;

    struct Run {
        dir: tempfile::TempDir,
        job: Job<'static>,
    }

    fn run_on(prompt: &str) -> Run {
        let dir = tempfile::tempdir().unwrap();
        let (session, task) = (SessionId::from_bits(1), TaskId::from_bits(2));
        let worktree = dir.path().join("tree");
        crate::sys::fs::create_dir_all(&worktree).unwrap();
        let prompt_file = prompt_file::path(&dir.path().join("common"), &session, &task, 4);
        prompt_file::write(&prompt_file, prompt).unwrap();
        let job = Job {
            task,
            session,
            iteration: 4,
            worktree,
            branch: "fix/00000002-x".to_owned(),
            base: Oid::parse(&"ab".repeat(20)).unwrap(),
            port_base: 42000,
            files: Vec::new(),
            prompt_file,
            env: AgentEnv::scrubbed(&Env::capture()),
            held: None,
        };
        Run { dir, job }
    }

    fn limits() -> Limits {
        Limits { grace: Duration::from_millis(100), ..Limits::wall(None, &Interrupts::default()) }
    }

    fn agent(run: &Run, line: &str, limits: &Limits) -> (Ending, Vec<Event>) {
        let mut events = Vec::new();
        let ending = Command::new(None, line).run(&run.job, limits, &mut |e| events.push(e)).unwrap();
        (ending, events)
    }

    /// Waits until the process is gone or a zombie; the test's own time limit is the runner's.
    fn gone(pid: &str) {
        let stat = std::path::PathBuf::from(format!("/proc/{pid}/stat"));
        while crate::sys::fs::read_string(&stat).is_ok_and(|text| !text.contains(") Z")) {
            std::thread::yield_now();
        }
    }

    fn line(event: &Event) -> &str {
        match event {
            Event::Line(text) | Event::Note(text) | Event::Promise(text) => text,
        }
    }

    #[test]
    fn it_is_given_the_eight_variables_the_prompt_and_the_worktree() {
        let run = run_on("fix it\n");
        let (ending, events) = agent(&run, "pwd; cat; env | grep ^ORCH_ | sort", &limits());
        assert_eq!(ending, Ending::Finished { exit: 0 });
        let base = run.dir.path().canonicalize().unwrap().display().to_string();
        let raw = run.dir.path().display().to_string();
        let text = events.iter().map(line).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(text.replace(&base, "[T]").replace(&raw, "[T]"), @"
        [T]/tree
        fix it
        ORCH_BASE=abababababababababababababababababababab
        ORCH_BRANCH=fix/00000002-x
        ORCH_ITERATION=4
        ORCH_PORT_BASE=42000
        ORCH_PROMPT_FILE=[T]/common/orch/prompts/00000001/00000002-4.md
        ORCH_SESSION=00000001
        ORCH_TASK=00000002
        ORCH_WORKTREE=[T]/tree
        ");
    }

    #[test]
    fn a_long_prompt_that_nobody_reads_holds_nothing_up() {
        let run = run_on(&"x".repeat(1 << 20));
        assert_eq!(agent(&run, "sleep 600 <&0 & exit 0", &limits()).0, Ending::Finished { exit: 0 });
    }

    #[test]
    fn ends_are_told_apart() {
        let run = run_on("");
        let end = |cmd| agent(&run, cmd, &limits()).0.to_string();
        let ends = ["exit 3", "kill -9 $$", "sh -c 'kill -15 $$'; exit $?", "printf '' > x; ./x"].map(end);
        assert_eq!(ends[..3], ["finished (exit 3)", "killed by signal 9", "killed by signal 15"]);
        assert!(ends[3].starts_with("could not start: ") && ends[3].contains("denied"), "{}", ends[3]);
        let missing = end("no-such-agent --go");
        assert!(missing.contains("no-such-agent") && missing.contains("not found"), "{missing}");
    }

    #[test]
    fn promises_are_reported_beside_the_line() {
        let run = run_on("");
        let (_, events) = agent(&run, "echo '<promise>BUGFIX_COMPLETE</promise>'; exit 1", &limits());
        assert_eq!(events[0], Event::Promise("BUGFIX_COMPLETE".to_owned()));
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn one_that_ignores_sigterm_is_killed_with_its_children() {
        let run = run_on("");
        let limits = Limits { wall: Some(Duration::from_millis(300)), ..limits() };
        let (ending, events) =
            agent(&run, "trap '' TERM INT; sleep 600 & echo $!; while :; do wait; done", &limits);
        assert_eq!(ending, Ending::Stalled(Limit::Wall));
        gone(line(&events[0]));
    }

    #[test]
    fn silence_stalls_it_and_an_interrupt_ends_it() {
        let run = run_on("");
        let idle = Limits { idle: Some(Duration::from_millis(100)), ..limits() };
        assert_eq!(agent(&run, "echo x; sleep 600", &idle).0, Ending::Stalled(Limit::Idle));
        let interrupts = Interrupts::default();
        interrupts.raise();
        interrupts.raise();
        assert_eq!(agent(&run, "sleep 600", &Limits { interrupts, ..limits() }).0, Ending::Interrupted);
    }

    #[test]
    fn a_background_child_ends_with_it() {
        let run = run_on("");
        let (ending, events) = agent(&run, "sleep 600 & echo $!", &limits());
        assert_eq!(ending, Ending::Finished { exit: 0 });
        gone(line(&events[0]));
    }

    #[test]
    fn what_is_missing_is_named() {
        let run = run_on("");
        let mut job = run.job.clone();
        job.worktree = run.dir.path().join("gone");
        let error = Command::new(None, "true").run(&job, &limits(), &mut |_| {}).expect_err("no worktree");
        assert!(matches!(error, AgentError::NoWorktree(_)), "{error}");
        let mut job = run.job.clone();
        job.prompt_file = run.dir.path().join("gone.md");
        let error = Command::new(None, "true").run(&job, &limits(), &mut |_| {}).expect_err("no prompt");
        assert!(matches!(error, AgentError::File(_)), "{error}");
    }
}
