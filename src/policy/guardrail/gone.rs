//! Tests that a change takes away.
//!
//! A test is known by its name. One that is removed here and added there has moved; one of which nothing but the line with
//! the name changes has got another. Where a test is made by a marker (`#[test]`), a name counts only with one: the marker is before it, or,
//! because a diff may begin a removed block one line late, at the end of the same block.

use std::collections::BTreeSet;

use regex::Regex;

use crate::policy::commit::ChangeKind;
use crate::policy::guardrail::change::{Change, Line, runs};
use crate::policy::guardrail::hit::{self, Hit};
use crate::policy::guardrail::rule::{Places, Rule};

/// How a test is recognised.
#[derive(Clone, Copy)]
pub(super) struct Shape<'r> {
    pub(super) name: &'r Regex,
    pub(super) marker: Option<&'r Regex>,
}

impl Shape<'_> {
    fn name_in<'t>(&self, line: &'t Line) -> Option<&'t str> {
        let captures = self.name.captures(&line.text)?;
        captures.iter().skip(1).flatten().next().map(|found| found.as_str())
    }

    fn marks(&self, line: &Line) -> bool {
        self.marker.is_some_and(|marker| marker.is_match(&line.text))
    }

    /// The tests that begin in a run of lines.
    fn tests<'t>(&self, run: &'t [Line]) -> Vec<&'t str> {
        let last = |wanted: &dyn Fn(&Line) -> bool| run.iter().rposition(wanted);
        let (marker, name) = (last(&|line| self.marks(line)), last(&|line| self.name_in(line).is_some()));
        let mut armed = self.marker.is_none() || marker > name;
        let mut tests = Vec::new();
        for line in run {
            armed |= self.marks(line);
            if let Some(name) = self.name_in(line) {
                if armed {
                    tests.push(name);
                }
                armed = self.marker.is_none();
            }
        }
        tests
    }

    /// Whether a run has nothing of a test but its name: what it did stays, or comes from elsewhere.
    fn only_names(&self, run: &[Line]) -> bool {
        let fits = |line: &Line| self.marks(line) || self.name_in(line).is_some();
        run.iter().all(|line| fits(line) || line.text.trim().is_empty())
    }

    /// The tests of `lines` whose name changes and nothing else.
    fn named<'t>(&self, lines: &'t [Line]) -> BTreeSet<&'t str> {
        runs(lines).filter(|run| self.only_names(run)).flat_map(|run| self.tests(run)).collect()
    }

    /// How many runs have a marker and nothing that it could mark: the thing that has a name stays.
    fn bare_markers(&self, lines: &[Line]) -> usize {
        let bare = |run: &&[Line]| {
            run.iter().any(|line| self.marks(line)) && !run.iter().any(|line| self.name_in(line).is_some())
        };
        runs(lines).filter(bare).count()
    }
}

/// The tests that `changes` take away, with the index of the change. `places` says which files the rule is for.
pub(super) fn findings(
    rule: &Rule,
    shape: Shape<'_>,
    changes: &[Change],
    places: &[Places],
) -> Vec<(usize, Hit)> {
    let with_places = || changes.iter().zip(places).enumerate();
    let added: BTreeSet<&str> = with_places()
        .filter(|(_, (_, places))| places.new[rule.scope])
        .flat_map(|(_, (change, _))| change.added.iter().filter_map(|line| shape.name_in(line)))
        .collect();
    let mut found = Vec::new();
    for (index, (change, places)) in with_places().filter(|(_, (_, places))| places.old[rule.scope]) {
        found.extend(of_file(rule, shape, change, places, &added).into_iter().map(|f| (index, f)));
    }
    found
}

fn of_file(
    rule: &Rule,
    shape: Shape<'_>,
    change: &Change,
    places: &Places,
    added: &BTreeSet<&str>,
) -> Vec<Hit> {
    if matches!(change.kind, ChangeKind::Renamed { .. }) && !places.new[rule.scope] {
        let fact = format!("`{}` becomes a file in which no test is looked for", change.old_path());
        return vec![hit::of_file(rule, change, &fact, change.old_path())];
    }
    let removed: BTreeSet<&str> = runs(&change.removed).flat_map(|run| shape.tests(run)).collect();
    let mut gone: BTreeSet<&str> = removed.iter().filter(|name| !added.contains(*name)).copied().collect();
    let (before, after) = (shape.named(&change.removed), shape.named(&change.added));
    if gone.intersection(&before).count() <= after.difference(&removed).count() {
        gone.retain(|name| !before.contains(name));
    }
    if change.kind == ChangeKind::Deleted && !gone.is_empty() {
        let names: Vec<&str> = gone.into_iter().collect();
        let fact = format!("the file goes with `{}`", names.join("`, `"));
        return vec![hit::of_file(rule, change, &fact, &names.join("\n"))];
    }
    let mut found: Vec<Hit> =
        gone.into_iter().map(|name| hit::of_file(rule, change, &format!("`{name}`"), name)).collect();
    if shape.bare_markers(&change.removed) > shape.bare_markers(&change.added) {
        let fact = "what marks a test is removed, and what it armed stays";
        found.push(hit::of_file(rule, change, fact, change.old_path()));
    }
    found
}
