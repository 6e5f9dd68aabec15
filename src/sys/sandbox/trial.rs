//! The process that tries what the kernel lets us do: it restricts itself, which the caller must not.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::sys::sandbox::rules;
use crate::sys::sandbox::spec::{Network, OUTSIDE, SYSTEM, Sandbox, Support};

/// Prints the `Support` of this machine.
pub(super) fn run(args: &[OsString]) -> u8 {
    let Some(scratch) = args.first() else { return 2 };
    let namespaces = holds(&Sandbox {
        reads: SYSTEM.iter().map(PathBuf::from).collect(),
        writes: Vec::new(),
        placed: Vec::new(),
        holder: None,
        hidden: Vec::new(),
        home: Vec::new(),
        scratch: PathBuf::from(scratch),
        network: Network::Loopback,
        support: Support { namespaces: true, landlock: 0 },
    });
    let support = Support { namespaces, landlock: rules::version() };
    let text = serde_json::to_string(&support).unwrap_or_default();
    u8::from(writeln!(io::stdout(), "{text}").is_err())
}

/// Whether a command runs in such a sandbox.
#[expect(
    clippy::disallowed_methods,
    reason = "below `sys::process`: directory and environment are the caller's"
)]
fn holds(sandbox: &Sandbox) -> bool {
    let (Ok(program), Ok(spec)) = (std::env::current_exe(), serde_json::to_string(sandbox)) else {
        return false;
    };
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .args([OUTSIDE, &spec, "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
