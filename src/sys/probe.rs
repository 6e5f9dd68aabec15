//! What this machine's kernel lets us do, found by trying it.

use std::path::Path;

use crate::sys::env::Env;
use crate::sys::process::Cmd;
use crate::sys::sandbox::{PROBE, Support};

/// Finds out what is there. `program`: the program whose first argument makes it a sandbox's process (`take_over`).
/// Whatever goes wrong is support that is not there.
pub fn sandbox(program: &Path, scratch: &Path, env: &Env) -> Support {
    if cfg!(not(target_os = "linux")) {
        return Support::default();
    }
    let probe = Cmd::new(program, Path::new("/"), env).args([PROBE.as_ref(), scratch.as_os_str()]);
    let said = probe.run().map(|output| output.text());
    let support = said.ok().and_then(|text| serde_json::from_str(&text).ok());
    support.unwrap_or_default()
}
