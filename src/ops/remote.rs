//! What goes over the network: bringing trunk up to date, and how long a remote may keep us waiting.

use std::path::PathBuf;

use crate::config::{Period, StateSync};
use crate::domain::oid::Oid;
use crate::ops::attested;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::held::{self, Waited};
use crate::store::{CLAIMS, remote_claims};
use crate::sys::failpoint::{self, Point};
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

/// Fetches trunk and state from their remote, unless another process of this clone did since this was called, or
/// `orch.sync` forbids it.
pub(crate) fn fetch(cx: &Ctx, trunk: &Trunk) -> Result<Fetched, OpError> {
    match (&trunk.remote, cx.local.sync) {
        (Some(remote), StateSync::Auto) => fetch_from(cx, remote, Some(trunk)),
        (_, _) => Ok(Fetched::NotNeeded),
    }
}

/// What is fetched of a state: to where it is looked at first. With a star, because a name that the remote has not would
/// be an error; pruned, because what is gone there must be seen to be gone.
fn state_refspecs(cx: &Ctx, remote: &str) -> [String; 2] {
    let fetched = cx.fetched_state(remote);
    [format!("+{}*:{fetched}*", cx.local.state_ref), format!("+{CLAIMS}*:{}*", remote_claims(remote))]
}

/// Fetches the state of `remote`, and trunk where it is given.
pub(crate) fn fetch_from(cx: &Ctx, remote: &str, trunk: Option<&Trunk>) -> Result<Fetched, OpError> {
    let asked = cx.clock.now();
    let _lock = match wait_for_others(cx)? {
        Ok(lock) => lock,
        Err(said) => return Ok(Fetched::Offline(said)),
    };
    let began = cx.clock.now();
    // One that is noted for later than now was noted by a clock that was ahead, and says nothing.
    let meanwhile = |last: i64| (asked.millis()..=began.millis()).contains(&last);
    if last_fetch(cx, remote, trunk.is_some())?.is_some_and(meanwhile) {
        return Ok(Fetched::Fresh);
    }
    let fetched = fetch_refs(cx, remote, trunk)?;
    if fetched == Fetched::Fresh {
        if let Some(tracking) = trunk.and_then(|trunk| trunk.tracking_ref.as_ref())
            && let Some(there) = cx.repo.ref_target(tracking)?
        {
            attested::heard(cx, &there)?;
        }
        let trunk_too = trunk.map(|_| began.millis());
        note_fetch(cx, remote, began.millis(), trunk_too)?;
    }
    Ok(fetched)
}

/// Where it is noted when a remote was last fetched from, and when trunk was, too.
fn stamp(cx: &Ctx, remote: &str) -> PathBuf {
    let plain =
        |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("-{:x}", u32::from(c)) };
    cx.file(&format!("fetched-{}", remote.chars().map(plain).collect::<String>()))
}

/// When a remote was last fetched from, in milliseconds; with trunk, if that is asked for.
fn last_fetch(cx: &Ctx, remote: &str, with_trunk: bool) -> Result<Option<i64>, OpError> {
    let text = fs::read_optional(&stamp(cx, remote))?.unwrap_or_default();
    let Some((state, trunk)) = text.trim().split_once(' ') else { return Ok(None) };
    Ok(if with_trunk { trunk } else { state }.parse().ok())
}

/// Notes when the state was fetched, and trunk, which without a time stays as it was.
fn note_fetch(cx: &Ctx, remote: &str, state: i64, trunk: Option<i64>) -> Result<(), OpError> {
    let trunk = match trunk {
        Some(at) => at,
        None => last_fetch(cx, remote, true)?.unwrap_or_default(),
    };
    let text = format!("{state} {trunk}\n");
    Ok(fs::write_atomic(&stamp(cx, remote), text.as_bytes(), 0o644, Durability::None)?)
}

