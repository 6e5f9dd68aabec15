//! Object ids as git prints them: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal characters.
//!
//! `Oid` is never the zero id; hook input, where zero means "absent", is `MaybeOid`.

use std::fmt;
use std::str::FromStr;

/// A full, non-zero object id in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(String);

/// What git writes where a ref may be absent: an id, or zeros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MaybeOid {
    /// All zeros: the ref does not exist (or, for an expected value, "no expectation").
    Zero,
    /// A real object id.
    Id(Oid),
}

/// The text is not an object id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an object id (40 or 64 lower-case hexadecimal characters, not all zero)")]
pub struct OidError(pub String);

fn is_hex(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl Oid {
    /// Checks and wraps `text`.
    pub fn parse(text: &str) -> Result<Self, OidError> {
        if is_hex(text) && text.bytes().any(|b| b != b'0') {
            Ok(Self(text.to_owned()))
        } else {
            Err(OidError(text.to_owned()))
        }
    }

    /// All characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve characters, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl MaybeOid {
    /// Checks and wraps `text`; zeros of either length are `Zero`.
    pub fn parse(text: &str) -> Result<Self, OidError> {
        if is_hex(text) && text.bytes().all(|b| b == b'0') {
            Ok(Self::Zero)
        } else {
            Oid::parse(text).map(Self::Id)
        }
    }

    /// The id, if there is one.
    pub fn id(&self) -> Option<&Oid> {
        match self {
            Self::Zero => None,
            Self::Id(oid) => Some(oid),
        }
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Oid {
    type Err = OidError;
    fn from_str(text: &str) -> Result<Self, OidError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_never_an_oid() {
        let zero = "0".repeat(40);
        assert!(Oid::parse(&zero).is_err());
        assert_eq!(MaybeOid::parse(&zero), Ok(MaybeOid::Zero));
        assert_eq!(MaybeOid::parse(&"0".repeat(64)), Ok(MaybeOid::Zero));
    }

    #[test]
    fn only_full_lower_case_hex_is_accepted() {
        for bad in ["", "abc", &"A".repeat(40), &"g".repeat(40), &"a".repeat(41)] {
            assert!(Oid::parse(bad).is_err(), "{bad}");
        }
        assert!(Oid::parse(&"a".repeat(64)).is_ok());
    }
}
