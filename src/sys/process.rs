//! Child processes. One builder: it demands a directory and an environment, closes standard input unless
//! told otherwise, and puts argv, status and output into every error.
//!
//! Three ways to run: `run` for short children whose output is data (git), `run_within` for those that wait for
//! others (`sys::timed`), and `supervise` for what may hang, print without end or leave children behind (gate steps,
//! fixers, agents).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::sys::clock::Clock;
use crate::sys::env::Env;
use crate::sys::fs;
use crate::sys::sandbox::{self, Sandbox};
use crate::sys::search::find_in;
pub use crate::sys::search::{find_program, quote};
use crate::sys::signal::Interrupts;
use crate::sys::stream::{Kept, Tail, read_lines};

/// A child process to be started.
#[derive(Clone, Debug)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    /// How many of the first arguments are ours alone, and not shown to people.
    unshown: usize,
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    stdin: Stdin,
    /// What holds it, with the program that puts it in there.
    sandbox: Option<(PathBuf, String)>,
    /// Where its output goes, and how much of it.
    kept: Option<(PathBuf, u64)>,
}

/// What a child reads.
#[derive(Clone, Debug)]
enum Stdin {
    /// End of file at once (run attached: the terminal).
    Nothing,
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// What a short child printed and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line, for messages.
    pub line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, as bytes.
    pub stdout: Vec<u8>,
    /// Standard error, as text, trimmed.
    pub stderr: String,
}

/// A child could not be run, or ended otherwise than it had to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("cannot run `{line}`")]
    Spawn {
        /// The command line.
        line: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It ended with a status that means failure.
    #[error("`{line}` failed ({status}){}", said(stderr))]
    Failed {
        /// The command line.
        line: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said, trimmed.
        stderr: String,
    },
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}

