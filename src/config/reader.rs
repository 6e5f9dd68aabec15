//! Typed reading of a parsed TOML document that collects every problem with its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::config::period::Period;
use crate::config::problem::{ConfigProblem, nearest, position};

pub(super) type Value<'i> = Spanned<DeValue<'i>>;
pub(super) type Key<'i> = Spanned<DeString<'i>>;

/// Collects problems while values are taken out of a document. A value that is wrong comes out as None (or is
/// left out of a list), after it was reported.
pub(super) struct Reader<'t> {
    origin: &'t str,
    text: &'t str,
    problems: Vec<ConfigProblem>,
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

impl<'t> Reader<'t> {
    pub(super) fn new(origin: &'t str, text: &'t str) -> Self {
        Self { origin, text, problems: Vec::new() }
    }

    /// All problems, in the order of the file.
    pub(super) fn into_problems(mut self) -> Vec<ConfigProblem> {
        self.problems.sort_by_key(|p| (p.line, p.column));
        self.problems
    }

    pub(super) fn problem(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.problem_near(span, message, None);
    }

    pub(super) fn problem_near(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        suggestion: Option<&str>,
    ) {
        let (line, column) = position(self.text, span.start);
        self.problems.push(ConfigProblem {
            origin: self.origin.to_owned(),
            line,
            column,
            message: message.into(),
            suggestion: suggestion.map(str::to_owned),
        });
    }

    pub(super) fn unknown_key(&mut self, key: &Key<'_>, section: &str, known: &[&str]) {
        let word = key.get_ref();
        let mut message = format!("unknown key `{word}`");
        if !section.is_empty() {
            message = format!("{message} in {section}");
        }
        let near = nearest(word, known.iter().copied());
        if near.is_none() && known.len() <= 6 {
            message = format!("{message} (known: {})", known.join(", "));
        }
        self.problem_near(&key.span(), message, near);
    }

    fn wrong_type(&mut self, what: &str, wanted: &str, value: &Value<'_>) {
        self.problem(
            &value.span(),
            format!("`{what}` must be {wanted}, but this is {}", type_of(value.get_ref())),
        );
    }

    pub(super) fn table<'v, 'i>(&mut self, what: &str, value: &'v Value<'i>) -> Option<&'v DeTable<'i>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        self.wrong_type(what, "a table", value);
        None
    }

    pub(super) fn tables<'v, 'i>(
        &mut self,
        what: &str,
        value: &'v Value<'i>,
    ) -> Vec<Spanned<&'v DeTable<'i>>> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(what, &format!("an array of tables (write `[[{what}]]`)"), value);
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| self.table(what, item).map(|table| Spanned::new(item.span(), table)))
            .collect()
    }

    /// A string that is not empty and holds no NUL.
    pub(super) fn string(&mut self, what: &str, value: &Value<'_>) -> Option<String> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(what, "a string", value);
            return None;
        };
        if text.trim().is_empty() {
            self.problem(&value.span(), format!("`{what}` is empty"));
            return None;
        }
        if text.contains('\0') {
            self.problem(&value.span(), format!("`{what}` contains a NUL character"));
            return None;
        }
        Some(text.clone().into_owned())
    }

    /// An array of strings; one string alone counts as an array of one.
    pub(super) fn strings(&mut self, what: &str, value: &Value<'_>) -> Vec<Spanned<String>> {
        match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| self.string(what, item).map(|text| Spanned::new(item.span(), text)))
                .collect(),
            DeValue::String(_) => {
                self.string(what, value).map(|text| Spanned::new(value.span(), text)).into_iter().collect()
            }
            _ => {
                self.wrong_type(what, "a string or an array of strings", value);
                Vec::new()
            }
        }
    }

    /// As `strings`, keeping those that `check` accepts. `check` returns what is wrong.
    pub(super) fn checked_strings(
        &mut self,
        what: &str,
        value: &Value<'_>,
        check: fn(&str) -> Result<(), String>,
    ) -> Vec<String> {
        let mut kept = Vec::new();
        for item in self.strings(what, value) {
            match check(item.get_ref()) {
                Ok(()) => kept.push(item.into_inner()),
                Err(wrong) => self.problem(&item.span(), wrong),
            }
        }
        kept
    }

    /// One of a fixed set of words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        what: &str,
        value: &Value<'_>,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.string(what, value)?;
        self.pick(what, &Spanned::new(value.span(), text), all, word)
    }

    /// Several of a fixed set of words.
    pub(super) fn choices<T: Copy>(
        &mut self,
        what: &str,
        value: &Value<'_>,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Vec<T> {
        let items = self.strings(what, value);
        items.iter().filter_map(|item| self.pick(what, item, all, word)).collect()
    }

    fn pick<T: Copy>(
        &mut self,
        what: &str,
        text: &Spanned<String>,
        all: &[T],
        word: fn(T) -> &'static str,
    ) -> Option<T> {
        let found = all.iter().copied().find(|&item| word(item) == text.get_ref());
        if found.is_none() {
            let words: Vec<&str> = all.iter().map(|&item| word(item)).collect();
            self.problem_near(
                &text.span(),
                format!("`{what}` can't be `{}`; it is one of {}", text.get_ref(), words.join(", ")),
                nearest(text.get_ref(), words.iter().copied()),
            );
        }
        found
    }

    /// A whole number from zero to `max`.
    pub(super) fn count(&mut self, what: &str, value: &Value<'_>, max: u64) -> Option<u64> {
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(what, "an integer", value);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|&n| n <= max);
        if number.is_none() {
            self.problem(&value.span(), format!("`{what}` must be a whole number from 0 to {max}"));
        }
        number
    }

    /// A length of time.
    pub(super) fn period(&mut self, what: &str, value: &Value<'_>) -> Option<Period> {
        let text = self.string(what, value)?;
        match Period::parse(&text) {
            Ok(period) => Some(period),
            Err(e) => {
                self.problem(&value.span(), format!("`{what}`: {e}"));
                None
            }
        }
    }

    /// A length of time that is not zero.
    pub(super) fn positive_period(&mut self, what: &str, value: &Value<'_>) -> Option<Period> {
        let period = self.period(what, value)?;
        if period.is_zero() {
            self.problem(&value.span(), format!("`{what}` must be longer than zero"));
            return None;
        }
        Some(period)
    }
}
