//! Guardrails, held against what a commit changes.
//!
//! Called by Ralph before anything is run, and by `approve`, which shows what is lifted. The rules are those of this
//! program, with what trunk's configuration adds; what a branch says of them counts for nothing. Reads the repository;
//! leaves a mark where nothing was found (`ops::guarded`). What the branch's commits had on the way is `past_secrets`.
//! Invariant: a hit is let through by a comment of the change or by a person's approval of exactly that tree that showed it,
//! and only where its rule says so. Deliberately absent: verdicts.

use sha2::{Digest as _, Sha256};

use crate::assets;
use crate::config::{Guardrails, Policy};
use crate::domain::finding::{Finding, Severity};
use crate::domain::oid::Oid;
use crate::git::LinesError;
use crate::ops::approvals::{self, Sealed};
use crate::ops::compared::Compared;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::OpError;
use crate::ops::guarded::Mark;
use crate::ops::past_secrets::{self, Past};
use crate::policy::guardrail::{Allow, Allowed, Checked, Exceptions, Excuse, Rules, check};
use crate::store::Snapshot;

/// The rule of a change that is too large to be looked at.
pub const TOO_MUCH: &str = "guardrail.too_much";

/// Something that a change may not bring in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What, and where.
    pub finding: Finding,
    /// Why it is wrong.
    pub why: String,
    /// What to do instead.
    pub fix: String,
    /// What may allow it.
    pub allow: Allow,
    /// The commit that brings it in, where the end of the branch does not have it any more.
    pub commit: Option<Oid>,
}

impl Hit {
    /// Where it is: `src/a.rs:7`.
    pub fn place(&self) -> String {
        place(&self.finding)
    }

    /// As what an approval lifts it: by its rule; what is not in the tree that is approved, only by itself.
    fn entry(&self) -> &str {
        if self.commit.is_some() { &self.finding.fingerprint } else { &self.finding.rule }
    }

    /// Whether its rule is lifted, or it alone, by its fingerprint.
    pub fn is_lifted(&self, lifted: &[String]) -> bool {
        lifted.iter().any(|one| one == self.entry() || *one == self.finding.fingerprint)
    }
}

fn place(finding: &Finding) -> String {
    let path = finding.path.as_deref().unwrap_or("the change");
    finding.span.map_or_else(|| path.to_owned(), |span| format!("{path}:{}", span.line))
}

/// What guardrails say about a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// What blocks it.
    pub hits: Vec<Hit>,
    /// What would, were it not allowed.
    pub allowed: Vec<Allowed>,
}

impl Guarded {
    /// The rule of the first hit, and what it says of all.
    pub fn fact(&self) -> Option<(&str, String)> {
        let first = self.hits.first()?;
        let more = match self.hits.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some((&first.finding.rule, format!("{}: {}{more}", first.place(), first.finding.message)))
    }

    /// What was let through, one line each, for those who are shown no verdict.
    pub fn notes(&self) -> Vec<String> {
        let line = |allowed: &Allowed| {
            let excuse = match &allowed.excuse {
                Excuse::Comment(reason) => format!("\"{reason}\""),
                Excuse::Person => "a person approved it".to_owned(),
            };
            format!("allowed: {}, {}: {excuse}", place(&allowed.finding), allowed.finding.rule)
        };
        self.allowed.iter().map(line).collect()
    }

    /// The rules of hits that a person may allow, each once.
    pub fn rules_for_a_person(&self) -> Vec<String> {
        self.for_a_person(|hit| &hit.finding.rule)
    }

    /// What the record of an approval of these hits lifts.
    pub(crate) fn entries_for_a_person(&self) -> Vec<String> {
        self.for_a_person(Hit::entry)
    }

    fn for_a_person(&self, text: impl Fn(&Hit) -> &str) -> Vec<String> {
        let may = self.hits.iter().filter(|hit| hit.allow != Allow::Never);
        let mut list: Vec<String> = may.map(|hit| text(hit).to_owned()).collect();
        list.sort();
        list.dedup();
        list
    }

    /// The first commit that has to be rewritten: a later one does not mend what it brings in.
    pub fn to_rewrite(&self) -> Option<&Oid> {
        self.hits.iter().find_map(|hit| hit.commit.as_ref())
    }

