//! The move of trunk itself: under `queue.lock`, by compare-and-swap, first the remote's, then this clone's with its
//! checkouts.

use crate::domain::oid::{MaybeOid, Oid};
use crate::git::{Cas, RefChange};
use crate::hook::ticket;
use crate::ops::checkouts::{self, Announced, Refresh};
use crate::ops::context::Trunk;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::merge::land::{Candidate, Landing, Run};
use crate::ops::merge::queue;
use crate::ops::progress::Sink;
use crate::ops::remote::{self, Asked, Update};
use crate::ops::sync::{self, Stake};
use crate::ops::{accounted, attested};
use crate::sys::lock::FileLock;

impl Run<'_> {
    /// Moves trunk to the candidate; None if it moved meanwhile.
    pub(super) fn land(
        &self,
        candidate: &Candidate,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Vec<Refresh>>, OpError> {
        let cx = self.cx;
        let queue = queue::take(cx, &mut |text| sink(self.note(text)))?;
        self.recheck_fence()?;
        let now = cx.trunk_named(&candidate.trunk.name)?;
        if self.base(&now)? != candidate.base {
            return Ok(None);
        }
        if cx.repo.tree_of(&candidate.commit)? != candidate.judged.tree {
            return Err(OpError::Bug("the commit to land has another tree than the judged one".into()));
        }
        // Said at once: what follows may fail.
        for (fact, next) in
            checkouts::take_along(cx, &Announced::default(), &queue).iter().filter_map(Refresh::trouble)
        {
            sink(self.note(format!("{fact}; `{next}`")));
        }
        match self.landing(&now) {
            Landing::Shared => self.land_shared(candidate, &now, &queue),
            Landing::Local => self.land_local(candidate, &now, &queue),
        }
    }

    fn recheck_fence(&self) -> Result<(), OpError> {
        let (Some(task), Some(fence)) = (&self.target.task, self.fence) else { return Ok(()) };
        let snapshot = self.cx.snapshot()?;
        match snapshot.task(&task.id)? {
            Some(now) => Ok(now.register.check_fence(&task.id, fence)?),
            None => Err(OpError::Bug(format!("task {} is gone", task.id))),
        }
    }

    fn land_shared(
        &self,
        candidate: &Candidate,
        now: &Trunk,
        queue: &FileLock,
    ) -> Result<Option<Vec<Refresh>>, OpError> {
        let cx = self.cx;
        let Some(remote) = &now.remote else {
            return Err(OpError::Bug("a shared landing has no remote".into()));
        };
        let trunk = Update {
            name: format!("refs/heads/{}", now.name),
            expected: Some(candidate.base.clone()),
            new: Some(candidate.commit.clone()),
        };
        // Both or none: who has lost the task meanwhile does not merge it, however long it was judged.
        let claim = match &self.target.task {
            Some(task) => match sync::stake(cx, remote, &task.id)? {
                Stake::Claim(update) => Some((&task.id, update)),
                Stake::NotAsked => None,
                Stake::Moved => return self.moved(now),
            },
            None => None,
        };
        // Before the move, and left where it may have happened: our own commit must not look like one from outside.
        let before = accounted::add(cx, &candidate.commit)?;
        let all: Vec<Update> =
            [Some(&trunk), claim.as_ref().map(|(_, update)| update)].into_iter().flatten().cloned().collect();
        let output = match remote::push_all(cx, remote, &all)? {
            Asked::Answered(output) => output,
            Asked::Silent(said) => return Err(unanswered(remote, &now.name, &said).into()),
        };
        if !output.status.success() {
            accounted::set(cx, &before)?;
            // Whether the race was lost is asked of the remote: servers say it in many words.
            remote::forget_fetch(cx, remote)?;
            let brought = sync::fetch(cx, now)?;
            self.recheck_fence()?;
            let moved = self.base(&cx.trunk_named(&now.name)?)? != candidate.base;
            let told =
                claim.is_some_and(|(id, update)| sync::has_moved(cx, remote, id, &update).unwrap_or(false));
            if brought.offline.is_none() && (moved || told) {
                return Ok(None);
            }
            let fact = format!("{remote} refused the push of {}: {}", now.name, output.stderr);
            return Err(Refused::new(Because::Environment, "merge.push", fact)
                .next("git orch merge --no-push   (moves only this clone's trunk)")
                .into());
        }
        if let Some((id, update)) = &claim {
            sync::staked(cx, remote, id, update);
        }
        self.bring_home(now, &candidate.commit, queue).map(Some)
    }

    /// The claim is not at what this clone knows: looked at again before another round.
    fn moved(&self, now: &Trunk) -> Result<Option<Vec<Refresh>>, OpError> {
        if let Some(remote) = &now.remote {
            remote::forget_fetch(self.cx, remote)?;
        }
        sync::fetch(self.cx, now)?;
        self.recheck_fence()?;
        Ok(None)
    }

    /// Local trunk and its checkouts follow the remote's. One that is not behind is left alone.
    pub(super) fn bring_home(
        &self,
        now: &Trunk,
        to: &Oid,
        queue: &FileLock,
    ) -> Result<Vec<Refresh>, OpError> {
        let cx = self.cx;
        let is_behind = match &now.local {
            Some(local) => local != to && cx.repo.is_ancestor(local, to)?,
            None => true,
        };
        // Where somebody pulled meanwhile, local trunk has it, or git will say why not.
        if !is_behind {
            return Ok(Vec::new());
        }
        let moved = self.move_local(now, to)?;
        Ok(moved.map(|announced| checkouts::take_along(cx, &announced, queue)).unwrap_or_default())
    }

    fn land_local(
        &self,
        candidate: &Candidate,
        now: &Trunk,
        queue: &FileLock,
    ) -> Result<Option<Vec<Refresh>>, OpError> {
        let cx = self.cx;
        let before = accounted::add(cx, &candidate.commit)?;
        let moved = self.move_local(now, &candidate.commit);
        if !matches!(moved, Ok(Some(_))) {
            accounted::set(cx, &before)?;
        }
        Ok(moved?.map(|announced| checkouts::take_along(cx, &announced, queue)))
    }

    /// Moves the local branch with a ticket for the guard; None if it is elsewhere by now.
    fn move_local(&self, now: &Trunk, new: &Oid) -> Result<Option<Announced>, OpError> {
        let cx = self.cx;
        let old = now.local.clone().map_or(MaybeOid::Zero, MaybeOid::Id);
        let change = RefChange { name: now.local_ref.clone(), old: old.clone(), new: new.clone() };
        let _ticket = ticket::issue(&cx.repo.orch_dir(), &now.local_ref, &old, new)?;
        // Before the move: a kill in between must not make the verified commit look like one of somebody else's.
        let before = attested::mark(cx, new)?;
        let moved = checkouts::announce(cx, now)
            .and_then(|announced| Ok((announced, cx.repo.move_user_ref(&change, "git-orch: merge")?)));
        if !matches!(moved, Ok((_, Cas::Moved))) {
            attested::unmark(cx, before.as_ref())?;
        }
        let (announced, moved) = moved?;
        if moved == Cas::Moved {
            return Ok(Some(announced));
        }
        checkouts::withdraw(&announced)?;
        Ok(None)
    }
}

/// A push that was stopped may have arrived: only the remote knows, and the next merge asks it.
fn unanswered(remote: &str, trunk: &str, said: &str) -> Refused {
    let fact = format!("whether {remote} took the push of {trunk} is not known: {said}");
    Refused::new(Because::Environment, "merge.push", fact)
        .next("git orch merge   (again: it finds out)")
        .next("git config orch.networkTimeout 30m   (if the remote only takes longer)")
}
