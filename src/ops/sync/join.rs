//! Looking at a state that was fetched, and joining it.

use crate::domain::oid::Oid;
use crate::domain::plural::plural;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::sync::claims;
use crate::ops::sync::report::{Options, Report};
use crate::ops::sync::track::track;
use crate::store::{Epochs, Snapshot, StoreError};

/// What somebody did to a remote's state. Ours is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It was there, and is gone.
    Gone {
        /// The remote.
        remote: String,
        /// Where it was last seen.
        last: Oid,
    },
    /// It is not a continuation of what it was: somebody put it back, or another one in its place.
    Rewound {
        /// The remote.
        remote: String,
        /// Where it was last seen.
        last: Oid,
        /// Where it is now.
        now: Oid,
        /// How many changes are missing there.
        missing: usize,
    },
    /// It is the state of another repository.
    Unrelated {
        /// The remote.
        remote: String,
        /// The id of its state.
        theirs: String,
        /// The id of ours.
        ours: String,
    },
    /// It has what no git-orch writes, or what can't be read.
    Hostile {
        /// The remote.
        remote: String,
        /// What is wrong with it.
        what: String,
    },
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone { remote, last } => {
                write!(
                    f,
                    "{remote} had a state ({}) and has none any more: somebody deleted it",
                    last.short()
                )
            }
            Self::Rewound { remote, last, now, missing } => write!(
                f,
                "the state of {remote} went back from {} to {}: {} there no longer; all are here",
                last.short(),
                now.short(),
                if *missing == 1 { "1 change is".to_owned() } else { plural(*missing, "change") + " are" },
            ),
            Self::Unrelated { remote, theirs, ours } => {
                write!(f, "the state of {remote} is another one ({theirs}, this clone's is {ours})")
            }
            Self::Hostile { remote, what } => write!(f, "the state of {remote} is refused: {what}"),
        }
    }
}

impl Trouble {
    /// What to type next.
    pub fn next(&self) -> Vec<String> {
        match self {
            Self::Gone { remote, .. } => {
                vec![format!("git orch sync {remote} --restore   (puts this clone's state there)")]
            }
            Self::Rewound { remote, last, now, .. } => vec![
                format!("git orch sync {remote} --restore   (joins both and puts the result there)"),
                format!("git log {}..{}   (what is missing there)", now.short(), last.short()),
            ],
            Self::Unrelated { remote, .. } => vec![
                format!("git orch sync {remote} --adopt   (makes this clone's tasks a part of it)"),
                "git remote -v   (whether it is the right remote)".to_owned(),
            ],
            Self::Hostile { remote, .. } => vec![
                format!("git ls-remote {remote}   (find out who pushed it; nothing of it was taken over)"),
                format!("git orch sync {remote} --restore   (puts this clone's state in its place)"),
            ],
        }
    }

    /// Its rule.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Gone { .. } => "sync.gone",
            Self::Rewound { .. } => "sync.rewound",
            Self::Unrelated { .. } => "sync.unrelated",
            Self::Hostile { .. } => "sync.hostile",
        }
    }
}

impl From<Trouble> for OpError {
    fn from(trouble: Trouble) -> Self {
        let refused = Refused::new(Because::Environment, trouble.rule(), trouble.to_string());
        trouble.next().into_iter().fold(refused, Refused::next).into()
    }
}

