//! What the tests of rules say: changes, and tables of lines.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::policy::commit::ChangeKind;
use crate::policy::guardrail::{Change, Exceptions, Line, Rules, check};

/// The files of rules, as they are embedded.
pub(super) const SOURCES: [(&str, &str); 8] = [
    ("common", include_str!("../../../../policies/guardrails/common.toml")),
    ("rust", include_str!("../../../../policies/guardrails/rust.toml")),
    ("typescript", include_str!("../../../../policies/guardrails/typescript.toml")),
    ("python", include_str!("../../../../policies/guardrails/python.toml")),
    ("go", include_str!("../../../../policies/guardrails/go.toml")),
    ("sql", include_str!("../../../../policies/guardrails/sql.toml")),
    ("secrets", include_str!("../../../../policies/guardrails/secrets.toml")),
    ("phi", include_str!("../../../../policies/guardrails/phi.toml")),
];

/// Compiled once: that takes longer than all else here.
static RULES: LazyLock<Rules> = LazyLock::new(|| {
    Rules::parse(&SOURCES, &["health"]).unwrap_or_else(|problems| {
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", shown.join("\n"))
    })
});

pub(super) fn rules() -> &'static Rules {
    &RULES
}

pub(super) fn lines_from(first: u32, text: &str) -> Vec<Line> {
    (first..).zip(text.lines()).map(|(number, text)| Line { number, text: text.to_owned() }).collect()
}

/// A change of a file that was there: `added` and `removed` lines from line 10 on.
pub(super) fn edit(path: &str, added: &str, removed: &str) -> Change {
    Change {
        path: path.to_owned(),
        kind: ChangeKind::Modified,
        added: lines_from(10, added),
        removed: lines_from(10, removed),
        binary: false,
        size: 100,
        old_size: 100,
    }
}

pub(super) fn add(path: &str, added: &str) -> Change {
    Change { kind: ChangeKind::Added, old_size: 0, ..edit(path, added, "") }
}

pub(super) fn delete(path: &str, removed: &str) -> Change {
    Change { kind: ChangeKind::Deleted, size: 0, ..edit(path, "", removed) }
}

pub(super) fn rename(from: &str, to: &str) -> Change {
    Change { kind: ChangeKind::Renamed { from: from.to_owned() }, ..edit(to, "", "") }
}

/// The rules that are hit, without their common beginning.
pub(super) fn hit_by(changes: &[Change]) -> Vec<String> {
    let checked = check(rules(), changes, Exceptions::Comments);
    checked.hits.iter().map(|f| f.rule.trim_start_matches("guardrail.").to_owned()).collect()
}

/// Each row: a rule (or none), a path, lines that are added.
#[track_caller]
pub(super) fn table(rows: &[(&str, &str, &str)]) {
    let rules = rules();
    let mut wrong = String::new();
    for (rule, path, text) in rows {
        let checked = check(rules, &[edit(path, text, "")], Exceptions::Comments);
        let found: Vec<&str> = checked.hits.iter().map(|f| f.rule.trim_start_matches("guardrail.")).collect();
        let expected: Vec<&str> = rule.split(' ').filter(|word| !word.is_empty()).collect();
        if found != expected {
            writeln!(wrong, "{path}: {text}\n    expected {expected:?}, found {found:?}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
