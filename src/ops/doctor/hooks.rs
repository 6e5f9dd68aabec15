//! Hooks: whether git really calls us, from every worktree.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::git::scrubbed;
use crate::hook::name::Hook;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::doctor::check::{Check, FIX, Mend};
use crate::ops::error::OpError;
use crate::ops::setup::{self, Place, Programs};
use crate::sys::fs;
use crate::sys::process::Cmd;

const NAME: &str = "hooks";

pub(super) fn check(cx: &Ctx, trunk: &Trunk, programs: &Programs, mend: Mend) -> Result<Vec<Check>, OpError> {
    let mut checks = Vec::new();
    if !cx.local.hooks {
        let check = Check::problem(NAME, "switched off in this clone").at("git config orch.hooks");
        checks.push(check.next("git config --unset orch.hooks   # then: git orch init"));
    }
    if !fs::exists(&programs.dispatcher) {
        let check = Check::problem(NAME, "the dispatcher that hooks are made of is missing");
        checks
            .push(check.at_path(&programs.dispatcher).next("install both programs of git-orch side by side"));
        return Ok(checks);
    }
    let stale = stale(cx, trunk, programs);
    let places = setup::places(cx)?;
    for place in &places {
        checks.push(place_check(cx, place, trunk, programs, mend)?);
    }
    // Where nothing may be installed, nothing is: that was said.
    if let Some(what) = stale
        && places.iter().any(|place| place.is_ours_to_use(cx))
    {
        let check = match (mend, self::stale(cx, trunk, programs)) {
            (Mend::Repair, None) => Check::fixed(NAME, format!("{what}; written anew")),
            (_, _) => Check::problem(NAME, what).next(FIX),
        };
        checks.push(check.at_path(&cx.file("hook.toml")));
    }
    Ok(checks)
}

/// What is wrong with `hook.toml`.
fn stale(cx: &Ctx, trunk: &Trunk, programs: &Programs) -> Option<&'static str> {
    let wanted = setup::settings(cx, trunk, programs);
    match setup::installed_settings(cx) {
        None => Some("the hooks' settings are missing"),
        Some(now) if now.main != wanted.main => Some("hooks call another git-orch than this one"),
        Some(now) if now.build != wanted.build => Some("hooks are of another build than this git-orch"),
        Some(now) if now != wanted => Some("the hooks' settings are not those of this clone"),
        Some(_) => None,
    }
}

fn place_check(
    cx: &Ctx,
    place: &Place,
    trunk: &Trunk,
    programs: &Programs,
    mend: Mend,
) -> Result<Check, OpError> {
    if !place.is_ours_to_use(cx) {
        let check = Check::problem(NAME, format!("NOT ENFORCED: {}", place.why_not()));
        return Ok(check.at_path(&place.dir).next("git config --show-origin core.hooksPath   # who set it"));
    }
    let wrong = wrong_in(cx, place, programs)?;
    let mended = mend == Mend::Repair && setup::install_in(cx, place, trunk, programs)?;
    let left = if mended { wrong_in(cx, place, programs)? } else { wrong.clone() };
    let check = match (wrong.is_empty(), left.is_empty()) {
        (true, true) => Check::ok(NAME, serves(place)),
        (false, true) => Check::fixed(NAME, format!("{}; installed again", wrong.join("; "))),
        (_, false) => Check::problem(NAME, left.join("; ")).next(FIX),
    };
    Ok(check.at_path(&place.dir))
}

fn serves(place: &Place) -> String {
    match place.worktrees.len() {
        0 => "installed; they run".to_owned(),
        1 => "installed; they run in 1 worktree".to_owned(),
        n => format!("installed; they run in {n} worktrees"),
    }
}

/// What keeps hooks in one place from working, one fragment each.
fn wrong_in(cx: &Ctx, place: &Place, programs: &Programs) -> Result<Vec<String>, OpError> {
    let copy = cx.file("bin/git-orch-hook");
    let source = if fs::exists(&copy) { &copy } else { &programs.dispatcher };
    let bytes = fs::read(source)?;
    let mut wrong = Vec::new();
    for hook in Hook::ALL {
        let path = place.dir.join(hook.as_str());
        let name = hook.as_str();
        match path.metadata() {
            Err(_) => wrong.push(format!("{name} is missing")),
            Ok(meta) if meta.permissions().mode() & 0o111 == 0 => {
                wrong.push(format!("{name} is not executable"));
            }
            Ok(_) if fs::read(&path)? != bytes => wrong.push(format!("{name} is not ours")),
            Ok(_) => {}
        }
    }
    if wrong.is_empty() {
        wrong.extend(canary(cx, place));
    }
    Ok(wrong)
}

/// Runs the guard as git would, on a transaction without a ref, in each worktree.
fn canary(cx: &Ctx, place: &Place) -> Option<String> {
    let program = place.dir.join(Hook::ReferenceTransaction.as_str());
    let env = scrubbed(&cx.env);
    let bare = (cx.repo.common_dir().to_owned(), cx.repo.common_dir().to_owned());
    let mut scenes: Vec<(PathBuf, PathBuf)> =
        place.worktrees.iter().map(|w| (w.path.clone(), w.git_dir.clone())).collect();
    if scenes.is_empty() {
        scenes.push(bare);
    }
    for (dir, git_dir) in scenes {
        let run = Cmd::new(&program, &dir, &env).env("GIT_DIR", &git_dir).args(["prepared"]).stdin("").run();
        match run {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                return Some(did_not_run(&dir, &format!("{} {}", output.status, output.stderr)));
            }
            Err(error) => return Some(did_not_run(&dir, &error.to_string())),
        }
    }
    None
}

fn did_not_run(dir: &Path, why: &str) -> String {
    format!("reference-transaction does not run in {}: {}", dir.display(), why.trim())
}
