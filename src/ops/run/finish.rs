//! How a task ends: merged, left for review, or blocked.

use crate::agent::render::one_line;
use crate::config::Merging;
use crate::domain::id::TaskId;
use crate::domain::session::Outcome;
use crate::domain::verdict::Word;
use crate::ops::commit;
use crate::ops::context::Trunk;
use crate::ops::error::{Because, OpError};
use crate::ops::lease;
use crate::ops::merge::{self, Landing, Merged, Options};
use crate::ops::ralph::{Judged, Recorded};
use crate::ops::run::iterate::{End, TaskRun};
use crate::ops::sync;
use crate::ops::tasks::{change, get};
use crate::policy::grant::Action;

/// A reason is shown in lists: the whole output is in the log.
const REASON_CHARS: usize = 500;
/// What begins the reason of a task that conflicts with trunk.
const CONFLICT: &str = "conflicts with trunk in";
/// How often a merge is begun while another process holds trunk.
const TRIES: u32 = 3;

impl TaskRun<'_> {
    /// The branch passed. None: trunk moved on and the two together do not pass; one more iteration.
    pub(super) fn finish(&mut self) -> Result<Option<End>, OpError> {
        if self.halted() {
            return Ok(Some(End::interrupted()));
        }
        let shared = self.desk.shared;
        match shared.options.merge.unwrap_or_else(|| shared.config.merge.of(self.team())) {
            Merging::Auto => self.land(),
            Merging::Review => self.review().map(Some),
        }
    }

    /// Hands the branch to the merge gate.
    pub(super) fn land(&mut self) -> Result<Option<End>, OpError> {
        let options = Options {
            landing: Landing::Shared,
            override_reason: None,
            past: None,
            recorded: Recorded::Counts,
        };
        let mut sink = |event| self.desk.send(event);
        // One at a time: of several that build on the same trunk all but one would be judged in vain.
        let turn = self.desk.shared.landing.lock();
        let mut tries = 0;
        let outcome = loop {
            if self.halted() {
                return Ok(Some(End::interrupted()));
            }
            tries += 1;
            match merge::merge_committed(self.desk.cx, &self.task.id, &options, &mut sink) {
                Err(OpError::Refused(refused)) if refused.because == Because::Interrupted => {
                    return Ok(Some(End::interrupted()));
                }
                Err(OpError::Refused(refused)) if refused.rule == merge::BUSY && tries < TRIES => {
                    self.note(format!("{}: it is tried again", refused.fact));
                }
                outcome => break outcome,
            }
        };
        drop(turn);
        let outcome = match outcome {
            // Trunk moves faster than Ralph judges, or somebody is stuck while moving it: the work passed, and waits for
            // a quieter time.
            Err(OpError::Refused(refused)) if matches!(refused.rule, "merge.race" | merge::BUSY) => {
                self.note(format!("{}: it waits for review", refused.fact));
                return self.review().map(Some);
            }
            outcome => outcome?,
        };
        match outcome {
            merge::Outcome::Merged(merged) => {
                self.tell(&merged);
                Ok(Some(End::new(Outcome::Merged)))
            }
            merge::Outcome::Conflict { files, .. } => {
                let why = format!("{CONFLICT} {}", commit::shown(&files));
                let (cx, id) = (self.desk.cx, &self.task.id);
                let end = self.block(&why, Outcome::Blocked)?;
                let note = end.note.map(|why| format!("{why}; next: "));
                let way = rebase_route(id, &cx.trunk(&cx.snapshot()?)?);
                Ok(Some(End { note: note.map(|why| why + &way), ..end }))
            }
            merge::Outcome::Rejected { judged, .. } => self.rejected(&judged),
        }
    }

    fn tell(&self, merged: &Merged) {
        for line in merged.judged.iter().flat_map(|judged| judged.guarded.notes()) {
            self.note(line);
        }
        if let Some(why) = &merged.kept {
            self.note(format!("its worktree is kept: {why}"));
        }
        for refresh in &merged.checkouts {
            if let Some((fact, next)) = refresh.trouble() {
                self.note(format!("{fact}; `{next}`"));
            }
        }
    }

    /// Branch and trunk pass, their merge does not. The branch is brought up to trunk, so that the agent sees what
    /// fails.
    fn rejected(&mut self, judged: &Judged) -> Result<Option<End>, OpError> {
        if judged.stop.is_some() {
            return Ok(Some(End::interrupted()));
        }
        let summary = self.remember(judged).map(|judged| judged.summary).unwrap_or_default();
        if judged.word != Word::Fail && judged.guarded.hits.is_empty() {
            return self.block(&format!("could not be judged: {summary}"), Outcome::Blocked).map(Some);
        }
        let used = self.used();
        if used >= self.budget() {
            let why =
                format!("gave up: {used} of {} iterations used; merged, it fails: {summary}", self.budget());
            return self.block(&why, Outcome::Failed).map(Some);
        }
        let Some(tip) = commit::bring_up(self.desk.cx, &self.commit_work(), &judged.commit)? else {
            let why = format!("merged with trunk it fails: {summary}; files in its worktree are in the way");
            return self.block(&why, Outcome::Blocked).map(Some);
        };
        self.note(format!("passes, but not together with trunk ({summary}): the branch is brought up to it"));
        self.tip = tip;
        self.tree = judged.tree.clone();
        self.fails();
        Ok(None)
    }

    fn review(&mut self) -> Result<End, OpError> {
        let (cx, id, fence) = (self.desk.cx, &self.task.id, self.task.register.fence);
        cx.store().transact(&cx.author(), Action::Work, |edit| {
            let mut task = get(edit, id)?;
            task.register.check_fence(id, fence)?;
            task.register = task.register.review(id, &edit.at())?;
            edit.put_task(task, change("task.review", id, "run", None));
            Ok::<_, OpError>(())
        })?;
        lease::forget(cx, id)?;
        sync::tell(cx, std::slice::from_ref(id));
        Ok(End::new(Outcome::Review))
    }

    /// Sets the task aside for a person.
    pub(super) fn block(&self, why: &str, outcome: Outcome) -> Result<End, OpError> {
        let why = reason(why);
        block(self.desk.cx, &self.task, &why)?;
        Ok(End::noted(outcome, why))
    }
}

