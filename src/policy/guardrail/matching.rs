//! What rules find in lines.

use std::ops::Range;

use regex::{Captures, SetMatches};

use crate::policy::guardrail::change::{Change, Line};
use crate::policy::guardrail::hit::{self, Hit};
use crate::policy::guardrail::rule::{Check, Places, Rule, Rules, Search};
use crate::policy::guardrail::secret;

/// How many lines a statement may have.
const STATEMENT: usize = 12;

/// Which lines of a change are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Added,
    Removed,
}

/// What the rules that look at lines find on one side of a change, by line. `places` says which rules are for the file.
pub(super) fn findings(rules: &Rules, change: &Change, places: &Places, side: Side) -> Vec<Hit> {
    let (lines, scopes, path) = match side {
        Side::Added => (&change.added, &places.new, change.path.as_str()),
        Side::Removed => (&change.removed, &places.old, change.old_path()),
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let words = rules.words.matches(&line.text);
        if !words.matched_any() {
            continue;
        }
        let mut secrets: Vec<Range<usize>> = Vec::new();
        let mut hits: Vec<(&Rule, usize)> = Vec::new();
        for rule in with_words(rules, &words).filter(|rule| scopes[rule.scope]) {
            let Some(range) = first(rule, lines, at) else { continue };
            let secret = matches!(rule.check, Check::Secret { .. });
            // The general rules come last, and add nothing to what one that knows the token says.
            if secret && secrets.iter().any(|known| known.start < range.end && range.start < known.end) {
                continue;
            }
            if secret {
                secrets.push(range.clone());
            }
            hits.push((rule, range.start));
        }
        if !hits.is_empty() {
            let hidden = all_secrets(rules, &words, &line.text);
            found.extend(hits.iter().map(|(rule, at)| hit::in_line(rule, path, line, *at, hidden.clone())));
        }
    }
    found
}

fn with_words<'r>(rules: &'r Rules, words: &SetMatches) -> impl Iterator<Item = &'r Rule> {
    words.iter().map(|index| &rules.list[rules.searched[index]])
}

/// Everything in a line that any rule takes for a secret, whatever files the rule is for: it is shown in no message.
fn all_secrets(rules: &Rules, words: &SetMatches, text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for rule in with_words(rules, words) {
        if let Check::Secret { search, .. } = &rule.check {
            found.extend(search.pattern.captures_iter(text).map(|captures| part(&captures)));
        }
    }
    found
}

/// What a pattern is about: its first group that took part, else all of it.
fn part(captures: &Captures<'_>) -> Range<usize> {
    let group = captures.iter().skip(1).flatten().next();
    group.or_else(|| captures.get(0)).map_or(0..0, |found| found.range())
}

/// Where `rule` has its first hit in line `at`.
fn first(rule: &Rule, lines: &[Line], at: usize) -> Option<Range<usize>> {
    let search = rule.search()?;
    let text = lines[at].text.as_str();
    if let Some(above) = &search.above
        && let Some(line) = at.checked_sub(1).and_then(|before| lines.get(before))
        && line.number.checked_add(1) == Some(lines[at].number)
        && above.is_match(&line.text)
    {
        return None;
    }
    let real = |captures: &Captures<'_>| {
        let whole = captures.get(0)?.range();
        let statement = statement(search, lines, at, &whole);
        let secret = &text[part(captures)];
        let meant = match &rule.check {
            Check::Secret { entropy, dummies, .. } => {
                !found_in(search.unless.as_ref(), &text[whole])
                    && !secret::is_dummy(secret, *entropy, dummies)
            }
            Check::Line(_)
            | Check::DeletedTest { .. }
            | Check::Conflict
            | Check::Size { .. }
            | Check::Binary
            | Check::Path { .. } => !found_in(search.unless.as_ref(), &statement),
        };
        let complete = search.needs.as_ref().is_none_or(|needs| needs.is_match(&statement));
        (meant && complete).then(|| part(captures))
    };
    search.pattern.captures_iter(text).find_map(|captures| real(&captures))
}

fn found_in(pattern: Option<&regex::Regex>, text: &str) -> bool {
    pattern.is_some_and(|pattern| pattern.is_match(text))
}

/// What is judged together with a match: its line, or from the match to the end of the statement, as far as the change
/// adds that.
fn statement(search: &Search, lines: &[Line], at: usize, found: &Range<usize>) -> String {
    let text = lines[at].text.as_str();
    let Some(until) = &search.until else { return text.to_owned() };
    let mut statement = text[found.start..].to_owned();
    let from = found.len();
    let following = lines[at..].windows(2).take(STATEMENT - 1);
    let mut more = following.take_while(|pair| pair[0].number.checked_add(1) == Some(pair[1].number));
    loop {
        if let Some(end) = until.find_at(&statement, from) {
            statement.truncate(end.end());
            return statement;
        }
        let Some(pair) = more.next() else { return statement };
        statement.push('\n');
        statement.push_str(&pair[1].text);
    }
}
