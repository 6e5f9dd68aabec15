//! The steps in their order, or what they would do.

use crate::domain::id::TaskId;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::maintain::{archive, squash, steps};
use crate::store::Squashed;

/// With fewer loose objects than this nobody is slower, and a pack more would be no gain.
const MANY_LOOSE: usize = 200;

/// What is asked of `maintain`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Whether the history is let go, too.
    pub squash: bool,
}

/// What was done, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Tasks that went to the archive.
    pub archived: Vec<TaskId>,
    /// How many records of steps went.
    pub pruned: usize,
    /// Objects of ours that lay loose and were packed.
    pub packed: usize,
    /// Objects of ours that lie loose and were left so, because they are few.
    pub loose: usize,
    /// How many commits were let go, or would be; None: that was not asked.
    pub let_go: Option<usize>,
    /// What a squash did.
    pub squashed: Option<Squashed>,
    /// The state's epoch.
    pub epoch: u64,
}

/// Lets the history go where that is asked, archives, prunes and packs.
pub fn maintain(cx: &Ctx, options: Options) -> Result<Report, OpError> {
    cx.snapshot()?;
    let squashed = if options.squash && !options.dry_run { Some(squash::squash(cx)?) } else { None };
    let let_go = match &squashed {
        Some(squashed) => Some(squashed.commits),
        None if options.squash => Some(squash::look(cx)?),
        None => None,
    };
    let snapshot = cx.snapshot()?;
    let archived = if options.dry_run { archive::due(cx, &snapshot)? } else { archive::archive(cx)? };
    let pruned = if options.dry_run { steps::due(cx, &snapshot)? } else { steps::prune(cx)? };
    let loose = cx.repo.loose()?;
    let packed = match loose {
        MANY_LOOSE.. if options.dry_run => loose,
        MANY_LOOSE.. => cx.repo.pack_loose(cx.durability())?,
        _ => 0,
    };
    if !options.dry_run {
        cx.repo.pack_down(cx.durability())?;
    }
    let epoch = cx.snapshot()?.meta()?.epoch;
    Ok(Report {
        dry_run: options.dry_run,
        archived,
        pruned,
        packed,
        loose: loose.saturating_sub(packed),
        let_go,
        squashed,
        epoch,
    })
}
