//! What makes one object of another, in git's form (`gitformat-pack`, "Deltified representation").
//!
//! Called by `join` for versions of the same file or directory of the state. Pure. Works by whole entries of a tree and
//! whole lines of a text, which is what changes in them. Deliberately absent: looking for likely pairs.

use std::collections::BTreeMap;

/// One copy may be as long as this.
const COPY: usize = 0x1_0000;
/// One insertion may be as long as this.
const INSERT: usize = 127;

/// What an object consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parts {
    /// Entries of a tree whose ids have so many bytes.
    Entries(usize),
    /// Lines.
    Lines,
}

impl Parts {
    fn of(self, bytes: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Lines => bytes.split_inclusive(|byte| *byte == b'\n').collect(),
            Self::Entries(id) => {
                let mut parts = Vec::with_capacity(bytes.len() / 32);
                let mut rest = bytes;
                while !rest.is_empty() {
                    let name = rest.iter().position(|byte| *byte == 0).map_or(rest.len(), |end| end + 1 + id);
                    let (part, after) = rest.split_at(name.min(rest.len()));
                    parts.push(part);
                    rest = after;
                }
                parts
            }
        }
    }
}

/// What makes `new` of `old`; None if that is not much shorter than `new`.
pub(super) fn delta(parts: Parts, old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let (before, after) = (parts.of(old), parts.of(new));
    let same = |(one, two): &(&&[u8], &&[u8])| one == two;
    let head = before.iter().zip(&after).take_while(same).count();
    let most = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(most).take_while(same).count();
    let length = |parts: &[&[u8]]| parts.iter().map(|part| part.len()).sum::<usize>();
    let (before_tail, after_tail) = (before.len() - tail, after.len() - tail);

    let mut out = Writer::new(old.len(), new.len());
    out.copy(0, length(before.get(..head)?));
    let mut at = length(before.get(..head)?);
    let mut places = BTreeMap::new();
    for part in before.get(head..before_tail)? {
        places.insert(*part, at);
        at += part.len();
    }
    for part in after.get(head..after_tail)? {
        match places.get(part) {
            Some(place) => out.copy(*place, part.len()),
            None => out.insert(part),
        }
    }
    out.copy(at, length(before.get(before_tail..)?));
    let delta = out.finish();
    (delta.len() < new.len() / 2).then_some(delta)
}

/// Instructions in the making: what adjoins becomes one.
struct Writer {
    out: Vec<u8>,
    copy: (usize, usize),
    insert: Vec<u8>,
}

impl Writer {
    fn new(old: usize, new: usize) -> Self {
        let mut out = Vec::new();
        for mut size in [old, new] {
            while size >= 0x80 {
                out.push(low_byte(size) | 0x80);
                size >>= 7;
            }
            out.push(low_byte(size));
        }
        Self { out, copy: (0, 0), insert: Vec::new() }
    }

    fn copy(&mut self, from: usize, length: usize) {
        if length == 0 {
            return;
        }
        self.flush_insert();
        if self.copy.1 > 0 && self.copy.0 + self.copy.1 == from {
            self.copy.1 += length;
        } else {
            self.flush_copy();
            self.copy = (from, length);
        }
    }

    fn insert(&mut self, bytes: &[u8]) {
        self.flush_copy();
        self.insert.extend_from_slice(bytes);
    }

    fn flush_copy(&mut self) {
        let (mut from, mut left) = std::mem::take(&mut self.copy);
        while left > 0 {
            let length = left.min(COPY);
            let at = self.out.len();
            self.out.push(0x80);
            let mut flags = 0x80;
            // A length of 0x10000 is said by none.
            let said = if length == COPY { 0 } else { length };
            for (bit, byte) in
                [from, from >> 8, from >> 16, from >> 24, said, said >> 8].into_iter().enumerate()
            {
                if low_byte_of_eight(byte) != 0 {
                    flags |= 1 << bit;
                    self.out.push(low_byte_of_eight(byte));
                }
            }
            if let Some(first) = self.out.get_mut(at) {
                *first = flags;
            }
            from += length;
            left -= length;
        }
    }

    fn flush_insert(&mut self) {
        for chunk in std::mem::take(&mut self.insert).chunks(INSERT) {
            self.out.push(low_byte(chunk.len()));
            self.out.extend_from_slice(chunk);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.flush_insert();
        self.flush_copy();
        self.out
    }
}

/// The lowest seven bits.
fn low_byte(number: usize) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or(0)
}

/// The lowest eight bits.
fn low_byte_of_eight(number: usize) -> u8 {
    u8::try_from(number & 0xff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As git does it.
    fn applied(old: &[u8], delta: &[u8]) -> Vec<u8> {
        let mut bytes = delta.iter().copied();
        let mut next = || bytes.next();
        let mut size = || {
            let (mut size, mut shift) = (0_usize, 0);
            loop {
                let byte = usize::from(next().unwrap());
                size |= (byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    return size;
                }
            }
        };
        let (before, after) = (size(), size());
        assert_eq!(before, old.len());
        let mut new = Vec::new();
        while let Some(op) = next() {
            if op & 0x80 == 0 {
                new.extend((0..op).map(|_| next().unwrap()));
                continue;
            }
            let mut field = |bits: std::ops::Range<u8>| {
                bits.clone()
                    .filter(|bit| op & (1 << bit) != 0)
                    .fold(0, |all, bit| all | usize::from(next().unwrap()) << (8 * (bit - bits.start)))
            };
            let (from, length) = (field(0..4), field(4..7));
            new.extend_from_slice(&old[from..from + if length == 0 { COPY } else { length }]);
        }
        assert_eq!(new.len(), after);
        new
    }

    fn tree(entries: &[(u8, u8)]) -> Vec<u8> {
        let entry = |(name, id): &(u8, u8)| [format!("100644 f{name:03}\0").as_bytes(), &[*id; 20]].concat();
        entries.iter().flat_map(entry).collect()
    }

    #[test]
    fn a_change_of_one_entry_of_a_thousand_is_short() {
        let entries: Vec<(u8, u8)> = (0..4).flat_map(|n| (0..=u8::MAX).map(move |id| (n, id))).collect();
        let mut changed = entries.clone();
        changed[700].1 = 0;
        let (old, new) = (tree(&entries), tree(&changed));
        let found = delta(Parts::Entries(20), &old, &new).unwrap();
        assert!(found.len() < 60, "{}", found.len());
        assert_eq!(applied(&old, &found), new);
        assert_eq!(delta(Parts::Entries(20), &old, &tree(&[(9, 9)])), None);
    }

    proptest! {
        #[test]
        fn what_is_made_of_the_old_is_the_new(
            same in prop::collection::vec((0..9_u8, 0..9_u8), 0..3000),
            old in prop::collection::vec((0..9_u8, 0..9_u8), 0..9),
            new in prop::collection::vec((0..9_u8, 0..9_u8), 0..9),
        ) {
            for (parts, with) in [(Parts::Entries(20), tree as fn(&[(u8, u8)]) -> Vec<u8>), (Parts::Lines, |lines| {
                lines.iter().flat_map(|(a, b)| format!("{a} = \"{b}\"\n").into_bytes()).collect()
            })] {
                let half = same.len() / 2;
                let (old, new) = ([&same[..half], &old, &same[half..]].concat(), [&same[..half], &new, &same[half..]].concat());
                let (old, new) = (with(&old), with(&new));
                if let Some(found) = delta(parts, &old, &new) {
                    prop_assert_eq!(applied(&old, &found), new);
                }
            }
        }
    }
}
