//! The process between the caller and the sandbox. It makes the namespaces and the root, starts the first process inside,
//! waits for it, and ends as the command ended.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};

use nix::sched::CloneFlags;
use rustix::process::Signal;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::sys::env::working_directory;
use crate::sys::sandbox::failure::{Failure, failed, read_args, tried};
use crate::sys::sandbox::spec::{INSIDE, Network, Sandbox};
use crate::sys::sandbox::{descriptors, loopback, namespaces, root, rules};

/// Runs a command in a sandbox.
pub(super) fn run(args: &[OsString]) -> u8 {
    let begun = descriptors::close_inherited(None).and_then(|()| read_args(args));
    match begun.and_then(|(sandbox, program, rest)| hold(&sandbox, program, rest, args)) {
        Ok(status) => status,
        Err(failure) => failed(&failure),
    }
}

fn hold(sandbox: &Sandbox, program: &OsStr, rest: &[OsString], args: &[OsString]) -> Result<u8, Failure> {
    let dir = working_directory().map_err(tried("find the working directory"))?;
    if !sandbox.support.namespaces {
        if sandbox.network != Network::On {
            return Err(Failure::Usage(
                "without namespaces there is no network but the machine's".to_owned(),
            ));
        }
        rules::restrict(sandbox, rules::Root::Machine)?;
        return Err(rules::exec(program, rest));
    }
    let program = std::env::current_exe().map_err(tried("find this program"))?;
    separate(sandbox)?;
    root::build(sandbox, &program)?;
    root::enter(&sandbox.root(), &dir)?;
    keep_capabilities()?;
    let (reader, writer) = rustix::pipe::pipe().map_err(tried("make a pipe"))?;
    rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::CLOEXEC).map_err(tried("close a pipe"))?;
    let report = OsString::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
    let mut first = command(root::PROGRAM)
        .arg(INSIDE)
        .arg(report)
        .args(args)
        .spawn()
        .map_err(tried("start the first process"))?;
    drop(writer);
    let mut said = String::new();
    File::from(reader).read_to_string(&mut said).map_err(tried("hear from the first process"))?;
    let status = first.wait().map_err(tried("wait for the first process"))?;
    end(&said, status.code())
}

/// Makes the namespaces: new ones, or some of our own besides those of the holder.
fn separate(sandbox: &Sandbox) -> Result<(), Failure> {
    match sandbox.holder {
        None => namespaces::own(separated(sandbox.network))?,
        Some(holder) => {
            namespaces::join(holder)?;
            namespaces::further(separated(sandbox.network))?;
        }
    }
    // Before the namespaces it would be forgotten with the old credentials. Whoever started us is to outlive us: it holds
    // the lock on what we write.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(tried("end with the parent"))?;
    if sandbox.network == Network::Loopback {
        loopback::up().map_err(tried("bring the loopback interface up"))?;
    }
    Ok(())
}

/// What no two commands have in common.
fn separated(network: Network) -> CloneFlags {
    let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC;
    if network == Network::On { flags } else { flags | CloneFlags::CLONE_NEWNET }
}

#[expect(clippy::disallowed_methods, reason = "below `sys::process`: the environment is the caller's")]
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::inherit());
    command
}

/// Ends as the command ended.
fn end(said: &str, status: Option<i32>) -> Result<u8, Failure> {
    if let Some(why) = said.strip_prefix("failed ") {
        return Err(Failure::Usage(why.to_owned()));
    }
    if let Some(signal) = said.strip_prefix("signal ").and_then(|text| text.trim().parse().ok())
        && let Some(signal) = Signal::from_named_raw(signal)
    {
        // Whoever waits for us sees how the command ended. The first SIGSEGV or SIGBUS only ends Rust's handler for it.
        for _ in 0..2 {
            rustix::process::kill_process(rustix::process::getpid(), signal)
                .map_err(tried("end by a signal"))?;
        }
        return Ok(u8::try_from(128 + signal.as_raw()).unwrap_or(u8::MAX));
    }
    match status {
        Some(code) => Ok(u8::try_from(code).unwrap_or(u8::MAX)),
        None => Err(Failure::Usage("the first process was killed".to_owned())),
    }
}

/// Lets the first process, which is another program, have the capabilities that we have in our namespaces.
fn keep_capabilities() -> Result<(), Failure> {
    let all = rustix::thread::capabilities(None).map_err(tried("read capabilities"))?;
    let wanted = CapabilitySet::SYS_ADMIN | CapabilitySet::SETPCAP;
    let sets = CapabilitySets { inheritable: wanted, ..all };
    rustix::thread::set_capabilities(None, sets).map_err(tried("keep capabilities"))?;
    for one in wanted.iter() {
        rustix::thread::configure_capability_in_ambient_set(one, true).map_err(tried("keep capabilities"))?;
    }
    Ok(())
}
