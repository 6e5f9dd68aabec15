//! Secrets in the commits of a branch that its tip does not have any more.
//!
//! Called by `ops::guardrails`, which looks at what a change is in the end: whoever fetches trunk gets the way to it, too.
//! Reads the repository. Invariants: what trunk has already is looked at no more; of a merge only what none of its sides has
//! is its own. Deliberately absent: other rules: what a later commit mended is mended.

use std::collections::BTreeSet;

use crate::domain::finding::Finding;
use crate::domain::oid::Oid;
use crate::git::{GitError, LinesError};
use crate::ops::compared::Compared;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::policy::guardrail::{Change, Checked, Exceptions, Kind, Rules, check};

/// What was found in one commit.
#[derive(Debug)]
pub(super) enum Past {
    /// A secret.
    Secret(Oid, Finding),
    /// The commit is too large to be looked at: the file, and the limit.
    TooMuch(Oid, String, usize),
}

/// So many lines tell one secret from another: the first one of a private key is the same in all.
const LINES: u32 = 3;

/// What is known already: the rule, and the lines as they are. A fingerprint does not do, since no secret is in it.
pub(super) type Known = BTreeSet<(String, Vec<String>)>;

/// What tells a finding in `changes` from another one.
pub(super) fn key(changes: &[Change], finding: &Finding) -> (String, Vec<String>) {
    let change = changes.iter().find(|change| Some(&change.path) == finding.path.as_ref());
    let lines = change.zip(finding.span).map(|(change, span)| {
        let near = change.added.iter().filter(|line| (span.line..span.line + LINES).contains(&line.number));
        near.map(|line| line.text.trim().to_owned()).collect()
    });
    (finding.rule.clone(), lines.unwrap_or_else(|| vec![finding.fingerprint.clone()]))
}

/// What the commits of a change bring in besides what is `known` of its end, the oldest first, each once.
pub(super) fn find(
    cx: &Ctx,
    compared: &Compared,
    rules: &Rules,
    mut known: Known,
) -> Result<Vec<Past>, OpError> {
    let mut found = Vec::new();
    for (commit, parents) in commits(cx, compared)? {
        match of_commit(cx, rules, &commit, &parents)? {
            Ok(secrets) => {
                let new = secrets.into_iter().filter(|(key, _)| known.insert(key.clone()));
                found.extend(new.map(|(_, finding)| Past::Secret(commit.clone(), finding)));
            }
            Err((path, limit)) => found.push(Past::TooMuch(commit, path, limit)),
        }
    }
    Ok(found)
}

/// The commits that trunk does not have, with their parents; none where the only one is the whole change.
fn commits(cx: &Ctx, compared: &Compared) -> Result<Vec<(Oid, Vec<Oid>)>, OpError> {
    let Some(trunk) = compared.trunk.as_ref().filter(|_| !compared.is_on_trunk()) else {
        return Ok(Vec::new());
    };
    let args = ["rev-list", "--topo-order", "--reverse", "--parents"];
    let range = [compared.commit.to_string(), format!("^{trunk}")];
    let listed = cx.repo.run_git(args.into_iter().chain(range.iter().map(String::as_str)))?.text();
    let mut commits = Vec::new();
    for line in listed.lines() {
        let ids = line.split_whitespace().map(Oid::parse).collect::<Result<Vec<Oid>, _>>();
        let mut ids = ids.map_err(GitError::from)?.into_iter();
        commits.extend(ids.next().map(|commit| (commit, ids.collect::<Vec<_>>())));
    }
    let is_whole = |(_, parents): &(Oid, Vec<Oid>)| {
        parents.len() == usize::from(compared.fork.is_some()) && parents.iter().eq(&compared.fork)
    };
    if let [only] = &commits[..]
        && is_whole(only)
    {
        commits.clear();
    }
    Ok(commits)
}

/// Secrets, each with what tells it from another one; or the file with which the commit is too much, and the limit.
type Secrets = Result<Vec<((String, Vec<String>), Finding)>, (String, usize)>;

/// What a commit adds to each of its parents. The last one comes first: of a merge it is the branch, whose commits are looked
/// at themselves.
fn of_commit(cx: &Ctx, rules: &Rules, commit: &Oid, parents: &[Oid]) -> Result<Secrets, OpError> {
    let roots = [cx.repo.empty_tree()];
    let bases = if parents.is_empty() { &roots[..] } else { parents };
    let is_secret = |hit: &Finding| rules.get(&hit.rule).is_some_and(|rule| rule.kind == Kind::Secret);
    let mut found: Option<Vec<_>> = None;
    for base in bases.iter().rev() {
        let changes = match cx.repo.line_changes(base, commit) {
            Ok(changes) => changes,
            Err(LinesError::Git(error)) => return Err(error.into()),
            Err(LinesError::TooMuch { path, limit }) => return Ok(Err((path, limit))),
        };
        let Checked { hits, .. } = check(rules, &changes, Exceptions::Nobody);
        let here = hits.into_iter().filter(is_secret).map(|hit| (key(&changes, &hit), hit));
        let here: Vec<_> = match &found {
            None => here.collect(),
            Some(before) => here.filter(|(key, _)| before.iter().any(|(old, _)| old == key)).collect(),
        };
        let is_done = here.is_empty();
        found = Some(here);
        if is_done {
            break;
        }
    }
    Ok(Ok(found.unwrap_or_default()))
}