    /// Lets through what a person approved: the hits for which `approved` holds.
    fn lift(&mut self, approved: &mut dyn FnMut(&Hit) -> bool) {
        let (lifted, hits) = std::mem::take(&mut self.hits)
            .into_iter()
            .partition(|hit| hit.allow != Allow::Never && approved(hit));
        self.hits = hits;
        let lifted: Vec<Hit> = lifted;
        self.allowed
            .extend(lifted.into_iter().map(|hit| Allowed { finding: hit.finding, excuse: Excuse::Person }));
    }
}

/// Whether a mark of an earlier look is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    Count,
    Ignored,
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The change.
    pub(crate) compared: &'a Compared,
    /// For a merge result: the branch's tip, whose approval counts for the result as well.
    pub(crate) branch_tip: Option<&'a Oid>,
    /// Trunk's policy.
    pub(crate) policy: &'a Policy,
    pub(crate) marks: Marks,
}

/// What guardrails say about a change, with what people approved.
pub(crate) fn judge(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    trunk: &Trunk,
    question: &Question<'_>,
) -> Result<Guarded, OpError> {
    let Question { compared, policy, .. } = question;
    // A branch that takes back all that it did changes nothing, and yet has its commits.
    if compared.is_on_trunk() {
        return Ok(Guarded::default());
    }
    let mark = Mark::of(cx, compared, &profiles(policy));
    if question.marks == Marks::Count && mark.is_there(cx)? {
        return Ok(Guarded::default());
    }
    let mut guarded = look(cx, compared, policy)?;
    if guarded == Guarded::default() {
        mark.leave(cx)?;
    }
    if guarded.hits.is_empty() {
        return Ok(guarded);
    }
    let mut seen = shown(cx, snapshot, compared, policy)?;
    guarded.lift(&mut |hit| take(&mut seen, hit));
    if let Some(tip) = question.branch_tip
        && !guarded.hits.is_empty()
    {
        // Of a merge result only what is in the branch's tip, too, was seen by whoever approved that.
        let branch = Compared::of(cx, trunk, tip)?;
        let mut seen = shown(cx, snapshot, &branch, policy)?;
        guarded.lift(&mut |hit| take(&mut seen, hit));
    }
    Ok(guarded)
}

/// The hits that a person who approved the tree was shown, and lifted.
fn shown(
    cx: &Ctx,
    snapshot: &Snapshot<'_>,
    compared: &Compared,
    policy: &Policy,
) -> Result<Vec<Hit>, OpError> {
    let Some(Sealed { approval, base }) = approvals::of_tree(cx, snapshot, &compared.tree)? else {
        return Ok(Vec::new());
    };
    let lifted = approval.guardrails;
    let is_there = base == cx.repo.empty_tree() || cx.repo.has_object(&base);
    if lifted.is_empty() || !is_there {
        return Ok(Vec::new());
    }
    let same_base = base == compared.before(cx);
    // What was compared with another tree was another change: the same tree may undo what trunk has since.
    let read = Compared { base: Some(base), ..compared.clone() };
    let hits = look(cx, &read, policy)?.hits.into_iter();
    let counts = |hit: &Hit| hit.is_lifted(&lifted) && (same_base || hit.finding.rule != TOO_MUCH);
    Ok(hits.filter(counts).collect())
}

/// Whether `hit` is one of those that were shown, which then is one less: the next of the same text was not.
fn take(seen: &mut Vec<Hit>, hit: &Hit) -> bool {
    let at = seen.iter().position(|old| same(old, hit));
    at.map(|at| seen.swap_remove(at)).is_some()
}

fn same(one: &Hit, two: &Hit) -> bool {
    let what =
        |hit: &Hit| (hit.finding.rule.clone(), hit.finding.path.clone(), hit.finding.fingerprint.clone());
    what(one) == what(two)
}

