//! Verdicts that somebody looks at: those on one tree, or the last ones. They are kept by their keys, of which neither can be
//! told, so every text is read; only what is asked for is decoded.

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::store::error::StoreError;
use crate::store::reader::{Reader, parse};
use crate::store::records::decode_verdict;
use crate::store::snapshot::Snapshot;

const DIR: &str = "verdicts";

fn decoded(text: &str) -> Option<Verdict> {
    decode_verdict(&Reader::new(&parse(text).ok()?)).ok()
}

/// A time that is not before that of the verdict in `text`; None: there is none in it. What steps said may have such
/// lines, too.
fn at_most(text: &str) -> Option<Timestamp> {
    let times = text.lines().filter_map(|line| line.strip_prefix("made = \""));
    times.filter_map(|rest| Timestamp::parse(rest.split('"').next()?).ok()).max()
}

impl Snapshot<'_> {
    /// The verdicts on a tree that can be read, the latest first.
    pub fn verdicts_on(&self, tree: &Oid) -> Result<Vec<Verdict>, StoreError> {
        let line = format!("tree = \"{tree}\"");
        let texts = self.texts(DIR)?;
        let likely = texts.iter().filter(|text| text.contains(&line));
        let mut found: Vec<Verdict> = likely.filter_map(|text| decoded(text)).collect();
        found.retain(|verdict| verdict.tree == *tree);
        found.sort_by(latest_first);
        Ok(found)
    }

    /// The last verdicts that can be read, at most `limit`, the latest first.
    pub fn last_verdicts(&self, limit: usize) -> Result<Vec<Verdict>, StoreError> {
        let texts = self.texts(DIR)?;
        let mut timed: Vec<(Timestamp, &String)> =
            texts.iter().filter_map(|text| Some((at_most(text)?, text))).collect();
        timed.sort_by(|one, two| two.cmp(one));
        let mut found: Vec<Verdict> = Vec::new();
        for (bound, text) in timed {
            // None that follows is later than the bound.
            if found.get(limit.wrapping_sub(1)).is_some_and(|last| last.made > bound) || limit == 0 {
                break;
            }
            if let Some(verdict) = decoded(text) {
                let place = found.partition_point(|other| latest_first(other, &verdict).is_lt());
                found.insert(place, verdict);
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

fn latest_first(one: &Verdict, two: &Verdict) -> std::cmp::Ordering {
    (two.made, &two.key).cmp(&(one.made, &one.key))
}
