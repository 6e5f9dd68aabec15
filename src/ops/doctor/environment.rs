//! The machine: git's version, the verifier's key, what lies in the object database.

use std::os::unix::fs::PermissionsExt as _;

use crate::gate::{KEY_FILE, VerifierKey};
use crate::ops::context::Ctx;
use crate::ops::doctor::check::{Check, FIX, Mend};
use crate::ops::error::OpError;
use crate::sys::fs;

/// The oldest git that can merge without a checkout.
const NEEDED: (u32, u32) = (2, 38);
/// More loose objects than this make git slow until it packs them.
const MANY: u64 = 20_000;

pub(super) fn git(cx: &Ctx) -> Result<Vec<Check>, OpError> {
    const NAME: &str = "git";
    let said = cx.repo.run_git(["--version"])?.text();
    let check = match version(&said) {
        Some(found) if found >= NEEDED => Check::ok(NAME, said),
        Some(_) => {
            let (major, minor) = NEEDED;
            Check::problem(NAME, format!("{said} is too old: {major}.{minor} is needed"))
                .next("install a newer git")
        }
        None => Check::note(NAME, format!("`{said}` tells no version")),
    };
    Ok(vec![check])
}

fn version(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.strip_prefix("git version ")?.split(['.', ' ', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub(super) fn verifier_key(cx: &Ctx, mend: Mend) -> Result<Vec<Check>, OpError> {
    const NAME: &str = "verifier key";
    let Some(dir) = cx.env.state_home() else {
        let check =
            Check::problem(NAME, "HOME is not set: there is no place for the key that seals verdicts");
        return Ok(vec![check.next("export HOME=…")]);
    };
    let path = dir.join(KEY_FILE);
    if !fs::exists(&path) {
        return Ok(vec![Check::ok(NAME, "not made yet; the first verdict makes it")]);
    }
    let mode = path.metadata().map(|meta| meta.permissions().mode() & 0o777).unwrap_or_default();
    if mode & 0o077 != 0 {
        let what = format!("others may read it (mode {mode:03o}): they could forge verdicts");
        if mend == Mend::Look {
            return Ok(vec![Check::problem(NAME, what).at_path(&path).next(FIX)]);
        }
        fs::set_mode(&path, 0o600)?;
        return Ok(vec![Check::fixed(NAME, format!("{what}; now only you may")).at_path(&path)]);
    }
    Ok(vec![match VerifierKey::load(&dir) {
        Ok(_) => Check::ok(NAME, "only you may read it").at_path(&path),
        Err(error) => {
            let line = "move that file away   # a new one is made; recorded verdicts then count no more";
            Check::problem(NAME, error.to_string()).at_path(&path).next(line)
        }
    }])
}

pub(super) fn disk(cx: &Ctx) -> Result<Vec<Check>, OpError> {
    const NAME: &str = "disk";
    let text = cx.repo.run_git(["count-objects", "-v"])?.text();
    let field = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    let (loose, packs, kib) = (field("count"), field("packs"), field("size") + field("size-pack"));
    let line = format!("{loose} loose objects, {packs} packs, {kib} KiB");
    Ok(vec![if loose > MANY { Check::note(NAME, line).next("git gc") } else { Check::ok(NAME, line) }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_every_vendor() {
        assert_eq!(version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(version("git version 2.55.0-rc1"), Some((2, 55)));
        assert_eq!(version("hub 1"), None);
        assert!(Some((2, 9)) < Some(NEEDED));
    }
}
