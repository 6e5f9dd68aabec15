//! A tree beside its base: which failures are old ones, and what it lost.
//!
//! The base is the merge base with the policy tip, judged by the same gate. Verdicts keep as many findings as fit into a file
//! of the state; all of them are kept here, in `<common dir>/orch/reports/`, sealed like a verdict.

use crate::config::{Accept, Config};
use crate::domain::oid::Oid;
use crate::domain::plural::plural;
use crate::domain::verdict::{Scope, StepResult, Verdict, Word};
use crate::gate::{self, Base, Compared};
use crate::ops::approvals;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::ops::seal::verifier;
use crate::store::{report_from_text, report_to_text};
use crate::sys::fs::{self, Durability};

/// What the first line of a kept report's text says.
const KIND: &str = "git-orch reports v1";
/// How many trees' reports are kept.
const KEPT: usize = 64;

/// The commit that `commit` is compared with; None: there is none but itself.
pub(crate) fn base_of(cx: &Ctx, trunk: &Trunk, commit: &Oid) -> Result<Option<Oid>, OpError> {
    let Some(tip) = trunk.tip() else { return Ok(None) };
    Ok(cx.repo.merge_base(tip, commit)?.filter(|base| base != commit))
}

/// The verdict on a tree beside that on its base. `verdict` by itself if they are alike.
pub(crate) fn beside(
    cx: &Ctx,
    config: &Config,
    verdict: Verdict,
    base: &Verdict,
) -> Result<Verdict, OpError> {
    if verdict.tree == base.tree || verdict.word == Word::Blocked {
        return Ok(verdict);
    }
    let (now, then) = (whole(cx, &verdict)?, whole(cx, base)?);
    let Compared { worse, old, lost } = gate::compare(&now, &then);
    let key = gate::key(&verdict.tree, &verdict.gate, Base::Tree(&base.tree));
    let mut left = Vec::new();
    for (rule, fact) in lost {
        if !lifted(cx, &verdict, base, rule)? {
            left.push((rule, fact));
        }
    }
    let decides = verdict.word == Word::Pass || worse.is_empty();
    if let Some((rule, fact)) = left.into_iter().next().filter(|_| decides) {
        let (rule, fact) = (Some(rule.to_owned()), Some(fact));
        return sealed(cx, Verdict { word: Word::Blocked, rule, fact, key, ..verdict });
    }
    if verdict.word != Word::Fail || config.ralph.accept != Accept::NoRegressions {
        return Ok(verdict);
    }
    if worse.is_empty() {
        let fact =
            format!("{}, and the base has all of them", plural(usize::try_from(old).unwrap_or(0), "finding"));
        let (word, scope, fact) = (Word::Pass, Scope::NoRegressions, Some(fact));
        return sealed(cx, Verdict { word, scope, rule: None, fact, key, ..verdict });
    }
    Ok(Verdict { fact: verdict.fact.clone().or(Some(worse.join("; "))), ..verdict })
}

/// Whether a person let pass what the tree lost of `base`.
fn lifted(cx: &Ctx, verdict: &Verdict, base: &Verdict, rule: &str) -> Result<bool, OpError> {
    let lifted = approvals::beside(cx, &cx.snapshot()?, &verdict.tree, &base.tree)?;
    Ok(lifted.iter().any(|lifted| lifted == rule))
}

fn sealed(cx: &Ctx, mut verdict: Verdict) -> Result<Verdict, OpError> {
    // Whoever signed the verdict that this one is made of did not sign this.
    verdict.signature = None;
    verdict.mac = verifier(cx)?.sign(&verdict);
    Ok(verdict)
}

/// Keeps all that a run's reports say, for those who are compared with it.
pub(crate) fn keep(cx: &Ctx, verdict: &Verdict, steps: &[StepResult]) -> Result<(), OpError> {
    if steps.iter().all(|step| step.report.as_ref().is_none_or(|report| report.found == 0)) {
        return Ok(());
    }
    let text = format!("{KIND}\n{}\n{}", verdict.key, report_to_text(steps));
    let mac = verifier(cx)?.sign_bytes(text.as_bytes());
    let dir = cx.file("reports");
    fs::create_dir_all(&dir)?;
    fs::write_atomic(&dir.join(&verdict.key), format!("{mac}\n{text}").as_bytes(), 0o644, Durability::None)?;
    let mut all = fs::list(&dir)?;
    all.sort_by_key(|path| std::cmp::Reverse(fs::modified(path)));
    all.iter().skip(KEPT).try_for_each(|path| fs::remove_file_if_there(path).map(drop))?;
    Ok(())
}

/// The steps of a verdict with all their findings, as far as they are kept.
fn whole(cx: &Ctx, verdict: &Verdict) -> Result<Vec<StepResult>, OpError> {
    let mut steps = verdict.steps.clone();
    let cut = |step: &StepResult| step.report.as_ref().is_some_and(|r| (r.findings.len() as u64) < r.found);
    if !steps.iter().any(cut) {
        return Ok(steps);
    }
    let file = fs::read_optional(&cx.file("reports").join(&verdict.key))?.unwrap_or_default();
    let Some((mac, text)) = file.split_once('\n') else { return Ok(steps) };
    let head = format!("{KIND}\n{}\n", verdict.key);
    let kept =
        text.strip_prefix(&head).filter(|_| verifier(cx).is_ok_and(|k| k.verify_bytes(text.as_bytes(), mac)));
    for (name, report) in kept.map(report_from_text).transpose().unwrap_or_default().unwrap_or_default() {
        // Those of another run of the same key say something else.
        let step = steps
            .iter_mut()
            .find(|s| s.name == name && s.report.as_ref().is_some_and(|r| r.found == report.found));
        if let Some(step) = step {
            step.report = Some(report);
        }
    }
    Ok(steps)
}
