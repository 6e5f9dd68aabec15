//! Signatures under verdicts, by OpenSSH's `ssh-keygen -Y`: who made a verdict on another machine, for those who said whom
//! they believe.
//!
//! Signs where `git config orch.signingKey` names a key; believes whom `policy.signers` of trunk names. A private key is
//! read by `ssh-keygen` or by an agent of the user's, outside of every sandbox. What is signed is the statement that others
//! read (`gate::statement`).

use std::path::{Path, PathBuf};

use crate::domain::verdict::Verdict;
use crate::gate::{NAMESPACE, signed_bytes, statement};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::store::Snapshot;
use crate::sys::env::var;
use crate::sys::fs::{self, FsError};
use crate::sys::process::Cmd;

const PROGRAM: &str = "ssh-keygen";

/// Signs a verdict if there is a key for that; says why it could not.
pub(super) fn sign(cx: &Ctx, verdict: &mut Verdict) -> Result<Option<String>, OpError> {
    let Some(key) = &cx.local.signing_key else { return Ok(None) };
    let key = match (key.strip_prefix("~"), cx.env.get(var::HOME)) {
        (Ok(below), Some(home)) => Path::new(home).join(below),
        _ => key.clone(),
    };
    let dir = scratch(cx)?;
    let bytes = dir.path().join("statement");
    fs::write_new(&bytes, &signed_bytes(&statement(verdict)), 0o600)?;
    let run = keygen(cx, "sign").args(["-n", NAMESPACE, "-f"]).args([&key, &bytes]).run();
    let output = match run {
        Ok(output) => output,
        Err(error) => return Ok(Some(error.to_string())),
    };
    if !output.status.success() {
        return Ok(Some(format!("{PROGRAM}: {}", output.stderr.lines().last().unwrap_or("it failed"))));
    }
    verdict.signature = Some(fs::read_string(&dir.path().join("statement.sig"))?);
    Ok(None)
}

/// Those whose verdicts count. Trunk is not asked before somebody's signature is looked at.
pub(crate) struct Signers<'a> {
    cx: &'a Ctx,
    snapshot: &'a Snapshot<'a>,
    /// The lines of allowed signers, once they were asked for.
    lines: Option<Vec<String>>,
}

impl<'a> Signers<'a> {
    /// Those that trunk names.
    pub(crate) fn new(cx: &'a Ctx, snapshot: &'a Snapshot<'a>) -> Self {
        Self { cx, snapshot, lines: None }
    }

    /// Who of them signed a verdict; None if none did.
    pub(crate) fn of(&mut self, verdict: &Verdict) -> Result<Option<String>, OpError> {
        let Some(signature) = &verdict.signature else { return Ok(None) };
        let lines = self.lines()?;
        if lines.is_empty() {
            return Ok(None);
        }
        let allowed = format!("{}\n", lines.join("\n"));
        let key = (format!("{allowed}{signature}"), signed_bytes(&statement(verdict)));
        // A program that starts others takes longer than all the rest.
        if let Some(known) = self.cx.signed.borrow().get(&key) {
            return Ok(known.clone());
        }
        let name = self.look(&allowed, signature, &key.1)?;
        self.cx.signed.borrow_mut().insert(key, name.clone());
        Ok(name)
    }

    /// Has `ssh-keygen` say whose signature of these bytes it is.
    fn look(&self, lines: &str, signature: &str, bytes: &[u8]) -> Result<Option<String>, OpError> {
        let dir = scratch(self.cx)?;
        let [allowed, signed] = ["allowed", "signature"].map(|name| dir.path().join(name));
        fs::write_new(&allowed, lines.as_bytes(), 0o600)?;
        fs::write_new(&signed, signature.as_bytes(), 0o600)?;
        let find = keygen(self.cx, "find-principals").args([Path::new("-f"), &allowed]);
        let found = match find.args([Path::new("-s"), &signed]).run() {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "signatures can't be checked, and count for nothing");
                return Ok(None);
            }
        };
        let names = found.text();
        let Some(name) = names.lines().next().filter(|_| found.status.success()) else { return Ok(None) };
        let verify = keygen(self.cx, "verify").args(["-n", NAMESPACE, "-I", name]);
        let verify = verify.args([Path::new("-f"), &allowed]).args([Path::new("-s"), &signed]);
        let verified = verify.stdin(bytes).run()?;
        Ok(verified.status.success().then(|| name.to_owned()))
    }

    fn lines(&mut self) -> Result<Vec<String>, OpError> {
        if let Some(lines) = &self.lines {
            return Ok(lines.clone());
        }
        let trunk = self.cx.trunk(self.snapshot)?;
        // A trunk whose configuration can't be read believes nobody.
        let lines = match self.cx.config(&trunk) {
            Ok(config) => config.policy.signers,
            Err(OpError::Config { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        self.lines = Some(lines.clone());
        Ok(lines)
    }
}

fn keygen(cx: &Ctx, what: &str) -> Cmd {
    // Nobody is asked for a passphrase: there may be nobody, and whoever is there types something else.
    let cmd = Cmd::new(PROGRAM, cx.repo.common_dir(), &cx.env).env("SSH_ASKPASS_REQUIRE", "force");
    cmd.env("SSH_ASKPASS", "/bin/false").args(["-q", "-Y", what])
}

fn scratch(cx: &Ctx) -> Result<tempfile::TempDir, OpError> {
    let place = cx.repo.orch_dir();
    fs::create_dir_all(&place)?;
    let made = tempfile::Builder::new().prefix("sign-").tempdir_in(&place);
    Ok(made.map_err(|source| FsError {
        action: "make a directory in",
        path: PathBuf::from(&place),
        source,
    })?)
}
