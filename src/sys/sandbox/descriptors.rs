//! What a command must not inherit: files and sockets that whoever called git-orch had open.

use std::os::fd::RawFd;
use std::path::Path;

use nix::errno::Errno;

use crate::sys::fs;
use crate::sys::sandbox::failure::{Failure, tried};

/// Closes all but the standard streams and `kept`. To be called before this process has opened anything else of its own:
/// what is closed is not asked whose it is.
pub(super) fn close_inherited(kept: Option<RawFd>) -> Result<(), Failure> {
    let open = fs::entries(Path::new("/proc/self/fd"))?;
    let numbers = open.iter().filter_map(|(name, _)| name.to_str()?.parse::<RawFd>().ok());
    for number in numbers.filter(|number| *number > 2 && Some(*number) != kept) {
        match nix::unistd::close(number) {
            // That by which the list was read is closed already.
            Ok(()) | Err(Errno::EBADF) => {}
            Err(error) => return Err(tried("close what the caller had open")(error)),
        }
    }
    Ok(())
}
