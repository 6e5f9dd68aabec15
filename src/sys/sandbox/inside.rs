//! The first process of a sandbox: gives up what it was given, starts the command, and buries the orphans.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

use rustix::mount::MountFlags;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::sys::sandbox::failure::{Failure, failed, read_args, tried};
use crate::sys::sandbox::{descriptors, rules};

pub(super) fn run(args: &[OsString]) -> u8 {
    let Some((report, args)) = args.split_first() else {
        return failed(&Failure::Usage("no report".to_owned()));
    };
    let mut report = match File::options().write(true).open(report) {
        Ok(report) => report,
        Err(source) => return failed(&tried::<io::Error>("open the report")(source)),
    };
    // The report has come to us by one that the command is not to have, or it could say how it ended itself.
    let begun = descriptors::close_inherited(Some(report.as_raw_fd())).and_then(|()| begin(args));
    let (said, status) = match begun {
        Ok(Ended::Exit(code)) => (format!("exit {code}"), code),
        Ok(Ended::Signal(signal)) => (format!("signal {signal}"), u8::MAX),
        Err(failure) => (format!("failed {failure}"), u8::MAX),
    };
    // If nobody listens any more, nobody is to be told.
    drop(report.write_all(said.as_bytes()));
    status
}

/// How the command ended.
enum Ended {
    Exit(u8),
    Signal(i32),
}

fn begin(args: &[OsString]) -> Result<Ended, Failure> {
    let (sandbox, program, rest) = read_args(args)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(tried("end with the parent"))?;
    // Where it is refused (below another container), the machine's is there, and Landlock keeps us from using it.
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if let Err(error) = rustix::mount::mount("proc", "/proc", "proc", flags, None) {
        tracing::debug!(%error, "no own /proc");
    }
    rules::restrict(&sandbox, rules::Root::Own)?;
    drop_capabilities()?;
    match spawn(program, rest) {
        Ok(child) => Ok(bury(child)),
        Err(error) => Ok(Ended::Exit(not_started(program, &error))),
    }
}

/// As a shell says it: 127 for what is not there, 126 for what can't be executed.
fn not_started(program: &OsStr, error: &io::Error) -> u8 {
    let missing = error.kind() == io::ErrorKind::NotFound;
    let what = if missing { "not found".to_owned() } else { error.to_string() };
    drop(writeln!(io::stderr(), "{}: {what}", program.display()));
    if missing { 127 } else { 126 }
}

/// Nobody inside can have any capability again: not even a program that a user may run as root.
fn drop_capabilities() -> Result<(), Failure> {
    let what = || tried::<rustix::io::Errno>("drop capabilities");
    rustix::thread::clear_ambient_capability_set().map_err(what())?;
    for one in CapabilitySet::all().iter() {
        // A kernel older than we knows fewer of them.
        if rustix::thread::capability_is_in_bounding_set(one).unwrap_or(false) {
            rustix::thread::remove_capability_from_bounding_set(one).map_err(what())?;
        }
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).map_err(what())?;
    rustix::thread::set_no_new_privs(true).map_err(what())
}

#[expect(
    clippy::disallowed_methods,
    reason = "below `sys::process`: directory and environment are the caller's"
)]
fn spawn(program: &OsStr, args: &[OsString]) -> io::Result<Pid> {
    let child = Command::new(program).args(args).spawn()?;
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("no process id"))
}

/// Waits for the command, and for whatever lost its parent meanwhile. What is left then ends with us.
fn bury(child: Pid) -> Ended {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == child => return ended(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                drop(writeln!(io::stderr(), "wait: {error}"));
                return Ended::Exit(u8::MAX);
            }
        }
    }
}

fn ended(status: WaitStatus) -> Ended {
    let status = ExitStatus::from_raw(status.as_raw());
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exit(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, signal) => Ended::Signal(signal.unwrap_or(0)),
    }
}
