//! Old lines in new places: what a change removes here and adds there is not new.

use std::collections::BTreeMap;

use crate::policy::guardrail::hit::Hit;

/// The hits of `found` in lines that the change does not also remove. A line that is removed once excuses one that is
/// added, in its own file before others: a copy is new.
pub(super) fn new_ones(found: Vec<Hit>, old: &[Hit]) -> Vec<Hit> {
    let mut left: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
    for hit in old {
        if let Some(raw) = &hit.raw {
            left.entry(raw).or_default().push(hit.finding.path.as_deref());
        }
    }
    let mut take = |hit: &Hit, fits: &dyn Fn(Option<&str>) -> bool| {
        let paths = hit.raw.as_deref().and_then(|raw| left.get_mut(raw));
        let at = paths.as_ref().and_then(|paths| paths.iter().position(|path| fits(*path)));
        paths.zip(at).map(|(paths, at)| paths.swap_remove(at)).is_some()
    };
    let kept: Vec<Hit> =
        found.into_iter().filter(|hit| !take(hit, &|path| path == hit.finding.path.as_deref())).collect();
    kept.into_iter().filter(|hit| !take(hit, &|_| true)).collect()
}
