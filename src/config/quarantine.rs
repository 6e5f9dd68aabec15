//! `[[ralph.quarantine]]`: tests whose failure is known, and does not count for a while.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::reader::{Reader, Value};
use crate::domain::time::Timestamp;

const KEYS: [&str; 5] = ["test", "step", "owner", "until", "reason"];
const DAY_MILLIS: i64 = 24 * 3600 * 1000;

/// A day of the calendar, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    text: String,
    end: Timestamp,
}

impl Day {
    /// Reads `2026-12-31`; None if it is no such day.
    pub fn parse(text: &str) -> Option<Self> {
        let start = Timestamp::parse(&format!("{text}T00:00:00Z")).ok()?;
        (text.len() == 10).then(|| Self { text: text.to_owned(), end: start.plus_millis(DAY_MILLIS) })
    }

    /// As it is written: `2026-12-31`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first moment that is not part of it.
    pub fn end(&self) -> Timestamp {
        self.end
    }
}

/// One `[[ralph.quarantine]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// The test's name, exactly as the step's report has it.
    pub test: String,
    /// In which step; None: in whichever.
    pub step: Option<String>,
    /// Who mends it.
    pub owner: String,
    /// The last day on which its failure does not count.
    pub until: Day,
    /// Why it is here.
    pub reason: Option<String>,
}

impl Quarantine {
    /// Whether it is about `test` of `step`.
    pub fn covers(&self, step: &str, test: &str) -> bool {
        self.test == test && self.step.as_deref().is_none_or(|own| own == step)
    }

    /// Whether it has ended.
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.until.end()
    }
}

/// Reads all of them. `steps`: the names that `step` may have.
pub(super) fn read(r: &mut Reader<'_>, tables: &[Spanned<&DeTable<'_>>], steps: &[&str]) -> Vec<Quarantine> {
    tables.iter().filter_map(|table| one(r, table, steps)).collect()
}

fn one(r: &mut Reader<'_>, table: &Spanned<&DeTable<'_>>, steps: &[&str]) -> Option<Quarantine> {
    let (mut test, mut step, mut owner, mut until, mut reason) = (None, None, None, None, None);
    for required in ["test", "owner", "until"] {
        if !table.get_ref().keys().any(|key| key.get_ref().as_ref() == required) {
            r.problem(&table.span(), format!("this [[ralph.quarantine]] has no `{required}`"));
        }
    }
    for (key, value) in *table.get_ref() {
        match key.get_ref().as_ref() {
            "test" => test = r.string("test", value),
            "step" => {
                step = r.string("step", value);
                if let Some(name) = step.as_deref().filter(|name| !steps.contains(name)) {
                    r.problem(&value.span(), format!("`{name}` is no step"));
                }
            }
            "owner" => owner = r.string("owner", value),
            "until" => until = day(r, value),
            "reason" => reason = r.string("reason", value),
            _ => r.unknown_key(key, "[[ralph.quarantine]]", &KEYS),
        }
    }
    Some(Quarantine { test: test?, step, owner: owner?, until: until?, reason })
}

/// A date, as TOML has them or in quotes.
fn day(r: &mut Reader<'_>, value: &Value<'_>) -> Option<Day> {
    let day = match value.get_ref() {
        DeValue::Datetime(date) => Day::parse(&date.to_string()),
        DeValue::String(text) => Day::parse(text),
        _ => None,
    };
    if day.is_none() {
        r.problem(&value.span(), "`until` must be a day: 2026-12-31");
    }
    day
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const STEP: &str = "[[ralph.step]]\nname = 'unit'\nkind = 'test'\nrun = 'x'\n[[ralph.quarantine]]\n";

    #[test]
    fn an_entry_names_test_owner_and_day() {
        let text =
            format!("{STEP}test = 'a::b'\nstep = 'unit'\nowner = 'ann'\nuntil = 2026-12-31\nreason = 'r'\n");
        let list = parse(&text, "orch.toml").unwrap().ralph.quarantine;
        let [entry] = list.as_slice() else { panic!("{list:?}") };
        assert_eq!((entry.until.as_str(), entry.owner.as_str()), ("2026-12-31", "ann"));
        assert!(
            entry.covers("unit", "a::b") && !entry.covers("other", "a::b") && !entry.covers("unit", "a::c")
        );
        let at = |text: &str| Timestamp::parse(text).unwrap();
        assert!(!entry.expired(at("2026-12-31T23:59:59Z")), "the day itself is part of it");
        assert!(entry.expired(at("2027-01-01T00:00:00Z")));
        let quoted = text.replace("2026-12-31", "'2026-12-31'").replace("step = 'unit'\n", "");
        assert!(parse(&quoted, "orch.toml").unwrap().ralph.quarantine[0].covers("other", "a::b"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_with_its_place() {
        let wrong = |entry: &str| {
            let problems = parse(&format!("{STEP}{entry}"), "orch.toml").unwrap_err();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(wrong("test = 'a'\n"), @r"
        orch.toml:5:1: this [[ralph.quarantine]] has no `owner`
        orch.toml:5:1: this [[ralph.quarantine]] has no `until`
        ");
        insta::assert_snapshot!(
            wrong("test = 'a'\nowner = 'o'\nuntil = 2026-02-20T00:00:00Z\nstep = 'x'\ntets = 'b'"), @r"
        orch.toml:8:9: `until` must be a day: 2026-12-31
        orch.toml:9:8: `x` is no step
        orch.toml:10:1: unknown key `tets` in [[ralph.quarantine]]; did you mean `test`?
        ");
        insta::assert_snapshot!(wrong("test = 'a'\nowner = 'o'\nuntil = 'soon'"), @"orch.toml:8:9: `until` must be a day: 2026-12-31");
    }
}
