//! Reading typed values out of TOML, borrowed from its text as far as that goes: an index of 100 000 tasks is made of
//! as many of these.

use serde::Deserialize as _;
use toml::Spanned;
use toml::Value;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;

/// Parses a file's text.
pub(crate) fn parse(text: &str) -> Result<DeTable<'_>, String> {
    DeTable::parse(text).map(Spanned::into_inner).map_err(|e| e.message().to_owned())
}

/// What an array or a table has.
pub(crate) type Item<'t> = Spanned<DeValue<'t>>;

/// A value in the form in which it is written.
pub(crate) fn written(item: &Item<'_>) -> Result<String, String> {
    let value = Value::deserialize(ValueDeserializer::from(item.clone()));
    value.map(|value| value.to_string()).map_err(|e| e.message().to_owned())
}

/// Reads typed values from a table; errors name the key.
pub(crate) struct Reader<'t> {
    pub(super) table: &'t DeTable<'t>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(table: &'t DeTable<'t>) -> Self {
        Self { table }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The keys with their values, in the order of the keys.
    pub(super) fn items(&self) -> impl Iterator<Item = (&'t str, &'t Item<'t>)> + use<'t> {
        self.table.iter().map(|(key, item)| (key.get_ref().as_ref(), item))
    }

    fn get(&self, key: &str) -> Result<&'t DeValue<'t>, String> {
        self.table.get(key).map(Spanned::get_ref).ok_or_else(|| format!("`{key}` is missing"))
    }

    /// Text, as it lies in the table.
    pub(crate) fn str(&self, key: &str) -> Result<&'t str, String> {
        self.get(key)?.as_str().ok_or_else(|| format!("`{key}` is no text"))
    }

    pub(crate) fn text(&self, key: &str) -> Result<String, String> {
        self.str(key).map(str::to_owned)
    }

    /// Text that a terminal shows as it is.
    pub(super) fn line(&self, key: &str) -> Result<String, String> {
        let text = self.text(key)?;
        if text.contains(char::is_control) {
            Err(format!("`{key}` has control characters"))
        } else {
            Ok(text)
        }
    }

    pub(crate) fn int(&self, key: &str) -> Result<i64, String> {
        let number = self.get(key)?.as_integer();
        number
            .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
            .ok_or_else(|| format!("`{key}` is no integer"))
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool, String> {
        self.get(key)?.as_bool().ok_or_else(|| format!("`{key}` is no boolean"))
    }

    pub(crate) fn time(&self, key: &str) -> Result<Timestamp, String> {
        Timestamp::parse(self.str(key)?).map_err(|e| format!("`{key}`: {e}"))
    }

    pub(crate) fn oid(&self, key: &str) -> Result<Oid, String> {
        Oid::parse(self.str(key)?).map_err(|e| format!("`{key}`: {e}"))
    }

    pub(crate) fn word<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let word = self.str(key)?;
        parse(word).ok_or_else(|| format!("`{key}` has the unknown value `{word}`"))
    }

    pub(crate) fn optional<T>(
        &self,
        key: &str,
        read: impl Fn(&Self, &str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        if self.has(key) { read(self, key).map(Some) } else { Ok(None) }
    }

    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<String>, String> {
        self.optional(key, Self::text)
    }

    /// An array; one that is missing is empty.
    pub(crate) fn array(&self, key: &str) -> Result<impl Iterator<Item = &'t DeValue<'t>> + use<'t>, String> {
        let items = match self.table.get(key).map(Spanned::get_ref) {
            None => None,
            Some(value) => Some(value.as_array().ok_or_else(|| format!("`{key}` is no array"))?),
        };
        Ok(items.into_iter().flat_map(|items| items.iter().map(Spanned::get_ref)))
    }

    pub(super) fn texts(&self, key: &str) -> Result<impl Iterator<Item = Result<&'t str, String>>, String> {
        let text = move |v: &'t DeValue<'t>| v.as_str().ok_or_else(|| format!("`{key}` holds no text"));
        Ok(self.array(key)?.map(text))
    }

    /// A table; one that is missing is empty.
    pub(crate) fn sub(&self, key: &str) -> Result<Option<Self>, String> {
        match self.table.get(key) {
            None => Ok(None),
            Some(item) => item
                .get_ref()
                .as_table()
                .map(|t| Some(Self::new(t)))
                .ok_or_else(|| format!("`{key}` is no table")),
        }
    }

    pub(crate) fn required_sub(&self, key: &str) -> Result<Self, String> {
        self.sub(key)?.ok_or_else(|| format!("[{key}] is missing"))
    }
}
