//! Random ids in lower-case Crockford base32, and how people abbreviate them.
//!
//! A task id is 40 random bits as 8 characters, longer after a collision (contract.md, "Ids and tasks").
//! Never reused. The alphabet has no `i`, `l`, `o`, `u`: what people misread is mapped on input.

use std::fmt;

use crate::domain::kind::Kind;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id or the beginning of one (0-9 a-z without i, l, o, u)")]
pub struct IdError(pub String);

fn normalise(c: char) -> Option<char> {
    match c.to_ascii_lowercase() {
        'i' | 'l' => Some('1'),
        'o' => Some('0'),
        c if c.is_ascii() && ALPHABET.iter().any(|&a| char::from(a) == c) => Some(c),
        _ => None,
    }
}

fn encode(bits: u64, chars: u32) -> String {
    (0..chars)
        .rev()
        .map(|i| {
            let digit = usize::try_from((bits >> (5 * i)) & 31).expect("five bits fit any usize");
            char::from(ALPHABET[digit])
        })
        .collect()
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps `text`, which must be in canonical form already.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let canonical = (8..=16).contains(&text.len())
                    && text.bytes().all(|b| ALPHABET.contains(&b));
                if canonical { Ok(Self(text.to_owned())) } else { Err(IdError(text.to_owned())) }
            }

            /// The id made of the low 40 bits of `bits`.
            pub fn from_bits(bits: u64) -> Self {
                Self(encode(bits, 8))
            }

            /// All characters.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The directory that the object's file is kept in: its first two characters.
            pub fn shard(&self) -> &str {
                &self.0[..2]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id_type!(
    /// A task's id.
    TaskId
);
id_type!(
    /// The id of one change of state: the nonce of its commit's trailer.
    ChangeId
);
id_type!(
    /// The id of a session.
    SessionId
);

/// What a person typed for an id: a prefix, perhaps with the kind in front (`bug-7k3f`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPrefix {
    /// The kind in front, if one was given; a task of another kind does not match.
    pub kind: Option<Kind>,
    /// The characters of the id, in canonical form, at least one.
    pub prefix: String,
    /// What was typed, for messages: who typed `nope` does not know a `n0pe`.
    pub typed: String,
}

impl IdPrefix {
    /// Reads what a person typed; misread letters (`O`, `l`) and capitals are forgiven.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let (kind, rest) = match text.split_once('-') {
            Some((kind, rest)) => (Some(Kind::parse(kind).ok_or_else(|| IdError(text.to_owned()))?), rest),
            None => (None, text),
        };
        let prefix: Option<String> = rest.chars().map(normalise).collect();
        match prefix {
            Some(prefix) if !prefix.is_empty() && prefix.len() <= 16 => {
                Ok(Self { kind, prefix, typed: text.to_owned() })
            }
            _ => Err(IdError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_bits_make_eight_characters() {
        assert_eq!(TaskId::from_bits(0).as_str(), "00000000");
        assert_eq!(TaskId::from_bits((1 << 40) - 1).as_str(), "zzzzzzzz");
        assert_eq!(TaskId::from_bits(33).as_str(), "00000011");
        assert_eq!(TaskId::from_bits(33).shard(), "00");
    }

    #[test]
    fn prefixes_forgive_what_people_misread() {
        let p = IdPrefix::parse("bug-7K3FO").expect("valid");
        assert_eq!((p.kind, p.prefix.as_str()), (Some(Kind::Bug), "7k3f0"));
        assert!(IdPrefix::parse("cow-7k3f").is_err());
        assert!(IdPrefix::parse("").is_err());
        assert!(IdPrefix::parse("bug-").is_err());
        assert!(IdPrefix::parse("7k!").is_err());
    }

    #[test]
    fn stored_ids_are_canonical() {
        assert!(TaskId::parse("7k3fabcd").is_ok());
        for bad in ["7K3FABCD", "7k3fabc", "7k3fabcu", "../../ab", "7k3fabcd7k3fabcd0"] {
            assert!(TaskId::parse(bad).is_err(), "{bad}");
        }
    }
}
