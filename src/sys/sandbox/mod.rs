//! The sandbox: what the gate, setup, fixers and agents run in.
//!
//! Called by `gate` and `agent` through `Cmd::within`. A sandboxed command is this program, started again as `git-orch
//! sandbox-exec`, which builds a root directory of what the command may see, in namespaces of its own, and becomes the
//! first process in there; the command is its child. When the first process ends, the kernel ends all others, whatever
//! groups and sessions they made. Landlock holds the command once more, and alone where there are no namespaces.
//!
//! What several commands of one run share beyond plain directories (overlays) is mounted by one more process, `git-orch
//! sandbox-hold`, whose namespaces they join (`sys::holder`).
//!
//! Invariants: what is not named in a `Sandbox` does not exist for the command; it has no capability and never gets
//! one; nothing of it outlives it; no file that the caller had open is its. What this machine can't do is said
//! (`Support`), never passed over: a sandbox that can't be built as it was asked for is an error, and the command
//! does not run. Deliberately absent: what is allowed to whom (`gate`, `agent`), and other systems than Linux, where
//! `Support` has nothing.

#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(target_os = "linux")]
mod failure;
#[cfg(target_os = "linux")]
mod hold;
#[cfg(target_os = "linux")]
mod inside;
#[cfg(target_os = "linux")]
mod loopback;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod outside;
#[cfg(target_os = "linux")]
mod root;
#[cfg(target_os = "linux")]
mod rules;
mod spec;
#[cfg(target_os = "linux")]
mod trial;

use std::ffi::OsString;

#[cfg(target_os = "linux")]
use spec::INSIDE;
pub use spec::{
    FAILED, HOLD, Network, OUTSIDE, Overlay, PROBE, Placed, READY, STATUS, SYSTEM, Sandbox, Strength, Support,
};

/// Does what a sandbox's processes do if this program was started as one of them. The status to exit with.
#[cfg(target_os = "linux")]
pub fn take_over(args: &[OsString]) -> Option<u8> {
    match args.get(1)?.to_str()? {
        OUTSIDE => Some(outside::run(args.get(2..)?)),
        INSIDE => Some(inside::run(args.get(2..)?)),
        HOLD => Some(hold::run(args.get(2..)?)),
        PROBE => Some(trial::run(args.get(2..)?)),
        _ => None,
    }
}

/// Does what a sandbox's processes do if this program was started as one of them. The status to exit with.
#[cfg(not(target_os = "linux"))]
pub fn take_over(_args: &[OsString]) -> Option<u8> {
    None
}
