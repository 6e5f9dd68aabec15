//! Processes: starting them, and what is shown of their end.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use git_orch::sys;

use crate::env::TestEnv;

/// A process to be started.
#[derive(Clone)]
pub(crate) struct Cmd {
    env: TestEnv,
    program: OsString,
    args: Vec<OsString>,
    dir: PathBuf,
    vars: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
}

impl Cmd {
    /// `program` in `env` with exactly the variables `vars`.
    pub(crate) fn new(env: &TestEnv, program: &OsStr, vars: &[(OsString, OsString)]) -> Self {
        Self {
            env: env.clone(),
            program: program.to_owned(),
            args: Vec::new(),
            dir: env.root().to_owned(),
            vars: vars.to_vec(),
            stdin: Vec::new(),
        }
    }

    /// Adds arguments.
    pub(crate) fn args(mut self, args: &[impl AsRef<OsStr>]) -> Self {
        self.args.extend(args.iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets the working directory.
    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        dir.clone_into(&mut self.dir);
        self
    }

    /// Sets a variable.
    pub(crate) fn var(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.vars.retain(|(k, _)| k != name);
        self.vars.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Feeds standard input; otherwise it is at its end.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs to the end.
    pub(crate) fn run(&self) -> Outcome {
        self.spawn().wait()
    }

    /// Starts without waiting.
    #[expect(clippy::disallowed_methods, reason = "tests start processes by other code than what they test")]
    pub(crate) fn spawn(&self) -> Running {
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .current_dir(&self.dir)
            .env_clear()
            .envs(self.vars.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run {}: {e}", self.line()));
        let mut input = child.stdin.take().expect("it is piped");
        let bytes = self.stdin.clone();
        let feeder = std::thread::spawn(move || {
            // A child that does not read its input is its own affair.
            drop(input.write_all(&bytes));
        });
        Running { env: self.env.clone(), line: self.line(), child, feeder, said: Vec::new() }
    }

    /// The process as the standard library starts it, without its streams.
    #[expect(clippy::disallowed_methods, reason = "tests start processes by other code than what they test")]
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let vars = self.vars.iter().map(|(k, v)| (k, v));
        command.args(&self.args).current_dir(&self.dir).env_clear().envs(vars);
        command
    }

    fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|w| sys::process::quote(&w.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }
}

/// Starts all of `commands`, then waits for all. Outcomes are in the order of the commands.
pub(crate) fn together(commands: &[Cmd]) -> Vec<Outcome> {
    let running: Vec<Running> = commands.iter().map(Cmd::spawn).collect();
    // A thread each: a child that fills its pipe must not wait for the ones before it.
    let waiting: Vec<_> = running.into_iter().map(|r| std::thread::spawn(|| r.wait())).collect();
    waiting.into_iter().map(|w| w.join().expect("waiting does not panic")).collect()
}

/// A process that was started.
pub(crate) struct Running {
    env: TestEnv,
    line: String,
    child: Child,
    feeder: std::thread::JoinHandle<()>,
    /// What was read of its standard error so far.
    said: Vec<u8>,
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
    }

    /// Sends a signal, e.g. `rustix::process::Signal::INT`.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process id"), signal).expect("it is ours");
    }

    /// Waits until `text` is on its standard error.
    #[track_caller]
    pub(crate) fn says(&mut self, text: &str) {
        let stderr = self.child.stderr.as_mut().expect("it is piped");
        let mut chunk = [0; 1024];
        while !String::from_utf8_lossy(&self.said).contains(text) {
            let read = stderr.read(&mut chunk).expect("a pipe can be read");
            assert!(
                read > 0,
                "`{}` never said {text:?}:\n{}",
                self.line,
                String::from_utf8_lossy(&self.said)
            );
            self.said.extend_from_slice(&chunk[..read]);
        }
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Outcome {
        let output = self.child.wait_with_output().expect("it is ours");
        self.said.extend_from_slice(&output.stderr);
        self.feeder.join().expect("feeding does not panic");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&self.said));
        self.env.redactor(|r| r.learn(&stdout));
        Outcome(Done { env: self.env, line: self.line, stdout, stderr, status: output.status })
    }
}

/// How a process ended. Must be looked at: as a snapshot (`to_string`), or with `success` or `code`.
#[must_use = "snapshot it, or say what you expect with .success() or .code(n)"]
pub(crate) struct Outcome(Done);

/// How a process ended, after somebody looked.
pub(crate) struct Done {
    env: TestEnv,
    line: String,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
    status: ExitStatus,
}

impl Outcome {
    /// It exited with 0, or the test fails and shows everything.
    #[track_caller]
    pub(crate) fn success(self) -> Done {
        self.code(0)
    }

    /// It exited with `code`, or the test fails and shows everything.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Done {
        assert!(
            self.0.status() == code,
            "`{}`: expected exit {code}\n{}\n---- stderr\n{}\n{}",
            self.0.line,
            self.0.stdout,
            self.0.stderr,
            ended(self.0.status)
        );
        self.0
    }

    /// Any end will do.
    pub(crate) fn any(self) -> Done {
        self.0
    }
}

impl std::ops::Deref for Outcome {
    type Target = Done;
    fn deref(&self) -> &Done {
        &self.0
    }
}

impl Done {
    /// Its exit code; 128 + n for a signal, as a shell says it.
    pub(crate) fn status(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// The signal that ended it.
    #[cfg(debug_assertions)]
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Its standard output, which has to be one line, without the line end.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let line = self.stdout.trim_end_matches('\n');
        assert!(!line.is_empty() && !line.contains('\n'), "`{}`: not one line: {line:?}", self.line);
        line.to_owned()
    }

    /// The lines of its standard output.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.stdout.lines().map(str::to_owned).collect()
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("`{}`: {e}\n{}\n{}", self.line, self.stdout, self.stderr))
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("[exit: {code}]"),
        (None, signal) => format!("[signal: {}]", signal.unwrap_or(0)),
    }
}

impl fmt::Display for Done {
    /// Both streams and the end in one string, redacted, for a snapshot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.stdout.trim_end().to_owned();
        if !self.stderr.trim().is_empty() {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str("---- stderr\n");
            text.push_str(self.stderr.trim_end());
        }
        if !text.is_empty() {
            text.push('\n');
        }
        write!(f, "{}{}", self.env.redacted(&text), ended(self.status))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
