//! The one encoding that hashes and MACs are taken over.
//!
//! A domain word first, then the fields in a fixed order: a text is its length in bytes (eight bytes, big
//! endian) and its bytes; a list is its count and its items; an absent value is the count 0, a present one the
//! count 1 and the value; a number is eight bytes, big endian. No two different values have the same bytes,
//! whatever the texts contain.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Bytes in the making.
pub(super) struct Canon(Vec<u8>);

impl Canon {
    /// `domain` names what is encoded and the version of its fields.
    pub(super) fn new(domain: &str) -> Self {
        Self(Vec::new()).text(domain)
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn text(self, text: &str) -> Self {
        let mut this = self.number(text.len() as u64);
        this.0.extend_from_slice(text.as_bytes());
        this
    }

    pub(super) fn option(self, text: Option<&str>) -> Self {
        match text {
            None => self.number(0),
            Some(text) => self.number(1).text(text),
        }
    }

    pub(super) fn list<'a>(self, items: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let this = self.number(items.len() as u64);
        items.fold(this, Self::text)
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }

    /// Lower-case hexadecimal SHA-256.
    pub(super) fn sha256(self) -> String {
        hex(&Sha256::digest(self.0))
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String can't fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

/// The bytes of lower-case hexadecimal.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn different_lists_have_different_bytes(a in any::<Vec<String>>(), b in any::<Vec<String>>()) {
            let bytes = |l: &[String]| Canon::new("x").list(l.iter().map(String::as_str)).bytes();
            prop_assert_eq!(a == b, bytes(&a) == bytes(&b));
        }

        #[test]
        fn hexadecimal_reads_back(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn only_whole_lower_case_hexadecimal_is_read() {
        assert_eq!(unhex("AB"), None);
        assert_eq!(unhex("abc"), None);
        assert_eq!(unhex("0g"), None);
    }
}
