//! Which remote and which branch: asked of the remote once, else taken from what is here.

use std::collections::BTreeMap;

use crate::domain::oid::Oid;
use crate::git::Head;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::remote::{self, Asked};
#[cfg(test)]
use crate::store::STATE_REF;

/// What a remote said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Advertised {
    /// The branch that its HEAD points at, by short name.
    pub(super) head: Option<String>,
    /// Its branches, by full name, and its state, if it has one.
    pub(super) refs: BTreeMap<String, Oid>,
}

impl Advertised {
    fn parse(text: &str, state_ref: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let Some((what, name)) = line.split_once('\t') else { continue };
            if let Some(target) = what.strip_prefix("ref: ") {
                if name == "HEAD" {
                    found.head = target.strip_prefix("refs/heads/").map(str::to_owned);
                }
            } else if (name.starts_with("refs/heads/") || name == state_ref)
                && let Ok(oid) = Oid::parse(what)
            {
                found.refs.insert(name.to_owned(), oid);
            }
        }
        found
    }

    /// Its state's tip.
    pub(super) fn state(&self, state_ref: &str) -> Option<&Oid> {
        self.refs.get(state_ref)
    }
}

/// What is known of the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    /// There is none.
    None,
    /// It answered.
    Online(Advertised),
    /// It could not be asked; what git said.
    Offline(String),
}

impl Remote {
    /// Asks the remote; nothing is fetched.
    pub(super) fn ask(cx: &Ctx) -> Result<Self, OpError> {
        let Some(name) = cx.remote() else { return Ok(Self::None) };
        let list = cx
            .repo
            .git(["ls-remote", "--quiet", "--symref", name, "HEAD", &cx.local.state_ref, "refs/heads/*"])
            .env("GIT_TERMINAL_PROMPT", "0");
        let output = match remote::ask(cx, &list)? {
            Asked::Answered(output) => output,
            Asked::Silent(said) => return Ok(Self::Offline(said)),
        };
        if output.status.success() {
            return Ok(Self::Online(Advertised::parse(&output.text(), &cx.local.state_ref)));
        }
        let said = output.stderr.lines().find(|line| !line.trim().is_empty());
        Ok(Self::Offline(said.unwrap_or("git said nothing").trim().to_owned()))
    }

    /// Whether a remote has this branch, as far as anybody here knows.
    pub(super) fn has_branch(&self, cx: &Ctx, name: &str) -> Result<Known, OpError> {
        for remote in &cx.settings.remotes {
            if cx.repo.ref_target(&format!("refs/remotes/{remote}/{name}"))?.is_some() {
                return Ok(Known::Yes);
            }
        }
        Ok(match self {
            Self::Online(found) if found.refs.contains_key(&format!("refs/heads/{name}")) => Known::Yes,
            Self::None | Self::Online(_) => Known::No,
            Self::Offline(_) => Known::Unknown,
        })
    }
}

/// An answer that may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    No,
    Unknown,
}

/// The context with the remote that the user named, which must exist.
pub(super) fn with_remote(cx: &Ctx, name: Option<&str>) -> Result<Ctx, OpError> {
    let mut own = cx.for_worker(cx.actor.clone(), cx.interrupts.clone()).open()?;
    let Some(name) = name else { return Ok(own) };
    if !cx.settings.remotes.iter().any(|known| known == name) {
        let known = match cx.settings.remotes.as_slice() {
            [] => "this repository has none".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        let fact = format!("there is no remote `{name}`; {known}");
        return Err(Refused::new(Because::Usage, "remote.unknown", fact)
            .next(format!("git remote add {name} URL"))
            .into());
    }
    own.local.remote = Some(name.to_owned());
    Ok(own)
}

/// The name of trunk for a new state: what the user says, else the remote's HEAD, else the current branch,
/// else `main`.
pub(super) fn name(cx: &Ctx, asked: Option<&str>, remote: &Remote) -> Result<String, OpError> {
    if let Some(asked) = asked {
        return checked(cx, asked);
    }
    if let Remote::Online(Advertised { head: Some(head), .. }) = remote {
        return Ok(head.clone());
    }
    if let Some(head) = known_remote_head(cx)? {
        return Ok(head);
    }
    Ok(cx.repo.head()?.branch().unwrap_or("main").to_owned())
}

/// A branch name as typed, with or without `refs/heads/`.
fn checked(cx: &Ctx, asked: &str) -> Result<String, OpError> {
    let short = asked.strip_prefix("refs/heads/").unwrap_or(asked);
    let valid = cx.repo.git(["check-ref-format", &format!("refs/heads/{short}")]).run()?.status.success();
    if valid && !short.starts_with('-') {
        return Ok(short.to_owned());
    }
    let fact = format!("`{asked}` is no name for a branch");
    Err(Refused::new(Because::Usage, "trunk.name", fact).next("git branch --list").into())
}

/// Where `refs/remotes/<remote>/HEAD` pointed when the clone was made.
fn known_remote_head(cx: &Ctx) -> Result<Option<String>, OpError> {
    let Some(remote) = cx.remote() else { return Ok(None) };
    let name = format!("refs/remotes/{remote}/HEAD");
    let output = cx.repo.git(["symbolic-ref", "--quiet", &name]).run()?;
    let prefix = format!("refs/remotes/{remote}/");
    Ok(output.text().strip_prefix(&prefix).filter(|_| output.status.success()).map(str::to_owned))
}

/// Refuses a trunk that is nowhere: a slip of the finger would leave the real one unguarded.
pub(super) fn must_exist(cx: &Ctx, trunk: &Trunk, remote: &Remote) -> Result<(), OpError> {
    if trunk.local.is_some() || remote.has_branch(cx, &trunk.name)? != Known::No {
        return Ok(());
    }
    let unborn = |head: &Head| head.branch() == Some(trunk.name.as_str());
    let heads = std::iter::once(cx.repo.head()?).chain(cx.repo.worktrees()?.into_iter().map(|w| w.head));
    if heads.into_iter().any(|head| unborn(&head)) {
        return Ok(());
    }
    let branches = cx.repo.refs_below("refs/heads/")?;
    let short = branches.iter().filter_map(|(name, _)| name.strip_prefix("refs/heads/"));
    let refused = Refused::new(
        Because::Usage,
        "trunk.unknown",
        format!("there is no branch `{}` here or on a remote", trunk.name),
    );
    Err(short.take(3).fold(refused, |r, name| r.next(format!("git orch init --trunk {name}"))).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_concerns_us_is_read() {
        let a = "a".repeat(40);
        let text = format!(
            "ref: refs/heads/dev\tHEAD\n{a}\tHEAD\n{a}\trefs/heads/dev\n{a}\trefs/orch/state\n\
             ref: refs/heads/x\trefs/remotes/up/HEAD\n{a}\trefs/remotes/up/refs/heads/y\nnonsense\n"
        );
        let found = Advertised::parse(&text, STATE_REF);
        assert_eq!(found.head.as_deref(), Some("dev"));
        assert_eq!(found.refs.keys().collect::<Vec<_>>(), ["refs/heads/dev", "refs/orch/state"]);
        assert!(found.state(STATE_REF).is_some());
        assert_eq!(Advertised::parse("", STATE_REF), Advertised::default());
    }
}