fn fetch_refs(cx: &Ctx, remote: &str, trunk: Option<&Trunk>) -> Result<Fetched, OpError> {
    let tracked = trunk.and_then(|trunk| Some((&trunk.name, trunk.tracking_ref.as_ref()?)));
    let trunk_refspec = tracked.map(|(name, tracking)| format!("+refs/heads/{name}:{tracking}"));
    let fetch = cx
        .repo
        // A git of a killed command may still be at the same refs.
        .git([
            "-c",
            "core.fsync=all",
            "-c",
            "core.filesRefLockTimeout=5000",
            "-c",
            "core.packedRefsTimeout=5000",
        ])
        .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--prune"])
        .args(["--no-recurse-submodules", "--no-filter", "--refmap=", remote])
        .args(state_refspecs(cx, remote))
        .args(&trunk_refspec)
        .env("GIT_TERMINAL_PROMPT", "0");
    let mut tries = 0;
    let output = loop {
        let output = match ask(cx, &fetch)? {
            Asked::Answered(output) => output,
            Asked::Silent(said) => return Ok(Fetched::Offline(said)),
        };
        tries += 1;
        if output.status.success() {
            failpoint::at(Point::RemoteFetched);
            return Ok(Fetched::Fresh);
        }
        let broken = output.stderr.contains(TRACKING) && cx.repo.clear_refs(TRACKING)?;
        if tries == LOCKED_TRIES || !(broken || output.stderr.contains("cannot lock ref")) {
            break output;
        }
    };
    // An empty remote has no trunk yet: nothing is wrong, but git has brought nothing else either.
    if trunk_refspec.is_some() && output.stderr.contains("couldn't find remote ref") {
        return fetch_refs(cx, remote, None);
    }
    Ok(Fetched::Offline(without_hints(&output.stderr)))
}

/// Below here is what a fetch brings.
const TRACKING: &str = "refs/orch/remotes/";

/// How often a fetch is tried that met another git at its refs.
const LOCKED_TRIES: u32 = 4;

/// What git said, without its advice: what went wrong comes after that.
fn without_hints(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("hint:")).collect();
    lines.join("\n").trim().to_owned()
}

/// One ref of a remote that is to be moved.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    /// Its full name there.
    pub(crate) name: String,
    /// What it must be at now; None: it must not exist.
    pub(crate) expected: Option<Oid>,
    /// What it shall be at; None: nothing, it is deleted.
    pub(crate) new: Option<Oid>,
}

/// What the remote made of one update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// The ref was not at what was expected; what it said.
    Stale(String),
    /// The remote does not take it; what it said.
    Refused(String),
}

/// What the remote made of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// An answer for each update, in order.
    Answered(Vec<Answer>),
    /// There was no answer: it may have arrived or not. What git said.
    Unknown(String),
}

/// Moves refs of a remote by compare-and-swap. A plain push would be none: it succeeds where the ref was deleted or
/// rewound since we looked.
pub(crate) fn push(cx: &Ctx, remote: &str, updates: &[Update]) -> Result<Pushed, OpError> {
    push_within(cx, remote, updates, cx.local.network_timeout)
}

/// The same, with a limit of its own.
pub(crate) fn push_within(
    cx: &Ctx,
    remote: &str,
    updates: &[Update],
    limit: Period,
) -> Result<Pushed, OpError> {
    let output = match ask_within(&push_of(cx, remote, updates, &[]), limit)? {
        Asked::Answered(output) => output,
        Asked::Silent(said) => return Ok(Pushed::Unknown(said)),
    };
    failpoint::at(Point::RemotePushed);
    if output.status.success() {
        return Ok(Pushed::Answered(vec![Answer::Done; updates.len()]));
    }
    let stdout = output.text();
    let answers: Option<Vec<Answer>> = updates.iter().map(|u| answer(&stdout, &u.name)).collect();
    Ok(answers.map_or_else(|| Pushed::Unknown(without_hints(&output.stderr)), Pushed::Answered))
}

/// Moves refs of a remote by compare-and-swap, all or none. A remote that can't do that is asked for one after the other,
/// the first one last.
pub(crate) fn push_all(cx: &Ctx, remote: &str, updates: &[Update]) -> Result<Asked, OpError> {
    let atomic: &[&str] = if updates.len() > 1 { &["--atomic"] } else { &[] };
    let asked = ask(cx, &push_of(cx, remote, updates, atomic))?;
    match &asked {
        Asked::Answered(output) if !output.status.success() && output.stderr.contains("--atomic") => {}
        Asked::Answered(_) | Asked::Silent(_) => return Ok(asked),
    }
    for update in updates.iter().skip(1) {
        match ask(cx, &push_of(cx, remote, std::slice::from_ref(update), &[]))? {
            Asked::Answered(output) if output.status.success() => {}
            failed => return Ok(failed),
        }
    }
    ask(cx, &push_of(cx, remote, &updates[..1], &[]))
}

