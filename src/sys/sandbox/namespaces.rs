//! Namespaces: made, and joined. In all of them our user and group are what they are outside.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use nix::sched::CloneFlags;

use crate::sys::sandbox::failure::{Failure, tried};

/// Makes a user namespace, and those of `flags` in it.
pub(super) fn own(flags: CloneFlags) -> Result<(), Failure> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    further(CloneFlags::CLONE_NEWUSER | flags)?;
    // Without this the kernel lets nobody but root map a group.
    write_map("setgroups", "deny")?;
    write_map("gid_map", &format!("{group} {group} 1"))?;
    write_map("uid_map", &format!("{user} {user} 1"))
}

/// Makes namespaces in the user namespace that we are in.
pub(super) fn further(flags: CloneFlags) -> Result<(), Failure> {
    nix::sched::unshare(flags).map_err(tried("make namespaces"))
}

/// Joins the user and the mount namespace of the process `holder`. The working directory is `/` then.
pub(super) fn join(holder: u32) -> Result<(), Failure> {
    let open = |name: &str| {
        let path = format!("/proc/{holder}/ns/{name}");
        File::open(&path).map_err(tried(format!("open {path}")))
    };
    // Both before the first is joined: what may be opened depends on who we are. The user namespace first: it gives the
    // right to join the other.
    let (user, mounts) = (open("user")?, open("mnt")?);
    nix::sched::setns(user, CloneFlags::CLONE_NEWUSER).map_err(tried("join the user namespace"))?;
    nix::sched::setns(mounts, CloneFlags::CLONE_NEWNS).map_err(tried("join the mount namespace"))
}

fn write_map(name: &str, text: &str) -> Result<(), Failure> {
    let path = Path::new("/proc/self").join(name);
    let mut file =
        File::options().write(true).open(&path).map_err(tried(format!("open {}", path.display())))?;
    file.write_all(text.as_bytes()).map_err(tried(format!("write {}", path.display())))
}
