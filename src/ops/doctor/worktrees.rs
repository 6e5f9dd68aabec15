//! Worktrees: where they are, what surrounds them, and whether they are still git's.

use std::path::{Path, PathBuf};

use crate::ops::context::Ctx;
use crate::ops::doctor::check::{Check, FIX, Mend};
use crate::ops::error::OpError;
use crate::ops::{checkouts, merge, worktrees};
use crate::sys::env::{Env, var};
use crate::sys::fs;

const NAME: &str = "worktrees";

/// What tools look for in every directory above the one they run in.
const SEEN_FROM_BELOW: [&str; 6] =
    [".cargo", "Cargo.toml", "node_modules", "package.json", "go.work", "pyproject.toml"];

pub(super) fn check(cx: &Ctx, mend: Mend) -> Result<Vec<Check>, OpError> {
    let root = worktrees::root(cx);
    let mut checks = place(cx, &root)?;
    checks.extend(above(&root, &cx.env));
    checks.extend(behind(cx, mend)?);
    checks.extend(missing(cx, mend)?);
    checks.extend(links(cx, &root)?);
    Ok(checks)
}

/// Whether the root is where an agent may work and no tool picks up the user's files.
fn place(cx: &Ctx, root: &Path) -> Result<Vec<Check>, OpError> {
    let real = crate::hook::install::real_dir(root);
    let component = |name: &str| real.components().any(|part| part.as_os_str() == name);
    let bad = [".git", ".cache", "node_modules"].into_iter().find(|name| component(name));
    let inside = cx.repo.worktrees()?.into_iter().find(|w| w.contains(&real) && w.path != real);
    let what = match (bad, inside) {
        (Some(name), _) => format!("they are below a `{name}`, where some tools refuse to work"),
        (None, Some(worktree)) => format!("they are inside the checkout {}", worktree.path.display()),
        (None, None) => {
            let writable = real.ancestors().find(|dir| fs::exists(dir)).is_some_and(fs::is_writable);
            if writable {
                return Ok(vec![Check::ok(NAME, "tasks and Ralph work beside the repository").at_path(root)]);
            }
            "the directory can't be made or written".to_owned()
        }
    };
    let next = "git config orch.worktrees DIR   # a directory that you may write, outside any checkout";
    Ok(vec![Check::problem(NAME, what).at_path(root).next(next)])
}

/// What tools that run in a worktree would pick up from above it.
fn above(root: &Path, env: &Env) -> Vec<Check> {
    let home = env.get(var::HOME).map(|home| Path::new(home).join(".cargo"));
    let real = crate::hook::install::real_dir(root);
    let mut checks = Vec::new();
    for dir in real.ancestors().skip(1) {
        // Cargo reads its own home for every build, wherever that is.
        let found = SEEN_FROM_BELOW
            .iter()
            .map(|name| dir.join(name))
            .filter(|path| fs::exists(path) && Some(path) != home.as_ref());
        checks.extend(found.map(|path: PathBuf| {
            Check::note(NAME, "tools that run in a worktree find this above it, and may use it")
                .at_path(&path)
                .next("git config orch.worktrees DIR   # a directory without such a file above it")
        }));
    }
    checks
}

/// Checkouts of trunk that still show what was before a merge that was killed.
fn behind(cx: &Ctx, mend: Mend) -> Result<Vec<Check>, OpError> {
    if !checkouts::are_left(cx)? {
        return Ok(Vec::new());
    }
    let what = "a merge was killed before the checkouts of trunk had followed it";
    if mend == Mend::Look {
        return Ok(vec![Check::problem(NAME, what).next(FIX)]);
    }
    let mut checks = vec![Check::fixed(NAME, format!("{what}; they are taken along"))];
    for (fact, next) in merge::take_along(cx)?.iter().filter_map(checkouts::Refresh::trouble) {
        checks.push(Check::note(NAME, fact).next(next));
    }
    Ok(checks)
}

/// Worktrees whose directory is gone.
fn missing(cx: &Ctx, mend: Mend) -> Result<Vec<Check>, OpError> {
    let gone = || -> Result<Vec<PathBuf>, OpError> {
        let all = cx.repo.worktrees()?.into_iter();
        Ok(all.filter(|w| !w.main && !w.exists()).map(|w| w.path).collect())
    };
    let before = gone()?;
    if mend == Mend::Repair && !before.is_empty() {
        let _lock = worktrees::lock(cx)?;
        cx.repo.forget_missing_worktrees()?;
    }
    let after = gone()?;
    let check = |path: &PathBuf| {
        let what = "git has a record of this worktree, and the directory is gone";
        if after.contains(path) {
            Check::problem(NAME, what).next(FIX)
        } else {
            Check::fixed(NAME, format!("{what}; forgotten, its branch is kept"))
        }
        .at_path(path)
    };
    Ok(before.iter().map(check).collect())
}

/// Worktrees of ours whose `.git` leads elsewhere: somebody in there made git look at another repository.
fn links(cx: &Ctx, root: &Path) -> Result<Vec<Check>, OpError> {
    let root = crate::hook::install::real_dir(root);
    let mut checks = Vec::new();
    for worktree in cx.repo.worktrees()? {
        if !worktree.path.starts_with(&root) || !worktree.exists() {
            continue;
        }
        let link = worktree.path.join(".git");
        let text = fs::read_optional(&link).unwrap_or_default().unwrap_or_default();
        let target =
            text.strip_prefix("gitdir: ").map(|to| worktree.path.join(to.trim_end_matches(['\n', '\r'])));
        let same = |to: &PathBuf| fs::canonical(to).ok() == fs::canonical(&worktree.git_dir).ok();
        if !target.as_ref().is_some_and(same) {
            let check = Check::problem(NAME, "TAMPERED: it does not lead to this repository");
            checks
                .push(check.at_path(&link).next(format!("git worktree repair {}", worktree.path.display())));
        }
    }
    Ok(checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_find_above_is_named_but_cargos_own_home() {
        let tmp = tempfile::tempdir().unwrap();
        let top = fs::canonical(tmp.path()).unwrap();
        for name in ["a/Cargo.toml", "a/b/.cargo", "a/b/r.orch/package.json", ".cargo"] {
            fs::create_dir_all(&top.join(name)).unwrap();
        }
        let env = Env::from_pairs([("HOME", top.to_str().unwrap())]);
        let places: Vec<String> = above(&top.join("a/b/r.orch"), &env)
            .into_iter()
            .filter_map(|check| check.place)
            .filter(|place| Path::new(place).starts_with(&top))
            .collect();
        let shown = |name: &str| top.join(name).display().to_string();
        assert_eq!(places, [shown("a/b/.cargo"), shown("a/Cargo.toml")]);
    }
}
