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

/// The most characters of an id.
const MOST: usize = 16;

/// An id's characters, and zeros after them: its order is the text's. In place, because there are hundreds of thousands.
type Characters = [u8; MOST];

fn parse(text: &str) -> Option<Characters> {
    let canonical = (8..=MOST).contains(&text.len()) && text.bytes().all(|b| ALPHABET.contains(&b));
    let mut characters = [0; MOST];
    characters.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    canonical.then_some(characters)
}

/// The low 40 bits.
fn encode(bits: u64) -> Characters {
    let mut characters = [0; MOST];
    for (place, shift) in (0..8).rev().enumerate() {
        let digit = usize::try_from((bits >> (5 * shift)) & 31).expect("five bits fit any usize");
        characters[place] = ALPHABET[digit];
    }
    characters
}

fn text(characters: &Characters) -> &str {
    let length = characters.iter().position(|c| *c == 0).unwrap_or(MOST);
    std::str::from_utf8(&characters[..length]).expect("the alphabet is ASCII")
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Characters);

        impl $name {
            /// Checks and wraps `text`, which must be in canonical form already.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self).ok_or_else(|| IdError(text.to_owned()))
            }

            /// The id made of the low 40 bits of `bits`.
            pub fn from_bits(bits: u64) -> Self {
                Self(encode(bits))
            }

            /// All characters.
            pub fn as_str(&self) -> &str {
                text(&self.0)
            }

            /// The directory that the object's file is kept in: its first two characters.
            pub fn shard(&self) -> &str {
                &self.as_str()[..2]
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
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
            Some(prefix) if !prefix.is_empty() && prefix.len() <= MOST => {
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
    fn ids_are_ordered_as_their_text() {
        let texts = ["0000000z", "00000010", "000000100", "zzzzzzzz", "zzzzzzzz0", "zzzzzzzzzzzzzzzz"];
        let ids: Vec<TaskId> = texts.iter().map(|text| TaskId::parse(text).expect("canonical")).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().map(TaskId::as_str).collect::<Vec<_>>(), texts);
        assert_eq!(format!("{:?}", ids[0]), r#"TaskId("0000000z")"#);
    }

    #[test]
    fn stored_ids_are_canonical() {
        assert!(TaskId::parse("7k3fabcd").is_ok());
        for bad in ["7K3FABCD", "7k3fabc", "7k3fabcu", "../../ab", "7k3fabcd7k3fabcd0"] {
            assert!(TaskId::parse(bad).is_err(), "{bad}");
        }
    }
}