/// Joins what was fetched from `remote`, and its claims.
pub(super) fn take_in(
    cx: &Ctx,
    remote: &str,
    options: Options,
    report: &mut Report,
) -> Result<Option<Trouble>, OpError> {
    let tracking = cx.tracked_state(remote);
    let last = cx.repo.ref_target(&tracking)?;
    let now = cx.repo.ref_target(&cx.fetched_state(remote))?;
    let Some(now) = now else {
        return Ok(match last {
            Some(last) if !options.restore => Some(Trouble::Gone { remote: remote.to_owned(), last }),
            Some(_) | None => None,
        });
    };
    if let Err(what) = is_state(cx, &now) {
        return Ok(Some(Trouble::Hostile { remote: remote.to_owned(), what }));
    }
    // Also what was joined before and is not in ours any more: somebody put ours back.
    if last.as_ref() != Some(&now) || !cx.repo.is_ancestor(&now, cx.snapshot()?.commit())? {
        if let Some(trouble) = suspicious(cx, remote, last.as_ref(), &now, options)? {
            return Ok(Some(trouble));
        }
        claims::forget_replaced(cx, &now)?;
        match cx.store().join(&cx.author(), &now, "sync", options.adopt) {
            Ok(joined) => {
                for (id, before, after) in &joined.replaced {
                    claims::replaced(cx, id, before, after, report)?;
                }
                report.stale |= joined.epochs == Epochs::Earlier;
                report.squashed |= joined.epochs == Epochs::Later;
                report.received = joined.tasks;
                report.conflicts = joined.conflicts;
                report.ahead = joined.ahead.into_iter().collect();
            }
            Err(StoreError::Unrelated { ours, theirs }) => {
                return Ok(Some(Trouble::Unrelated { remote: remote.to_owned(), theirs, ours }));
            }
            Err(
                error @ (StoreError::Hostile { .. } | StoreError::Corrupt { .. } | StoreError::TooNew { .. }),
            ) => {
                return Ok(Some(Trouble::Hostile { remote: remote.to_owned(), what: error.to_string() }));
            }
            Err(error) => return Err(error.into()),
        }
        track(cx, &tracking, &now)?;
    }
    claims::take_in(cx, remote, report)?;
    Ok(None)
}

/// Whether a commit with a tree is there.
fn is_state(cx: &Ctx, now: &Oid) -> Result<(), String> {
    let read = cx.repo.commit(now).and_then(|commit| cx.repo.tree(&commit.tree));
    read.map(drop).map_err(|error| error.to_string())
}

/// What somebody did to the remote's state as it was last fetched, as far as can be said without joining it.
pub(crate) fn trouble(cx: &Ctx, remote: &str) -> Result<Option<Trouble>, OpError> {
    let last = cx.repo.ref_target(&cx.tracked_state(remote))?;
    match (cx.repo.ref_target(&cx.fetched_state(remote))?, last) {
        (Some(now), _) if is_state(cx, &now).is_err() => {
            Ok(Some(Trouble::Hostile { remote: remote.to_owned(), what: "it can't be read".to_owned() }))
        }
        (Some(now), last) => suspicious(cx, remote, last.as_ref(), &now, Options::default()),
        (None, Some(last)) => Ok(Some(Trouble::Gone { remote: remote.to_owned(), last })),
        (None, None) => Ok(None),
    }
}

/// Whether the state at `now` goes on from the one at `last` by way of a squash; or is older than a squash that this
/// clone knows of, because a clone that did not know of it pushed: its content is taken over then, and nothing else.
fn is_squash(cx: &Ctx, last: &Oid, now: &Oid) -> Result<bool, OpError> {
    let epoch = |snapshot: &Snapshot<'_>| match snapshot.meta() {
        Ok(meta) => Ok(Some(meta.epoch)),
        // What is wrong with it is told by who joins it.
        Err(StoreError::Corrupt { .. } | StoreError::TooNew { .. }) => Ok(None),
        Err(error) => Err(OpError::from(error)),
    };
    let (there, ours, before) = (cx.store().at(now)?, cx.snapshot()?, cx.store().at(last)?);
    let (Some(now), Some(ours), Some(last_epoch)) = (epoch(&there)?, epoch(&ours)?, epoch(&before)?) else {
        return Ok(false);
    };
    Ok(now < ours || (now > last_epoch && there.has_let_go(last)?))
}

/// Whether the remote's state goes on from where it was last seen.
fn suspicious(
    cx: &Ctx,
    remote: &str,
    last: Option<&Oid>,
    now: &Oid,
    options: Options,
) -> Result<Option<Trouble>, OpError> {
    let Some(last) = last.filter(|_| !options.restore) else { return Ok(None) };
    if last == now || cx.repo.is_ancestor(last, now)? || is_squash(cx, last, now)? {
        return Ok(None);
    }
    let range = format!("{now}..{last}");
    let missing = cx.repo.run_git(["rev-list", "--count", &range])?.text().trim().parse().unwrap_or(0);
    let (remote, last, now) = (remote.to_owned(), last.clone(), now.clone());
    Ok(Some(Trouble::Rewound { remote, last, now, missing }))
}
