//! The process that holds the overlays of one run: each is mounted once, whatever number of commands uses it. Two mounts
//! with the same upper directory at a time would not know of each other, and what comes of that is undefined.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;

use nix::sched::CloneFlags;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
};
use rustix::process::Signal;

use crate::sys::fs;
use crate::sys::sandbox::failure::{Failure, failed, tried};
use crate::sys::sandbox::spec::{Overlay, READY};
use crate::sys::sandbox::{descriptors, namespaces};

/// Mounts what it is given, says which of it could not be mounted, and waits for the end of its input.
pub(super) fn run(args: &[OsString]) -> u8 {
    match descriptors::close_inherited(None).and_then(|()| begin(args)) {
        Ok(()) => 0,
        Err(failure) => failed(&failure),
    }
}

fn begin(args: &[OsString]) -> Result<(), Failure> {
    let text = args.first().and_then(|spec| spec.to_str());
    let text = text.ok_or_else(|| Failure::Usage("no specification".to_owned()))?;
    let overlays: Vec<Overlay> =
        serde_json::from_str(text).map_err(|error| Failure::Usage(error.to_string()))?;
    namespaces::own(CloneFlags::CLONE_NEWNS)?;
    // A parent that is gone already has closed our input.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(tried("end with the parent"))?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(tried("make mounts private"))?;
    let mut missing = Vec::new();
    for (n, overlay) in overlays.iter().enumerate() {
        if let Err(failure) = mount(overlay) {
            tracing::debug!(%failure, at = %overlay.at.display(), "not laid over");
            missing.push(n);
        }
    }
    let missing = serde_json::to_string(&missing).unwrap_or_default();
    let mut out = io::stdout();
    writeln!(out, "{READY}{missing}").and_then(|()| out.flush()).map_err(tried("say that it is ready"))?;
    drop(io::stdin().read_to_end(&mut Vec::new()));
    Ok(())
}

fn mount(overlay: &Overlay) -> Result<(), Failure> {
    let what = || tried::<rustix::io::Errno>(format!("lay over {}", overlay.at.display()));
    for dir in [&overlay.at, &overlay.upper, &overlay.work] {
        fs::create_dir_all(dir)?;
    }
    let open = |dir: &Path| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(dir, flags, Mode::empty()).map(File::from).map_err(what())
    };
    // The kernel takes no more than 255 bytes here, and has its own thoughts about colons and commas: names by which open
    // directories are found are short and plain.
    let name = |dir: &File| format!("/proc/self/fd/{}", dir.as_raw_fd());
    let lower: Vec<File> = overlay.lower.iter().map(|dir| open(dir)).collect::<Result<_, _>>()?;
    let (upper, work) = (open(&overlay.upper)?, open(&overlay.work)?);
    let names: Vec<String> = lower.iter().map(name).collect();
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(what())?;
    let context = context.as_fd();
    fsconfig_set_string(context, "lowerdir", names.join(":")).map_err(what())?;
    fsconfig_set_string(context, "upperdir", name(&upper)).map_err(what())?;
    fsconfig_set_string(context, "workdir", name(&work)).map_err(what())?;
    fsconfig_set_flag(context, "userxattr").map_err(what())?;
    fsconfig_create(context).map_err(what())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mount = fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(what())?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(mount.as_fd(), "", CWD, &overlay.at, flags).map_err(what())
}
