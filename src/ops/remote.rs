//! What goes over the network: bringing trunk up to date, and how long a remote may keep us waiting.

use crate::config::StateSync;
use crate::ops::attested;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::held::{self, Waited};
use crate::sys::fs::{self, Durability};
use crate::sys::lock::FileLock;
use crate::sys::process::{Cmd, Output};

/// How bringing trunk up to date ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// There is nothing to fetch from, or it is switched off.
    NotNeeded,
    /// The tracking ref is what the remote has.
    Fresh,
    /// The remote could not be reached; what git said.
    Offline(String),
}

/// Fetches trunk from its remote, unless another process of this clone did since `started`.
pub(crate) fn fetch_trunk(cx: &Ctx, trunk: &Trunk) -> Result<Fetched, OpError> {
    let (Some(remote), Some(tracking)) = (&trunk.remote, &trunk.tracking_ref) else {
        return Ok(Fetched::NotNeeded);
    };
    if cx.local.sync == StateSync::Manual {
        return Ok(Fetched::NotNeeded);
    }
    let stamp = cx.file("fetched");
    let asked = cx.clock.now();
    let _lock = match wait_for_others(cx)? {
        Ok(lock) => lock,
        Err(said) => return Ok(Fetched::Offline(said)),
    };
    let last = fs::read_optional(&stamp)?.and_then(|text| text.trim().parse::<i64>().ok());
    if last.is_some_and(|last| last >= asked.millis()) {
        return Ok(Fetched::Fresh);
    }
    let began = cx.clock.now();
    let fetch = cx
        .repo
        .git(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"])
        .args(["--refmap=", remote.as_str(), &format!("+refs/heads/{}:{tracking}", trunk.name)])
        .env("GIT_TERMINAL_PROMPT", "0");
    let output = match ask(cx, &fetch)? {
        Asked::Answered(output) => output,
        Asked::Silent(said) => return Ok(Fetched::Offline(said)),
    };
    if output.status.success() {
        if let Some(there) = cx.repo.ref_target(tracking)? {
            attested::heard(cx, &there)?;
        }
        fs::write_atomic(&stamp, format!("{}\n", began.millis()).as_bytes(), 0o644, Durability::None)?;
        return Ok(Fetched::Fresh);
    }
    // An empty remote has no trunk yet: nothing is wrong, and there is nothing to bring.
    if output.stderr.contains("couldn't find remote ref") {
        return Ok(Fetched::Fresh);
    }
    Ok(Fetched::Offline(output.stderr))
}

/// The lock under which this clone fetches trunk; else why the remote is taken for offline: another fetch is still
/// waiting for it when it should have been given up.
fn wait_for_others(cx: &Ctx) -> Result<Result<FileLock, String>, OpError> {
    let patience = held::patience(cx.local.network_timeout, 1);
    let mut tell = |holder: &str| tracing::debug!(holder, "waiting for another fetch");
    match held::wait(cx, &cx.file("fetch.lock"), patience, &mut tell)? {
        Waited::Ours(lock) => Ok(Ok(lock)),
        Waited::InVain { holder, seconds } => {
            Ok(Err(format!("{holder} has been fetching from it for more than {seconds} s")))
        }
        Waited::Interrupted(holder) => {
            let fact = format!("interrupted while {holder} fetched from the remote");
            Err(Refused::new(Because::Interrupted, "remote.interrupted", fact)
                .next("the same command again")
                .into())
        }
    }
}

/// Makes the next `fetch_trunk` fetch: the remote is known to have moved.
pub(crate) fn forget_fetch(cx: &Ctx) -> Result<(), OpError> {
    fs::remove_file_if_there(&cx.file("fetched"))?;
    Ok(())
}

/// How a git that talks to a remote ended.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// By itself.
    Answered(Output),
    /// It had no answer within `orch.networkTimeout` and was stopped; what to say about it.
    Silent(String),
}

/// Runs a git that talks to a remote. Others wait while it does: for locks that the caller holds, and for the caller.
pub(crate) fn ask(cx: &Ctx, git: &Cmd) -> Result<Asked, OpError> {
    let limit = cx.local.network_timeout;
    if limit.is_zero() {
        return Ok(Asked::Answered(git.run()?));
    }
    Ok(match git.run_within(limit.duration())? {
        Some(output) => Asked::Answered(output),
        None => Asked::Silent(format!(
            "it did not answer within {limit} (`git config orch.networkTimeout` says how long it may take)"
        )),
    })
}

/// What could not be done because `remote` did not answer.
pub(crate) fn silent(remote: &str, said: &str) -> Refused {
    Refused::new(Because::Environment, "remote.silent", format!("{remote} can't be asked: {said}"))
        .next(format!("git ls-remote {remote}   (whether it answers)"))
        .next("git config orch.networkTimeout 30m   (if it only takes longer)")
}
