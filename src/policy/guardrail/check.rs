//! A change held against the rules.

use std::collections::BTreeMap;

use crate::domain::finding::Finding;
use crate::policy::commit::ChangeKind;
use crate::policy::guardrail::change::Change;
use crate::policy::guardrail::conflict;
use crate::policy::guardrail::exception::{Comment, comment};
use crate::policy::guardrail::gone::{self, Shape};
use crate::policy::guardrail::hit::{self, Hit};
use crate::policy::guardrail::matching::{self, Side};
use crate::policy::guardrail::moved::new_ones;
use crate::policy::guardrail::rule::{Allow, Check, Places, Rule, Rules, When};

/// How far exceptions reach: by the level of whoever made the change, and by what a person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exceptions {
    /// None counts.
    Nobody,
    /// Comments with a reason do, for rules that allow them.
    Comments,
    /// The same, and a person has allowed all else that a person may allow.
    Person,
}

/// Why a hit is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// A comment in the change gives this reason.
    Comment(String),
    /// A person allowed it.
    Person,
}

/// A hit that is allowed. Reviewers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// What was found.
    pub finding: Finding,
    /// Why it is allowed.
    pub excuse: Excuse,
}

/// What became of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What blocks it.
    pub hits: Vec<Finding>,
    /// What would, were it not allowed.
    pub allowed: Vec<Allowed>,
}

/// Holds `changes` against `rules`.
pub fn check(rules: &Rules, changes: &[Change], exceptions: Exceptions) -> Checked {
    let places: Vec<Places> = changes.iter().map(|change| Places::of(rules, change)).collect();
    let mut found: Vec<(usize, Hit)> = Vec::new();
    let mut old: Vec<Hit> = Vec::new();
    for (index, (change, places)) in changes.iter().zip(&places).enumerate() {
        let lines = matching::findings(rules, change, places, Side::Added);
        found.extend(lines.into_iter().map(|hit| (index, hit)));
        found.extend(of_file(rules, change, places).into_iter().map(|hit| (index, hit)));
        old.extend(matching::findings(rules, change, places, Side::Removed));
    }
    for rule in rules.all() {
        if let Check::DeletedTest { name, marker } = &rule.check {
            let shape = Shape { name, marker: marker.as_ref() };
            found.extend(gone::findings(rule, shape, changes, &places));
        }
    }
    found.sort_by_key(|(index, hit)| (*index, hit.finding.span.map(|span| span.line)));
    let found: Vec<Hit> = found.into_iter().map(|(_, hit)| hit).collect();
    let by_path = changes.iter().map(|change| (change.path.as_str(), change)).collect();
    let mut checked = Checked::default();
    for hit in new_ones(found, &old) {
        judge(rules, &by_path, exceptions, hit.finding, &mut checked);
    }
    checked
}

/// What the rules that look at whole files find.
fn of_file(rules: &Rules, change: &Change, places: &Places) -> Vec<Hit> {
    let mut found = Vec::new();
    for rule in rules.all() {
        let (old, new) = (places.old[rule.scope], places.new[rule.scope]);
        match &rule.check {
            Check::Conflict if new => {
                let line = conflict::first(change);
                found.extend(line.map(|line| hit::in_line(rule, &change.path, line, 0, Vec::new())));
            }
            Check::Size { limit } if new && change.size > *limit && change.old_size <= *limit => {
                let fact = format!("{} bytes, and {limit} are allowed", change.size);
                found.push(hit::of_file(rule, change, &fact, &change.path));
            }
            Check::Binary if new && change.binary => {
                let fact = format!("{} bytes", change.size);
                found.push(hit::of_file(rule, change, &fact, &change.path));
            }
            Check::Path { when } if (old || new) && when.contains(&When::of(&change.kind)) => {
                found.push(hit::of_file(rule, change, &happens(change), &change.path));
            }
            Check::Line(_)
            | Check::Secret { .. }
            | Check::DeletedTest { .. }
            | Check::Conflict
            | Check::Size { .. }
            | Check::Binary
            | Check::Path { .. } => {}
        }
    }
    found
}

fn happens(change: &Change) -> String {
    let path = &change.path;
    match &change.kind {
        ChangeKind::Added => format!("`{path}` is added"),
        ChangeKind::Modified => format!("`{path}` is changed"),
        ChangeKind::Deleted => format!("`{path}` is deleted"),
        ChangeKind::Renamed { from } => format!("`{from}` becomes `{path}`"),
    }
}

/// Puts a finding where it belongs.
fn judge(
    rules: &Rules,
    changes: &BTreeMap<&str, &Change>,
    exceptions: Exceptions,
    mut finding: Finding,
    checked: &mut Checked,
) {
    let rule = rules.get(&finding.rule).expect("BUG: a finding of no rule");
    let change = finding.path.as_deref().and_then(|path| changes.get(path));
    let comment = change.zip(finding.span).and_then(|(change, span)| comment(change, span.line, &rule.id));
    if let Some(excuse) = excuse(rule, comment.as_ref(), exceptions) {
        checked.allowed.push(Allowed { finding, excuse });
        return;
    }
    let more = match (comment, rule.allow) {
        (Some(Comment::Bare), Allow::Comment) => "; its exception gives no reason of ten letters",
        (Some(_), Allow::Never) => "; this rule has no exceptions",
        (Some(_), Allow::Person) => "; only a person may allow it",
        (Some(Comment::Reasoned(_)), Allow::Comment) => "; exceptions do not count here",
        (None, _) => "",
    };
    finding.message = hit::cut(finding.message + more);
    checked.hits.push(finding);
}

fn excuse(rule: &Rule, comment: Option<&Comment>, exceptions: Exceptions) -> Option<Excuse> {
    match (rule.allow, comment, exceptions) {
        (Allow::Comment, Some(Comment::Reasoned(reason)), Exceptions::Comments | Exceptions::Person) => {
            Some(Excuse::Comment(hit::plain(reason)))
        }
        (Allow::Comment | Allow::Person, _, Exceptions::Person) => Some(Excuse::Person),
        (
            Allow::Comment | Allow::Person | Allow::Never,
            _,
            Exceptions::Nobody | Exceptions::Comments | Exceptions::Person,
        ) => None,
    }
}
