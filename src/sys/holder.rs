//! Overlays that the sandboxed commands of one run share, held by a process of their own (`sandbox-hold`).

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::sys::env::Env;
use crate::sys::sandbox::{HOLD, Overlay, READY};

/// The process that holds them. It ends when this is dropped, and with us.
#[derive(Debug)]
pub struct Holder {
    child: Child,
    missing: Vec<usize>,
}

impl Holder {
    /// Mounts them. `launcher`: the program that does that when it is started so (`sandbox::take_over`). One that can't be
    /// mounted is left out.
    #[expect(
        clippy::disallowed_methods,
        reason = "a child that is talked to while it runs, which `Cmd` has not"
    )]
    pub fn start(launcher: &Path, overlays: &[Overlay], env: &Env) -> io::Result<Self> {
        let spec = serde_json::to_string(overlays)?;
        let mut command = Command::new(launcher);
        command
            .args([HOLD, &spec])
            .current_dir("/")
            .env_clear()
            .envs(env.iter())
            // A Ctrl-C is for us: running commands may still end by themselves.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut holder = Self { child: command.spawn()?, missing: Vec::new() };
        let mut line = String::new();
        if let Some(out) = holder.child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        match line.strip_prefix(READY) {
            Some(missing) => holder.missing = serde_json::from_str(missing)?,
            None => return Err(io::Error::other(holder.complaint())),
        }
        Ok(holder)
    }

    fn complaint(&mut self) -> String {
        let mut text = String::new();
        let said = self.child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut text));
        if let Some(Err(error)) = said { error.to_string() } else { text.trim().to_owned() }
    }

    /// Its process, for `Sandbox::holder`.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the `n`th overlay is mounted.
    pub fn has(&self, n: usize) -> bool {
        !self.missing.contains(&n)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            tracing::debug!(%error, "the holder of mounts ends without us");
        }
    }
}
