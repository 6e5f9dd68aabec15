//! Processes on a terminal, and what somebody types there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use git_orch::sys::clock::Clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::run::Cmd;

/// For how long a text, or the end, is waited for: what takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process whose three streams are one terminal.
pub(crate) struct OnTerminal {
    /// The side of whoever sits there.
    person: File,
    child: Child,
    seen: String,
}

impl OnTerminal {
    /// Starts it.
    pub(crate) fn start(cmd: &Cmd) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&person).expect("it is ours");
        unlockpt(&person).expect("it is ours");
        let name = ptsname(&person, Vec::new()).expect("it has a name");
        let side = || {
            let end = rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
            Stdio::from(end.expect("its other side"))
        };
        let mut command = cmd.clone().var("TERM", "dumb").command();
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().expect("it starts");
        Self { person: File::from(person), child, seen: String::new() }
    }

    /// Waits until `text` is on the screen.
    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) {
        self.sees_times(text, 1);
    }

    /// Waits until `text` was shown so often.
    #[track_caller]
    pub(crate) fn sees_times(&mut self, text: &str, times: usize) {
        let deadline = Clock.monotonic() + PATIENCE;
        while self.seen.matches(text).count() < times {
            assert!(self.read(deadline), "{text:?} is never shown:\n{}", self.seen);
        }
    }

    /// Types, and presses Enter.
    pub(crate) fn types(&mut self, line: &str) {
        self.person.write_all(format!("{line}\n").as_bytes()).expect("somebody listens");
    }

    /// Presses Ctrl-D at the beginning of a line.
    pub(crate) fn ends_input(&mut self) {
        self.person.write_all(b"\x04").expect("somebody listens");
    }

    /// What Ctrl-C does.
    pub(crate) fn interrupts(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process id"), Signal::INT).expect("it is ours");
    }

    /// Its exit code and all that was shown.
    #[track_caller]
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        let deadline = Clock.monotonic() + PATIENCE;
        while self.read(deadline) {}
        let status = self.child.wait().expect("it is ours");
        (status.code(), self.seen.replace("\r\n", "\n"))
    }

    /// Reads on. A terminal that nobody is at any more can't be read. Fails at `deadline`: the process is ended, because
    /// it would wait for an answer for ever.
    #[track_caller]
    fn read(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Clock.monotonic());
        let left = Timespec::try_from(left).expect("a minute");
        if let Ok(0) = poll(&mut [PollFd::new(&self.person, PollFlags::IN)], Some(&left)) {
            drop(self.child.kill());
            panic!("nothing more is shown:\n{}", self.seen);
        }
        let mut chunk = [0; 1024];
        let read = self.person.read(&mut chunk).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
        read > 0
    }
}