/// What to type for a task that is blocked because it conflicts with trunk: to put it back into the queue would only
/// bring it there again. None if `why` it is blocked is something else.
pub fn out_of_conflict(id: &TaskId, trunk: &Trunk, why: &str) -> Option<String> {
    why.starts_with(CONFLICT).then(|| rebase_route(id, trunk))
}

fn rebase_route(id: &TaskId, trunk: &Trunk) -> String {
    let tip = trunk.tip_name();
    format!(
        "`git orch unblock {id} && git orch start {id}`, in its worktree `git rebase {tip}`, then `git orch merge`"
    )
}

/// Sets a task of ours aside.
pub(super) fn block(
    cx: &crate::ops::Ctx,
    task: &crate::domain::task::Task,
    why: &str,
) -> Result<(), OpError> {
    let (id, fence) = (&task.id, task.register.fence);
    cx.store().transact(&cx.author(), Action::Work, |edit| {
        let mut task = get(edit, id)?;
        task.register.check_fence(id, fence)?;
        task.register = task.register.block(id, &edit.at(), why.to_owned())?;
        edit.put_task(task, change("task.block", id, "run", Some(why.to_owned())));
        Ok::<_, OpError>(())
    })?;
    lease::forget(cx, id)?;
    sync::tell(cx, std::slice::from_ref(id));
    Ok(())
}

/// One line of bounded length.
pub(super) fn reason(text: &str) -> String {
    let line = one_line(text);
    let short: String = line.chars().take(REASON_CHARS).collect();
    if short.len() < line.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_one_bounded_line() {
        assert_eq!(reason(" a\nb\u{1b}[31m c "), "a b c");
        let long = reason(&"ü".repeat(9000));
        assert_eq!(long.chars().count(), REASON_CHARS + 1);
        assert!(long.ends_with('…'));
    }
}