fn push_of(cx: &Ctx, remote: &str, updates: &[Update], how: &[&str]) -> Cmd {
    let lease =
        |u: &Update| format!("--force-with-lease={}:{}", u.name, u.expected.as_ref().map_or("", Oid::as_str));
    let refspec = |u: &Update| format!("{}:{}", u.new.as_ref().map_or("", Oid::as_str), u.name);
    cx.repo
        // A mirror takes no names; what it would delete is not asked.
        .git(["-c", &format!("remote.{remote}.mirror=false")])
        .args(["push", "--quiet", "--porcelain", "--no-verify", "--no-signed", "--recurse-submodules=no"])
        .args(how)
        .args(updates.iter().map(lease))
        .args([remote])
        .args(updates.iter().map(refspec))
        .env("GIT_TERMINAL_PROMPT", "0")
}

/// Words of servers for: another push was faster than this one.
const FASTER: [&str; 7] = [
    "stale info",
    "cannot lock ref",
    "failed to update ref",
    "already exists",
    "incorrect old value",
    "fetch first",
    "failed to lock",
];

/// What `git push --porcelain` says of the ref `name`: `<flag> TAB <from>:<to> TAB <summary> (<reason>)`.
fn answer(porcelain: &str, name: &str) -> Option<Answer> {
    let to = format!(":{name}");
    let line =
        porcelain.lines().find(|line| line.split('\t').nth(1).is_some_and(|spec| spec.ends_with(&to)))?;
    if !line.starts_with('!') {
        return Some(Answer::Done);
    }
    let summary = line.split('\t').nth(2).unwrap_or_default();
    let faster = FASTER.iter().any(|said| summary.contains(said));
    let summary = summary.to_owned();
    Some(if faster { Answer::Stale(summary) } else { Answer::Refused(summary) })
}

/// What a ref of the remote is at; None if it does not exist there.
pub(crate) fn look(cx: &Ctx, remote: &str, name: &str) -> Result<Result<Option<Oid>, String>, OpError> {
    let list = cx.repo.git(["ls-remote", "--quiet", remote, name]).env("GIT_TERMINAL_PROMPT", "0");
    let output = match ask(cx, &list)? {
        Asked::Answered(output) => output,
        Asked::Silent(said) => return Ok(Err(said)),
    };
    if !output.status.success() {
        return Ok(Err(without_hints(&output.stderr)));
    }
    let text = output.text();
    let line = text.lines().filter_map(|line| line.split_once('\t')).find(|(_, found)| *found == name);
    Ok(Ok(line.and_then(|(oid, _)| Oid::parse(oid).ok())))
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

/// How long, in milliseconds, what was fetched is good enough for who only wants to claim.
const FRESH: i64 = 10_000;

/// Whether this clone fetched just now.
pub(crate) fn is_fresh(cx: &Ctx) -> Result<bool, OpError> {
    let Some(remote) = cx.remote() else { return Ok(false) };
    let last = last_fetch(cx, remote, true)?;
    Ok(last.is_some_and(|last| (0..FRESH).contains(&cx.clock.now().millis().saturating_sub(last))))
}

/// Makes the next `fetch` fetch: the remote is known to have moved.
pub(crate) fn forget_fetch(cx: &Ctx, remote: &str) -> Result<(), OpError> {
    fs::remove_file_if_there(&stamp(cx, remote))?;
    Ok(())
}

/// The same where only the state is known to have moved: what was fetched of trunk is as good as before.
pub(crate) fn forget_state(cx: &Ctx, remote: &str) -> Result<(), OpError> {
    note_fetch(cx, remote, 0, None)
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
    ask_within(git, cx.local.network_timeout)
}

fn ask_within(git: &Cmd, limit: Period) -> Result<Asked, OpError> {
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