impl ProcessError {
    /// Whether the program was not there.
    pub fn is_missing_program(&self) -> bool {
        matches!(self, Self::Spawn { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl Output {
    /// Success, or the error that says what happened.
    pub fn checked(self) -> Result<Self, ProcessError> {
        if self.status.success() {
            Ok(self)
        } else {
            Err(ProcessError::Failed { line: self.line, status: self.status, stderr: self.stderr })
        }
    }

    /// Standard output as text without trailing line ends; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches(['\n', '\r']).to_owned()
    }
}

/// When a supervised child is stopped.
#[derive(Clone, Debug)]
pub struct Limits {
    /// At most this long in all.
    pub wall: Option<Duration>,
    /// At most this long without a line of output.
    pub idle: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// Stopped as soon as this asks for "now".
    pub interrupts: Interrupts,
    /// Stopped as soon as this says so; asked many times a second.
    pub deadline: Option<Instant>,
}

impl Limits {
    /// No limit but the given wall time; five seconds of grace.
    pub fn wall(wall: Option<Duration>, interrupts: &Interrupts) -> Self {
        Self {
            wall,
            idle: None,
            grace: Duration::from_secs(5),
            interrupts: interrupts.clone(),
            deadline: None,
        }
    }
}

/// How a supervised child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exit(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// We stopped it: the wall limit.
    WallLimit,
    /// We stopped it: no output for too long.
    IdleLimit,
    /// We stopped it: somebody interrupted us, or the caller's deadline came.
    Interrupted,
}

/// A supervised child's end, with the end of what it printed.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// The last lines of standard output and error, interleaved as they came; at most 16 KiB.
    pub tail: String,
    /// How long it took.
    pub took: Duration,
    /// Whether all that it printed is in the file of `Cmd::keep_output`.
    pub kept: bool,
}

const POLL: Duration = Duration::from_millis(15);
/// How many lines may wait to be handed on; a child that is further ahead waits for us.
const AHEAD: usize = 256;
/// How long to read on after the leader and its group are gone. Normally the pipe ends at once.
const DRAIN: Duration = Duration::from_secs(2);
/// More than a pipe and the waiting lines usually hold: beyond it somebody is still talking.
const DRAIN_BYTES: usize = 4 << 20;

impl Cmd {
    /// `program` in `dir` with exactly the environment `env`.
    pub fn new(program: impl AsRef<OsStr>, dir: &Path, env: &Env) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            unshown: 0,
            dir: dir.to_owned(),
            env: env.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            stdin: Stdin::Nothing,
            sandbox: None,
            kept: None,
        }
    }

    /// A line for `sh -c`.
    pub fn shell(line: &str, dir: &Path, env: &Env) -> Self {
        Self::new("sh", dir, env).args(["-c", line])
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Adds arguments that messages leave out: switches that every call has. Only before all others.
    #[must_use]
    pub fn switches<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self = self.args(args);
        self.unshown = self.args.len();
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self = self.env_remove(name.as_ref());
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Removes a variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.retain(|(k, _)| k != name.as_ref());
        self
    }

    /// Feeds standard input, then end of file. Without it the child gets end of file at once.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Stdin::Bytes(bytes.into());
        self
    }

    /// Lets standard input be this file. For long input to a child that may never read it: there is no pipe
    /// that a grandchild could hold open, and no writer to wait for.
    #[must_use]
    pub fn stdin_file(mut self, path: &Path) -> Self {
        self.stdin = Stdin::File(path.to_owned());
        self
    }

    /// Holds it in a sandbox. `launcher`: the program that does that when it is started so (`sandbox::take_over`).
    #[must_use]
    pub fn within(mut self, sandbox: &Sandbox, launcher: &Path) -> Self {
        self.sandbox = Some((launcher.to_owned(), sandbox.text()));
        self
    }

    /// Has `supervise` write what the child prints to the file at `path`, at most `limit` bytes.
    #[must_use]
    pub fn keep_output(mut self, path: &Path, limit: u64) -> Self {
        self.kept = Some((path.to_owned(), limit));
        self
    }

    /// What is started: the program itself, or what holds it.
    fn words(&self) -> (&OsStr, Vec<&OsStr>) {
        let args = self.args.iter().map(OsString::as_os_str);
        match &self.sandbox {
            None => (&self.program, args.collect()),
            Some((launcher, sandbox)) => {
                let held = [sandbox::OUTSIDE.as_ref(), sandbox.as_ref(), self.program.as_os_str()];
                (launcher.as_os_str(), held.into_iter().chain(args).collect())
            }
        }
    }

    /// The command line, for messages: quoted where a shell would need it.
    pub fn line(&self) -> String {
        std::iter::once(&self.program)
            .chain(self.args.iter().skip(self.unshown))
            .map(|word| quote(&word.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[expect(clippy::disallowed_methods, reason = "the one process builder")]
    fn base(&self) -> duct::Expression {
        let env = self.env.iter().cloned();
        let (program, args) = self.words();
        duct::cmd(program, args).dir(&self.dir).full_env(env).unchecked()
    }

    pub(in crate::sys) fn expression(&self) -> duct::Expression {
        match &self.stdin {
            Stdin::Nothing => self.base().stdin_null(),
            Stdin::Bytes(bytes) => self.base().stdin_bytes(bytes.clone()),
            Stdin::File(path) => self.base().stdin_path(path),
        }
    }

    /// Runs to the end with the terminal as output, for a child the user talks to. Returns its status.
    pub fn run_attached(&self) -> Result<ExitStatus, ProcessError> {
        let expression = match &self.stdin {
            Stdin::Nothing => self.base(),
            Stdin::Bytes(_) | Stdin::File(_) => self.expression(),
        };
        tracing::debug!(line = %self.line(), "run attached");
        expression.run().map(|output| output.status).map_err(|source| self.spawn_error(source))
    }

    /// Runs to the end and captures what it printed. Any status is a success here; see `Output::checked`.
    pub fn run(&self) -> Result<Output, ProcessError> {
        tracing::debug!(line = %self.line(), dir = %self.dir.display(), "run");
        let output = match &self.stdin {
            // Feeding and reading at once takes threads.
            Stdin::Nothing | Stdin::File(_) if self.sandbox.is_none() => self.capture(),
            _ => self.expression().stdout_capture().stderr_capture().run(),
        }
        .map_err(|source| self.spawn_error(source))?;
        Ok(Output {
            line: self.line(),
            status: output.status,
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Without threads, and by the cheapest system call: a program whose place is known need not be looked for
    /// in a copy of this process.
    #[expect(clippy::disallowed_methods, reason = "the one process builder")]
    fn capture(&self) -> io::Result<std::process::Output> {
        let path = self.env.iter().find(|(name, _)| name == crate::sys::env::var::PATH).map(|(_, v)| v);
        let place = self.program.to_str().zip(path).and_then(|(name, path)| find_in(name, path));
        let program = place.filter(|place| place.is_absolute());
        let mut command =
            std::process::Command::new(program.as_deref().map_or(&*self.program, Path::as_os_str));
        command
            .arg0(&self.program)
            .args(&self.args)
            .current_dir(&self.dir)
            .env_clear()
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(match &self.stdin {
                Stdin::File(path) => std::fs::File::open(path)?.into(),
                Stdin::Nothing | Stdin::Bytes(_) => std::process::Stdio::null(),
            });
        command.output()
    }

    /// Becomes the program: returns only if that fails. Standard input stays what it is, or becomes a file of
    /// the given bytes; the terminal and all other open files without close-on-exec are the program's.
    #[expect(clippy::disallowed_methods, reason = "the one process builder")]
    pub fn exec(&self) -> ProcessError {
        let (program, args) = self.words();
        let mut command = std::process::Command::new(program);
        command.args(args).current_dir(&self.dir).env_clear().envs(self.env.iter().map(|(k, v)| (k, v)));
        let stdin = match &self.stdin {
            Stdin::Nothing => Ok(None),
            Stdin::Bytes(bytes) => fs::nameless(bytes).map(Some),
            Stdin::File(path) => std::fs::File::open(path).map(Some),
        };
        match stdin {
            Ok(None) => {}
            Ok(Some(file)) => drop(command.stdin(file)),
            Err(source) => return self.spawn_error(source),
        }
        self.spawn_error(command.exec())
    }

    fn spawn_error(&self, source: io::Error) -> ProcessError {
        ProcessError::Spawn { line: self.line(), source }
    }

    /// Runs in a process group of its own, hands each line of output to `on_line`, and stops the whole group
    /// when a limit is reached. What the child left running in its group is killed when it ends.
    pub fn supervise(&self, limits: &Limits, on_line: &mut dyn FnMut(&str)) -> Result<Ended, ProcessError> {
        let clock = Clock;
        let start = clock.monotonic();
        let spawn_error = |source| self.spawn_error(source);
        let (reader, writer) = io::pipe().map_err(spawn_error)?;
        let second = writer.try_clone().map_err(spawn_error)?;
        tracing::debug!(line = %self.line(), dir = %self.dir.display(), "supervise");
        let kept = self.kept.as_ref().map(|(path, limit)| Kept::new(path, *limit));
        let kept = kept.transpose().map_err(spawn_error)?;
        let expression = self.expression().stdout_file(writer).stderr_file(second).before_spawn(|command| {
            command.process_group(0);
            Ok(())
        });
        let handle = expression.start().map_err(spawn_error)?;
        // The expression owns our ends of the pipe: without this drop the reader would never see its end.
        drop(expression);
        let group = handle.pids().first().and_then(|&pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let (lines, incoming) = mpsc::sync_channel(AHEAD);
        let complete = Arc::new(AtomicBool::new(false));
        let says_so = Arc::clone(&complete);
        let pump = std::thread::spawn(move || {
            let all = read_lines(reader, &lines, kept);
            // Before the channel closes, which is what the other side waits for.
            says_so.store(all, Ordering::Release);
            drop(lines);
        });
        let mut tail = Tail::default();
        let child = Child { handle: &handle, group, start };
        let stopped = watch(&child, limits, &incoming, &mut |line| {
            tail.push(line);
            on_line(line);
        })
        .map_err(spawn_error)?;
        // The leader is gone. What it left in the group holds the pipe open and would outlive the verdict.
        signal_group(group, Signal::KILL);
        let output = handle.wait().map_err(spawn_error)?;
        let status = output.status;
        drain(&incoming, &mut |line| {
            tail.push(line);
            on_line(line);
        });
        // A descendant that left the group can hold the pipe open for ever: its reader is then left behind.
        if pump.is_finished() && pump.join().is_err() {
            tracing::error!("BUG: the output reader panicked");
        }
        let kept = complete.load(Ordering::Acquire);
        let end = stopped.unwrap_or_else(|| match (status.code(), status.signal()) {
            (Some(code), _) => End::Exit(code),
            (None, signal) => End::Signal(signal.unwrap_or(0)),
        });
        Ok(Ended { end, tail: tail.text(), took: start.elapsed(), kept })
    }
}

/// A supervised child while it runs.
struct Child<'a> {
    handle: &'a duct::Handle,
    group: Option<Pid>,
    start: Instant,
}

/// Waits for the end of the child; returns why we stopped it, if we did.
fn watch(
    child: &Child<'_>,
    limits: &Limits,
    incoming: &mpsc::Receiver<String>,
    on_line: &mut dyn FnMut(&str),
) -> io::Result<Option<End>> {
    let mut last_line = child.start;
    let mut stopping: Option<(End, Instant)> = None;
    loop {
        // Bounded, so that a child that talks faster than we listen still meets its limits.
        let mut taken = 0;
        for line in incoming.try_iter().take(AHEAD) {
            taken += 1;
            last_line = Clock.monotonic();
            on_line(&line);
        }
        let patience = if taken == AHEAD { Duration::ZERO } else { POLL };
        if child.handle.wait_timeout(patience)?.is_some() {
            return Ok(stopping.map(|(end, _)| end));
        }
        match stopping {
            None => {
                if let Some(end) = limit_reached(limits, child.start, last_line) {
                    signal_group(child.group, Signal::TERM);
                    stopping = Some((end, Clock.monotonic()));
                }
            }
            Some((_, since)) if since.elapsed() >= limits.grace => signal_group(child.group, Signal::KILL),
            Some(_) => {}
        }
    }
}

/// Hands on what was printed before the end. Only waiting counts against `DRAIN`, not the listener's time.
fn drain(incoming: &mpsc::Receiver<String>, on_line: &mut dyn FnMut(&str)) {
    let (mut patience, mut bytes) = (DRAIN, 0);
    while bytes <= DRAIN_BYTES {
        let asked = Clock.monotonic();
        let Ok(line) = incoming.recv_timeout(patience) else { return };
        patience = patience.saturating_sub(asked.elapsed());
        bytes += line.len() + 1;
        on_line(&line);
    }
}

fn limit_reached(limits: &Limits, start: Instant, last_line: Instant) -> Option<End> {
    let now = Clock.monotonic();
    if limits.interrupts.hard() || limits.deadline.is_some_and(|at| now >= at) {
        Some(End::Interrupted)
    } else if limits.wall.is_some_and(|wall| now - start >= wall) {
        Some(End::WallLimit)
    } else if limits.idle.is_some_and(|idle| now - last_line >= idle) {
        Some(End::IdleLimit)
    } else {
        None
    }
}

fn signal_group(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group
        && let Err(error) = rustix::process::kill_process_group(group, signal)
    {
        // No such process: the whole group has ended, which is what we want.
        tracing::trace!(%error, "process group already gone");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn shell(line: &str) -> Cmd {
        Cmd::shell(line, Path::new("/"), &Env::capture())
    }

    fn supervise(line: &str, limits: &Limits) -> (Ended, Vec<String>) {
        let mut lines = Vec::new();
        let ended = shell(line).supervise(limits, &mut |l| lines.push(l.to_owned())).unwrap();
        (ended, lines)
    }

    fn limits() -> Limits {
        Limits { grace: Duration::from_millis(100), ..Limits::wall(None, &Interrupts::default()) }
    }

    #[test]
    fn a_failure_shows_command_status_and_words() {
        let e = shell("echo no >&2; exit 3").run().unwrap().checked().expect_err("exit 3");
        assert_eq!(e.to_string(), "`sh -c 'echo no >&2; exit 3'` failed (exit status: 3): no");
        let e = Cmd::new("no-such-program", Path::new("/"), &Env::capture()).run().expect_err("absent");
        assert!(e.is_missing_program());
    }

    #[test]
    fn both_streams_arrive_line_by_line() {
        let (ended, lines) = supervise("echo a; echo b >&2; printf c", &limits());
        assert_eq!(ended.end, End::Exit(0));
        assert_eq!(lines, ["a", "b", "c"]);
        assert_eq!(ended.tail, "a\nb\nc");
    }

    #[test]
    fn a_child_that_ignores_sigterm_is_killed_with_its_children() {
        // Long enough for the shell to get as far as to ignore it, on a machine that has much else to do.
        let limits = Limits { wall: Some(Duration::from_secs(3)), ..limits() };
        let (ended, lines) = supervise("trap '' TERM; sleep 600 & echo $!; wait; sleep 600", &limits);
        assert_eq!(ended.end, End::WallLimit);
        let pid = Pid::from_raw(lines[0].parse().unwrap()).unwrap();
        // Killed is not yet reaped: wait for the kernel to forget it.
        while rustix::process::test_kill_process(pid).is_ok() {
            let state = std::fs::File::open(format!("/proc/{}/stat", lines[0]));
            let mut text = String::new();
            if state.is_ok_and(|mut f| f.read_to_string(&mut text).is_ok()) && text.contains(") Z") {
                break;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_background_child_does_not_hold_up_the_end() {
        let (ended, _) = supervise("sleep 600 & exit 0", &limits());
        assert_eq!(ended.end, End::Exit(0));
        assert!(ended.took < Duration::from_secs(60));
    }

    #[test]
    fn a_descendant_that_left_the_group_does_not_hold_up_the_end() {
        // It keeps our pipe open until the test lets it go, which is after `supervise` returned.
        let dir = tempfile::tempdir().unwrap();
        let [up, go] = ["up", "go"].map(|name| dir.path().join(name));
        Cmd::new("mkfifo", dir.path(), &Env::capture()).args([&up, &go]).run().unwrap().checked().unwrap();
        let (up, go_path) = (up.display(), go.display());
        let line = format!("setsid sh -c 'echo > {up}; read x < {go_path}' & read x < {up}; exit 0");
        let (ended, _) = supervise(&line, &limits());
        assert_eq!(ended.end, End::Exit(0));
        assert!(ended.took >= DRAIN, "the descendant did hold the pipe");
        std::fs::OpenOptions::new().read(true).write(true).open(&go).unwrap().write_all(b"\n").unwrap();
    }

    #[test]
    fn one_that_talks_faster_than_we_listen_meets_its_limits() {
        let limits = Limits { wall: Some(Duration::from_millis(200)), ..limits() };
        let slow = &mut |_: &str| {
            let start = Clock.monotonic();
            while start.elapsed() < Duration::from_micros(200) {}
        };
        let ended = shell("exec yes \"$(printf %01000d 0)\"").supervise(&limits, slow).unwrap();
        assert_eq!(ended.end, End::WallLimit);
    }

    #[test]
    fn a_file_can_be_what_it_reads() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("in");
        crate::sys::fs::write_atomic(&file, b"hello", 0o400, crate::sys::fs::Durability::None).unwrap();
        let out = Cmd::new("cat", dir.path(), &Env::capture()).stdin_file(&file).run().unwrap();
        assert_eq!(out.text(), "hello");
    }

    #[test]
    fn silence_is_a_limit_of_its_own() {
        let limits = Limits { idle: Some(Duration::from_millis(100)), ..limits() };
        assert_eq!(supervise("echo x; sleep 600", &limits).0.end, End::IdleLimit);
    }

    #[test]
    fn an_interrupt_stops_it() {
        let interrupts = Interrupts::default();
        interrupts.raise();
        interrupts.raise();
        let limits = Limits { interrupts, ..limits() };
        assert_eq!(supervise("sleep 600", &limits).0.end, End::Interrupted);
    }

    #[test]
    fn words_are_quoted_for_people_to_paste() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("HEAD^{tree}"), "'HEAD^{tree}'");
        assert_eq!(quote(""), "''");
    }
}
