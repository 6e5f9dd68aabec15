//! What a newer program wrote into a stored object and this one has no field for.

use std::collections::BTreeMap;

/// Keys that this program does not know, with their values as they are stored. Carried along unchanged: a change by an
/// older program loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown(BTreeMap<Vec<String>, String>);

impl Unknown {
    /// Notes the value of a key; the last part of `path` is the key, the parts before are the tables it is in.
    pub fn insert(&mut self, path: Vec<String>, value: String) {
        self.0.insert(path, value);
    }

    /// Each key with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[String], &str)> {
        self.0.iter().map(|(path, value)| (path.as_slice(), value.as_str()))
    }

    /// Whether there is nothing that this program does not know.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys of both. Of two values the greater: nobody here knows what they mean, and every clone must choose alike.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let Self(mut all) = self;
        for (path, value) in other.0 {
            let kept = all.entry(path).or_default();
            if *kept < value {
                *kept = value;
            }
        }
        Self(all)
    }
}