/// The same without what people approved, looked at anew.
pub(crate) fn look(cx: &Ctx, compared: &Compared, policy: &Policy) -> Result<Guarded, OpError> {
    let empty = cx.repo.empty_tree();
    let base = compared.base.as_ref().unwrap_or(&empty);
    let changes = match cx.repo.line_changes(base, &compared.tree) {
        Ok(changes) => changes,
        Err(LinesError::Git(error)) => return Err(error.into()),
        Err(LinesError::TooMuch { path, limit }) => {
            return Ok(Guarded { hits: vec![too_much(path, limit)], allowed: Vec::new() });
        }
    };
    let rules = rules(policy)?;
    let Checked { hits, allowed } = check(&rules, &changes, Exceptions::Comments);
    let hit = |finding: Finding| {
        let rule = rules.get(&finding.rule).expect("BUG: a finding of no rule");
        Hit { why: rule.why.clone(), fix: rule.fix.clone(), allow: rule.allow, finding, commit: None }
    };
    let known = hits.iter().chain(allowed.iter().map(|allowed| &allowed.finding));
    let known = known.map(|finding| past_secrets::key(&changes, finding)).collect();
    let past = past_secrets::find(cx, compared, &rules, known)?.into_iter().map(|past| match past {
        Past::Secret(commit, finding) => in_the_past(hit(finding), commit),
        Past::TooMuch(commit, path, limit) => in_the_past(too_much(path, limit), commit),
    });
    let past: Vec<Hit> = past.collect();
    Ok(Guarded { hits: hits.into_iter().map(hit).chain(past).collect(), allowed })
}

/// A hit in a commit of the branch.
fn in_the_past(hit: Hit, commit: Oid) -> Hit {
    let short = commit.short().to_owned();
    let message = format!("{}, in commit {short} of the branch", hit.finding.message);
    let fix = format!("{}; then take it out of commit {short}: a later one does not", hit.fix);
    // No secret is in a fingerprint: this one is to be for that commit's alone.
    let fingerprint = hashed(&[&hit.finding.fingerprint, commit.as_str()]);
    Hit { finding: Finding { message, fingerprint, ..hit.finding }, fix, commit: Some(commit), ..hit }
}

fn profiles(policy: &Policy) -> Vec<&'static str> {
    policy.guardrails.iter().copied().map(Guardrails::as_str).collect()
}

fn rules(policy: &Policy) -> Result<Rules, OpError> {
    Rules::parse(&assets::GUARDRAILS, &profiles(policy)).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        OpError::Bug(lines.join("; "))
    })
}

fn hashed(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\0"));
    hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn too_much(path: String, limit: usize) -> Hit {
    let fingerprint = hashed(&[TOO_MUCH, &path]);
    let finding = Finding {
        rule: TOO_MUCH.to_owned(),
        path: Some(path),
        span: None,
        message: format!("the change has more than {} MiB of lines", limit >> 20),
        severity: Severity::Error,
        fingerprint,
    };
    Hit {
        finding,
        why: "nobody can look at such a change, and no guardrail did".to_owned(),
        fix: "make several changes of it, or keep what is generated outside the repository".to_owned(),
        allow: Allow::Person,
        commit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_of_the_files_can_be_asked_for_and_is_off_unless_it_is() {
        let policy = Policy { guardrails: Guardrails::ALL.into_iter().collect(), ..Policy::default() };
        let all = rules(&policy).unwrap();
        let words: Vec<&str> = all.all().iter().filter_map(|rule| rule.profile.as_deref()).collect();
        for profile in Guardrails::ALL {
            assert!(words.contains(&profile.as_str()), "{profile:?} switches nothing on");
        }
        let named = assets::GUARDRAILS.iter().filter(|(_, text)| text.contains("\nprofile = ")).count();
        let known: std::collections::BTreeSet<&str> = words.into_iter().collect();
        assert_eq!(named, known.len(), "a file's profile is unknown to `policy.guardrails`");
        assert!(rules(&Policy::default()).unwrap().all().iter().all(|rule| rule.profile.is_none()));
    }

    #[test]
    fn the_fact_is_the_first_hit_and_how_many_more_there_are() {
        let hit = |allow| Hit { allow, ..too_much("big".into(), 64 << 20) };
        let mut guarded = Guarded { hits: vec![hit(Allow::Never), hit(Allow::Person)], allowed: Vec::new() };
        let fact = "big: the change has more than 64 MiB of lines and 1 more".to_owned();
        assert_eq!(guarded.fact(), Some((TOO_MUCH, fact)));
        guarded.lift(&mut |_| true);
        assert_eq!((guarded.hits.len(), guarded.allowed.len()), (1, 1), "what is never allowed stays");
        assert_eq!(Guarded::default().fact(), None);
    }
}
