//! What the state costs, and whether a limit is near.

use crate::git::Stock;
use crate::ops::context::Ctx;
use crate::ops::doctor::check::Check;
use crate::ops::error::OpError;
use crate::store::STATE_REF;

const NAME: &str = "size";

/// More loose objects of ours slow down every git command of the user's.
const MOST_LOOSE: usize = 1_000;
/// More packs of ours slow down every look for an object.
const MOST_PACKS: usize = 40;
/// Files of the state may have 64 KiB.
const LARGE_BLOB: u64 = 60 * 1024;

pub(super) fn check(cx: &Ctx) -> Result<Vec<Check>, OpError> {
    let Some(tip) = cx.store().tip()? else { return Ok(Vec::new()) };
    Ok(vec![judge(&cx.repo.stock(&tip)?)])
}

fn judge(stock: &Stock) -> Check {
    let (file, largest) = stock.largest.clone().unwrap_or_default();
    let (dir, entries) = stock.widest.clone().unwrap_or_default();
    let what = format!(
        "{} commits, {} KiB; {} loose objects, {} packs; largest file {:.1} KiB ({file}), widest directory {entries} ({dir})",
        stock.commits,
        stock.bytes.div_ceil(1024),
        stock.loose,
        stock.packs,
        kib(largest),
    );
    let near = stock.loose > MOST_LOOSE || stock.packs > MOST_PACKS || largest > LARGE_BLOB;
    if near {
        Check::note(NAME, what).at(STATE_REF).next("git orch maintain")
    } else {
        Check::ok(NAME, what).at(STATE_REF)
    }
}

/// For showing only.
fn kib(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::doctor::check::Found;

    #[test]
    fn only_what_is_near_a_limit_is_worth_a_word() {
        let calm = Stock {
            commits: 5,
            bytes: 2_000,
            loose: MOST_LOOSE,
            packs: MOST_PACKS,
            largest: Some(("a".into(), LARGE_BLOB)),
            widest: Some(("/".into(), 3)),
        };
        assert_eq!(judge(&calm).found, Found::Ok);
        assert_eq!(judge(&Stock::default()).found, Found::Ok);
        for near in [
            Stock { loose: MOST_LOOSE + 1, ..calm.clone() },
            Stock { packs: MOST_PACKS + 1, ..calm.clone() },
            Stock { largest: Some(("a".into(), LARGE_BLOB + 1)), ..calm.clone() },
        ] {
            let check = judge(&near);
            assert_eq!((check.found, check.next.as_deref()), (Found::Note, Some("git orch maintain")));
        }
    }
}
