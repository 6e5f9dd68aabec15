//! A branch that trunk contains already: a merge of ours whose record was lost with its process, nothing at all, or
//! somebody else's doing.

use crate::config::Moment;
use crate::domain::branch;
use crate::domain::oid::Oid;
use crate::domain::task::Evidence;
use crate::ops::checkouts::{self, Announced, Refresh};
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::merge::land::{Landing, Merged, Outcome, Run};
use crate::ops::merge::queue;
use crate::ops::merge::target::{self, Target};
use crate::ops::progress::Sink;
use crate::ops::ralph::{self, Judged, Request};

impl Run<'_> {
    /// `base` is where trunk is, and has the branch's tip in its history.
    pub(super) fn already(&self, trunk: &Trunk, base: &Oid, sink: &mut Sink<'_>) -> Result<Outcome, OpError> {
        let Some(task) = &self.target.task else {
            let fact = format!("{} has everything that {} has", trunk.name, self.target.branch);
            return Err(Refused::new(Because::Usage, "merge.nothing", fact).next("git orch status").into());
        };
        if task.register.work.as_ref().map(|work| &work.base) == Some(&self.target.tip) {
            let fact = format!("{} has no commit of its own: there is nothing to merge", self.target.branch);
            return Err(Refused::new(Because::Usage, "merge.nothing", fact)
                .next("commit your work on the task's branch")
                .next(format!("git orch close {} --reason TEXT   (if there is nothing to do)", task.id))
                .into());
        }
        let Some((evidence, judged)) = self.evidence(trunk, base)? else {
            let fact =
                format!("{} contains {}, but not by a merge of git-orch", trunk.name, self.target.branch);
            return Err(Refused::new(Because::Policy, "merge.external", fact)
                .next(format!("git orch close {} --reason TEXT", task.id))
                .into());
        };
        let checkouts = self.carry_on(trunk, base, sink)?;
        let fence = self.fence.ok_or_else(|| OpError::Bug("a task is merged without a fence".into()))?;
        let done = self.done(task, fence, &evidence)?;
        let kept = target::retire(self.cx, &self.cx.trunk_named(&trunk.name)?, &done)?;
        Ok(Outcome::Merged(Box::new(Merged {
            commit: evidence.commit,
            judged,
            target: Target { task: Some(done), ..self.target.clone() },
            landing: self.landing(trunk),
            checkouts,
            kept,
            lost_races: self.lost,
        })))
    }

    /// That trunk has the branch by a merge that was verified when it was made: by the PASS that was recorded then,
    /// or a person's word now.
    fn evidence(&self, trunk: &Trunk, base: &Oid) -> Result<Option<(Evidence, Option<Judged>)>, OpError> {
        let Some(commit) = merge_of(self.cx, base, &self.target.tip)? else { return Ok(None) };
        let mut request = Request::new(commit.clone(), Moment::Merge);
        request.team = branch::team(&self.target.branch);
        let tree = self.cx.repo.tree_of(&commit)?;
        let local = self.landing(trunk) == Landing::Local && trunk.remote.is_some();
        let evidence = |verdict| Evidence { commit, tree, verdict, local };
        Ok(match (ralph::passed_when_merged(self.cx, &request)?, &self.options.override_reason) {
            (Some(judged), _) => {
                let key = judged.deciding().map(|v| v.key.clone()).unwrap_or_default();
                Some((evidence(key), Some(judged)))
            }
            (None, Some(reason)) => Some((evidence(format!("override: {reason}")), None)),
            (None, None) => None,
        })
    }

    /// What else a killed merge may have left to do: checkouts that still show what was before, and local trunk behind
    /// the remote's.
    fn carry_on(&self, trunk: &Trunk, base: &Oid, sink: &mut Sink<'_>) -> Result<Vec<Refresh>, OpError> {
        let cx = self.cx;
        let queue = queue::take(cx, &mut |text| sink(self.note(text)))?;
        let now = cx.trunk_named(&trunk.name)?;
        let mut result = checkouts::take_along(cx, &Announced::default(), &queue);
        if self.landing(&now) == Landing::Shared {
            result.extend(self.bring_home(&now, base, &queue)?);
        }
        Ok(result)
    }
}

/// The commit of the first-parent history of `from` that merged `tip`.
fn merge_of(cx: &Ctx, from: &Oid, tip: &Oid) -> Result<Option<Oid>, OpError> {
    let mut at = Some(from.clone());
    for _ in 0..10_000 {
        let Some(oid) = at else { return Ok(None) };
        let commit = cx.repo.commit(&oid)?;
        if commit.parents.get(1) == Some(tip) {
            return Ok(Some(oid));
        }
        at = commit.parents.into_iter().next();
    }
    Ok(None)
}

/// Whether a merge of `tip` is in trunk already: one whose record was lost with its process.
pub(crate) fn is_landed(cx: &Ctx, tip: &Oid) -> Result<bool, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    // Either may be ahead: the remote's after a push, this clone's after a local merge.
    for side in [&trunk.tracking, &trunk.local].into_iter().flatten() {
        if cx.repo.is_ancestor(tip, side)? && merge_of(cx, side, tip)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
