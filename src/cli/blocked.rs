//! What becomes of a change that Ralph blocked: a person at a terminal says it, else policy.
//!
//! Called by `merge` and `ralph` once they have shown why. Nobody is asked who is no person, or can't see the question and
//! answer it; then the change stays, or is put back where `policy.blocked` says so. What is let pass is never decided without
//! a person. Enter, the end of the input and Ctrl-C mean that nothing happens.

use crate::cli::command_error::CommandError;
use crate::cli::out::Out;
use crate::config::OnBlocked;
use crate::domain::actor::ActorKind;
use crate::domain::oid::Oid;
use crate::domain::task::Task;
use crate::ops::ralph::Judged;
use crate::ops::revert::{self, Plan};
use crate::ops::{Ctx, OpError, allow, people};
use crate::report::words::{harmless, plural};
use crate::sys::terminal;

/// Whether somebody may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// A person who sees the question can answer it.
    Allowed,
    /// `--json`, or `--unattended`.
    Never,
}

/// What was blocked.
pub(crate) struct Case<'a> {
    pub(crate) judged: &'a Judged,
    /// The branch that it is on, if it is a branch's tip, and that tip.
    pub(crate) branch: Option<(&'a str, &'a Oid)>,
    pub(crate) task: Option<&'a Task>,
    /// Whether an override may get past what could not be judged at all.
    pub(crate) past_all: bool,
    pub(crate) asking: Asking,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Nobody was asked.
    Left,
    /// Somebody was asked, and left it.
    Aborted,
    /// It was put back.
    Reverted,
    /// What was found may pass: judge again.
    Overridden,
    /// The tree may pass as long as it can't be judged, for this reason.
    PastAll(String),
}

/// What is to be decided, and by whom.
pub(crate) struct Question<'a> {
    case: &'a Case<'a>,
    plan: Option<Plan>,
    /// Whether who is asked may let it pass.
    may: bool,
    by: By,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Nobody,
    Policy,
    Person,
}

/// Looks who decides.
pub(crate) fn question<'a>(cx: &Ctx, out: &Out, case: &'a Case<'a>) -> Result<Question<'a>, CommandError> {
    if cx.actor.kind != ActorKind::Person || people::agent_above(cx).is_some() {
        return Ok(Question { case, plan: None, may: false, by: By::Nobody });
    }
    // From a task's worktree nobody takes back what is on another branch: who is there may be its agent.
    let here = cx.repo.head().map_err(OpError::from)?;
    let is_theirs = |branch: &str| here.branch() == Some(branch) || people::may_override(cx);
    let of_branch = |(branch, tip)| revert::plan(cx, case.judged, branch, tip);
    let plan = case.branch.filter(|(branch, _)| is_theirs(branch)).map(of_branch).transpose()?.flatten();
    // Who may not is told by the refusal of `override`; here it is not offered.
    let may = people::may_override(cx) && (case.past_all || allow::overridable(case.judged).is_some());
    let is_seen = out.watched() && terminal::is_terminal(&std::io::stdin());
    // Where there is nothing to choose nobody is asked.
    let is_asked = case.asking == Asking::Allowed && is_seen && (plan.is_some() || may);
    Ok(Question { case, plan, may, by: if is_asked { By::Person } else { By::Policy } })
}

impl Question<'_> {
    /// Whether a person is asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.by == By::Person
    }

    /// Asks, or does what policy says.
    pub(crate) fn settle(self, cx: &Ctx, out: &mut Out) -> Result<Settled, CommandError> {
        match self.by {
            By::Nobody => Ok(Settled::Left),
            By::Person => ask(cx, out, self),
            By::Policy => {
                let snapshot = cx.snapshot()?;
                // A configuration that can't be read says nothing.
                let config = cx.config(&cx.trunk(&snapshot)?);
                let blocked = config.map(|config| config.policy.blocked).unwrap_or_default();
                match self.plan.filter(|_| blocked == OnBlocked::Revert) {
                    Some(plan) => put_back(cx, out, self.case, &plan),
                    None => Ok(Settled::Left),
                }
            }
        }
    }
}

fn ask(cx: &Ctx, out: &mut Out, question: Question<'_>) -> Result<Settled, CommandError> {
    let Question { case, plan, may, by: _ } = question;
    let findings = allow::overridable(case.judged);
    // Whoever typed while the gate ran has not seen the question.
    terminal::forget_typed();
    let mut choices = Vec::new();
    if let Some(plan) = &plan {
        let files = plural(plan.paths.len(), "file");
        let were = if plan.paths.len() == 1 { "it was" } else { "they were" };
        let what = harmless(&plan.shown());
        out.status(&format!(
            "  r  revert: put {files} back as {were} where the branch began ({what}); the work is kept"
        ));
        choices.push("r");
    }
    if may {
        let what = match &findings {
            Some(findings) => format!("let {} pass", plural(findings.len(), "finding")),
            None => "let it pass though it could not be judged".to_owned(),
        };
        out.status(&format!("  o  override: {what}, for this tree alone; your reason is recorded"));
        choices.push("o");
    }
    out.status("  a  abort: leave everything as it is");
    out.question(&format!("[{}/A] ", choices.join("/")).replace("[/A]", "[A]"));
    let answer = terminal::ask(&cx.interrupts).map(|answer| answer.trim().to_ascii_lowercase());
    match (answer.as_deref(), plan) {
        (Some("r" | "revert"), Some(plan)) => put_back(cx, out, case, &plan),
        (Some("o" | "override"), _) if may => let_pass(cx, out, case, findings),
        (Some(_), _) => Ok(Settled::Aborted),
        (None, _) => {
            // The terminal shows no line's end of its own.
            out.status("");
            Ok(Settled::Aborted)
        }
    }
}

fn let_pass(
    cx: &Ctx,
    out: &mut Out,
    case: &Case<'_>,
    findings: Option<Vec<String>>,
) -> Result<Settled, CommandError> {
    out.question("Reason: ");
    let reason = terminal::ask(&cx.interrupts).unwrap_or_default().trim().to_owned();
    if reason.is_empty() {
        out.status("Without a reason nothing is let pass");
        return Ok(Settled::Aborted);
    }
    let Some(findings) = findings else { return Ok(Settled::PastAll(reason)) };
    let done = allow::override_in(cx, &case.judged.commit, &findings, &reason)?;
    tell_overridden(out, &done);
    Ok(Settled::Overridden)
}

/// Says what was let pass.
pub(crate) fn tell_overridden(out: &mut Out, done: &allow::Overridden) {
    for finding in &done.findings {
        out.status(&format!("Let pass: {}", harmless(finding)));
    }
    out.hint(&format!("for tree {} alone, under your name (`git orch log`)", done.tree.short()));
}

fn put_back(cx: &Ctx, out: &mut Out, case: &Case<'_>, plan: &Plan) -> Result<Settled, CommandError> {
    let done = revert::revert(cx, plan, case.task)?;
    let commit = cx.repo.abbreviate(&done.commit);
    let files = plural(done.paths.len(), "file");
    out.status(&format!("Put {files} back on {}, by commit {commit}", plan.branch));
    out.hint(&format!("the work is kept as {}; `git revert {commit}` brings it back", done.backup));
    Ok(Settled::Reverted)
}
