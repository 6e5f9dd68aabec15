//! Stamps and tagged sets: what lets two clones join the same task without a merge base.
//!
//! Text fields carry a stamp (hybrid clock, actor, change id) and the greater one wins; sets keep adds
//! under unique tags and removals as tombstones (an observed-remove set: Shapiro et al., "A comprehensive
//! study of Convergent and Commutative Replicated Data Types", 2011, §3.3.5). Joins are commutative,
//! associative and idempotent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::id::ChangeId;

/// A hybrid clock: the time, or just after what was seen before where that is later (Kulkarni et al., "Logical Physical
/// Clocks", 2014).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc {
    /// Milliseconds since the epoch.
    pub ms: i64,
    /// Counts within one millisecond.
    pub seq: u32,
}

/// No clock shows a later time, in milliseconds since the epoch: the year 3000. One at the end of its numbers could not
/// be followed by any.
const LAST: i64 = 32_503_680_000_000;

impl Hlc {
    /// The clock of something that happens at this time, or after `seen`.
    #[must_use]
    pub fn after(self, seen: Self) -> Self {
        if self > seen {
            return self;
        }
        match seen.seq.checked_add(1) {
            Some(seq) => Self { ms: seen.ms, seq },
            None => Self { ms: seen.ms.saturating_add(1), seq: 0 },
        }
    }

    /// Reads the form that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (ms, seq) = text.split_once('.')?;
        let ms = ms.parse().ok().filter(|ms| *ms <= LAST)?;
        Some(Self { ms, seq: seq.parse().ok()? })
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ms, self.seq)
    }
}

/// When and by which change a field was last written. Ordered; two changes never share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Hybrid clock: milliseconds since the epoch, never behind a stamp seen before.
    pub ms: i64,
    /// Counts changes within one millisecond.
    pub seq: u32,
    /// Who wrote it, as `Actor::name`.
    pub actor: String,
    /// The change that wrote it.
    pub change: ChangeId,
}

/// The text is not a stamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stamp (`<ms>.<seq> <change> <actor>`)")]
pub struct StampError(pub String);

impl Stamp {
    /// Its hybrid clock.
    pub fn clock(&self) -> Hlc {
        Hlc { ms: self.ms, seq: self.seq }
    }

    /// Reads the form that `Display` writes.
    pub fn parse(text: &str) -> Result<Self, StampError> {
        let bad = || StampError(text.to_owned());
        let mut parts = text.splitn(3, ' ');
        let (clock, change, actor) = (parts.next(), parts.next(), parts.next());
        let (Some(clock), Some(change), Some(actor)) = (clock, change, actor) else { return Err(bad()) };
        let clock = Hlc::parse(clock).ok_or_else(bad)?;
        Ok(Self {
            ms: clock.ms,
            seq: clock.seq,
            actor: actor.to_owned(),
            change: ChangeId::parse(change).map_err(|_| bad())?,
        })
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} {} {}", self.ms, self.seq, self.change, self.actor)
    }
}

/// A value and the stamp of its last write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<T> {
    /// The value.
    pub value: T,
    /// Its last write.
    pub stamp: Stamp,
}

impl<T: PartialEq> Field<T> {
    /// A field written by the change that `stamp` names.
    pub fn new(value: T, stamp: &Stamp) -> Self {
        Self { value, stamp: stamp.clone() }
    }

    /// Writes `value`; the stamp changes only if the value does. Says whether it did.
    ///
    /// Whoever writes has seen what was there, so what is written comes after it, also where that was written by a
    /// clock that is ahead.
    pub fn set(&mut self, value: T, stamp: &Stamp) -> bool {
        let changed = self.value != value;
        if changed {
            let clock = stamp.clock().after(self.stamp.clock());
            *self = Self { value, stamp: Stamp { ms: clock.ms, seq: clock.seq, ..stamp.clone() } };
        }
        changed
    }
}

impl<T: Ord> Field<T> {
    /// The later write. Two changes never share a stamp; if it was forged, the greater value decides.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        if (&self.stamp, &self.value) < (&other.stamp, &other.value) { other } else { self }
    }
}

/// A set whose members are kept under the tags of the changes that added them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSet<T: Ord> {
    adds: BTreeMap<T, BTreeSet<String>>,
    gone: BTreeSet<String>,
}

impl<T: Ord> Default for TagSet<T> {
    fn default() -> Self {
        Self { adds: BTreeMap::new(), gone: BTreeSet::new() }
    }
}

impl<T: Ord + Clone> TagSet<T> {
    /// Rebuilds a set from its stored parts. A tag that was removed counts for removed wherever it stands.
    pub fn from_parts(mut adds: BTreeMap<T, BTreeSet<String>>, gone: BTreeSet<String>) -> Self {
        adds.retain(|_, tags| {
            tags.retain(|tag| !gone.contains(tag));
            !tags.is_empty()
        });
        Self { adds, gone }
    }

    /// What is in either, without what either removed.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let Self { mut adds, mut gone } = self;
        gone.extend(other.gone);
        for (member, tags) in other.adds {
            adds.entry(member).or_default().extend(tags);
        }
        Self::from_parts(adds, gone)
    }

    /// The live adds: member to tags. Together with `tombstones` all there is to store.
    pub fn adds(&self) -> &BTreeMap<T, BTreeSet<String>> {
        &self.adds
    }

    /// Tags whose add was removed.
    pub fn tombstones(&self) -> &BTreeSet<String> {
        &self.gone
    }

    /// Adds `member` by `change`; says whether it was absent. `ordinal` tells apart several adds of one change.
    pub fn insert(&mut self, member: T, change: &ChangeId, ordinal: usize) -> bool {
        if self.adds.contains_key(&member) {
            return false;
        }
        self.adds.insert(member, BTreeSet::from([format!("{change}.{ordinal}")]));
        true
    }

    /// Removes `member`; says whether it was there.
    pub fn remove(&mut self, member: &T) -> bool {
        match self.adds.remove(member) {
            Some(tags) => {
                self.gone.extend(tags);
                true
            }
            None => false,
        }
    }

    /// Whether `member` is in the set.
    pub fn contains(&self, member: &T) -> bool {
        self.adds.contains_key(member)
    }

    /// The members, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.adds.keys()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.adds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(n: u64) -> ChangeId {
        ChangeId::from_bits(n)
    }

    #[test]
    fn a_stamp_reads_back() {
        let s = Stamp { ms: 5, seq: 1, actor: "Ann Lee <a@b>".into(), change: change(9) };
        assert_eq!(Stamp::parse(&s.to_string()), Ok(s));
        assert!(Stamp::parse("5 x").is_err());
    }

    #[test]
    fn a_removed_member_leaves_its_tags_behind() {
        let mut set = TagSet::default();
        assert!(set.insert("ui", &change(1), 0));
        assert!(!set.insert("ui", &change(2), 0), "a second add is no change");
        assert!(set.remove(&"ui"));
        assert!(!set.remove(&"ui"));
        assert_eq!(set.tombstones().len(), 1);
        assert!(set.is_empty());
    }
}
