//! What a check-list says about a task in parentheses at the end of its title: `(bug, P1, needs: parser)`.
//!
//! Called by the check-list's reader. Pure. Kinds, priorities, roles and `word: values`, with commas or spaces
//! between them, in capitals or not. Parentheses that nobody meant for us belong to the title, so that
//! `(see the docs)` does, though `docs` is a kind. What was meant for us and is mistyped is a problem: taken for
//! words, it would give the task another kind than its author wrote, and nobody would see it.

use std::collections::BTreeMap;

use crate::domain::kind::{Kind, Priority};
use crate::domain::role::Role;
use crate::view::intake::Found;

/// The words that go before a colon.
const KEYS: [&str; 7] = ["id", "label", "labels", "needs", "file", "files", "accept"];

/// What may be there, for who wrote something else.
pub(super) fn allowed() -> String {
    format!(
        "allowed in parentheses at a title's end, with commas or spaces between:\n\
         kinds {}; priorities P0 to P4;\n\
         roles {};\n\
         id: NAME, label: LABEL, needs: TASK, file: GLOB, accept: TEXT\n\
         (for other words there, put a period behind the parentheses)",
        Kind::ALL.map(Kind::as_str).join(", "),
        Role::ALL.map(Role::as_str).join(", "),
    )
}

/// The title and what is in the parentheses at its end, if that is meant for us.
pub(super) fn split(first: &str) -> Option<(&str, &str)> {
    let (title, list) = first.strip_suffix(')')?.rsplit_once('(')?;
    list.split(',').any(is_meant).then_some((title.trim_end(), list))
}

/// Reads the list into `found`; the error says what is wrong.
pub(super) fn read(list: &str, found: &mut Found) -> Result<(), String> {
    let mut single = Single::default();
    for part in list.split(',') {
        let mut rest = part.trim();
        if rest.is_empty() {
            return Err(format!("there is an empty place in `({list})`"));
        }
        while !rest.is_empty() {
            rest = one(rest, found, &mut single)?.trim_start();
        }
    }
    Ok(())
}

/// What a task has one of, with the word that said it.
#[derive(Default)]
struct Single(BTreeMap<&'static str, String>);

impl Single {
    fn take(&mut self, what: &'static str, word: &str) -> Result<(), String> {
        match self.0.insert(what, word.to_owned()) {
            Some(before) => Err(format!("`{word}` is a second {what}, after `{before}`")),
            None => Ok(()),
        }
    }
}

/// Whether the text between two commas was probably written for us.
fn is_meant(part: &str) -> bool {
    if let Some((key, _)) = part.split_once(':') {
        return key.split_whitespace().next_back().is_some_and(|key| is_like(key, &KEYS));
    }
    let words: Vec<&str> = part.split_whitespace().collect();
    let like = words.iter().filter(|word| is_attribute(word) || is_mistyped(word)).count();
    match words.as_slice() {
        [] => false,
        _ if like == words.len() => true,
        [first, _] if is_attribute(first) => true,
        words => 2 * like >= words.len() && words.iter().any(|word| is_numbered(word)),
    }
}

fn is_attribute(word: &str) -> bool {
    take_word(word, &mut Found::default()).is_some()
}

fn is_mistyped(word: &str) -> bool {
    is_numbered(word) || names().any(|name| is_slip(word, name))
}

/// `P` and a number, also one that is no priority.
fn is_numbered(word: &str) -> bool {
    let digits = word.strip_prefix(['P', 'p']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn is_like(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| word.eq_ignore_ascii_case(known) || is_slip(word, known))
}

/// Whether `word` is `name` with one slip of the finger. In a short name another letter makes another word too
/// often: `text` is no `test`, `big` no `bug`.
fn is_slip(word: &str, name: &str) -> bool {
    let word = word.to_lowercase();
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    let likely = name.len() > 4 || word.len() != name.len() || letters(&word) == letters(name);
    likely && strsim::osa_distance(&word, name) == 1
}

fn names() -> impl Iterator<Item = &'static str> {
    Kind::ALL.map(Kind::as_str).into_iter().chain(Role::ALL.map(Role::as_str))
}

/// Takes what `text` begins with into `found`; returns the rest.
fn one<'a>(text: &'a str, found: &mut Found, single: &mut Single) -> Result<&'a str, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if word.contains(':') || rest.trim_start().starts_with(':') {
        let (key, value) = text.split_once(':').unwrap_or((text, ""));
        return pair(key.trim(), value.trim(), found, single);
    }
    let what = take_word(word, found).ok_or_else(|| unknown(word))?;
    single.take(what, word)?;
    Ok(rest)
}

fn unknown(word: &str) -> String {
    let near = names()
        .map(|name| (strsim::osa_distance(&word.to_lowercase(), name), name))
        .filter(|(slips, name)| slips * 2 < name.len())
        .min();
    let hint = near.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"));
    format!("`{word}` is no kind, priority or role{hint}")
}

