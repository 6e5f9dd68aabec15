//! Children that somebody else may keep waiting: git on a network.
//!
//! Beside `Cmd::run`, which waits for ever, and `Cmd::supervise`, which takes the terminal away. May touch only what it
//! started. Deliberately absent: a limit on silence, since git is told to be quiet.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::time::Duration;

use rustix::process::Signal;

use crate::sys::ancestry;
use crate::sys::failpoint::{self, Point};
use crate::sys::process::{Cmd, Output, ProcessError};

/// From SIGTERM, at which git removes its lock files, to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

impl Cmd {
    /// Runs to the end and captures what it printed, as `run`; None if that took longer than `limit` and it was
    /// stopped, with everything that it had started. It stays in our process group: ssh may ask at the terminal, and
    /// Ctrl-C reaches it.
    pub fn run_within(&self, limit: Duration) -> Result<Option<Output>, ProcessError> {
        let failed = |source| ProcessError::Spawn { line: self.line(), source };
        // Files, not pipes: a child of the child that outlives it would hold a pipe open.
        let (out, err) = (tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?);
        let ends = (out.try_clone().map_err(failed)?, err.try_clone().map_err(failed)?);
        tracing::debug!(line = %self.line(), ?limit, "run within");
        let handle = self.expression().stdout_file(ends.0).stderr_file(ends.1).start().map_err(failed)?;
        failpoint::at(Point::RemoteAsked);
        let Some(status) = handle.wait_timeout(limit).map_err(failed)?.map(|output| output.status) else {
            stop(&handle, &ancestry::signal).map_err(failed)?;
            return Ok(None);
        };
        let stderr = all_of(err).map_err(failed)?;
        Ok(Some(Output {
            line: self.line(),
            status,
            stdout: all_of(out).map_err(failed)?,
            stderr: String::from_utf8_lossy(&stderr).trim().to_owned(),
        }))
    }
}

fn all_of(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Ends the child and what is below it: ssh does not notice that git is gone while its server is silent. What can't be
/// signalled, one below that changed its user, does not keep the others going.
fn stop(handle: &duct::Handle, signal: &dyn Fn(i32, Signal) -> io::Result<()>) -> io::Result<()> {
    let send = |pid, wanted| {
        if let Err(error) = signal(pid, wanted) {
            tracing::debug!(pid, %error, "a child of a stopped command can't be signalled");
        }
    };
    let all: Vec<(i32, Vec<String>)> = handle
        .pids()
        .into_iter()
        .filter_map(|pid| i32::try_from(pid).ok())
        .flat_map(|pid| std::iter::once(pid).chain(ancestry::below(pid)))
        .map(|pid| (pid, ancestry::command_of(pid)))
        .collect();
    for (pid, _) in &all {
        send(*pid, Signal::TERM);
    }
    let ended = handle.wait_timeout(GRACE);
    for (pid, command) in &all {
        // The id may be another's by now.
        if ancestry::command_of(*pid) == *command {
            send(*pid, Signal::KILL);
        }
    }
    handle.kill()?;
    handle.wait()?;
    ended.map(drop)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::sys::clock::Clock;
    use crate::sys::env::Env;

    fn shell(line: &str, dir: &Path) -> Cmd {
        Cmd::shell(line, dir, &Env::capture())
    }

    /// Looks until `seen` holds. Fails when it never will.
    fn wait_for(what: &str, mut seen: impl FnMut() -> bool) {
        let start = Clock.monotonic();
        while !seen() {
            assert!(start.elapsed() < Duration::from_secs(30), "{what}: it did not happen");
            Clock.wait(Duration::from_millis(1));
        }
    }

    #[test]
    fn one_that_ends_in_time_is_as_any_other() {
        let cmd = shell("echo out; echo err >&2; exit 3", Path::new("/"));
        let (timed, plain) = (cmd.run_within(Duration::from_secs(600)).unwrap().unwrap(), cmd.run().unwrap());
        assert_eq!((timed.text(), timed.stderr), (plain.text(), plain.stderr));
        assert_eq!(timed.status.code(), Some(3));
    }

    #[test]
    fn one_that_does_not_is_stopped_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let line = "trap '' TERM; sleep 600 & echo $! > child; wait; sleep 600";
        assert!(shell(line, dir.path()).run_within(Duration::from_millis(300)).unwrap().is_none());
        let child: i32 =
            crate::sys::fs::read_string(&dir.path().join("child")).unwrap().trim().parse().unwrap();
        // Killed is not yet gone: wait for the kernel to forget its command line.
        wait_for("its end", || ancestry::command_of(child).is_empty());
    }

    #[test]
    fn one_that_can_not_be_signalled_does_not_save_the_others() {
        let handle = shell("sleep 600 & wait", Path::new("/")).expression().start().unwrap();
        let own = i32::try_from(handle.pids()[0]).unwrap();
        wait_for("its child", || !ancestry::below(own).is_empty());
        let refusing = |pid, wanted| {
            if pid == own {
                Err(io::ErrorKind::PermissionDenied.into())
            } else {
                ancestry::signal(pid, wanted)
            }
        };
        let below = ancestry::below(own)[0];
        stop(&handle, &refusing).unwrap();
        assert!(handle.try_wait().unwrap().is_some());
        wait_for("its child's end", || ancestry::command_of(below).is_empty());
    }
}
