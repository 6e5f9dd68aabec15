//! The refs by which this clone remembers what a remote has.

use crate::domain::oid::{MaybeOid, Oid};
use crate::git::{Cas, RefChange};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::sys::failpoint::{self, Point};

/// Moves a tracking ref of ours, whatever it is at.
pub(super) fn track(cx: &Ctx, name: &str, to: &Oid) -> Result<(), OpError> {
    for _ in 0..20 {
        let old = cx.repo.ref_target(name)?;
        if old.as_ref() == Some(to) {
            return Ok(());
        }
        let old = old.map_or(MaybeOid::Zero, MaybeOid::Id);
        let change = RefChange { name: name.to_owned(), old, new: to.clone() };
        // git can't fetch over one that a power cut emptied.
        if cx.repo.cas(&change, cx.durability())? == Cas::Moved {
            failpoint::at(Point::SyncTracked);
            return Ok(());
        }
    }
    Err(OpError::Bug(format!("{name} moves all the time")))
}