/// Takes a kind, a role or a priority; says which it was, if any.
fn take_word(word: &str, found: &mut Found) -> Option<&'static str> {
    let lower = word.to_lowercase();
    if let Some(kind) = Kind::parse(&lower) {
        found.draft.kind = kind;
        Some("kind")
    } else if let Some(role) = Role::parse(&lower) {
        found.draft.role = Some(role);
        Some("role")
    } else if let Some(priority) = Priority::parse(&lower).filter(|_| lower.starts_with('p')) {
        found.draft.priority = priority;
        Some("priority")
    } else {
        None
    }
}

/// Takes `key: value`; returns what follows a name, which is one word.
fn pair<'a>(key: &str, value: &'a str, found: &mut Found, single: &mut Single) -> Result<&'a str, String> {
    let values = || value.split_whitespace().map(str::to_owned);
    let lower = key.to_lowercase();
    if value.is_empty() && KEYS.contains(&lower.as_str()) {
        return Err(format!("there is nothing behind `{key}:`"));
    }
    match lower.as_str() {
        "id" => {
            let (name, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
            single.take("id", name)?;
            found.name = Some(name.to_owned());
            return Ok(rest);
        }
        "label" | "labels" => found.draft.labels.extend(values()),
        "needs" => found.needs.extend(values()),
        "file" | "files" => found.draft.files.extend(values()),
        "accept" => found.draft.acceptance.push(value.to_owned()),
        _ => {
            let near = KEYS.into_iter().find(|known| is_slip(&lower, known));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}:`?"));
            return Err(format!("`{key}:` is not known{hint}"));
        }
    }
    Ok("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_list(first: &str) -> Result<Found, String> {
        let (_, list) = split(first).expect("it is meant for us");
        let mut found = Found::default();
        read(list, &mut found).map(|()| found)
    }

    #[test]
    fn commas_or_spaces_capitals_or_not() {
        for list in
            ["(feature, P1)", "(Feature P1)", "(P1 FEATURE)", "( p1 ,  feature )", "(feature P1, id: x)"]
        {
            let found = read_list(list).expect(list);
            assert_eq!((found.draft.kind, found.draft.priority), (Kind::Feature, Priority::P1), "{list}");
        }
        let found = read_list("x (Bug P1 id: parser needs: a b, Label: io ui, file:src/*)").unwrap();
        assert_eq!(
            (found.name.as_deref(), found.needs),
            (Some("parser"), vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!((found.draft.labels.len(), found.draft.files), (2, vec!["src/*".to_owned()]));
        assert_eq!(read_list("x (accept: note: it is fast)").unwrap().draft.acceptance, ["note: it is fast"]);
    }

    #[test]
    fn ordinary_parentheses_are_not_meant_for_us() {
        let ordinary = [
            "see the docs",
            "see the log",
            "see docs",
            "text",
            "big",
            "future",
            "2",
            "bug in the parser",
            "Safari, Chrome",
            "seen on a P4 board only",
            "1:1",
            "note: later",
            "",
            "add test",
            "P",
            "Pentium",
        ];
        for words in ordinary {
            assert_eq!(split(&format!("Do it ({words})")), None, "{words}");
        }
    }

    #[test]
    fn what_was_meant_for_us_and_is_mistyped_is_a_problem() {
        let cases = [
            ("featur, P2", "`featur` is no kind, priority or role; did you mean `feature`?"),
            ("featur", "`featur` is no kind, priority or role; did you mean `feature`?"),
            ("tests", "`tests` is no kind, priority or role; did you mean `test`?"),
            ("bug, soon", "`soon` is no kind, priority or role"),
            ("soon, bug", "`soon` is no kind, priority or role"),
            ("bug soon", "`soon` is no kind, priority or role"),
            ("urgent P1", "`urgent` is no kind, priority or role"),
            ("P9", "`P9` is no kind, priority or role"),
            ("p10", "`p10` is no kind, priority or role"),
            ("bug,", "there is an empty place in `(bug,)`"),
            ("lable: io", "`lable:` is not known; did you mean `label:`?"),
            ("bug, prio: 1", "`prio:` is not known"),
            ("bug, feature", "`feature` is a second kind, after `bug`"),
            ("P3 bug P4", "`P4` is a second priority, after `P3`"),
            ("bugfix, bug, testwriter", "`testwriter` is a second role, after `bugfix`"),
            ("id: a, bug, id: b", "`b` is a second id, after `a`"),
            ("id:", "there is nothing behind `id:`"),
        ];
        for (list, what) in cases {
            assert_eq!(read_list(&format!("x ({list})")).expect_err(list), what);
        }
    }
}
