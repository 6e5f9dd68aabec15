//! Tests only: what is nearly right. Bytes of a corpus, changed a little, for readers of hostile input.
//!
//! Called by the fuzz tests of whoever reads what others wrote. A mutation is a value that proptest makes, shrinks and
//! prints; what a format stumbles over is the format's own, `Traps`. Deliberately absent: the corpora and what must hold.

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;

/// What a format likes to stumble over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traps {
    /// Pieces that mean something to it.
    pub(crate) words: &'static [&'static str],
    /// What opens a level, of which too many can be open.
    pub(crate) nest: &'static str,
}

/// One change of some bytes.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    /// A byte becomes another one.
    Byte(Index, u8),
    /// Some are left out.
    Cut(Index, u8),
    /// Some come twice.
    Twice(Index, u16),
    /// A word of the format is put in.
    Word(Index, Index),
    /// Levels are opened.
    Nest(Index, u16),
    /// It goes on as another file of the corpus does from somewhere on.
    Splice(Index, Index, Index),
    /// It ends.
    End(Index),
    /// A digit becomes a number.
    Number(Index, i64),
}

/// Any of them.
pub(crate) fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, len)| Mutation::Cut(at, len)),
        (any::<Index>(), any::<u16>()).prop_map(|(at, len)| Mutation::Twice(at, len)),
        (any::<Index>(), any::<Index>()).prop_map(|(at, word)| Mutation::Word(at, word)),
        (any::<Index>(), 0..4_000_u16).prop_map(|(at, deep)| Mutation::Nest(at, deep)),
        (any::<Index>(), any::<Index>(), any::<Index>())
            .prop_map(|(at, file, from)| Mutation::Splice(at, file, from)),
        any::<Index>().prop_map(Mutation::End),
        (any::<Index>(), prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()])
            .prop_map(|(at, number)| Mutation::Number(at, number)),
    ]
}

impl Mutation {
    /// What becomes of `bytes`. `corpus`: each file with what the caller knows it by.
    pub(crate) fn of<K>(&self, mut bytes: Vec<u8>, traps: &Traps, corpus: &[(K, Vec<u8>)]) -> Vec<u8> {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match self {
            Self::Byte(at, byte) => {
                let at = place(at, &bytes);
                if let Some(found) = bytes.get_mut(at) {
                    *found = *byte;
                }
            }
            Self::Cut(at, len) => {
                let at = place(at, &bytes);
                bytes.drain(at..(at + usize::from(*len)).min(bytes.len()));
            }
            Self::Twice(at, len) => {
                let at = place(at, &bytes);
                let part = bytes[at..(at + usize::from(*len)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            Self::Word(at, word) => {
                let at = place(at, &bytes);
                bytes.splice(at..at, word.get(traps.words).bytes());
            }
            Self::Nest(at, deep) => {
                let at = place(at, &bytes);
                bytes.splice(at..at, traps.nest.repeat(usize::from(*deep)).into_bytes());
            }
            Self::Splice(at, file, from) => {
                let (at, other) = (place(at, &bytes), &file.get(corpus).1);
                let from = place(from, other);
                bytes.splice(at.., other[from..].iter().copied());
            }
            Self::End(at) => bytes.truncate(place(at, &bytes)),
            Self::Number(at, number) => {
                let digits: Vec<usize> = (0..bytes.len()).filter(|n| bytes[*n].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    let at = *at.get(&digits);
                    bytes.splice(at..=at, number.to_string().into_bytes());
                }
            }
        }
        bytes
    }
}
